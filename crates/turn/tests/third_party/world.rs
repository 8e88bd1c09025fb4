//! An authorization server, a TURN server that takes its tokens, and clients that have them.

use std::time::Duration;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use pinhole_sansio::{FiveTuple, Instant, Transmit};
use pinhole_stun::attribute::{AccessToken, Attribute, ErrorCode, ThirdPartyAuthorization};
use pinhole_stun::third_party::TokenKey;
use pinhole_stun::{Credentials, IntegrityKey, Message, Method};
use pinhole_turn::client::{self, Client, Event, Token};
use pinhole_turn::server::{self, AccessTokens, Command, Server, StaticUsers, Users};

pub(crate) const START: Instant = Instant::from_millis(1_000);
pub(crate) const UNIX_TIME: Duration = Duration::from_secs(1_700_000_000);
const KEY: [u8; 32] = [7; 32];
pub(crate) const NAME: &str = "turn1@example.org";

/// What an authorization server gives its users.
pub(crate) struct Issue {
    pub(crate) key: [u8; 32],
    pub(crate) key_name: &'static str,
    pub(crate) server_name: &'static str,
    /// Seconds from the start.
    pub(crate) issued: i64,
    pub(crate) lifetime: u32,
    pub(crate) nonce: [u8; 12],
}

impl Default for Issue {
    fn default() -> Self {
        let (key_name, server_name) = ("kid-1", NAME);
        Self { key: KEY, key_name, server_name, issued: 0, lifetime: 3_600, nonce: [1; 12] }
    }
}

impl Issue {
    pub(crate) fn token(self) -> Token {
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

pub(crate) type Both = (StaticUsers, AccessTokens);

pub(crate) struct World<U> {
    pub(crate) server: Server<U>,
    pub(crate) now: Instant,
    /// The methods of requests with a token, and those of the others.
    pub(crate) with_token: Vec<Method>,
    pub(crate) without: Vec<Method>,
    pub(crate) named: Vec<Vec<u8>>,
}

pub(crate) fn config() -> server::Config {
    let mut config = server::Config::new("test");
    config.rate = None;
    config.relay_v4 = Some("203.0.113.1".parse::<std::net::IpAddr>().unwrap().into());
    config.policy = config.policy.with_rule("allow 198.51.100.0/24".parse().unwrap());
    config
}

pub(crate) fn tokens() -> AccessTokens {
    AccessTokens::new(NAME).with("kid-1", TokenKey::aes_256(KEY))
}

pub(crate) fn alice() -> Credentials {
    Credentials::new("alice", "secret").unwrap()
}

pub(crate) fn both() -> World<Both> {
    world((StaticUsers::new("test").with(&alice()), tokens()), config())
}

pub(crate) fn world<U: Users>(users: U, config: server::Config) -> World<U> {
    let server = Server::new(config, users, [5; 32], UNIX_TIME, START);
    World { server, now: START, with_token: vec![], without: vec![], named: vec![] }
}

pub(crate) fn client(port: u16, token: Option<Token>) -> Client {
    let path = FiveTuple::udp(([192, 0, 2, 1], port).into(), ([192, 0, 2, 10], 3_478).into());
    let mut config = client::Config::new(path, alice());
    config.token = token;
    Client::new(config, [9; 32], START)
}

impl<U: Users> World<U> {
    /// Exchanges messages until there are none.
    pub(crate) fn run(&mut self, client: &mut Client) {
        while let Some(request) = client.poll_transmit() {
            let message = Message::parse(&request.payload).unwrap();
            let has_token = message.raw(AccessToken::KIND).is_some();
            let methods = if has_token { &mut self.with_token } else { &mut self.without };
            methods.push(message.method());
            self.ask(&request);
            while let Some(answer) = self.server.poll_transmit() {
                let message = Message::parse(&answer.payload).unwrap();
                let name = message.get::<ThirdPartyAuthorization<'_>>().unwrap();
                let code = message.get::<ErrorCode<'_>>().unwrap().map_or(0, |error| error.code);
                assert!(name.is_none() || code == 401, "told with {code}");
                self.named.extend(name.map(|name| name.0.to_vec()));
                let _ = client.handle_datagram(answer.as_datagram(), self.now);
            }
        }
    }

    /// Gives the server a request, whose answer waits.
    pub(crate) fn ask(&mut self, request: &Transmit) {
        let _ = self.server.handle_client_datagram(request.as_datagram(), self.now);
        while let Some(command) = self.server.poll_command() {
            if let Command::OpenRelay { relay, .. } = command {
                self.server.relay_opened(relay, Ok(()), self.now);
            }
        }
    }

    /// What a new client's first event is.
    pub(crate) fn connect(&mut self, port: u16, token: Option<Token>) -> (Client, Event) {
        let mut client = client(port, token);
        self.run(&mut client);
        let event = client.poll_event().unwrap();
        (client, event)
    }
}

pub(crate) fn is_in(event: &Event) -> bool {
    matches!(event, Event::Allocated { .. })
}
