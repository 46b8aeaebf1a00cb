//! `replay`: judges recorded events.

mod compare;
mod report;

use std::{
    collections::BTreeMap,
    io::{self, StdoutLock, Write},
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use bedrock_watch_engine::{
    Engine, Settings,
    alert::{Alert, AlertChange, ChangeKind, Severity, Status},
    rule::{Mode, RuleSet},
};
use bedrock_watch_service::{
    config::Config,
    format::{Colour, Format},
    incident::{Incident, Joining, Stages, join, line, story},
    input::{Merge, Records, Sorted},
    replay::{Span, Summary, Watcher, replay, report::Report},
    state_file::StateFile,
    store::Snapshot,
};

use super::{Failure, Outcome, config, inputs, notify::Notifier};
use crate::{args::ReplayArguments, logging, progress::Progress, terminal};

/// Runs the command.
pub(super) fn run(arguments: &ReplayArguments) -> Result<Outcome, Failure> {
    if arguments.teach && (arguments.fail_on.is_some() || arguments.final_only) {
        return Err(Failure::Arguments("--teach raises nothing, so --final and --fail-on make no sense".to_owned()));
    }
    let notifier = arguments.config.as_deref().filter(|_| arguments.notify).map(Notifier::prepare).transpose()?;
    let config = match arguments.config.as_deref() {
        Some(file) => config::load_without_secrets(Some(file))?,
        None => Config::standard(),
    };
    let rules = config::rules(&config, arguments.rules.as_deref())?;
    if let Some(folder) = &arguments.compare {
        let changed = config::rules_with(&config, arguments.rules.as_deref(), folder)?;
        return compare::run(arguments, rules, changed);
    }
    let (mut engine, memory) = restore(arguments, &rules)?;
    engine.set_teaching(arguments.teach);
    let mut reading = Reading::start(arguments)?;
    let mut printer = Printer::new(arguments, &mut reading, rules);
    let summary = replay(&mut engine, reading.records.as_mut(), reading.span, &mut printer)?;
    printer.progress.end();
    printer.at_the_end(&engine, arguments)?;
    if arguments.teach
        && let Some((memory, known)) = memory
    {
        engine.set_teaching(false);
        // What else the file knows, as that of a daemon that is stopped does, still holds.
        let snapshot = Snapshot { bytes: engine.snapshot(), ..known };
        memory.save(&snapshot).map_err(anyhow::Error::from)?;
    }
    summarise(&engine, &summary, reading.began, arguments);
    reading.was_there_anything()?;
    if let Some(notifier) = notifier {
        logging::start(&Config::standard().log);
        notifier.tell(raised(&engine))?;
    }
    let found = |level: Severity| raised(&engine).iter().any(|alert| alert.severity >= level);
    Ok(if arguments.fail_on.is_some_and(found) { Outcome::FoundSomething } else { Outcome::Fine })
}

/// The alerts at the end, without those of rules that tell nobody.
fn raised(engine: &Engine) -> Vec<Alert> {
    let mut alerts = engine.alerts();
    alerts.retain(|alert| engine.rules().mode(&alert.rule) != Mode::Shadow);
    alerts
}

/// What is read, and since when.
struct Reading {
    records: Box<dyn Records>,
    span: Span,
    began: Instant,
    nothing: bool,
    found: inputs::Inputs,
}

impl Reading {
    fn start(arguments: &ReplayArguments) -> Result<Self, Failure> {
        let span = Span { since: arguments.since, until: arguments.until };
        let mut found = inputs::find(&arguments.paths, span)?;
        let (inputs, notes) = (std::mem::take(&mut found.inputs), std::mem::take(&mut found.notes));
        let nothing = inputs.is_empty() && notes.iter().any(|note| note.is_failure);
        let merged = Merge::new(inputs, notes);
        let records: Box<dyn Records> = if arguments.sort { Box::new(Sorted::new(merged)) } else { Box::new(merged) };
        Ok(Self { records, span, began: Instant::now(), nothing, found })
    }

    fn was_there_anything(&self) -> Result<(), Failure> {
        if self.nothing { Err(anyhow::anyhow!("there was nothing to read").into()) } else { Ok(()) }
    }
}

/// A file with memory, and what was in it.
type Memory = (StateFile, Snapshot);

fn restore(arguments: &ReplayArguments, rules: &Arc<RuleSet>) -> Result<(Engine, Option<Memory>), Failure> {
    let rules = Arc::clone(rules);
    let settings = Settings::standard();
    let Some(path) = &arguments.state else { return Ok((Engine::new(rules, settings), None)) };
    let file = StateFile::claim(path).map_err(anyhow::Error::from)?;
    let known = file.load().map_err(anyhow::Error::from)?;
    let engine = match &known {
        Some(known) => Engine::restore(rules, settings, &known.bytes)
            .with_context(|| format!("the memory in {} cannot be used", path.display()))?,
        None if arguments.teach => Engine::new(rules, settings),
        None => {
            let message = format!("there is no {}; make it with --teach", path.display());
            return Err(anyhow::Error::msg(message).into());
        }
    };
    Ok((engine, Some((file, known.unwrap_or_default()))))
}

struct Printer {
    stdout: StdoutLock<'static>,
    format: Format,
    colour: Colour,
    /// Whether only the end is printed.
    quiet: bool,
    rules: Arc<RuleSet>,
    report: Option<Report>,
    progress: Progress,
}

impl Printer {
    fn new(arguments: &ReplayArguments, reading: &mut Reading, rules: Arc<RuleSet>) -> Self {
        Self {
            stdout: io::stdout().lock(),
            format: arguments.format.map_or_else(terminal::default_format, Format::from),
            colour: terminal::stdout_colour(),
            quiet: arguments.final_only || arguments.incidents || arguments.report || arguments.compare.is_some(),
            rules,
            report: arguments.report.then(Report::default),
            progress: Progress::start(reading.found.reached.take()),
        }
    }

    fn print(&mut self, change: &AlertChange, incident: Option<&str>) -> io::Result<()> {
        let text = self.format.render_in(change, incident, self.colour);
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let stdout = &mut self.stdout;
        self.progress.aside(|| {
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        })
    }

    /// Prints what is only known at the end.
    fn at_the_end(&mut self, engine: &Engine, arguments: &ReplayArguments) -> io::Result<()> {
        if arguments.final_only || arguments.incidents {
            finish(self, raised(engine), &Stages::of(Arc::clone(engine.rules())), arguments)?;
        }
        if let Some(report) = &self.report {
            let text = report::render(report, self.format);
            self.write(&text)?;
        }
        Ok(())
    }
}

impl Watcher for Printer {
    fn changed(&mut self, change: &AlertChange) -> io::Result<()> {
        if self.rules.mode(&change.alert.rule) == Mode::Shadow {
            return Ok(());
        }
        self.progress.alert();
        if let Some(report) = &mut self.report {
            report.note(change);
        }
        if self.quiet { Ok(()) } else { self.print(change, None) }
    }

    fn advanced(&mut self, summary: &Summary) {
        if let Some(report) = &mut self.report {
            report.advance(summary.now);
        }
        self.progress.advance(summary);
    }
}

/// Prints the last state of each alert, or the incidents they form.
fn finish(printer: &mut Printer, alerts: Vec<Alert>, stages: &Stages, arguments: &ReplayArguments) -> io::Result<()> {
    let alerts: Vec<Arc<Alert>> = alerts.into_iter().map(Arc::new).collect();
    let incidents = join(&alerts, &Joining::default(), stages);
    if arguments.incidents {
        let json = printer.format != Format::Human;
        return incidents
            .iter()
            .try_for_each(|incident| printer.write(&if json { line(incident) } else { story(incident) }));
    }
    let members = |incident: &'_ Incident| -> Vec<(String, String)> {
        incident.alerts.iter().map(|(alert, _)| (alert.id.clone(), incident.id.clone())).collect()
    };
    let incident_of: BTreeMap<String, String> = incidents.iter().flat_map(members).collect();
    alerts.iter().try_for_each(|alert| {
        let kind = if alert.status == Status::Firing { ChangeKind::Fired } else { ChangeKind::Resolved };
        let change = AlertChange { kind, alert: Alert::clone(alert) };
        printer.print(&change, incident_of.get(&alert.id).map(String::as_str))
    })
}

