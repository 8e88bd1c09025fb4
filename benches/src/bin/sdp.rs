//! Prints what descriptions cost: instructions and allocations of each operation of each codec, megabytes in a
//! second, and how the work grows with descriptions that were made to be long.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use pinhole_benches::sdp::growth::{self, SHAPES, STEPS};
use pinhole_benches::sdp::offers::{OFFERS, offer};
use pinhole_benches::sdp::{CODECS, OPERATIONS, case};
use pinhole_benches::table::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Work that doubles with its input, and some to spare (checklist line 55).
const MOST_GROWTH: f64 = 2.3;
/// How many there are of a shape, and then twice as many: within the default limit of sections.
const COUNT: usize = 500;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, step, shape, count] = &arguments[..] {
        let count = count.parse().expect("a number");
        growth::measure(step, &growth::text(shape, count));
        return ExitCode::SUCCESS;
    }
    let rows: Vec<String> = OPERATIONS
        .iter()
        .flat_map(|operation| OFFERS.map(|offer| format!("{operation}_{offer}")))
        .collect();
    let has_counts = table::print("sdp_instructions", &CODECS, &rows, case_of);
    println!();
    print_speed(&rows);
    println!();
    let is_linear = print_growth();
    if has_counts && is_linear { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The work of a row such as `parse_browser`.
fn case_of(row: &str, codec: &str) -> pinhole_benches::cases::Operation {
    let (operation, offer) = row.split_once('_').expect("rows have two words");
    case(operation, offer, codec)
}

fn print_speed(rows: &[String]) {
    println!("| MB/s | {} |", CODECS.join(" | "));
    println!("|{}", "---|".repeat(CODECS.len() + 1));
    for row in rows {
        let bytes = row.split_once('_').map_or(0, |(_, name)| offer(name).len());
        let cells = CODECS.map(|codec| format!("{:.0}", speed(bytes, case_of(row, codec))));
        println!("| {row} | {} |", cells.join(" | "));
    }
}

/// Megabytes in a second, the best of five rounds.
fn speed(bytes: usize, mut work: pinhole_benches::cases::Operation) -> f64 {
    let rounds = (0..5).map(|_| {
        let (start, mut done) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_millis(20) {
            work();
            done += bytes;
        }
        done as f64 / 1e6 / start.elapsed().as_secs_f64()
    });
    rounds.fold(0.0, f64::max)
}

/// Whether no step with any shape more than doubles.
fn print_growth() -> bool {
    println!("| {COUNT} → {} | {} |", 2 * COUNT, STEPS.join(" | "));
    println!("|{}", "---|".repeat(STEPS.len() + 1));
    let mut is_linear = true;
    for shape in SHAPES {
        let cells = STEPS.map(|step| {
            let [Some(once), Some(twice)] =
                [COUNT, 2 * COUNT].map(|n| instructions(step, shape, n))
            else {
                is_linear = false;
                return "valgrind is missing".to_owned();
            };
            let growth = twice as f64 / once.max(1) as f64;
            is_linear &= growth <= MOST_GROWTH;
            format!("{growth:.2}")
        });
        println!("| {shape} | {} |", cells.join(" | "));
    }
    is_linear
}

/// Instructions of one step, by callgrind. The harness of the first table may have built this program anew, so that
/// it is not the file that runs now.
fn instructions(step: &str, shape: &str, count: usize) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*growth::measured*")
        .arg(std::env::args_os().next()?)
        .args([step, shape, &count.to_string()])
        .output()
        .ok()?;
    assert!(
        output.status.success(),
        "{step} of {shape}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "))?.1;
    collected.trim().parse().ok()
}
