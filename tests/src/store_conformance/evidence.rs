//! Evidence: what a store does is in its chain once, in the transaction that does it, and nothing forgets it unarchived.

use std::sync::Arc;

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::{
    evidence::{
        Chain, Fact, Turn,
        chain::read_line,
        fact::{Gap, Stopped},
        verify::{File, Verifier},
    },
    store::{Change, Matcher, Resolution, Sent, Settlement, Silence, Store},
};
use tokio::task::JoinSet;

use super::{PAGER, SLACK, alert, at, change, claim_one, commit, commit_one, fired, grown, list, resolved};

list![
    every_turn_of_an_alert_is_evidence_once,
    what_people_say_is_evidence,
    deliveries_are_evidence,
    what_happens_elsewhere_is_written_in_order,
    lines_are_read_from_anywhere,
    what_is_archived_is_forgotten_but_for_the_last,
    nothing_else_forgets_evidence,
    writers_at_the_same_time_leave_one_chain,
];

/// The store's own chain, verified from its first line, or from the first that is not archived.
async fn chain(store: &dyn Store) -> (Chain, Vec<Fact>) {
    let chain = store.chains().await.unwrap().into_iter().find(|chain| chain.own).unwrap();
    let (mut facts, mut verifier) = (Vec::new(), Verifier::default());
    let lines = store.evidence(&chain.worker, chain.archived, 10_000).await.unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let file = File { worker: &chain.worker, first: chain.archived + 1, name: "store", begins: chain.archived == 0 };
    verifier.read(file, text.as_bytes(), &mut |entry| facts.push(entry.fact));
    assert_eq!(verifier.head(&chain.worker), Some(chain.seq));
    let verdict = verifier.finish();
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    let last = read_line(lines.last().unwrap()).unwrap();
    assert_eq!((&last.hash, last.at, last.seq), (&chain.hash, chain.at, chain.seq));
    (chain, facts)
}

/// A word for each fact.
fn words(facts: &[Fact]) -> Vec<String> {
    let word = |fact: &Fact| match fact {
        Fact::Alert(alert) => {
            let was = alert.was.as_ref().map(|was| format!(" was {was}")).unwrap_or_default();
            let quiet =
                alert.silence.iter().chain(&alert.suppressed).map(|why| format!(" ({why})")).collect::<String>();
            format!("{} {:?} {}{was} to {:?}{quiet}", alert.alert, alert.turn, alert.severity, alert.sinks)
        }
        Fact::Answered(answer) => format!("{} answered by {} because {}", answer.alert, answer.author, answer.reason),
        Fact::Silence(silence) => format!("{} silenced by {}", silence.silence, silence.author),
        Fact::SilenceEnded(ended) => format!("{} ended", ended.silence),
        Fact::Delivered(told) => {
            format!("{} told {} up to {} as {:?}", told.sink, told.alert, told.revision, told.reference)
        }
        Fact::GivenUp(given_up) => format!("{} gave up {} because {}", given_up.sink, given_up.alert, given_up.error),
        Fact::Redriven(redriven) => format!("{} to {:?} again", redriven.deliveries, redriven.sink),
        other => format!("{other:?}"),
    };
    facts.iter().map(word).collect()
}

