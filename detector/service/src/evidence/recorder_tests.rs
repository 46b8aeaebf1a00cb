//! What a recorder writes down, over a store in a file.

use std::{path::Path, sync::Arc};

use bedrock_watch_engine::rule::RuleSet;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Fact, Recorder, Watched, chain::read_line, fact::Started};
use crate::{
    canary::Canaries,
    live_rules::LiveRules,
    pipeline::Report,
    status::Status,
    store::{Store, sqlite::SqliteStore},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

struct Bench {
    store: Arc<dyn Store>,
    status: Status,
    canaries: Canaries,
    reports: watch::Sender<Report>,
    watched: Option<Watched>,
}

impl Bench {
    fn new(folder: &Path) -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("bedrock-watch.db")).unwrap());
        let (status, canaries) = (Status::default(), Canaries::default());
        let (reports, reported) = watch::channel(Report::default());
        let rules = LiveRules::from(Arc::<RuleSet>::default());
        let watched = Some(Watched::new(&store, (&rules, &status), &canaries, &reported));
        Self { store, status, canaries, reports, watched }
    }

    async fn begin(&mut self) -> Recorder {
        Recorder::begin(self.watched.take().unwrap(), Started::default()).await.unwrap()
    }

    async fn facts(&self) -> Vec<Fact> {
        let Some(chain) = self.store.chains().await.unwrap().pop() else { return Vec::new() };
        let lines = self.store.evidence(&chain.worker, 0, 1_000).await.unwrap();
        lines.iter().map(|line| read_line(line).unwrap().fact).collect()
    }
}

#[tokio::test]
async fn a_gap_is_what_lasts_for_two_looks() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path());
    let mut recorder = bench.begin().await;
    let mut look = async |second: i64, reasons: &[&str]| {
        for part in ["lag", "sink"] {
            if reasons.contains(&part) { bench.status.set(part, "why") } else { bench.status.clear(part) }
        }
        recorder.look(at(second));
        recorder.write().await;
    };
    look(0, &["lag"]).await;
    look(5, &[]).await;
    look(10, &["lag", "sink"]).await;
    look(15, &["lag", "sink"]).await;
    look(20, &["lag"]).await;
    look(25, &[]).await;
    let gaps: Vec<String> = bench
        .facts()
        .await
        .iter()
        .filter_map(|fact| match fact {
            Fact::Gap(gap) => Some(format!("{} since {}", gap.part, gap.since.as_second() - at(0).as_second())),
            Fact::GapOver(over) => {
                Some(format!("{} over at {}", over.part, over.until.as_second() - at(0).as_second()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(gaps, ["lag since 10", "sink since 10", "sink over at 20", "lag over at 25"]);
}

#[tokio::test]
async fn a_run_begins_with_its_rules_and_ends_with_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path());
    let recorder = bench.begin().await;
    assert!(matches!(&bench.facts().await[..], [Fact::Started(_), Fact::Rules(rules)] if rules.at_start));
    bench.canaries.note_sent();
    bench.reports.send_modify(|report| report.stats.records = 7);
    let stop = CancellationToken::new();
    stop.cancel();
    recorder.run(stop).await.end(true).await;
    let facts = bench.facts().await;
    let [_, _, Fact::Counted(counted), Fact::Stopped(stopped)] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((counted.canaries_sent, counted.canaries_lost, counted.counts.get("records")), (1, 1, Some(&7)));
    assert!(stopped.in_order);
}
