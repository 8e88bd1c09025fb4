//! Our client machine and an installed coturn.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types)]

mod support;

use pinhole_sansio::{Instant, Transport};
use pinhole_stun::auth::AuthFailure;
use pinhole_turn::client::{Addresses, Config, Event, Port, Reason, SendError};

use support::coturn::{Coturn, LOOPBACK, USER};
use support::driver::{Driver, peer};

const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

#[tokio::test]
async fn data_passes_both_ways_over_every_transport() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    for transport in TRANSPORTS {
        let mut client = Driver::start(&server, transport).await;
        let (relayed, second) = client.allocated().await;
        assert_eq!(second, None);
        let peer = peer("127.0.0.1").await;
        client.permitted(peer.local_addr().unwrap()).await;
        let headers = client.exchange(&peer, relayed).await;
        assert_eq!((headers[0], headers[11]), (36, 4), "{transport}: a channel after a while");
        client.close().await;
    }
}

#[tokio::test]
async fn data_passes_over_ipv6() {
    let Some(server) = Coturn::start("::1", &[LOOPBACK]) else { return };
    for transport in TRANSPORTS {
        let v6 = |config: &mut Config| config.addresses = Addresses::Ipv6;
        let mut client = Driver::with(&server, transport, USER.1, v6).await;
        let (relayed, _) = client.allocated().await;
        assert!(relayed.is_ipv6());
        let peer = peer("::1").await;
        client.permitted(peer.local_addr().unwrap()).await;
        let headers = client.exchange(&peer, relayed).await;
        assert_eq!((headers[0], headers[11]), (48, 4), "{transport}");
    }
}

/// RFC 8656 §7.1. coturn before 4.7 knows ADDITIONAL-ADDRESS-FAMILY by the number of a draft (its issue 1740), and
/// makes one address, which has to do.
#[tokio::test]
async fn a_dual_allocation_reaches_peers_of_its_families() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK, "--relay-ip=::1"]) else { return };
    let both = |config: &mut Config| config.addresses = Addresses::Both;
    let mut client = Driver::with(&server, Transport::Udp, USER.1, both).await;
    let (first, second) = client.allocated().await;
    assert!(second.is_none_or(|second| first.is_ipv4() != second.is_ipv4()));
    for relayed in [Some(first), second].into_iter().flatten() {
        let peer = peer(if relayed.is_ipv4() { "127.0.0.1" } else { "::1" }).await;
        client.permitted(peer.local_addr().unwrap()).await;
        client.exchange(&peer, relayed).await;
    }
}

#[tokio::test]
async fn indications_alone_will_do() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    for transport in TRANSPORTS {
        let mut client =
            Driver::with(&server, transport, USER.1, |config| config.channel_after = None).await;
        let (relayed, _) = client.allocated().await;
        let peer = peer("127.0.0.1").await;
        client.permitted(peer.local_addr().unwrap()).await;
        assert_eq!(client.exchange(&peer, relayed).await, [36; 12], "{transport}");
    }
}

#[tokio::test]
async fn a_channel_can_be_had_at_once() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    for transport in TRANSPORTS {
        let mut client =
            Driver::with(&server, transport, USER.1, |config| config.channel_after = Some(1)).await;
        let (relayed, _) = client.allocated().await;
        let peer = peer("127.0.0.1").await;
        client.permitted(peer.local_addr().unwrap()).await;
        let headers = client.exchange(&peer, relayed).await;
        assert_eq!((headers[0], &headers[2..]), (36, &[4; 10][..]), "{transport}");
    }
}

/// One allocation, several peers.
#[tokio::test]
async fn peers_are_kept_apart() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    let mut client = Driver::start(&server, Transport::Udp).await;
    let (relayed, _) = client.allocated().await;
    let peers = [peer("127.0.0.1").await, peer("127.0.0.1").await, peer("127.0.0.2").await];
    client.permitted(peers[0].local_addr().unwrap()).await;
    client.permitted(peers[2].local_addr().unwrap()).await;
    for peer in peers.iter().chain(&peers) {
        client.exchange(peer, relayed).await;
    }
}

