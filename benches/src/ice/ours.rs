//! `pinhole-ice`.

use std::collections::VecDeque;

use pinhole_ice::{
    Abilities, Agent as IceAgent, Config, Credentials as IceCredentials, Event, Received, Role,
};
use pinhole_sansio::{Datagram, Instant, Transmit};

use super::{Agent, Credentials, Setup, Signal, counted};

/// Our agent.
pub(super) struct Ours {
    agent: IceAgent,
    signals: VecDeque<Signal>,
}

impl Ours {
    pub(super) fn new(setup: &Setup, is_aggressive: bool, now: Instant) -> Self {
        let role = if setup.is_controlling { Role::Controlling } else { Role::Controlled };
        let agent = counted(|| {
            let mut config =
                Config { stun_servers: setup.stun_servers.clone(), ..Config::new(role) };
            config.nomination.aggressive = is_aggressive;
            let mut agent = IceAgent::new(config, [setup.seed; 32], now);
            agent.set_remote_abilities(Abilities { ice2: !is_aggressive, ..Abilities::default() });
            for address in &setup.addresses {
                agent.add_base(*address, now).expect("a fresh address");
            }
            agent.end_of_bases(now);
            agent
        });
        let mut ours = Self { agent, signals: VecDeque::new() };
        ours.collect();
        ours
    }

    fn collect(&mut self) {
        while let Some(event) = counted(|| self.agent.poll_event()) {
            match event {
                Event::CandidateGathered(candidate) => {
                    self.signals.push_back(Signal::Candidate(candidate.to_string()));
                }
                Event::GatheringCompleted => self.signals.push_back(Signal::End),
                _ => {}
            }
        }
    }
}

impl Agent for Ours {
    fn credentials(&self) -> Credentials {
        let own = self.agent.local_credentials();
        Credentials {
            ufrag: own.ufrag.as_str().to_owned(),
            password: own.password.as_str().to_owned(),
        }
    }

    fn set_remote_credentials(&mut self, credentials: &Credentials, now: Instant) {
        let Credentials { ufrag, password } = credentials;
        let remote = IceCredentials::new(ufrag, password).expect("well-formed credentials");
        counted(|| self.agent.set_remote_credentials(remote, now)).expect("told once");
        self.collect();
    }

    fn handle_signal(&mut self, signal: &Signal, now: Instant) {
        match signal {
            Signal::Candidate(line) => {
                let candidate = line.parse().expect("a candidate");
                counted(|| self.agent.add_remote_candidate(candidate, now));
            }
            Signal::End => counted(|| self.agent.end_of_remote_candidates(now)),
        }
        self.collect();
    }

    fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> bool {
        let received = counted(|| self.agent.handle_datagram(datagram, now));
        let is_data = matches!(received, Received::Data { .. });
        self.collect();
        is_data
    }

    fn handle_timeout(&mut self, now: Instant) {
        counted(|| self.agent.handle_timeout(now));
        self.collect();
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        counted(|| self.agent.poll_transmit())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        counted(|| self.agent.poll_timeout())
    }

    fn can_send(&self, now: Instant) -> bool {
        self.agent.is_writable(now)
    }

    fn is_selected(&self) -> bool {
        self.agent.selected_pair().is_some()
    }

    fn send(&mut self, payload: &[u8], now: Instant) -> Option<Transmit> {
        let route = self.agent.route(payload.len(), now)?;
        Some(Transmit { five_tuple: route.five_tuple, payload: payload.into() })
    }
}
