//! Who gets in: static users, secrets that are being rotated, credentials that expire.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::Credentials;
use pinhole_stun::auth::AuthFailure;
use pinhole_turn::client::{self, Client, Reason};
use pinhole_turn::credential::{SharedSecret, SharedSecrets};
use pinhole_turn::server::{self, Command, Server, StaticUsers, Users};

const UNIX_TIME: Duration = Duration::from_secs(1_700_000_000);
const START: Instant = Instant::from_millis(1);

fn server<U: Users>(users: U) -> Server<U> {
    let mut config = server::Config::new("test");
    config.relay_v4 = Some("203.0.113.1".parse::<std::net::IpAddr>().unwrap().into());
    Server::new(config, users, [5; 32], UNIX_TIME, START)
}

fn secrets() -> SharedSecrets {
    SharedSecrets::default().with(SharedSecret::new(b"new")).with(SharedSecret::new(b"old"))
}

/// The client's last event, after all messages have been exchanged.
fn connect<U: Users>(
    server: &mut Server<U>,
    port: u16,
    username: &str,
    password: &str,
) -> (Client, client::Event) {
    let path = FiveTuple::udp(([192, 0, 2, 1], port).into(), ([192, 0, 2, 10], 3_478).into());
    let credentials = Credentials::new(username, password).unwrap();
    let mut client = Client::new(client::Config::new(path, credentials), [9; 32], START);
    while let Some(request) = client.poll_transmit() {
        let _ = server.handle_client_datagram(request.as_datagram(), START);
        while let Some(command) = server.poll_command() {
            if let Command::OpenRelay { relay, .. } = command {
                server.relay_opened(relay, Ok(()), START);
            }
        }
        while let Some(answer) = server.poll_transmit() {
            let _ = client.handle_datagram(answer.as_datagram(), START);
        }
    }
    let event = client.poll_event().unwrap();
    (client, event)
}

fn is_in(event: &client::Event) -> bool {
    matches!(event, client::Event::Allocated { .. })
}

const OUT: client::Event =
    client::Event::Lost { reason: Reason::Credentials(AuthFailure::Refused) };

#[test]
fn both_secrets_are_good_while_one_is_being_rotated() {
    let mut server = server(secrets());
    let expires = UNIX_TIME + Duration::from_secs(3_600);
    for (port, secret, good) in [(1, "new", true), (2, "old", true), (3, "other", false)] {
        let issued = SharedSecret::new(secret.as_bytes()).issue("alice", expires);
        let (_, event) = connect(&mut server, port, &issued.username, &issued.password);
        assert_eq!(is_in(&event), good, "{secret}");
        if !good {
            assert_eq!(event, OUT);
        }
    }
    assert_eq!(server.allocations(), 2);
}

#[test]
fn the_owner_is_the_user_and_not_the_time() {
    let mut server = server(secrets());
    for (port, left) in [(1, 100), (2, 200)] {
        let expires = UNIX_TIME + Duration::from_secs(left);
        let issued = SharedSecret::new(b"new").issue("alice", expires);
        connect(&mut server, port, &issued.username, &issued.password);
        let event = server.poll_event().unwrap();
        assert!(matches!(event, server::Event::Allocated { user, .. } if *user == *"alice"));
    }
}

#[test]
fn expired_credentials_are_refused() {
    let mut server = server(secrets());
    let issued = SharedSecret::new(b"new").issue("alice", UNIX_TIME);
    assert_eq!(connect(&mut server, 1, &issued.username, &issued.password).1, OUT);
}

#[test]
fn an_allocation_does_not_outlive_its_credentials() {
    let mut server = server(secrets());
    let issued = SharedSecret::new(b"new").issue("alice", UNIX_TIME + Duration::from_secs(100));
    let (client, event) = connect(&mut server, 1, &issued.username, &issued.password);
    assert!(is_in(&event));
    assert_eq!(server.poll_timeout(), Some(START + Duration::from_secs(100)));
    let refresh = client.poll_timeout().unwrap();
    assert!(refresh > START + Duration::from_secs(50) && refresh < START + Duration::from_secs(76));
}

#[test]
fn static_users_and_secrets_go_together() {
    let bob = Credentials::new("bob", "secret").unwrap();
    let mut server = server((StaticUsers::new("test").with(&bob), secrets()));
    let issued = SharedSecret::new(b"old").issue("", UNIX_TIME + Duration::from_secs(100));
    assert!(is_in(&connect(&mut server, 1, "bob", "secret").1));
    assert!(is_in(&connect(&mut server, 2, &issued.username, &issued.password).1));
    let allocated = std::iter::from_fn(|| server.poll_event()).map(|event| {
        let server::Event::Allocated { user, .. } = event else { panic!("{event:?}") };
        String::from(user)
    });
    // Who has no other name goes by the whole of it, and shares his quota with nobody.
    assert_eq!(allocated.collect::<Vec<_>>(), ["bob", &issued.username]);
    assert_eq!(connect(&mut server, 3, "bob", "wrong").1, OUT);
    assert_eq!(connect(&mut server, 4, "eve", "secret").1, OUT);
}

/// T20.
#[test]
fn no_debug_output_has_a_secret() {
    let bob = Credentials::new("bob", "hunter2").unwrap();
    let mut server = server((StaticUsers::new("test").with(&bob), secrets()));
    let (client, _) = connect(&mut server, 1, "bob", "hunter2");
    let users = StaticUsers::new("test").with(&bob);
    let text = format!("{client:?} {server:?} {users:?} {:?}", secrets());
    assert!(!text.contains("hunter2"), "{text}");
}
