//! RFC 5780: our client against our server, through NATs of every kind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::binding::{self, Server};
use pinhole_stun::discovery::{
    Behaviour, Config, Discovery, DiscoveryFailure, Event, Lifetime, Report,
};

use Behaviour::{
    AddressAndPortDependent as Apd, AddressDependent as Ad, EndpointIndependent as Ei,
};

const CLIENT: &str = "10.0.0.2:5000";
const SECOND: &str = "10.0.0.2:5001";
const EXTERNAL: &str = "203.0.113.1";
const SERVER: &str = "192.0.2.1:3478";
const OTHER: &str = "192.0.2.2:3479";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A NAT in the terms of RFC 4787, with no more than this test needs.
struct Nat {
    mapping: Behaviour,
    filtering: Behaviour,
    hairpin: bool,
    lifetime: Duration,
    /// Internal address and the part of the destination that counts, to external port.
    mappings: BTreeMap<(SocketAddr, String), u16>,
    /// What each external port has sent to, and when.
    sent: Vec<(u16, SocketAddr, Instant)>,
}

impl Nat {
    fn new(mapping: Behaviour, filtering: Behaviour) -> Self {
        let lifetime = Duration::from_secs(100_000);
        Self {
            mapping,
            filtering,
            hairpin: false,
            lifetime,
            mappings: BTreeMap::new(),
            sent: vec![],
        }
    }

    fn part(behaviour: Behaviour, remote: SocketAddr) -> String {
        match behaviour {
            Ei => String::new(),
            Ad => remote.ip().to_string(),
            Apd => remote.to_string(),
        }
    }

    /// The source that the destination sees.
    fn outbound(&mut self, path: FiveTuple, now: Instant) -> SocketAddr {
        let free = 40_000 + u16::try_from(self.mappings.len()).unwrap();
        let key = (path.local, Self::part(self.mapping, path.remote));
        let port = *self.mappings.entry(key).or_insert(free);
        self.sent.push((port, path.remote, now));
        SocketAddr::new(EXTERNAL.parse().unwrap(), port)
    }

    /// The internal address that a datagram to this external port reaches.
    fn inbound(&self, port: u16, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let passes = self.sent.iter().any(|(sent_port, to, at)| {
            *sent_port == port
                && now < *at + self.lifetime
                && Self::part(self.filtering, *to) == Self::part(self.filtering, from)
        });
        let ((internal, _), _) = self.mappings.iter().find(|(_, mapped)| **mapped == port)?;
        passes.then_some(*internal)
    }
}

/// Runs the discovery to its end; `None` stands for a network without a NAT.
fn discover(config: Config, mut nat: Option<Nat>, mut server: Server) -> Event {
    let mut now = Instant::ZERO;
    let mut discovery = Discovery::new(config, [3; 32], now);
    for _ in 0..1_000 {
        while let Some(transmit) = discovery.poll_transmit() {
            let path = transmit.five_tuple;
            let seen = nat.as_mut().map_or(path.local, |nat| nat.outbound(path, now));
            if path.remote.ip().to_string() == EXTERNAL {
                let nat = nat.as_ref().filter(|nat| nat.hairpin);
                let Some(local) = nat.and_then(|nat| nat.inbound(path.remote.port(), seen, now))
                else {
                    continue;
                };
                let five_tuple = FiveTuple::udp(local, seen);
                discovery.handle_datagram(Datagram { five_tuple, payload: &transmit.payload }, now);
                continue;
            }
            let arrived = FiveTuple::udp(path.remote, seen);
            let mut buffer = [0; 256];
            let request = Datagram { five_tuple: arrived, payload: &transmit.payload };
            let Some(answer) = server.handle_datagram(request, now, &mut buffer) else { continue };
            let (from, to) = (answer.five_tuple.local, answer.five_tuple.remote);
            let local = match &nat {
                Some(nat) => nat.inbound(to.port(), from, now),
                None => Some(to),
            };
            let Some(local) = local else { continue };
            let five_tuple = FiveTuple::udp(local, from);
            discovery.handle_datagram(Datagram { five_tuple, payload: answer.payload }, now);
        }
        if let Some(event) = discovery.poll_event() {
            return event;
        }
        now = discovery.poll_timeout().unwrap();
        discovery.handle_timeout(now);
    }
    panic!("the discovery does not end");
}

