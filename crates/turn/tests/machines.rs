//! Several machines in one server, and what its operator can do with them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Answer, Caller, PEER, World, addr, config, relayed};
use pinhole_sansio::{Instant, Transport};
use pinhole_stun::Method;
use pinhole_stun::attribute::{
    AlternateDomain, AlternateServer, Attribute, AttributeWrite, Family,
};
use pinhole_turn::attribute::{
    ConnectionId, EvenPort, MobilityTicket, RequestedTransport, ReservationToken, XorPeerAddress,
};
use pinhole_turn::server::{
    Alternate, Bandwidth, Command, Config, DropReason, EndReason, Event, Exceeded, Holder, Holding,
    LocalQuota, NonceSeed, OpenError, Quota, Received, home,
};

const UDP: RequestedTransport = RequestedTransport::UDP;
const PAIR: EvenPort = EvenPort { reserve_next: true };
/// As long as a reservation lasts.
const RESERVED: Duration = Duration::from_secs(30);

fn ask(world: &mut World, caller: &mut Caller, attributes: &[&dyn AttributeWrite]) -> Answer {
    caller.ask(world, Method::ALLOCATE, &|writer| {
        attributes.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
    })
}

fn token(answer: &Answer) -> ReservationToken {
    answer.message().get::<ReservationToken>().unwrap().unwrap()
}

/// The machine with this number.
fn machine(shard: u8, change: impl FnOnce(&mut Config)) -> World {
    let mut config = config();
    config.shard = shard;
    config.tcp = true;
    config.nonce_seed = Some(NonceSeed([8; 32]));
    change(&mut config);
    World::new(config)
}

#[test]
fn what_a_machine_hands_out_leads_back_to_it() {
    let (mut zero, mut five) = (machine(0, |_| ()), machine(5, |_| ()));
    let mut alice = Caller::alice();
    let answer = ask(&mut five, &mut alice, &[&UDP, &PAIR, &MobilityTicket(&[])]);
    let ticket = answer.message().get::<MobilityTicket<'_>>().unwrap().unwrap().0.to_vec();
    let mut other = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    assert_eq!(ask(&mut zero, &mut other, &[&UDP, &token(&answer)]).code, 508);
    assert_eq!(home(&other.last), Some(5));
    assert_eq!(ask(&mut five, &mut other, &[&UDP, &token(&answer)]).code, 0);

    let mut moved = Caller::new("192.0.2.1:5002", "alice", Transport::Udp);
    let resume = |world: &mut World, caller: &mut Caller| {
        let write = |writer: &mut pinhole_stun::MessageWriter<'_>| {
            writer.attribute(&MobilityTicket(&ticket)).map(drop)
        };
        caller.ask(world, Method::REFRESH, &write).code
    };
    assert_eq!(resume(&mut zero, &mut moved), 400);
    assert_eq!(home(&moved.last), Some(5));
    assert_eq!(resume(&mut five, &mut moved), 0);

    let mut tcp = Caller::new("192.0.2.1:5003", "alice", Transport::Tcp);
    assert_eq!(ask(&mut five, &mut tcp, &[&RequestedTransport::TCP]).code, 0);
    tcp.ask(&mut five, Method::CONNECT, &|writer| {
        writer.attribute(&XorPeerAddress(addr(PEER))).map(drop)
    });
    let Some(Command::Connect { connection, .. }) = five.connections.pop() else { panic!() };
    five.server.connected(connection, true, five.now);
    five.drain();
    let mut data = Caller::new("192.0.2.1:5004", "alice", Transport::Tcp);
    let bind = |world: &mut World, caller: &mut Caller, id: ConnectionId| {
        let write = |writer: &mut pinhole_stun::MessageWriter<'_>| writer.attribute(&id).map(drop);
        caller.ask(world, Method::CONNECTION_BIND, &write).code
    };
    assert_eq!(bind(&mut zero, &mut data, connection), 400);
    assert_eq!(home(&data.last), Some(5));
    assert_eq!(bind(&mut five, &mut data, connection), 0);
}

