//! Every place with every place.

use pinhole_scenarios::matrix::{self, Cell};
use pinhole_scenarios::oracle::{self, Path};
use pinhole_scenarios::{Place, Relaying};

/// Round trips, in hundredths, until both sides can send, and until both have selected a pair. A round trip of the
/// table is that of two hosts on the core; each NAT on the way adds its own access, and each STUN server and each pair
/// that cannot work costs half of one (Ta is 50 ms).
const BOUNDS: (u128, u128) = (370, 520);

/// The same for cells that need a TURN server: allocations and permissions come first, and a direct path is waited for
/// before a relayed one is selected. Where UDP is blocked, the server is tried over TCP after 400 ms.
const RELAYED_BOUNDS: (u128, u128) = (1_600, 2_450);

#[test]
fn every_cell_with_a_direct_path_connects_within_its_bound() {
    assert_eq!(hold_against_bounds(Relaying::None), (107, 0));
}

#[test]
fn with_a_relay_at_hand_every_cell_connects_and_directly_where_it_can() {
    assert_eq!(hold_against_bounds(Relaying::Available), (107, 118));
}

#[test]
fn with_relays_only_every_cell_connects() {
    assert_eq!(hold_against_bounds(Relaying::Only), (0, 225));
}

/// How many cells connect directly, and how many through a relay.
fn hold_against_bounds(relaying: Relaying) -> (usize, usize) {
    let (mut direct, mut relayed) = (0, 0);
    for (a, b) in pairs() {
        match matrix::connect([a, b], relaying, 1) {
            Cell::Connected { path, writable, selected } => {
                let is_relayed = path == Path::Relayed;
                let (count, mut bounds) = match is_relayed {
                    true => (&mut relayed, RELAYED_BOUNDS),
                    false => (&mut direct, BOUNDS),
                };
                // Questions to TURN servers take turns with checks.
                if !is_relayed && relaying == Relaying::Available {
                    bounds = (bounds.0 + 120, bounds.1 + 180);
                }
                *count += 1;
                assert!(
                    writable <= bounds.0 && selected <= bounds.1,
                    "{a} - {b}: {writable} {selected}"
                );
            }
            Cell::NoPath => {}
            Cell::Wrong => panic!("{a} - {b}: expected {:?}", oracle::path([a, b], relaying)),
        }
    }
    (direct, relayed)
}

#[test]
fn the_oracle_does_not_care_who_offers() {
    for (a, b) in pairs() {
        assert_eq!(oracle::is_direct(a, b), oracle::is_direct(b, a), "{a} - {b}");
    }
}

fn pairs() -> impl Iterator<Item = (Place, Place)> {
    let places = Place::all();
    places.clone().into_iter().flat_map(move |a| places.clone().into_iter().map(move |b| (a, b)))
}

#[test]
fn the_tables_in_the_readme_are_those_that_the_command_prints() {
    let readme = include_str!("../README.md");
    for relaying in [Relaying::None, Relaying::Available] {
        let table = matrix::table(relaying, 1);
        assert!(readme.contains(&table), "run: cargo run --release -p pinhole-scenarios -- matrix");
    }
}
