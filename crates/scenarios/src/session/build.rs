//! The hosts of a session: two agents, a STUN server, a TURN server.

use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::TurnServer as TurnServerConfig;
use pinhole_netsim::{Conditions, HostId, World};
use pinhole_sansio::{Instant, Transport};
use pinhole_stun::Credentials;

use super::{Program, SessionConfig, Side, Spot};
use crate::node::{AgentNode, HTTPS_PORT, SERVER_PORT, StunServer, TurnServer, TurnStart, USER};

pub(super) fn add_agent(
    world: &mut World,
    config: &SessionConfig,
    side: Side,
    programs: &[Program; 2],
) -> (HostId<AgentNode>, Spot) {
    let index = side as usize;
    let place = config.places[index];
    let name = ["a", "b"][index];
    let (network, site) = place.build(world, name);
    let start = programs[index].start(side, config);
    let host =
        world.host(name).on(network).family(place.family()).link(config.access[index].clone());
    let id = host.start_with(|addresses| AgentNode::new(start, addresses, Instant::ZERO));
    let link = world.links(id)[0];
    (id, Spot { link, site })
}

/// A STUN server on the core, at an address of each family.
pub(super) fn add_stun_servers(world: &mut World) -> [SocketAddr; 2] {
    let host = world.host("stun").family(pinhole_netsim::Family::Dual);
    let server =
        host.link(Conditions::latency(Duration::from_millis(5))).start(StunServer::default());
    let addresses = world.addresses(server);
    let [first, second] = addresses[..] else { unreachable!("one address of each family") };
    [first, second].map(|ip| SocketAddr::new(ip, SERVER_PORT))
}

/// A TURN server on the core, and how agents find it: over UDP, and over TCP on the port that gets through everywhere.
pub(super) fn add_turn_server(
    world: &mut World,
    start: TurnStart,
    password: &str,
) -> (Option<HostId<TurnServer>>, Vec<TurnServerConfig>) {
    let user = Credentials::new(USER, password).expect("both are plain");
    let host = world.host("turn").family(pinhole_netsim::Family::Dual);
    let server = host
        .link(Conditions::latency(Duration::from_millis(5)))
        .start_with(|addresses| TurnServer::new(start, addresses));
    let addresses = world.addresses(server);
    let ways = [(SERVER_PORT, Transport::Udp), (HTTPS_PORT, Transport::Tcp)];
    let found = ways.into_iter().flat_map(|(port, transport)| {
        let user = user.clone();
        let server =
            move |ip| TurnServerConfig::new(SocketAddr::new(ip, port), transport, user.clone());
        addresses.clone().into_iter().map(server)
    });
    (Some(server), found.collect())
}
