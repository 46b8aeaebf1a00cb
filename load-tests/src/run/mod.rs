//! Plays scenarios, each in a process of its own, so that memory is that of one alone, and prints one table.

mod daemon;
mod engine;
mod moving;
mod receiver;
mod sending;

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};
use bedrock_watch_load_tests::{
    load::{Figures, Load, Scenario},
    table,
};
pub(crate) use daemon::serve;

/// Figures that have a column, and how many decimals they have there; the others stand below the table.
const COLUMNS: [(&str, &str, usize); 7] = [
    ("records_per_second", "records/s", 0),
    ("p50_ms", "p50 ms", 3),
    ("p99_ms", "p99 ms", 3),
    ("p999_ms", "p99.9 ms", 3),
    ("worst_ms", "worst ms", 1),
    ("memory_mb", "MB", 0),
    ("lag_s", "lag s", 2),
];

/// Says what there is.
pub(crate) fn list() -> anyhow::Result<()> {
    let described = |name: &str| Ok(vec![name.to_owned(), Scenario::read(name, 1.0)?.about]);
    let rows = Scenario::names().map(described).collect::<anyhow::Result<Vec<_>>>()?;
    table::print(&["scenario", "what"], &rows);
    Ok(())
}

/// Plays scenarios, all unless some are named; false when a budget was exceeded.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what the binary is for")]
pub(crate) fn run(names: &[String], scale: f64) -> anyhow::Result<bool> {
    let names = if names.is_empty() { Scenario::names().map(str::to_owned).collect() } else { names.to_vec() };
    let scenarios = names.iter().map(|name| Scenario::read(name, scale)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut rows, mut notes, mut is_kept) = (Vec::new(), Vec::new(), true);
    for (name, scenario) in names.iter().zip(&scenarios) {
        eprintln!("{name}: {}", scenario.about);
        let judged = played(name, scenario, scale).and_then(|figures| Ok((scenario.exceeded(&figures)?, figures)));
        // One that fails keeps nobody from knowing about the others.
        let (exceeded, figures) = judged.unwrap_or_else(|error| (vec![format!("{error:#}")], Figures::default()));
        is_kept &= exceeded.is_empty();
        rows.push(row(name, &figures, exceeded.is_empty()));
        notes.extend(note(name, &figures));
        notes.extend(exceeded.iter().map(|what| format!("{name} EXCEEDED: {what}")));
    }
    let head = ["scenario"].into_iter().chain(COLUMNS.iter().map(|(_, head, _)| *head)).chain(["budget"]);
    table::print(&head.collect::<Vec<_>>(), &rows);
    println!();
    notes.iter().for_each(|note| println!("- {note}"));
    Ok(is_kept)
}

fn row(name: &str, figures: &Figures, is_kept: bool) -> Vec<String> {
    let cell = |(figure, _, decimals): &(&str, &str, usize)| {
        let value = figures.0.get(*figure);
        value.map_or_else(String::new, |value| table::decimal(*value, *decimals))
    };
    let verdict = if is_kept { "kept" } else { "EXCEEDED" };
    [name.to_owned()].into_iter().chain(COLUMNS.iter().map(cell)).chain([verdict.to_owned()]).collect()
}

/// What has no column.
fn note(name: &str, figures: &Figures) -> Option<String> {
    let others = figures.0.iter().filter(|(figure, _)| COLUMNS.iter().all(|(column, ..)| column != figure));
    let others = others.map(|(figure, value)| format!("{figure} {}", table::decimal(*value, 2))).collect::<Vec<_>>();
    (!others.is_empty()).then(|| format!("{name}: {}", others.join(", ")))
}

/// Plays a scenario in another process.
fn played(name: &str, scenario: &Scenario, scale: f64) -> anyhow::Result<Figures> {
    let mut command = match scenario.load {
        Load::Principals(_) | Load::Jobs(_) => Command::new(memory()?),
        _ => Command::new(env::current_exe()?),
    };
    let output = command.args(["play", name, "--scale", &scale.to_string()]).stderr(std::process::Stdio::inherit());
    let output = output.output().with_context(|| format!("playing {name}"))?;
    ensure!(output.status.success(), "{name} failed, {}", output.status);
    toml::from_str(str::from_utf8(&output.stdout)?).with_context(|| format!("reading the figures of {name}"))
}

/// The program whose allocator counts. Cargo builds only the one it runs, so this asks it for the other.
fn memory() -> anyhow::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--package", env!("CARGO_PKG_NAME"), "--bin", "memory"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().context("building `memory`")?;
    ensure!(status.success(), "`memory` could not be built");
    Ok(env::current_exe()?.with_file_name("memory"))
}

/// Plays a scenario here and prints its figures for whoever asked.
#[expect(clippy::print_stdout, reason = "the figures are what is asked for")]
pub(crate) fn play(name: &str, scale: f64) -> anyhow::Result<()> {
    let Scenario { seed, load, .. } = Scenario::read(name, scale)?;
    let figures = match &load {
        Load::Daemon(load) => sending::play(load, seed)?,
        Load::Idle(load) => daemon::idle(load)?,
        Load::Engine(load) => engine::play(load, seed)?,
        Load::Moving(load) => moving::play(load, seed)?,
        Load::Principals(_) | Load::Jobs(_) => anyhow::bail!("`memory play {name}` plays this one"),
    };
    println!("{}", toml::to_string(&figures)?);
    Ok(())
}
