//! TCP allocations (RFC 6062): our client machine and an installed coturn.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types)]

mod support;

use std::net::SocketAddr;

use pinhole_io::ServerStream;
use pinhole_sansio::Transport;
use pinhole_turn::attribute::RequestedTransport;
use pinhole_turn::client::{Event, Reason};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use support::coturn::{Coturn, LOOPBACK, USER};
use support::driver::Driver;
use support::soon;

const STREAMS: [Transport; 2] = [Transport::Tcp, Transport::Tls];

/// A client with a TCP allocation, and its relayed address.
async fn allocated(server: &Coturn, transport: Transport) -> (Driver, SocketAddr) {
    let mut client = Driver::with(server, transport, USER.1, |config| {
        config.requested_transport = RequestedTransport::TCP;
    })
    .await;
    let (relayed, _) = client.allocated().await;
    (client, relayed)
}

/// More bytes than any buffer between holds, in one direction and then the other, and the end of both. Not at once:
/// coturn 4.6 then stops to read from the client at some point, for good.
async fn exchange(mut client: ServerStream, first: Vec<u8>, mut peer: TcpStream) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let up =
        async { tokio::join!(send(&mut client, &bytes), receive(&mut peer, bytes.len(), vec![])) };
    let ((), at_peer) = soon(up).await;
    assert!(at_peer == bytes, "to the peer");
    let down =
        async { tokio::join!(send(&mut peer, &bytes), receive(&mut client, bytes.len(), first)) };
    let ((), at_client) = soon(down).await;
    assert!(at_client == bytes, "from the peer");
    drop(peer);
    assert_eq!(soon(client.read(&mut [0; 10])).await.unwrap_or(0), 0, "the end is relayed");
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
}

/// Reads up to a length; some may have come with the last message before.
async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
    mut bytes: Vec<u8>,
) -> Vec<u8> {
    let before = bytes.len();
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[before..]).await.unwrap();
    bytes
}

/// RFC 6062 §4.3.
#[tokio::test]
async fn the_client_connects_to_a_peer() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    for transport in STREAMS {
        let (mut client, _) = allocated(&server, transport).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        client.permitted(address).await;
        let now = client.now();
        client.client.connect(address, now).unwrap();
        let (stream, first) = client.data_connection(&server, transport, address).await;
        let (peer, _) = soon(listener.accept()).await.unwrap();
        exchange(stream, first, peer).await;
    }
}

/// RFC 6062 §4.4.
#[tokio::test]
async fn a_peer_connects_to_the_client() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    for transport in STREAMS {
        let (mut client, relayed) = allocated(&server, transport).await;
        client.permitted(relayed).await;
        let mut peer = soon(TcpStream::connect(relayed)).await.unwrap();
        let address = peer.local_addr().unwrap();
        // The peer need not wait: what it sends before there is a data connection is kept.
        peer.write_all(b"early").await.unwrap();
        let event = client.event().await;
        let Event::ConnectionAttempt { connection, peer: from } = event else {
            panic!("{event:?}")
        };
        assert_eq!(from, address);
        let now = client.now();
        client.client.accept(connection, now).unwrap();
        let (mut stream, first) = client.data_connection(&server, transport, address).await;
        assert_eq!(soon(receive(&mut stream, 5, first)).await, b"early");
        exchange(stream, vec![], peer).await;
    }
}

#[tokio::test]
async fn a_peer_that_does_not_listen_is_told() {
    let Some(server) = Coturn::start("127.0.0.1", &[LOOPBACK]) else { return };
    let (mut client, _) = allocated(&server, Transport::Tcp).await;
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    client.permitted(address).await;
    let now = client.now();
    client.client.connect(address, now).unwrap();
    let refused = Event::NotConnected { peer: address, reason: Reason::Code(447) };
    assert_eq!(client.event().await, refused);
}
