//! Every place with every place.

use pinhole_scenarios::matrix::{self, Cell};
use pinhole_scenarios::{Place, oracle};

/// Round trips, in hundredths, until both sides can send, and until both have selected a pair. A round trip of the
/// table is that of two hosts on the core; each NAT on the way adds its own access, and each STUN server and each pair
/// that cannot work costs half of one (Ta is 50 ms).
const BOUNDS: (u128, u128) = (370, 520);

#[test]
fn every_cell_with_a_direct_path_connects_within_its_bound() {
    let mut direct = 0;
    for (a, b) in pairs() {
        match matrix::connect([a, b], 1) {
            Cell::Direct { writable, selected } => {
                direct += 1;
                assert!(
                    writable <= BOUNDS.0 && selected <= BOUNDS.1,
                    "{a} - {b}: {writable} {selected}"
                );
            }
            Cell::NoPath => {}
            Cell::Wrong => panic!("{a} - {b}: direct path: {}", oracle::is_direct(a, b)),
        }
    }
    assert_eq!(direct, 107, "cells with a direct path");
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
fn the_table_in_the_readme_is_the_one_that_the_command_prints() {
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(&matrix::table(1)),
        "run: cargo run --release -p pinhole-scenarios -- matrix"
    );
}
