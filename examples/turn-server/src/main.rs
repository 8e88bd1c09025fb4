//! The STUN and TURN server as a program.

mod arguments;
mod run;
mod welcome;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, PolicyCommand};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match act(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("turn-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: Arguments) -> Result<(), run::Error> {
    let config = run::configure(&arguments.options)?;
    match arguments.command {
        Some(Command::Policy { command: PolicyCommand::Explain { address } }) => {
            println!("{}", config.policy().decide(address));
            Ok(())
        }
        None if arguments.options.check => {
            println!("{config}");
            Ok(())
        }
        None => run::serve(config, &arguments.options),
    }
}
