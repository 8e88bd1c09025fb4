//! A datagram is sent without a heap allocation, and a burst with one.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, unsafe_code)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test listens to the events that it needs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pinhole_ice::{Event as Told, Role};
use pinhole_io::{Connection, Event};

/// Counts the allocations of the thread that runs a test.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Polls once: the other tasks of this thread do not run meanwhile.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the socket has room"),
    }
}

#[tokio::test]
async fn a_datagram_is_sent_without_an_allocation_and_a_burst_with_one() {
    let both = [Role::Controlling, Role::Controlled].map(|role| {
        let builder = Connection::builder(role).addresses(&["127.0.0.1".parse().unwrap()]);
        builder.start().unwrap()
    });
    let [a, b] = &both;
    a.set_remote_credentials(b.local_credentials()).unwrap();
    b.set_remote_credentials(a.local_credentials()).unwrap();
    let connecting = async { tokio::join!(until_selected(a, b), until_selected(b, a)) };
    tokio::time::timeout(Duration::from_secs(30), connecting).await.unwrap();
    let payload = [0x80; 1_000];
    // Once, for whatever is made when it is first wanted.
    a.send(&payload).await.unwrap();
    let before = COUNT.get();
    (0..10).for_each(|_| at_once(a.send(&payload)).unwrap());
    assert_eq!(COUNT.get() - before, 0);
    let payloads = [&payload[..]; 20];
    let before = COUNT.get();
    at_once(a.send_many(&payloads)).unwrap();
    let count = COUNT.get() - before;
    assert_eq!(count, 1, "the datagrams, one behind the other");
    for _ in 0..31 {
        assert_eq!(b.recv().await, payload);
    }
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
