//! URIs (RFC 7064, RFC 7065), and the servers that they lead to (RFC 5928, RFC 8489 §8).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;

use pinhole_sansio::Transport;
use pinhole_stun::resolve::{Answer, Naptr, Query, ResolveError, Resolver, Srv};
use pinhole_stun::{Uri, UriError};

#[test]
fn the_examples_of_the_rfcs_survive_a_round_trip() {
    for text in [
        "stun:example.org",
        "stuns:example.org",
        "stun:example.org:8000",
        "turn:example.org",
        "turns:example.org",
        "turn:example.org:8000",
        "turn:example.org?transport=udp",
        "turn:example.org?transport=tcp",
        "turns:example.org?transport=tcp",
        "stun:192.0.2.1:3478",
        "turn:[2001:db8::1]:443?transport=tcp",
        "stun:[2001:db8::1]",
    ] {
        assert_eq!(text.parse::<Uri>().unwrap().to_string(), text);
    }
    assert_eq!("TURN:h".parse::<Uri>().unwrap().to_string(), "turn:h");
}

#[test]
fn a_text_that_is_no_uri_says_why() {
    for (text, error) in [
        ("example.org", UriError::Scheme),
        ("http:example.org", UriError::Scheme),
        ("stun://example.org", UriError::Slashes),
        ("stun:", UriError::Host),
        ("stun:a b", UriError::Host),
        ("stun:user@example.org", UriError::Host),
        ("stun:[::1", UriError::Host),
        ("stun:[192.0.2.1]", UriError::Host),
        ("stun:example.org:", UriError::Port),
        ("stun:example.org:0", UriError::Port),
        ("stun:example.org:70000", UriError::Port),
        ("stun:example.org:+80", UriError::Port),
        ("stun:2001:db8::1", UriError::Port),
        ("stun:example.org?transport=udp", UriError::Parameter),
        ("turn:example.org?transport=sctp", UriError::Parameter),
        ("turn:example.org?", UriError::Parameter),
    ] {
        assert_eq!(text.parse::<Uri>(), Err(error), "{text}");
    }
}

const ALL: &[Transport] = &[Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls];

/// A zone: what the DNS says. Everything else it does not know.
#[derive(Default)]
struct Zone(BTreeMap<String, Answer>);

impl Zone {
    fn with(mut self, name: &str, answer: Answer) -> Self {
        self.0.insert(name.into(), answer);
        self
    }

    fn addresses(self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.with(name, Answer::Addresses(addresses))
    }

    fn srv(self, name: &str, records: &[(u16, u16, u16, &str)]) -> Self {
        let record = |&(priority, weight, port, target): &(u16, u16, u16, &str)| Srv {
            priority,
            weight,
            port,
            target: target.into(),
        };
        self.with(name, Answer::Srv(records.iter().map(record).collect()))
    }

    fn naptr(self, name: &str, records: &[(u16, &str, &str, &str)]) -> Self {
        let record = |&(order, flags, service, replacement): &(u16, &str, &str, &str)| Naptr {
            order,
            preference: 0,
            flags: flags.into(),
            service: service.into(),
            replacement: replacement.into(),
        };
        self.with(name, Answer::Naptr(records.iter().map(record).collect()))
    }

    /// All servers in their order, as "transport address".
    fn resolve(&self, uri: &str, supported: &[Transport], seed: u8) -> Vec<String> {
        let uri = uri.parse().unwrap();
        let mut resolver = Resolver::new(&uri, supported, [seed; 32]).unwrap();
        let mut servers = Vec::new();
        for _ in 0..200 {
            if let Some(query) = resolver.poll_query() {
                let (Query::Naptr(name) | Query::Srv(name) | Query::Addresses(name)) = &query;
                let answer = self.0.get(name).cloned();
                let fits = matches!(
                    (&query, &answer),
                    (Query::Naptr(_), Some(Answer::Naptr(_)))
                        | (Query::Srv(_), Some(Answer::Srv(_)))
                        | (Query::Addresses(_), Some(Answer::Addresses(_)))
                );
                resolver.handle_answer(answer.filter(|_| fits).unwrap_or(Answer::Srv(vec![])));
            } else if let Some(server) = resolver.poll_server() {
                servers.push(format!("{} {}", server.transport, server.address));
            } else {
                return servers;
            }
        }
        panic!("the resolution does not end");
    }
}

#[test]
fn an_address_needs_no_look_up_and_gets_the_default_port() {
    let zone = Zone::default();
    assert_eq!(zone.resolve("stun:192.0.2.1", &[Transport::Udp], 1), ["udp 192.0.2.1:3478"]);
    let turn = zone.resolve("turn:192.0.2.1:80?transport=tcp", ALL, 1);
    assert_eq!(turn, ["tcp 192.0.2.1:80"]);
    let turns = zone.resolve("turns:[2001:db8::1]", ALL, 1);
    assert_eq!(turns, ["tls [2001:db8::1]:5349", "dtls [2001:db8::1]:5349"]);
}

