//! The same file for everybody: bedrock-watch with all its rules, what is least possible, and what one might use instead,
//! with the answers compared.
//!
//! One thread, CPU time, the best of some rounds in which everybody takes a turn, so that a busy machine is unfair to
//! nobody. bedrock-watch runs as `replay` does: in event time, with deduplication, histories and all its rules. The
//! others do less, and what they find is compared on five rules and one correlation that all of them can express.

mod agreement;
mod corpus;
mod floors;
mod sizes;
mod threads;
mod tools;
mod typed;

use std::{
    hint::black_box,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::ensure;
use bedrock_watch_engine::{Engine, Settings, rule::RuleSet};
use bedrock_watch_load_tests::{
    generator::Stream,
    measure::Cost,
    peer,
    plot::{self, Bar},
    rules,
    scenario::{self, Budget, Compare},
    table,
};
use corpus::Corpus;
pub(crate) use corpus::write_file;
use typed::Found;

/// A stream, as the command line calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StreamName {
    /// 90 % other services, 8 % invocations, 2 % of interest
    Mix,
    /// Invocations only
    Invocations,
}

impl StreamName {
    pub(crate) const fn stream(self) -> Stream {
        match self {
            Self::Mix => Stream::Mix,
            Self::Invocations => Stream::AllBedrock,
        }
    }
}

/// What to measure.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// A file of records, one a line; generated ones otherwise.
    pub(crate) file: Option<PathBuf>,
    pub(crate) records: Option<usize>,
    pub(crate) stream: StreamName,
    pub(crate) threads: Option<usize>,
    pub(crate) rounds: Option<u32>,
    /// Only bedrock-watch: for a profiler.
    pub(crate) engine_only: bool,
    /// Measure what more rules, principals and jobs cost as well, and draw everything into this folder.
    pub(crate) plot: Option<PathBuf>,
}

/// A line of the table, for plots.
#[derive(Debug, Clone)]
struct Row {
    name: String,
    kind: Kind,
    records_per_second: f64,
}

/// What a contender is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    Floor,
    Peer,
}

/// What a contender found, as far as it looks for anything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Answer {
    /// Matches of the five rules, and callers with a burst.
    five: Option<(u64, u64)>,
    /// Alerts of the whole pack.
    alerts: Option<usize>,
}

impl Answer {
    fn of(found: &Found) -> Self {
        Self { five: Some((found.matches.iter().sum(), found.bursts())), alerts: None }
    }

    fn words(&self) -> String {
        match (self.five, self.alerts) {
            (Some((matches, bursts)), _) => format!("{} matches, {bursts} bursts", table::thousands(matches as f64)),
            (None, Some(alerts)) => format!("{} alerts", table::thousands(alerts as f64)),
            (None, None) => String::new(),
        }
    }
}

type Run = Box<dyn Fn(&Corpus) -> anyhow::Result<Answer>>;

struct Contender {
    name: String,
    kind: Kind,
    run: Run,
    best: Option<Cost>,
    answer: Answer,
}

impl Contender {
    fn new(name: &str, kind: Kind, run: impl Fn(&Corpus) -> anyhow::Result<Answer> + 'static) -> Self {
        Self { name: name.to_owned(), kind, run: Box::new(run), best: None, answer: Answer::default() }
    }

    fn play(&mut self, corpus: &Corpus) -> anyhow::Result<()> {
        let mut cost = Cost::default();
        self.answer = cost.add(corpus.len(), corpus.bytes().len(), || (self.run)(corpus))?;
        if self.best.is_none_or(|best| cost.time < best.time) {
            self.best = Some(cost);
        }
        Ok(())
    }
}

