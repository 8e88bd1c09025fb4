//! A table of operations and codecs: instructions and allocations, and how ours stands beside the others.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cases::Operation;

/// Counts allocations: the global allocator of a program that prints tables.
pub struct Counting;

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

/// Prints the rows, as a table in Markdown. `case` gives the work of a row and a codec.
///
/// Returns whether there was something to print: the harness counts under valgrind, which may be missing.
#[must_use]
pub fn print(
    harness: &str,
    codecs: &[&str],
    rows: &[String],
    case: impl Fn(&str, &str) -> Operation,
) -> bool {
    let Some(counts) = instructions(harness) else {
        eprintln!(
            "no instruction counts: this needs valgrind, and gungraun-runner from cargo install"
        );
        return false;
    };
    println!(
        "| instructions (allocations) | {} | ours / floor | best other / ours |",
        codecs.join(" | ")
    );
    println!("|{}", "---|".repeat(codecs.len() + 3));
    for row in rows {
        let count = |codec: &str| counts.get(&(row.clone(), codec.to_owned())).copied();
        let cells = codecs.iter().map(|codec| match count(codec) {
            Some(count) => format!("{count} ({})", allocations(case(row, codec))),
            None => "-".to_owned(),
        });
        let cells: Vec<String> = cells.collect();
        let others = codecs.iter().filter(|codec| !["floor", "ours"].contains(codec));
        let best = others.filter_map(|codec| count(codec)).min().unwrap_or(0) as f64;
        let ours = count("ours").unwrap_or(0).max(1) as f64;
        let floor = count("floor").unwrap_or(0).max(1) as f64;
        println!("| {row} | {} | {:.2} | {:.2} |", cells.join(" | "), ours / floor, best / ours);
    }
    true
}

/// Instructions by row and codec, as the harness of this name in `benches/` reports them.
fn instructions(harness: &str) -> Option<BTreeMap<(String, String), u64>> {
    let output = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--bench", harness])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut counts, mut current) = (BTreeMap::new(), None);
    for line in text.lines() {
        if let Some(identifier) = identifier(line) {
            current = Some(identifier);
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
    let (row, codec) = rest.split(':').next()?.split_once("__")?;
    Some((row.into(), codec.into()))
}

fn allocations(mut work: Operation) -> u64 {
    let before = COUNT.load(Ordering::Relaxed);
    work();
    COUNT.load(Ordering::Relaxed) - before
}
