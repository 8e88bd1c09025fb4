//! Random programs of several clients against a small model of what RFC 8656 and RFC 8016 allow: T1 to
//! T16 are checked after every step.
//!
//! `PINHOLE_PROGRAMS` sets how many programs are run, `PINHOLE_SEED` runs the one with this seed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod model;
mod program;

use program::Program;

/// How many steps a program has.
const STEPS: usize = 50;

fn run(seed: u64) -> Vec<Vec<u8>> {
    let mut program = Program::new(seed);
    (0..STEPS).for_each(|_| program.step());
    program.world.answers.into_iter().map(|(_, bytes)| bytes).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn random_programs_do_what_the_model_says() {
    if let Some(seed) = number("PINHOLE_SEED") {
        run(seed);
        return;
    }
    let programs = number("PINHOLE_PROGRAMS").unwrap_or(400);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..programs).step_by(usize::try_from(threads).unwrap()) {
                    let result = std::panic::catch_unwind(|| run(seed));
                    assert!(result.is_ok(), "the program with PINHOLE_SEED={seed} fails");
                }
            });
        }
    });
}

/// T22.
#[test]
fn the_same_program_gives_the_same_bytes() {
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
}
