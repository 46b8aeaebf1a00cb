//! Do they find the same? All who can express the five rules and the burst must agree, bedrock-watch with them; and the
//! bursts that bedrock-watch reports with all its rules must be those that a plain count in order finds.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bedrock_watch_engine::{
    Activity, Engine, Second, Settings,
    alert::ChangeKind,
    bedrock::is_inference,
    decode,
    rule::{RuleFile, RuleSet},
};
use bedrock_watch_load_tests::{peer, rules, table};

use super::{Contender, corpus::Corpus};

/// The threshold of `invocation-burst`.
const BURST_CALLS: usize = 100;
const BURST_S: u32 = 60;

/// Prints who found what; false when somebody disagrees.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
pub(super) fn check(corpus: &Corpus, pack: &Arc<RuleSet>, contenders: &[Contender]) -> anyhow::Result<bool> {
    let [five, burst] = peer::rules_for_records();
    let matches = fired(corpus, five)?.len();
    let bursts = fired(corpus, burst)?;
    let own = (u64::try_from(matches)?, u64::try_from(bursts.iter().collect::<BTreeSet<_>>().len())?);
    let mut answers = vec![("bedrock-watch, the same rules", own)];
    answers.extend(contenders.iter().filter_map(|contender| Some((&*contender.name, contender.answer.five?))));
    let agree = answers.iter().all(|(_, answer)| *answer == own);
    let row = |(name, (matches, bursts)): &(&str, (u64, u64))| {
        vec![(*name).to_owned(), table::thousands(*matches as f64), bursts.to_string()]
    };
    println!("\nfive rules and one correlation\n");
    table::print(&["", "matches", "callers with a burst"], &answers.iter().map(row).collect::<Vec<_>>());

    let (reported, counted) = (reported_bursts(corpus, pack), counted_bursts(corpus));
    let same = reported == counted;
    println!("\ninvocation-burst with all rules: {} principals; counted plainly: {}", reported.len(), counted.len());
    println!("the answers {}", if agree && same { "agree" } else { "DIFFER" });
    Ok(agree && same)
}

/// The subject of each alert that a rule file fires.
fn fired(corpus: &Corpus, file: RuleFile) -> anyhow::Result<Vec<String>> {
    let mut settings = Settings::standard();
    settings.limits.alerts_max = u32::MAX;
    let mut engine = Engine::new(rules::compile(&[file])?, settings);
    let mut fired = Vec::new();
    for line in corpus.lines() {
        let changes = engine.judge_recorded(line).unwrap_or_default();
        let new = changes.into_iter().filter(|change| change.kind == ChangeKind::Fired);
        fired.extend(new.map(|change| change.alert.subject_id));
    }
    Ok(fired)
}

/// Account and principal of each `invocation-burst`.
fn reported_bursts(corpus: &Corpus, pack: &Arc<RuleSet>) -> BTreeSet<(String, String)> {
    let mut engine = Engine::new(Arc::clone(pack), Settings::standard());
    for line in corpus.lines() {
        drop(engine.judge_recorded(line));
    }
    engine.finish();
    let bursts = engine.alerts().into_iter().filter(|alert| alert.rule == "invocation-burst");
    bursts.map(|alert| (alert.account, alert.subject_id)).collect()
}

/// The same, by sorting the times of all calls. A baseline needs an hour of calls and is left out: the file must be
/// shorter.
fn counted_bursts(corpus: &Corpus) -> BTreeSet<(String, String)> {
    let mut calls: BTreeMap<(String, String), Vec<Second>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in corpus.lines() {
        let Ok(Activity::Call(call)) = decode::decode(line) else { continue };
        let throttled = call.error_code.as_ref().is_some_and(|code| code.contains("hrottl"));
        if is_inference(&call.source, &call.name) && !throttled && seen.insert(call.event_id.to_string()) {
            let principal = (call.account.to_string(), call.principal.to_string());
            calls.entry(principal).or_default().push(call.time);
        }
    }
    let is_burst = |times: &mut Vec<Second>| {
        times.sort_unstable();
        let mut recent = VecDeque::new();
        times.iter().any(|at| {
            recent.push_back(*at);
            while recent.front().is_some_and(|first| at.since(*first) >= BURST_S) {
                recent.pop_front();
            }
            recent.len() >= BURST_CALLS
        })
    };
    calls.into_iter().filter_map(|(principal, mut times)| is_burst(&mut times).then_some(principal)).collect()
}
