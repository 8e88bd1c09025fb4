//! The life of a client machine: what it does before it has an allocation, to keep it, and when it ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::fake::{Fake, GRANT, Request, SIX_HUNDRED, path};
use common::pair::Pair;
use common::{PEER, addr};
use pinhole_sansio::{Instant, Transport};
use pinhole_stun::{Credentials, Failure, Message, Method, Retransmission};
use pinhole_turn::attribute::{Data, DontFragment, Lifetime, MobilityTicket, RequestedTransport};
use pinhole_turn::client::{Client, Config, Event, Reason, Received};

const UDP: Transport = Transport::Udp;
const SECOND: Duration = Duration::from_secs(1);

fn methods(requests: &[Request]) -> Vec<Method> {
    requests.iter().map(Request::method).collect()
}

#[test]
fn before_the_allocation_nothing_else_is_asked_for() {
    let mut fake = Fake::new(UDP, |_| {});
    fake.client.permit(addr(PEER).ip(), fake.now);
    fake.client.permit("2001:db8::7".parse().unwrap(), fake.now);
    fake.client.refresh(fake.now);
    let requests = fake.requests();
    assert_eq!((methods(&requests), fake.events()), (vec![Method::ALLOCATE], vec![]));
    fake.succeed(&requests[0], &GRANT);
    assert_eq!((fake.requests().len(), fake.events().len()), (0, 1));
}

/// "The client SHOULD refresh the allocation roughly 1 minute before it expires" (RFC 8656 §8), and not all clients
/// of a server at the same time.
#[test]
fn clients_refresh_in_time_and_not_together() {
    let allocated = |seed: u8| {
        let credentials = Credentials::new("alice", "secret").unwrap();
        let mut fake = Fake::new(UDP, |_| {});
        fake.client = Client::new(Config::new(path(UDP, 5_000), credentials), [seed; 32], fake.now);
        let request = fake.request().unwrap();
        fake.succeed(&request, &GRANT);
        assert_eq!(fake.events().len(), 1);
        fake
    };
    let refreshes = (0..100).map(|seed| allocated(seed).client.poll_timeout().unwrap());
    let permissions = (0..100).map(|seed| {
        let mut fake = allocated(seed);
        fake.permit(addr(PEER));
        fake.client.poll_timeout().unwrap()
    });
    let (refreshes, permissions): (Vec<_>, Vec<_>) = refreshes.zip(permissions).unzip();
    for (due, from, to) in [(refreshes, 480, 540), (permissions, 225, 240)] {
        let after = due.iter().map(|at| (*at - Instant::from_millis(1_000)).as_secs_f64());
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        after.for_each(|seconds| (least, most) = (least.min(seconds), most.max(seconds)));
        let spread = f64::from(to - from) / 2.0;
        assert!(least >= f64::from(from) && most <= f64::from(to), "{least} to {most}");
        assert!(most - least > spread, "{least} to {most}");
    }
}

/// RFC 8656 §7.1, §8.1: the lifetime that is wanted is asked for each time; without a wish it is the server's.
#[test]
fn the_lifetime_that_is_wanted_is_asked_for() {
    for wanted in [None, Some(1_200 * SECOND)] {
        let mut fake = Fake::new(UDP, |config| config.lifetime = wanted);
        let request = fake.request().unwrap();
        let asked = |request: &Request| Message::parse(&request.bytes).unwrap().get::<Lifetime>();
        assert_eq!(asked(&request), Ok(wanted.map(Lifetime)));
        fake.succeed(&request, &GRANT);
        fake.client.refresh(fake.now);
        assert_eq!(asked(&fake.request().unwrap()), Ok(wanted.map(Lifetime)));
    }
}

#[test]
fn one_refresh_is_on_its_way_at_a_time() {
    let mut fake = Fake::allocated(UDP, |_| {});
    fake.client.refresh(fake.now);
    fake.client.refresh(fake.now);
    fake.advance(Duration::from_millis(100));
    fake.client.refresh(fake.now);
    let requests = fake.requests();
    assert_eq!(methods(&requests), [Method::REFRESH]);
    fake.succeed(&requests[0], &[&SIX_HUNDRED]);
    fake.client.refresh(fake.now);
    assert_eq!(methods(&fake.requests()), [Method::REFRESH], "the next one");
}

