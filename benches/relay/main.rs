//! Our TURN server, others, and the floor under all of them, on the same machine under the same load.
//!
//! `relay --turn-load FILE --turn-server FILE --turn-rs FILE [--runs N] [--rate PACKETS]`; `run.sh` builds all of it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it waits for programs, and asks them whether they are there"
)]

mod measure;
mod subject;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs, process};

use subject::{Programs, Subject};

fn main() -> ExitCode {
    let Some(options) = Options::read() else {
        eprintln!(
            "relay --turn-load FILE --turn-server FILE --turn-rs FILE [--runs N] [--rate PACKETS]"
        );
        return ExitCode::from(2);
    };
    let mut table = Table::default();
    for run in 1..=options.runs {
        // In turn, so that whatever else the machine does befalls all of them.
        for subject in Subject::ALL {
            eprintln!("run {run} of {}: {}", options.runs, subject.name());
            if subject.has_peers() {
                let (single, rows) = measure::relaying(subject, &options.programs, options.rate);
                table.best("CPU us/packet", subject, single);
                table.best("CPU us/packet, GSO flows", subject, rows);
            }
            let (cpu, bytes) = measure::holding(subject, &options.programs);
            table.best("CPU us/allocation", subject, cpu);
            // The floor keeps a client's port and nothing else.
            let bytes = bytes.filter(|_| subject.is_server());
            table.best("bytes/allocation, 10,000 held", subject, bytes);
        }
    }
    for (row, allocations) in INSTRUCTIONS {
        for subject in Subject::ALL.into_iter().filter(|subject| subject.has_peers()) {
            eprintln!("{row}: {}", subject.name());
            // To make many allocations takes a minute under callgrind.
            for _ in 0..if allocations == 1 { 2 } else { 1 } {
                let count = measure::instructions(subject, &options.programs, allocations);
                table.best(row, subject, count);
            }
        }
    }
    table.print();
    let _ = fs::remove_dir_all(&options.programs.folder);
    ExitCode::SUCCESS
}

const INSTRUCTIONS: [(&str, u32); 2] =
    [("instructions/packet, 1 allocation", 1), ("instructions/packet, 10,000 allocations", 10_000)];

struct Options {
    programs: Programs,
    runs: u32,
    rate: u64,
}

impl Options {
    fn read() -> Option<Self> {
        let words: Vec<String> = env::args().skip(1).collect();
        let value = |name: &str| {
            let place = words.iter().position(|word| word == name)?;
            words.get(place + 1).cloned()
        };
        let number =
            |name: &str, default| value(name).map_or(Some(default), |text| text.parse().ok());
        let folder = env::temp_dir().join(format!("pinhole-relay-{}", process::id()));
        fs::create_dir_all(&folder).ok()?;
        let programs = Programs {
            turn_load: value("--turn-load")?.into(),
            turn_server: value("--turn-server")?.into(),
            turn_rs: value("--turn-rs")?.into(),
            own: env::current_exe().ok()?.parent().map(PathBuf::from)?,
            folder,
        };
        Some(Self { programs, runs: number("--runs", 3)? as u32, rate: number("--rate", 50_000)? })
    }
}

/// The best figure of each server in each row; the rows in the order in which they came.
#[derive(Default)]
struct Table {
    rows: Vec<&'static str>,
    figures: BTreeMap<(&'static str, &'static str), f64>,
}

impl Table {
    fn best(&mut self, row: &'static str, subject: Subject, figure: Option<f64>) {
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
        if let Some(figure) = figure {
            let best = self.figures.entry((row, subject.name())).or_insert(figure);
            *best = best.min(figure);
        }
    }

    fn get(&self, row: &'static str, subject: Subject) -> Option<f64> {
        self.figures.get(&(row, subject.name())).copied()
    }

    fn print(&self) {
        let names = Subject::ALL.map(Subject::name).join(" | ");
        println!("| | {names} | ours / floor | ours / best other |");
        println!("|---|{}", "---|".repeat(Subject::ALL.len() + 2));
        for &row in &self.rows {
            let cells = Subject::ALL.map(|subject| show(self.get(row, subject)));
            let ours = self.get(row, Subject::Ours);
            let ratio = |to: Option<f64>| show(ours.zip(to).map(|(ours, to)| ours / to));
            let others =
                Subject::ALL.into_iter().filter(|it| ![Subject::Ours, Subject::Floor].contains(it));
            let best = others.filter_map(|it| self.get(row, it)).min_by(f64::total_cmp);
            let floor = self.get(row, Subject::Floor);
            println!("| {row} | {} | {} | {} |", cells.join(" | "), ratio(floor), ratio(best));
        }
    }
}

fn show(figure: Option<f64>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(figure) if figure < 10.0 => format!("{figure:.2}"),
        Some(figure) if figure < 100.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.0}"),
    }
}