/// Measures everybody, prints a table and says whether they agree and keep the budget.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
pub(crate) fn run(wanted: &Wanted) -> anyhow::Result<bool> {
    let scenario: Compare = scenario::read("compare", include_str!("../../scenarios/compare.toml"))?;
    let records = wanted.records.unwrap_or(scenario.records);
    let corpus = match &wanted.file {
        Some(file) => Corpus::read(file)?,
        None => Corpus::generated(scenario.seed, wanted.stream.stream(), scenario.principals, records)?,
    };
    let files = rules::pack()?;
    let pack = rules::compile(&files)?;
    let mut contenders = contenders(&pack, files.len(), wanted.engine_only)?;
    for _ in 0..wanted.rounds.unwrap_or(scenario.rounds).max(1) {
        for contender in &mut contenders {
            contender.play(&corpus)?;
        }
    }
    println!(
        "{} records of {:.0} bytes on average; one thread, CPU time\n",
        table::thousands(corpus.len() as f64),
        corpus.bytes().len() as f64 / corpus.len() as f64
    );
    let mut rows = print(&contenders);
    if wanted.engine_only {
        return Ok(true);
    }
    rows.extend(outside(&corpus, wanted)?);
    let agree = agreement::check(&corpus, &pack, &contenders)?;
    if let Some(threads) = wanted.threads.filter(|threads| *threads > 1) {
        threads::run(&corpus, &pack, threads)?;
    }
    if let Some(folder) = &wanted.plot {
        plot(folder, &rows, scenario.seed)?;
    }
    let least = match wanted.stream {
        StreamName::Mix => scenario.mix_records_per_second_min,
        StreamName::Invocations => scenario.bedrock_records_per_second_min,
    };
    let mut budget = Budget::default();
    let ours = rows.iter().find(|row| row.kind == Kind::Ours).map(|row| row.records_per_second).unwrap_or_default();
    budget.at_least("bedrock-watch with all rules, records/s", ours, least);
    Ok(budget.is_kept() && agree)
}

fn contenders(pack: &Arc<RuleSet>, count: usize, engine_only: bool) -> anyhow::Result<Vec<Contender>> {
    let (all, flagship) = (Arc::clone(pack), rules::compile(&rules::flagship()?)?);
    let mut contenders =
        vec![Contender::new(&format!("bedrock-watch, all {count} rules"), Kind::Ours, move |corpus| {
            judge(&all, corpus)
        })];
    if engine_only {
        return Ok(contenders);
    }
    contenders.extend([
        Contender::new("bedrock-watch, 14 rules", Kind::Floor, move |corpus| judge(&flagship, corpus)),
        Contender::new("bedrock-watch, decoding alone, every record", Kind::Floor, floors::decode),
        Contender::new("floor: memory read", Kind::Floor, floors::read_memory),
        Contender::new("floor: lines found (memchr)", Kind::Floor, floors::count_lines),
        Contender::new("floor: lines, and three searches in each", Kind::Floor, floors::prefilter),
        Contender::new("by hand: searches, sonic-rs, five rules as code", Kind::Floor, floors::by_hand),
        Contender::new("sonic-rs typed, five rules as code", Kind::Peer, floors::sonic_typed),
        Contender::new("serde_json typed, five rules as code", Kind::Peer, floors::serde_typed),
        Contender::new("serde_json::Value, parsed alone", Kind::Peer, floors::serde_value),
        Contender::new("rsigma-eval, five rules", Kind::Peer, rsigma),
        Contender::new("rsigma-eval, five rules and bursts", Kind::Peer, rsigma_and_bursts),
    ]);
    Ok(contenders)
}

/// As `replay` judges.
fn judge(rules: &Arc<RuleSet>, corpus: &Corpus) -> anyhow::Result<Answer> {
    let mut engine = Engine::new(Arc::clone(rules), Settings::standard());
    for line in corpus.lines() {
        // What is no event is counted and the rest goes on.
        drop(black_box(engine.judge_recorded(line)));
    }
    black_box(engine.finish());
    Ok(Answer { five: None, alerts: Some(usize::try_from(engine.stats().alerts_fired)?) })
}

