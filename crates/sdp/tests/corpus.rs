//! Descriptions of real endpoints, and broken ones, where the folder with them is at hand.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{env, fs};

use pinhole_sdp::negotiate::{Capabilities, Plan, Transport};
use pinhole_sdp::{Description, Error, Fingerprint, Origin, Profile};

#[test]
fn every_description_of_a_real_endpoint_is_accepted_and_written_back_byte_for_byte() {
    let Some(files) = corpus("wild/dev") else { return };
    for (path, text) in files {
        let description = Description::parse(&text)
            .unwrap_or_else(|e| panic!("{}: {}", path.display(), e.pointing_at(&text)));
        assert_eq!(rebuilt(&description), text, "{}", path.display());
    }
}

#[test]
fn what_real_endpoints_say_about_ice_is_understood() {
    let Some(files) = corpus("wild/dev") else { return };
    let mut understood = 0;
    for (path, text) in files {
        let description = Description::parse(&text).unwrap();
        for media in description.media() {
            match media.ice() {
                Ok(ice) => understood += usize::from(ice.is_some()),
                Err(error) => println!("{}: {}", path.display(), error.pointing_at(&text)),
            }
        }
    }
    assert!(understood > 300, "only {understood} sections");
}

/// Each one as an offer to a side that can do what it shows itself: the answer is one to it.
#[test]
fn what_real_endpoints_say_is_answered() {
    let Some(files) = corpus("wild/dev") else { return };
    let mut accepted = 0;
    for (path, text) in files {
        let offer = Description::parse(&text).unwrap();
        let plan = Plan::answer(&Capabilities::shown_by(&offer), &offer);
        let transport = |_| Transport {
            ufrag: "8hhY",
            password: "asd88fgpdd777uzjYhagZg",
            options: "trickle",
            fingerprint: Fingerprint::sha256([7; 32]),
            tls_id: None,
            candidates: Vec::new(),
            end_of_candidates: false,
        };
        let answer = plan.write(Origin::anonymous(1, 1), transport).unwrap();
        let wrong = answer.check_answer_to(&offer);
        assert!(wrong.is_empty(), "{}: {wrong:?}\n{answer}", path.display());
        accepted += plan.sections.iter().filter(|section| section.outcome.is_ok()).count();
    }
    assert!(accepted > 500, "only {accepted} sections");
}

#[test]
fn a_broken_description_is_accepted_whole_or_refused_with_a_place_in_it() {
    let Some(files) = corpus("malformed/dev") else { return };
    for (path, text) in files {
        match Description::parse(&text) {
            Ok(description) => assert_eq!(rebuilt(&description), text, "{}", path.display()),
            Err(error) => assert_points_into(&text, error),
        }
    }
}

/// What is decided for each broken description is on record: refused, or accepted and what the strict
/// profile finds first but for line endings.
#[test]
fn what_becomes_of_each_broken_description_is_as_recorded() {
    let Some(files) = corpus("malformed/dev") else { return };
    let recorded = include_str!("decisions.txt").lines().filter(|line| !line.starts_with('#'));
    let recorded: BTreeSet<String> = recorded.map(ToOwned::to_owned).collect();
    let decided = files.iter().map(|(path, text)| {
        let name = path.file_name().unwrap().to_str().unwrap();
        format!("{name}: {}", decision(text))
    });
    let decided: BTreeSet<String> = decided.collect();
    let unrecorded: Vec<&String> = decided.difference(&recorded).collect();
    assert!(unrecorded.is_empty(), "{unrecorded:#?}");
}

fn decision(text: &[u8]) -> String {
    match Description::parse(text) {
        Err(error) => format!("refused, {}", error.kind()),
        Ok(description) => {
            let found = description.check(Profile::Strict);
            let kinds = found.iter().map(|error| error.kind().to_string());
            match kinds.clone().find(|kind| !kind.starts_with("expected CRLF")) {
                Some(kind) => format!("accepted, strict: {kind}"),
                None if found.is_empty() => "accepted, strict finds nothing".to_owned(),
                None => "accepted, strict finds LF alone".to_owned(),
            }
        }
    }
}

fn assert_points_into(text: &[u8], error: Error) {
    let line = text.split(|byte| *byte == b'\n').nth(error.line() - 1).unwrap();
    assert!(error.column() <= line.len() + 1, "{error}");
    assert!(error.pointing_at(text).to_string().ends_with('^'));
}

/// The text, put together again from the lines of the sections.
fn rebuilt(description: &Description<'_>) -> Vec<u8> {
    let session = description.session().lines();
    let media = description.media().flat_map(|media| media.lines());
    session.chain(media).flat_map(|line| [line.bytes(), line.ending()].concat()).collect()
}

fn corpus(folder: &str) -> Option<Vec<(PathBuf, Vec<u8>)>> {
    let Some(shared) = env::var_os("PINHOLE_SHARED") else {
        println!("skipped: PINHOLE_SHARED does not name the folder with corpus/");
        return None;
    };
    let folder = PathBuf::from(shared).join("corpus/sdp").join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(!files.is_empty());
    Some(files)
}
