//! Tokens where answers are late, false or out of order, and where they meet passwords, other keys and data
//! connections.

use std::net::IpAddr;
use std::time::Duration;

use pinhole_sansio::{FiveTuple, Transmit, Transport};
use pinhole_stun::attribute::{AccessToken, Attribute, ErrorCode, PasswordAlgorithms};
use pinhole_stun::auth::AuthFailure;
use pinhole_stun::third_party::TokenKey;
use pinhole_stun::{AttributeType, Failure, Message, MessageWriter, Method};
use pinhole_turn::attribute::RequestedTransport;
use pinhole_turn::client::{self, Client, Event, Reason};
use pinhole_turn::server::{AccessTokens, Command, StaticUsers, Users};

use crate::world::{Issue, NAME, START, World, alice, both, client, config, is_in, tokens, world};

const SECOND: Duration = Duration::from_secs(1);

fn lost(reason: Reason) -> Vec<Event> {
    vec![Event::Lost { reason }]
}

fn events(client: &mut Client) -> Vec<Event> {
    std::iter::from_fn(|| client.poll_event()).collect()
}

fn requests(client: &mut Client) -> Vec<Transmit> {
    std::iter::from_fn(|| client.poll_transmit()).collect()
}

fn peer(host: u8) -> IpAddr {
    [198, 51, 100, host].into()
}

/// A server that takes tokens and nothing else, and a client that it has let in.
fn connected() -> (World<AccessTokens>, Client) {
    let mut world = world(tokens(), config());
    let (client, event) = world.connect(5_000, Some(Issue::default().token()));
    assert!(is_in(&event));
    (world, client)
}

impl<U: Users> World<U> {
    fn answer_to(&mut self, request: &Transmit) -> Transmit {
        self.ask(request);
        self.server.poll_transmit().unwrap()
    }
}

/// A copy of an answer that lacks the attributes of these kinds, and FINGERPRINT.
fn without(answer: &Transmit, kinds: &[AttributeType]) -> Transmit {
    let message = Message::parse(&answer.payload).unwrap();
    let mut buffer = [0; 1_024];
    let mut writer = MessageWriter::response_to(&message, message.class(), &mut buffer).unwrap();
    for attribute in message.attributes() {
        if kinds.contains(&attribute.kind) || attribute.kind == AttributeType::FINGERPRINT {
            continue;
        }
        writer.attribute(&attribute).unwrap();
    }
    Transmit { five_tuple: answer.five_tuple, payload: writer.finish().into() }
}

const INTEGRITY: [AttributeType; 2] =
    [AttributeType::MESSAGE_INTEGRITY, AttributeType::MESSAGE_INTEGRITY_SHA256];

/// RFC 7635 §8: what does not have the session's integrity "MUST be discarded".
#[test]
fn answers_that_are_not_of_the_session_are_discarded() {
    for is_answered in [true, false] {
        let mut world = world(tokens(), config());
        let mut client = client(5_000, Some(Issue::default().token()));
        let challenge = world.answer_to(&client.poll_transmit().unwrap());
        let _ = client.handle_datagram(challenge.as_datagram(), START);
        let answer = world.answer_to(&client.poll_transmit().unwrap());
        let bare = without(&answer, &INTEGRITY);
        assert!(bare.payload.len() < answer.payload.len());
        let _ = client.handle_datagram(bare.as_datagram(), START);
        assert_eq!(client.poll_event(), None);
        if is_answered {
            let _ = client.handle_datagram(answer.as_datagram(), START);
            assert!(is_in(&client.poll_event().unwrap()), "the true one counts");
        } else {
            while let Some(at) = client.poll_timeout() {
                client.handle_timeout(at);
            }
            let violated = Reason::Transaction(Failure::IntegrityViolated);
            assert_eq!(events(&mut client), lost(violated));
        }
    }
}

/// RFC 8489 §9.2.5, with a token: the nonce says that there were PASSWORD-ALGORITHMS.
#[test]
fn a_challenge_that_was_stripped_is_not_answered() {
    let mut world = world(tokens(), config());
    let mut client = client(5_000, Some(Issue::default().token()));
    let challenge = world.answer_to(&client.poll_transmit().unwrap());
    let stripped = without(&challenge, &[PasswordAlgorithms::KIND]);
    let _ = client.handle_datagram(stripped.as_datagram(), START);
    assert_eq!(events(&mut client), lost(Reason::Credentials(AuthFailure::BidDown)));
    assert_eq!(requests(&mut client).len(), 0);
}

