//! Connections on loopback: paths, restarts, counts, futures that are dropped.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test listens to the events that it needs")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pinhole_ice::{AgentError, Credentials, Event as Told, Role, State};
use pinhole_io::{AddressFilter, Connection, Event, SendError};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(role: Role) -> Connection {
    Connection::builder(role).addresses(&["127.0.0.1".parse().unwrap()]).recover().start().unwrap()
}

/// Two connections that know each other's credentials, and nothing else yet.
fn pair() -> [Connection; 2] {
    let [a, b] = [Role::Controlling, Role::Controlled].map(start);
    a.set_remote_credentials(b.local_credentials()).unwrap();
    b.set_remote_credentials(a.local_credentials()).unwrap();
    [a, b]
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}

/// Carries what `from` tells to `to` until this is so; the last event.
async fn signal(from: &Connection, to: &Connection, until: impl Fn(&Event) -> bool) -> Event {
    loop {
        let (_, event) = from.next_event().await;
        match &event {
            Event::Agent(Told::CandidateGathered(candidate)) => {
                to.add_remote_candidate(candidate.clone());
            }
            Event::Restarted(credentials) => {
                to.set_remote_credentials(credentials.clone()).unwrap();
            }
            _ => {}
        }
        if until(&event) {
            return event;
        }
    }
}

fn is_selected(event: &Event) -> bool {
    matches!(event, Event::Agent(Told::PairSelected { .. }))
}

async fn connect([a, b]: &[Connection; 2]) {
    soon(async { tokio::join!(signal(a, b, is_selected), signal(b, a, is_selected)) }).await;
}

/// Polls once and drops.
fn glance<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn the_path_is_watched_and_what_goes_over_it_is_counted() {
    let both = pair();
    assert_eq!(*both[0].path().borrow(), None);
    let refused = both[0].send(b"too early").await;
    assert!(matches!(refused, Err(SendError::NoRoute)));
    connect(&both).await;
    let [a, b] = &both;
    let mut paths = a.path();
    let path = soon(paths.wait_for(|p| p.as_ref().is_some_and(|p| p.is_selected))).await;
    let path = path.unwrap().clone().unwrap();
    assert!(!path.is_relayed);
    let ends = b.path().borrow().clone().unwrap();
    assert_eq!(
        (path.local.address, path.remote.address),
        (ends.remote.address, ends.local.address)
    );
    for payload in [&b"one"[..], b"three"] {
        a.send(payload).await.unwrap();
        assert_eq!(soon(b.recv()).await, payload);
    }
    let (sent, received) = (a.stats(), b.stats());
    assert_eq!((sent.datagrams_sent, sent.bytes_sent), (2, 8));
    assert_eq!((received.datagrams_received, received.bytes_received), (2, 8));
    assert_eq!(received.datagrams_dropped, 0);
    a.close();
    assert_eq!(*a.path().borrow(), None);
    assert!(matches!(a.send(b"too late").await, Err(SendError::NoRoute)));
    assert_eq!(a.restart(), Err(AgentError::Over));
}

#[tokio::test]
async fn a_restart_of_one_side_is_one_of_the_other_and_then_there_is_peace() {
    let both = pair();
    connect(&both).await;
    let [a, b] = &both;
    for round in 0..4 {
        let before = [a, b].map(Connection::local_credentials);
        // By turns: one side, the other, both at once.
        if round != 1 {
            a.restart().unwrap();
        }
        if round != 0 {
            b.restart().unwrap();
        }
        // As long as it is not answered, it is the same restart.
        let of = |side: &Connection| side.local_credentials();
        let begun = [of(a), of(b)];
        if round > 1 {
            a.restart().unwrap();
            b.restart().unwrap();
        }
        assert!(round < 2 || begun == [of(a), of(b)]);
        a.send(b"all along").await.unwrap();
        assert_eq!(soon(b.recv()).await, b"all along");
        connect(&both).await;
        let after = [of(a), of(b)];
        assert!(before.iter().zip(&after).all(|(before, after)| before.ufrag != after.ufrag));
        // What is told twice changes nothing.
        a.set_remote_credentials(of(b)).unwrap();
        assert_eq!(a.local_credentials(), after[0]);
        assert!(told_of_restarts(a).is_empty() && told_of_restarts(b).is_empty());
    }
}

