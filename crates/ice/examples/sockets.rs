//! Two agents with sockets of their own, and nothing but the standard library around them:
//! `cargo run -p pinhole-ice --example sockets`
//!
//! One thread drives both; in an application each is on a machine of its own, and what `introduce` does is signaling.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "sockets and time are what an application brings"
)]

use std::error::Error;
use std::net::UdpSocket;
use std::time::Duration;

use pinhole_ice::{Agent, Config, Event, Received, Role, State};
use pinhole_sansio::{Datagram, FiveTuple, Instant};

/// An agent, its socket, and the clock that it is told the time from.
struct Peer {
    agent: Agent,
    socket: UdpSocket,
    started: std::time::Instant,
}

impl Peer {
    fn start(role: Role) -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        let mut agent = Agent::new(Config::new(role), seed, Instant::ZERO);
        agent.add_base(socket.local_addr()?, Instant::ZERO)?;
        agent.end_of_bases(Instant::ZERO);
        Ok(Self { agent, socket, started: std::time::Instant::now() })
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    /// Sends what is to be sent, takes what has come, and does what is due; application data that came.
    fn drive(&mut self) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        while let Some(transmit) = self.agent.poll_transmit() {
            self.socket.send_to(&transmit.payload, transmit.five_tuple.remote)?;
        }
        let (mut buffer, mut data) = ([0; 2_048], None);
        if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let five_tuple = FiveTuple::udp(self.socket.local_addr()?, source);
            let payload = buffer.get(..length).unwrap_or_default();
            let received = self.agent.handle_datagram(Datagram { five_tuple, payload }, self.now());
            if let Received::Data { payload, .. } = received {
                data = Some(payload.to_vec());
            }
        }
        if self.agent.poll_timeout().is_some_and(|at| at <= self.now()) {
            self.agent.handle_timeout(self.now());
        }
        Ok(data)
    }

    /// Sends application data over the path that there is.
    fn send(&mut self, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        let route = self.agent.route(payload.len(), self.now()).ok_or("no path yet")?;
        // Through a TURN server there would be a header to put in front of it.
        self.socket.send_to(payload, route.five_tuple.remote)?;
        Ok(())
    }
}

/// Tells one agent what the other one has gathered.
fn introduce(from: &mut Peer, to: &mut Peer) -> Result<(), Box<dyn Error>> {
    let now = to.now();
    to.agent.set_remote_credentials(from.agent.local_credentials().clone(), now)?;
    while let Some(event) = from.agent.poll_event() {
        if let Event::CandidateGathered(candidate) = event {
            println!("{candidate}");
            to.agent.add_remote_candidate(candidate, now);
        }
    }
    to.agent.end_of_remote_candidates(now);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut alice = Peer::start(Role::Controlling)?;
    let mut bob = Peer::start(Role::Controlled)?;
    introduce(&mut alice, &mut bob)?;
    introduce(&mut bob, &mut alice)?;
    while [&alice, &bob].iter().any(|peer| peer.agent.state() != State::Completed) {
        alice.drive()?;
        bob.drive()?;
    }
    print!("{}", alice.agent.explain());
    alice.send(b"hello")?;
    loop {
        if let Some(data) = bob.drive()? {
            println!("bob received {:?}", String::from_utf8_lossy(&data));
            return Ok(());
        }
    }
}
