//! Runs the scenarios: see `--help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pinhole_scenarios::oracle::Path;
use pinhole_scenarios::{Plan, Relaying, Verdict, matrix};

/// Whole-system scenarios on a simulated Internet
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connects every place with every place, without and with a TURN server, and prints the tables in Markdown
    Matrix {
        /// The seed of the NATs' ports
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Runs sessions that are drawn from seeds and holds each against the oracle and the invariants
    Run {
        /// How many
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// The probability that a packet is lost between the two agents
        #[arg(long, default_value_t = 0.0)]
        loss: f64,
        /// Lets a fault befall each session that has a path, and holds its recovery against a bound
        #[arg(long)]
        faults: bool,
        /// Prints what happened on the network
        #[arg(long)]
        trace: bool,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Matrix { seed } => {
            println!("{}\n", matrix::table(Relaying::None, seed));
            println!("{}", matrix::table(Relaying::Available, seed));
            ExitCode::SUCCESS
        }
        Command::Run { seeds, from, loss, faults, trace } => run(from, seeds, loss, faults, trace),
    }
}

fn run(from: u64, seeds: u64, loss: f64, faults: bool, trace: bool) -> ExitCode {
    let (mut direct, mut relayed, mut recovered) = (Vec::new(), Vec::new(), Vec::new());
    let (mut no_path, mut wrong) = (0_u64, 0_u64);
    for (done, seed) in (1..).zip(from..from.saturating_add(seeds)) {
        let plan = Plan::draw(seed, loss);
        let plan = if faults { plan.with_fault() } else { plan };
        let verdict = if trace { print_trace(&plan) } else { plan.run() };
        match verdict {
            Verdict::Connected { path: Path::Relayed, round_trips } => relayed.push(round_trips),
            Verdict::Connected { round_trips, .. } => direct.push(round_trips),
            Verdict::Recovered { milliseconds } => recovered.push(milliseconds),
            Verdict::NoPath => no_path += 1,
            Verdict::Wrong(reasons) => {
                wrong += 1;
                if wrong <= 10 {
                    println!("{plan}\n  {}", reasons.join("\n  "));
                    let option = if faults { " --faults" } else { "" };
                    println!("  again: run --seeds 1 --from {seed} --loss {loss}{option} --trace");
                }
            }
        }
        if done % 10_000 == 0 {
            eprintln!("{done} of {seeds} sessions, {wrong} wrong");
        }
    }
    println!(
        "loss {loss}: {seeds} sessions; {} recovered from a fault; selected, in round trips: {} directly ({}), {} through a relay ({}); \
         {no_path} without a path, {wrong} wrong",
        recovered.len(),
        direct.len(),
        percentiles(&mut direct),
        relayed.len(),
        percentiles(&mut relayed),
    );
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn percentiles(times: &mut [u64]) -> String {
    times.sort_unstable();
    let at = |share: usize| {
        let index = times.len().saturating_sub(1) * share / 100;
        times.get(index).map_or(0.0, |hundredths| *hundredths as f64 / 100.0)
    };
    format!("p50 {:.2}, p99 {:.2}", at(50), at(99))
}

fn print_trace(plan: &Plan) -> Verdict {
    let (verdict, trace) = plan.run_traced();
    println!("{plan}\n{trace}");
    verdict
}
