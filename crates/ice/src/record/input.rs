//! What an agent can be told, as a line of text.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::str::{FromStr, SplitAsciiWhitespace};
use core::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};

use crate::abilities::Abilities;
use crate::agent::Agent;
use crate::candidate::Candidate;
use crate::config::TurnServer;
use crate::consent::Power;
use crate::credentials::Credentials;
use crate::event::ServerConnection;
use crate::pair::PairId;

/// One call of an agent's methods.
#[derive(Debug)]
pub(super) enum Input {
    AddBase(SocketAddr),
    AddTcpListener(SocketAddr),
    AddTcpSimultaneousOpen(SocketAddr),
    AddMapped(SocketAddr, SocketAddr),
    RemoveBase(SocketAddr),
    EndOfBases,
    AddStunServer(SocketAddr),
    /// Without what its user knows.
    AddTurnServer(SocketAddr),
    ServerNotFound(String, String),
    Connected(ServerConnection, Option<FiveTuple>),
    Disconnected(ServerConnection),
    PeerConnected(PairId, Option<FiveTuple>),
    PeerDisconnected(FiveTuple),
    SetRemoteCredentials(Credentials),
    SetRemoteWithoutIce(SocketAddr),
    SetRemoteAbilities(Abilities),
    AddRemoteCandidate(Candidate),
    RemoveRemoteCandidate(Candidate),
    EndOfRemoteCandidates,
    Restart,
    RestartWith(Credentials),
    SetPower(Power),
    PeerIsAlive(PairId),
    Close,
    Datagram(FiveTuple, Vec<u8>),
    Timeout,
    Route(usize),
    RouteOn(PairId, usize),
}

impl Input {
    /// Does it; what the call gave, in the words of `Debug`. `None` when `servers` lacks the TURN server.
    pub(super) fn apply(
        self,
        agent: &mut Agent,
        servers: &mut impl Iterator<Item = TurnServer>,
        now: Instant,
    ) -> Option<String> {
        Some(match self {
            Self::AddBase(address) => format!("{:?}", agent.add_base(address, now)),
            Self::AddMapped(mapped, base) => {
                format!("{:?}", agent.add_mapped_address(mapped, base, now))
            }
            Self::AddTcpListener(address) => format!("{:?}", agent.add_tcp_listener(address, now)),
            Self::AddTcpSimultaneousOpen(address) => {
                format!("{:?}", agent.add_tcp_simultaneous_open(address, now))
            }
            Self::RemoveBase(address) => format!("{:?}", agent.remove_base(address, now)),
            Self::EndOfBases => format!("{:?}", agent.end_of_bases(now)),
            Self::AddStunServer(server) => format!("{:?}", agent.add_stun_server(server, now)),
            Self::AddTurnServer(address) => {
                let server = servers.next().filter(|server| server.address == address)?;
                format!("{:?}", agent.add_turn_server(server, now))
            }
            Self::ServerNotFound(server, reason) => {
                format!("{:?}", agent.server_not_found(server, reason))
            }
            Self::Connected(connection, path) => {
                format!("{:?}", agent.server_connected(connection, path, now))
            }
            Self::Disconnected(connection) => {
                format!("{:?}", agent.server_disconnected(connection, now))
            }
            Self::PeerConnected(pair, path) => {
                format!("{:?}", agent.peer_connected(pair, path, now))
            }
            Self::PeerDisconnected(path) => format!("{:?}", agent.peer_disconnected(path, now)),
            Self::SetRemoteWithoutIce(address) => {
                format!("{:?}", agent.set_remote_without_ice(address, now))
            }
            Self::SetRemoteCredentials(credentials) => {
                format!("{:?}", agent.set_remote_credentials(credentials, now))
            }
            Self::SetRemoteAbilities(abilities) => {
                format!("{:?}", agent.set_remote_abilities(abilities))
            }
            Self::AddRemoteCandidate(candidate) => {
                format!("{:?}", agent.add_remote_candidate(candidate, now))
            }
            Self::RemoveRemoteCandidate(candidate) => {
                format!("{:?}", agent.remove_remote_candidate(&candidate, now))
            }
            Self::EndOfRemoteCandidates => format!("{:?}", agent.end_of_remote_candidates(now)),
            Self::Restart => format!("{:?}", agent.restart(now)),
            Self::RestartWith(credentials) => {
                format!("{:?}", agent.restart_with(credentials, now))
            }
            Self::SetPower(power) => format!("{:?}", agent.set_power(power)),
            Self::PeerIsAlive(pair) => format!("{:?}", agent.peer_is_alive(pair, now)),
            Self::Close => format!("{:?}", agent.close(now)),
            Self::Datagram(five_tuple, payload) => {
                let datagram = Datagram { five_tuple, payload: &payload };
                format!("{:?}", agent.handle_datagram(datagram, now))
            }
            Self::Timeout => format!("{:?}", agent.handle_timeout(now)),
            Self::Route(length) => format!("{:?}", agent.route(length, now)),
            Self::RouteOn(pair, length) => format!("{:?}", agent.route_on(pair, length, now)),
        })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddBase(address) => write!(f, "base {address}"),
            Self::AddMapped(mapped, base) => write!(f, "mapped {mapped} {base}"),
            Self::AddTcpListener(address) => write!(f, "listener {address}"),
            Self::AddTcpSimultaneousOpen(address) => write!(f, "simultaneous {address}"),
            Self::RemoveBase(address) => write!(f, "base-gone {address}"),
            Self::EndOfBases => f.write_str("bases-end"),
            Self::AddStunServer(server) => write!(f, "stun {server}"),
            Self::AddTurnServer(server) => write!(f, "turn {server}"),
            Self::ServerNotFound(server, reason) => {
                write!(f, "not-found {} {}", Hex(server.as_bytes()), Hex(reason.as_bytes()))
            }
            Self::Connected(ServerConnection(number), None) => write!(f, "unconnected {number}"),
            Self::Connected(ServerConnection(number), Some(path)) => {
                write!(f, "connected {number} {}", Path(*path))
            }
            Self::Disconnected(ServerConnection(number)) => write!(f, "disconnected {number}"),
            Self::PeerConnected(PairId(pair), None) => write!(f, "peer-unconnected {pair}"),
            Self::PeerConnected(PairId(pair), Some(path)) => {
                write!(f, "peer-connected {pair} {}", Path(*path))
            }
            Self::PeerDisconnected(path) => write!(f, "peer-disconnected {}", Path(*path)),
            Self::SetRemoteWithoutIce(address) => write!(f, "without-ice {address}"),
            Self::SetRemoteCredentials(Credentials { ufrag, password }) => {
                write!(f, "remote {ufrag} {}", password.as_str())
            }
            Self::SetRemoteAbilities(abilities) => write_abilities(*abilities, f),
            Self::AddRemoteCandidate(candidate) => write!(f, "candidate {candidate}"),
            Self::RemoveRemoteCandidate(candidate) => write!(f, "candidate-gone {candidate}"),
            Self::EndOfRemoteCandidates => f.write_str("candidates-end"),
            Self::Restart => f.write_str("restart"),
            Self::RestartWith(Credentials { ufrag, password }) => {
                write!(f, "restart-with {ufrag} {}", password.as_str())
            }
            Self::SetPower(Power::Normal) => f.write_str("power normal"),
            Self::SetPower(Power::Saving) => f.write_str("power saving"),
            Self::PeerIsAlive(PairId(pair)) => write!(f, "alive {pair}"),
            Self::Close => f.write_str("close"),
            Self::Datagram(path, payload) => write!(f, "datagram {} {}", Path(*path), Hex(payload)),
            Self::Timeout => f.write_str("timeout"),
            Self::Route(length) => write!(f, "route {length}"),
            Self::RouteOn(PairId(pair), length) => write!(f, "route-on {pair} {length}"),
        }
    }
}

