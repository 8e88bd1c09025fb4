//! How much memory a view costs.
#![allow(clippy::unwrap_used)]
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pinhole_sdp::{Description, Group, Limits};

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
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = COUNT.get();
    COUNT.set(Count { peak: before.live, ..before });
    let value = work();
    let after = COUNT.get();
    (value, after.calls - before.calls, after.peak - before.live)
}

fn offer(sections: usize) -> String {
    let mut text =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE\r\n".to_owned();
    for mid in 0..sections {
        text.push_str(&format!("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:{mid}\r\n"));
        text.push_str(
            "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=rtpmap:96 VP8/90000\r\n",
        );
        text.push_str(&"a=candidate:1 1 udp 2130706431 192.0.2.1 49152 typ host\r\n".repeat(30));
    }
    text
}

#[test]
fn a_browsers_offer_is_viewed_with_few_allocations_and_less_memory_than_its_text() {
    for sections in [1, 2, 3] {
        let text = offer(sections);
        let (description, calls, bytes) = counted(|| Description::parse(&text).unwrap());
        assert!(calls <= 2, "{calls} allocations for {sections} sections");
        assert!(bytes <= text.len(), "{bytes} bytes for {} bytes of text", text.len());
        let (found, calls, _) = counted(|| {
            let media = description.media().last().unwrap();
            (media.ice().unwrap().is_some(), media.candidates().count())
        });
        assert_eq!((found, calls), ((true, 30), 0), "looking at it costs nothing");
    }
}

#[test]
fn a_megabyte_costs_at_most_eight_times_its_length() {
    let candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n";
    for body in [
        "a=x:yyyyy\n".repeat(100_000),
        "m=audio 9 RTP/AVP 0\n".repeat(10_000),
        format!("a=x:{}\n", "y".repeat(1_000_000)),
        candidate.repeat(100_000),
        format!("a=group:BUNDLE{}\n", " 123456789".repeat(100_000)),
    ] {
        let text = format!("v=0\n{body}");
        let (_, _, bytes) = counted(|| {
            let description = Description::parse_within(&text, &Limits::NONE).unwrap();
            description.session().get::<Group<'_>>().unwrap();
        });
        assert!(bytes <= 8 * text.len(), "{bytes} bytes for {}", text.len());
    }
}
