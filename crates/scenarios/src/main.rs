//! Runs the scenarios: see `--help`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pinhole_scenarios::oracle::Path;
use pinhole_scenarios::{Ingredient, Plan, Relaying, Verdict, matrix};

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
    Run(Run),
}

#[derive(Debug, Args)]
struct Run {
    /// How many
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The probability that a packet is lost between the two agents; each that is given is a run of its own
    #[arg(long, default_values_t = [0.0])]
    loss: Vec<f64>,
    /// Lets a fault befall each session that has a path, and holds its recovery against a bound
    #[arg(long)]
    faults: bool,
    /// Leaves an ingredient out of each session
    #[arg(long, value_enum)]
    without: Vec<Ingredient>,
    /// Prints what happened on the network
    #[arg(long)]
    trace: bool,
    /// Writes what happened in the last session into a file that Wireshark opens
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,
    /// Writes what happened in the last session into a file, as a sequence diagram for Mermaid
    #[arg(long, value_name = "FILE")]
    diagram: Option<PathBuf>,
}

/// How many sessions of a kind are told in full.
const REPORTED: u64 = 10;

/// What became of the sessions of one loss level.
#[derive(Default)]
struct Tally {
    direct: Vec<u64>,
    relayed: Vec<u64>,
    recovered: Vec<u64>,
    no_path: u64,
    late: u64,
    wrong: u64,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Matrix { seed } => {
            println!("{}\n", matrix::table(Relaying::None, seed));
            println!("{}", matrix::table(Relaying::Available, seed));
            ExitCode::SUCCESS
        }
        Command::Run(run) => {
            let mut is_right = true;
            for loss in &run.loss {
                let mut tally = run.at(*loss);
                is_right &= tally.is_right(*loss);
                println!("{}", tally.summary(*loss));
            }
            if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

impl Run {
    fn at(&self, loss: f64) -> Tally {
        let mut tally = Tally::default();
        for (done, seed) in (1..).zip(self.from..self.from.saturating_add(self.seeds)) {
            let plan = self.plan(seed, loss);
            let verdict = if self.is_traced() { self.run_traced(&plan) } else { plan.run() };
            match verdict {
                Verdict::Connected { path: Path::Relayed, round_trips } => {
                    tally.relayed.push(round_trips);
                }
                Verdict::Connected { round_trips, .. } => tally.direct.push(round_trips),
                Verdict::Recovered { milliseconds } => tally.recovered.push(milliseconds),
                Verdict::NoPath => tally.no_path += 1,
                Verdict::Late => {
                    tally.late += 1;
                    if tally.late <= REPORTED {
                        println!("late: {plan}");
                    }
                }
                Verdict::Wrong(reasons) => {
                    tally.wrong += 1;
                    if tally.wrong <= REPORTED {
                        self.report(&plan, loss, &reasons);
                    }
                }
            }
            if done % 10_000 == 0 {
                let Tally { late, wrong, .. } = tally;
                eprintln!(
                    "loss {loss}: {done} of {} sessions, {late} late, {wrong} wrong",
                    self.seeds
                );
            }
        }
        tally
    }

    const fn is_traced(&self) -> bool {
        self.trace || self.pcapng.is_some() || self.diagram.is_some()
    }

    fn run_traced(&self, plan: &Plan) -> Verdict {
        let (verdict, session) = plan.run_traced();
        let trace = session.world.trace();
        if self.trace {
            println!("{plan}\n{trace}");
        }
        let captured = self.pcapng.as_ref().map(|path| (path, fs::write(path, trace.to_pcapng())));
        let drawn = self.diagram.as_ref().map(|path| (path, fs::write(path, trace.to_mermaid())));
        for (path, written) in captured.into_iter().chain(drawn) {
            if let Err(error) = written {
                eprintln!("{}: {error}", path.display());
            }
        }
        verdict
    }

    fn plan(&self, seed: u64, loss: f64) -> Plan {
        let plan = Plan::draw(seed, loss);
        let plan = if self.faults { plan.with_fault() } else { plan };
        self.without.iter().copied().fold(plan, Plan::without)
    }

    /// What went wrong, and the simplest way to see it again.
    fn report(&self, plan: &Plan, loss: f64, reasons: &[String]) {
        println!("{plan}\n  {}", reasons.join("\n  "));
        let mut again = format!("run --seeds 1 --from {} --loss {loss}", plan.seed);
        if self.faults {
            again += " --faults";
        }
        for ingredient in self.without.iter().copied().chain(plan.superfluous()) {
            again += &format!(" --without {ingredient}");
        }
        println!("  again: {again} --trace");
    }
}

impl Tally {
    /// Whether no session went wrong, and no more were late than that so many packets are lost excuses.
    fn is_right(&self, loss: f64) -> bool {
        let with_path = self.direct.len() + self.relayed.len();
        let excused = if loss <= 0.3 { 0 } else { with_path as u64 / 1_000 };
        self.wrong == 0 && self.late <= excused
    }

    fn summary(&mut self, loss: f64) -> String {
        let Self { direct, relayed, recovered, no_path, late, wrong } = self;
        let sessions = [&direct, &relayed, &recovered].map(|times| times.len());
        let [directly, through_relays, recoveries] = sessions;
        let mut summary = format!("loss {loss}:");
        if directly + through_relays > 0 {
            summary += &format!(
                " {directly} connected directly (round trips p50 {}), {through_relays} through a relay (p50 {}),",
                percentiles(direct, 100.0),
                percentiles(relayed, 100.0),
            );
        }
        if recoveries > 0 {
            let times = percentiles(recovered, 1_000.0);
            summary += &format!(" {recoveries} recovered from a fault (seconds p50 {times}),");
        }
        let connected = (directly + through_relays) as f64;
        let in_time = 100.0 * connected / (connected + *late as f64).max(1.0);
        if recoveries == 0 {
            summary += &format!(" {late} late ({in_time:.3} % in 30 s),");
        }
        summary + &format!(" {no_path} without a path, {wrong} wrong")
    }
}

/// The median and the 99th percentile, in units of so many.
fn percentiles(times: &mut [u64], unit: f64) -> String {
    times.sort_unstable();
    let at = |share: usize| {
        let index = times.len().saturating_sub(1) * share / 100;
        times.get(index).map_or(0.0, |time| *time as f64 / unit)
    };
    format!("{:.2}, p99 {:.2}", at(50), at(99))
}