/// RFC 8656 §7.1, EVEN-PORT and RESERVATION-TOKEN.
#[tokio::test]
async fn the_next_port_is_reserved_for_another_client() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    let even = |config: &mut Config| config.port = Port::Even;
    let (relayed, _) = Driver::with(&server, Transport::Udp, USER.1, even).await.allocated().await;
    assert!(relayed.port().is_multiple_of(2));
    let pair = |config: &mut Config| config.port = Port::Pair;
    let mut first = Driver::with(&server, Transport::Udp, USER.1, pair).await;
    let (relayed, _) = first.allocated().await;
    assert!(relayed.port().is_multiple_of(2));
    let token = first.client.reservation().expect("a token");
    let reserved = |config: &mut Config| config.port = Port::Reserved(token);
    let mut second = Driver::with(&server, Transport::Udp, USER.1, reserved).await;
    let (next, _) = second.allocated().await;
    assert_eq!(next.port(), relayed.port() + 1);
    let peer = peer("127.0.0.1").await;
    second.permitted(peer.local_addr().unwrap()).await;
    second.exchange(&peer, next).await;
}

/// RFC 8016. Over UDP only: on a stream, coturn 4.6 answers to the ticket with eight bytes of a FINGERPRINT.
#[tokio::test]
async fn an_allocation_comes_along_to_another_path() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK, "--mobility"]) else { return };
    let mobile = |config: &mut Config| config.mobility = true;
    let mut client = Driver::with(&server, Transport::Udp, USER.1, mobile).await;
    let (relayed, _) = client.allocated().await;
    let peer = peer("127.0.0.1").await;
    client.permitted(peer.local_addr().unwrap()).await;
    client.exchange(&peer, relayed).await;
    for _ in 0..3 {
        client.migrate(&server, Transport::Udp).await;
        client.exchange(&peer, relayed).await;
    }
}

/// RFC 8489 §9.2.4: 438 in the middle of anything.
#[tokio::test]
async fn a_stale_nonce_is_no_obstacle() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK, "--stale-nonce=1"]) else { return };
    for transport in TRANSPORTS {
        let mut client = Driver::start(&server, transport).await;
        let (relayed, _) = client.allocated().await;
        let peer = peer("127.0.0.1").await;
        client.permitted(peer.local_addr().unwrap()).await;
        // The server's clock is its own: it is asked for one permission after the other until the second is over.
        for number in 1_u16.. {
            client.exchange(&peer, relayed).await;
            let [high, low] = number.to_be_bytes();
            client.permitted(([127, 1, high, low], 9).into()).await;
            if client.errors.contains(&438) {
                break;
            }
            assert!(client.now() < Instant::from_millis(60_000), "after {number} permissions");
        }
        client.exchange(&peer, relayed).await;
        assert_eq!(client.errors, [401, 438], "{transport}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    for transport in TRANSPORTS {
        let mut client = Driver::with(&server, transport, "guess", |_| {}).await;
        let refused = Reason::Credentials(AuthFailure::Refused);
        assert_eq!(client.lost().await, refused, "{transport}");
        assert_eq!(client.errors, [401, 401]);
    }
}

#[tokio::test]
async fn a_quota_is_told() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK, "--user-quota=2"]) else { return };
    let mut clients = vec![];
    for _ in 0..2 {
        let mut client = Driver::start(&server, Transport::Udp).await;
        client.allocated().await;
        clients.push(client);
    }
    let mut third = Driver::start(&server, Transport::Udp).await;
    assert_eq!(third.lost().await, Reason::Code(486));
}

#[tokio::test]
async fn a_denied_peer_is_told() {
    let Some(server) = Coturn::start("127.0.0.1", &[]) else { return };
    let mut client = Driver::start(&server, Transport::Udp).await;
    client.allocated().await;
    let peer = "127.0.0.1".parse().unwrap();
    let now = client.now();
    client.client.permit(peer, now);
    assert_eq!(client.event().await, Event::Refused { peer, reason: Reason::Code(403) });
    let refused = client.send((peer, 9).into(), b"hello").await.unwrap_err();
    assert_eq!(refused, SendError::Refused(Reason::Code(403)));
}