#[test]
fn machines_accept_one_anothers_nonces_from_the_same_client_only() {
    let (mut zero, mut five) = (machine(0, |_| ()), machine(5, |_| ()));
    let mut alice = Caller::alice();
    alice.allocate(&mut zero);
    let challenges = five.answers.len();
    alice.allocate(&mut five);
    assert_eq!(five.answers.len() - challenges, 1, "no new challenge");

    let mut stranger = machine(0, |config| config.nonce_seed = Some(NonceSeed([9; 32])));
    alice.allocate(&mut stranger);
    assert_eq!(stranger.answers.len(), 2, "a challenge");
    assert_eq!(format!("{:?}", NonceSeed([9; 32])), "NonceSeed(..)");
}

/// A quota that several machines lock in turn.
struct Shared(Arc<Mutex<LocalQuota>>);

impl Quota for Shared {
    fn charge(
        &mut self,
        holder: Holder<'_>,
        count: u32,
        now: Instant,
    ) -> Result<Holding, Exceeded> {
        self.0.lock().unwrap().charge(holder, count, now)
    }

    fn discharge(&mut self, holder: Holder<'_>, count: u32) {
        self.0.lock().unwrap().discharge(holder, count);
    }
}

/// Two machines with one quota.
fn sharing(change: impl Fn(&mut Config)) -> (World, World, Arc<Mutex<LocalQuota>>) {
    let mut config = config();
    change(&mut config);
    let quota = Arc::new(Mutex::new(LocalQuota::new(config.limits, 7)));
    let [a, b] = [0, 1].map(|shard| {
        let world = machine(shard, &change);
        let server = world.server.with_quota(Box::new(Shared(Arc::clone(&quota))));
        World { server, ..world }
    });
    (a, b, quota)
}

#[test]
fn a_quota_counts_over_all_machines() {
    let (mut a, mut b, quota) = sharing(|config| config.limits.allocations_per_user = 2);
    let caller = |port| Caller::new(&format!("192.0.2.1:{port}"), "alice", Transport::Udp);
    let (mut first, mut second, mut third) = (caller(1), caller(2), caller(3));
    first.allocate(&mut a);
    second.allocate(&mut b);
    assert_eq!(ask(&mut a, &mut third, &[&UDP]).code, 486);
    assert_eq!(ask(&mut b, &mut third, &[&UDP]).code, 486);
    assert_eq!(second.refresh(&mut b, 0).code, 0);
    third.allocate(&mut a);
    assert_eq!(quota.lock().unwrap().total(), 2);
}

#[test]
fn a_network_has_a_quota_whatever_its_addresses_and_users() {
    let mut world = machine(0, |config| config.limits.allocations_per_prefix = 2);
    let caller = |host, user| Caller::new(&format!("192.0.{host}:5000"), user, Transport::Udp);
    caller("2.1", "alice").allocate(&mut world);
    caller("2.200", "bob").allocate(&mut world);
    assert_eq!(ask(&mut world, &mut caller("2.77", "bob"), &[&UDP]).code, 486);
    caller("3.77", "bob").allocate(&mut world);
}

#[test]
fn the_allocations_of_a_user_share_a_bandwidth_over_all_machines() {
    let bandwidth = Bandwidth { bytes_per_second: 1_000, burst: 3_000 };
    let (mut a, mut b, _) = sharing(|config| {
        config.limits.bandwidth_per_user = Some(bandwidth);
    });
    let caller = |port, user| Caller::new(&format!("192.0.2.1:{port}"), user, Transport::Udp);
    let (mut first, mut second, mut bob) =
        (caller(1, "alice"), caller(2, "alice"), caller(3, "bob"));
    let ready = |caller: &mut Caller, world: &mut World| {
        caller.allocate(world);
        assert_eq!(caller.bind(world, 0x4000, PEER), 0);
    };
    ready(&mut first, &mut a);
    ready(&mut second, &mut b);
    ready(&mut bob, &mut b);
    let data = [7; 1_000];
    assert!(first.channel(&mut a, 0x4000, &data).is_some());
    assert!(second.channel(&mut b, 0x4000, &data).is_some());
    assert!(first.channel(&mut a, 0x4000, &data).is_some());
    let mut channel_data = vec![0x40, 0, 3, 0xe8];
    channel_data.extend(data);
    for (caller, world) in [(&first, &mut a), (&second, &mut b)] {
        let received = world.input(caller.path, &channel_data);
        assert_eq!(received, Received::Dropped(DropReason::UserBandwidth));
    }
    assert!(bob.channel(&mut b, 0x4000, &data).is_some(), "others are unharmed");
    b.advance(Duration::from_secs(1));
    assert!(second.channel(&mut b, 0x4000, &data).is_some());
}

