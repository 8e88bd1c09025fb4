//! Relayed data costs no heap allocation, and refused data none either.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unsafe_code)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{Caller, PEER, World, addr, config};
use pinhole_sansio::Datagram;
use pinhole_turn::client::{self, Client};
use pinhole_turn::server::Received;

/// Counts the allocations of the thread that runs a test.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// Bytes in use.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        IN_USE.set(IN_USE.get().wrapping_add(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let before = COUNT.get();
    std::hint::black_box(work());
    COUNT.get() - before
}

#[test]
fn relaying_in_both_directions_allocates_nothing() {
    assert_eq!(allocations(|| vec![1, 2, 3]), 1, "the count counts");
    let (mut world, mut alice) = (World::new(config()), Caller::alice());
    let relayed = alice.allocate(&mut world);
    assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
    assert_eq!(alice.permit(&mut world, &["198.51.100.8:1"]), 0);
    let relay = world.relay_at(relayed);
    let mut channel_data = [7; 176];
    channel_data[..4].copy_from_slice(&[0x40, 0, 0, 172]);
    let mut send = vec![0, 0x16, 0, 12 + 176, 0x21, 0x12, 0xa4, 0x42];
    send.extend([7; 12]);
    send.extend([0, 0x12, 0, 8, 0, 1, 0, 0, 0xe7, 0x21, 0xc0, 0x45, 0, 0x13, 0, 172]);
    send.extend([7; 172]);
    let (peer, other, stranger) = (addr(PEER), addr("198.51.100.8:1"), addr("198.51.100.9:1"));

    let now = world.now;
    let count = allocations(|| {
        for payload in [&channel_data[..], &send] {
            let datagram = Datagram { five_tuple: alice.path.reversed(), payload };
            let received = world.server.handle_client_datagram(datagram, now);
            assert!(matches!(received, Received::ToPeer(route) if route.payload.len() == 172));
        }
        let server = &mut world.server;
        assert_eq!(server.handle_peer_datagram(relay, peer, 172, now).unwrap().header.len(), 4);
        assert_eq!(server.handle_peer_datagram(relay, other, 172, now).unwrap().header.len(), 36);
        assert!(server.handle_peer_datagram(relay, stranger, 172, now).is_err());
        let datagram = Datagram { five_tuple: alice.path, payload: &channel_data };
        assert!(matches!(server.handle_client_datagram(datagram, now), Received::Dropped(_)));
    });
    assert_eq!(count, 0);
}

/// "memory per UDP allocation: at most 2 KiB in user space", with a channel and a permission.
#[test]
fn an_allocation_takes_less_than_two_kibibytes() {
    const COUNT: usize = 1_000;
    let mut large = config();
    large.limits.allocations_per_user = 10_000;
    let mut world = World::new(large);
    for port in 0..COUNT {
        let local = format!("192.0.2.1:{}", 10_000 + port);
        let mut alice = Caller::new(&local, "alice", pinhole_sansio::Transport::Udp);
        alice.allocate(&mut world);
        assert_eq!(alice.bind(&mut world, 0x4000, PEER), 0);
        drop(alice);
        // What the test keeps for itself.
        world.answers = vec![];
        world.events = vec![];
    }
    assert_eq!(world.open.len(), COUNT);
    let before = IN_USE.get();
    drop(world);
    let each = before.wrapping_sub(IN_USE.get()) / COUNT;
    assert!(each < 2_048, "{each} bytes");
    assert!(each > 200, "{each} bytes are too few to be true");
    println!("{each} bytes for each allocation, tables and the test's own records included");
}

#[test]
fn a_client_that_sends_and_receives_allocates_nothing() {
    let mut world = World::new(config());
    let path = Caller::alice().path;
    let credentials = pinhole_stun::Credentials::new("alice", "secret").unwrap();
    let config = client::Config::new(path, credentials);
    let mut machine = Client::new(config, [9; 32], world.now);
    let (peer, now) = (addr(PEER), world.now);
    let talk = |machine: &mut Client, world: &mut World| {
        while let Some(request) = machine.poll_transmit() {
            let _ = world.input(path, &request.payload);
            for (five_tuple, payload) in std::mem::take(&mut world.answers) {
                let datagram = Datagram { five_tuple: five_tuple.reversed(), payload: &payload };
                let _ = machine.handle_datagram(datagram, now);
            }
        }
    };
    talk(&mut machine, &mut world);
    machine.permit(peer.ip(), now);
    talk(&mut machine, &mut world);
    assert_eq!(machine.send(peer, 172, now).unwrap().header.len(), 36);
    for _ in 2..8 {
        assert_eq!(allocations(|| machine.send(peer, 172, now).unwrap()), 0);
    }
    // The eighth one is worth a channel, and so a request.
    assert_eq!(machine.send(peer, 172, now).unwrap().header.len(), 36);
    talk(&mut machine, &mut world);
    let mut channel_data = [7; 176];
    channel_data[..4].copy_from_slice(&[0x40, 0, 0, 172]);
    let count = allocations(|| {
        assert_eq!(machine.send(peer, 172, now).unwrap().header.len(), 4);
        let datagram = Datagram { five_tuple: path, payload: &channel_data };
        let received = machine.handle_datagram(datagram, now);
        assert_eq!(received, client::Received::Data { peer, payload: 4..176 });
    });
    assert_eq!(count, 0);
}

/// T5: the heap is the same after ten thousand strangers, each from an address of its own.
#[test]
fn t5_strangers_leave_nothing_on_the_heap() {
    let mut world = World::new(config());
    let mut request = vec![0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    request.extend([0, 0x19, 0, 4, 17, 0, 0, 0]);
    let mut ask = |host: u32| {
        let source = std::net::SocketAddr::new(
            std::net::Ipv4Addr::from_bits(0x0a00_0000 + host).into(),
            5_000,
        );
        let five_tuple = pinhole_sansio::FiveTuple::udp(addr("192.0.2.10:3478"), source);
        let datagram = Datagram { five_tuple, payload: &request };
        assert_eq!(world.server.handle_client_datagram(datagram, world.now), Received::Handled);
        assert!(world.server.poll_transmit().is_some_and(|answer| answer.payload.len() <= 84));
    };
    ask(0);
    let before = IN_USE.get();
    (1..=10_000).for_each(&mut ask);
    assert_eq!(IN_USE.get(), before);
}

/// T17: a request takes as many allocations on the heap with a thousand others as alone.
#[test]
fn t17_a_request_costs_the_same_with_a_thousand_allocations() {
    let counts = [1, 1_000].map(|others| {
        let mut large = config();
        large.limits.allocations_per_user = 10_000;
        let mut world = World::new(large);
        let mut alice = Caller::alice();
        for port in 0..others {
            let local = format!("192.0.2.1:{}", 10_000 + port);
            Caller::new(&local, "bob", pinhole_sansio::Transport::Udp).allocate(&mut world);
        }
        alice.allocate(&mut world);
        assert_eq!(alice.refresh(&mut world, 600).code, 0);
        let datagram = Datagram { five_tuple: alice.path.reversed(), payload: &alice.last };
        allocations(|| {
            let _ = world.server.handle_client_datagram(datagram, world.now);
            assert!(world.server.poll_transmit().is_some());
        })
    });
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 8, "{} allocations for a Refresh", counts[0]);
}
