//! What a client asks of its allocation (RFC 8656 §7.1), and what it makes of the answer (§7.3).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::net::SocketAddr;

use common::pair::{Pair, data_path};
use common::{PEER, RELAY, addr};
use pinhole_sansio::Transport;
use pinhole_stun::{Credentials, Message};
use pinhole_turn::attribute::{DontFragment, RequestedTransport, ReservationToken};
use pinhole_turn::client::{
    Addresses, Client, Config, ConnectError, Event, Port, Reason, SendError,
};
use pinhole_turn::server;

/// RFC 8656 §7.1: whoever redeems a token names no family, and takes the one of the reservation.
#[test]
fn a_pair_of_ports_is_asked_for_and_used() {
    for addresses in [Addresses::Ipv4, Addresses::Ipv6] {
        let v6 = |config: &mut server::Config| {
            config.relay_v6 = Some(addr("[2001:db8::1]:0").ip().into());
        };
        let mut first = Pair::new(Transport::Udp, v6, |config| {
            (config.addresses, config.port) = (addresses, Port::Pair);
        });
        let relayed = allocated(&mut first);
        assert_eq!((relayed.port() % 2, relayed.is_ipv6()), (0, addresses == Addresses::Ipv6));
        let token = first.client.reservation().unwrap();

        let alice = Credentials::new("alice", "secret").unwrap();
        let mut config = Config::new(data_path(Transport::Udp, 5_002), alice);
        config.port = Port::Reserved(token);
        first.client = Client::new(config, [3; 32], first.world.now);
        first.settle();
        let second = allocated(&mut first);
        assert_eq!((second.ip(), second.port()), (relayed.ip(), relayed.port() + 1));
    }

    let mut even = Pair::new(Transport::Udp, |_| {}, |config| config.port = Port::Even);
    assert!(allocated(&mut even).port().is_multiple_of(2) && even.client.reservation().is_none());
}

fn allocated(pair: &mut Pair) -> SocketAddr {
    match pair.client.poll_event() {
        Some(Event::Allocated { relayed, .. }) => relayed,
        other => panic!("{other:?}"),
    }
}

/// RFC 8656 §10.1 and §12.1: no XOR-PEER-ADDRESS of a family without a relayed address is sent.
#[test]
fn a_peer_of_the_other_family_is_refused_without_a_request() {
    let other = addr("[2001:db8::7]:9000");
    let refused = Event::Refused { peer: other.ip(), reason: Reason::Family };
    let mut udp = Pair::new(Transport::Udp, |_| {}, |_| {});
    let (now, before) = (udp.world.now, udp.requests.len());
    let _allocated = udp.client.poll_event();
    assert_eq!(udp.client.send(other, 4, now), Err(SendError::Refused(Reason::Family)));
    udp.client.permit(other.ip(), now);
    udp.settle();
    assert_eq!(udp.client.poll_event(), Some(refused.clone()));
    assert_eq!(udp.client.poll_event(), Some(refused));
    assert_eq!(udp.requests.len(), before);
    let mut tcp = Pair::tcp();
    assert_eq!(tcp.client.connect(other, now), Err(ConnectError::Family));

    let v6 = |config: &mut server::Config| {
        config.relay_v6 = Some("2001:db8::1".parse::<std::net::IpAddr>().unwrap().into());
    };
    let mut dual = Pair::new(Transport::Udp, v6, both);
    let _allocated = dual.client.poll_event();
    dual.client.permit(other.ip(), now);
    dual.settle();
    assert_eq!(dual.client.poll_event(), Some(Event::Permitted { peer: other.ip() }));
}

