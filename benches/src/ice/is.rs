//! `is`, str0m's. It is told its candidates, the server-reflexive ones included, and leaves data alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant as StdInstant};

use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};
use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};

use super::reflexive::Reflexive;
use super::{Agent, Credentials, Setup, Signal, counted, credentials};

/// str0m's agent.
pub(super) struct Is {
    agent: IceAgent,
    /// The simulation's beginning on the crate's own clock.
    origin: StdInstant,
    reflexive: Reflexive,
    signals: VecDeque<Signal>,
    path: Option<FiveTuple>,
}

impl Is {
    #[allow(clippy::disallowed_methods, reason = "the crate's instants come from nowhere else")]
    pub(super) fn new(setup: &Setup, now: Instant) -> Self {
        let Credentials { ufrag, password } = credentials(setup.seed);
        let agent = counted(|| {
            let mut agent = IceAgent::new(IceCreds { ufrag, pass: password });
            agent.set_controlling(setup.is_controlling);
            agent
        });
        let mut is = Self {
            agent,
            origin: StdInstant::now(),
            reflexive: Reflexive::new(setup),
            signals: VecDeque::new(),
            path: None,
        };
        for address in &setup.addresses {
            is.add(|| Candidate::host(*address, Protocol::Udp).expect("a plain address"));
        }
        is.end_when_done();
        is.handle_timeout(now);
        is
    }

    fn add(&mut self, candidate: impl FnOnce() -> Candidate) {
        let added = counted(|| self.agent.add_local_candidate(candidate()).cloned());
        self.signals.extend(added.map(|candidate| Signal::Candidate(candidate.to_sdp_string())));
    }

    fn end_when_done(&mut self) {
        if self.reflexive.is_done() {
            self.signals.push_back(Signal::End);
        }
    }

    fn time(&self, now: Instant) -> StdInstant {
        self.origin + Duration::from_nanos(now.as_nanos())
    }

    fn collect(&mut self) {
        while let Some(event) = counted(|| self.agent.poll_event()) {
            if let IceAgentEvent::NominatedSend { source, destination, .. } = event {
                self.path = Some(FiveTuple::udp(source, destination));
            }
        }
    }
}

impl Agent for Is {
    fn credentials(&self) -> Credentials {
        let own = self.agent.local_credentials().clone();
        Credentials { ufrag: own.ufrag, password: own.pass }
    }

    fn set_remote_credentials(&mut self, credentials: &Credentials, now: Instant) {
        let Credentials { ufrag, password } = credentials.clone();
        counted(|| self.agent.set_remote_credentials(IceCreds { ufrag, pass: password }));
        self.handle_timeout(now);
    }

    fn handle_signal(&mut self, signal: &Signal, now: Instant) {
        match signal {
            Signal::Candidate(line) => {
                let candidate = Candidate::from_sdp_string(line).expect("a candidate");
                counted(|| self.agent.add_remote_candidate(candidate));
            }
            // It paces itself by its deadlines alone: told the time after each candidate, it would check in a burst.
            Signal::End => self.handle_timeout(now),
        }
    }

    fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> bool {
        if let Some((base, mapped)) = self.reflexive.handle(datagram) {
            if base != mapped {
                self.add(|| {
                    Candidate::server_reflexive(mapped, base, Protocol::Udp).expect("one family")
                });
            }
            self.end_when_done();
            self.handle_timeout(now);
            return false;
        }
        let (five_tuple, time) = (datagram.five_tuple, self.time(now));
        let is_stun = counted(|| {
            let Ok(message) = StunMessage::parse(datagram.payload) else { return false };
            let (source, destination) = (five_tuple.remote, five_tuple.local);
            let packet = StunPacket { proto: Protocol::Udp, source, destination, message };
            self.agent.handle_packet(time, packet);
            // As str0m does after each input.
            self.agent.handle_timeout(time);
            true
        });
        self.collect();
        !is_stun
    }

    fn handle_timeout(&mut self, now: Instant) {
        let time = self.time(now);
        counted(|| self.agent.handle_timeout(time));
        self.collect();
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.reflexive.poll_transmit() {
            return Some(transmit);
        }
        let transmit = counted(|| self.agent.poll_transmit())?;
        let five_tuple = FiveTuple::udp(transmit.source, transmit.destination);
        Some(Transmit { five_tuple, payload: transmit.contents[..].into() })
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        let at = counted(|| self.agent.poll_timeout())?;
        Some(Instant::ZERO + at.saturating_duration_since(self.origin))
    }

    fn can_send(&self, _now: Instant) -> bool {
        self.path.is_some()
    }

    fn is_selected(&self) -> bool {
        self.path.is_some()
    }

    fn send(&mut self, payload: &[u8], _now: Instant) -> Option<Transmit> {
        Some(Transmit { five_tuple: self.path?, payload: payload.into() })
    }
}