#[test]
fn a_name_with_a_port_is_looked_up_for_its_addresses_only() {
    let zone = Zone::default()
        .srv("_stun._udp.example.org", &[(0, 0, 9, "wrong.example.org")])
        .addresses("example.org", &["192.0.2.1", "2001:db8::1"]);
    let servers = zone.resolve("stun:example.org:80", &[Transport::Udp], 1);
    assert_eq!(servers, ["udp 192.0.2.1:80", "udp [2001:db8::1]:80"]);
}

#[test]
fn srv_records_come_by_priority_and_without_any_the_name_itself_is_tried() {
    let zone = Zone::default()
        .srv("_stun._udp.example.org", &[(2, 0, 80, "b.example.org."), (1, 0, 81, "a.example.org")])
        .addresses("a.example.org", &["192.0.2.1"])
        .addresses("b.example.org", &["192.0.2.2"])
        .addresses("plain.example.org", &["192.0.2.3"]);
    let servers = zone.resolve("stun:example.org", &[Transport::Udp], 1);
    assert_eq!(servers, ["udp 192.0.2.1:81", "udp 192.0.2.2:80"]);
    assert_eq!(
        zone.resolve("stun:plain.example.org", &[Transport::Udp], 1),
        ["udp 192.0.2.3:3478"]
    );
}

#[test]
fn a_service_that_is_explicitly_absent_has_no_servers() {
    let zone = Zone::default()
        .srv("_stun._udp.example.org", &[(0, 0, 0, ".")])
        .addresses("example.org", &["192.0.2.1"]);
    assert!(zone.resolve("stun:example.org", &[Transport::Udp], 1).is_empty());
}

#[test]
fn weights_decide_how_often_a_record_comes_first() {
    let zone = Zone::default()
        .srv("_stun._udp.example.org", &[(0, 1, 80, "a.example.org"), (0, 3, 80, "b.example.org")])
        .addresses("a.example.org", &["192.0.2.1"])
        .addresses("b.example.org", &["192.0.2.2"]);
    let first = |seed| zone.resolve("stun:example.org", &[Transport::Udp], seed).remove(0);
    let heavy = (0..=255).filter(|seed| first(*seed).contains("192.0.2.2")).count();
    // RFC 2782 draws from 0 to the sum: 3 of 5 in the order of growing weights.
    assert!((120..190).contains(&heavy), "{heavy} of 256");
}

/// RFC 5928 §4.1: the NAPTR records lead to SRV records, in the order of the domain.
#[test]
fn naptr_records_choose_the_transport() {
    let zone = Zone::default()
        .naptr(
            "example.org",
            &[
                (200, "", "RELAY:turn.tcp:turn.tls", "nonterminal.example.org"),
                (100, "", "RELAY:turn.udp", "datagram.example.org"),
                (50, "s", "OTHER:turn.udp", "ignored.example.org"),
            ],
        )
        .naptr("datagram.example.org", &[(100, "s", "RELAY:turn.udp", "_turn._udp.example.org")])
        .naptr("nonterminal.example.org", &[(100, "a", "RELAY:turn.tcp", "a.example.org")])
        .srv("_turn._udp.example.org", &[(0, 0, 5000, "a.example.org")])
        .addresses("a.example.org", &["192.0.2.1"]);
    let servers = zone.resolve("turn:example.org", ALL, 1);
    assert_eq!(servers, ["udp 192.0.2.1:5000", "tcp 192.0.2.1:3478"]);
}

#[test]
fn without_naptr_records_turn_falls_back_to_srv_and_then_to_addresses() {
    let zone = Zone::default()
        .srv("_turn._tcp.example.org", &[(0, 0, 443, "a.example.org")])
        .addresses("a.example.org", &["192.0.2.1"])
        .addresses("example.org", &["192.0.2.9"]);
    let servers = zone.resolve("turn:example.org", ALL, 1);
    assert_eq!(servers, ["udp 192.0.2.9:3478", "tcp 192.0.2.1:443"]);
    let only_tcp = zone.resolve("turn:example.org?transport=tcp", ALL, 1);
    assert_eq!(only_tcp, ["tcp 192.0.2.1:443"]);
}

#[test]
fn naptr_records_in_a_circle_come_to_an_end() {
    let zone = Zone::default().naptr("example.org", &[(0, "", "RELAY:turn.udp", "example.org"); 9]);
    assert!(zone.resolve("turn:example.org", &[Transport::Udp], 1).is_empty());
}

#[test]
fn what_cannot_be_resolved_is_refused_at_once() {
    let refused = |uri: &str, supported: &[Transport]| {
        Resolver::new(&uri.parse().unwrap(), supported, [1; 32]).err()
    };
    assert_eq!(refused("turns:h?transport=tcp", &[Transport::Udp]), Some(ResolveError::Transport));
    assert_eq!(refused("turn:h?transport=udp", &[Transport::Tcp]), Some(ResolveError::Transport));
    assert_eq!(refused("turn:h", &[Transport::Tls]), Some(ResolveError::Transport));
    assert_eq!(refused("stuns:192.0.2.1", ALL), Some(ResolveError::StunsAddress));
}
