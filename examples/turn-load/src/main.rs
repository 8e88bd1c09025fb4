//! `turn-load`: the command line of the library.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where sockets and clocks are"
)]

mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(message) => return refuse(&message),
    };
    let report = match turn_load::run(settings, |progress| eprintln!("{progress}")) {
        Ok(report) => report,
        Err(failure) => return refuse(&failure),
    };
    if arguments.json {
        match serde_json::to_string(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => return refuse(&error),
        }
    } else {
        print!("{report}");
    }
    ExitCode::SUCCESS
}

fn refuse(reason: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("turn-load: {reason}");
    ExitCode::FAILURE
}