/// What a 300 names.
fn alternates(answer: &Answer) -> Vec<std::net::SocketAddr> {
    let message = answer.message();
    assert!(message.has_integrity() || message.has_integrity_sha256());
    let id = message.transaction_id();
    message
        .attributes()
        .filter(|attribute| attribute.kind == AlternateServer::KIND)
        .map(|attribute| AlternateServer::decode(attribute.value, id).unwrap().0)
        .collect()
}

fn elsewhere() -> Alternate {
    Alternate {
        v4: Some("198.51.100.99:3478".parse().unwrap()),
        v6: Some("[2001:db8::99]:3478".parse().unwrap()),
        domain: Some("turn2.example.org".into()),
    }
}

#[test]
fn a_draining_server_keeps_its_clients_and_sends_others_elsewhere() {
    let mut world = machine(0, |_| ());
    let mut alice = Caller::alice();
    let answer = ask(&mut world, &mut alice, &[&UDP, &PAIR]);
    world.server.drain();
    let (mut bob, mut reserver) = (
        Caller::new("192.0.2.2:1", "bob", Transport::Udp),
        Caller::new("192.0.2.2:2", "alice", Transport::Udp),
    );
    assert_eq!(ask(&mut world, &mut bob, &[&UDP]).code, 508, "nobody else is known");
    world.server.set_alternate(Some(elsewhere()));
    let redirected = ask(&mut world, &mut bob, &[&UDP]);
    assert_eq!(redirected.code, 300);
    let both = [addr("198.51.100.99:3478"), addr("[2001:db8::99]:3478")];
    assert_eq!(alternates(&redirected), both);
    assert_eq!(redirected.message().get::<AlternateDomain<'_>>(), Ok(None), "no certificate");
    assert_eq!(ask(&mut world, &mut bob, &[&RequestedTransport(254)]).code, 442, "checks first");

    assert_eq!(ask(&mut world, &mut reserver, &[&UDP, &token(&answer)]).code, 0);
    assert_eq!(alice.refresh(&mut world, 600).code, 0);
    assert_eq!(alice.permit(&mut world, &[PEER]), 0);
    world.server.reopen();
    bob.allocate(&mut world);
}

#[test]
fn a_redirection_names_the_clients_family_first_and_the_certificate_over_tls() {
    let mut world = machine(0, |config| config.alternate = Some(elsewhere()));
    world.server.drain();
    let mut tls = Caller::new("[2001:db8::5]:1", "alice", Transport::Tls);
    let answer = ask(&mut world, &mut tls, &[&UDP]);
    let both = [addr("[2001:db8::99]:3478"), addr("198.51.100.99:3478")];
    assert_eq!((answer.code, alternates(&answer)), (300, both.to_vec()));
    let domain = answer.message().get::<AlternateDomain<'_>>().unwrap().unwrap();
    assert_eq!(domain.0, "turn2.example.org");

    world.server.set_alternate(Some(Alternate { v6: None, ..elsewhere() }));
    assert_eq!(ask(&mut world, &mut tls, &[&UDP]).code, 508, "none of the client's family");
}

#[test]
fn a_full_server_redirects_and_a_user_with_enough_is_refused() {
    let mut world = machine(0, |config| {
        config.alternate = Some(elsewhere());
        config.limits.allocations = 2;
        config.limits.allocations_per_user = 1;
    });
    Caller::alice().allocate(&mut world);
    let mut again = Caller::new("192.0.2.1:1", "alice", Transport::Udp);
    assert_eq!(ask(&mut world, &mut again, &[&UDP]).code, 486);
    Caller::new("192.0.2.1:2", "bob", Transport::Udp).allocate(&mut world);
    assert_eq!(ask(&mut world, &mut again, &[&UDP]).code, 300);

    let mut world = machine(0, |config| config.alternate = Some(elsewhere()));
    world.sockets = 0;
    assert_eq!(ask(&mut world, &mut Caller::alice(), &[&UDP]).code, 300, "no socket");
    assert_eq!((world.server.allocations(), world.server.free_ports(Family::Ipv4)), (0, 16_384));
}

#[test]
fn an_operator_can_end_allocations() {
    let mut world = machine(0, |_| ());
    let callers = [(1, "alice"), (2, "bob"), (3, "alice")];
    let mut callers =
        callers.map(|(port, user)| Caller::new(&format!("192.0.2.1:{port}"), user, Transport::Udp));
    for caller in &mut callers {
        caller.allocate(&mut world);
    }
    assert_eq!(world.server.end_user("alice"), 2);
    world.drain();
    assert_eq!((world.server.allocations(), world.open.len()), (1, 1));
    assert!(!world.server.end_client(callers[0].path.reversed()));
    assert!(world.server.end_client(callers[1].path.reversed()));
    world.drain();
    let ended = world
        .events
        .iter()
        .filter(|event| matches!(event, Event::Ended { reason: EndReason::Operator, .. }));
    assert_eq!((ended.count(), world.open.len()), (3, 0));
    assert_eq!(callers[1].refresh(&mut world, 600).code, 437);
    assert_eq!(world.server.poll_timeout(), None);

    callers.iter_mut().for_each(|caller| _ = caller.allocate(&mut world));
    assert_eq!((world.server.end_all(), world.server.end_all()), (3, 0));
    world.drain();
    assert_eq!((world.server.allocations(), world.open.len()), (0, 0));
}

/// RFC 8656 §7.2: the server "reserves" the port; another program must not get it.
#[test]
fn a_reserved_port_has_a_socket_from_the_start_and_keeps_it() {
    let mut world = machine(0, |_| ());
    let mut alice = Caller::alice();
    let answer = ask(&mut world, &mut alice, &[&UDP, &PAIR]);
    let first = relayed(&answer);
    let ports: Vec<u16> = world.open.values().map(|address| address.port()).collect();
    assert!(first.port().is_multiple_of(2) && ports.contains(&(first.port() + 1)), "{ports:?}");
    assert_eq!((world.opened, world.server.allocations()), (2, 1));
    let next = format!("{}:{}", first.ip(), first.port() + 1);
    let spare = world.relay_at(addr(&next));
    let early = world.server.handle_peer_datagram(spare, addr(PEER), 4, world.now);
    assert_eq!(early, Err(DropReason::NoAllocation));

    let mut second = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    let answer = ask(&mut world, &mut second, &[&UDP, &token(&answer)]);
    assert_eq!((answer.code, relayed(&answer)), (0, addr(&next)));
    assert_eq!((world.opened, world.open.len()), (2, 2), "the same socket");
    world.advance(RESERVED);
    assert_eq!(world.open.len(), 2);
    assert_eq!(second.permit(&mut world, &[PEER]), 0);
    assert!(world.peer_sends(addr(&next), PEER, b"data").is_some());
    for caller in [&mut alice, &mut second] {
        assert_eq!(caller.refresh(&mut world, 0).code, 0);
    }
    assert_eq!((world.open.len(), world.server.free_ports(Family::Ipv4)), (0, 16_384));
}

#[test]
fn a_reservation_that_nobody_uses_ends_with_its_socket() {
    let mut world = machine(0, |_| ());
    let answer = ask(&mut world, &mut Caller::alice(), &[&UDP, &PAIR]);
    world.advance(RESERVED);
    assert_eq!((world.open.len(), world.server.free_ports(Family::Ipv4)), (1, 16_383));
    let mut late = Caller::new("192.0.2.1:5001", "alice", Transport::Udp);
    assert_eq!(ask(&mut world, &mut late, &[&UDP, &token(&answer)]).code, 508);
}

#[test]
fn a_pair_whose_second_port_somebody_holds_is_not_handed_out() {
    let mut world = machine(0, |config| config.ports = 50_000..=50_007);
    world.held.extend([50_001, 50_002, 50_007]);
    let answer = ask(&mut world, &mut Caller::alice(), &[&UDP, &PAIR]);
    assert_eq!((answer.code, relayed(&answer).port()), (0, 50_004));
    assert_eq!(world.open.len(), 2);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.server.free_ports(Family::Ipv4), 7, "what was held is tried again later");

    let mut world = machine(0, |config| config.ports = 50_000..=50_007);
    world.held.extend([50_001, 50_003, 50_005, 50_007]);
    let mut alice = Caller::alice();
    assert_eq!(ask(&mut world, &mut alice, &[&UDP, &PAIR]).code, 508);
    assert_eq!((world.open.len(), world.server.allocations()), (0, 0));
    assert_eq!(ask(&mut world, &mut alice, &[&UDP]).code, 0, "the even ones are free again");
}

