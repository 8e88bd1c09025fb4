//! Sessions of several exchanges.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use pinhole_sdp::negotiate::{
    BundleError, BundlePolicy, Capabilities, Plan, Settled, Transport, Wanted,
};
use pinhole_sdp::{Description, Direction, Group, Origin, Profile, TypedAttribute, WriteError};
use proptest::prelude::*;
use support::{POLICIES, any_capabilities, capabilities, h264, transport, video, wanted, written};

/// One of two sides, and what it remembers.
struct Engine {
    capabilities: Capabilities,
    settled: Settled,
}

impl Engine {
    fn new(capabilities: Capabilities) -> Self {
        Self { capabilities, settled: Settled::default() }
    }

    fn offer(&self, wanted: &[Wanted]) -> Description<'static> {
        written(&Plan::offer_after(&self.settled, &self.capabilities, wanted))
    }

    fn answer(&self, offer: &Description<'_>) -> Description<'static> {
        written(&Plan::answer_after(&self.settled, &self.capabilities, offer))
    }
}

/// An exchange that is checked in every way, and its offer and answer.
fn exchange(
    offerer: &mut Engine,
    answerer: &mut Engine,
    wanted: &[Wanted],
) -> [Description<'static>; 2] {
    let offer = offerer.offer(wanted);
    assert_eq!(offer.check(Profile::Strict), [], "{offer}");
    assert_eq!(offer.check(Profile::WebRtc), [], "{offer}");
    assert_eq!(offerer.offer(wanted), offer, "offering twice gives the same");
    check_payload_types(&offer);
    let answer = answerer.answer(&offer);
    assert_eq!(answer.check(Profile::WebRtc), [], "{answer}");
    assert_eq!(answer.check_answer_to(&offer), [], "{offer}\n{answer}");
    assert_eq!(answerer.answer(&offer), answer, "answering twice gives the same");
    check_transports(&answer);
    offerer.settled.own_offer(&offer, &answer);
    answerer.settled.own_answer(&offer, &answer);
    let before = offerer.settled.clone();
    offerer.settled.own_offer(&offer, &answer);
    assert_eq!(offerer.settled, before, "an exchange settles the same when told twice");
    [offer, answer]
}

/// RFC 9143 §9.1: a payload type means one thing in a bundle.
fn check_payload_types(description: &Description<'_>) {
    for group in description.session().get_all::<Group<'_>>().flatten() {
        let mut meanings = BTreeMap::new();
        let members = description
            .media()
            .filter(|own| own.mid().is_some_and(|mid| group.mids.contains(&mid)));
        for (number, codec) in members.flat_map(|media| media.codecs()) {
            let meaning = (codec.name.to_lowercase(), codec.clock_rate, codec.channels);
            let known = meanings.entry(number).or_insert_with(|| meaning.clone());
            assert_eq!(*known, meaning, "payload type {number} in\n{description}");
        }
    }
}

/// Each section that is used has a transport, or shares the one of its group.
fn check_transports(answer: &Description<'_>) {
    let groups: Vec<Group<'_>> = answer.session().get_all().flatten().collect();
    for media in answer.media().filter(|media| !media.is_rejected()) {
        let mid = media.mid().unwrap();
        let tag = groups.iter().find(|group| group.mids.contains(&mid)).map(|group| group.mids[0]);
        let told = answer.media_with_mid(tag.unwrap_or(mid)).unwrap();
        assert!(told.has("ice-ufrag") && told.has("setup"), "section {mid} of\n{answer}");
    }
}

/// What stays the same from one description of the session to the next (RFC 3264 §8).
fn check_continuity(before: &Description<'_>, now: &Description<'_>) {
    assert!(now.media().len() >= before.media().len());
    for (before, now) in before.media().zip(now.media()).filter(|(before, _)| !before.is_rejected())
    {
        assert_eq!((before.mid(), before.kind()), (now.mid(), now.kind()));
        let numbers: BTreeMap<_, _> = now.codecs().into_iter().collect();
        for (number, codec) in before.codecs() {
            if let Some(same) = numbers.get(&number).filter(|_| !now.is_rejected()) {
                assert!(same.is(&codec.name) && same.clock_rate == codec.clock_rate, "{number}");
            }
        }
    }
}

