//! Signaling by JSON lines on standard input and output, for any program, ssh, or copy and paste to carry.
//! `README.md` describes the protocol.

mod pings;
mod protocol;
mod stats;

use anyhow::{Context as _, Result};
use pinhole_ice::{Agent, Candidate, Credentials, Event as AgentEvent, PairId, State};
use pinhole_io::{Connection, Event};
use pinhole_sansio::Instant;
use pinhole_stun::resolve::ServerAddress;

use crate::Outcome;
use crate::cli::{Network, SdpRole};
use crate::input;
use crate::network::NetworkSettings;
use crate::report::failure;
use pings::{Pings, Step};
use protocol::{Data, Input, Output, Pair};
use stats::Stats;

/// How this side goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    pub(crate) trickle: bool,
    pub(crate) ipv6: bool,
    /// Whether a failure is explained on standard error.
    pub(crate) explain: bool,
}

/// One side of a session.
struct Session {
    connection: Connection,
    trickle: bool,
    /// Candidates for the description; in it, or after it when they trickle.
    candidates: Vec<String>,
    /// When the other side's description came.
    remote_at: Option<Instant>,
    is_connected: bool,
    /// When the search for another path began, as long as it lasts.
    restarted_at: Option<Instant>,
    pings: Pings,
}

/// Runs until the other side, or whoever carries the lines, says bye.
pub(crate) async fn run(role: SdpRole, ways: Ways, options: &Network) -> Result<Outcome> {
    let Ways { trickle, ipv6, explain } = ways;
    let connection = NetworkSettings::find(options, ipv6)?.start(role.into())?;
    let mut session = Session {
        connection,
        trickle,
        candidates: Vec::new(),
        remote_at: None,
        is_connected: false,
        restarted_at: None,
        pings: Pings::default(),
    };
    let mut lines = input::lines();
    if trickle {
        session.describe()?;
    }
    loop {
        tokio::select! {
            (at, event) = session.connection.next_event() => {
                if session.on_event(&event, at)? == Some(State::Failed) {
                    if explain {
                        eprintln!("{}", session.connection.inspect(failure::in_full));
                    }
                    return Ok(Outcome::NotConnected);
                }
            }
            line = lines.recv() => match line.transpose()? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => match Input::parse(&line)? {
                    Input::Stats => Output::Stats(session.connection.inspect(Stats::of)).print()?,
                    Input::Bye => return Ok(session.outcome()),
                    Input::Candidate { candidate } => session.add_candidate(&candidate),
                    Input::Remote { ufrag, pwd, candidates } => session.set_remote(&ufrag, &pwd, &candidates)?,
                },
                None => return Ok(session.outcome()),
            },
            payload = session.connection.recv() => session.on_data(&payload).await,
            () = session.pings.due() => session.on_ping_due().await?,
        }
    }
}

impl Session {
    /// Handles one event; the state, if it is of interest.
    fn on_event(&mut self, event: &Event, at: Instant) -> Result<Option<State>> {
        match event {
            Event::Agent(event) => return self.on_agent_event(event, at),
            Event::Restarted(_) => self.on_restarted(at)?,
            Event::ServerNotReached { server: ServerAddress { address, transport }, reason } => {
                eprintln!("connect: server {address} over {transport}: {reason}");
            }
            Event::AddressAdded(base) => eprintln!("connect: {base} has come"),
            Event::AddressRemoved(base) => eprintln!("connect: {base} has gone"),
            _ => {}
        }
        Ok(None)
    }

    /// The other side has to know the new credentials, and then the candidates.
    fn on_restarted(&mut self, at: Instant) -> Result<()> {
        self.restarted_at = Some(at);
        self.candidates.clear();
        self.pings = Pings::default();
        if self.trickle { self.describe() } else { Ok(()) }
    }

