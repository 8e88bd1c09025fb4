//! Third-party authorization (RFC 7635): the client machine and the server machine with tokens.
#![cfg(feature = "third-party")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::attribute::{AccessToken, Attribute, ErrorCode, ThirdPartyAuthorization};
use pinhole_stun::auth::AuthFailure;
use pinhole_stun::third_party::TokenKey;
use pinhole_stun::{Class, Credentials, IntegrityKey, Message, Method};
use pinhole_turn::client::{self, Client, Event, Reason, Token};
use pinhole_turn::server::{self, AccessTokens, Command, EndReason, Server, StaticUsers, Users};

const START: Instant = Instant::from_millis(1_000);
const UNIX_TIME: Duration = Duration::from_secs(1_700_000_000);
const KEY: [u8; 32] = [7; 32];
const NAME: &str = "turn1@example.org";

/// What an authorization server gives its users.
struct Issue {
    key: [u8; 32],
    key_name: &'static str,
    server_name: &'static str,
    /// Seconds from the start.
    issued: i64,
    lifetime: u32,
    nonce: [u8; 12],
}

impl Default for Issue {
    fn default() -> Self {
        let (key_name, server_name) = ("kid-1", NAME);
        Self { key: KEY, key_name, server_name, issued: 0, lifetime: 3_600, nonce: [1; 12] }
    }
}

impl Issue {
    fn token(self) -> Token {
        let mac_key = [self.nonce[0]; 20];
        let issued = u64::try_from(1_700_000_000 + self.issued).unwrap();
        let mut block = vec![0, 20];
        block.extend(mac_key);
        block.extend((issued << 16).to_be_bytes());
        block.extend(self.lifetime.to_be_bytes());
        let cipher = Aes256Gcm::new(&self.key.into());
        let payload = Payload { msg: &block, aad: self.server_name.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from(self.nonce), payload).unwrap();
        let token = [&[0, 12][..], &self.nonce, &sealed].concat();
        Token { key_name: self.key_name.into(), token, key: IntegrityKey::new(&mac_key) }
    }
}

type Both = (StaticUsers, AccessTokens);

struct World<U> {
    server: Server<U>,
    now: Instant,
    /// The methods of requests with a token, and those of the others.
    with_token: Vec<Method>,
    without: Vec<Method>,
    named: Vec<Vec<u8>>,
}

fn config() -> server::Config {
    let mut config = server::Config::new("test");
    config.rate = None;
    config.relay_v4 = Some("203.0.113.1".parse::<std::net::IpAddr>().unwrap().into());
    config.policy = config.policy.with_rule("allow 198.51.100.0/24".parse().unwrap());
    config
}

fn tokens() -> AccessTokens {
    AccessTokens::new(NAME).with("kid-1", TokenKey::aes_256(KEY))
}

fn alice() -> Credentials {
    Credentials::new("alice", "secret").unwrap()
}

fn both() -> World<Both> {
    world((StaticUsers::new("test").with(&alice()), tokens()), config())
}

fn world<U: Users>(users: U, config: server::Config) -> World<U> {
    let server = Server::new(config, users, [5; 32], UNIX_TIME, START);
    World { server, now: START, with_token: vec![], without: vec![], named: vec![] }
}

fn client(port: u16, token: Option<Token>) -> Client {
    let path = FiveTuple::udp(([192, 0, 2, 1], port).into(), ([192, 0, 2, 10], 3_478).into());
    let mut config = client::Config::new(path, alice());
    config.token = token;
    Client::new(config, [9; 32], START)
}

impl<U: Users> World<U> {
    /// Exchanges messages until there are none.
    fn run(&mut self, client: &mut Client) {
        while let Some(request) = client.poll_transmit() {
            let message = Message::parse(&request.payload).unwrap();
            let has_token = message.raw(AccessToken::KIND).is_some();
            let methods = if has_token { &mut self.with_token } else { &mut self.without };
            methods.push(message.method());
            let _ = self.server.handle_client_datagram(request.as_datagram(), self.now);
            while let Some(command) = self.server.poll_command() {
                if let Command::OpenRelay { relay, .. } = command {
                    self.server.relay_opened(relay, Ok(()), self.now);
                }
            }
            while let Some(answer) = self.server.poll_transmit() {
                let message = Message::parse(&answer.payload).unwrap();
                let name = message.get::<ThirdPartyAuthorization<'_>>().unwrap();
                self.named.extend(name.map(|name| name.0.to_vec()));
                let _ = client.handle_datagram(answer.as_datagram(), self.now);
            }
        }
    }

    /// What a new client's first event is.
    fn connect(&mut self, port: u16, token: Option<Token>) -> (Client, Event) {
        let mut client = client(port, token);
        self.run(&mut client);
        let event = client.poll_event().unwrap();
        (client, event)
    }
}

fn is_in(event: &Event) -> bool {
    matches!(event, Event::Allocated { .. })
}

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