fn role(description: &Description<'_>) -> String {
    let media = description.media().find(|media| media.has("setup")).unwrap();
    media.attribute("setup").unwrap().value().unwrap().to_owned()
}

fn pair() -> [Engine; 2] {
    [
        Engine::new(capabilities(&[video("VP8", ""), h264()])),
        Engine::new(capabilities(&[h264(), video("VP9", "")])),
    ]
}

#[test]
fn an_offer_of_the_answerer_keeps_numbers_and_roles() {
    let [mut ours, mut theirs] = pair();
    let kinds = wanted(&["audio", "video", "application"]);
    let [_, first] = exchange(&mut ours, &mut theirs, &kinds);
    assert_eq!(role(&first), "active");
    let again = theirs.settled.wanted();
    let [offer, answer] = exchange(&mut theirs, &mut ours, &again);
    check_continuity(&first, &offer);
    assert_eq!(role(&offer), "actpass");
    assert_eq!(role(&answer), "passive", "the association stays as it is");
    let h264 = |media: pinhole_sdp::Media<'_>| {
        media.codecs().into_iter().find(|(_, codec)| codec.is("H264")).unwrap().0
    };
    assert_eq!(h264(first.media().nth(1).unwrap()), h264(offer.media().nth(1).unwrap()));
    let vp9 = offer.media().nth(1).unwrap().codecs();
    let (vp9, _) = vp9.iter().find(|(_, codec)| codec.is("VP9")).unwrap();
    assert!(first.media().all(|media| media.formats().all(|format| format != vp9.to_string())));
}

#[test]
fn offering_the_same_again_changes_nothing() {
    let [mut ours, mut theirs] = pair();
    exchange(&mut ours, &mut theirs, &wanted(&["audio", "video"]));
    let again = ours.settled.wanted();
    let [offer, answer] = exchange(&mut ours, &mut theirs, &again);
    let settled = ours.settled.clone();
    assert_eq!(exchange(&mut ours, &mut theirs, &again), [offer, answer]);
    assert_eq!(ours.settled, settled);
}

#[test]
fn a_closed_section_keeps_its_place_until_a_new_one_takes_it_under_a_new_tag() {
    let [mut ours, mut theirs] = pair();
    exchange(&mut ours, &mut theirs, &wanted(&["audio", "video"]));
    let mut wishes = ours.settled.wanted();
    let video = wishes.pop().unwrap();
    let [closed, _] = exchange(&mut ours, &mut theirs, &wishes);
    assert!(closed.media().nth(1).unwrap().is_rejected());
    assert_eq!(closed.media().nth(1).unwrap().mid(), video.mid.as_deref());
    let group = closed.session().attribute("group").unwrap().value();
    assert_eq!(group, Some("BUNDLE 0"));
    wishes.extend(wanted(&["application", "video"]));
    let [recycled, answer] = exchange(&mut ours, &mut theirs, &wishes);
    let shown: Vec<_> = recycled.media().map(|own| (own.kind(), own.mid().unwrap())).collect();
    assert_eq!(shown, [("audio", "0"), ("application", "2"), ("video", "3")]);
    assert!(answer.media().all(|media| !media.is_rejected()));
}

#[test]
fn when_the_section_that_tells_the_transport_closes_the_next_one_tells_it() {
    let [mut ours, mut theirs] = pair();
    exchange(&mut ours, &mut theirs, &wanted(&["audio", "video"]));
    let video = ours.settled.wanted().split_off(1);
    let [offer, answer] = exchange(&mut ours, &mut theirs, &video);
    for description in [&offer, &answer] {
        let transports: Vec<bool> =
            description.media().map(|media| media.has("ice-ufrag")).collect();
        assert_eq!(transports, [false, true]);
    }
}

