//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, ValueEnum};
use pinhole_ice::Role;
use pinhole_io::IpHandling;
use pinhole_stun::{Scheme, Uri};

/// Connects two peers, wherever they are.
///
/// Without arguments, two peers in this process find each other through a signaling server and a STUN server
/// that run in this process too. With --signal, or with --stdio, this is one of two peers on two machines.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
#[command(group = ArgGroup::new("signaling").args(["signal", "stdio"]))]
pub(crate) struct Cli {
    /// Meet the other peer at this signaling server
    #[arg(long, value_name = "ws[s]://HOST:PORT/", requires = "room")]
    pub(crate) signal: Option<String>,
    /// The room to meet in
    #[arg(long, value_name = "NAME", requires = "signal")]
    pub(crate) room: Option<String>,
    /// Do not open the room: somebody must be there already
    #[arg(long, requires = "room")]
    pub(crate) join_only: bool,

    /// Signal by JSON lines on standard input and output
    #[arg(long, requires = "role")]
    pub(crate) stdio: bool,
    /// Which part to take (the offerer is the controlling side)
    #[arg(long, value_enum, requires = "stdio")]
    pub(crate) role: Option<SdpRole>,
    /// Signal candidates one by one, as they are found
    #[arg(long, requires = "stdio")]
    pub(crate) trickle: bool,
    /// On a failure, say on standard error what stood in the way (in rooms this is always said)
    #[arg(long, requires = "stdio")]
    pub(crate) explain: bool,
    /// Use IPv6 addresses too (with --stdio they are left out unless this is given)
    #[arg(long, requires = "stdio")]
    pub(crate) v6: bool,
    /// Accepted for peers that tell whether they will speak DTLS: this program never does
    #[arg(long, requires = "stdio", hide = true)]
    pub(crate) ice_only: bool,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// How to reach the network.
#[derive(Args, Debug)]
pub(crate) struct Network {
    /// A STUN server to learn this side's public address from; may be repeated
    #[arg(long, value_name = "stun:HOST[:PORT]", requires = "signaling", value_parser = stun_uri)]
    pub(crate) stun: Vec<Uri>,
    /// A TURN server to relay through; may be repeated
    #[arg(long, value_name = "turn[s]:HOST[:PORT][?transport=udp|tcp]", requires = "signaling", value_parser = turn_uri)]
    pub(crate) turn: Vec<Uri>,
    /// The user name at the TURN servers
    #[arg(long, requires = "turn")]
    pub(crate) user: Option<String>,
    /// The password at the TURN servers
    #[arg(long = "pass", value_name = "PASSWORD", requires = "turn")]
    pub(crate) password: Option<String>,
    /// Use relayed candidates only
    #[arg(long, requires = "turn")]
    pub(crate) relay_only: bool,
    /// How much of this machine's addresses is used and told (RFC 8828): all of them, those of the default route, or of
    /// these only what servers see
    #[arg(long, value_name = "MODE", value_enum, requires = "signaling")]
    pub(crate) ip_handling: Option<Mode>,
    /// Reach the TURN servers through this HTTP proxy, and use nothing else (the fourth mode of RFC 8828)
    #[arg(long, value_name = "IP:PORT", requires = "turn", conflicts_with = "ip_handling")]
    pub(crate) proxy: Option<SocketAddr>,
    /// How long to try before giving up (39.5 unless given)
    #[arg(long, value_name = "SECONDS", requires = "signaling", value_parser = seconds)]
    pub(crate) patience: Option<Duration>,
    /// Tell names in place of this machine's addresses, and find those behind the other side's, by multicast DNS
    #[arg(long, requires = "signaling")]
    pub(crate) mdns: bool,
    /// Where UDP does not get through, connect over TCP: open connections to the peer, and listen for its own
    #[arg(long, requires = "signaling")]
    pub(crate) tcp: bool,
    /// Use loopback addresses too, to reach a peer on this machine
    #[arg(long, requires = "signaling")]
    pub(crate) loopback: bool,
}

/// The modes of RFC 8828 that need no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// All addresses.
    All,
    /// Those of the default route.
    DefaultRoute,
    /// Of those, only what servers see.
    DefaultRouteOnly,
}

impl Network {
    /// `None` where the command line says nothing.
    pub(crate) fn ip_handling(&self) -> Option<IpHandling> {
        let mode = self.ip_handling.map(|mode| match mode {
            Mode::All => IpHandling::EnumerateAll,
            Mode::DefaultRoute => IpHandling::DefaultRoute,
            Mode::DefaultRouteOnly => IpHandling::DefaultRouteOnly,
        });
        self.proxy.map(IpHandling::ForceProxy).or(mode)
    }
}

/// A side's part in offer/answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SdpRole {
    /// Speaks first.
    Offerer,
    /// Answers.
    Answerer,
}

impl From<SdpRole> for Role {
    /// RFC 8445 §6.1.1.
    fn from(role: SdpRole) -> Self {
        match role {
            SdpRole::Offerer => Self::Controlling,
            SdpRole::Answerer => Self::Controlled,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn stun_uri(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error: pinhole_stun::UriError| error.to_string())?;
    if uri.scheme == Scheme::Stun {
        Ok(uri)
    } else {
        Err("only stun: is spoken here, over UDP".to_owned())
    }
}

fn turn_uri(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error: pinhole_stun::UriError| error.to_string())?;
    if uri.scheme.is_turn() { Ok(uri) } else { Err("expected turn: or turns:".to_owned()) }
}

const EXIT_CODES: &str = "Exit codes: 0 the peers connected; 1 they did not; \
2 the command line, the signaling or the other side's words were wrong.";
