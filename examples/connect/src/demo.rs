//! The main job: two peers in this process, a signaling server and a STUN server beside them, all on this machine.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use pinhole_ice::CandidatePolicy;
use pinhole_io::{AddressFilter, Clock, IceServer, StunServer};
use signaling_server::{Config as ServerConfig, Server};

use crate::Outcome;
use crate::measure::{self, Measurement};
use crate::network::NetworkSettings;
use crate::report::failure;
use crate::report::timeline::{Timeline, milliseconds};
use crate::room::{self, Ended};

/// Connects Alice and Bob and measures the path between them.
pub(crate) async fn run() -> Result<Outcome> {
    let server = Server::bind(ServerConfig { listen: loopback(), ..ServerConfig::default() }).await;
    let server = server.context("the embedded signaling server cannot listen")?;
    let url = format!("ws://{}/", server.local_addr()?);
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let stun = StunServer::start(loopback()).context("the embedded STUN server cannot listen")?;
    println!(
        "signaling server at {url}, STUN server at {}, both in this process\n",
        stun.address()
    );

    // Both peers are on this machine, so loopback is as good an address as any (RFC 8445 §5.1.1.1).
    let addresses = AddressFilter { loopback: true, ..AddressFilter::default() };
    let settings = NetworkSettings {
        clock: Clock::start(),
        servers: vec![IceServer::stun(format!("stun:{}", stun.address()).parse()?)],
        candidates: CandidatePolicy::All,
        addresses,
        ip_handling: None,
        tcp: false,
        mdns: false,
        patience: None,
    };
    let peers =
        ["alice", "bob  "].map(|name| tokio::spawn(peer(url.clone(), settings.clone(), name)));
    let mut measurements = Vec::new();
    for peer in peers {
        measurements.push(peer.await.context("a peer panicked")??);
    }
    handle.shutdown();
    serving.await.context("the signaling server panicked")?;
    Ok(summarize(&measurements))
}

/// One peer, from the door of the room to the end of the measurement. `None` when there was no path.
async fn peer(
    url: String,
    settings: NetworkSettings,
    name: &'static str,
) -> Result<Option<(&'static str, Measurement)>> {
    let timeline = Timeline::new(settings.clock, name);
    let mut meeting = room::meet(&url, "demo", true, &settings, &timeline).await?;
    if meeting.connect(&timeline).await? == Ended::Failed {
        println!("{name}: {}", meeting.connection.inspect(failure::in_full));
        meeting.signaling.leave(Some("no path was found".to_owned())).await;
        return Ok(None);
    }
    let measurement = measure::run(&meeting.connection).await?;
    Ok(Some((name, measurement)))
}

fn summarize(measurements: &[Option<(&str, Measurement)>]) -> Outcome {
    println!();
    for (name, measured) in measurements.iter().flatten() {
        let rtt = |share| {
            measured.rtt_percentile(share).map_or_else(|| "unknown".to_owned(), milliseconds)
        };
        println!(
            "{name} sent {} datagrams in {}: {} came back ({:.1} % lost), {:.0} Mbit/s, RTT p50 {} p99 {}",
            measured.sent,
            milliseconds(measured.took),
            measured.returned,
            measured.loss(),
            measured.throughput(),
            rtt(0.50),
            rtt(0.99),
        );
    }
    let connected = measurements.iter().all(Option::is_some);
    if connected { Outcome::Connected } else { Outcome::NotConnected }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