    fn on_agent_event(&mut self, event: &AgentEvent, at: Instant) -> Result<Option<State>> {
        match event {
            AgentEvent::CandidateGathered(candidate) if self.trickle => {
                Output::Candidate { candidate: candidate.to_string() }.print()?;
            }
            AgentEvent::CandidateGathered(candidate) => self.candidates.push(candidate.to_string()),
            AgentEvent::GatheringCompleted if self.trickle => {
                Output::Candidate { candidate: String::new() }.print()?;
            }
            AgentEvent::GatheringCompleted => self.describe()?,
            AgentEvent::GatheringFailed { server, error, .. } => {
                eprintln!("connect: server {server}: {error}")
            }
            AgentEvent::ServerNotFound { server, reason } => {
                eprintln!("connect: server {server}: {reason}")
            }
            AgentEvent::PeerRefused { relayed, peer, reason } => {
                eprintln!("connect: relay {relayed} refuses the peer {peer}: {reason}")
            }
            AgentEvent::RouteChanged { pair } if !self.is_connected => {
                self.is_connected = true;
                let (ms, pair) = (self.since_remote(at), self.pair(*pair)?);
                Output::Connected { ms, pair }.print()?;
            }
            AgentEvent::PairSelected { pair, .. } => self.on_selected(*pair, at)?,
            // A restart may have mended it already.
            AgentEvent::StateChanged(State::Failed) if self.has_failed() => {
                let reason = self.connection.inspect(failure::in_one_line);
                Output::Failed { ms: self.since_remote(at), reason }.print()?;
                return Ok(Some(State::Failed));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Some peers listen only once a pair is nominated.
    fn on_selected(&mut self, pair: PairId, at: Instant) -> Result<()> {
        self.pings.start();
        let Some(restarted_at) = self.restarted_at.take() else { return Ok(()) };
        Output::Reconnected { ms: millis(at, restarted_at), pair: self.pair(pair)? }.print()
    }

    fn pair(&self, pair: PairId) -> Result<Pair> {
        let pair = self.connection.inspect(|agent| Pair::of(agent, pair));
        pair.context("the route is a pair of the agent's")
    }

    fn has_failed(&self) -> bool {
        self.connection.inspect(Agent::state) == State::Failed
    }

    fn describe(&self) -> Result<()> {
        let credentials = self.connection.local_credentials();
        Output::Local {
            ufrag: credentials.ufrag.as_str().to_owned(),
            pwd: credentials.password.as_str().to_owned(),
            candidates: self.candidates.clone(),
            gather_ms: millis(self.connection.now(), Instant::ZERO),
        }
        .print()
    }

    fn set_remote(&mut self, ufrag: &str, pwd: &str, candidates: &[String]) -> Result<()> {
        let credentials =
            Credentials::new(ufrag, pwd).context("the remote ufrag or pwd is not one")?;
        self.remote_at = Some(self.connection.now());
        self.connection.set_remote_credentials(credentials)?;
        for candidate in candidates {
            self.add_candidate(candidate);
        }
        if !self.trickle {
            self.connection.end_of_remote_candidates();
        }
        Ok(())
    }

    fn add_candidate(&self, text: &str) {
        if text.is_empty() {
            return self.connection.end_of_remote_candidates();
        }
        match text.parse::<Candidate>() {
            Ok(candidate) => self.connection.add_remote_candidate(candidate),
            Err(error) => eprintln!("connect: remote candidate left out: {error}: {text}"),
        }
    }

    async fn on_data(&mut self, payload: &[u8]) {
        if let Some(answer) = self.pings.received(payload) {
            self.send(&answer).await;
        }
    }

    async fn on_ping_due(&mut self) -> Result<()> {
        match self.pings.step() {
            Step::Send(ping) => self.send(ping.as_bytes()).await,
            Step::Wait => {}
            Step::Report => {
                let Pings { sent, ping, echo, other, .. } = self.pings;
                let end = |agent: &pinhole_ice::Agent| Pair::of(agent, agent.selected_pair()?);
                let pair_end = self.connection.inspect(end);
                Output::Data(Data { sent, ping, echo, other, pair_end }).print()?;
            }
        }
        Ok(())
    }

    /// The counts at the end tell what arrived.
    async fn send(&self, payload: &[u8]) {
        if let Err(error) = self.connection.send(payload).await {
            eprintln!("connect: not sent: {error}");
        }
    }

    fn since_remote(&self, at: Instant) -> u64 {
        millis(at, self.remote_at.unwrap_or(at))
    }

    const fn outcome(&self) -> Outcome {
        if self.is_connected { Outcome::Connected } else { Outcome::NotConnected }
    }
}

fn millis(end: Instant, start: Instant) -> u64 {
    u64::try_from((end - start).as_millis()).unwrap_or(u64::MAX)
}