#[test]
fn rejecting_the_section_that_tells_a_settled_transport_rejects_its_group() {
    let [mut ours, mut theirs] = pair();
    exchange(&mut ours, &mut theirs, &wanted(&["audio", "video"]));
    theirs.capabilities.rtp.remove("audio");
    let again = ours.settled.wanted();
    let [_, answer] = exchange(&mut ours, &mut theirs, &again);
    assert!(answer.media().all(|media| media.is_rejected()), "RFC 9143 §7.3.3:\n{answer}");
}

#[test]
fn a_bundle_only_section_cannot_tell_the_transport_of_an_answer() {
    let ours = capabilities(&[h264()]);
    let mut theirs = Engine::new(ours.clone());
    let mut ours = Engine::new(Capabilities { bundle: BundlePolicy::MustBundle, ..ours });
    theirs.capabilities.rtp.remove("audio");
    let [_, answer] = exchange(&mut ours, &mut theirs, &wanted(&["audio", "video"]));
    assert!(answer.media().all(|media| media.is_rejected()), "RFC 9143 §7.3.1:\n{answer}");
}

#[test]
fn a_tag_is_never_used_twice_and_none_is_remembered() {
    let [mut a, mut b] = pair();
    let mut last = None;
    for round in 0..2_000_u32 {
        exchange(&mut a, &mut b, &wanted(&["video"]));
        let own = a.settled.wanted();
        let mid: u32 = own[0].mid.as_ref().unwrap().parse().unwrap();
        assert!(last < Some(mid), "round {round}: {mid} after {last:?}");
        last = Some(mid);
        exchange(&mut a, &mut b, &[]);
        assert!(format!("{:?}", a.settled).len() < 4_000, "the memory does not grow");
    }
}

#[test]
fn the_version_steps_by_one_with_each_change_and_only_then() {
    // RFC 3264 §8.
    let [a, _] = pair();
    let version = |description: &Description<'_>| {
        description.session().field::<Origin<'_>>().unwrap().unwrap().session_version
    };
    let first = a.offer(&wanted(&["audio"]));
    let plan = Plan::offer(&a.capabilities, &wanted(&["audio"]));
    let again = plan.write_after(&first, |_| transport("8hhY")).unwrap();
    assert_eq!(again, first);
    let plan = Plan::offer(&a.capabilities, &wanted(&["audio", "video"]));
    let second = plan.write_after(&first, |_| transport("8hhY")).unwrap();
    assert_eq!(version(&second), version(&first) + 1);
    let third = plan.write_after(&second, |_| transport("9uB6")).unwrap();
    assert_eq!(version(&third), version(&first) + 2);
    assert_eq!(plan.write_after(&third, |_| transport("9uB6")).unwrap(), third);
}

#[test]
fn an_answer_to_an_ice_restart_needs_new_credentials() {
    // RFC 8839 §4.4.2.
    let [mut a, mut b] = pair();
    exchange(&mut a, &mut b, &wanted(&["audio", "video"]));
    let fresh = Transport { password: "a-password-of-22-chars", ..transport("9uB6") };
    let plan = Plan::offer_after(&a.settled, &a.capabilities, &a.settled.wanted());
    let offer = plan.write(Origin::anonymous(1, 2), |_| fresh.clone()).unwrap();
    let answer = Plan::answer_after(&b.settled, &b.capabilities, &offer);
    assert!(answer.sections[0].restarts_ice);
    let stale = answer.write(Origin::anonymous(2, 2), |_| transport("8hhY"));
    assert_eq!(stale, Err(WriteError::StaleIce(0)));
    let other = Transport { password: "b-password-of-22-chars", ..transport("7zzA") };
    assert!(answer.write(Origin::anonymous(2, 2), |_| other.clone()).is_ok());
    let same = Plan::answer_after(&b.settled, &b.capabilities, &a.offer(&a.settled.wanted()));
    assert!(!same.sections[0].restarts_ice);
    assert!(same.write(Origin::anonymous(2, 2), |_| transport("8hhY")).is_ok());
}

