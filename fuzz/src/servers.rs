//! A STUN and a TURN server that work.

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Config, TurnServer};
use pinhole_sansio::{FiveTuple, Instant, Transmit, Transport};
use pinhole_stun::{Credentials, binding};
use pinhole_turn::server::{self, Command, OpenError, Server, StaticUsers};

pub(crate) struct Servers {
    turn: Server<StaticUsers>,
}

impl Servers {
    pub(crate) fn new() -> Self {
        let mut config = server::Config::new("fuzz");
        config.relay_v4 = Some(turn().ip().into());
        config.ports = 50_000..=50_015;
        let users = StaticUsers::new("fuzz").with(&user());
        Self { turn: Server::new(config, users, [3; 32], Duration::from_secs(1), Instant::ZERO) }
    }

    /// Has an agent ask them, as far as the bits of `value` say so.
    pub(crate) fn configure(config: &mut Config, value: u8) {
        config.stun_servers = Vec::from_iter((value & 1 != 0).then_some(stun()));
        let transports = [(2, Transport::Udp), (4, Transport::Tcp)];
        let asked = transports.into_iter().filter(|(bit, _)| value & bit != 0);
        config.turn_servers =
            asked.map(|(_, transport)| TurnServer::new(turn(), transport, user())).collect();
    }

    pub(crate) fn is_one(address: SocketAddr) -> bool {
        [stun(), turn()].contains(&address)
    }

    /// What they answer; `value` decides whether ports can be had.
    pub(crate) fn answer(&mut self, request: &Transmit, value: u8, now: Instant) -> Vec<Transmit> {
        if request.five_tuple.remote == stun() {
            let mut buffer = [0; 128];
            let source = request.five_tuple.local;
            let answer = binding::respond(&request.payload, source, &mut buffer);
            let five_tuple = request.five_tuple.reversed();
            let answer = answer.map(|bytes| Transmit { five_tuple, payload: (*bytes).into() });
            return answer.into_iter().collect();
        }
        self.turn.handle_timeout(now);
        let _ = self.turn.handle_client_datagram(request.as_datagram(), now);
        while let Some(command) = self.turn.poll_command() {
            if let Command::OpenRelay { relay, .. } = command {
                let result = if value & 7 == 7 { Err(OpenError::InUse) } else { Ok(()) };
                self.turn.relay_opened(relay, result, now);
            }
        }
        while self.turn.poll_event().is_some() {}
        std::iter::from_fn(|| self.turn.poll_transmit()).collect()
    }

    /// A connection of an agent's to the TURN server.
    pub(crate) fn connection(local: SocketAddr) -> FiveTuple {
        FiveTuple { transport: Transport::Tcp, local, remote: turn() }
    }
}

fn user() -> Credentials {
    Credentials::new("alice", "secret").expect("both are plain")
}

fn stun() -> SocketAddr {
    ([198, 51, 100, 1], 3_478).into()
}

fn turn() -> SocketAddr {
    ([198, 51, 100, 2], 3_478).into()
}
