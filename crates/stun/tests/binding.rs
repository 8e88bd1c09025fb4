//! The Binding server: RFC 8489, RFC 5780, RFC 3489, and its limits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::net::SocketAddr;

use pinhole_sansio::{Datagram, FiveTuple, Instant, Transport};
use pinhole_stun::attribute::{
    AttributeWrite, ChangeRequest, ErrorCode, MappedAddress, OtherAddress, Padding, ResponseOrigin,
    ResponsePort, Software, TransmitCounter, UnknownAttributes, XorMappedAddress,
};
use pinhole_stun::binding::{Config, Rate, Server, respond};
use pinhole_stun::{
    AttributeType, Class, Message, MessageWriter, Method, RawAttribute, TransactionId,
};

const CLIENT: &str = "198.51.100.7:5000";
const FIRST: &str = "192.0.2.1:3478";
const SECOND: &str = "192.0.2.2:3479";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn request(attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let id = TransactionId::new([7; 12]);
    let mut writer = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
    for attribute in attributes {
        writer.attribute(*attribute).unwrap();
    }
    writer.finish().to_vec()
}

fn discovery_server() -> Server {
    let alternate = Some((address(FIRST), address(SECOND)));
    Server::new(Config { alternate, rate: None, legacy: true, software: None }, [1; 32])
}

/// The answer to a request that arrived at `local`: the path that it takes, and its bytes.
fn ask(server: &mut Server, local: &str, payload: &[u8]) -> Option<(FiveTuple, Vec<u8>)> {
    let five_tuple = FiveTuple::udp(address(local), address(CLIENT));
    let mut buffer = [0; 2048];
    let datagram = Datagram { five_tuple, payload };
    let answer = server.handle_datagram(datagram, Instant::ZERO, &mut buffer)?;
    Some((answer.five_tuple, answer.payload.to_vec()))
}

/// RFC 5780 §6.1, table 1, for each of the four sockets.
#[test]
fn the_source_of_the_answer_follows_the_table_of_the_rfc() {
    let (ips, ports) = (["192.0.2.1", "192.0.2.2"], [3478, 3479]);
    for (i, j, flags) in (0..16).map(|n| (n & 1, n >> 1 & 1, n >> 2)) {
        let change = ChangeRequest { address: flags & 1 != 0, port: flags & 2 != 0 };
        let at = |i: usize, j: usize| format!("{}:{}", ips[i], ports[j]);
        let (path, answer) = ask(&mut discovery_server(), &at(i, j), &request(&[&change])).unwrap();
        let source = at(i ^ usize::from(change.address), j ^ usize::from(change.port));
        assert_eq!(path, FiveTuple::udp(address(&source), address(CLIENT)));
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.get(), Ok(Some(ResponseOrigin(address(&source)))));
        assert_eq!(answer.get(), Ok(Some(OtherAddress(address(&at(i ^ 1, j ^ 1))))));
        assert_eq!(answer.get(), Ok(Some(MappedAddress(address(CLIENT)))));
        assert_eq!(answer.get(), Ok(Some(XorMappedAddress(address(CLIENT)))));
    }
}

#[test]
fn response_port_and_padding_are_obeyed_and_exclude_each_other() {
    let mut server = discovery_server();
    let (path, _) = ask(&mut server, FIRST, &request(&[&ResponsePort(9)])).unwrap();
    assert_eq!(path.remote, address("198.51.100.7:9"));

    let padding = Padding(&[7; 1500]);
    let padded = request(&[&padding]);
    let (_, answer) = ask(&mut server, FIRST, &padded).unwrap();
    assert_eq!(Message::parse(&answer).unwrap().get(), Ok(Some(padding)));
    assert!(answer.len() < padded.len() + 64, "no amplifier");

    let both = request(&[&ResponsePort(9), &padding]);
    let (path, answer) = ask(&mut server, FIRST, &both).unwrap();
    assert_eq!(path.remote, address(CLIENT));
    assert_eq!(Message::parse(&answer).unwrap().get(), Ok(Some(ErrorCode::bare(400))));
}

