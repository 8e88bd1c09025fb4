//! `rice-proto`, librice's. It gathers for itself, and is polled with the time.

use std::collections::VecDeque;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transmit};
use rice_proto::agent::{Agent as RiceAgent, AgentPoll};
use rice_proto::candidate::{Candidate, TransportType};
use rice_proto::stream::Credentials as RiceCredentials;
use stun_proto::Instant as RiceInstant;
use stun_proto::agent::Transmit as RiceTransmit;

use super::{Agent, Credentials, Setup, Signal, counted, credentials};

/// librice's agent with one stream of one component.
pub(super) struct Rice {
    agent: RiceAgent,
    stream: usize,
    component: usize,
    seed: u8,
    signals: VecDeque<Signal>,
    outbox: VecDeque<Transmit>,
    deadline: Option<Instant>,
    is_selected: bool,
}

impl Rice {
    pub(super) fn new(setup: &Setup, now: Instant) -> Self {
        let Credentials { ufrag, password } = credentials(setup.seed);
        let servers: Vec<_> =
            setup.stun_servers.iter().map(|server| (TransportType::Udp, *server)).collect();
        let sockets: Vec<_> =
            setup.addresses.iter().map(|address| (TransportType::Udp, *address)).collect();
        let (agent, stream, component) = counted(|| {
            let mut agent =
                RiceAgent::builder().trickle_ice(true).controlling(setup.is_controlling).build();
            let id = agent.add_stream();
            let mut stream = agent.mut_stream(id).expect("it was just added");
            stream.set_local_credentials(RiceCredentials::new(ufrag, password));
            let component = stream.add_component().expect("the first one");
            let mut gathering = stream.mut_component(component).expect("it was just added");
            gathering.gather_candidates(&sockets, &servers, &[]).expect("it has not begun");
            (agent, id, component)
        });
        let mut rice = Self {
            agent,
            stream,
            component,
            seed: setup.seed,
            signals: VecDeque::new(),
            outbox: VecDeque::new(),
            deadline: None,
            is_selected: false,
        };
        rice.advance(now);
        rice
    }

    /// Lets it do what is due, and answers what it asks for, until it waits and has nothing to send.
    fn advance(&mut self, now: Instant) {
        loop {
            self.deadline = loop {
                match counted(|| self.agent.poll(time(now))) {
                    AgentPoll::Closed => break None,
                    AgentPoll::WaitUntil(at) => break Some(instant(at)),
                    event => self.answer(event),
                }
            };
            let waiting = self.outbox.len();
            while let Some(sent) = counted(|| self.agent.poll_transmit(time(now))) {
                let five_tuple = FiveTuple::udp(sent.transmit.from, sent.transmit.to);
                let payload = sent.transmit.data[..].into();
                self.outbox.push_back(Transmit { five_tuple, payload });
            }
            if self.outbox.len() == waiting {
                return;
            }
        }
    }

    fn answer(&mut self, event: AgentPoll) {
        let stream = self.agent.mut_stream(self.stream).expect("it stays");
        let mut stream = stream;
        match event {
            AgentPoll::GatheredCandidate(gathered) => {
                let line = gathered.gathered.candidate.to_sdp_string();
                if counted(|| stream.add_local_gathered_candidate(gathered.gathered)) {
                    let line = line.strip_prefix("a=").unwrap_or(&line).to_owned();
                    self.signals.push_back(Signal::Candidate(line));
                }
            }
            AgentPoll::GatheringComplete(_) => {
                counted(|| stream.end_of_local_candidates());
                self.signals.push_back(Signal::End);
            }
            AgentPoll::SelectedPair(pair) => {
                let pair = pair.selected.candidate_pair().clone();
                counted(|| {
                    let mut component = stream.mut_component(self.component).expect("it stays");
                    component.set_selected_pair(pair).expect("a pair of its own");
                });
                self.is_selected = true;
            }
            _ => {}
        }
    }
}

impl Agent for Rice {
    fn credentials(&self) -> Credentials {
        credentials(self.seed)
    }

    fn set_remote_credentials(&mut self, credentials: &Credentials, now: Instant) {
        let Credentials { ufrag, password } = credentials.clone();
        counted(|| {
            let mut stream = self.agent.mut_stream(self.stream).expect("it stays");
            stream.set_remote_credentials(RiceCredentials::new(ufrag, password));
        });
        self.advance(now);
    }

    fn handle_signal(&mut self, signal: &Signal, now: Instant) {
        let candidate = match signal {
            Signal::Candidate(line) => {
                Some(format!("a={line}").parse::<Candidate>().expect("a candidate"))
            }
            Signal::End => None,
        };
        counted(|| {
            let mut stream = self.agent.mut_stream(self.stream).expect("it stays");
            match candidate {
                Some(candidate) => stream.add_remote_candidate(candidate),
                None => stream.end_of_remote_candidates(),
            }
        });
        self.advance(now);
    }

    fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    fn handle_datagram(&mut self, datagram: Datagram<'_>, now: Instant) -> bool {
        let FiveTuple { local, remote, .. } = datagram.five_tuple;
        let is_data = counted(|| {
            let mut stream = self.agent.mut_stream(self.stream).expect("it stays");
            let arrived = RiceTransmit::new(datagram.payload, TransportType::Udp, remote, local);
            stream.handle_incoming_data(self.component, arrived, time(now)).data.is_some()
        });
        self.advance(now);
        is_data
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.deadline
    }

    fn can_send(&self, _now: Instant) -> bool {
        self.is_selected
    }

    fn is_selected(&self) -> bool {
        self.is_selected
    }

    fn send(&mut self, payload: &[u8], now: Instant) -> Option<Transmit> {
        let mut stream = self.agent.mut_stream(self.stream)?;
        let sent = stream.mut_component(self.component)?.send(payload, time(now)).ok()?;
        let five_tuple = FiveTuple::udp(sent.from, sent.to);
        Some(Transmit { five_tuple, payload: sent.data[..].into() })
    }
}

fn time(now: Instant) -> RiceInstant {
    RiceInstant::from_nanos(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

fn instant(at: RiceInstant) -> Instant {
    Instant::from_nanos(u64::try_from(at.as_nanos()).unwrap_or_default())
}
