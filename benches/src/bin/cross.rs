//! Connects our agent with others' over every pair of places that has a direct path, both roles, and prints who
//! connected and when. It fails when two agents of one kind connect somewhere, and ours does not with one of them;
//! and when one of the known exceptions is none any more.

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
            let is_missing = time.is_none() && connects_alone(&times, kinds);
            if is_missing != is_known([*a, *b], kinds) {
                let what = if is_missing { "not connected" } else { "no exception any more" };
                failures.push(format!(
                    "{what}: {a}, {b}: {} → {}",
                    kinds[0].name(),
                    kinds[1].name()
                ));
            }
        }
    }
    let counts = connected.map(|count| count.to_string());
    println!("| **connected** | of {} | {} |", cells.len(), counts.join(" | "));
    for failure in &failures {
        eprintln!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether two agents of the peer's kind connect there.
fn connects_alone(times: &[Option<u128>; COLUMNS.len()], kinds: [Kind; 2]) -> bool {
    let peer = kinds.into_iter().find(|kind| *kind != Kind::Ours);
    let alone =
        COLUMNS.iter().zip(times).find(|(column, _)| Some(**column) == peer.map(|kind| [kind; 2]));
    alone.is_some_and(|(_, time)| time.is_some())
}

/// A controlled `rice-proto` behind a NAT that takes a nomination for a pair whose own check is still on its way has
/// nothing selected for good, against RFC 8445 §7.3.1.5. Between a dual stack and a full cone, at the latter's router:
///
/// | ms | |
/// |---|---|
/// | 295 | its check |
/// | 335 | our nomination |
/// | 385 | its answer to that, and our answer to its check |
/// | 435 | its check once more, with USE-CANDIDATE, though it is controlled (§7.1.2) |
/// | 525 | our answer, and nothing more |
///
/// Inside (0.4.3, `conncheck.rs`), the answer at 385 brings the mapped address, and with it a valid pair of its own
/// (`check_success`, case 3). The answer at 525 finds that pair (case 2), and puts it, which was not nominated, on the
/// valid list in place of the check's own; `nominated_pair` then finds none to nominate, and logs "unknown nomination".
/// Two of its own meet the same end in other cells.
fn is_known(places: [Place; 2], kinds: [Kind; 2]) -> bool {
    let [a, b] = places;
    let is_nat = b.translation().is_some() && b != Place::DualStack;
    kinds == [Kind::Ours, Kind::Rice] && a == Place::DualStack && is_nat
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