#[test]
fn a_server_with_one_address_does_not_know_the_attributes_of_discovery() {
    let mut server = Server::new(Config::default(), [1; 32]);
    let wishes = ChangeRequest { address: true, port: false };
    let (path, answer) = ask(&mut server, FIRST, &request(&[&wishes])).unwrap();
    assert_eq!(path.local, address(FIRST));
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(answer.get(), Ok(Some(ErrorCode::bare(420))));
    let unknown = answer.get::<UnknownAttributes<'_>>().unwrap().unwrap();
    assert!(unknown.iter().eq([AttributeType::CHANGE_REQUEST]));
    let (_, answer) = ask(&mut server, FIRST, &request(&[])).unwrap();
    assert_eq!(Message::parse(&answer).unwrap().get::<OtherAddress>(), Ok(None));
}

#[test]
fn an_unknown_attribute_is_refused_on_the_path_of_the_request() {
    let unknown = RawAttribute { kind: AttributeType::new(0x7777), value: &[] };
    let change = ChangeRequest { address: true, port: true };
    let (path, answer) =
        ask(&mut discovery_server(), FIRST, &request(&[&change, &unknown])).unwrap();
    assert_eq!(path, FiveTuple::udp(address(FIRST), address(CLIENT)));
    assert_eq!(Message::parse(&answer).unwrap().get(), Ok(Some(ErrorCode::bare(420))));
}

#[test]
fn peers_of_rfc_3489_are_answered_only_where_that_is_wanted() {
    let mut old = request(&[&ChangeRequest { address: true, port: false }]);
    old[4..8].copy_from_slice(&[1, 2, 3, 4]);
    let mut server = Server::new(Config::default(), [1; 32]);
    assert_eq!(ask(&mut server, FIRST, &old), None);
    let (path, answer) = ask(&mut discovery_server(), FIRST, &old).unwrap();
    assert_eq!(path.local, address("192.0.2.2:3478"));
    assert_eq!(answer[4..20], old[4..20]);
}

#[test]
fn the_number_of_the_transmission_comes_back() {
    let counter = TransmitCounter { request: 3, response: 0 };
    let mut buffer = [0; 64];
    let answer = respond(&request(&[&counter]), address(CLIENT), &mut buffer).unwrap();
    assert_eq!(Message::parse(answer).unwrap().get(), Ok(Some(counter)));
}

#[test]
fn software_is_named_only_by_a_server_that_was_told_to() {
    let config = Config { software: Some("pinhole".into()), ..Config::default() };
    let (_, answer) = ask(&mut Server::new(config, [1; 32]), FIRST, &request(&[])).unwrap();
    assert_eq!(Message::parse(&answer).unwrap().get(), Ok(Some(Software("pinhole"))));
    let (_, answer) =
        ask(&mut Server::new(Config::default(), [1; 32]), FIRST, &request(&[])).unwrap();
    assert_eq!(Message::parse(&answer).unwrap().get::<Software<'_>>(), Ok(None));
}

/// Checklist 1a, line 12: a thousand requests in a second from one address that nobody has verified get
/// at most twenty answers; over TCP, all.
#[test]
fn line_12_a_flood_over_udp_is_limited_and_over_tcp_it_is_not() {
    let mut server = Server::new(Config::default(), [1; 32]);
    let request = request(&[]);
    let mut answers = |transport| {
        let five_tuple = FiveTuple { transport, local: address(FIRST), remote: address(CLIENT) };
        let datagram = Datagram { five_tuple, payload: &request };
        let mut buffer = [0; 64];
        let mut flood = (0..1_000).map(Instant::from_millis);
        flood
            .by_ref()
            .filter(|&now| server.handle_datagram(datagram, now, &mut buffer).is_some())
            .count()
    };
    assert_eq!(answers(Transport::Tcp), 1_000);
    let rate = Rate::default();
    assert_eq!(answers(Transport::Udp), usize::try_from(rate.burst + rate.per_second - 1).unwrap());
}

/// Checklist 1a, line 12: an answer is at most 1.6 times as long as the request.
#[test]
fn line_12_a_success_is_at_most_1_6_times_the_request() {
    let mut buffer = [0; 64];
    let bytes = request(&[]);
    assert_eq!(respond(&bytes, address(CLIENT), &mut buffer).unwrap().len(), 32);
    assert!(32 <= bytes.len() * 16 / 10);
}

/// Checklist 1a, line 4: the same bytes get the same answer.
#[test]
fn line_4_a_retransmission_gets_the_same_bytes() {
    let mut server = discovery_server();
    let request = request(&[]);
    assert_eq!(ask(&mut server, FIRST, &request), ask(&mut server, FIRST, &request));
}
