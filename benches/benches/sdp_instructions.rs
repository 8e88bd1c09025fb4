//! Instructions of each operation on session descriptions, under callgrind, as `instructions.rs` for STUN.
//! `cargo run --release --bin sdp` prints the table from it.

#![allow(non_snake_case)] // two underscores between row and column

use gungraun::{library_benchmark, library_benchmark_group, main};
use pinhole_benches::cases::Operation;
use pinhole_benches::sdp::case;

// The identifiers are the row and the column, with two underscores between them.
#[library_benchmark]
#[bench::parse_browser__floor(case("parse", "browser", "floor"))]
#[bench::parse_browser__ours(case("parse", "browser", "ours"))]
#[bench::parse_browser__sdp_types(case("parse", "browser", "sdp_types"))]
#[bench::parse_browser__sdp_rs(case("parse", "browser", "sdp_rs"))]
#[bench::parse_browser__rtc_sdp(case("parse", "browser", "rtc_sdp"))]
#[bench::parse_browser__webrtc_sdp(case("parse", "browser", "webrtc_sdp"))]
#[bench::parse_data__floor(case("parse", "data", "floor"))]
#[bench::parse_data__ours(case("parse", "data", "ours"))]
#[bench::parse_data__sdp_types(case("parse", "data", "sdp_types"))]
#[bench::parse_data__sdp_rs(case("parse", "data", "sdp_rs"))]
#[bench::parse_data__rtc_sdp(case("parse", "data", "rtc_sdp"))]
#[bench::parse_data__webrtc_sdp(case("parse", "data", "webrtc_sdp"))]
#[bench::parse_simulcast__floor(case("parse", "simulcast", "floor"))]
#[bench::parse_simulcast__ours(case("parse", "simulcast", "ours"))]
#[bench::parse_simulcast__sdp_types(case("parse", "simulcast", "sdp_types"))]
#[bench::parse_simulcast__sdp_rs(case("parse", "simulcast", "sdp_rs"))]
#[bench::parse_simulcast__rtc_sdp(case("parse", "simulcast", "rtc_sdp"))]
#[bench::parse_simulcast__webrtc_sdp(case("parse", "simulcast", "webrtc_sdp"))]
#[bench::write_browser__floor(case("write", "browser", "floor"))]
#[bench::write_browser__ours(case("write", "browser", "ours"))]
#[bench::write_browser__sdp_types(case("write", "browser", "sdp_types"))]
#[bench::write_browser__sdp_rs(case("write", "browser", "sdp_rs"))]
#[bench::write_browser__rtc_sdp(case("write", "browser", "rtc_sdp"))]
#[bench::write_browser__webrtc_sdp(case("write", "browser", "webrtc_sdp"))]
#[bench::write_data__floor(case("write", "data", "floor"))]
#[bench::write_data__ours(case("write", "data", "ours"))]
#[bench::write_data__sdp_types(case("write", "data", "sdp_types"))]
#[bench::write_data__sdp_rs(case("write", "data", "sdp_rs"))]
#[bench::write_data__rtc_sdp(case("write", "data", "rtc_sdp"))]
#[bench::write_data__webrtc_sdp(case("write", "data", "webrtc_sdp"))]
#[bench::write_simulcast__floor(case("write", "simulcast", "floor"))]
#[bench::write_simulcast__ours(case("write", "simulcast", "ours"))]
#[bench::write_simulcast__sdp_types(case("write", "simulcast", "sdp_types"))]
#[bench::write_simulcast__sdp_rs(case("write", "simulcast", "sdp_rs"))]
#[bench::write_simulcast__rtc_sdp(case("write", "simulcast", "rtc_sdp"))]
#[bench::write_simulcast__webrtc_sdp(case("write", "simulcast", "webrtc_sdp"))]
fn measure(mut work: Operation) -> Operation {
    work();
    work
}

library_benchmark_group!(name = operations, benchmarks = measure);
main!(library_benchmark_groups = operations);
