//! The course of a session, a line an event, with times relative to the start.

use std::time::Duration;

use pinhole_ice::{Event, PairId, PairState, State};
use pinhole_io::{Clock, Connection};
use pinhole_sansio::Instant;

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
            Event::CandidateGathered(candidate) => {
                format!("candidate   {} {}", candidate.kind, candidate.address)
            }
            Event::MappedAddressLearned { base, server, mapped } if base == mapped => {
                format!("STUN        {server} sees {mapped} as it is: no NAT in between")
            }
            Event::MappedAddressLearned { base, server, mapped } => {
                format!("STUN        {server} sees {base} as {mapped}")
            }
            Event::GatheringFailed { base, server, error } => {
                format!("server      {server} asked from {base}: {error}")
            }
            Event::ServerNotFound { server, reason } => format!("server      {server}: {reason}"),
            Event::PeerRefused { relayed, peer, reason } => {
                format!("relay       {relayed} refuses the peer {peer}: {reason}")
            }
            Event::RelayLost { relayed, server, reason } => {
                format!("relay       {relayed} at {server} is gone: {reason}")
            }
            Event::GatheringCompleted => {
                let table = connection.inspect(|agent| candidates::table(agent.local_candidates()));
                format!("gathered all candidates:\n{table}")
            }
            Event::PairStateChanged { pair, state } => {
                match verb(*state).zip(describe(*pair, connection)) {
                    Some((verb, text)) => format!("{verb:<11} {text}"),
                    None => return,
                }
            }
            Event::RouteChanged { pair } => format!("data can go on pair {pair}"),
            Event::PairSelected { pair, .. } => match describe(*pair, connection) {
                Some(text) => format!("selected    {text}"),
                None => return,
            },
            Event::RoleSwitched(role) => {
                format!("role        {role} from now on: both sides had the other one")
            }
            Event::StateChanged(State::Checking) => {
                "the peer's credentials are known: checks begin".to_owned()
            }
            Event::StateChanged(state) => format!("state       {state}"),
            _ => return,
        };
        self.line(at, &text);
    }

    fn line(&self, at: Instant, text: &str) {
        let time = milliseconds(at.saturating_duration_since(Instant::ZERO));
        let name = self.name;
        println!("{time:>9}  {name}{}{text}", if name.is_empty() { "" } else { "  " });
    }
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