#[test]
fn one_socket_is_not_enough_for_a_pair() {
    let mut world = machine(0, |config| config.limits.allocations_per_user = 2);
    world.sockets = 1;
    let mut alice = Caller::alice();
    for _ in 0..3 {
        assert_eq!(ask(&mut world, &mut alice, &[&UDP, &PAIR]).code, 508);
        assert_eq!((world.open.len(), world.server.allocations()), (0, 0));
        assert_eq!(world.server.free_ports(Family::Ipv4), 16_384);
    }
    world.sockets = 2;
    assert_eq!(ask(&mut world, &mut alice, &[&UDP, &PAIR]).code, 0, "no quota has leaked");
}

#[test]
fn a_client_that_goes_while_a_pair_is_opened_leaves_nothing() {
    for answers in 0..2 {
        let mut server = machine(0, |_| ());
        let mut alice = Caller::new("192.0.2.1:5000", "alice", Transport::Tcp);
        alice.allocate(&mut server);
        assert_eq!(alice.refresh(&mut server, 0).code, 0);
        let request = {
            // A request that is written, and given to a server whose driver is slow.
            let mut other = machine(0, |_| ());
            assert_eq!(ask(&mut other, &mut alice, &[&UDP, &PAIR]).code, 0);
            alice.last.clone()
        };
        let path = alice.path.reversed();
        let datagram = pinhole_sansio::Datagram { five_tuple: path, payload: &request };
        let _ = server.server.handle_client_datagram(datagram, server.now);
        let mut opened = vec![];
        for _ in 0..=answers {
            let Some(Command::OpenRelay { relay, .. }) = server.server.poll_command() else {
                panic!("no command")
            };
            opened.push(relay);
            if opened.len() <= answers {
                server.server.relay_opened(relay, Ok(()), server.now);
            }
        }
        server.server.client_closed(path);
        let mut closed = vec![];
        while let Some(command) = server.server.poll_command() {
            let Command::CloseRelay { relay } = command else { panic!("{command:?}") };
            closed.push(relay);
        }
        closed.sort();
        opened.sort();
        assert_eq!(closed, opened, "after {answers} answers");
        for relay in opened {
            server.server.relay_opened(relay, Err(OpenError::InUse), server.now);
            server.server.relay_opened(relay, Ok(()), server.now);
        }
        assert_eq!(server.server.poll_command(), None);
        assert_eq!(server.server.free_ports(Family::Ipv4), 16_384);
        assert_eq!((server.server.allocations(), server.server.poll_timeout()), (0, None));
    }
}

