//! A session that changes.

use pinhole_sdp::Direction;
use pinhole_sdp::negotiate::{Capabilities, Wanted};

use crate::page::{Page, with_page};
use crate::side::{Side, capabilities, video};

fn own() -> Capabilities {
    capabilities(&[video("VP8", ""), video("VP9", "profile-id=0")])
}

const AUDIO_AND_VIDEO: &str = "pc.addTransceiver('audio'); pc.addTransceiver('video')";

/// It offers, then we offer more, close a section, and give its place to another one.
#[test]
fn a_browser_goes_along_when_the_session_changes() {
    with_page("session::a_browser_goes_along_when_the_session_changes", |mut page| async move {
        let mut side = Side::new(own());
        page.renew(AUDIO_AND_VIDEO).await;
        let offer = page.offer("").await;
        page.take_answer(&side.answer(&offer)).await;

        let with_data = [side.settled.wanted(), vec![Wanted::new("application")]].concat();
        for step in 0..3 {
            let settled = side.settled.wanted();
            let wanted = match step {
                0 => with_data.clone(),
                1 => settled.into_iter().filter(|own| own.kind != "video").collect(),
                _ => [settled, vec![Wanted::new("video")]].concat(),
            };
            let offer = side.offer(&wanted);
            let answer = page.answer(&offer, "").await;
            let live = answer.media().filter(|media| !media.is_rejected()).count();
            assert_eq!(live, wanted.len(), "step {step}: {offer}\n{answer}");
            assert_eq!(answer.media().len(), 3, "the place of a closed section is used again");
            side.take_answer(&offer, &answer);
        }
    });
}

/// Each side holds the other one, stops everything, and resumes (RFC 3264 §8.4).
#[test]
fn each_side_holds_the_other_and_resumes() {
    with_page("session::each_side_holds_the_other_and_resumes", |mut page| async move {
        let mut side = Side::new(own());
        page.renew(AUDIO_AND_VIDEO).await;
        let offer = page.offer("").await;
        page.take_answer(&side.answer(&offer)).await;
        assert_eq!(page.directions().await, "sendrecv,sendrecv");

        let held = Direction::SendRecv.on_hold();
        for direction in [held, held.on_hold(), Direction::Inactive, Direction::SendRecv] {
            let sections = side.settled.wanted().into_iter();
            let wanted: Vec<_> = sections.map(|own| Wanted { direction, ..own }).collect();
            let offer = side.offer(&wanted);
            assert!(offer.media().all(|media| media.direction() == Some(direction)), "{offer}");
            let answer = page.answer(&offer, "").await;
            side.take_answer(&offer, &answer);
            assert!(
                answer.media().all(|media| media.direction() == Some(direction.reversed())),
                "{direction:?}: {answer}"
            );
            let theirs = direction.reversed().name();
            assert_eq!(page.directions().await, format!("{theirs},{theirs}"));
        }
        for direction in ["sendonly", "inactive", "recvonly", "sendrecv"] {
            let change =
                format!("pc.getTransceivers().forEach((own) => own.direction = '{direction}')");
            let offer = page.offer(&change).await;
            page.take_answer(&side.answer(&offer)).await;
            assert_eq!(page.directions().await, format!("{direction},{direction}"));
        }
    });
}

/// New credentials on one side bring new ones on the other, and only then (RFC 8839 §4.4.1.1.1, §4.4.2).
#[test]
fn each_side_restarts_ice_and_the_other_follows() {
    with_page("session::each_side_restarts_ice_and_the_other_follows", |mut page| async move {
        let mut side = Side::new(own());
        page.renew(&format!("{AUDIO_AND_VIDEO}; pc.createDataChannel('x')")).await;
        let mut theirs = page.offer("").await;
        let mut ours = side.answer(&theirs);
        page.take_answer(&ours).await;

        for (change, ufrag, restarts) in [
            ("", "8hhY", &[][..]),
            ("pc.restartIce()", "9uB6", &[0, 1, 2]),
            ("", "9uB6", &[]),
            ("pc.restartIce()", "t3xU", &[0, 1, 2]),
        ] {
            let offer = page.offer(change).await;
            assert_eq!(offer.ice_restarts(&theirs).collect::<Vec<_>>(), restarts, "{offer}");
            side.ufrag = ufrag;
            let answer = side.answer(&offer);
            assert_eq!(answer.ice_restarts(&ours).next().is_some(), !restarts.is_empty());
            page.take_answer(&answer).await;
            (theirs, ours) = (offer, answer);
        }
        for (ufrag, restarts) in [("t3xU", false), ("yVd5", true), ("yVd5", false)] {
            let before = credentials(&mut page).await;
            side.ufrag = ufrag;
            let offer = side.offer(&side.settled.wanted());
            let answer = page.answer(&offer, "").await;
            side.take_answer(&offer, &answer);
            assert_eq!(offer.ice_restarts(&ours).next().is_some(), restarts, "{offer}");
            assert_eq!(answer.ice_restarts(&theirs).next().is_some(), restarts, "{answer}");
            assert_eq!(credentials(&mut page).await != before, restarts);
            (theirs, ours) = (answer, offer);
        }
    });
}

/// The browser's username fragments.
async fn credentials(page: &mut Page) -> String {
    page.run("return pc.currentLocalDescription.sdp.match(/a=ice-ufrag:.*/g).join()").await
}