fn rsigma(corpus: &Corpus) -> anyhow::Result<Answer> {
    let peer = peer::Detection::new()?;
    for line in corpus.lines() {
        black_box(peer.judge(line)?);
    }
    Ok(Answer::default())
}

fn rsigma_and_bursts(corpus: &Corpus) -> anyhow::Result<Answer> {
    let mut peer = peer::Both::new()?;
    corpus.lines().try_for_each(|line| peer.judge(line))?;
    Ok(Answer { five: Some((peer.matches, u64::try_from(peer.callers.len())?)), alerts: None })
}

fn print(contenders: &[Contender]) -> Vec<Row> {
    let cost = |contender: &Contender| contender.best.unwrap_or_default();
    let own = contenders.first().map(cost).unwrap_or_default().ns_per_record();
    let cells = |contender: &Contender| {
        let cost = cost(contender);
        vec![
            contender.name.clone(),
            table::thousands(cost.records_per_second()),
            table::thousands(cost.ns_per_record()),
            format!("{:.2}", cost.gigabytes_per_second()),
            format!("{:.2}", cost.ns_per_record() / own.max(0.001)),
            contender.answer.words(),
        ]
    };
    let head = ["", "records/s", "ns/record", "GB/s", "relative time", "found"];
    table::print(&head, &contenders.iter().map(cells).collect::<Vec<_>>());
    let row = |contender: &Contender| Row {
        name: contender.name.clone(),
        kind: contender.kind,
        records_per_second: cost(contender).records_per_second(),
    };
    contenders.iter().map(row).collect()
}

/// Draws the table, and what size costs.
fn plot(folder: &Path, rows: &[Row], seed: u64) -> anyhow::Result<()> {
    let bar = |row: &Row| Bar {
        name: row.name.clone(),
        value: row.records_per_second,
        colour: match row.kind {
            Kind::Ours => "a",
            Kind::Floor => "b",
            Kind::Peer => "c",
        },
    };
    let title = "records a second on one core, logarithmic: bedrock-watch, floors, what one might use instead";
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("throughput.svg"), plot::bars(title, &rows.iter().map(bar).collect::<Vec<_>>()))?;
    let sizes = sizes::run(seed)?;
    std::fs::write(folder.join("sizes.svg"), plot::panels("what more of it costs", &sizes))?;
    Ok(())
}

/// Programs beside this one. They read the file themselves, and their start counts.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
fn outside(corpus: &Corpus, wanted: &Wanted) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let file = match &wanted.file {
        Some(file) => file.clone(),
        None => {
            let file = folder.path().join("records.jsonl");
            std::fs::File::create(&file)?.write_all(corpus.bytes())?;
            file
        }
    };
    let rules = folder.path().join("rules.yml");
    std::fs::write(&rules, peer::five_and_burst())?;
    println!("\nprograms, CPU time of the whole\n");
    let mut rows = Vec::new();
    let mut kept = Vec::new();
    for (name, ran) in [
        ("jq, one selection", tools::jq(&file)?),
        ("rsigma engine eval, five rules and bursts", tools::rsigma(&file, &rules)?),
    ] {
        let Some(ran) = ran else {
            rows.push(vec![name.to_owned(), "not installed".to_owned(), String::new(), String::new()]);
            continue;
        };
        let per_second = corpus.len() as f64 / ran.cpu.as_secs_f64().max(1e-3);
        rows.push(vec![
            name.to_owned(),
            table::thousands(per_second),
            table::thousands(1e9 / per_second.max(1e-3)),
            format!("{} lines", table::thousands(ran.lines as f64)),
        ]);
        kept.push(Row { name: name.to_owned(), kind: Kind::Peer, records_per_second: per_second });
    }
    table::print(&["", "records/s", "ns/record", "found"], &rows);
    ensure!(kept.iter().all(|row| row.records_per_second.is_finite()), "a program took no time");
    Ok(kept)
}
