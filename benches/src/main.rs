//! Prints the table: instructions and allocations of each operation of each codec, and the ratios to the
//! floor and to the best of the others.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};

use pinhole_benches::cases::{CODECS, OPERATIONS, case};

/// Counts allocations.
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
    let Some(instructions) = instructions() else {
        eprintln!(
            "no instruction counts: this needs valgrind, and gungraun-runner from cargo install"
        );
        return ExitCode::FAILURE;
    };
    println!("instructions (allocations)");
    print!("{:<9}", "");
    for codec in CODECS {
        print!("{codec:>16}");
    }
    println!("{:>12}{:>12}", "ours/floor", "ours/best");
    for operation in OPERATIONS {
        print!("{operation:<9}");
        let count = |codec: &str| instructions.get(&(operation.into(), codec.into())).copied();
        for codec in CODECS {
            let cell = match count(codec) {
                Some(count) => format!("{count} ({})", allocations(operation, codec)),
                None => "-".to_owned(),
            };
            print!("{cell:>16}");
        }
        let others = CODECS.iter().filter(|codec| !["floor", "ours"].contains(codec));
        let best = others.filter_map(|codec| count(codec)).min().unwrap_or(0);
        let ours = count("ours").unwrap_or(0) as f64;
        let ratio = |other: u64| ours / other.max(1) as f64;
        println!("{:>12.2}{:>12.2}", ratio(count("floor").unwrap_or(0)), ratio(best));
    }
    ExitCode::SUCCESS
}

/// Instructions by operation and codec, as the harness reports them.
fn instructions() -> Option<BTreeMap<(String, String), u64>> {
    let output = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--bench", "instructions"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut counts, mut current) = (BTreeMap::new(), None);
    for line in text.lines() {
        if let Some((operation, codec)) = identifier(line) {
            current = Some((operation, codec));
        } else if let Some(rest) = line.trim().strip_prefix("Instructions:") {
            let count = rest.split('|').next()?.trim().parse().ok()?;
            counts.insert(current.take()?, count);
        }
    }
    (!counts.is_empty()).then_some(counts)
}

/// Row and column in a line such as `instructions::operations::measure parse__ours:case(...)`.
fn identifier(line: &str) -> Option<(String, String)> {
    let (_, rest) = line.split_once("::measure ")?;
    let (operation, codec) = rest.split(':').next()?.split_once("__")?;
    Some((operation.into(), codec.into()))
}

fn allocations(operation: &str, codec: &str) -> u64 {
    let mut work = case(operation, codec);
    let before = COUNT.load(Ordering::Relaxed);
    work();
    COUNT.load(Ordering::Relaxed) - before
}
