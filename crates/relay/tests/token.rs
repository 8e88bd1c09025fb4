//! Access tokens (RFC 7635) from the configuration to an allocation, on real sockets.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod support;

use std::time::Duration;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Nonce};
use pinhole_relay::{Config, Settings, unix_time};
use pinhole_stun::IntegrityKey;
use pinhole_stun::auth::AuthFailure;
use pinhole_turn::client::{Event, Reason, Token};
use support::{LOOPBACK, UdpClient, address, settings};

/// The bytes from zero to fifteen.
const ENTRY: &str = "kid-1:AAECAwQFBgcICQoLDA0ODw==";

fn config() -> Config {
    let (token_key, server_name) = (vec![ENTRY.parse().unwrap()], Some("turn1".into()));
    let settings = Settings { user: vec![], token_key, server_name, ..settings(2) };
    settings.resolve().unwrap()
}

fn token(server_name: &str) -> Token {
    let (mac_key, nonce) = ([5; 20], [9; 12]);
    let key: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let issued = unix_time() - Duration::from_secs(60);
    let block =
        [&[0, 20][..], &mac_key, &(issued.as_secs() << 16).to_be_bytes(), &3_600_u32.to_be_bytes()]
            .concat();
    let payload = Payload { msg: &block, aad: server_name.as_bytes() };
    let sealed = Aes128Gcm::new(&key.into()).encrypt(&Nonce::from(nonce), payload).unwrap();
    let token = [&[0, 12][..], &nonce, &sealed].concat();
    Token { key_name: "kid-1".into(), token, key: IntegrityKey::new(&mac_key) }
}

#[test]
fn a_token_of_the_configured_key_lets_a_client_in() {
    let server = pinhole_relay::Server::start(&config()).unwrap();
    let mut client = UdpClient::new(address(&server), |config| config.token = Some(token("turn1")));
    assert!(matches!(client.event(), Event::Allocated { .. }));
    assert_eq!(client.machine.server_name(), Some(&b"turn1"[..]));
    client.permit(LOOPBACK);
    let mut stranger =
        UdpClient::new(address(&server), |config| config.token = Some(token("turn2")));
    let refused = Event::Lost { reason: Reason::Credentials(AuthFailure::Refused) };
    assert_eq!(stranger.event(), refused);
    assert_eq!(server.metrics().allocations(), 1);
}

#[test]
fn the_description_names_keys_and_tells_none() {
    let text = config().to_string();
    assert!(text.contains("kid-1") && text.contains("turn1") && !text.contains("AAEC"), "{text}");
}
