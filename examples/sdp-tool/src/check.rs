use std::io::{self, Write};

use clap::ValueEnum;
use pinhole_sdp::Profile;

use crate::input::Input;

/// Whose rules decide what is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rules {
    /// What real endpoints send: only what cannot be read is an error
    Lenient,
    /// RFC 8866 to the letter
    Strict,
    /// RFC 8866, and RFC 9429 for WebRTC
    Webrtc,
}

/// Prints what is wrong with each file; good is when there is no error.
pub(crate) fn run(files: &[String], rules: Rules, out: &mut impl Write) -> io::Result<bool> {
    let (mut errors, mut warnings) = (0, 0);
    for file in files {
        let input = Input::read(file)?;
        let description = match input.parse() {
            Ok(description) => description,
            Err(error) => {
                errors += 1;
                writeln!(out, "{}\n", input.show("error", error))?;
                continue;
            }
        };
        let (profile, word, count) = match rules {
            Rules::Lenient => (Profile::Strict, "warning", &mut warnings),
            Rules::Strict => (Profile::Strict, "error", &mut errors),
            Rules::Webrtc => (Profile::WebRtc, "error", &mut errors),
        };
        for found in description.check(profile) {
            *count += 1;
            writeln!(out, "{}\n", input.show(word, found))?;
        }
    }
    writeln!(out, "{} files, {errors} errors, {warnings} warnings", files.len())?;
    Ok(errors == 0)
}
