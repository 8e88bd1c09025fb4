//! Machines that share a pool of ports: each port is one machine's, and no machine lacks what is free.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Caller, World, config, relayed};
use pinhole_sansio::{Datagram, Transport};
use pinhole_stun::Method;
use pinhole_stun::attribute::{AttributeWrite, Family};
use pinhole_turn::attribute::{EvenPort, RequestedTransport, ReservationToken};
use pinhole_turn::server::{Ask, Command, Config, LocalPorts, PortPool};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};

const UDP: RequestedTransport = RequestedTransport::UDP;
const EVEN: EvenPort = EvenPort { reserve_next: false };
const PAIR: EvenPort = EvenPort { reserve_next: true };
/// As long as a port rests that somebody else holds.
const HELD: Duration = Duration::from_secs(60);

/// A pool that several machines lock in turn.
#[derive(Clone)]
struct Shared(Arc<Mutex<LocalPorts>>);

impl PortPool for Shared {
    fn take(&mut self, family: Family, ask: Ask, random: u32) -> Option<u16> {
        self.0.lock().unwrap().take(family, ask, random)
    }

    fn release(&mut self, family: Family, port: u16) {
        self.0.lock().unwrap().release(family, port);
    }

    fn free(&self, family: Family) -> usize {
        self.0.lock().unwrap().free(family)
    }
}

/// Machines with these ports.
fn machines(count: u8, first: u16, last: u16) -> Vec<World> {
    let mut config = config();
    config.ports = first..=last;
    config.limits.allocations_per_user = u32::MAX;
    let pool = Shared(Arc::new(Mutex::new(LocalPorts::new(&config))));
    let machine = |shard| {
        let mut world = World::new(Config { shard, ..config.clone() });
        world.server = world.server.with_ports(Box::new(pool.clone()));
        world
    };
    (0..count).map(machine).collect()
}

fn caller(number: u16) -> Caller {
    Caller::new(&format!("192.0.2.1:{number}"), "alice", Transport::Udp)
}

/// Asks for a relayed address: its port, or the code of the refusal.
fn ask(
    world: &mut World,
    caller: &mut Caller,
    attributes: &[&dyn AttributeWrite],
) -> Result<u16, u16> {
    let answer = caller.ask(world, Method::ALLOCATE, &|writer| {
        attributes.iter().try_for_each(|attribute| writer.attribute(*attribute).map(drop))
    });
    if answer.code == 0 { Ok(relayed(&answer).port()) } else { Err(answer.code) }
}

/// The sockets that are open, whosever they are; none is open twice.
fn open(worlds: &[World]) -> BTreeSet<u16> {
    let ports = worlds.iter().flat_map(|world| world.open.values().map(|address| address.port()));
    let all: Vec<u16> = ports.collect();
    let different: BTreeSet<u16> = all.iter().copied().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
    different
}

#[test]
fn one_machine_may_use_up_the_whole_range() {
    let mut worlds = machines(2, 50_000, 50_099);
    let mut callers: Vec<Caller> = (1..=101).map(caller).collect();
    let (last, first) = callers.split_last_mut().unwrap();
    let ports: BTreeSet<u16> =
        first.iter_mut().map(|caller| ask(&mut worlds[0], caller, &[&UDP]).unwrap()).collect();
    assert_eq!(ports, (50_000..=50_099).collect());
    for world in &mut worlds {
        assert_eq!(ask(world, last, &[&UDP]), Err(508));
        assert_eq!(world.server.free_ports(Family::Ipv4), 0);
    }
    assert_eq!(first[7].refresh(&mut worlds[0], 0).code, 0);
    assert!(ask(&mut worlds[1], last, &[&UDP]).is_ok(), "what one gives back is the other's");
}

/// The socket of a deleted allocation is open until its machine's driver has closed it.
#[test]
fn a_port_changes_hands_when_its_socket_is_closed() {
    let mut worlds = machines(2, 50_000, 50_000);
    let (mut alice, mut other) = (caller(1), caller(2));
    assert_eq!(ask(&mut worlds[0], &mut alice, &[&UDP]), Ok(50_000));
    let delete = {
        // The request is written, and given to a machine whose driver is slow.
        let mut elsewhere = World::new(config());
        alice.refresh(&mut elsewhere, 0);
        alice.last.clone()
    };
    let datagram = Datagram { five_tuple: alice.path.reversed(), payload: &delete };
    let now = worlds[0].now;
    let _ = worlds[0].server.handle_client_datagram(datagram, now);
    let free = |worlds: &[World]| worlds[1].server.free_ports(Family::Ipv4);
    assert_eq!((worlds[0].server.allocations(), free(&worlds)), (0, 0));
    let own = [Family::Ipv4, Family::Ipv6].map(|family| worlds[0].server.free_ports(family));
    assert_eq!(own, [1, 0], "its own machine knows that it will be free");
    assert_eq!(ask(&mut worlds[1], &mut other, &[&UDP]), Err(508));
    let command = worlds[0].server.poll_command();
    assert!(matches!(command, Some(Command::CloseRelay { .. })), "{command:?}");
    assert_eq!(free(&worlds), 0, "the driver is closing it");
    assert_eq!(worlds[0].server.poll_command(), None);
    worlds[0].open.clear();
    assert_eq!(ask(&mut worlds[1], &mut other, &[&UDP]), Ok(50_000));
}

