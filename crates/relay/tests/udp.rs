//! Clients over UDP, on one worker and on several.

#![allow(clippy::disallowed_types, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, missing_docs)]

mod support;

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, SockaddrStorage, recvmsg};
use pinhole_relay::{Server, Settings, StartError};
use pinhole_stun::Message;
use pinhole_stun::attribute::{UserHash, Username};
use pinhole_turn::client::{Event, Port, Reason};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use socket2::SockRef;
use support::{LOOPBACK, UdpClient, address, received, settings, socket, start};

/// There and back, `count` times.
fn talk(client: &mut UdpClient, relayed: SocketAddr, peer: &UdpSocket, count: u8) {
    let peer_address = peer.local_addr().unwrap();
    for number in 0..count {
        let payload = [number; 100];
        client.send(peer_address, &payload[..number.into()]);
        let (data, from) = received(peer);
        assert_eq!((data.as_slice(), from), (&payload[..number.into()], relayed));
        peer.send_to(&data, relayed).unwrap();
        assert_eq!(client.receive(), (peer_address, data));
    }
}

#[test]
fn payloads_of_all_lengths_pass_both_ways() {
    let server = start(settings(1));
    let (mut client, relayed) = UdpClient::allocated(address(&server));
    client.permit(LOOPBACK);
    // The first ones in indications, and then on a channel.
    talk(&mut client, relayed, &socket(), 100);
    let metrics = server.metrics();
    assert_eq!((metrics.allocations(), metrics.dropped("malformed")), (1, 0));
    server.stop().unwrap();
}

