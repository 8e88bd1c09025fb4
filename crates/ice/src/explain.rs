//! Why things are as they are, in words (the agent's side of "why does this call not connect?").

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use pinhole_turn::client::Reason;

use crate::agent::State;
use crate::candidate::{CandidateAddress, CandidateKind};
use crate::gather::GatheringError;
use crate::pair::{PairFailure, PairId, PairState};

/// How a session stands, and why; made by [`Agent::explain`](crate::Agent::explain). [`Display`](fmt::Display) writes it
/// for people, a line an item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// How the session stands.
    pub state: State,
    /// Our own candidates, then the peer's, then what was signalled and cannot be used.
    pub candidates: Vec<CandidateExplanation>,
    /// Each pair in the order of its priority.
    pub pairs: Vec<PairExplanation>,
    /// What may stand in the way, the likeliest first. None where all is well.
    pub causes: Vec<Cause>,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CandidateExplanation {
    /// Whether it is one of ours.
    pub is_own: bool,
    /// How it was learned.
    pub kind: CandidateKind,
    /// Where it leads.
    pub address: CandidateAddress,
    /// What became of it.
    pub fate: CandidateFate,
}

/// What becomes of candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidateFate {
    /// It is part of so many pairs.
    Paired(usize),
    /// Checks go out from its base, this one, and stand for it (RFC 8445 §6.1.2.4).
    ThroughBase(SocketAddr),
    /// The other side has told none of its family and transport.
    Unpaired,
    /// Another one's pair was selected.
    Dismissed,
    /// It is a name, which is for the application to resolve.
    Name,
    /// Its transport is not for this agent to use, or its TCP side waits as ours does.
    Unsupported,
    /// It is another component's (RFC 8445 §6.1.2.2).
    OtherComponent,
    /// It names other credentials than those in use (RFC 8838 §11).
    OtherGeneration,
    /// The peer had said before that there are no more (RFC 8838 §14).
    AfterTheEnd,
    /// There were too many before it.
    TooMany,
    /// The peer has taken it back.
    Removed,
}

/// Where a pair stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairExplanation {
    /// Which pair.
    pub id: PairId,
    /// Our end.
    pub local: (CandidateKind, CandidateAddress),
    /// The peer's.
    pub remote: (CandidateKind, CandidateAddress),
    /// How far its checks have come.
    pub state: PairState,
    /// How many were sent, without retransmissions.
    pub checks_sent: u64,
    /// Whether it is the one in use.
    pub is_selected: bool,
    /// Why it failed, if it did.
    pub failure: Option<PairFailure>,
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Signaling has not brought the peer's credentials.
    NoCredentials,
    /// Signaling has brought no candidate that can be checked, and no check has come.
    NoRemoteCandidates,
    /// This side has nothing to check from.
    NoLocalCandidates,
    /// Both sides have candidates, and none of one address family.
    NoCommonFamily,
    /// The peer, or its consent, was lost after it had been there.
    ConsentLost,
    /// The chosen pair failed while it was being nominated.
    NominationFailed,
    /// The peer answers with this error.
    PeerRefuses(u16),
    /// A TURN server refuses the user.
    Unauthorized {
        /// The server.
        server: SocketAddr,
    },
    /// A server was of no help.
    ServerFailed {
        /// The server.
        server: SocketAddr,
        /// What went wrong.
        error: GatheringError,
    },
    /// A server's name leads nowhere.
    ServerNotFound {
        /// The name, or the URI.
        server: String,
        /// What the look-up said.
        reason: String,
    },
    /// A TURN server does not relay to the peer.
    PeerNotRelayed {
        /// The peer's address.
        peer: IpAddr,
        /// Why.
        reason: Reason,
    },
    /// This side's NAT maps each destination anew, and there is no relay.
    SymmetricWithoutRelay,
    /// No remote candidate has answered, and there is no relay.
    SilenceWithoutRelay,
    /// No remote candidate has answered, not even through a relay.
    Silence,
}

/// What has gone wrong so far, as much as fits: what an explanation is made of besides pairs.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    servers: Vec<Cause>,
    relays: Vec<Cause>,
}

impl Troubles {
    pub(crate) fn server(&mut self, server: SocketAddr, error: GatheringError) {
        let cause = match error {
            GatheringError::NoAllocation(Reason::Code(401) | Reason::Credentials(_)) => {
                Cause::Unauthorized { server }
            }
            GatheringError::Timeout
            | GatheringError::ErrorResponse(_)
            | GatheringError::Malformed
            | GatheringError::NotConnected
            | GatheringError::NoAllocation(_) => Cause::ServerFailed { server, error },
        };
        keep(&mut self.servers, cause);
    }

