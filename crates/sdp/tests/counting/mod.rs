//! An allocator that counts what one thread asks for.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

/// What one thread asked for.
#[derive(Clone, Copy, Default)]
struct Count {
    calls: usize,
    live: usize,
    peak: usize,
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { calls: 0, live: 0, peak: 0 }) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Count { calls, live, peak } = COUNT.get();
        let live = live + layout.size();
        COUNT.set(Count { calls: calls + 1, live, peak: peak.max(live) });
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let count = COUNT.get();
        COUNT.set(Count { live: count.live.saturating_sub(layout.size()), ..count });
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `work` makes, and the most bytes that it holds at a time.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = COUNT.get();
    COUNT.set(Count { peak: before.live, ..before });
    let value = work();
    let after = COUNT.get();
    (value, after.calls - before.calls, after.peak - before.live)
}
