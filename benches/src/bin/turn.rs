//! Prints what a TURN server machine costs: instructions of each operation, under callgrind, with one and
//! with ten thousand allocations; and its memory for each of them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};

use pinhole_benches::turn::{Bench, OPERATIONS, measured};

/// Counts bytes in use.
struct Counting;

static IN_USE: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNTS: [usize; 2] = [1, 10_000];
/// How often an operation is done in one measurement.
const STEPS: usize = 2_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, operation, count] = &arguments[..] {
        let mut bench = Bench::new(count.parse().expect("a number"));
        let steps = bench.prepare(operation, STEPS);
        measured(&mut bench, &steps);
        return ExitCode::SUCCESS;
    }
    println!("| operation | with {} allocation | with {} |\n|---|---|---|", COUNTS[0], COUNTS[1]);
    for operation in OPERATIONS {
        let counts = COUNTS.map(|count| instructions(operation, count));
        let [Some(one), Some(many)] = counts else {
            eprintln!("no instruction counts: this needs valgrind");
            return ExitCode::FAILURE;
        };
        println!("| {operation} | {one} | {many} |");
    }
    let empty = Bench::new(1);
    let before = IN_USE.load(Ordering::Relaxed);
    let bench = Bench::new(COUNTS[1]);
    // A list of the clients is the program's own.
    let own = COUNTS[1] as u64 * std::mem::size_of_val(&bench.client(0)) as u64;
    let each = (IN_USE.load(Ordering::Relaxed) - before).saturating_sub(own) / COUNTS[1] as u64;
    println!("\n{each} bytes for each of {} allocations, the tables included", COUNTS[1]);
    drop((empty, bench));
    ExitCode::SUCCESS
}

/// Instructions of one operation, by callgrind.
fn instructions(operation: &str, count: usize) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=pinhole_benches::turn::measured")
        .arg(std::env::current_exe().ok()?)
        .args([operation, &count.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "))?.1;
    Some(collected.trim().parse::<u64>().ok()? / STEPS as u64)
}
