//! One module for each command. A command returns what came of it; `main` turns that into an exit code.

mod alerts;
#[cfg(feature = "aws")]
mod audit;
mod cloud;
mod config;
mod demo;
mod doctor;
mod evidence;
mod health;
mod incident;
mod inputs;
mod manual;
mod notify;
mod place;
mod queries;
mod replay;
mod rule_source;
mod rules;
mod run;
mod secrets;
mod silences;
mod table;

use std::io::{ErrorKind, Write};

use crate::args::Command;

/// It worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// And that is all.
    Fine,
    /// And it found something.
    FoundSomething,
}

/// It did not work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It failed while running.
    Running(anyhow::Error),
    /// The arguments make no sense together.
    Arguments(String),
    /// The configuration or the rules are bad: every problem, one a line.
    Configuration(Vec<String>),
    /// Whoever read standard output has seen enough.
    BrokenPipe,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            return Self::BrokenPipe;
        }
        Self::Running(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::from(anyhow::Error::from(error))
    }
}

/// Runs a command.
pub(crate) fn run(command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        #[cfg(feature = "aws")]
        Command::Audit(arguments) => audit::run(&arguments),
        #[cfg(not(feature = "aws"))]
        Command::Audit(_) => Err(anyhow::anyhow!("this build has no AWS; use the standard build").into()),
        Command::Rules(arguments) => rules::run(arguments.command),
        Command::Alerts(arguments) => alerts::run(arguments),
        Command::Silences(arguments) => silences::run(arguments),
        Command::Queries(arguments) => queries::run(&arguments),
        Command::Incident(arguments) => incident::run(&arguments),
        Command::Evidence(arguments) => evidence::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Config(arguments) => config::run(arguments.command),
        Command::Health(arguments) => health::run(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Version => {
            print(&format!("bedrock-watch {}\n", env!("CARGO_PKG_VERSION")))?;
            Ok(Outcome::Fine)
        }
    }
}

/// Writes data to standard output.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
