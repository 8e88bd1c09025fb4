//! Prints the table of the SDP crates: instructions and allocations of each operation of each codec, and the
//! ratios to the floor and to the best of the others.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};

use pinhole_benches::sdp::offers::{OFFERS, offer};
use pinhole_benches::sdp::{CODECS, OPERATIONS, case};

/// Counts allocations, and what grows.
struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
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

fn main() -> ExitCode {
    let Some(counts) = instructions() else {
        eprintln!(
            "no instruction counts: this needs valgrind, and gungraun-runner from cargo install"
        );
        return ExitCode::FAILURE;
    };
    println!("| | bytes | {} | ours / floor | best other / ours |", CODECS.join(" | "));
    println!("|{}", "---|".repeat(CODECS.len() + 4));
    for (operation, name) in OPERATIONS.iter().flat_map(|own| OFFERS.map(|name| (own, name))) {
        let row = format!("{operation}_{name}");
        let count =
            |codec: &str| counts.get(&(row.clone(), codec.to_owned())).copied().unwrap_or(0);
        print!("| {operation} {name} | {} |", offer(name).len());
        for codec in CODECS {
            print!(" {} ({}) |", count(codec), allocations(operation, name, codec));
        }
        let best = CODECS[2..].iter().map(|codec| count(codec)).min().unwrap_or(0) as f64;
        let ours = count("ours").max(1) as f64;
        println!(" {:.2} | {:.1} |", ours / count("floor").max(1) as f64, best / ours);
    }
    ExitCode::SUCCESS
}

/// Instructions by row and codec, as the harness reports them.
fn instructions() -> Option<BTreeMap<(String, String), u64>> {
    let output = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--bench", "sdp_instructions"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut counts, mut current) = (BTreeMap::new(), None);
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("::measure ") {
            let (row, codec) = rest.split(':').next()?.split_once("__")?;
            current = Some((row.to_owned(), codec.to_owned()));
        } else if let Some(rest) = line.trim().strip_prefix("Instructions:") {
            let count = rest.split('|').next()?.trim().parse().ok()?;
            counts.insert(current.take()?, count);
        }
    }
    (!counts.is_empty()).then_some(counts)
}

fn allocations(operation: &str, offer: &str, codec: &str) -> u64 {
    let mut work = case(operation, offer, codec);
    let before = COUNT.load(Ordering::Relaxed);
    work();
    COUNT.load(Ordering::Relaxed) - before
}
