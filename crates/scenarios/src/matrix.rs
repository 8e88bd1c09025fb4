//! Every place with every place, on a quiet network.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::oracle::{self, Path};
use crate::place::Place;
use crate::session::{Relaying, Session, SessionConfig, Side};

/// What became of two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Connected by the kind of path that the oracle names.
    Connected {
        /// Directly, or through a relay.
        path: Path,
        /// Hundredths of a round trip until both sides could send.
        writable: u128,
        /// Hundredths of a round trip until both sides had selected a pair.
        selected: u128,
    },
    /// There is no path, and none was found.
    NoPath,
    /// The agents and the oracle disagree.
    Wrong,
}

/// Connects A at one place with B at another; both know each other's credentials at once, and signaling is instant.
#[must_use]
pub fn connect(places: [Place; 2], relaying: Relaying, seed: u64) -> Cell {
    let config = SessionConfig { relaying, ..SessionConfig::quiet(places) };
    let mut session = Session::new(&config, seed);
    session.exchange_credentials();
    let selected =
        session.run_until(Duration::from_secs(10), Session::is_selected).unwrap_or(false);
    let violated = !session.violations().is_empty();
    let path = session.path();
    if violated || path != oracle::path(places, relaying) {
        return Cell::Wrong;
    }
    if !selected {
        return Cell::NoPath;
    }
    let nodes = [Side::A, Side::B].map(|side| session.node(side));
    let latest = |of: fn(&crate::AgentNode) -> Option<pinhole_sansio::Instant>| {
        let at = nodes.iter().filter_map(|node| of(node)).max().unwrap_or_default();
        (at - pinhole_sansio::Instant::ZERO).as_millis() * 100 / ROUND_TRIP.as_millis()
    };
    let [writable, selected] = [latest(|node| node.writable), latest(|node| node.selected)];
    Cell::Connected { path, writable, selected }
}

/// The whole table, in Markdown: round trips until both sides can send, and until both have selected a pair; relayed
/// paths in italics.
#[must_use]
pub fn table(relaying: Relaying, seed: u64) -> String {
    let places = Place::all();
    let mut table = String::from("| A \\ B |");
    for place in &places {
        let _ = write!(table, " {place} |");
    }
    let _ = write!(table, "\n|---|{}", "---|".repeat(places.len()));
    for a in &places {
        let _ = write!(table, "\n| **{a}** |");
        for b in &places {
            let _ = write!(table, " {} |", connect([*a, *b], relaying, seed));
        }
    }
    table
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { path, writable, selected } => {
                let whole = |hundredths: u128| (hundredths / 100, hundredths % 100 / 10);
                let ((w, w10), (s, s10)) = (whole(*writable), whole(*selected));
                let style = if *path == Path::Relayed { "*" } else { "" };
                write!(f, "{style}{w}.{w10} / {s}.{s10}{style}")
            }
            Self::NoPath => f.write_str("-"),
            Self::Wrong => f.write_str("**wrong**"),
        }
    }
}

/// There and back between two agents of a [quiet](SessionConfig::quiet) session.
const ROUND_TRIP: Duration = Duration::from_millis(100);