async fn every_turn_of_an_alert_is_evidence_once(store: Arc<dyn Store>) {
    let worse = Alert { severity: Severity::Critical, event_count: 4, ..alert("a") };
    let ended = Alert { status: Status::Resolved, ..worse.clone() };
    let silenced = Change { silence: Some("s".to_owned()), destinations: Vec::new(), ..fired("b", &[]) };
    let suppressed = Change { suppressed: Some("a scanner".to_owned()), ..fired("c", &[]) };
    let withdrawn = change(ChangeKind::Withdrawn, super::over("b", Status::Withdrawn), &[]);
    let unknown = change(ChangeKind::Withdrawn, super::over("never", Status::Withdrawn), &[]);
    commit(&*store, vec![fired("a", &[SLACK, PAGER]), fired("a", &[SLACK, PAGER])], 1).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 2).await;
    commit_one(&*store, change(ChangeKind::Updated, worse, &[SLACK]), 3).await;
    commit(&*store, vec![change(ChangeKind::Resolved, ended, &[]), silenced, suppressed], 4).await;
    commit(&*store, vec![withdrawn, unknown, fired("c", &[])], 5).await;
    commit_one(&*store, change(ChangeKind::Fired, grown("a", 8), &[SLACK]), 6).await;
    commit_one(&*store, resolved("late", &[SLACK]), 7).await;
    let (chain, facts) = chain(&*store).await;
    let mut found = words(&facts);
    // What is stored together may be written in another order.
    found[2..5].sort();
    let expected = [
        r#"a Begun high to ["slack", "pager"]"#,
        r#"a Severity critical was high to ["slack"]"#,
        "a Resolved critical to []",
        "b Begun high to [] (s)",
        "c Begun high to [] (a scanner)",
        "b Withdrawn high to []",
        r#"a Begun high was critical to ["slack"]"#,
        r#"late Begun high to ["slack"]"#,
        r#"late Resolved high to ["slack"]"#,
    ];
    assert_eq!(found, expected);
    assert_eq!((chain.seq, chain.archived), (9, 0));
    let begun = facts.iter().filter(|fact| matches!(fact, Fact::Alert(alert) if alert.turn == Turn::Begun));
    assert_eq!(begun.count(), 5);
}

async fn what_people_say_is_evidence(store: Arc<dyn Store>) {
    let by = Resolution { author: "ada".to_owned(), reason: "a load test".to_owned() };
    let silence = Silence {
        id: "s-1".to_owned(),
        starts_at: at(1),
        ends_at: at(100),
        author: "bob".to_owned(),
        reason: "known".to_owned(),
        matcher: Matcher::default(),
    };
    commit_one(&*store, fired("a", &[]), 1).await;
    store.resolve("a", &by, at(2)).await.unwrap();
    store.resolve("a", &by, at(3)).await.unwrap();
    assert_eq!(store.resolve("nobody", &by, at(3)).await.unwrap(), None);
    store.put_silence(silence, at(4)).await.unwrap();
    assert!(store.end_silence("s-1", at(5)).await.unwrap());
    assert!(!store.end_silence("s-1", at(6)).await.unwrap());
    let found = words(&chain(&*store).await.1);
    let expected = ["a Begun high to []", "a answered by ada because a load test", "s-1 silenced by bob", "s-1 ended"];
    assert_eq!(found, expected);
}

async fn deliveries_are_evidence(store: Arc<dyn Store>) {
    let sent = |reference: &str| Some(Sent { reference: Some(reference.to_owned()) });
    let delivered = |sent| Settlement::Delivered { through: 1, memo: None, sent };
    commit_one(&*store, fired("a", &[SLACK, PAGER]), 1).await;
    let first = claim_one(&*store, SLACK, 2).await;
    let retry = Settlement::Retry { at: at(3), error: "busy".to_owned(), unsettled: false };
    assert!(store.settle(&first, &retry, at(2)).await.unwrap());
    let second = claim_one(&*store, SLACK, 4).await;
    assert!(!store.settle(&first, &delivered(sent("old")), at(4)).await.unwrap(), "somebody else has it");
    assert!(store.settle(&second, &delivered(sent("C1/1.2")), at(5)).await.unwrap());
    let page = claim_one(&*store, PAGER, 6).await;
    assert!(store.settle(&page, &Settlement::Dead { error: "403".to_owned() }, at(7)).await.unwrap());
    assert_eq!(store.redrive(Some(PAGER), at(8)).await.unwrap(), 1);
    assert_eq!(store.redrive(None, at(8)).await.unwrap(), 0);
    let again = claim_one(&*store, PAGER, 9).await;
    assert!(store.settle(&again, &delivered(None), at(9)).await.unwrap(), "nothing had to be said");
    let found = words(&chain(&*store).await.1);
    let expected = [
        r#"a Begun high to ["slack", "pager"]"#,
        r#"slack told a up to 1 as Some("C1/1.2")"#,
        "pager gave up a because 403",
        r#"1 to Some("pager") again"#,
    ];
    assert_eq!(found, expected);
}

fn gap(number: usize) -> Fact {
    Fact::Gap(Gap { part: format!("part {number}"), reason: "r".repeat(100), since: at(0) })
}

