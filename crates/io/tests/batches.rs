//! Many datagrams at once, over loopback and over a relay.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test listens to the events that it needs")]

use std::future::Future;
use std::time::Duration;

use pinhole_ice::{CandidatePolicy, Event as Told, Role};
use pinhole_io::{Connection, Event, IceServer};
use pinhole_relay::{Server, Settings};
use pinhole_stun::Credentials;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn datagrams_of_all_lengths_arrive_whole_and_in_order() {
    let both = connect(|builder| builder).await;
    // No more at once than the smallest socket buffer holds: nobody reads while they are sent.
    exchange(&both, &[1_200; 70]).await;
    exchange(&both, &[1, 1, 2, 2, 1, 1_472, 1_473, 1_473, 1, 20_000, 20_000, 3]).await;
    exchange(&both, &[65_506]).await;
    let mixed: Vec<usize> = (1..60).map(|number| number * number % 1_700 + 1).collect();
    exchange(&both, &mixed).await;
    both[0].send_many(&[]).await.unwrap();
}

#[tokio::test]
async fn each_datagram_of_a_burst_to_a_relay_has_its_own_header() {
    let settings = Settings::from_toml(
        "listen = [\"127.0.0.1:0\"]\nuser = [\"alice:secret\"]\nallow-peer = [\"127.0.0.0/8\"]\n",
    );
    let relay = Server::start(&settings.unwrap().resolve().unwrap()).unwrap();
    for transport in ["udp", "tcp"] {
        let uri = format!("turn:{}?transport={transport}", relay.addresses()[0]);
        let server =
            IceServer::turn(uri.parse().unwrap(), Credentials::new("alice", "secret").unwrap());
        let both = connect(|builder| {
            let builder = builder.configure(|config| config.candidates = CandidatePolicy::Relay);
            builder.server(server.clone())
        })
        .await;
        assert!(both[0].path().borrow().clone().unwrap().is_relayed);
        exchange(&both, &[1_001; 40]).await;
        exchange(&both, &[7, 7, 5, 5, 8, 1_400, 1_400, 3]).await;
    }
    relay.stop().unwrap();
}

/// Sends datagrams of these lengths in one call, and takes them.
async fn exchange([a, b]: &[Connection; 2], lengths: &[usize]) {
    let payload = |(number, length): (usize, &usize)| {
        // 0x80 and above: not STUN.
        let mut payload = vec![0x80 | u8::try_from(number % 64).unwrap(); *length];
        payload.extend((length % 2 == 1).then_some(7));
        payload
    };
    let payloads: Vec<Vec<u8>> = lengths.iter().enumerate().map(payload).collect();
    let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let before = (a.stats(), b.stats());
    soon(a.send_many(&slices)).await.unwrap();
    let mut received = Vec::new();
    while received.len() < payloads.len() {
        let known = received.len();
        let more = soon(b.recv_many(&mut received, 16)).await;
        assert!((1..=16).contains(&more) && received.len() == known + more);
    }
    assert_eq!(received, payloads);
    let (sent, arrived) = (a.stats(), b.stats());
    let count = u64::try_from(payloads.len()).unwrap();
    assert_eq!(sent.datagrams_sent - before.0.datagrams_sent, count);
    assert_eq!(arrived.datagrams_received - before.1.datagrams_received, count);
    assert_eq!(
        sent.bytes_sent - before.0.bytes_sent,
        arrived.bytes_received - before.1.bytes_received
    );
}

/// Two connections on loopback that have selected a pair.
async fn connect(with: impl Fn(pinhole_io::Builder) -> pinhole_io::Builder) -> [Connection; 2] {
    let [a, b] = [Role::Controlling, Role::Controlled].map(|role| {
        let builder = Connection::builder(role).addresses(&["127.0.0.1".parse().unwrap()]);
        with(builder).start().unwrap()
    });
    a.set_remote_credentials(b.local_credentials()).unwrap();
    b.set_remote_credentials(a.local_credentials()).unwrap();
    soon(async { tokio::join!(until_selected(&a, &b), until_selected(&b, &a)) }).await;
    [a, b]
}

async fn until_selected(from: &Connection, to: &Connection) {
    loop {
        match from.next_event().await.1 {
            Event::Agent(Told::CandidateGathered(candidate)) => to.add_remote_candidate(candidate),
            Event::Agent(Told::PairSelected { .. }) => return,
            _ => {}
        }
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}
