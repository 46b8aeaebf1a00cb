//! `run`: the daemon, until SIGTERM or Ctrl-C.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use bedrock_watch_service::{
    daemon::{Daemon, Surroundings},
    live_rules::LiveRules,
    pipeline::Clock,
};

use super::{Failure, Outcome, cloud, config, rule_source::RuleFiles};
use crate::{args::RunArguments, logging, signals::Signals, terminal};

/// Runs the command.
pub(super) fn run(arguments: &RunArguments) -> Result<Outcome, Failure> {
    let config = config::load(arguments.config.as_deref())?;
    let rules = config::rules(&config, arguments.rules.as_deref())?;
    let repeats = logging::start(&config.log);
    for warning in &config.warnings {
        tracing::warn!(place = %warning, "configuration");
    }
    let runtime = runtime()?;
    let ran = runtime.block_on(async {
        tokio::spawn(repeats.clone().tell_every_minute());
        // Listening first, so that a signal during a slow start is not lost.
        let signals = Signals::listen()?;
        let surroundings = Surroundings {
            stdout: Box::new(std::io::stdout()),
            format: terminal::default_format(),
            colour: terminal::stdout_colour(),
            clock: Clock::wall(),
            cloud: cloud::connect(&config).await?,
        };
        let source = RuleFiles::new(arguments.config.as_deref(), arguments.rules.as_deref(), &config);
        let every = (config.rules.reload_s > 0).then(|| Duration::from_secs(config.rules.reload_s));
        let rules = LiveRules::new(rules, Arc::new(source), every, signals.reload.clone());
        let daemon = Daemon::start(&config, rules, surroundings).await.context("cannot start")?;
        tokio::select! {
            ran = daemon.run(signals.first.cancelled()) => ran.context("did not end well"),
            () = signals.second.cancelled() => Err(anyhow::anyhow!("ended at once by a second signal")),
        }
    });
    repeats.tell();
    // A thread that still reads standard input must not keep the process.
    runtime.shutdown_background();
    ran?;
    Ok(Outcome::Fine)
}

/// The runtime of the daemon.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