fn write_abilities(abilities: Abilities, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Abilities { lite, ice2, renomination2, renomination, pacing } = abilities;
    let pacing = pacing.as_nanos();
    write!(f, "abilities {lite} {ice2} {renomination2} {renomination} {pacing}")
}

impl FromStr for Input {
    /// The part that cannot be read.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut fields = Fields(text.split_ascii_whitespace());
        let verb = fields.0.next().ok_or("the input's name")?;
        let input = match verb {
            "base" => Self::AddBase(fields.parse("the address")?),
            "mapped" => Self::AddMapped(fields.parse("the address")?, fields.parse("the base")?),
            "listener" => Self::AddTcpListener(fields.parse("the address")?),
            "simultaneous" => Self::AddTcpSimultaneousOpen(fields.parse("the address")?),
            "base-gone" => Self::RemoveBase(fields.parse("the address")?),
            "bases-end" => Self::EndOfBases,
            "stun" => Self::AddStunServer(fields.parse("the address")?),
            "turn" => Self::AddTurnServer(fields.parse("the address")?),
            "not-found" => Self::ServerNotFound(fields.text()?, fields.text()?),
            "unconnected" => Self::Connected(ServerConnection(fields.parse("the number")?), None),
            "connected" => {
                let connection = ServerConnection(fields.parse("the number")?);
                Self::Connected(connection, Some(fields.path()?))
            }
            "disconnected" => Self::Disconnected(ServerConnection(fields.parse("the number")?)),
            "peer-unconnected" => Self::PeerConnected(PairId(fields.parse("the pair")?), None),
            "peer-connected" => {
                let pair = PairId(fields.parse("the pair")?);
                Self::PeerConnected(pair, Some(fields.path()?))
            }
            "peer-disconnected" => Self::PeerDisconnected(fields.path()?),
            "without-ice" => Self::SetRemoteWithoutIce(fields.parse("the address")?),
            "remote" => Self::SetRemoteCredentials(fields.credentials()?),
            "abilities" => Self::SetRemoteAbilities(fields.abilities()?),
            "candidate" => return candidate_in(text).map(Self::AddRemoteCandidate),
            "candidate-gone" => return candidate_in(text).map(Self::RemoveRemoteCandidate),
            "candidates-end" => Self::EndOfRemoteCandidates,
            "restart" => Self::Restart,
            "restart-with" => Self::RestartWith(fields.credentials()?),
            "power" => Self::SetPower(fields.power()?),
            "alive" => Self::PeerIsAlive(PairId(fields.parse("the pair")?)),
            "close" => Self::Close,
            "datagram" => Self::Datagram(fields.path()?, fields.bytes()?),
            "timeout" => Self::Timeout,
            "route" => Self::Route(fields.parse("the length")?),
            "route-on" => {
                Self::RouteOn(PairId(fields.parse("the pair")?), fields.parse("the length")?)
            }
            _ => return Err("the input's name"),
        };
        if fields.0.next().is_some() { Err("what stands behind the input") } else { Ok(input) }
    }
}

