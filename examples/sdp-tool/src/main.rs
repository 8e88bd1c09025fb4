//! Reads session descriptions: a summary, what is wrong with them, what differs.

mod answer;
mod candidates;
mod check;
mod diff;
mod input;
mod inspect;
mod round_trip;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Reads session descriptions (SDP, RFC 8866). FILE is `-` for standard input.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a description says, without its secrets
    Inspect {
        /// The descriptions
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Tell what is wrong, line by line; exit code 1 if there are errors
    Check {
        /// Whose rules decide what is an error; what other endpoints may stumble over is a warning
        #[arg(long, value_enum, default_value_t = check::Rules::Lenient)]
        profile: check::Rules,
        /// The descriptions
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Read and write, and compare byte by byte; exit code 0 if all are exact
    RoundTrip {
        /// The descriptions
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Answer an offer; exit code 0 if a section is accepted
    Answer {
        /// A description of the own side: what it can do, and its ICE credentials and fingerprint
        #[arg(long, value_name = "FILE")]
        caps: String,
        /// The offer
        #[arg(value_name = "OFFER")]
        offer: String,
    },
    /// Decode the ICE candidates: type, foundation, and what their priorities are made of
    Candidates {
        /// The descriptions
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Show what two descriptions say differently, whatever their order and blanks; exit code 1 if
    /// anything
    Diff {
        /// One description
        a: String,
        /// The other
        b: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = match &arguments.command {
        Command::Inspect { files } => inspect::run(files, &mut out),
        Command::Check { profile, files } => check::run(files, *profile, &mut out),
        Command::RoundTrip { files } => round_trip::run(files, &mut out),
        Command::Answer { caps, offer } => answer::run(caps, offer, &mut out),
        Command::Candidates { files } => candidates::run(files, &mut out),
        Command::Diff { a, b } => diff::run(a, b, &mut out),
    };
    match outcome.and_then(|good| out.flush().map(|()| good)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sdp-tool: {error}");
            ExitCode::FAILURE
        }
    }
}