fn server() -> Server {
    let alternate = Some((address(SERVER), address(OTHER)));
    Server::new(binding::Config { alternate, rate: None, ..binding::Config::default() }, [1; 32])
}

fn report(nat: Option<Nat>) -> Report {
    match discover(Config::new(address(SERVER), address(CLIENT)), nat, server()) {
        Event::Finished(report) => report,
        Event::Failed(failure) => panic!("{failure}"),
    }
}

#[test]
fn every_pair_of_mapping_and_filtering_is_recognised() {
    for mapping in [Ei, Ad, Apd] {
        for filtering in [Ei, Ad, Apd] {
            let report = report(Some(Nat::new(mapping, filtering)));
            assert_eq!(report.mapping, Some(mapping), "{filtering}");
            assert_eq!(report.filtering, Some(filtering), "{mapping}");
            assert_eq!(report.hairpin, Some(false));
            assert_eq!(report.mapped.ip().to_string(), EXTERNAL);
        }
    }
}

#[test]
fn the_verdict_says_what_it_means_for_peers() {
    let verdict = |mapping, filtering| report(Some(Nat::new(mapping, filtering))).verdict();
    let symmetric = "symmetric: peers behind port-restricted NATs will need a relay";
    assert_eq!(verdict(Apd, Apd), symmetric);
    assert!(verdict(Ei, Ei).starts_with("full cone"));
    assert!(verdict(Ei, Ad).starts_with("restricted cone"));
    assert!(verdict(Ei, Apd).starts_with("port-restricted cone"));
    assert!(report(None).verdict().starts_with("no NAT"));
}

#[test]
fn a_host_without_a_nat_is_told_so() {
    let report = report(None);
    assert!(!report.is_translated());
    assert_eq!((report.mapping, report.filtering), (Some(Ei), Some(Ei)));
    assert_eq!(report.hairpin, None);
}

#[test]
fn a_hairpinning_nat_is_recognised() {
    let nat = Nat { hairpin: true, ..Nat::new(Ei, Apd) };
    assert_eq!(report(Some(nat)).hairpin, Some(true));
}

#[test]
fn a_server_with_one_address_leaves_mapping_and_filtering_unknown() {
    let server = Server::new(binding::Config::default(), [1; 32]);
    let config = Config::new(address(SERVER), address(CLIENT));
    let Event::Finished(report) = discover(config, Some(Nat::new(Apd, Apd)), server) else {
        panic!("failed");
    };
    assert_eq!((report.mapping, report.filtering), (None, None));
    assert_eq!(report.hairpin, Some(false));
}

#[test]
fn a_server_that_does_not_answer_is_a_failure() {
    let config = Config::new(address("192.0.2.77:3478"), address(CLIENT));
    let mut discovery = Discovery::new(config, [3; 32], Instant::ZERO);
    let mut sent = 0;
    while let Some(now) = discovery.poll_timeout() {
        sent += usize::from(discovery.poll_transmit().is_some());
        discovery.handle_timeout(now);
    }
    assert_eq!(sent, 3);
    assert_eq!(discovery.poll_event(), Some(Event::Failed(DiscoveryFailure::NoAnswer)));
}

#[test]
fn the_lifetime_of_a_binding_is_found() {
    let config = Config {
        second: address(SECOND),
        lifetime: Some(Duration::from_secs(300)),
        ..Config::new(address(SERVER), address(CLIENT))
    };
    let nat = Nat { lifetime: Duration::from_secs(90), ..Nat::new(Ei, Apd) };
    let Event::Finished(report) = discover(config, Some(nat), server()) else { panic!("failed") };
    let Lifetime { at_least, less_than } = report.lifetime.unwrap();
    let less_than = less_than.unwrap();
    let lives = Duration::from_secs(90);
    assert!(at_least <= lives && lives <= less_than, "{at_least:?} to {less_than:?}");
    assert!((less_than - at_least) * 8 <= less_than);
}