/// An allocation whose server falls silent is lost when the request for it is given up, or when it ends.
#[test]
fn a_server_that_falls_silent_is_told_as_loss() {
    let mut fake = Fake::allocated(UDP, |_| {});
    fake.client.refresh(fake.now);
    fake.advance(40 * SECOND);
    let reason = Reason::Transaction(Failure::TimedOut);
    assert_eq!(fake.events(), [Event::Lost { reason }]);

    let patient = Retransmission { rc: 20, longest: SECOND, rm: 600, ..Retransmission::default() };
    let mut fake = Fake::allocated(UDP, |config| config.retransmission = patient);
    fake.advance(600 * SECOND - Duration::from_nanos(1));
    assert_eq!(fake.events(), []);
    fake.advance(Duration::from_nanos(1));
    assert_eq!(fake.events(), [Event::Lost { reason: Reason::Expired }]);
    fake.advance(3_600 * SECOND);
    assert_eq!((fake.events(), fake.client.poll_timeout()), (vec![], None));
}

#[test]
fn close_gives_up_all_but_the_end() {
    let mut fake = Fake::permitted(UDP, |config| config.channel_after = Some(1));
    fake.client.permit("198.51.100.8".parse().unwrap(), fake.now);
    fake.client.send(addr(PEER), 4, fake.now).unwrap();
    fake.client.close(fake.now);
    let requests = fake.requests();
    assert_eq!(methods(&requests), [Method::REFRESH]);
    // RFC 8656 §8.3: "it should consider its request as having effectively succeeded".
    fake.refuse(&requests[0], 437);
    assert_eq!((fake.events(), fake.client.poll_timeout()), (vec![Event::Closed], None));
    fake.client.close(fake.now);
    fake.client.connection_closed();
    assert_eq!((fake.events(), fake.requests().len()), (vec![], 0), "once");

    let mut silent = Fake::allocated(UDP, |_| {});
    silent.client.close(silent.now);
    silent.advance(40 * SECOND);
    assert_eq!(silent.events(), [Event::Closed], "nobody knows");
}

/// What is asked for before the answer to Allocate has come is the end, as soon as there is something to end.
#[test]
fn close_waits_for_the_allocation_that_it_ends() {
    let mut fake = Fake::new(UDP, |_| {});
    let request = fake.request().unwrap();
    fake.client.close(fake.now);
    assert_eq!((fake.events(), fake.requests().len()), (vec![], 0));
    fake.succeed(&request, &GRANT);
    let requests = fake.requests();
    assert_eq!((fake.events(), methods(&requests)), (vec![], vec![Method::REFRESH]));
    fake.succeed(&requests[0], &[]);
    assert_eq!(fake.events(), [Event::Closed]);

    let mut refused = Fake::new(UDP, |_| {});
    let request = refused.request().unwrap();
    refused.client.close(refused.now);
    refused.refuse(&request, 486);
    assert_eq!(refused.events(), [Event::Closed]);
}

/// RFC 8016: a client with a ticket may come back on another connection; any other has lost what it had.
#[test]
fn the_end_of_the_connection_is_told_once_and_not_to_who_can_come_back() {
    let tcp = Transport::Tcp;
    let mut fake = Fake::allocated(tcp, |_| {});
    fake.client.connection_closed();
    assert_eq!(fake.events(), [Event::Lost { reason: Reason::Disconnected }]);
    fake.client.connection_closed();
    assert_eq!(fake.events(), []);

    let mut closing = Fake::allocated(tcp, |_| {});
    closing.client.close(closing.now);
    closing.client.connection_closed();
    assert_eq!(closing.events(), [Event::Closed]);
    assert_eq!((closing.requests().len(), closing.client.poll_timeout()), (0, None));

    let mut mobile = Fake::new(tcp, |config| config.mobility = true);
    let request = mobile.request().unwrap();
    let ticket = MobilityTicket(b"ticket");
    mobile.succeed(&request, &[GRANT[0], GRANT[1], GRANT[2], &ticket]);
    mobile.events();
    mobile.client.connection_closed();
    assert_eq!(mobile.events(), []);
    mobile.client.migrate(path(tcp, 5_001), mobile.now).unwrap();
    let request = mobile.request().unwrap();
    mobile.succeed(&request, &[&SIX_HUNDRED, &ticket]);
    assert_eq!(mobile.events(), [Event::Migrated]);
}

