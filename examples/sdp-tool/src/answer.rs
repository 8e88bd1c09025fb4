use std::io::{self, Write};

use pinhole_sdp::negotiate::{Capabilities, Plan, Transport};
use pinhole_sdp::{Description, Fingerprint, Origin, TlsId};

use crate::input::Input;

/// Prints the answer to an offer, and for each section that it rejects why; good is when there is one
/// that it does not reject.
pub(crate) fn run(own: &str, offer: &str, out: &mut impl Write) -> io::Result<bool> {
    let (own, offer) = (Input::read(own)?, Input::read(offer)?);
    let (description, offered) = match (own.parse(), offer.parse()) {
        (Ok(description), Ok(offered)) => (description, offered),
        (description, offered) => {
            for (input, error) in [(&own, description.err()), (&offer, offered.err())] {
                if let Some(error) = error {
                    eprintln!("{}", input.show("error", error));
                }
            }
            return Ok(false);
        }
    };
    let Some(transport) = transport(&description) else {
        let message = "has no ICE credentials and fingerprint to answer with";
        return Err(io::Error::other(format!("{} {message}", own.name)));
    };
    let plan = Plan::answer(&Capabilities::shown_by(&description), &offered);
    for (index, section) in plan.sections.iter().enumerate() {
        if let Err(reason) = section.outcome {
            eprintln!("section {index}, {}, is rejected: {reason}", section.kind);
        }
    }
    let origin = description.session().field::<Origin<'_>>().ok().flatten();
    let origin = origin.unwrap_or(Origin::anonymous(0, 0));
    let answer = plan.write(origin, |_| transport.clone()).map_err(io::Error::other)?;
    out.write_all(answer.as_bytes())?;
    Ok(plan.sections.iter().any(|section| section.outcome.is_ok()))
}

/// The transport of the first section that has one.
fn transport<'d>(description: &'d Description<'d>) -> Option<Transport<'d>> {
    description.media().find_map(|media| {
        let ice = media.ice().ok().flatten()?;
        Some(Transport {
            ufrag: ice.ufrag,
            password: ice.password,
            options: ice.options.0,
            fingerprint: media.get_or_inherit::<Fingerprint<'_>>().ok().flatten()?,
            tls_id: media.get_or_inherit().ok().flatten().map(|TlsId(id)| id),
            candidates: media.candidates().map(str::to_owned).collect(),
            end_of_candidates: media.end_of_candidates(),
        })
    })
}