async fn what_happens_elsewhere_is_written_in_order(store: Arc<dyn Store>) {
    assert_eq!(store.chains().await.unwrap(), [], "there is no chain before its first line");
    let expected: Vec<Fact> = (0..50).map(gap).chain([Fact::Stopped(Stopped::default())]).collect();
    for facts in expected.chunks(20) {
        store.attest(facts.to_vec(), at(1)).await.unwrap();
    }
    store.attest(Vec::new(), at(2)).await.unwrap();
    assert_eq!(chain(&*store).await.1, expected);
}

async fn lines_are_read_from_anywhere(store: Arc<dyn Store>) {
    for facts in (0..30).map(gap).collect::<Vec<_>>().chunks(7) {
        store.attest(facts.to_vec(), at(1)).await.unwrap();
    }
    let worker = chain(&*store).await.0.worker;
    for (after, limit) in [(0, 30), (0, 1), (3, 5), (6, 9), (7, 7), (29, 9), (30, 9), (99, 9)] {
        let lines = store.evidence(&worker, after, limit).await.unwrap();
        let found: Vec<u64> = lines.iter().map(|line| read_line(line).unwrap().seq).collect();
        let expected: Vec<u64> = (after + 1..=30).take(limit).collect();
        assert_eq!(found, expected, "after {after}, at most {limit}");
    }
    assert_eq!(store.evidence("nobody", 0, 9).await.unwrap(), Vec::<String>::new());
}

async fn what_is_archived_is_forgotten_but_for_the_last(store: Arc<dyn Store>) {
    for facts in (0..30).map(gap).collect::<Vec<_>>().chunks(7) {
        store.attest(facts.to_vec(), at(1)).await.unwrap();
    }
    let (before, _) = chain(&*store).await;
    let ninth = read_line(&store.evidence(&before.worker, 8, 1).await.unwrap()[0]).unwrap();
    store.archived(&before.worker, 9).await.unwrap();
    let (after, facts) = chain(&*store).await;
    assert_eq!((after.archived, &after.archived_hash, facts.len()), (9, &ninth.hash, 21));
    assert_eq!(Chain { archived: 0, archived_hash: String::new(), ..after.clone() }, before, "nothing else changed");
    let rest = store.evidence(&before.worker, 0, 100).await.unwrap();
    assert!(rest.len() < 30, "some of it is forgotten");
    store.archived(&before.worker, 30).await.unwrap();
    let (all, last) = (store.chains().await.unwrap(), store.evidence(&before.worker, 29, 9).await.unwrap());
    assert_eq!((all[0].archived, &all[0].archived_hash, &all[0].hash), (30, &before.hash, &before.hash));
    assert_eq!(last.len(), 1, "the next line follows on it");
    store.attest(vec![gap(30)], at(2)).await.unwrap();
    let (again, facts) = chain(&*store).await;
    assert_eq!((again.seq, again.archived, facts), (31, 30, vec![gap(30)]));
}

async fn nothing_else_forgets_evidence(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[]), 1).await;
    commit_one(&*store, resolved("a", &[]), 2).await;
    assert_eq!(store.forget(at(1_000_000)).await.unwrap(), 1);
    assert_eq!(store.alert("a").await.unwrap(), None);
    assert_eq!(words(&chain(&*store).await.1), ["a Begun high to []", "a Resolved high to []"]);
}

async fn writers_at_the_same_time_leave_one_chain(store: Arc<dyn Store>) {
    let mut writers = JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            commit_one(&*store, fired(&format!("{number}"), &[SLACK]), 1).await;
            store.attest(vec![gap(number)], at(2)).await.unwrap();
        });
    }
    writers.join_all().await;
    let (chain, facts) = chain(&*store).await;
    assert_eq!((chain.seq, facts.len()), (16, 16));
    for claim in super::claim(&*store, SLACK, 3).await {
        let store = Arc::clone(&store);
        let mut settling = JoinSet::new();
        settling.spawn(async move {
            let sent = Some(Sent::default());
            store.settle(&claim, &Settlement::Delivered { through: 1, memo: None, sent }, at(4)).await.unwrap()
        });
        assert_eq!(settling.join_all().await, [true]);
    }
    assert_eq!(self::chain(&*store).await.0.seq, 24);
}