/// The summary, on standard error.
fn summarise(engine: &Engine, summary: &Summary, began: Instant, arguments: &ReplayArguments) {
    let seconds = began.elapsed().as_secs_f64();
    for note in &summary.notes {
        terminal::say(&format!("note: {note}"));
    }
    for rejection in &summary.rejections {
        terminal::say(&format!("rejected: {rejection}"));
    }
    let unnamed = summary.rejected.saturating_sub(summary.rejections.len() as u64);
    if unnamed > 0 {
        terminal::say(&format!("rejected: and {unnamed} more"));
    }
    let stats = engine.stats();
    let mut parts = vec![format!("{} records", summary.records), format!("{} judged", stats.judged)];
    let counted = [
        (summary.outside, "outside --since and --until"),
        (summary.rejected, "rejected"),
        (stats.duplicates, "duplicates"),
        (stats.copies_differ, "copies that differ"),
        (stats.late, "late"),
    ];
    parts.extend(counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    terminal::say(&format!("{}; {:.1} s, {:.0} records/s", parts.join(", "), seconds, rate(summary.records, seconds)));
    if stats.late > 0 && !arguments.sort {
        terminal::say(&format!(
            "{} records came later than the allowed lateness and took no part in counts: use --sort",
            stats.late
        ));
    }
    if arguments.teach {
        terminal::say("taught; no alert was raised");
        return;
    }
    let alerts = raised(engine);
    let by_severity = Severity::ALL.into_iter().rev().filter_map(|severity| {
        let count = alerts.iter().filter(|alert| alert.severity == severity).count();
        (count > 0).then(|| format!("{count} {}", severity.as_str()))
    });
    let by_severity: Vec<String> = by_severity.collect();
    let by_severity = if by_severity.is_empty() { String::new() } else { format!(": {}", by_severity.join(", ")) };
    let noun = if alerts.len() == 1 { "alert" } else { "alerts" };
    terminal::say(&format!("{} {noun}{by_severity}", alerts.len()));
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people; the last digits do not matter")]
fn rate(records: u64, seconds: f64) -> f64 {
    records as f64 / seconds.max(0.001)
}