/// RFC 8489 §9.2.3.2: a client that is asked for the hash of its name is known by it, and sends no name.
#[test]
fn names_may_travel_as_hashes() {
    for is_asked in [false, true] {
        let server = start(Settings { username_anonymity: Some(is_asked), ..settings(1) });
        let (mut client, _) = UdpClient::allocated(address(&server));
        client.machine.refresh(client.now());
        let request = client.machine.poll_transmit().unwrap().payload.to_vec();
        let message = Message::parse(&request).unwrap();
        assert_eq!(message.get::<UserHash>().unwrap().is_some(), is_asked);
        assert_eq!(message.get::<Username<'_>>().unwrap().is_none(), is_asked);
    }
}

#[test]
fn clients_of_different_workers_talk_through_two_relays() {
    let server = start(settings(4));
    let mut clients: Vec<_> = (0..8).map(|_| UdpClient::allocated(address(&server))).collect();
    for (client, _) in &mut clients {
        client.permit(LOOPBACK);
    }
    for number in 0..clients.len() {
        let (from, to) = (number, (number + 1) % clients.len());
        let (from_address, to_address) = (clients[from].1, clients[to].1);
        clients[from].0.send(to_address, b"hello");
        assert_eq!(clients[to].0.receive(), (from_address, b"hello".to_vec()));
    }
    assert_eq!(server.metrics().allocations(), 8);
}

/// The client's new socket is another worker's, three times out of four: the chance that none of the
/// moves is to another worker is one in 4^12.
#[test]
fn an_allocation_follows_its_client_to_another_worker() {
    let server = start(settings(4));
    let mut client = UdpClient::new(address(&server), |config| config.mobility = true);
    let Event::Allocated { relayed, .. } = client.event() else { panic!("no allocation") };
    client.permit(LOOPBACK);
    let peer = socket();
    for _ in 0..12 {
        client.migrate();
        talk(&mut client, relayed, &peer, 20);
    }
    assert_eq!(server.metrics().allocations(), 1);
}

/// The second client asks with a token, which its own worker knows nothing of, three times out of four.
#[test]
fn a_reserved_port_is_had_from_any_worker() {
    let server = start(settings(4));
    // A port that a client gave back may be the next one's, and has an allocation.
    let mut clients = vec![];
    for _ in 0..8 {
        let pair = |config: &mut pinhole_turn::client::Config| config.port = Port::Pair;
        let mut first = UdpClient::new(address(&server), pair);
        let Event::Allocated { relayed, .. } = first.event() else { panic!("no allocation") };
        let token = first.machine.reservation().expect("a token");
        let mut second =
            UdpClient::new(address(&server), |config| config.port = Port::Reserved(token));
        let event = second.event();
        let Event::Allocated { relayed: next, .. } = event else { panic!("{event:?}") };
        assert_eq!(next.port(), relayed.port() + 1);
        second.permit(LOOPBACK);
        talk(&mut second, next, &socket(), 3);
        clients.extend([first, second]);
    }
}

#[test]
fn what_the_policy_forbids_is_403_on_the_wire() {
    let server = start(settings(1));
    let (mut client, _) = UdpClient::allocated(address(&server));
    for peer in ["10.0.0.1", "169.254.169.254", "127.0.0.2", "224.0.0.1"] {
        let peer = peer.parse().unwrap();
        let now = client.now();
        client.machine.permit(peer, now);
        assert_eq!(client.event(), Event::Refused { peer, reason: Reason::Code(403) });
    }
}

/// RFC 8656 §11.5: nobody listens at the peer's port.
#[test]
fn icmp_reaches_the_client() {
    let server = start(settings(1));
    let (mut client, _) = UdpClient::allocated(address(&server));
    client.permit(LOOPBACK);
    let nobody = socket().local_addr().unwrap();
    client.send(nobody, b"hello");
    match client.event() {
        Event::PeerUnreachable { peer, icmp } => {
            assert_eq!((peer, icmp.kind, icmp.code), (nobody, 3, 3));
        }
        event => panic!("{event:?}"),
    }
    let listening = socket();
    client.send(listening.local_addr().unwrap(), b"after the error");
    assert_eq!(received(&listening).0, b"after the error");
}

/// CHECKLIST 22 and T15: once the client is told that its allocation is deleted, the port is closed, and
/// the system tells peers so.
#[test]
fn line_22_the_port_of_a_deleted_allocation_is_closed() {
    let server = start(settings(1));
    let (mut client, relayed) = UdpClient::allocated(address(&server));
    client.permit(LOOPBACK);
    let peer = socket();
    talk(&mut client, relayed, &peer, 3);
    let now = client.now();
    client.machine.close(now);
    assert_eq!(client.event(), Event::Closed);
    // The answer may leave before the socket is closed, but not the next one.
    let (_next, _) = UdpClient::allocated(address(&server));
    peer.connect(relayed).unwrap();
    peer.send(b"hello").unwrap();
    let told = peer.send(b"hello").unwrap_err();
    assert_eq!(told.kind(), ErrorKind::ConnectionRefused);
}

/// Every second port is somebody else's: whoever comes gets one of the others, and the last gets a 508
/// after as many attempts as are allowed at most.
#[test]
fn ports_that_others_hold_harm_nobody() {
    let first = socket().local_addr().unwrap().port().min(65_400);
    let all = first..first + 40;
    let held = all.clone().step_by(2).map(|port| UdpSocket::bind((LOOPBACK, port)));
    let held: Vec<UdpSocket> = held.filter_map(Result::ok).collect();
    let server = start(Settings {
        relay_ports: Some(format!("{}-{}", all.start, all.end - 1).parse().unwrap()),
        ..settings(1)
    });
    let (mut unharmed, relayed) = UdpClient::allocated(address(&server));
    unharmed.permit(LOOPBACK);
    let mut clients = vec![];
    let refused = all.clone().find_map(|_| {
        let mut client = UdpClient::new(address(&server), |_| {});
        match client.event() {
            Event::Allocated { .. } => {
                clients.push(client);
                None
            }
            event => Some(event),
        }
    });
    assert_eq!(refused, Some(Event::Lost { reason: Reason::Code(508) }));
    assert!(clients.len() < all.len() - held.len(), "{} clients", clients.len());
    talk(&mut unharmed, relayed, &socket(), 3);
}

/// Of several STUN servers, the first that answers tells; if none does, the server does not start.
#[test]
fn an_external_address_is_asked_for_where_somebody_answers() {
    let stun = start(settings(1));
    // No program has this port by chance.
    let nobody = SocketAddr::new(LOOPBACK, 1);
    let ask = |servers: &[SocketAddr]| {
        let external_ip = servers.iter().map(|at| format!("stun:{at}").parse().unwrap()).collect();
        Server::start(&Settings { external_ip, ..settings(1) }.resolve().unwrap())
    };
    let server = ask(&[nobody, address(&stun)]).unwrap();
    let (_, relayed) = UdpClient::allocated(address(&server));
    assert_eq!(relayed.ip(), LOOPBACK);
    assert!(matches!(ask(&[nobody]), Err(StartError::External(LOOPBACK, _))));
}

/// The machines' realm stays, and so does that of the users.
#[test]
fn who_reloads_another_realm_locks_nobody_out() {
    let server = start(settings(1));
    let renamed = Settings { realm: Some("elsewhere".into()), ..settings(1) }.resolve().unwrap();
    let started = settings(1).resolve().unwrap();
    assert_eq!(started.waiting(&renamed), ["realm"]);
    assert!(started.waiting(&started).is_empty());
    server.reload(&renamed).unwrap();
    let _allocated = UdpClient::allocated(address(&server));
}

/// The kernel would share the clients out among both, and half of them would be refused.
#[test]
fn a_second_server_at_the_same_address_does_not_start() {
    let first = start(settings(2));
    let at = address(&first);
    let again = || {
        let settings = Settings { listen: vec![at], ..settings(2) };
        Server::start(&settings.resolve().unwrap())
    };
    let Err(StartError::Listen(place, error)) = again() else { panic!("it has started") };
    assert_eq!((place, error.kind()), (at, ErrorKind::AddrInUse));
    first.stop().unwrap();
    assert!(again().is_ok());
}

/// A client that asks at one address of many is answered from there, and has its allocation there.
#[test]
fn who_listens_everywhere_answers_from_where_it_was_asked() {
    let server = start(Settings {
        listen: vec!["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()],
        relay_ip: vec![LOOPBACK],
        ..settings(2)
    });
    for ip in ["127.0.0.1", "127.0.0.2", "127.3.2.1"] {
        let at = SocketAddr::new(ip.parse().unwrap(), address(&server).port());
        let (mut client, relayed) = UdpClient::allocated(at);
        client.permit(LOOPBACK);
        talk(&mut client, relayed, &socket(), 20);
    }
}

/// Two allocations of one user, on whichever workers, have one budget: a burst of 65,535 bytes, of which
/// every payload takes 1,000.
#[test]
fn the_bandwidth_of_a_user_is_shared_by_his_allocations() {
    let server = start(Settings { bandwidth_per_user: Some(1), ..settings(4) });
    let peer = socket();
    let mut clients: Vec<_> = (0..4).map(|_| UdpClient::allocated(address(&server)).0).collect();
    for client in &mut clients {
        client.permit(LOOPBACK);
    }
    for number in 0..65 {
        clients[number % 4].send(peer.local_addr().unwrap(), &[7; 1_000]);
        assert_eq!(received(&peer).0.len(), 1_000);
    }
    for client in &mut clients {
        client.send(peer.local_addr().unwrap(), &[7; 1_000]);
        client.send(peer.local_addr().unwrap(), &[]);
        assert_eq!(received(&peer).0.len(), 0, "more than the budget is dropped");
    }
    assert_eq!(server.metrics().dropped("user_bandwidth"), 4);
}

#[test]
fn a_quota_counts_over_all_workers() {
    let server = start(Settings { max_allocations_per_user: Some(6), ..settings(4) });
    let clients: Vec<_> = (0..6).map(|_| UdpClient::allocated(address(&server))).collect();
    let mut seventh = UdpClient::new(address(&server), |_| {});
    assert_eq!(seventh.event(), Event::Lost { reason: Reason::Code(486) });
    assert_eq!(clients.len() as u64, server.metrics().allocations());
}

/// What a sender hands to the kernel as one train leaves as the same datagrams, with four bytes in front
/// of each on the way to the client; long ones that would be fragmented, and empty ones, too.
#[test]
fn trains_of_datagrams_keep_their_borders() {
    let server = start(settings(1));
    let (mut client, relayed) = UdpClient::allocated(address(&server));
    client.permit(LOOPBACK);
    let peer = socket();
    talk(&mut client, relayed, &peer, 10);
    let state = UdpSocketState::new(UdpSockRef::from(&peer)).unwrap();
    peer.set_nonblocking(false).unwrap();
    for (segment, length) in
        [(100, 6_400), (1_200, 12_345), (1_448, 14_481), (1_449, 4_347), (3_000, 9_001)]
    {
        let contents: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
        let transmit = Transmit {
            destination: relayed,
            ecn: None,
            contents: &contents,
            segment_size: (state.max_gso_segments() > 1).then_some(segment),
            src_ip: None,
        };
        state.try_send(UdpSockRef::from(&peer), &transmit).unwrap();
        let step = transmit.segment_size.unwrap_or(length);
        for datagram in contents.chunks(step) {
            assert_eq!(client.receive().1, datagram, "{length} bytes in datagrams of {segment}");
        }
    }
}

/// What a socket receives next, and with which Type of Service.
fn received_with_tos(socket: &UdpSocket) -> (usize, u8) {
    let mut buffer = [0; 2_048];
    let mut buffers = [std::io::IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!([u8; 64]);
    let flags = nix::sys::socket::MsgFlags::empty();
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut buffers, Some(&mut space), flags)
            .unwrap();
    let tos = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::Ipv4Tos(tos) => Some(tos),
        _ => None,
    });
    (message.bytes, tos.unwrap())
}

