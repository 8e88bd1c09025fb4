//! Look-ups, against a name server of the test's own on loopback.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};
use pinhole_io::{LookupError, Resolver, resolve_numeric};
use pinhole_sansio::Transport;
use pinhole_stun::Uri;
use tokio::net::UdpSocket;

/// Answers from a list of names and records, and `NXDOMAIN` to everything else.
async fn name_server(zone: Vec<(&'static str, RData)>) -> Resolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_500];
        loop {
            let (length, source) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            socket.send_to(&answer(&query, &zone).to_vec().unwrap(), source).await.unwrap();
        }
    });
    Resolver::with_name_server(address).unwrap()
}

fn answer(query: &Message, zone: &[(&str, RData)]) -> Message {
    let mut answer = query.clone();
    answer.metadata.message_type = MessageType::Response;
    let question = &query.queries[0];
    let asked = |(name, data): &&(&str, RData)| {
        Name::from_ascii(name).unwrap() == *question.name()
            && data.record_type() == question.query_type()
    };
    answer.answers = zone
        .iter()
        .filter(asked)
        .map(|(_, data)| Record::from_rdata(question.name().clone(), 60, data.clone()))
        .collect();
    if answer.answers.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(192, 0, 2, last)))
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], port))
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[tokio::test]
async fn srv_records_give_host_and_port() {
    // RFC 8489 §8.1.
    let resolver = name_server(vec![
        ("_stun._udp.example.test.", RData::SRV(SRV::new(1, 0, 9_000, name("one.example.test.")))),
        ("_stun._udp.example.test.", RData::SRV(SRV::new(2, 0, 9_001, name("two.example.test.")))),
        ("one.example.test.", a(1)),
        ("two.example.test.", a(2)),
    ])
    .await;
    let servers = resolver.resolve(&uri("stun:example.test"), &[Transport::Udp]).await.unwrap();
    let found: Vec<_> = servers.iter().map(|server| (server.transport, server.address)).collect();
    assert_eq!(found, [(Transport::Udp, address(1, 9_000)), (Transport::Udp, address(2, 9_001))]);
}

#[tokio::test]
async fn without_srv_records_the_address_and_the_default_port_are_used() {
    let resolver = name_server(vec![("example.test.", a(7))]).await;
    for (text, port) in [("stun:example.test", 3_478), ("stun:example.test:99", 99)] {
        let servers = resolver.resolve(&uri(text), &[Transport::Udp]).await.unwrap();
        assert_eq!(
            servers.iter().map(|server| server.address).collect::<Vec<_>>(),
            [address(7, port)]
        );
    }
}

#[tokio::test]
async fn naptr_records_choose_the_transport_of_a_turn_server() {
    // RFC 5928 §3.
    let naptr = |preference, service: &str, replacement| {
        let field = |text: &str| text.as_bytes().into();
        RData::NAPTR(NAPTR::new(
            1,
            preference,
            field("s"),
            field(service),
            field(""),
            name(replacement),
        ))
    };
    let resolver = name_server(vec![
        ("example.test.", naptr(2, "RELAY:turn.udp", "_turn._udp.example.test.")),
        ("example.test.", naptr(1, "RELAY:turn.tcp", "_turn._tcp.example.test.")),
        (
            "_turn._udp.example.test.",
            RData::SRV(SRV::new(1, 0, 5_000, name("relay.example.test."))),
        ),
        (
            "_turn._tcp.example.test.",
            RData::SRV(SRV::new(1, 0, 5_001, name("relay.example.test."))),
        ),
        ("relay.example.test.", a(9)),
    ])
    .await;
    let both = [Transport::Udp, Transport::Tcp];
    let servers = resolver.resolve(&uri("turn:example.test"), &both).await.unwrap();
    let found: Vec<_> = servers.iter().map(|server| (server.transport, server.address)).collect();
    assert_eq!(found, [(Transport::Tcp, address(9, 5_001)), (Transport::Udp, address(9, 5_000))]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_says_so() {
    let resolver = name_server(Vec::new()).await;
    let error = resolver.resolve(&uri("stun:nowhere.test"), &[Transport::Udp]).await.unwrap_err();
    assert_eq!(error.to_string(), "nowhere.test has no address");
    let error = resolver.resolve(&uri("turns:nowhere.test"), &[Transport::Udp]).await.unwrap_err();
    assert!(matches!(error, LookupError::Uri(_)), "{error}");
}

#[test]
fn an_address_needs_no_name_server() {
    let servers = resolve_numeric(&uri("stun:192.0.2.3"), &[Transport::Udp]).unwrap();
    assert_eq!(servers[0].address, address(3, 3_478));
    assert!(resolve_numeric(&uri("stun:example.test"), &[Transport::Udp]).is_err());
}
