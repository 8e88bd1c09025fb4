//! Arbitrary datagrams on the path of a client that asks for an allocation, or has one and a peer: who does not know
//! the password grants nothing, and takes nothing away but by challenges without end.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::Credentials;
use pinhole_turn::client::{self, Client, Event, Reason, Received};
use pinhole_turn::server::{Command, Config, Server, StaticUsers};

const NOW: Instant = Instant::ZERO;

fuzz_target!(|bytes: &[u8]| {
    let alice = Credentials::new("alice", "secret").expect("both are plain");
    let path = FiveTuple::udp(([192, 0, 2, 1], 1).into(), ([192, 0, 2, 2], 3_478).into());
    let mut config = Config::new("fuzz");
    config.relay_v4 = Some(path.remote.ip().into());
    let users = StaticUsers::new("fuzz").with(&alice);
    let mut server = Server::new(config, users, [1; 32], Duration::from_secs(1), NOW);
    let mut client = Client::new(client::Config::new(path, alice), [1; 32], NOW);
    let peer = std::net::SocketAddr::from(([8, 8, 8, 8], 9));
    // How far the two get before noise begins.
    let (mut last, steps) = ([0; 12], bytes.first().map_or(0, |first| first & 3));
    for _ in 0..=steps {
        client.permit(peer.ip(), NOW);
        while let Some(request) = client.poll_transmit() {
            last = *request.payload[8..].first_chunk().expect("a transaction id");
            let _ = server.handle_client_datagram(request.as_datagram(), NOW);
        }
        while let Some(Command::OpenRelay { relay, .. }) = server.poll_command() {
            server.relay_opened(relay, Ok(()), NOW);
        }
        while let Some(answer) = server.poll_transmit() {
            let _ = client.handle_datagram(answer.as_datagram(), NOW);
        }
    }
    while client.poll_event().is_some() {}
    for noise in bytes.split(|byte| *byte == 0xff) {
        // Once as it is, and once as an answer to the last request.
        let mut answer = noise.to_vec();
        answer.get_mut(8..20).map(|id| id.copy_from_slice(&last));
        for payload in [noise, &answer] {
            match client.handle_datagram(Datagram { five_tuple: path, payload }, NOW) {
                Received::Data { peer: from, payload: range } => {
                    assert_eq!(from.ip(), peer.ip(), "no permission");
                    assert!(payload.get(range).is_some());
                }
                Received::Handled | Received::NotMine => {}
            }
        }
        let requests = std::iter::from_fn(|| client.poll_transmit()).count();
        assert!(requests <= 16, "{requests} requests for two datagrams");
        while let Some(event) = client.poll_event() {
            let is_possible = match event {
                Event::PeerUnreachable { peer: from, .. } => from.ip() == peer.ip(),
                Event::Lost { reason } => matches!(reason, Reason::Credentials(_)),
                _ => false,
            };
            assert!(is_possible, "{event:?}");
        }
        assert_eq!(client.poll_command(), None);
    }
});
