//! The STUN and TURN server as a program.

mod arguments;
mod run;
mod welcome;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, PolicyCommand};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match act(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be left to read it.
            writeln!(io::stderr(), "turn-server: {error}").unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: Arguments) -> Result<(), run::Error> {
    let config = run::configure(&arguments.options)?;
    match arguments.command {
        Some(Command::Policy { command: PolicyCommand::Explain { address } }) => {
            print(&config.policy().decide(address))
        }
        None if arguments.options.check => {
            config.check_certificate().map_err(run::Error::Certificate)?;
            print(&config)
        }
        None => run::serve(config, &arguments.options),
    }
}

/// Prints what was asked for; whoever reads only the first lines of it has got what he wanted.
fn print(text: &dyn std::fmt::Display) -> Result<(), run::Error> {
    let mut output = io::stdout();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(run::Error::Output(error)),
        _ => Ok(()),
    }
}
