//! Several threads, each with the accounts that fall to it: how much faster, and whether the answer is the same.
//!
//! Each thread finds the lines and looks for the account in each record's envelope itself. What joins accounts (a job in
//! a shared network) is outside of this; the service's units hand it to everybody.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use bedrock_watch_engine::{Engine, Settings, alert::Alert, rule::RuleSet};
use bedrock_watch_load_tests::table;
use memchr::memmem;

use super::corpus::Corpus;

/// The account stands in the envelope's head.
const HEAD_BYTES: usize = 320;
const ACCOUNT: &str = "\"account\":\"";

/// Prints how long one thread and several need.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
pub(super) fn run(corpus: &Corpus, pack: &Arc<RuleSet>, threads: usize) -> anyhow::Result<()> {
    let (alone, alone_took) = judge(corpus, pack, 1)?;
    let (together, together_took) = judge(corpus, pack, threads)?;
    let row = |name: String, took: Duration| {
        let per_second = corpus.len() as f64 / took.as_secs_f64().max(1e-9);
        let gain = alone_took.as_secs_f64() / took.as_secs_f64().max(1e-9);
        vec![name, table::thousands(per_second), format!("{gain:.2}")]
    };
    println!("\nby accounts, time on the wall; all rules\n");
    table::print(
        &["", "records/s", "times as fast"],
        &[row("1 thread".to_owned(), alone_took), row(format!("{threads} threads"), together_took)],
    );
    let same = alone == together;
    println!("\n{} alerts; {}", alone.len(), if same { "the same with both" } else { "NOT the same with both" });
    if same { Ok(()) } else { Err(anyhow!("threads change the answer")) }
}

fn judge(corpus: &Corpus, pack: &Arc<RuleSet>, threads: usize) -> anyhow::Result<(Vec<Alert>, Duration)> {
    let began = Instant::now();
    let mut alerts = thread::scope(|scope| {
        let workers =
            (0..threads).map(|own| scope.spawn(move || share(corpus, pack, own, threads))).collect::<Vec<_>>();
        let found = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a thread failed")));
        found.collect::<anyhow::Result<Vec<_>>>()
    })?
    .concat();
    let took = began.elapsed();
    alerts.sort_by(|left, right| (left.first_event_time, &left.id).cmp(&(right.first_event_time, &right.id)));
    Ok((alerts, took))
}

/// Judges the records of the accounts that fall to one of the threads.
fn share(corpus: &Corpus, pack: &Arc<RuleSet>, own: usize, threads: usize) -> Vec<Alert> {
    let mut engine = Engine::new(Arc::clone(pack), Settings::standard());
    let account = memmem::Finder::new(ACCOUNT);
    for line in corpus.lines() {
        if threads == 1 || thread_of(line, &account, threads) == own {
            drop(engine.judge_recorded(line));
        }
    }
    engine.finish();
    engine.alerts()
}

/// The thread to which a record's account falls; the first, where none can be told.
fn thread_of(line: &[u8], account: &memmem::Finder<'_>, threads: usize) -> usize {
    let head = line.get(..HEAD_BYTES).unwrap_or(line);
    let start = account.find(head).map(|at| at.saturating_add(ACCOUNT.len()));
    let digits = start.and_then(|start| head.get(start..start.saturating_add(12))).unwrap_or_default();
    let sum = digits.iter().fold(0_usize, |sum, digit| sum.wrapping_mul(31).wrapping_add(usize::from(*digit)));
    sum % threads.max(1)
}
