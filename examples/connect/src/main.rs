//! Connects two peers: see `connect --help`, and `README.md` beside this package.

#![allow(clippy::wildcard_enum_match_arm, reason = "a program listens to the events that it needs")]

mod chat;
mod cli;
mod demo;
mod input;
mod measure;
mod network;
mod report;
mod room;
mod stdio;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use cli::Cli;

/// How a run ended, when nothing was wrong with what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Connected,
    NotConnected,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(Outcome::Connected) => ExitCode::SUCCESS,
        Ok(Outcome::NotConnected) => ExitCode::from(1),
        Err(error) => {
            eprintln!("connect: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<Outcome> {
    let Cli { signal, room, role, network, .. } = cli;
    match (signal.zip(room), role) {
        (Some((url, room)), _) => chat::run(&url, &room, !cli.join_only, &network).await,
        (None, Some(role)) => {
            let ways = stdio::Ways { trickle: cli.trickle, ipv6: cli.v6, explain: cli.explain };
            stdio::run(role, ways, &network).await
        }
        (None, None) => demo::run().await,
    }
}
