//! Whatever is offered, the answer is one: by the rules, the same when asked again, and settled the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pinhole_sdp::negotiate::{Capabilities, Plan, Settled, Transport};
use pinhole_sdp::{Description, Fingerprint, Origin, Profile};

fuzz_target!(|bytes: &[u8]| {
    let Ok(offer) = Description::parse(bytes) else { return };
    let own = Capabilities::shown_by(&offer);
    let transport = |_| Transport {
        ufrag: "8hhY",
        password: "asd88fgpdd777uzjYhagZg",
        options: "trickle",
        fingerprint: Fingerprint::sha256([7; 32]),
        tls_id: None,
        candidates: vec![],
        end_of_candidates: false,
    };
    let plan = Plan::answer(&own, &offer);
    assert_eq!(Plan::answer(&own, &offer), plan);
    let Ok(answer) = plan.write(Origin::anonymous(1, 1), transport) else { return };
    let is_legal = offer.check(Profile::WebRtc).is_empty();
    assert!(!is_legal || answer.check_answer_to(&offer).is_empty(), "{offer}\n{answer}");
    let mut settled = Settled::default();
    settled.own_answer(&offer, &answer);
    let again = Plan::offer_after(&settled, &own, &settled.wanted());
    assert!(again.sections.len() >= answer.media().len());
    let _ = again.write(Origin::anonymous(1, 2), transport);
});