/// 438 in the middle of anything, now and then for hours, and to many requests at once.
#[test]
fn stale_nonces_are_replaced_for_who_has_a_token() {
    let mut config = config();
    config.nonce_lifetime = 60 * SECOND;
    let mut world = world(tokens(), config);
    let token = Issue { lifetime: 36_000, ..Issue::default() }.token();
    let (mut client, event) = world.connect(5_000, Some(token));
    assert!(is_in(&event));
    for round in 0..10 {
        world.now += 61 * SECOND;
        for host in 1..=8 {
            client.permit(peer(10 * round + host), world.now);
        }
        // All are on their way before the first answer comes.
        let stale: Vec<_> = requests(&mut client).iter().map(|one| world.answer_to(one)).collect();
        for answer in &stale {
            let _ = client.handle_datagram(answer.as_datagram(), world.now);
        }
        assert_eq!((stale.len(), client.is_waiting()), (8, true));
        world.run(&mut client);
        assert_eq!(events(&mut client).len(), 8, "all of them, in round {round}");
        client.refresh(world.now);
        world.run(&mut client);
    }
}

/// RFC 8489 §9.2.5 leaves it to the client when to stop.
#[test]
fn a_server_that_finds_every_nonce_stale_is_left() {
    let mut config = config();
    config.nonce_lifetime = 60 * SECOND;
    let mut world = world(tokens(), config);
    let mut client = client(5_000, Some(Issue::default().token()));
    let mut count = 0;
    while let Some(request) = client.poll_transmit() {
        let answer = world.answer_to(&request);
        let _ = client.handle_datagram(answer.as_datagram(), START);
        (world.now, count) = (world.now + 61 * SECOND, count + 1);
        assert!(count <= 10, "{count} requests");
    }
    assert_eq!(events(&mut client), lost(Reason::Credentials(AuthFailure::Endless(4))));
}

/// RFC 7635 §9: the new token is shown in the Refresh request alone, and what was written with the old one is
/// answered with the old one's key, whichever answer comes first.
#[test]
fn requests_of_two_tokens_may_overtake_each_other() {
    for order in [[0, 1], [1, 0]] {
        let (mut world, mut client) = connected();
        let next = Issue { nonce: [2; 12], ..Issue::default() }.token();
        client.set_token(next, START);
        client.permit(peer(7), START);
        let [refresh, permit] = &requests(&mut client)[..] else { panic!("one of each") };
        let has_token =
            |of: &Transmit| Message::parse(&of.payload).unwrap().raw(AccessToken::KIND).is_some();
        assert!(has_token(refresh) && !has_token(permit));
        // The server sees the one with the old key first; the client hears of both in either order.
        let permitted = world.answer_to(permit);
        let refreshed = world.answer_to(refresh);
        for at in order {
            let answer = [&permitted, &refreshed][at];
            let _ = client.handle_datagram(answer.as_datagram(), START);
        }
        assert_eq!(events(&mut client), [Event::Permitted { peer: peer(7) }], "{order:?}");
        client.permit(peer(8), START);
        world.run(&mut client);
        assert_eq!(events(&mut client), [Event::Permitted { peer: peer(8) }], "the new key");
    }
}

/// A session goes on with its nonce: another token costs one request, not a challenge.
#[test]
fn another_token_takes_one_request() {
    let (mut world, mut client) = connected();
    let before = (world.with_token.len(), world.without.len());
    client.set_token(Issue { nonce: [2; 12], ..Issue::default() }.token(), START);
    world.run(&mut client);
    assert_eq!((world.with_token.len(), world.without.len()), (before.0 + 1, before.1));
    assert_eq!(events(&mut client), []);
}

