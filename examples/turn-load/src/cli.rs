//! The command line, and what becomes of it.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{ArgGroup, Parser};
use pinhole_io::{LookupError, Resolver, Trust, resolve_numeric};
use pinhole_sansio::Transport;
use pinhole_stun::resolve::ServerAddress;
use pinhole_stun::{Credentials, Host, Scheme, Uri};
use pinhole_turn::credential::SharedSecret;
use turn_load::{Settings, Sources, Target};

/// Loads a TURN server, and measures it.
#[derive(Debug, Parser)]
#[command(version, group = ArgGroup::new("credentials").required(true).args(["user", "secret"]))]
pub(crate) struct Arguments {
    /// The server, as turn:HOST[:PORT][?transport=udp|tcp] or turns:HOST[:PORT]
    #[arg(long, value_name = "URI")]
    server: Uri,
    /// The user that the allocations belong to
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Option<String>,
    /// Make time-limited credentials with the secret that is shared with the server
    #[arg(long)]
    secret: Option<String>,
    /// How many allocations to make
    #[arg(long, default_value_t = 50, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    allocations: u32,
    /// Packets a second, all allocations and both directions together; 0 only holds the allocations
    #[arg(long, default_value_t = 10_000, value_name = "PACKETS",
          value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    rate: u64,
    /// Bytes of a packet, without TURN's header
    #[arg(long, default_value_t = 172, value_name = "BYTES",
          value_parser = clap::value_parser!(u32).range(Settings::MIN_SIZE as i64..=Settings::MAX_SIZE as i64))]
    size: u32,
    /// How long to send, or to hold
    #[arg(long, default_value_t = 10, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(..=86_400))]
    seconds: u64,
    /// Threads to share the work among
    #[arg(long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Send rows of packets with one call, as senders of video do (GSO)
    #[arg(long)]
    gso: bool,
    /// Send in Send indications, and bind no channels
    #[arg(long)]
    indications: bool,
    /// Let clients send to each other's relayed addresses, two by two, in place of peers
    #[arg(long)]
    between_clients: bool,
    /// Where the peers are: an address of this machine that the server reaches; by default the one that faces it
    #[arg(long, value_name = "ADDRESS")]
    peer_ip: Option<IpAddr>,
    /// Where the clients come from, in turn: addresses of this machine, such as 127.0.1.0/24; servers limit what one
    /// address may do
    #[arg(long, value_name = "ADDRESS/BITS")]
    source_ips: Option<Sources>,
    /// Believe this certificate, or those that it vouches for (PEM), besides the system's
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The server's process on this machine: measure its CPU time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Arguments {
    /// Looks up what has to be looked up.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let target = self.target()?;
        let peer = match self.peer_ip {
            Some(ip) => ip,
            None => facing(target.server.address)
                .map_err(|error| format!("{}: {error}", target.server.address))?,
        };
        let server = target.server.address;
        if self.source_ips.is_some_and(|sources| sources.of(0).is_ipv4() != server.is_ipv4()) {
            return Err(format!("--source-ips: {server} is of the other IP version"));
        }
        Ok(Settings {
            target,
            credentials: self.credentials()?,
            allocations: self.allocations as usize,
            rate: self.rate,
            size: self.size as usize,
            duration: Duration::from_secs(self.seconds),
            threads: self.threads as usize,
            gso: self.gso,
            indications: self.indications,
            between_clients: self.between_clients,
            peer,
            sources: self.source_ips,
            pid: self.pid,
        })
    }

    fn target(&self) -> Result<Target, String> {
        if !matches!(self.server.scheme, Scheme::Turn | Scheme::Turns) {
            return Err(format!("{} is no TURN server's URI: turn: or turns:", self.server));
        }
        let server = self.look_up().map_err(|error| format!("{}: {error}", self.server))?;
        let tls = match server.transport {
            Transport::Tls => Some(self.trust()?.client_config().map_err(|e| e.to_string())?),
            Transport::Udp | Transport::Tcp | Transport::Dtls => None,
        };
        Ok(Target { server, host: self.server.host.clone(), tls })
    }

    /// The first address that the URI leads to: a load is put on one server.
    fn look_up(&self) -> Result<ServerAddress, LookupError> {
        const SPOKEN: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
        let found = match &self.server.host {
            Host::Ip(_) => resolve_numeric(&self.server, &SPOKEN)?,
            Host::Name(_) => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(async { Resolver::system()?.resolve(&self.server, &SPOKEN).await })?,
        };
        found.into_iter().next().ok_or_else(|| LookupError::NotFound(self.server.host.to_string()))
    }

    fn trust(&self) -> Result<Trust, String> {
        let Some(file) = &self.trust else { return Ok(Trust::default()) };
        let unusable = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| unusable(&error))?;
        Trust::default().with_pem(&text).map_err(|error| unusable(&error))
    }

    fn credentials(&self) -> Result<Credentials, String> {
        if let Some(secret) = &self.secret {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now = now.map_err(|error| error.to_string())?;
            let until = now + Duration::from_secs(self.seconds) + A_DAY;
            let issued = SharedSecret::new(secret.as_bytes()).issue("turn-load", until);
            return Credentials::new(&issued.username, &issued.password)
                .map_err(|error| error.to_string());
        }
        let user = self.user.as_deref().unwrap_or_default();
        let (name, password) =
            user.split_once(':').ok_or("--user: NAME:PASSWORD, with a colon in between")?;
        Credentials::new(name, password).map_err(|error| format!("--user: {error}"))
    }
}

/// The address of this machine that packets to the server come from.
fn facing(server: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

/// Time-limited credentials outlive the run, whatever the server's clock says.
const A_DAY: Duration = Duration::from_secs(86_400);
