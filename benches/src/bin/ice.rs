//! Prints what it takes two ICE agents to connect, ours beside others': virtual time, packets, instructions under
//! callgrind, allocations; and the packets of an idle minute.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pinhole_benches::ice::{IS_COUNTED, Kind, Meeting, Topology};
use pinhole_sansio::Instant;

/// Counts what the agents allocate.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(u64::from(IS_COUNTED.load(Ordering::Relaxed)), Ordering::Relaxed);
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

/// Ours first, and as others nominate.
const COLUMNS: [Kind; 4] = [Kind::Ours, Kind::OursAggressive, Kind::Is, Kind::Rice];
/// What it is called, interfaces, and how many of them are dead.
const CASES: [(&str, usize, usize); 3] =
    [("1 × 1", 1, 0), ("4 × 4", 4, 0), ("6 × 6, five dead", 6, 5)];
const ROUND_TRIPS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];
/// Later than that is not at all.
const LIMIT: Duration = Duration::from_secs(30);

/// The figures of one kind of agent in one case.
struct Connected {
    /// When both could send, in milliseconds.
    both_can_send: u64,
    /// When the controlling and the controlled one had selected a pair, in milliseconds.
    selected: [u64; 2],
    /// What both have sent until then.
    packets: u64,
    /// What both have allocated until then.
    allocations: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, kind, interfaces, dead] = &arguments[..] {
        let kind = Kind::named(kind).expect("an agent's name");
        let count = |text: &String| text.parse().expect("a number");
        let topology = topology(count(interfaces), count(dead), ROUND_TRIPS[0]);
        let is_connected = Meeting::between(topology, kind).run_until_selected(LIMIT);
        return if is_connected { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    println!("| | {} | ours first |", COLUMNS.map(Kind::name).join(" | "));
    println!("|---|{}---|", "---|".repeat(COLUMNS.len()));
    for (case, interfaces, dead) in CASES {
        for round_trip in ROUND_TRIPS {
            let figures = COLUMNS.map(|kind| connect(topology(interfaces, dead, round_trip), kind));
            let name = format!("{case}, R = {} ms", round_trip.as_millis());
            print_connected(&name, &figures);
        }
        let counts = COLUMNS.map(|kind| instructions(kind, interfaces, dead));
        if counts.contains(&None) {
            eprintln!("no instruction counts: this needs valgrind, and agents that connect");
            return ExitCode::FAILURE;
        }
        print_row(&format!("{case}: instructions"), counts);
    }
    print_row("6 × 6, all alive: packets of an idle minute", COLUMNS.map(idle_minute));
    ExitCode::SUCCESS
}

const fn topology(interfaces: usize, dead: usize, round_trip: Duration) -> Topology {
    Topology { interfaces, dead, round_trip }
}

fn connect(topology: Topology, kind: Kind) -> Option<Connected> {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut meeting = Meeting::between(topology, kind);
    if !meeting.run_until_selected(LIMIT) {
        return None;
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let packets = meeting.packets() as u64;
    let millis = |at: Instant| at.as_nanos() / 1_000_000;
    let [a, b] = meeting.nodes();
    let both_can_send = millis(a.writable?.max(b.writable?));
    let selected = [a.selected?, b.selected?].map(millis);
    Some(Connected { both_can_send, selected, packets, allocations })
}

fn print_connected(case: &str, figures: &[Option<Connected>; 4]) {
    let row = |name: &str, figure: fn(&Connected) -> u64| {
        print_row(
            &format!("{case}: {name}"),
            figures.each_ref().map(|one| one.as_ref().map(figure)),
        );
    };
    row("both can send, ms", |one| one.both_can_send);
    row("controlling selected, ms", |one| one.selected[0]);
    row("controlled selected, ms", |one| one.selected[1]);
    row("packets", |one| one.packets);
    row("allocations", |one| one.allocations);
}

/// One figure of each kind of agent, the least of them the best; of ours the better one counts.
fn print_row(name: &str, figures: [Option<u64>; 4]) {
    let texts = figures.map(|figure| figure.map_or("-".to_owned(), |figure| figure.to_string()));
    let [regular, aggressive, others @ ..] = figures;
    let ours = regular.into_iter().chain(aggressive).min();
    let best = others.into_iter().flatten().min().unwrap_or(u64::MAX);
    let verdict = match ours {
        Some(ours) if ours < best => "yes",
        Some(ours) if ours == best => "equal",
        _ => "**no**",
    };
    println!("| {name} | {} | {verdict} |", texts.join(" | "));
}

/// Instructions of both agents from their creation to the selection, by callgrind.
fn instructions(kind: Kind, interfaces: usize, dead: usize) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=pinhole_benches::ice::measured")
        .arg(std::env::current_exe().ok()?)
        .args([kind.name(), &interfaces.to_string(), &dead.to_string()])
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "))?.1;
    collected.trim().parse().ok()
}

/// What both send in a minute, half a minute after they have selected one of 36 pairs that all work.
fn idle_minute(kind: Kind) -> Option<u64> {
    let mut meeting = Meeting::between(topology(6, 0, ROUND_TRIPS[0]), kind);
    if !meeting.run_until_selected(LIMIT) {
        return None;
    }
    meeting.run_for(Duration::from_secs(30));
    let before = meeting.packets();
    meeting.run_for(Duration::from_secs(60));
    Some((meeting.packets() - before) as u64)
}
