//! A client with a password, a server, and sockets that open or do not: each byte says what is next.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pinhole_sansio::{FiveTuple, Instant};
use pinhole_stun::Credentials;
use pinhole_stun::attribute::Family;
use pinhole_turn::client::{self, Client, Port};
use pinhole_turn::server::{Command, Config, OpenError, Server, StaticUsers};

const RESULTS: [Result<(), OpenError>; 4] =
    [Ok(()), Err(OpenError::InUse), Ok(()), Err(OpenError::Exhausted)];

fuzz_target!(|bytes: &[u8]| {
    let alice = Credentials::new("alice", "secret").expect("both are plain");
    let mut config = Config::new("fuzz");
    config.relay_v4 = Some(std::net::IpAddr::from([192, 0, 2, 2]).into());
    config.ports = 50_000..=50_007;
    let (users, mut now) = (StaticUsers::new("fuzz").with(&alice), Instant::ZERO);
    let mut server = Server::new(config, users, [1; 32], Duration::from_secs(1), now);
    let path = |port| FiveTuple::udp(([192, 0, 2, 1], port).into(), ([192, 0, 2, 2], 1).into());
    let new = |byte: u8, now| {
        let mut config = client::Config::new(path(u16::from(byte >> 6) + 1), alice.clone());
        (config.mobility, config.channel_after) = (byte & 16 != 0, Some(1));
        config.port = if byte & 32 == 0 { Port::Any } else { Port::Pair };
        Client::new(config, [byte; 32], now)
    };
    let (mut client, mut open) = (new(16, now), BTreeSet::new());
    for byte in bytes {
        let (action, value) = (byte & 7, byte >> 3);
        let peer = std::net::SocketAddr::from(([8, 8, 8, value & 3], 9));
        match action {
            0 => client = new(*byte, now),
            1 => client.permit(peer.ip(), now),
            2 => drop(client.send(peer, 9, now)),
            3 => client.close(now),
            4 => drop(client.migrate(path(value.into()), now)),
            5 => server.client_closed(path(u16::from(value & 3) + 1).reversed()),
            _ => now += Duration::from_secs(1 << (value & 15)),
        }
        client.handle_timeout(now);
        server.handle_timeout(now);
        loop {
            while let Some(command) = server.poll_command() {
                match command {
                    Command::OpenRelay { relay, address, .. } => {
                        let result = RESULTS[usize::from(value & 3)];
                        assert!(result.is_err() || open.insert((relay, address)), "opened twice");
                        server.relay_opened(relay, result, now);
                    }
                    Command::CloseRelay { relay } => open.retain(|(other, _)| *other != relay),
                    command => unreachable!("{command:?} without TCP"),
                }
            }
            while let Some(answer) = server.poll_transmit() {
                let _ = client.handle_datagram(answer.as_datagram(), now);
            }
            let Some(request) = client.poll_transmit() else { break };
            let _ = server.handle_client_datagram(request.as_datagram(), now);
        }
        assert!(server.allocations() <= open.len());
        assert!(open.len() + server.free_ports(Family::Ipv4) <= 8);
        assert!(server.poll_timeout().is_none_or(|at| at > now), "a timer is due for ever");
    }
});