/// The restarts among the events that wait.
fn told_of_restarts(connection: &Connection) -> Vec<Credentials> {
    let waiting = std::iter::from_fn(|| glance(connection.next_event()));
    waiting
        .filter_map(|(_, event)| match event {
            Event::Restarted(credentials) => Some(credentials),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn futures_that_are_dropped_have_taken_nothing() {
    let both = [Role::Controlling, Role::Controlled].map(start);
    let [a, b] = &both;
    // Events: what gathering tells is still there after any number of glances at an empty queue.
    let first = soon(a.next_event()).await.1;
    assert!(matches!(first, Event::Agent(Told::CandidateGathered(_))), "{first:?}");
    let Event::Agent(Told::CandidateGathered(candidate)) = first else { unreachable!() };
    b.add_remote_candidate(candidate);
    soon(signal(a, b, |e| matches!(e, Event::Agent(Told::GatheringCompleted)))).await;
    assert!((0..100).all(|_| glance(a.next_event()).is_none()));
    a.set_remote_credentials(b.local_credentials()).unwrap();
    b.set_remote_credentials(a.local_credentials()).unwrap();
    let state = soon(a.next_event()).await.1;
    assert_eq!(state, Event::Agent(Told::StateChanged(State::Checking)));
    connect(&both).await;
    // Data: none is lost or doubled by receivers that give up, nor by senders.
    assert!((0..100).all(|_| glance(b.recv()).is_none()));
    for number in 0..100_u8 {
        let sent = glance(a.send(&[0x80, number]));
        if sent.is_none() {
            a.send(&[0x80, number]).await.unwrap();
        }
        let received = match glance(b.recv()) {
            Some(received) => received,
            None => soon(b.recv()).await,
        };
        assert_eq!(received, [0x80, number]);
    }
    assert_eq!(a.stats().datagrams_sent, 100);
    assert!(glance(b.recv()).is_none());
}

#[tokio::test]
async fn addresses_are_those_of_the_machine_that_pass_the_filter() {
    let filter = AddressFilter {
        loopback: true,
        ipv6: false,
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..AddressFilter::default()
    };
    let connection = Connection::builder(Role::Controlling).watch(filter).start().unwrap();
    let (_, first) = soon(connection.next_event()).await;
    let Event::Agent(Told::CandidateGathered(candidate)) = first else { panic!("{first:?}") };
    assert!(candidate.udp_address().unwrap().ip().is_loopback());
    let nothing = AddressFilter { ipv4: false, ipv6: false, ..AddressFilter::default() };
    assert!(Connection::builder(Role::Controlling).watch(nothing).start().is_err());
}

#[tokio::test]
async fn where_only_tcp_gets_through_frames_carry_the_data() {
    let loopback = "127.0.0.1".parse().unwrap();
    let [a, b] = [Role::Controlling, Role::Controlled].map(|role| {
        let builder = Connection::builder(role).addresses(&[loopback]);
        match role {
            Role::Controlling => builder.tcp().start().unwrap(),
            Role::Controlled => builder.listen((loopback, 0).into()).start().unwrap(),
        }
    });
    exchange_over_tcp(a, b).await;
}

#[tokio::test]
async fn two_sides_that_both_open_the_connection_meet_on_one() {
    let loopback = "127.0.0.1".parse().unwrap();
    let [a, b] = [Role::Controlling, Role::Controlled].map(|role| {
        let builder = Connection::builder(role).addresses(&[loopback]);
        builder.open_simultaneously((loopback, 0).into()).start().unwrap()
    });
    exchange_over_tcp(a, b).await;
}

async fn exchange_over_tcp(a: Connection, b: Connection) {
    a.set_remote_credentials(b.local_credentials()).unwrap();
    b.set_remote_credentials(a.local_credentials()).unwrap();
    // Nobody hears of the UDP candidates.
    let tell = |event: &Event, to: &Connection| {
        if let Event::Agent(Told::CandidateGathered(candidate)) = event
            && candidate.udp_address().is_none()
        {
            to.add_remote_candidate(candidate.clone());
        }
        is_selected(event)
    };
    let run = async |from: &Connection, to: &Connection| {
        while !tell(&from.next_event().await.1, to) {}
    };
    soon(async { tokio::join!(run(&a, &b), run(&b, &a)) }).await;
    let is_tcp = |connection: &Connection| {
        connection.inspect(|agent| {
            let pair = agent.pair(agent.selected_pair().unwrap()).unwrap();
            pair.local.udp_address().is_none() && pair.remote.udp_address().is_none()
        })
    };
    assert!(is_tcp(&a) && is_tcp(&b));
    for length in [1, 1_200, 60_000] {
        let payload = vec![0x80; length];
        a.send(&payload).await.unwrap();
        assert_eq!(soon(b.recv()).await, payload);
        b.send(&payload).await.unwrap();
        assert_eq!(soon(a.recv()).await, payload);
    }
}