#[test]
fn somebody_elses_token_moves_the_charge() {
    let (mut world, _, quota) = sharing(|config| config.limits.allocations_per_user = 2);
    let mut alice = Caller::alice();
    let answer = ask(&mut world, &mut alice, &[&UDP, &PAIR]);
    assert_eq!(quota.lock().unwrap().total(), 2);
    let mut bob = Caller::new("192.0.2.1:1", "bob", Transport::Udp);
    assert_eq!(ask(&mut world, &mut bob, &[&UDP, &token(&answer)]).code, 0);
    assert_eq!(quota.lock().unwrap().total(), 2);
    Caller::new("192.0.2.1:2", "alice", Transport::Udp).allocate(&mut world);
    assert_eq!(alice.refresh(&mut world, 0).code, 0);
    assert_eq!(bob.refresh(&mut world, 0).code, 0);
    assert_eq!(quota.lock().unwrap().total(), 1);
}

/// T13: a request that was refused for the quota is refused again, and the reservation stays.
#[test]
fn a_token_survives_a_refusal() {
    let mut world = machine(0, |config| config.limits.allocations_per_user = 2);
    let mut bobs =
        [1, 2, 3].map(|port| Caller::new(&format!("192.0.2.2:{port}"), "bob", Transport::Udp));
    bobs[0].allocate(&mut world);
    bobs[1].allocate(&mut world);
    let answer = ask(&mut world, &mut Caller::alice(), &[&UDP, &PAIR]);
    for _ in 0..2 {
        assert_eq!(ask(&mut world, &mut bobs[2], &[&UDP, &token(&answer)]).code, 486);
    }
    let mut alice = Caller::new("192.0.2.1:2", "alice", Transport::Udp);
    assert_eq!(ask(&mut world, &mut alice, &[&UDP, &token(&answer)]).code, 0);
}