/// "The server MUST hold this reservation" (RFC 8656 §7.2), and not only from its own clients.
#[test]
fn what_one_machine_reserves_no_other_hands_out() {
    let mut worlds = machines(3, 50_000, 50_005);
    let mut callers: Vec<Caller> = (1..=9).map(caller).collect();
    let mut evens = BTreeSet::new();
    for (world, caller) in worlds.iter_mut().zip(&mut callers) {
        evens.insert(ask(world, caller, &[&UDP, &PAIR]).unwrap());
    }
    assert_eq!(evens, [50_000, 50_002, 50_004].into(), "a pair for each, none cut");
    for (world, caller) in worlds.iter_mut().zip(callers.iter_mut().skip(3)) {
        assert_eq!(ask(world, caller, &[&UDP]), Err(508));
    }
    worlds.iter_mut().for_each(|world| world.advance(Duration::from_secs(30)));
    let mut odd = BTreeSet::new();
    for caller in callers.iter_mut().skip(3).take(3) {
        assert_eq!(ask(&mut worlds[0], caller, &[&UDP, &EVEN]), Err(508));
        odd.insert(ask(&mut worlds[0], caller, &[&UDP]).unwrap());
    }
    assert_eq!(odd, [50_001, 50_003, 50_005].into());
}

#[test]
fn a_port_that_somebody_holds_rests_for_all() {
    let mut worlds = machines(2, 50_000, 50_019);
    for world in &mut worlds {
        world.held = (50_000..=50_019).step_by(2).collect();
    }
    let mut callers: Vec<Caller> = (1..=24).map(caller).collect();
    let granted = callers.iter_mut().enumerate();
    let granted: Vec<_> =
        granted.map(|(number, caller)| ask(&mut worlds[number % 2], caller, &[&UDP])).collect();
    assert_eq!(granted.iter().filter(|port| port.is_ok()).count(), 10);
    let opened: usize = worlds.iter().map(|world| world.opened).sum();
    assert_eq!(opened, 20, "each is tried once, by one of them");
    for world in &mut worlds {
        world.held.clear();
        world.advance(HELD);
    }
    assert_eq!(worlds[0].server.free_ports(Family::Ipv4), 10);
    let refused = callers.iter_mut().zip(&granted).filter(|(_, granted)| granted.is_err());
    let again: Vec<_> = refused.map(|(caller, _)| ask(&mut worlds[0], caller, &[&UDP])).collect();
    assert_eq!(again.iter().filter(|port| port.is_ok()).count(), 10, "and then it is anybody's");
    assert_eq!(open(&worlds).len(), 20);
}

/// Whether there is a port, or a pair of them, in 50001-50016 besides those that are taken.
fn has_room(taken: &BTreeSet<u16>, pair: bool) -> bool {
    let is_free = |port: u16| port <= 50_016 && !taken.contains(&port);
    let mut ports = 50_001..=50_016;
    ports.any(|port| is_free(port) && (!pair || port.is_multiple_of(2) && is_free(port + 1)))
}

/// Random steps of three machines: nobody is refused while there is a port for him, and what is neither
/// open nor resting is free.
#[test]
fn random_steps_of_three_machines_keep_the_pool_whole() {
    for seed in 0..40 {
        let mut rng = ChaCha12Rng::from_seed([seed; 32]);
        let mut worlds = machines(3, 50_001, 50_016);
        let mut callers: Vec<(usize, Caller)> = vec![];
        for step in 0..120_u16 {
            let at = rng.random_range(0..worlds.len());
            match rng.next_u32() % 8 {
                0..4 => {
                    let (mut caller, pair) = (caller(1_000 + step), rng.random::<bool>());
                    let is_possible = has_room(&open(&worlds), pair);
                    let wishes: [&dyn AttributeWrite; 2] = [&UDP, &PAIR];
                    let wishes = if pair { &wishes[..] } else { &wishes[..1] };
                    let port = ask(&mut worlds[at], &mut caller, wishes);
                    assert_eq!(port.is_ok(), is_possible, "seed {seed}, step {step}: {port:?}");
                    callers.extend(port.ok().map(|_| (at, caller)));
                }
                4..7 if !callers.is_empty() => {
                    let (at, mut caller) = callers.swap_remove(rng.random_range(0..callers.len()));
                    assert_eq!(caller.refresh(&mut worlds[at], 0).code, 0);
                }
                _ => worlds.iter_mut().for_each(|world| world.advance(Duration::from_secs(7))),
            }
            let (open, free) = (open(&worlds).len(), worlds[at].server.free_ports(Family::Ipv4));
            assert_eq!(open + free, 16, "seed {seed}, step {step}");
        }
    }
}

/// A second Allocate that another machine gets is given to the first one, which has the reserved socket.
#[test]
fn a_reserved_port_is_had_where_its_token_leads() {
    let mut worlds = machines(2, 50_000, 50_001);
    let (mut alice, mut second) = (caller(1), caller(2));
    let answer = alice.ask(&mut worlds[1], Method::ALLOCATE, &|writer| {
        writer.attribute(&UDP)?.attribute(&PAIR).map(drop)
    });
    let token = answer.message().get::<ReservationToken>().unwrap().unwrap();
    assert_eq!(ask(&mut worlds[0], &mut second, &[&UDP, &token]), Err(508));
    let home = usize::from(pinhole_turn::server::home(&second.last).unwrap());
    assert_eq!(ask(&mut worlds[home], &mut second, &[&UDP, &token]), Ok(50_001));
}

/// A machine whose driver cannot open a socket takes no port with it.
#[test]
fn a_driver_without_descriptors_costs_the_others_nothing() {
    let mut worlds = machines(2, 50_000, 50_007);
    worlds[0].sockets = 0;
    for number in 1..=20 {
        assert_eq!(ask(&mut worlds[0], &mut caller(number), &[&UDP, &PAIR]), Err(508));
    }
    for number in 21..=28 {
        assert!(ask(&mut worlds[1], &mut caller(number), &[&UDP]).is_ok());
    }
}
