//! Positions, the journal, snapshots and silences.

use std::{collections::BTreeMap, sync::Arc};

use bedrock_watch_engine::alert::Severity;
use bedrock_watch_service::store::{Commit, JournalEntry, Matcher, Silence, Snapshot, Store};

use super::{at, fired, list};

list![
    positions_are_kept,
    the_journal_keeps_records_in_order,
    a_snapshot_replaces_the_journal_it_contains,
    entries_of_concurrent_commits_have_numbers_of_their_own,
    silences_come_and_go,
];

fn entry(text: &str) -> JournalEntry {
    let ends = vec![1, u32::try_from(text.len()).unwrap()];
    JournalEntry { source: "http".to_owned(), records: text.as_bytes().to_vec(), ends }
}

fn journal(texts: &[&str]) -> Commit {
    Commit { journal: texts.iter().map(|text| entry(text)).collect(), ..Commit::default() }
}

fn positions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(source, position)| ((*source).to_owned(), (*position).to_owned())).collect()
}

async fn positions_are_kept(store: Arc<dyn Store>) {
    assert_eq!(store.positions().await.unwrap(), BTreeMap::new());
    for (given, expected) in [
        (&[("a", "1"), ("b", "1")][..], &[("a", "1"), ("b", "1")][..]),
        (&[("a", "2")], &[("a", "2"), ("b", "1")]),
        (&[], &[("a", "2"), ("b", "1")]),
        (&[("c", "")], &[("a", "2"), ("b", "1"), ("c", "")]),
    ] {
        store.commit(Commit { positions: positions(given), ..Commit::default() }, at(1)).await.unwrap();
        assert_eq!(store.positions().await.unwrap(), positions(expected));
    }
}

async fn the_journal_keeps_records_in_order(store: Arc<dyn Store>) {
    assert_eq!(store.commit(Commit::default(), at(1)).await.unwrap().journal_through, 0);
    let both = Commit { changes: vec![fired("a", &[])], ..journal(&["one", "t\0o"]) };
    let first = store.commit(both, at(1)).await.unwrap();
    assert_eq!(first.recorded.len(), 1);
    let second = store.commit(journal(&["three"]), at(1)).await.unwrap();
    assert_eq!((first.journal_through, second.journal_through), (2, 3));
    assert_eq!(store.commit(Commit::default(), at(1)).await.unwrap().journal_through, 3);
    let expected = vec![(1, entry("one")), (2, entry("t\0o")), (3, entry("three"))];
    assert_eq!(store.journal(0, 10).await.unwrap(), expected);
    assert_eq!(store.journal(0, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.journal(2, 10).await.unwrap(), expected[2..]);
    assert!(store.journal(3, 10).await.unwrap().is_empty());
}

async fn a_snapshot_replaces_the_journal_it_contains(store: Arc<dyn Store>) {
    assert_eq!(store.load_snapshot().await.unwrap(), None);
    let texts: Vec<String> = (1..=1_300).map(|number| format!("{number:04}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    store.commit(journal(&texts), at(1)).await.unwrap();
    let make =
        |journal: u64, byte: u8| Snapshot { positions: positions(&[("a", "1")]), journal, bytes: vec![byte; 100_000] };
    store.save_snapshot(make(1_298, 1)).await.unwrap();
    assert_eq!(store.load_snapshot().await.unwrap(), Some(make(1_298, 1)));
    assert_eq!(store.journal(0, 10_000).await.unwrap(), [(1_299, entry("1299")), (1_300, entry("1300"))]);
    store.save_snapshot(make(1_300, 2)).await.unwrap();
    assert_eq!(store.load_snapshot().await.unwrap(), Some(make(1_300, 2)));
    assert!(store.journal(0, 10).await.unwrap().is_empty());
    let next = store.commit(journal(&["next"]), at(2)).await.unwrap();
    assert_eq!(next.journal_through, 1_301, "numbers are never given twice");
    assert_eq!(store.journal(1_300, 10).await.unwrap(), [(1_301, entry("next"))]);
}

async fn entries_of_concurrent_commits_have_numbers_of_their_own(store: Arc<dyn Store>) {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for number in 0..10 {
                let text = format!("{task:02}.{number:02}");
                let committed = store.commit(journal(&[&text]), at(1)).await.unwrap();
                let there = store.journal(0, 1_000).await.unwrap();
                let own = there.iter().find(|(_, known)| *known == entry(&text)).unwrap();
                assert!(own.0 <= committed.journal_through, "what was answered is there");
            }
        });
    }
    tasks.join_all().await;
    let numbers: Vec<u64> = store.journal(0, 1_000).await.unwrap().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
}

async fn silences_come_and_go(store: Arc<dyn Store>) {
    let make = |id: &str, starts: i64, ends: i64| Silence {
        id: id.to_owned(),
        starts_at: at(starts),
        ends_at: at(ends),
        author: "ada".to_owned(),
        reason: "maintenance".to_owned(),
        matcher: Matcher {
            rule: Some("invocation-*".to_owned()),
            account: Some("111122223333".to_owned()),
            severity_max: Some(Severity::High),
            ..Matcher::default()
        },
    };
    for silence in [make("b", 10, 100), make("a", 5, 50), make("c", 200, 300)] {
        store.put_silence(silence, at(1)).await.unwrap();
    }
    let list = async |now: i64, ended: bool| store.silences(at(now), ended).await.unwrap();
    assert_eq!(list(20, false).await, [make("a", 5, 50), make("b", 10, 100), make("c", 200, 300)]);
    assert_eq!(list(50, false).await, [make("b", 10, 100), make("c", 200, 300)], "it ends at 50");
    assert_eq!(list(50, true).await.len(), 3);
    assert!(!store.end_silence("a", at(50)).await.unwrap(), "it no longer holds");
    assert!(!store.end_silence("unknown", at(1)).await.unwrap());
    assert!(store.end_silence("b", at(60)).await.unwrap());
    assert!(!store.end_silence("b", at(61)).await.unwrap());
    assert_eq!(list(60, false).await, [make("c", 200, 300)]);
    assert_eq!(list(60, true).await[1], make("b", 10, 60));
    store.put_silence(make("c", 200, 400), at(1)).await.unwrap();
    assert_eq!(list(60, false).await, [make("c", 200, 400)], "the same id replaces");
    let month = 30 * 86_400;
    assert_eq!(list(month + 55, true).await, [make("b", 10, 60), make("c", 200, 400)]);
    assert!(list(month + 400, true).await.is_empty());
}
