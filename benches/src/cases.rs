//! Each operation of each codec, ready to be measured.

use std::hint::black_box;

use pinhole_stun::IntegrityKey;
use rtc_stun::message::Message as RtcMessage;

use crate::peers::{is, rtc_stun as rtc, stun_codec, stun_types};
use crate::{CHECK, PASSWORD, channel_data, floor, ours, rtp};

/// The rows of the table.
pub const OPERATIONS: [&str; 6] = ["parse", "verify", "build", "success", "refuse", "channel"];
/// The columns of the table.
pub const CODECS: [&str; 6] = ["floor", "ours", "stun_types", "is", "rtc_stun", "stun_codec"];

/// Whether the codec does the operation at all: only the family of `stun-types` has ChannelData.
pub fn exists(operation: &str, codec: &str) -> bool {
    operation != "channel" || ["floor", "ours", "stun_types"].contains(&codec)
}

/// An operation, with everything that it needs prepared.
pub type Operation = Box<dyn FnMut()>;

/// The operation of this codec; it has been done a few times, so that nothing in it is the first.
///
/// # Panics
/// If there is no such operation, or if the codec does not do it right.
pub fn case(operation: &str, codec: &str) -> Operation {
    let (mut work, is_right) = checked(operation, codec);
    assert!(is_right, "{codec} does not {operation}");
    for _ in 0..3 {
        work();
    }
    work
}

/// A result that is right, and work that gives it.
macro_rules! right {
    ($work:expr => $expected:expr) => {{
        let is_right = $work == $expected;
        let work = move || {
            black_box($work);
        };
        (Box::new(work) as Operation, is_right)
    }};
}

fn checked(operation: &str, codec: &str) -> (Operation, bool) {
    let input = Input {
        check: black_box(CHECK),
        packet: black_box(rtp()),
        channel: black_box(channel_data()),
        buffer: [0; 256],
    };
    match codec {
        "floor" => of_floor(operation, input),
        "ours" => of_ours(operation, input),
        "stun_types" => of_stun_types(operation, input),
        "is" => of_is(operation, input),
        "rtc_stun" => of_rtc_stun(operation, input),
        "stun_codec" => of_stun_codec(operation, input),
        _ => panic!("no codec {codec}"),
    }
}

/// What the operations read, and where they write.
struct Input {
    check: [u8; 108],
    packet: [u8; 172],
    channel: [u8; 164],
    buffer: [u8; 256],
}

fn of_floor(operation: &str, input: Input) -> (Operation, bool) {
    let Input { check, packet, channel, mut buffer } = input;
    let key = floor::key();
    match operation {
        "parse" => right!(floor::parse(&check) => Some(crate::READ)),
        "verify" => right!(floor::verify(&check, &key) => Some(crate::READ)),
        "build" => right!(floor::build(&mut buffer, &key) => 88),
        "success" => right!(floor::success(&mut buffer, &key) => 64),
        "channel" => right!(floor::channel(&channel) => Some((0x4001, 160))),
        _ => right!(floor::refuse(&packet) => true),
    }
}

fn of_ours(operation: &str, input: Input) -> (Operation, bool) {
    let Input { check, packet, channel, mut buffer } = input;
    let key = IntegrityKey::short_term(PASSWORD);
    match operation {
        "parse" => right!(ours::parse(&check) => Some(crate::READ)),
        "verify" => right!(ours::verify(&check, &key) => Some(crate::READ)),
        "build" => right!(ours::build(&mut buffer, &key) => Some(88)),
        "success" => right!(ours::success(&mut buffer, &key) => Some(64)),
        "channel" => right!(ours::channel(&channel) => Some((0x4001, 160))),
        _ => right!(ours::refuse(&packet) => true),
    }
}

fn of_stun_types(operation: &str, input: Input) -> (Operation, bool) {
    let Input { check, packet, channel, mut buffer } = input;
    let key = stun_types::key();
    match operation {
        "parse" => right!(stun_types::parse(&check) => Some(crate::READ)),
        "verify" => right!(stun_types::verify(&check, &key) => Some(crate::READ)),
        "build" => right!(stun_types::build(&mut buffer, &key) => Some(88)),
        "success" => right!(stun_types::success(&mut buffer, &key) => Some(64)),
        "channel" => right!(stun_types::channel(&channel) => Some((0x4001, 160))),
        _ => right!(stun_types::refuse(&packet) => true),
    }
}

fn of_is(operation: &str, input: Input) -> (Operation, bool) {
    let Input { check, packet, mut buffer, .. } = input;
    let id = is::id();
    match operation {
        "parse" => right!(is::parse(&check) => Some(crate::READ)),
        "verify" => right!(is::verify(&check) => Some(crate::READ)),
        "build" => right!(is::build(&mut buffer, id) => Some(88)),
        "success" => right!(is::success(&mut buffer, id) => Some(64)),
        _ => right!(is::refuse(&packet) => true),
    }
}

fn of_rtc_stun(operation: &str, input: Input) -> (Operation, bool) {
    let Input { check, packet, .. } = input;
    let (provider, mut message) = (rtc::provider(), RtcMessage::new());
    match operation {
        "parse" => right!(rtc::parse(&check, &mut message) => Some(crate::READ)),
        "verify" => right!(rtc::verify(&check, &mut message, &*provider) => Some(crate::READ)),
        "build" => right!(rtc::build(&mut message, &*provider) => Some(88)),
        "success" => right!(rtc::success(&mut message, &*provider) => Some(64)),
        _ => right!(rtc::refuse(&packet, &mut message) => true),
    }
}

fn of_stun_codec(operation: &str, input: Input) -> (Operation, bool) {
    let Input { check, packet, .. } = input;
    match operation {
        "parse" => right!(stun_codec::parse(&check) => Some(crate::READ)),
        "verify" => right!(stun_codec::verify(&check) => Some(crate::READ)),
        "build" => right!(stun_codec::build() => Some(88)),
        "success" => right!(stun_codec::success() => Some(64)),
        _ => right!(stun_codec::refuse(&packet) => true),
    }
}
