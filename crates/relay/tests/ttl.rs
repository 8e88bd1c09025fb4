//! The TTL of what is translated between IPv4 and IPv6 (RFC 8656 §13, RFC 7915 §4).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs
)]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use pinhole_relay::{Server, Settings};
use socket2::SockRef;
use support::{LOOPBACK, UdpClient, address, settings, socket, start};

/// What a socket receives next, and how many hops it had left.
fn received(socket: &UdpSocket) -> (usize, i32) {
    let mut buffer = [0; 2_048];
    let mut buffers = [std::io::IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!([u8; 64]);
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::empty());
    let message = recvmsg::<SockaddrStorage>(fd, &mut buffers, Some(&mut space), flags).unwrap();
    let hops = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => Some(hops),
        _ => None,
    });
    (message.bytes, hops.unwrap())
}

/// A server that listens here and relays from 127.0.0.1, a client with a channel to a peer, the relayed address.
fn world(listen: &str) -> (Server, UdpClient, UdpSocket, SocketAddr) {
    let settings =
        Settings { listen: vec![listen.parse().unwrap()], relay_ip: vec![LOOPBACK], ..settings(1) };
    let server = start(settings);
    let (mut client, relayed) = UdpClient::allocated(address(&server));
    client.permit(LOOPBACK);
    let peer = socket();
    for _ in 0..20 {
        client.send(peer.local_addr().unwrap(), b"hello");
        assert_eq!(support::received(&peer), (b"hello".to_vec(), relayed));
        peer.send_to(b"hello", relayed).unwrap();
        assert_eq!(client.receive().1, b"hello");
    }
    setsockopt(&peer, sockopt::Ipv4RecvTtl, &true).unwrap();
    (server, client, peer, relayed)
}

#[test]
fn between_ip_versions_each_datagram_has_a_hop_less() {
    let (server, mut client, peer, relayed) = world("[::1]:0");
    setsockopt(client.socket(), sockopt::Ipv6RecvHopLimit, &true).unwrap();
    for hops in [255, 64, 40, 2] {
        SockRef::from(client.socket()).set_unicast_hops_v6(hops).unwrap();
        client.send(peer.local_addr().unwrap(), &[7; 100]);
        assert_eq!(received(&peer), (100, hops as i32 - 1), "to the peer");
        SockRef::from(&peer).set_ttl_v4(hops).unwrap();
        peer.send_to(&[7; 100], relayed).unwrap();
        assert_eq!(received(client.socket()), (104, hops as i32 - 1), "to the client");
    }
    SockRef::from(client.socket()).set_unicast_hops_v6(1).unwrap();
    client.send(peer.local_addr().unwrap(), b"too far");
    SockRef::from(&peer).set_ttl_v4(1).unwrap();
    peer.send_to(b"too far", relayed).unwrap();
    for hops in [9, 9] {
        SockRef::from(client.socket()).set_unicast_hops_v6(hops).unwrap();
        client.send(peer.local_addr().unwrap(), b"near");
        assert_eq!(received(&peer), (4, 8), "what had no hop left is not there");
        SockRef::from(&peer).set_ttl_v4(hops).unwrap();
        peer.send_to(b"near", relayed).unwrap();
        assert_eq!(received(client.socket()), (8, 8));
    }
    assert_eq!(server.metrics().dropped("ttl"), 2);
}

/// RFC 8656 §14 has nothing of it.
#[test]
fn within_one_ip_version_the_system_chooses() {
    let (server, mut client, peer, _) = world("127.0.0.1:0");
    let own = SockRef::from(&socket()).ttl_v4().unwrap();
    SockRef::from(client.socket()).set_ttl_v4(1).unwrap();
    client.send(peer.local_addr().unwrap(), &[7; 100]);
    assert_eq!(received(&peer), (100, own as i32));
    assert_eq!(server.metrics().dropped("ttl"), 0);
}
