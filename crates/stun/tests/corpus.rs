//! Messages of others, if they are on this machine: the folder that `PINHOLE_SHARED` names has
//! `corpus/stun` with one message a file, and a table of what is wrong with each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

use std::fs;
use std::path::PathBuf;

use pinhole_stun::{AttributeType, Message, PacketKind, ParseError, classify};

/// A message and what the table says is wrong with it; `-` if nothing is.
struct Sample {
    name: String,
    bytes: Vec<u8>,
    problems: String,
}

fn samples(kind: &str) -> Option<Vec<Sample>> {
    let Some(shared) = std::env::var_os("PINHOLE_SHARED") else {
        eprintln!("skipped: PINHOLE_SHARED names no folder with a corpus");
        return None;
    };
    let folder = PathBuf::from(shared).join("corpus/stun");
    let table = fs::read_to_string(folder.join("MANIFEST.dev.tsv")).unwrap();
    let rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let samples: Vec<_> = rows
        .filter(|row| row[0] == kind && row[1] == "dev")
        .map(|row| Sample {
            name: row[2].into(),
            bytes: fs::read(folder.join(kind).join("dev").join(row[2])).unwrap(),
            problems: row[7].into(),
        })
        .collect();
    assert!(!samples.is_empty());
    Some(samples)
}

#[test]
fn every_good_message_parses() {
    for Sample { name, bytes, problems } in samples("good").unwrap_or_default() {
        if classify(bytes[0]) == PacketKind::Channel {
            continue;
        }
        let result = Message::parse(&bytes);
        if problems == "no-cookie" {
            assert!(matches!(result, Err(ParseError::Cookie(_))), "{name}");
        } else {
            assert!(result.is_ok(), "{name}: {result:?}");
        }
    }
}

/// The decision about each bad message is the first of these that the table mentions.
#[test]
fn every_bad_message_is_a_decision() {
    for Sample { name, bytes, problems } in samples("bad").unwrap_or_default() {
        let result = Message::parse(&bytes);
        let has = |problem: &str| problems.split(',').any(|found| found.starts_with(problem));
        let is_expected = if has("short") {
            matches!(result, Err(ParseError::Short(_)))
        } else if has("not-stun") {
            matches!(result, Err(ParseError::FirstByte(_)))
        } else if has("no-cookie") {
            matches!(result, Err(ParseError::Cookie(_)))
        } else if has("length%4") {
            matches!(result, Err(ParseError::Unaligned(_)))
        } else if has("length-mismatch") {
            matches!(result, Err(ParseError::Length { .. }))
        } else if has("attr-overrun") {
            matches!(result, Err(ParseError::Attribute { .. }))
        } else if has("fingerprint-wrong") {
            matches!(result, Err(ParseError::Fingerprint { .. }))
        } else {
            // The structure is right; the value would be refused when somebody asks for it.
            result.is_ok_and(|message| {
                message.attributes().any(|attribute| {
                    let is_integrity = attribute.kind == AttributeType::MESSAGE_INTEGRITY;
                    let length = attribute.value.len();
                    has("attr-len") && (is_integrity || !attribute.kind.bounds().contains(length))
                })
            })
        };
        assert!(is_expected, "{name}: {problems}: {result:?}");
    }
}
