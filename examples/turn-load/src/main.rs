//! `turn-load`: the command line of the library.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where sockets and clocks are"
)]

mod cli;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use cli::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(message) => return refuse(&message),
    };
    let report = match turn_load::run(settings, |progress| tell(&progress)) {
        Ok(report) => report,
        Err(failure) => return refuse(&failure),
    };
    let text = match serde_json::to_string(&report) {
        Ok(json) if arguments.json => format!("{json}\n"),
        Ok(_) => report.to_string(),
        Err(error) => return refuse(&error),
    };
    let mut output = io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        // Whoever reads only the first lines has got what he wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            refuse(&format_args!("standard output: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

fn refuse(reason: &dyn Display) -> ExitCode {
    tell(&format_args!("turn-load: {reason}"));
    ExitCode::FAILURE
}

/// Writes a line to standard error, if somebody reads it.
fn tell(line: &dyn Display) {
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}