/// RFC 8656 §14: "Set the outgoing value to the incoming value", for DSCP and for ECN, both ways.
#[test]
fn dscp_and_ecn_are_copied() {
    let server = start(settings(1));
    let (mut client, relayed) = UdpClient::allocated(address(&server));
    client.permit(LOOPBACK);
    let peer = socket();
    talk(&mut client, relayed, &peer, 40);
    for socket in [&peer, client.socket()] {
        SockRef::from(socket).set_recv_tos_v4(true).unwrap();
    }
    // Expedited forwarding with ECT(0), a low class with congestion experienced, nothing.
    for tos in [0xba, 0x23, 0] {
        SockRef::from(client.socket()).set_tos_v4(tos).unwrap();
        client.send(peer.local_addr().unwrap(), &[7; 100]);
        assert_eq!(received_with_tos(&peer), (100, tos as u8), "to the peer");
        SockRef::from(&peer).set_tos_v4(tos).unwrap();
        peer.send_to(&[7; 100], relayed).unwrap();
        assert_eq!(received_with_tos(client.socket()), (104, tos as u8), "to the client");
    }
}

/// RFC 8656 §7.2, check 11, and RFC 8489 §10: who comes after the doors are closed is sent to the
/// other server, and who is inside stays.
#[test]
fn a_server_that_drains_sends_new_clients_elsewhere() {
    let other = start(settings(2));
    let alternate = vec![address(&other)];
    let server = start(Settings { alternate, ..settings(2) });
    let (mut inside, relayed) = UdpClient::allocated(address(&server));
    inside.permit(LOOPBACK);
    let draining = Settings { alternate: vec![address(&other)], ..settings(2) }.resolve().unwrap();
    server.drain(draining.alternate.as_ref());
    for _ in 0..4 {
        let (client, _) = UdpClient::allocated(address(&server));
        assert_eq!(client.path.remote, address(&other));
    }
    talk(&mut inside, relayed, &socket(), 10);
    assert_eq!(server.metrics().allocations(), 1);
    server.drain(None);
    let mut refused = UdpClient::new(address(&server), |_| {});
    assert_eq!(refused.event(), Event::Lost { reason: Reason::Code(508) });
    server.reload(&draining).unwrap();
    let (client, _) = UdpClient::allocated(address(&server));
    assert_eq!(client.path.remote, address(&server));
}