/// RFC 8656 §12: one request for one channel, and its answer installs the permission, too.
#[test]
fn a_channel_is_asked_for_once_and_brings_a_permission() {
    let mut fake = Fake::permitted(UDP, |config| config.channel_after = Some(2));
    fake.now += 100 * SECOND;
    for _ in 0..10 {
        assert_eq!(fake.client.send(addr(PEER), 4, fake.now).unwrap().header.len(), 36);
    }
    let [request] = &fake.requests()[..] else { panic!("one request") };
    assert_eq!(request.method(), Method::CHANNEL_BIND);
    fake.succeed(request, &[]);
    fake.now += 290 * SECOND;
    assert_eq!(fake.client.send(addr(PEER), 4, fake.now).unwrap().header.len(), 4);
    assert_eq!(fake.events(), [], "there was a permission all the time");
}

/// RFC 8656 §12: a channel that is used is bound anew before its 600 s are over, and for all that time data takes it.
#[test]
fn a_channel_is_bound_anew_in_time() {
    let mut fake = Fake::new(UDP, |config| config.channel_after = Some(1));
    let request = fake.request().unwrap();
    let hour = Lifetime(3_600 * SECOND);
    fake.succeed(&request, &[GRANT[0], &hour, GRANT[2]]);
    fake.events();
    fake.permit(addr(PEER));
    fake.client.send(addr(PEER), 4, fake.now).unwrap();
    let mut bound = vec![];
    for _ in 0..2_000 {
        for request in fake.requests() {
            if request.method() == Method::CHANNEL_BIND {
                bound.push(fake.now);
            }
            fake.succeed(&request, &[]);
        }
        assert_eq!(fake.client.send(addr(PEER), 4, fake.now).unwrap().header.len(), 4);
        fake.advance(SECOND);
    }
    assert_eq!(bound.len(), 4);
    let in_time = 525.0..=541.0;
    assert!(bound.windows(2).all(|two| in_time.contains(&(two[1] - two[0]).as_secs_f64())));
    assert_eq!(fake.events(), []);
}

/// RFC 8656 §12.5, and RFC 8489 §14: what a client sends is what the server reads, on datagrams and on streams.
#[test]
fn what_is_sent_is_padded_as_its_transport_wants() {
    for (transport, is_padded) in [(UDP, false), (Transport::Tcp, true), (Transport::Tls, true)] {
        let able = |config: &mut pinhole_turn::server::Config| config.dont_fragment = true;
        let mut pair = Pair::new(transport, able, |config| {
            (config.channel_after, config.dont_fragment) = (Some(1), true);
        });
        let spelled = addr("[::ffff:198.51.100.7]:9000");
        pair.client.permit(spelled.ip(), pair.world.now);
        pair.settle();
        let now = pair.world.now;
        for length in 0..9 {
            let df = pair.client.send_unfragmented(spelled, length, now).unwrap();
            let bytes = [&df.header[..], &[7; 12][..length + usize::from(df.padding)]].concat();
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.get(), Ok(Some(DontFragment)));
            assert_eq!(message.get(), Ok(Some(Data(&[7; 12][..length]))));
        }
        let first = pair.client.send(spelled, 5, now).unwrap();
        assert_eq!((first.header.len(), first.padding), (36, 3));
        pair.settle();
        for length in 0..9 {
            let to_server = pair.client.send(spelled, length, now).unwrap();
            let padding = if is_padded { length.next_multiple_of(4) - length } else { 0 };
            assert_eq!(usize::from(to_server.padding), padding, "{transport:?} {length}");
            let bytes = [&to_server.header[..], &[7; 12][..length + padding]].concat();
            let route = common::to_peer(pair.world.input(pair.path, &bytes)).unwrap();
            assert_eq!((route.peer, route.payload.len()), (addr(PEER), length));
        }
    }
}

/// A stream's bytes go to the application only where it is the client's.
#[test]
fn channel_data_counts_on_the_clients_own_path() {
    let mut fake = Fake::permitted(UDP, |config| config.channel_after = Some(1));
    fake.client.send(addr(PEER), 4, fake.now).unwrap();
    let request = fake.request().unwrap();
    fake.succeed(&request, &[]);
    let data = [0x40, 0, 0, 1, 7, 0, 0, 0];
    let peer = addr(PEER);
    assert_eq!(fake.give(path(UDP, 5_000), &data), Received::Data { peer, payload: 4..5 });
    for other in [path(UDP, 5_001), path(Transport::Tcp, 5_000)] {
        assert_eq!(fake.give(other, &data), Received::NotMine);
    }
    let mut tcp = Fake::allocated(Transport::Tcp, |config| {
        config.requested_transport = RequestedTransport::TCP;
    });
    assert_eq!(tcp.give(path(Transport::Tcp, 5_000), &data), Received::Handled, "no channels");
}
