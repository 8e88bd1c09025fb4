//! Connects our agent with others' over every pair of places that has a direct path, both roles, and prints who
//! connected and when. It fails when ours does not, with any of them.

use std::process::ExitCode;
use std::time::Duration;

use pinhole_benches::ice::{Kind, Meeting};
use pinhole_scenarios::{Place, oracle};

/// Who meets: the controlling one, and the other.
const COLUMNS: [[Kind; 2]; 7] = [
    [Kind::Ours, Kind::Ours],
    [Kind::Ours, Kind::Is],
    [Kind::Is, Kind::Ours],
    [Kind::Is, Kind::Is],
    [Kind::Ours, Kind::Rice],
    [Kind::Rice, Kind::Ours],
    [Kind::Rice, Kind::Rice],
];

fn main() -> ExitCode {
    let places = Place::all();
    let cells: Vec<_> = places
        .iter()
        .flat_map(|a| places.iter().map(|b| [*a, *b]))
        .filter(|[a, b]| oracle::is_direct(*a, *b))
        .collect();
    let columns = COLUMNS.map(|[a, b]| format!("{} → {}", a.name(), b.name()));
    println!("| A | B | {} |\n|---|---|{}", columns.join(" | "), "---|".repeat(COLUMNS.len()));
    let mut connected = [0; COLUMNS.len()];
    let mut failures = Vec::new();
    for [a, b] in &cells {
        let times = COLUMNS.map(|kinds| connect([*a, *b], kinds));
        let texts = times.map(|time| time.map_or("-".to_owned(), |time| time.to_string()));
        println!("| {a} | {b} | {} |", texts.join(" | "));
        for (count, time) in connected.iter_mut().zip(times) {
            *count += usize::from(time.is_some());
        }
        for (kinds, time) in COLUMNS.into_iter().zip(times) {
            if time.is_none() && kinds.contains(&Kind::Ours) {
                failures.push(format!("{a}, {b}: {} → {}", kinds[0].name(), kinds[1].name()));
            }
        }
    }
    let counts = connected.map(|count| count.to_string());
    println!("| **connected** | of {} | {} |", cells.len(), counts.join(" | "));
    for failure in &failures {
        eprintln!("not connected: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Milliseconds until both have selected a pair, if data then passes it both ways.
fn connect(places: [Place; 2], kinds: [Kind; 2]) -> Option<u128> {
    let mut meeting = Meeting::at(places, kinds, 1);
    let is_connected = meeting.run_until_selected(LIMIT) && meeting.carries_data();
    let selected = meeting.nodes().map(|node| node.selected);
    let latest = selected.into_iter().flatten().max()?;
    is_connected.then(|| (latest - pinhole_sansio::Instant::ZERO).as_millis())
}

/// Later than that is not at all.
const LIMIT: Duration = Duration::from_secs(30);
