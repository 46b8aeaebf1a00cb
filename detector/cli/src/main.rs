//! The bedrock-watch command: arguments in, an exit code out.
//!
//! The only place that knows exit codes. Standard output carries data only; everything else goes to standard error.

mod args;
mod builtin;
mod commands;
mod logging;
mod play;
mod progress;
mod signals;
mod terminal;
mod web;

use std::process::ExitCode;

use clap::Parser;
use commands::{Failure, Outcome};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAILED: u8 = 1;
const WRONG_ARGUMENTS: u8 = 2;
const FOUND_SOMETHING: u8 = 3;
const BAD_CONFIGURATION: u8 = 64;

fn main() -> ExitCode {
    // Wrong arguments end here, with exit code 2 and the usage on standard error.
    let arguments = args::Arguments::parse();
    match commands::run(arguments.command) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::FoundSomething) => ExitCode::from(FOUND_SOMETHING),
        Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Running(error)) => {
            terminal::say(&format!("error: {error:#}"));
            ExitCode::from(FAILED)
        }
        Err(Failure::Arguments(message)) => {
            terminal::say(&format!("error: {message}"));
            ExitCode::from(WRONG_ARGUMENTS)
        }
        Err(Failure::Configuration(problems)) => {
            for problem in &problems {
                terminal::say(problem);
            }
            let noun = if problems.len() == 1 { "problem" } else { "problems" };
            terminal::say(&format!("error: bad configuration, {} {noun}", problems.len()));
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}