/// RFC 6062 §4.1: "The request MUST NOT include a DONT-FRAGMENT, RESERVATION-TOKEN, or EVEN-PORT attribute"; RFC 8656
/// §7.1: no ADDITIONAL-ADDRESS-FAMILY with the R bit.
#[test]
fn wishes_that_exclude_each_other_are_not_sent_together() {
    for port in [Port::Even, Port::Pair, Port::Reserved(ReservationToken([7; 8]))] {
        let wishes = |config: &mut Config| {
            config.requested_transport = RequestedTransport::TCP;
            (config.port, config.dont_fragment) = (port, true);
        };
        let mut tcp = Pair::new(Transport::Tcp, |_| {}, wishes);
        assert!(matches!(tcp.client.poll_event(), Some(Event::Allocated { .. })), "{port:?}");
    }
    let pair_of_both = |config: &mut Config| {
        (config.port, config.addresses) = (Port::Pair, Addresses::Both);
    };
    let mut udp = Pair::new(Transport::Udp, |_| {}, pair_of_both);
    assert!(matches!(udp.client.poll_event(), Some(Event::Allocated { second: None, .. })));
    assert!(udp.client.reservation().is_some());
}

#[test]
fn df_is_asked_for_where_the_server_can() {
    let mut able = Pair::new(
        Transport::Udp,
        |config| config.dont_fragment = true,
        |config| config.dont_fragment = true,
    );
    able.client.permit(addr(PEER).ip(), able.world.now);
    able.settle();
    let route = able.client.send_unfragmented(addr(PEER), 4, able.world.now).unwrap();
    let bytes = [&route.header[..], b"data"].concat();
    assert_eq!(Message::parse(&bytes).unwrap().get(), Ok(Some(DontFragment)));
    let server::Received::ToPeer(to_peer) = able.world.input(able.path, &bytes) else { panic!() };
    assert!(to_peer.dont_fragment);
    assert_eq!(&bytes[to_peer.payload], b"data");

    let mut unable = Pair::new(Transport::Udp, |_| {}, |config| config.dont_fragment = true);
    assert!(matches!(unable.client.poll_event(), Some(Event::Allocated { .. })));
    assert_eq!(unable.requests.len(), 3, "a challenge, a 420, and without");
    unable.client.permit(addr(PEER).ip(), unable.world.now);
    unable.settle();
    let refused = unable.client.send_unfragmented(addr(PEER), 4, unable.world.now);
    assert_eq!(refused, Err(SendError::MayFragment));
}

fn both(config: &mut Config) {
    config.addresses = Addresses::Both;
}

/// RFC 8656 §7.3: "the client MUST NOT retry its request for the rejected address type", nor any (§7.4).
#[test]
fn a_family_that_the_server_has_not_is_not_asked_for_again() {
    let mut dual = Pair::new(Transport::Udp, |_| {}, both);
    assert!(matches!(dual.client.poll_event(), Some(Event::Allocated { second: None, .. })));
    assert_eq!(dual.requests.len(), 2, "a challenge, and its answer");
    let mut v6 = Pair::new(Transport::Udp, |_| {}, |config| config.addresses = Addresses::Ipv6);
    assert_eq!(v6.client.poll_event(), Some(Event::Lost { reason: Reason::Code(440) }));
    for mut pair in [dual, v6] {
        let before = pair.requests.len();
        pair.advance(std::time::Duration::from_secs(60));
        assert_eq!(pair.requests.len(), before);
    }
}

/// "If these addresses are not part of an address family or families that the client is prepared to handle,
/// then the client MUST delete the allocation" (RFC 8656 §7.3).
#[test]
fn an_allocation_of_another_family_is_deleted() {
    let strange = |config: &mut server::Config| {
        let [bind, external] = [RELAY, "2001:db8::1"].map(|ip| ip.parse().unwrap());
        config.relay_v4 = Some(server::RelayHost { bind, external });
    };
    let mut pair = Pair::new(Transport::Udp, strange, |_| {});
    assert_eq!(pair.client.poll_event(), Some(Event::Lost { reason: Reason::Unusable }));
    assert_eq!(pair.world.server.allocations(), 0);
    assert_eq!(pair.requests.len(), 3, "a challenge, its answer, and the end");
}