#[test]
fn an_answer_moves_a_section_out_of_a_new_group_only() {
    // RFC 9143 §7.3.2.
    let [mut a, mut b] = pair();
    a.capabilities.bundle = BundlePolicy::MaxCompat;
    let offer = a.offer(&wanted(&["audio", "video"]));
    let mut plan = Plan::answer_after(&b.settled, &b.capabilities, &offer);
    assert_eq!(plan.move_out_of_bundle("7"), Err(BundleError::NotBundled));
    plan.move_out_of_bundle("1").unwrap();
    let answer = written(&plan);
    assert_eq!(answer.check_answer_to(&offer), [], "{answer}");
    assert!(answer.media().all(|media| media.has("ice-ufrag")), "each has a transport:\n{answer}");
    let group: Group<'_> = answer.session().get().unwrap().unwrap();
    assert_eq!(group.mids, ["0"]);

    a.capabilities.bundle = BundlePolicy::MustBundle;
    let offer = a.offer(&wanted(&["audio", "video"]));
    let mut plan = Plan::answer_after(&b.settled, &b.capabilities, &offer);
    assert_eq!(plan.move_out_of_bundle("1"), Err(BundleError::BundleOnly));

    exchange(&mut a, &mut b, &wanted(&["audio", "video"]));
    let offer = a.offer(&a.settled.wanted());
    let mut plan = Plan::answer_after(&b.settled, &b.capabilities, &offer);
    assert_eq!(plan.move_out_of_bundle("1"), Err(BundleError::Negotiated));
    let mut plan = Plan::offer(&a.capabilities, &wanted(&["audio"]));
    assert_eq!(plan.move_out_of_bundle("0"), Err(BundleError::NotAnAnswer));
}

#[test]
fn an_offer_insists_on_one_port_once_and_tells_its_association() {
    // RFC 8858, RFC 9429 §5.2.1, §5.2.2; RFC 8842 §5.3.
    let [mut a, mut b] = pair();
    let id = "abc3de65cddef001be82";
    let named = |ufrag| Transport { tls_id: Some(id), ..transport(ufrag) };
    let plan = Plan::offer(&a.capabilities, &wanted(&["audio", "application"]));
    let offer = plan.write(Origin::anonymous(1, 1), |_| named("8hhY")).unwrap();
    let audio = offer.media().next().unwrap();
    assert!(audio.has("rtcp-mux") && audio.has("rtcp-mux-only") && audio.has("tls-id"), "{offer}");
    let answer = Plan::answer(&b.capabilities, &offer);
    let told = answer.write(Origin::anonymous(2, 1), |_| named("9uB6")).unwrap();
    assert!(told.media().next().unwrap().has("tls-id") && !told.to_string().contains("mux-only"));
    a.settled.own_offer(&offer, &told);
    b.settled.own_answer(&offer, &told);
    let later = a.offer(&a.settled.wanted());
    assert!(!later.to_string().contains("rtcp-mux-only"), "{later}");
    let answer = Plan::answer_after(&b.settled, &b.capabilities, &later);
    let silent = answer.write(Origin::anonymous(2, 2), |_| named("9uB6")).unwrap();
    assert!(!silent.to_string().contains("tls-id"), "the offer tells none");
    a.capabilities.require_rtcp_mux = false;
    assert!(!a.offer(&wanted(&["audio"])).to_string().contains("rtcp-mux-only"));
}

#[test]
fn a_held_section_resumes() {
    let [mut ours, mut theirs] = pair();
    let mut wishes = wanted(&["audio"]);
    exchange(&mut ours, &mut theirs, &wishes);
    wishes = ours.settled.wanted();
    for (direction, offered, answered) in [
        (Direction::SendRecv.on_hold(), "sendonly", "recvonly"),
        (Direction::RecvOnly.on_hold(), "inactive", "inactive"),
        (Direction::SendRecv, "sendrecv", "sendrecv"),
    ] {
        wishes[0].direction = direction;
        let said = exchange(&mut ours, &mut theirs, &wishes)
            .map(|own| own.media().next().unwrap().direction().unwrap().name());
        assert_eq!(said, [offered, answered]);
    }
}