/// CHECKLIST 17: who has a password, or a token under another key, is not the bearer.
#[test]
fn another_user_on_the_bearers_path_is_told_441() {
    let users = tokens().with("kid-2", TokenKey::aes_256([9; 32]));
    let mut world = world((StaticUsers::new("test").with(&alice()), users), config());
    let (_bearer, event) = world.connect(5_000, Some(Issue::default().token()));
    assert!(is_in(&event));
    let strangers =
        [None, Some(Issue { key: [9; 32], key_name: "kid-2", ..Issue::default() }.token())];
    for token in strangers {
        // He has an allocation with another server, which makes him ask for a refresh.
        let mut elsewhere = both();
        elsewhere.server = {
            let users = tokens().with("kid-2", TokenKey::aes_256([9; 32]));
            let users = (StaticUsers::new("test").with(&alice()), users);
            crate::world::world(users, config()).server
        };
        let (mut stranger, event) = elsewhere.connect(5_000, token);
        assert!(is_in(&event));
        stranger.refresh(START);
        world.run(&mut stranger);
        assert_eq!(events(&mut stranger), lost(Reason::Code(441)));
        assert_eq!(world.server.allocations(), 1);
    }
}

/// RFC 7635 §9 bounds the lifetime by the token's whatever the operator says about passwords.
#[test]
fn an_allocation_ends_with_its_token_whatever_becomes_of_passwords() {
    let mut config = config();
    config.end_with_credentials = false;
    let mut world = world(tokens(), config);
    let token = Issue { lifetime: 100, ..Issue::default() }.token();
    assert!(is_in(&world.connect(5_000, Some(token)).1));
    assert_eq!(world.server.poll_timeout(), Some(START + 100 * SECOND));
}

/// CHECKLIST 12: a token that nobody asked for gets no more answers than anything else of a stranger's.
#[test]
fn tokens_that_nobody_has_asked_for_get_few_answers() {
    let mut able = world(tokens(), config());
    let mut client = client(5_000, Some(Issue::default().token()));
    let challenge = able.answer_to(&client.poll_transmit().unwrap());
    let _ = client.handle_datagram(challenge.as_datagram(), START);
    let request = client.poll_transmit().unwrap();
    let mut config = config();
    config.rate = Some(pinhole_stun::binding::Rate::default());
    let mut other = world(StaticUsers::new("test").with(&alice()), config);
    (0..1_000).for_each(|_| other.ask(&request));
    let answers: Vec<_> = std::iter::from_fn(|| other.server.poll_transmit()).collect();
    assert!((1..=20).contains(&answers.len()), "{} answers", answers.len());
    let code = Message::parse(&answers[0].payload).unwrap().get::<ErrorCode<'_>>().unwrap();
    assert_eq!(code.unwrap().code, 420);
}

/// RFC 6062 §4.3: a data connection is the allocation's, and so its requests have the session's key.
#[test]
fn a_bearer_binds_data_connections() {
    let mut config = config();
    config.tcp = true;
    let mut world = world(tokens(), config);
    let stream = |port| FiveTuple {
        transport: Transport::Tcp,
        local: ([192, 0, 2, 1], port).into(),
        remote: ([192, 0, 2, 10], 3_478).into(),
    };
    let mut wishes = client::Config::new(stream(5_000), alice());
    wishes.token = Some(Issue::default().token());
    wishes.requested_transport = RequestedTransport::TCP;
    let mut client = Client::new(wishes, [9; 32], START);
    world.run(&mut client);
    let peer = ([198, 51, 100, 7], 9_000).into();
    client.connect(peer, START).unwrap();
    let request = client.poll_transmit().unwrap();
    let _ = world.server.handle_client_datagram(request.as_datagram(), START);
    let Some(Command::Connect { connection, .. }) = world.server.poll_command() else { panic!() };
    world.server.connected(connection, true, START);
    let answer = world.server.poll_transmit().unwrap();
    let _ = client.handle_datagram(answer.as_datagram(), START);
    client.connection_opened(connection, stream(5_001), START);
    world.run(&mut client);
    assert_eq!(events(&mut client).last(), Some(&Event::Connected { connection, peer }));
    assert!(world.without.ends_with(&[Method::CONNECTION_BIND]), "{:?}", world.without);
}

/// A name is told by whoever takes tokens, in whichever order users are asked.
#[test]
fn who_has_no_keys_takes_no_tokens() {
    assert_eq!(AccessTokens::new(NAME).server_name(), None);
    let password = || StaticUsers::new("test").with(&alice());
    for name in [(tokens(), password()).server_name(), (password(), tokens()).server_name()] {
        assert_eq!(name.as_deref(), Some(NAME));
    }
    assert_eq!((password(), password()).server_name(), None);
}
