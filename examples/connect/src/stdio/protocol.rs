//! The JSON lines: one object each, told apart by `ev`.

use pinhole_ice::{Agent, Candidate, CandidateAddress, CandidateTransport, PairId};
use serde::{Deserialize, Serialize};

use super::stats::Stats;

/// What this program says.
#[derive(Debug, Serialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
pub(crate) enum Output {
    /// This side's description.
    Local { ufrag: String, pwd: String, candidates: Vec<String>, gather_ms: u64 },
    /// One more candidate; empty for the end of them.
    Candidate { candidate: String },
    /// Data can flow.
    Connected { ms: u64, pair: Pair },
    /// Another path is in use, in place of one that was lost.
    Reconnected { ms: u64, pair: Pair },
    /// What became of the pings.
    Data(Data),
    /// All that is known about candidates and pairs.
    Stats(Stats),
    /// There will be no connection.
    Failed { ms: u64, reason: String },
}

/// What the other side says, passed on by whoever carries the lines.
#[derive(Debug, Deserialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
pub(crate) enum Input {
    /// The other side's description. Further fields, such as an SDP, are of no use here.
    Remote {
        ufrag: String,
        pwd: String,
        #[serde(default)]
        candidates: Vec<String>,
    },
    /// One more candidate; empty for the end of them.
    Candidate { candidate: String },
    /// Say what is known about candidates and pairs.
    Stats,
    /// Leave.
    Bye,
}

/// Counts of the datagrams that were exchanged, and the pair at the end.
#[derive(Debug, Serialize)]
pub(crate) struct Data {
    /// Pings sent.
    pub(crate) sent: u32,
    /// Pings received.
    pub(crate) ping: u32,
    /// Echoes received.
    pub(crate) echo: u32,
    /// Other datagrams received.
    pub(crate) other: u32,
    pub(crate) pair_end: Option<Pair>,
}

/// Two candidates.
#[derive(Debug, Serialize)]
pub(crate) struct Pair {
    local: Endpoint,
    remote: Endpoint,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    r#type: &'static str,
    ip: String,
    port: u16,
    proto: &'static str,
}

impl Pair {
    pub(crate) fn of(agent: &Agent, id: PairId) -> Option<Self> {
        let pair = agent.pair(id)?;
        Some(Self { local: Endpoint::of(pair.local)?, remote: Endpoint::of(pair.remote)? })
    }
}

impl Endpoint {
    fn of(candidate: &Candidate) -> Option<Self> {
        let CandidateAddress::Ip(address) = candidate.address else { return None };
        let proto = match candidate.transport {
            CandidateTransport::Udp => "udp",
            CandidateTransport::Tcp(_) => "tcp",
        };
        let (ip, port) = (address.ip().to_string(), address.port());
        Some(Self { r#type: candidate.kind.as_str(), ip, port, proto })
    }
}

impl Output {
    /// Writes the line at once: somebody waits for it.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        use std::io::Write as _;
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer(&mut stdout, self)?;
        stdout.write_all(b"\n")?;
        Ok(stdout.flush()?)
    }
}

impl Input {
    pub(crate) fn parse(line: &str) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        serde_json::from_str(line)
            .with_context(|| format!("not a line of the protocol: {}", excerpt(line)))
    }
}

fn excerpt(line: &str) -> String {
    let mut short: String = line.chars().take(60).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