#[test]
fn what_is_sent_names_its_streams() {
    let [ours, theirs] = pair();
    let mut wishes = wanted(&["audio", "video"]);
    wishes[0].streams = vec!["camera".to_owned()];
    wishes[1].direction = Direction::RecvOnly;
    let msids = |own: &Description<'_>| -> Vec<Option<String>> {
        let values = own.media().map(|media| media.attribute("msid")?.value().map(str::to_owned));
        values.collect()
    };
    let offer = ours.offer(&wishes);
    assert_eq!(msids(&offer), [Some("camera".to_owned()), None]);
    let alone = Some("-".to_owned());
    assert_eq!(msids(&theirs.answer(&offer)), [alone.clone(), alone]);
}

#[test]
fn a_restart_is_seen_in_the_section_where_fragment_and_password_are_new() {
    let [ours, _] = pair();
    let never = Capabilities { bundle: BundlePolicy::Never, ..ours.capabilities };
    let before = Engine::new(never).offer(&wanted(&["audio", "video"])).to_string();
    let (session, video) = before.split_at(before.find("m=video").unwrap());
    let before = Description::parse(&before).unwrap();
    for (from, to, restarted) in [("8hhY", "9uB6", vec![]), ("a=sendrecv", "a=inactive", vec![])] {
        let now = format!("{session}{}", video.replace(from, to));
        let now = Description::parse(&now).unwrap();
        assert_eq!(now.ice_restarts(&before).collect::<Vec<_>>(), restarted);
    }
    let restarted = video.replace("8hhY", "9uB6").replace("asd88", "qwe77");
    let now = format!("{session}{restarted}");
    let now = Description::parse(&now).unwrap();
    assert_eq!(now.ice_restarts(&before).collect::<Vec<_>>(), [1]);
    let recycled = format!("{session}{}", restarted.replace("a=mid:1", "a=mid:2"));
    let recycled = Description::parse(&recycled).unwrap();
    assert_eq!(recycled.ice_restarts(&before).count(), 0, "a new section is no restart");
}

/// What happens in one round: who offers, with which capabilities on both sides, which of its sections
/// the offerer closes or holds, and what it adds.
type Round = (bool, [Capabilities; 2], u8, u8, Vec<&'static str>);

fn any_round() -> impl Strategy<Value = Round> {
    let kinds = proptest::sample::select(&["audio", "video", "application"][..]);
    let added = proptest::collection::vec(kinds, 0..3);
    let sides = [any_capabilities(), any_capabilities()];
    (any::<bool>(), sides, any::<u8>(), any::<u8>(), added)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn two_engines_stay_in_a_common_legal_state_whatever_they_offer(
        policies in [proptest::sample::select(POLICIES.to_vec()), proptest::sample::select(POLICIES.to_vec())],
        rounds in proptest::collection::vec(any_round(), 1..7),
    ) {
        let mut engines = [(); 2].map(|()| Engine::new(Capabilities::default()));
        let mut last: Option<[Description<'_>; 2]> = None;
        for (swap, sides, closed, held, added) in rounds {
            for ((engine, side), bundle) in engines.iter_mut().zip(sides).zip(policies) {
                engine.capabilities = Capabilities { bundle, ..side };
            }
            let [a, b] = &mut engines;
            let (offerer, answerer) = if swap { (b, a) } else { (a, b) };
            let mut wishes: Vec<Wanted> = offerer.settled.wanted().into_iter().enumerate()
                .filter(|(index, _)| closed & (1 << (index % 8)) == 0)
                .map(|(index, mut own)| {
                    if held & (1 << (index % 8)) != 0 {
                        own.direction = own.direction.on_hold();
                    }
                    own
                })
                .collect();
            wishes.extend(wanted(&added));
            let now = exchange(offerer, answerer, &wishes);
            if let Some([_, before]) = &last {
                check_continuity(before, &now[0]);
            }
            prop_assert_eq!(offerer.settled.wanted(), answerer.settled.wanted());
            let live = now[1].media().filter(|media| !media.is_rejected() && media.has(pinhole_sdp::Mid::NAME));
            prop_assert_eq!(live.count(), offerer.settled.wanted().len());
            last = Some(now);
        }
    }
}
