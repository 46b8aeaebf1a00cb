//! The daemon with its SQLite store, in a process of its own, as in production but for the AWS crates: its memory and
//! CPU time are then nobody else's.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use bedrock_watch_load_tests::{
    built_in_rules,
    load::{Figures, IdleLoad},
    measure,
};
use bedrock_watch_service::{
    config::Config,
    daemon::{Daemon, Surroundings},
    format::{Colour, Format},
    pipeline::Clock,
};
use tokio::sync::Notify;

/// A sink to which the daemon tells alerts.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) name: &'static str,
    pub(super) url: String,
}

/// A daemon that was started; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Serving {
    child: Child,
    /// Where it takes records.
    pub(super) url: String,
    _folder: tempfile::TempDir,
}

impl Serving {
    /// Starts a daemon.
    pub(super) fn start(sinks: &[Sink]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("bedrock-watch.toml");
        fs::write(&file, configuration(folder.path(), sinks))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the daemon")?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut address)?;
        ensure!(!address.trim().is_empty(), "the daemon did not start");
        Ok(Self { child, url: format!("http://{}/v1/events", address.trim()), _folder: folder })
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in order.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        let status = self.stop()?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

impl Serving {
    fn stop(&mut self) -> std::io::Result<ExitStatus> {
        drop(self.child.stdin.take());
        self.child.wait()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Its folder must not go before it has ended; how it ended is told by `end`.
        drop(self.stop());
    }
}

fn configuration(folder: &Path, sinks: &[Sink]) -> String {
    let store = folder.join("bedrock-watch.db");
    let sink = |Sink { name, url }: &Sink| {
        format!("[[sink]]\nkind = \"webhook\"\nname = \"{name}\"\nurl = \"{url}\"\nper_minute = 60000\n")
    };
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\nrequests_max = 256\nrequests_per_s = 100000\n[store]\npath = \"{}\"\n{}",
        store.display(),
        sinks.iter().map(sink).collect::<String>()
    )
}

/// Is the daemon: prints its address, and ends with its standard input.
#[expect(clippy::print_stdout, reason = "whoever started it waits for the address")]
pub(crate) fn serve(file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let config = Config::load("bedrock-watch.toml", &text, &|_| None)
        .map_err(|problems| anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let surroundings = Surroundings {
        cloud: None,
        stdout: Box::new(std::io::sink()),
        format: Format::Json,
        colour: Colour::Never,
        clock: Clock::wall(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    thread::spawn(move || {
        let read = std::io::stdin().read_to_end(&mut Vec::new());
        stop.notify_one();
        read
    });
    runtime.block_on(async move {
        let daemon = Daemon::start(&config, built_in_rules()?, surroundings).await.context("starting the daemon")?;
        println!("{}", daemon.address().context("the daemon listens nowhere")?);
        std::io::stdout().flush()?;
        daemon.run(async move { stopped.notified().await }).await.context("the daemon did not end well")
    })
}

/// What a daemon needs that has nothing to do.
pub(super) fn idle(load: &IdleLoad) -> anyhow::Result<Figures> {
    let serving = Serving::start(&[])?;
    thread::sleep(Duration::from_secs_f64(load.seconds));
    let mut figures = Figures::default();
    figures.set("memory_mb", measure::memory_mb(serving.id())?);
    figures.set("heap_and_stacks_mb", measure::own_memory_mb(serving.id())?);
    figures.set("cpu_ms_per_s", measure::cpu_of(serving.id())?.as_secs_f64() * 1e3 / load.seconds.max(1e-3));
    serving.end()?;
    Ok(figures)
}
