//! Messages to and from a server, over each transport.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_types)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pinhole_io::{ServerConnection, ServerConnector, Trust};
use pinhole_sansio::Transport;
use pinhole_stun::Host;
use pinhole_stun::resolve::ServerAddress;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const BINDING: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
/// ChannelData of five bytes, and its padding.
const CHANNEL: [u8; 12] = [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0];

/// Nothing here takes long; what does is a failure.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("in ten seconds")
}

async fn listener() -> (TcpListener, ServerAddress) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, ServerAddress { address, transport: Transport::Tcp })
}

fn loopback() -> Host {
    Host::Ip("127.0.0.1".parse().unwrap())
}

async fn tcp_pair() -> (ServerConnection, TcpStream) {
    let (listener, server) = listener().await;
    let (client, accepted) = tokio::join!(
        async { ServerConnector::default().connect(&server, &loopback()).await.unwrap() },
        async { listener.accept().await.unwrap().0 },
    );
    (client, accepted)
}

async fn message(connection: &ServerConnection) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0xa5; ServerConnection::MAX_MESSAGE];
    let length = soon(connection.recv(&mut buffer)).await?;
    buffer.truncate(length);
    Ok(buffer)
}

#[tokio::test]
async fn datagrams_go_and_come_from_a_concrete_address() {
    for ip in ["127.0.0.1", "::1"] {
        let ip: IpAddr = ip.parse().unwrap();
        let Ok(socket) = UdpSocket::bind((ip, 0)).await else {
            println!("skipped: this machine has no {ip}");
            continue;
        };
        let address = socket.local_addr().unwrap();
        let server = ServerAddress { address, transport: Transport::Udp };
        let client = ServerConnector::default().connect(&server, &Host::Ip(ip)).await.unwrap();
        assert_eq!(client.five_tuple().local.ip(), ip);
        client.send(&[&CHANNEL[..4], &CHANNEL[4..9]]).unwrap();
        let mut buffer = [0; 100];
        let (length, source) = soon(socket.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(buffer[..length], CHANNEL[..9], "a datagram is not padded");
        assert_eq!(source, client.five_tuple().local);
        socket.send_to(&BINDING, source).await.unwrap();
        assert_eq!(message(&client).await.unwrap(), BINDING);
    }
}

#[tokio::test]
async fn the_local_address_can_be_chosen() {
    let from: IpAddr = "127.0.0.7".parse().unwrap();
    let (listener, server) = listener().await;
    let connector = ServerConnector::default().from_address(from);
    let connection = connector.connect(&server, &loopback()).await.unwrap();
    let (_, source) = soon(listener.accept()).await.unwrap();
    assert_eq!((source, source.ip()), (connection.five_tuple().local, from));
}

#[tokio::test]
async fn a_stream_is_cut_into_messages_however_it_is_split() {
    let bytes = [&BINDING[..], &CHANNEL, &BINDING, &CHANNEL].concat();
    for chunk in [1, 3, 7, 20, 33, 64] {
        let (client, mut server) = tcp_pair().await;
        let sending = async {
            for piece in bytes.chunks(chunk) {
                server.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let receiving = async {
            for expected in [&BINDING[..], &CHANNEL, &BINDING, &CHANNEL] {
                assert_eq!(message(&client).await.unwrap(), expected, "in pieces of {chunk}");
            }
        };
        tokio::join!(sending, receiving);
    }
}

/// RFC 8656 §12.5.
#[tokio::test]
async fn messages_on_a_stream_are_padded() {
    let (client, mut server) = tcp_pair().await;
    client.send(&[&CHANNEL[..4], &CHANNEL[4..9]]).unwrap();
    client.send(&[&BINDING]).unwrap();
    client.send(&[&CHANNEL]).unwrap();
    let mut bytes = [0; 44];
    soon(server.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(bytes[..], [&CHANNEL[..], &BINDING, &CHANNEL].concat());
}

#[tokio::test]
async fn the_longest_messages_pass() {
    let (client, mut server) = tcp_pair().await;
    let mut longest = vec![7; 20 + 65_532];
    longest[..20].copy_from_slice(&BINDING);
    longest[2..4].copy_from_slice(&65_532_u16.to_be_bytes());
    let mut channel = vec![9; 4 + 65_536];
    channel[..4].copy_from_slice(&[0x40, 0, 0xff, 0xff]);
    for expected in [longest, channel] {
        client.send(&[&expected]).unwrap();
        let mut echoed = vec![0; expected.len()];
        soon(server.read_exact(&mut echoed)).await.unwrap();
        let echo = server.write_all(&echoed);
        let (sent, received) = tokio::join!(echo, message(&client));
        sent.unwrap();
        assert!(received.unwrap() == expected);
    }
}

#[tokio::test]
async fn a_receive_that_is_given_up_loses_nothing() {
    let (client, mut server) = tcp_pair().await;
    let mut buffer = [0; 100];
    for piece in CHANNEL.chunks(5) {
        server.write_all(piece).await.unwrap();
        // Polled some times while the message is not whole, and dropped.
        for _ in 0..20 {
            tokio::select! {
                biased;
                received = client.recv(&mut buffer) => {
                    assert_eq!(received.unwrap(), CHANNEL.len());
                    assert_eq!(buffer[..CHANNEL.len()], CHANNEL);
                    return;
                }
                () = tokio::task::yield_now() => {}
            }
        }
    }
    assert_eq!(message(&client).await.unwrap(), CHANNEL);
}

#[tokio::test]
async fn the_end_of_a_stream_and_what_is_no_message_are_told() {
    let (client, mut server) = tcp_pair().await;
    server.write_all(&BINDING).await.unwrap();
    server.write_all(&CHANNEL[..6]).await.unwrap();
    drop(server);
    assert_eq!(message(&client).await.unwrap(), BINDING);
    assert_eq!(message(&client).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);

    let (client, mut server) = tcp_pair().await;
    server.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
    assert_eq!(message(&client).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn what_waits_for_a_server_that_does_not_read_is_bounded() {
    let (client, mut server) = tcp_pair().await;
    let message = [&[0x40, 0, 0x0f, 0xfc][..], &[7; 4_092]].concat();
    let mut sent = 0_usize;
    // The system's buffers fill first, then ours.
    let refused = loop {
        match client.send(&[&message]) {
            Ok(()) => sent += 1,
            Err(error) => {
                // Whether the task has handed everything over that the system takes, shows after a while only.
                if soon_or_never(client.writable()).await.is_none() {
                    break error;
                }
            }
        }
        assert!(sent < 10_000, "40 MB are not to be buffered");
    };
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    let mut received = vec![0; message.len()];
    for _ in 0..sent {
        soon(server.read_exact(&mut received)).await.unwrap();
        assert!(received == message);
    }
    soon(client.writable()).await.unwrap();
    client.send(&[&message]).unwrap();
    soon(server.read_exact(&mut received)).await.unwrap();
}

/// `None` if the future is not ready although everything else has had its turn many times.
async fn soon_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..1_000 {
        tokio::select! {
            biased;
            value = &mut future => return Some(value),
            () = tokio::task::yield_now() => {}
        }
    }
    None
}

#[tokio::test]
async fn what_was_sent_before_the_connection_is_dropped_arrives() {
    let (client, mut server) = tcp_pair().await;
    client.send(&[&BINDING]).unwrap();
    drop(client);
    let mut bytes = Vec::new();
    soon(server.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes, BINDING);
}

#[tokio::test]
async fn a_dropped_connection_does_not_wait_for_a_server_that_does_not_read() {
    let (client, mut server) = tcp_pair().await;
    let mut sent = 0;
    while soon_or_never(client.writable()).await.is_some() {
        let message = [&[0x40, 0, 0xff, 0xfc][..], &[7; 65_532]].concat();
        sent += client.send(&[&message]).map_or(0, |()| message.len());
    }
    tokio::time::pause();
    drop(client);
    // The paused clock moves on when nothing else can happen.
    tokio::time::sleep(Duration::from_secs(2)).await;
    tokio::time::resume();
    let mut bytes = Vec::new();
    soon(server.read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes.len() < sent, "{} of {sent} bytes", bytes.len());
}

#[tokio::test]
async fn a_broken_stream_is_told_to_whoever_sends() {
    let (client, server) = tcp_pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    let kind = message(&client).await.unwrap_err().kind();
    assert!(matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof));
    let refused = async {
        loop {
            if let Err(error) = client.send(&[&BINDING]) {
                break error;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_ne!(soon(refused).await.kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, server) = listener().await;
    drop(listener);
    let error = ServerConnector::default().connect(&server, &loopback()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let server = ServerAddress { transport: Transport::Dtls, ..server };
    let error = ServerConnector::default().connect(&server, &loopback()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_waited_for_ten_seconds() {
    let (_listener, server) = listener().await;
    let server = ServerAddress { transport: Transport::Tls, ..server };
    let (_, pem) = tls_echo(&["turn.example.org"]).await;
    let connector = ServerConnector::default().trusting(Trust::nobody().with_pem(&pem).unwrap());
    let start = tokio::time::Instant::now();
    let error = connector.connect(&server, &loopback()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// Echoes what comes over TLS, with a certificate for these names, which is returned as PEM.
async fn tls_echo(names: &[&str]) -> (SocketAddr, String) {
    tls_echo_as(names, IsCa::NoCa).await
}

/// The same with a certificate that says what it is.
async fn tls_echo_as(names: &[&str], is_ca: IsCa) -> (SocketAddr, String) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = is_ca;
    let signing_key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&signing_key).unwrap().pem();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (listener, server) = listener().await;
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 1_000];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                stream.write_all(&buffer[..length]).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    (server.address, pem)
}

#[tokio::test]
async fn tls_believes_a_trusted_certificate_that_calls_itself_an_authority() {
    // As openssl's do, and so those of many TURN servers.
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    let (address, pem) = tls_echo_as(&["turn.example.org"], authority).await;
    let server = ServerAddress { address, transport: Transport::Tls };
    let trusting = ServerConnector::default().trusting(Trust::nobody().with_pem(&pem).unwrap());
    assert!(trusting.connect(&server, &"turn.example.org".parse().unwrap()).await.is_ok());
    let refused = trusting.connect(&server, &"other.example.org".parse().unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn tls_believes_certificates_for_the_name_of_the_server_only() {
    let (address, pem) = tls_echo(&["turn.example.org", "127.0.0.1"]).await;
    let server = ServerAddress { address, transport: Transport::Tls };
    let trusting = ServerConnector::default().trusting(Trust::nobody().with_pem(&pem).unwrap());
    for host in ["turn.example.org", "turn.example.org.", "127.0.0.1"] {
        let connection = trusting.connect(&server, &host.parse().unwrap()).await.unwrap();
        assert_eq!(connection.five_tuple().transport, Transport::Tls);
        connection.send(&[&BINDING]).unwrap();
        connection.send(&[&CHANNEL[..9]]).unwrap();
        assert_eq!(message(&connection).await.unwrap(), BINDING);
        assert_eq!(message(&connection).await.unwrap(), CHANNEL);
    }
    let refused = trusting.connect(&server, &"other.example.org".parse().unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidData);

    let (_, other) = tls_echo(&["turn.example.org"]).await;
    let stranger = ServerConnector::default().trusting(Trust::nobody().with_pem(&other).unwrap());
    let refused = stranger.connect(&server, &"turn.example.org".parse().unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn no_roots_and_no_certificate_are_errors() {
    assert!(Trust::nobody().with_pem("").is_err());
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert!(Trust::nobody().with_pem(broken).is_err());
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let trust = Trust::nobody().with_pem(empty).unwrap();
    let (_listener, server) = listener().await;
    let server = ServerAddress { transport: Transport::Tls, ..server };
    let refused = ServerConnector::default().trusting(trust).connect(&server, &loopback()).await;
    assert!(refused.unwrap_err().to_string().contains("cannot be a root of trust"));
}
