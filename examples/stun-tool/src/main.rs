//! `stun-tool`: asks a STUN server, describes the NATs on the way, serves STUN, takes messages apart.

mod binding;
mod decode;
mod describe;
mod nat;
mod net;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pinhole_stun::UriError;
use pinhole_stun::resolve::ResolveError;

/// Asks STUN servers (RFC 8489), describes NATs (RFC 5780), serves, and takes messages apart.
///
/// Exit codes: 0, it worked; 1, the server did not answer, or the message is malformed; 2, the command
/// line or the URI is wrong; 3, a name could not be resolved, or a socket could not be used.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ask a server for the address that it sees.
    Binding(binding::Arguments),
    /// Find out what the NATs between here and a server do.
    Nat(nat::Arguments),
    /// Be a server, of RFC 5780 if there is an alternate address.
    Serve(serve::Arguments),
    /// Print a message attribute by attribute, and what is wrong with it.
    Decode(decode::Arguments),
}

/// What went wrong, in one line, with the exit code that tells the kinds apart.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Exit code 1.
    #[error("{0}")]
    Unanswered(String),
    /// Exit code 2.
    #[error("{uri}: {reason}")]
    Uri { uri: String, reason: UriError },
    /// Exit code 2.
    #[error("{uri}: {reason}")]
    Scheme { uri: String, reason: ResolveError },
    /// Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3.
    #[error("{uri}: {reason}")]
    Lookup { uri: String, reason: pinhole_io::LookupError },
    /// Exit code 3.
    #[error("{what}: {reason}")]
    Network { what: String, reason: std::io::Error },
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unanswered(_) => 1,
            Self::Uri { .. } | Self::Scheme { .. } | Self::Usage(_) => 2,
            Self::Lookup { .. } | Self::Network { .. } => 3,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Binding(arguments) => binding::run(arguments).await,
        Command::Nat(arguments) => nat::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Decode(arguments) => decode::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("stun-tool: {failure}");
            failure.exit_code()
        }
    }
}
