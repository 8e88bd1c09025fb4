//! Permissions that the client machine keeps up (RFC 8656 §9): as long as they are used, and no longer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::pair::Pair;
use common::{PEER, addr};
use pinhole_sansio::{Datagram, Transport};
use pinhole_stun::{Message, Method};
use pinhole_turn::client::{Event, Received};

const SECOND: Duration = Duration::from_secs(1);

/// A client with a permission for [`PEER`], whom it sends Send indications only.
fn permitted() -> Pair {
    let mut pair = Pair::new(Transport::Udp, |_| {}, |config| config.channel_after = None);
    pair.client.permit(addr(PEER).ip(), pair.world.now);
    pair.settle();
    let events: Vec<_> = std::iter::from_fn(|| pair.client.poll_event()).collect();
    assert_eq!(events.last(), Some(&Event::Permitted { peer: addr(PEER).ip() }));
    pair
}

/// How many CreatePermission requests the client has sent.
fn asked(pair: &Pair) -> usize {
    let is_one = |(_, bytes): &&(_, Vec<u8>)| {
        Message::parse(bytes).unwrap().method() == Method::CREATE_PERMISSION
    };
    pair.requests.iter().filter(is_one).count()
}

/// Whether a datagram of the peer's reaches the application.
fn hears(pair: &mut Pair) -> bool {
    let relayed = *pair.world.open.values().next().unwrap();
    let Some(bytes) = pair.world.peer_sends(relayed, PEER, b"data") else { return false };
    let datagram = Datagram { five_tuple: pair.path, payload: &bytes };
    let received = pair.client.handle_datagram(datagram, pair.world.now);
    pair.settle();
    matches!(received, Received::Data { .. })
}

/// Whether a datagram to the peer gets there.
fn speaks(pair: &mut Pair) -> bool {
    let route = pair.client.send(addr(PEER), 4, pair.world.now);
    pair.settle();
    let Ok(route) = route else { return false };
    let bytes = [&route.header[..], b"data"].concat();
    common::to_peer(pair.world.input(pair.path, &bytes)).is_some()
}

/// The renewal that was due in the silence before is made up for by the first datagram, in either direction.
#[test]
fn a_permission_that_is_used_late_is_kept_up() {
    let uses: [fn(&mut Pair) -> bool; 2] = [hears, speaks];
    for (is_passed, silence) in uses.iter().flat_map(|one| [241, 294].map(|silence| (one, silence)))
    {
        let mut pair = permitted();
        pair.advance(silence * SECOND);
        assert_eq!(asked(&pair), 1);
        assert!(is_passed(&mut pair));
        assert!(is_passed(&mut pair));
        assert_eq!(asked(&pair), 2, "after {silence} s of silence");
        for second in 1..=400 {
            pair.advance(SECOND);
            assert!(is_passed(&mut pair), "{second} s after {silence} s of silence");
        }
        assert_eq!(pair.client.poll_event(), None, "nothing was ever missing");
    }
}

/// Many datagrams that go before the answer has come make one request.
#[test]
fn a_renewal_is_asked_for_once() {
    let mut pair = permitted();
    pair.advance(250 * SECOND);
    let now = pair.world.now;
    assert!((0..10).all(|_| pair.client.send(addr(PEER), 4, now).is_ok()));
    pair.settle();
    assert_eq!(asked(&pair), 2);
}

/// One that was used before its renewal was due is asked for without another use.
#[test]
fn a_permission_that_was_used_outlives_a_silence() {
    let uses: [fn(&mut Pair) -> bool; 2] = [hears, speaks];
    for is_passed in uses {
        let mut pair = permitted();
        pair.advance(100 * SECOND);
        assert!(is_passed(&mut pair));
        pair.advance(141 * SECOND);
        assert_eq!(asked(&pair), 2);
        pair.advance(200 * SECOND);
        assert!(is_passed(&mut pair), "441 s after the first request");
    }
}

/// Asking for a permission that is there is a use of it.
#[test]
fn a_permission_that_is_asked_for_late_is_kept_up() {
    let mut pair = permitted();
    pair.advance(250 * SECOND);
    for _ in 0..3 {
        pair.client.permit(addr(PEER).ip(), pair.world.now);
        pair.settle();
    }
    assert_eq!(asked(&pair), 2);
    pair.advance(200 * SECOND);
    assert!(hears(&mut pair));
}

#[test]
fn a_permission_that_nobody_uses_ends() {
    let mut pair = permitted();
    for _ in 0..300 {
        pair.advance(SECOND);
    }
    assert_eq!(asked(&pair), 1);
    assert!(!hears(&mut pair) && !speaks(&mut pair));
    assert_eq!(asked(&pair), 2, "who speaks has it asked for");
    assert!(speaks(&mut pair));
}
