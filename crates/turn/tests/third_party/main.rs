//! Third-party authorization (RFC 7635): the client machine and the server machine with tokens.
#![cfg(feature = "third-party")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod keys;
mod world;

use std::time::Duration;

use pinhole_stun::attribute::ErrorCode;
use pinhole_stun::auth::AuthFailure;
use pinhole_stun::{Class, IntegrityKey, Message, Method};
use pinhole_turn::client::{Event, Reason};
use pinhole_turn::server::{self, EndReason, StaticUsers};

use world::{Issue, NAME, START, alice, both, client, config, is_in, tokens, world};

const OUT: Event = Event::Lost { reason: Reason::Credentials(AuthFailure::Refused) };

#[test]
fn a_token_lets_a_client_in_and_its_key_protects_all_requests() {
    let mut world = both();
    let (mut client, event) = world.connect(5_000, Some(Issue::default().token()));
    assert!(is_in(&event), "{event:?}");
    assert_eq!(client.server_name(), Some(NAME.as_bytes()));
    assert_eq!(world.named, [NAME.as_bytes()], "the first challenge tells it");
    let peer = "198.51.100.7".parse().unwrap();
    client.permit(peer, world.now);
    world.run(&mut client);
    assert_eq!(client.poll_event(), Some(Event::Permitted { peer }));
    client.close(world.now);
    world.run(&mut client);
    assert_eq!(world.server.allocations(), 0);
    assert_eq!(world.with_token, [Method::ALLOCATE, Method::REFRESH]);
    assert_eq!(world.without, [Method::ALLOCATE, Method::CREATE_PERMISSION]);
}

#[test]
fn who_has_no_token_may_have_a_password() {
    let mut world = both();
    assert!(is_in(&world.connect(5_000, None).1));
    assert!(world.with_token.is_empty());
}

#[test]
fn a_token_for_a_server_that_takes_none_stays_at_home() {
    let mut world = world(StaticUsers::new("test").with(&alice()), config());
    assert!(is_in(&world.connect(5_000, Some(Issue::default().token())).1));
    assert!(world.with_token.is_empty() && world.named.is_empty());
}

#[test]
fn forged_and_foreign_and_expired_tokens_are_refused() {
    let mut altered = Issue::default().token();
    altered.token[20] ^= 1;
    let mut cut = Issue::default().token();
    cut.token.truncate(13);
    let mut unknown = Issue::default().token();
    unknown.key_name = "kid-2".into();
    let mut stolen = Issue::default().token();
    stolen.key = IntegrityKey::new(&[0; 20]);
    let bad = [
        altered,
        cut,
        unknown,
        stolen,
        Issue { key: [8; 32], ..Issue::default() }.token(),
        Issue { server_name: "turn2@example.org", ..Issue::default() }.token(),
        Issue { issued: -3_605, ..Issue::default() }.token(),
        Issue { issued: -3_606, ..Issue::default() }.token(),
        Issue { issued: 3_606, ..Issue::default() }.token(),
    ];
    let mut world = both();
    for (port, token) in (5_000..).zip(bad) {
        assert_eq!(world.connect(port, Some(token)).1, OUT, "{port}");
    }
    assert_eq!(world.server.allocations(), 0);
}

/// "The lifetime provided by the TURN server in the Allocate and Refresh responses MUST be less than or equal to
/// the lifetime of the token", and is what §9's formula leaves, which allows the clocks five seconds.
#[test]
fn an_allocation_lives_no_longer_than_its_token() {
    for (issued, lives) in [(-60, 45), (-3, 100), (0, 100)] {
        let mut world = both();
        let token = Issue { issued, lifetime: 100, ..Issue::default() }.token();
        let (_, event) = world.connect(5_000, Some(token));
        assert!(is_in(&event));
        world.server.handle_timeout(START + Duration::from_millis(lives * 1_000 - 1));
        assert_eq!(world.server.allocations(), 1, "issued at {issued}");
        world.server.handle_timeout(START + Duration::from_secs(lives));
        assert_eq!(world.server.allocations(), 0, "issued at {issued}");
        let ended = std::iter::from_fn(|| world.server.poll_event())
            .any(|event| matches!(event, server::Event::Ended { reason: EndReason::Expired, .. }));
        assert!(ended);
    }
}

#[test]
fn a_new_token_keeps_an_allocation_alive() {
    let mut world = both();
    let token = Issue { lifetime: 100, ..Issue::default() }.token();
    let (mut client, event) = world.connect(5_000, Some(token));
    assert!(is_in(&event));
    world.now = START + Duration::from_secs(50);
    let next = Issue { issued: 50, lifetime: 3_600, nonce: [2; 12], ..Issue::default() };
    client.set_token(next.token(), world.now);
    // Asked for before the server has answered: the session's key is still that of the first token.
    let (early, late) = ("198.51.100.7".parse().unwrap(), "198.51.100.8".parse().unwrap());
    client.permit(early, world.now);
    world.run(&mut client);
    client.permit(late, world.now);
    world.run(&mut client);
    let events: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    for peer in [early, late] {
        assert!(events.contains(&Event::Permitted { peer }), "{events:?}");
    }
    world.server.handle_timeout(START + Duration::from_secs(120));
    assert_eq!(world.server.allocations(), 1, "the first token has expired");
    assert!(world.with_token.ends_with(&[Method::REFRESH]));
}

#[test]
fn quotas_count_by_token() {
    let mut config = config();
    config.limits.allocations_per_user = 1;
    let mut world = world(tokens(), config);
    let token = |number| Issue { nonce: [number; 12], ..Issue::default() }.token();
    let (mut first, event) = world.connect(5_000, Some(token(1)));
    assert!(is_in(&event));
    let refused = Event::Lost { reason: Reason::Code(486) };
    assert_eq!(world.connect(5_001, Some(token(1))).1, refused);
    assert!(is_in(&world.connect(5_002, Some(token(2))).1));
    first.set_token(token(3), world.now);
    world.run(&mut first);
    assert_eq!(world.connect(5_003, Some(token(3))).1, refused, "it has been taken over");
    assert!(is_in(&world.connect(5_004, Some(token(1))).1), "which makes room for the first one");
}

/// RFC 7635 §7.
#[test]
fn a_token_that_nobody_has_asked_for_is_420() {
    let mut tokens = both();
    let mut client = client(5_000, Some(Issue::default().token()));
    while let Some(request) = client.poll_transmit() {
        let _ = tokens.server.handle_client_datagram(request.as_datagram(), START);
        let challenge = tokens.server.poll_transmit().unwrap();
        let _ = client.handle_datagram(challenge.as_datagram(), START);
        let Some(request) = client.poll_transmit() else { continue };
        let mut other = world(StaticUsers::new("test").with(&alice()), config());
        let _ = other.server.handle_client_datagram(request.as_datagram(), START);
        let answer = other.server.poll_transmit().unwrap();
        let message = Message::parse(&answer.payload).unwrap();
        let code = message.get::<ErrorCode<'_>>().unwrap().unwrap().code;
        assert_eq!((message.class(), code), (Class::ErrorResponse, 420));
        return;
    }
    panic!("the client has asked for nothing");
}
