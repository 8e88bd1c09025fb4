//! Prints the table: instructions and allocations of each operation of each codec, and the ratios to the
//! floor and to the best of the others.

use std::process::ExitCode;

use pinhole_benches::cases::{CODECS, OPERATIONS, case};
use pinhole_benches::table::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let rows = OPERATIONS.map(str::to_owned);
    if table::print("instructions", &CODECS, &rows, case) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