/// What follows the input's name.
fn candidate_in(text: &str) -> Result<Candidate, &'static str> {
    let (_, candidate) = text.split_once(' ').ok_or("the candidate")?;
    candidate.parse().map_err(|_| "the candidate")
}

/// The words of a line, front to back.
struct Fields<'a>(SplitAsciiWhitespace<'a>);

impl Fields<'_> {
    fn parse<T: FromStr>(&mut self, what: &'static str) -> Result<T, &'static str> {
        self.0.next().and_then(|word| word.parse().ok()).ok_or(what)
    }

    fn path(&mut self) -> Result<FiveTuple, &'static str> {
        let transport = match self.0.next() {
            Some("udp") => Transport::Udp,
            Some("tcp") => Transport::Tcp,
            Some("tls") => Transport::Tls,
            Some("dtls") => Transport::Dtls,
            _ => return Err("the transport"),
        };
        let (local, remote) = (self.parse("the local address")?, self.parse("the remote address")?);
        Ok(FiveTuple { transport, local, remote })
    }

    fn credentials(&mut self) -> Result<Credentials, &'static str> {
        let (ufrag, password) = (self.0.next().unwrap_or(""), self.0.next().unwrap_or(""));
        Credentials::new(ufrag, password).map_err(|_| "the credentials")
    }

    fn abilities(&mut self) -> Result<Abilities, &'static str> {
        Ok(Abilities {
            lite: self.parse("an ability")?,
            ice2: self.parse("an ability")?,
            renomination2: self.parse("an ability")?,
            renomination: self.parse("an ability")?,
            pacing: Duration::from_nanos(self.parse("the pacing")?),
        })
    }

    fn power(&mut self) -> Result<Power, &'static str> {
        match self.0.next() {
            Some("normal") => Ok(Power::Normal),
            Some("saving") => Ok(Power::Saving),
            _ => Err("the power mode"),
        }
    }

    fn text(&mut self) -> Result<String, &'static str> {
        String::from_utf8(self.bytes()?).map_err(|_| "the text")
    }

    fn bytes(&mut self) -> Result<Vec<u8>, &'static str> {
        read_hex(self.0.next().unwrap_or("")).ok_or("the bytes")
    }
}

/// A five-tuple in three words.
struct Path(FiveTuple);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FiveTuple { transport, local, remote } = self.0;
        write!(f, "{transport} {local} {remote}")
    }
}

/// Bytes in hexadecimal; none as a hyphen.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

pub(super) fn read_hex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let digits = text.as_bytes();
    let is_whole = !digits.is_empty() && digits.len().is_multiple_of(2);
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    if is_whole { digits.chunks(2).map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_input_reads_back() {
        for text in [
            "base 192.0.2.1:5000",
            "listener [2001:db8::1]:443",
            "mapped 198.51.100.1:5000 192.0.2.1:5000",
            "base-gone 192.0.2.1:5000",
            "bases-end",
            "stun 192.0.2.9:3478",
            "turn 192.0.2.9:3478",
            "not-found 6869 -",
            "unconnected 3",
            "connected 3 tls 192.0.2.1:5000 192.0.2.9:443",
            "disconnected 3",
            "peer-unconnected 7",
            "peer-connected 7 tcp 192.0.2.1:5000 192.0.2.2:443",
            "peer-disconnected tcp 192.0.2.1:5000 192.0.2.2:443",
            "remote abcd 0123456789012345678901",
            "without-ice 192.0.2.2:5000",
            "abilities false true true false 5000000",
            "candidate candidate:1 1 udp 1 192.0.2.2 5000 typ host",
            "candidates-end",
            "restart",
            "restart-with abcd 0123456789012345678901",
            "power saving",
            "alive 7",
            "close",
            "datagram udp 192.0.2.1:5000 192.0.2.2:5000 00ff",
            "timeout",
            "route 172",
            "route-on 7 172",
        ] {
            let input: Input = text.parse().unwrap_or_else(|what| panic!("{text}: {what}"));
            assert_eq!(input.to_string(), text);
            let longer = alloc::format!("{text} more");
            assert!(longer.parse::<Input>().is_err() || text.starts_with("candidate "));
        }
    }
}