    pub(crate) fn not_found(&mut self, server: String, reason: String) {
        keep(&mut self.servers, Cause::ServerNotFound { server, reason });
    }

    pub(crate) fn not_relayed(&mut self, peer: IpAddr, reason: Reason) {
        keep(&mut self.relays, Cause::PeerNotRelayed { peer, reason });
    }

    /// What servers did, then what relays did.
    pub(crate) fn causes(&self) -> impl Iterator<Item = Cause> {
        self.servers.iter().chain(&self.relays).cloned()
    }
}

fn keep(causes: &mut Vec<Cause>, cause: Cause) {
    if causes.len() < MAX_KEPT && !causes.contains(&cause) {
        causes.push(cause);
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "state: {}", self.state)?;
        for candidate in &self.candidates {
            writeln!(f, "  {candidate}")?;
        }
        for pair in &self.pairs {
            writeln!(f, "  {pair}")?;
        }
        if !self.causes.is_empty() {
            writeln!(f, "likely causes:")?;
        }
        self.causes.iter().try_for_each(|cause| writeln!(f, "  - {cause}"))
    }
}

impl fmt::Display for CandidateExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_own, kind, address, fate } = self;
        let whose = if *is_own { "own" } else { "peer's" };
        write!(f, "{whose} candidate {kind} {address}: {fate}")
    }
}

impl fmt::Display for CandidateFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paired(1) => "in 1 pair",
            Self::Paired(count) => return write!(f, "in {count} pairs"),
            Self::ThroughBase(base) => return write!(f, "checked from {base}"),
            Self::Unpaired => "the other side has none of its family and transport",
            Self::Dismissed => "not needed any more",
            Self::Name => "a name that nobody has resolved",
            Self::Unsupported => "of a transport that is not in use here",
            Self::OtherComponent => "of another component",
            Self::OtherGeneration => "of other credentials than those in use",
            Self::AfterTheEnd => "came after the end of candidates",
            Self::TooMany => "one too many",
            Self::Removed => "taken back",
        })
    }
}

impl fmt::Display for PairExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((local, from), (remote, to)) = (&self.local, &self.remote);
        write!(f, "pair {}: {local} {from} -> {remote} {to}: ", self.id)?;
        match (self.state, self.failure) {
            (PairState::Failed, Some(failure)) => write!(f, "{failure}"),
            (PairState::Succeeded, _) if self.is_selected => f.write_str("selected"),
            (PairState::Succeeded, _) => f.write_str("works"),
            (PairState::Frozen, _) => f.write_str("waits for one of the same foundation"),
            (PairState::Waiting, _) => f.write_str("waits for its turn"),
            (PairState::InProgress, _) => f.write_str("no answer yet"),
            (PairState::Failed, None) => f.write_str("failed"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => f.write_str("the peer's credentials have not come: does signaling work?"),
            Self::NoRemoteCandidates => f.write_str(
                "no candidate of the peer's has come that can be checked, and none of its checks: does the other \
                 side run, and do its candidates reach this one?",
            ),
            Self::NoLocalCandidates => f.write_str("this side has no candidate to check from"),
            Self::NoCommonFamily => f.write_str(
                "one side has IPv4 addresses only and the other IPv6 addresses only: a TURN server with both would help",
            ),
            Self::ConsentLost => f.write_str("the peer was there, and has fallen silent: an ICE restart may find it"),
            Self::NominationFailed => f.write_str("the path broke while it was being chosen: restart ICE"),
            Self::PeerRefuses(code) => write!(f, "the peer answers checks with error {code}: are the credentials of both sides from one exchange?"),
            Self::Unauthorized { server } => {
                write!(f, "TURN server {server} refuses the user: wrong user name or password, or they have expired")
            }
            Self::ServerFailed { server, error: GatheringError::Timeout } => {
                write!(f, "no answer from server {server}: is it there, is UDP blocked? try turns: on port 443")
            }
            Self::ServerFailed { server, error } => write!(f, "server {server}: {error}"),
            Self::ServerNotFound { server, reason } => write!(f, "{server}: {reason}"),
            Self::PeerNotRelayed { peer, reason } => {
                write!(f, "the TURN server does not relay to {peer}: {reason}")
            }
            Self::SymmetricWithoutRelay => f.write_str(
                "this side's NAT gives each destination another port (symmetric), and no TURN server is at hand",
            ),
            Self::SilenceWithoutRelay => f.write_str(
                "no answer from any remote candidate, and no TURN server is at hand: is UDP blocked, are both sides \
                 behind symmetric NATs? try turns: on port 443",
            ),
            Self::Silence => f.write_str("no answer from any remote candidate, not even through the relay: is the peer still there?"),
        }
    }
}

/// More servers and peers than anybody has.
const MAX_KEPT: usize = 64;
