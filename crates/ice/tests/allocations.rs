//! What strangers and idle minutes cost: no heap.
#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use pinhole_ice::{Agent, Config, Event, Received, Role, State};
use pinhole_sansio::{Datagram, FiveTuple, Instant};
use pinhole_stun::attribute::{Priority, Username};
use pinhole_stun::{Class, IntegrityKey, MessageWriter, Method, TransactionId};

struct Counting;

thread_local! {
    /// Calls to the allocator by this thread, and the bytes that it holds.
    static COUNT: Cell<(usize, isize)> = const { Cell::new((0, 0)) };
}

fn count(calls: usize, bytes: isize) {
    let (all, live) = COUNT.get();
    COUNT.set((all + calls, live + bytes));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two agents on a network that takes no time.
struct Pair {
    agents: [Agent; 2],
    now: Instant,
}

impl Pair {
    fn connected() -> Self {
        let now = Instant::ZERO;
        let mut agents = [(Role::Controlling, 1), (Role::Controlled, 2)]
            .map(|(role, seed)| Agent::new(Config::new(role), [seed; 32], now));
        for (agent, last) in agents.iter_mut().zip(1..) {
            agent.add_base(SocketAddr::from(([192, 0, 2, last], 5_000)), now).unwrap();
            agent.end_of_bases(now);
        }
        let credentials = agents.each_ref().map(|agent| agent.local_credentials().clone());
        let [of_a, of_b] = credentials;
        agents[0].set_remote_credentials(of_b, now).unwrap();
        agents[1].set_remote_credentials(of_a, now).unwrap();
        let mut pair = Self { agents, now };
        pair.run(Duration::from_secs(10));
        assert_eq!(pair.agents.each_ref().map(Agent::state), [State::Completed; 2]);
        pair
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.carry();
            let next = self.agents.iter().filter_map(Agent::poll_timeout).min().unwrap_or(end);
            self.now = next.max(self.now).min(end);
            for agent in &mut self.agents {
                agent.handle_timeout(self.now);
            }
        }
    }

    fn carry(&mut self) {
        let [a, b] = &mut self.agents;
        let mut moved = true;
        while moved {
            moved = carry(a, b, self.now) | carry(b, a, self.now);
        }
    }
}

fn carry(from: &mut Agent, to: &mut Agent, now: Instant) -> bool {
    let mut moved = false;
    while let Some(event) = from.poll_event() {
        if let Event::CandidateGathered(candidate) = event {
            to.add_remote_candidate(candidate, now);
        }
    }
    while let Some(transmit) = from.poll_transmit() {
        moved = true;
        assert_eq!(to.handle_datagram(transmit.as_datagram(), now), Received::Consumed);
    }
    moved
}

#[test]
fn keeping_a_pair_alive_allocates_nothing() {
    let mut pair = Pair::connected();
    pair.run(Duration::from_secs(120));
    let before = COUNT.get();
    pair.run(Duration::from_secs(600));
    assert_eq!(COUNT.get().0 - before.0, 0, "checks, answers and their timers of ten minutes");
}

#[test]
fn a_hundred_thousand_forged_sources_leave_nothing() {
    // CHECKLIST 44: wrong passwords, each from an address of its own.
    let mut pair = Pair::connected();
    let (now, agent) = (pair.now, &mut pair.agents[0]);
    let username = format!("{}:peer", agent.local_credentials().ufrag);
    let key = IntegrityKey::short_term("not the password that it takes");
    let mut before = None;
    for number in 0..100_000_u32 {
        let mut buffer = [0; 256];
        let id = TransactionId::new(core::array::from_fn(|index| number.to_be_bytes()[index % 4]));
        let mut writer =
            MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id).unwrap();
        writer.attribute(&Username(&username)).unwrap().attribute(&Priority(1)).unwrap();
        writer.integrity(&key).unwrap().fingerprint().unwrap();
        let [_, a, b, c] = number.to_be_bytes();
        let remote = SocketAddr::from(([198, 51 + a, b, c], 5_000));
        let five_tuple = FiveTuple::udp(SocketAddr::from(([192, 0, 2, 1], 5_000)), remote);
        let received =
            agent.handle_datagram(Datagram { five_tuple, payload: writer.finish() }, now);
        assert!(matches!(received, Received::Dropped(_)));
        assert!(agent.poll_transmit().is_some() && agent.poll_transmit().is_none());
        // The queue of answers has its room from the first one on.
        let before = before.get_or_insert_with(|| COUNT.get());
        assert_eq!(COUNT.get(), *before);
    }
    assert_eq!((agent.pairs().count(), agent.remote_candidates().count()), (1, 1));
}
