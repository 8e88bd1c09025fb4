//! Instructions of each operation, under callgrind: `cargo bench --bench instructions`.
//!
//! It needs valgrind, and gungraun's runner: `cargo install gungraun-runner` in the version of `Cargo.lock`.
//! `cargo run --release` prints the table from it.

#![allow(non_snake_case)] // two underscores between row and column

use gungraun::{library_benchmark, library_benchmark_group, main};
use pinhole_benches::cases::{Operation, case};

// The identifiers are the row and the column, with two underscores between them.
#[library_benchmark]
#[bench::parse__floor(case("parse", "floor"))]
#[bench::parse__ours(case("parse", "ours"))]
#[bench::parse__stun_types(case("parse", "stun_types"))]
#[bench::parse__is(case("parse", "is"))]
#[bench::parse__rtc_stun(case("parse", "rtc_stun"))]
#[bench::parse__stun_codec(case("parse", "stun_codec"))]
#[bench::verify__floor(case("verify", "floor"))]
#[bench::verify__ours(case("verify", "ours"))]
#[bench::verify__stun_types(case("verify", "stun_types"))]
#[bench::verify__is(case("verify", "is"))]
#[bench::verify__rtc_stun(case("verify", "rtc_stun"))]
#[bench::verify__stun_codec(case("verify", "stun_codec"))]
#[bench::build__floor(case("build", "floor"))]
#[bench::build__ours(case("build", "ours"))]
#[bench::build__stun_types(case("build", "stun_types"))]
#[bench::build__is(case("build", "is"))]
#[bench::build__rtc_stun(case("build", "rtc_stun"))]
#[bench::build__stun_codec(case("build", "stun_codec"))]
#[bench::success__floor(case("success", "floor"))]
#[bench::success__ours(case("success", "ours"))]
#[bench::success__stun_types(case("success", "stun_types"))]
#[bench::success__is(case("success", "is"))]
#[bench::success__rtc_stun(case("success", "rtc_stun"))]
#[bench::success__stun_codec(case("success", "stun_codec"))]
#[bench::refuse__floor(case("refuse", "floor"))]
#[bench::refuse__ours(case("refuse", "ours"))]
#[bench::refuse__stun_types(case("refuse", "stun_types"))]
#[bench::refuse__is(case("refuse", "is"))]
#[bench::refuse__rtc_stun(case("refuse", "rtc_stun"))]
#[bench::refuse__stun_codec(case("refuse", "stun_codec"))]
#[bench::channel__floor(case("channel", "floor"))]
#[bench::channel__ours(case("channel", "ours"))]
#[bench::channel__stun_types(case("channel", "stun_types"))]
fn measure(mut work: Operation) -> Operation {
    work();
    work
}

library_benchmark_group!(name = operations, benchmarks = measure);
main!(library_benchmark_groups = operations);
