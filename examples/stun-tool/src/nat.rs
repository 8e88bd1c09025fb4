//! `stun-tool nat`: the RFC 5780 report, in words or as JSON.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::discovery::{Behaviour, Config, Discovery, Event, Report};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::Failure;
use pinhole_io::Clock;

use crate::net;

/// The options of `stun-tool nat`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A server of RFC 5780, with two addresses.
    uri: String,
    /// Also measure how long a binding lives without traffic, up to this many seconds. It takes several
    /// times as long.
    #[arg(long)]
    lifetime: Option<u32>,
    /// Prefer the server's IPv6 address.
    #[arg(long)]
    ipv6: bool,
    /// The report as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let server = net::resolve(&arguments.uri, arguments.ipv6).await?;
    let first = net::bind_towards(server).await?;
    let second = net::bind_towards(server).await?;
    let config = Config {
        second: net::local_address(&second)?,
        lifetime: arguments.lifetime.map(|seconds| Duration::from_secs(seconds.into())),
        ..Config::new(server, net::local_address(&first)?)
    };
    let clock = Clock::start();
    let mut discovery = Discovery::new(config, net::seed()?, clock.now());
    let report = match drive(&mut discovery, &first, &second, clock).await? {
        Event::Finished(report) => report,
        Event::Failed(failure) => return Err(Failure::Unanswered(format!("{server}: {failure}"))),
    };
    if arguments.json {
        println!("{}", to_json(&report));
    } else {
        println!("{report}");
    }
    Ok(())
}

/// The loop: send, wait for a datagram on either socket or for the timeout.
async fn drive(
    discovery: &mut Discovery,
    first: &UdpSocket,
    second: &UdpSocket,
    clock: Clock,
) -> Result<Event, Failure> {
    let (first_local, second_local) = (net::local_address(first)?, net::local_address(second)?);
    let (mut one, mut other) = (vec![0; net::MAX_DATAGRAM], vec![0; net::MAX_DATAGRAM]);
    loop {
        while let Some(transmit) = discovery.poll_transmit() {
            let FiveTuple { local, remote, .. } = transmit.five_tuple;
            let socket = if local == first_local { first } else { second };
            socket.send_to(&transmit.payload, remote).await.map_err(net::failure(remote))?;
        }
        if let Some(event) = discovery.poll_event() {
            return Ok(event);
        }
        let deadline = discovery.poll_timeout().unwrap_or(Instant::ZERO);
        let (local, (length, remote), buffer) = tokio::select! {
            received = first.recv_from(&mut one) => (first_local, arrived(received)?, &one),
            received = second.recv_from(&mut other) => (second_local, arrived(received)?, &other),
            () = clock.sleep_until(deadline) => {
                discovery.handle_timeout(clock.now());
                continue;
            }
        };
        let payload = buffer.get(..length).unwrap_or_default();
        let five_tuple = FiveTuple::udp(local, remote);
        discovery.handle_datagram(Datagram { five_tuple, payload }, clock.now());
    }
}

fn arrived(result: std::io::Result<(usize, SocketAddr)>) -> Result<(usize, SocketAddr), Failure> {
    result.map_err(|reason| Failure::Network { what: "receiving".into(), reason })
}

fn to_json(report: &Report) -> Value {
    let name = |behaviour: Option<Behaviour>| behaviour.map(|behaviour| behaviour.to_string());
    json!({
        "local": report.local.to_string(),
        "mapped": report.mapped.to_string(),
        "other": report.other.map(|other| other.to_string()),
        "nat": report.is_translated(),
        "mapping": name(report.mapping),
        "filtering": name(report.filtering),
        "hairpin": report.hairpin,
        "lifetime_s": report.lifetime.map(|lifetime| json!({
            "at_least": lifetime.at_least.as_secs(),
            "less_than": lifetime.less_than.map(|duration| duration.as_secs()),
        })),
        "verdict": report.verdict(),
    })
}
