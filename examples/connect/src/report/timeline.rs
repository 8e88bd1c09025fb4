//! The course of a session, a line an event, with times relative to the start.

use std::time::Duration;

use pinhole_ice::{Event as AgentEvent, PairId, PairState, State};
use pinhole_io::{Clock, Connection, Event};
use pinhole_sansio::Instant;
use pinhole_stun::resolve::ServerAddress;

use super::candidates;

/// Prints what happens to one peer.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    clock: Clock,
    /// Stands in each line, where there are several peers.
    name: &'static str,
}

impl Timeline {
    pub(crate) const fn new(clock: Clock, name: &'static str) -> Self {
        Self { clock, name }
    }

    /// Something that happened outside of the agent.
    pub(crate) fn note(&self, text: &str) {
        self.line(self.clock.now(), text);
    }

    pub(crate) fn event(&self, at: Instant, event: &Event, connection: &Connection) {
        let text = match event {
            Event::Agent(event) => of_agent(event, connection),
            Event::Restarted(_) => Some("restart     another path is looked for".to_owned()),
            Event::ServerNotReached { server: ServerAddress { address, transport }, reason } => {
                Some(format!("server      {address} over {transport}: {reason}"))
            }
            Event::AddressAdded(base) => Some(format!("address     {base} has come")),
            Event::AddressRemoved(base) => Some(format!("address     {base} has gone")),
            _ => None,
        };
        text.iter().for_each(|text| self.line(at, text));
    }

    fn line(&self, at: Instant, text: &str) {
        let time = milliseconds(at.saturating_duration_since(Instant::ZERO));
        let name = self.name;
        println!("{time:>9}  {name}{}{text}", if name.is_empty() { "" } else { "  " });
    }
}

/// `None` for what is of no interest to a person.
fn of_agent(event: &AgentEvent, connection: &Connection) -> Option<String> {
    Some(match event {
        AgentEvent::CandidateGathered(candidate) => {
            format!("candidate   {} {}", candidate.kind, candidate.address)
        }
        AgentEvent::MappedAddressLearned { base, server, mapped } if base == mapped => {
            format!("STUN        {server} sees {mapped} as it is: no NAT in between")
        }
        AgentEvent::MappedAddressLearned { base, server, mapped } => {
            format!("STUN        {server} sees {base} as {mapped}")
        }
        AgentEvent::GatheringFailed { base, server, error } => {
            format!("server      {server} asked from {base}: {error}")
        }
        AgentEvent::ServerNotFound { server, reason } => format!("server      {server}: {reason}"),
        AgentEvent::PeerRefused { relayed, peer, reason } => {
            format!("relay       {relayed} refuses the peer {peer}: {reason}")
        }
        AgentEvent::RelayLost { relayed, server, reason } => {
            format!("relay       {relayed} at {server} is gone: {reason}")
        }
        AgentEvent::GatheringCompleted => {
            let table = connection.inspect(|agent| candidates::table(agent.local_candidates()));
            format!("gathered all candidates:\n{table}")
        }
        AgentEvent::PairStateChanged { pair, state } => {
            match verb(*state).zip(describe(*pair, connection)) {
                Some((verb, text)) => format!("{verb:<11} {text}"),
                None => return None,
            }
        }
        AgentEvent::RouteChanged { pair } => format!("data can go on pair {pair}"),
        AgentEvent::PairSelected { pair, .. } => match describe(*pair, connection) {
            Some(text) => format!("selected    {text}"),
            None => return None,
        },
        AgentEvent::RoleSwitched(role) => {
            format!("role        {role} from now on: both sides had the other one")
        }
        AgentEvent::StateChanged(State::Checking) => {
            "the peer's credentials are known: checks begin".to_owned()
        }
        AgentEvent::StateChanged(state) => format!("state       {state}"),
        _ => return None,
    })
}

/// `None` for states that are of no interest to a person.
const fn verb(state: PairState) -> Option<&'static str> {
    match state {
        PairState::Frozen | PairState::Waiting => None,
        PairState::InProgress => Some("check"),
        PairState::Succeeded => Some("works"),
        PairState::Failed => Some("fails"),
    }
}

/// The pair, and what its checks found out.
fn describe(pair: PairId, connection: &Connection) -> Option<String> {
    connection.inspect(|agent| {
        let info = agent.pair(pair)?;
        let finding = match (info.failure, info.rtt) {
            (Some(failure), _) => format!(": {failure}"),
            (None, Some(rtt)) => format!(", round trip {}", milliseconds(rtt)),
            (None, None) => String::new(),
        };
        let (local, remote) = (info.local, info.remote);
        Some(format!(
            "pair {pair}: {} {} -> {} {}{finding}",
            local.kind, local.address, remote.kind, remote.address
        ))
    })
}

/// With two digits behind the point: `12.34 ms`.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1_000.0)
}
