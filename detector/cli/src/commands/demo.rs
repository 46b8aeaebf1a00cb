//! `demo`: the daemon with its defaults, and an included attack played into it.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use bedrock_watch_engine::rule::RuleSet;
use bedrock_watch_service::{
    config::Config,
    daemon::{Daemon, StartError, Surroundings},
    format::{Colour, Format},
    pipeline::Clock,
};
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome, config, run::runtime};
use crate::{args::DemoArguments, logging, play, signals::Signals, terminal};

/// The documented port; the next ones are tried when it is taken.
const PORTS: std::ops::Range<u16> = 8787..8807;

/// Runs the command.
pub(super) fn run(arguments: &DemoArguments) -> Result<Outcome, Failure> {
    let folder = tempfile::Builder::new().prefix("bedrock-watch-demo-").tempdir()?;
    let mut config = Config::standard();
    config.store.path = folder.path().join("bedrock-watch.db");
    "warn".clone_into(&mut config.log.level);
    let rules = config::rules(&config, None)?;
    logging::start(&config.log);
    let runtime = runtime()?;
    let ran = runtime.block_on(demo(arguments, config, rules));
    runtime.shutdown_background();
    ran?;
    Ok(Outcome::Fine)
}

async fn demo(arguments: &DemoArguments, mut config: Config, rules: Arc<RuleSet>) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let daemon = start(&mut config, &rules, Format::from(arguments.format)).await?;
    let address = daemon.address().context("the HTTP server did not start")?;
    terminal::say(&format!(
        "bedrock-watch demo: an afternoon of an invented AWS account is played into the daemon on http://{address}/\n\
         Its console shows the alerts too. Times are those of the recording. Ctrl-C ends."
    ));
    let end = CancellationToken::new();
    let until = end.clone();
    let first = signals.first.clone();
    let running = tokio::spawn(async move {
        daemon
            .run(async move {
                tokio::select! {
                    () = first.cancelled() => {}
                    () = until.cancelled() => {}
                }
            })
            .await
    });
    let (pace, stop) = (Duration::from_secs(arguments.pace), signals.first.clone());
    let played = tokio::task::spawn_blocking(move || {
        play::play(address, pace, &stop)?;
        if stop.is_cancelled() { Ok(None) } else { play::missing(address).map(Some) }
    });
    let played = tokio::select! {
        played = played => played.context("playing failed")?,
        () = signals.second.cancelled() => bail!("ended at once by a second signal"),
    };
    let outcome = tell(&played);
    if arguments.exit || played.is_err() {
        end.cancel();
    } else if !signals.first.is_cancelled() {
        terminal::say(&format!("The daemon stays: look at http://{address}/ and end it with Ctrl-C."));
    }
    tokio::select! {
        ran = running => ran.context("the daemon failed")?.context("did not end well")?,
        () = signals.second.cancelled() => bail!("ended at once by a second signal"),
    }
    if arguments.exit { outcome } else { played.map(drop) }
}

/// Says how it went; an error when an expected alert did not come.
fn tell(played: &anyhow::Result<Option<(usize, Vec<String>)>>) -> anyhow::Result<()> {
    match played {
        Ok(Some((alerts, missing))) if missing.is_empty() => {
            terminal::say(&format!("\nThe recording is over: {alerts} alerts, every expected one among them."));
            Ok(())
        }
        Ok(Some((alerts, missing))) => {
            terminal::say(&format!("\nThe recording is over: {alerts} alerts, but these did not come:"));
            for alert in missing {
                terminal::say(&format!("  {alert}"));
            }
            bail!("{} expected alerts did not come", missing.len())
        }
        Ok(None) => bail!("ended before the recording was over"),
        Err(error) => bail!("{error:#}"),
    }
}

/// Starts the daemon on the documented port, or the next free one.
async fn start(config: &mut Config, rules: &Arc<RuleSet>, format: Format) -> anyhow::Result<Daemon> {
    for port in PORTS {
        if let Some(http) = &mut config.http {
            http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        }
        let colour = if format == Format::Human { terminal::stdout_colour() } else { Colour::Never };
        let surroundings =
            Surroundings { stdout: Box::new(std::io::stdout()), format, colour, clock: Clock::event(), cloud: None };
        match Daemon::start(config, Arc::clone(rules), surroundings).await {
            Err(StartError::Listen { address, source }) if source.kind() == ErrorKind::AddrInUse => {
                terminal::say(&format!("{address} is taken; trying the next port"));
            }
            started => return started.context("cannot start"),
        }
    }
    bail!("every port from {} to {} is taken", PORTS.start, PORTS.end.saturating_sub(1))
}
