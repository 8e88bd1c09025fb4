//! The same offers through several SDP crates. `floor` is no parser: it finds the lines and their letters,
//! and writes by copying.

pub mod growth;
pub mod offers;

use std::hint::black_box;
use std::io::Cursor;
use std::str::FromStr;

use pinhole_sdp::Description;

use crate::cases::Operation;

/// What is done with an offer.
pub const OPERATIONS: [&str; 2] = ["parse", "write"];
/// The columns of the table.
pub const CODECS: [&str; 6] = ["floor", "ours", "sdp_types", "sdp_rs", "rtc_sdp", "webrtc_sdp"];

/// The operation of this codec on this offer. The work leaves its result alone, so that dropping it is
/// measured as well: whoever parses has to.
///
/// # Panics
/// If there is no such operation, or if the codec cannot read the offer.
pub fn case(operation: &str, offer: &str, codec: &str) -> Operation {
    let text = offers::offer(offer);
    let mut work = match operation {
        "parse" => parse(codec, text),
        _ => write(codec, text),
    };
    for _ in 0..3 {
        work();
    }
    work
}

fn repeated<T>(mut work: impl FnMut() -> T + 'static) -> Operation {
    Box::new(move || {
        black_box(work());
    })
}

fn parse(codec: &str, text: String) -> Operation {
    match codec {
        "floor" => repeated(move || split(black_box(&text))),
        "ours" => repeated(move || Description::parse(black_box(&text)).unwrap().media().len()),
        "sdp_types" => {
            repeated(move || sdp_types::Session::parse(black_box(text.as_bytes())).unwrap())
        }
        "sdp_rs" => {
            repeated(move || sdp_rs::SessionDescription::from_str(black_box(&text)).unwrap())
        }
        "rtc_sdp" => repeated(move || {
            rtc_sdp::SessionDescription::unmarshal(&mut Cursor::new(black_box(text.as_bytes())))
                .unwrap()
        }),
        "webrtc_sdp" => repeated(move || webrtc_sdp::parse_sdp(black_box(&text), false).unwrap()),
        _ => panic!("no codec {codec}"),
    }
}

fn write(codec: &str, text: String) -> Operation {
    match codec {
        "floor" => repeated(move || black_box(&text).clone().into_bytes()),
        "ours" => {
            let description = Description::parse(&text).unwrap().into_owned();
            repeated(move || black_box(&description).as_bytes().to_vec())
        }
        "sdp_types" => {
            let session = sdp_types::Session::parse(text.as_bytes()).unwrap();
            repeated(move || {
                let mut bytes = Vec::new();
                black_box(&session).write(&mut bytes).unwrap();
                bytes
            })
        }
        "sdp_rs" => {
            let session = sdp_rs::SessionDescription::from_str(&text).unwrap();
            repeated(move || black_box(&session).to_string())
        }
        "rtc_sdp" => {
            let mut bytes = Cursor::new(text.as_bytes());
            let session = rtc_sdp::SessionDescription::unmarshal(&mut bytes).unwrap();
            repeated(move || black_box(&session).marshal())
        }
        "webrtc_sdp" => {
            let session = webrtc_sdp::parse_sdp(&text, false).unwrap();
            repeated(move || black_box(&session).to_string())
        }
        _ => panic!("no codec {codec}"),
    }
}

/// Where each line begins and ends, without keeping it; the number of lines and of media sections.
fn split(text: &str) -> (usize, usize) {
    let (mut lines, mut media) = (0, 0);
    for line in text.as_bytes().split_inclusive(|byte| *byte == b'\n') {
        lines += usize::from(line.get(1) == Some(&b'=') && line.ends_with(b"\r\n"));
        media += usize::from(line[0] == b'm');
    }
    (lines, media)
}
