//! Evidence from the store to its archive: whatever interrupts it, each entry lies there once; whatever is changed there
//! is found.

#![expect(clippy::unwrap_used, reason = "all of it is a test, its helpers too")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bedrock_watch_service::{
    evidence::{
        Archivist, Fact, Folder,
        archive::{Archive, ArchiveError, archive_all},
        chain::Entry,
        fact::Gap,
        reading::{Period, read},
        verify::Verdict,
    },
    status::Status,
    store::{Store, sqlite::SqliteStore},
};
use jiff::{SignedDuration, Timestamp};

const ALWAYS: Period = Period { from: Timestamp::MIN, to: Timestamp::MAX };

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 20_000 + hours)
}

fn gaps(numbers: std::ops::Range<usize>) -> Vec<Fact> {
    let gap = |number| Fact::Gap(Gap { part: format!("part {number}"), reason: String::new(), since: at(0) });
    numbers.map(gap).collect()
}

/// What lies in the archive and the store, verified, and the parts that its entries name.
async fn found(archive: &dyn Archive, store: Option<&dyn Store>, period: Period) -> (Verdict, Vec<String>) {
    let mut parts = Vec::new();
    let mut take = |entry: Entry| {
        if let Fact::Gap(gap) = entry.fact {
            parts.push(gap.part);
        }
    };
    let verdict = read(Some(archive), store, period, &mut take).await.unwrap();
    (verdict, parts)
}

fn parts(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("part {number}")).collect()
}

async fn archived(store: &Arc<dyn Store>, archive: &dyn Archive) -> Result<u64, Vec<ArchiveError>> {
    archive_all(store, archive, |_| true).await
}

/// An archive whose writer dies between writing a file and noting so.
#[derive(Debug)]
struct Dying {
    folder: Folder,
    dies: AtomicBool,
}

#[async_trait]
impl Archive for Dying {
    fn place(&self) -> String {
        self.folder.place()
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<bool, ArchiveError> {
        self.folder.put(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        if self.dies.swap(false, Ordering::SeqCst) {
            return Err(ArchiveError::Unavailable { place: self.place(), action: "read it", reason: "killed".into() });
        }
        self.folder.get(key).await
    }

    async fn list(&self) -> Result<Vec<String>, ArchiveError> {
        self.folder.list().await
    }
}

fn open(folder: &Path) -> (Arc<dyn Store>, Dying) {
    let store = Arc::new(SqliteStore::open(&folder.join("bedrock-watch.db")).unwrap());
    (store, Dying { folder: Folder::new(folder.join("evidence")), dies: AtomicBool::new(false) })
}

#[tokio::test]
async fn a_crash_between_writing_and_noting_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut written, mut dead) = (0, 0);
    for life in 0..6 {
        // Each life is another process.
        let (store, archive) = open(folder.path());
        for _ in 0..3 {
            store.attest(gaps(written..written + 5), at(i64::from(life))).await.unwrap();
            written += 5;
            archive.dies.store(life % 2 == 0, Ordering::SeqCst);
            dead += usize::from(archived(&store, &archive).await.is_err());
        }
    }
    assert!(dead >= 9, "{dead}");
    let (store, archive) = open(folder.path());
    archived(&store, &archive).await.unwrap();
    let (verdict, parts_found) = found(&archive, None, ALWAYS).await;
    assert_eq!((verdict.findings, parts_found), (Vec::new(), parts(0..written)));
    let (verdict, parts_found) = found(&archive, Some(&*store), ALWAYS).await;
    assert_eq!((verdict.findings, parts_found), (Vec::new(), parts(0..written)));
    let chain = store.chains().await.unwrap().remove(0);
    assert_eq!((chain.seq, chain.archived), (written as u64, written as u64));
    assert_eq!(store.evidence(&chain.worker, 0, 100).await.unwrap().len(), 1, "the store has forgotten the rest");
}

#[tokio::test]
async fn archivists_at_the_same_time_do_not_hinder_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive) = open(folder.path());
    for round in 0..20 {
        store.attest(gaps(round * 3..round * 3 + 3), at(0)).await.unwrap();
        let both = tokio::join!(archived(&store, &archive), archived(&store, &archive));
        both.0.unwrap();
        both.1.unwrap();
    }
    let (verdict, parts_found) = found(&archive, Some(&*store), ALWAYS).await;
    assert_eq!((verdict.findings, parts_found), (Vec::new(), parts(0..60)));
}

#[tokio::test]
async fn a_period_is_verified_from_the_file_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive) = open(folder.path());
    for day in 0..5_i64 {
        let first = usize::try_from(day).unwrap() * 4;
        store.attest(gaps(first..first + 2), at(day * 24)).await.unwrap();
        // What is written late on a day lies in a file of that day.
        store.attest(gaps(first + 2..first + 4), at(day * 24 + 23)).await.unwrap();
    }
    archived(&store, &archive).await.unwrap();
    let keys = archive.list().await.unwrap();
    assert_eq!(keys.len(), 5, "{keys:?}");
    let check = async |from: i64, to: i64, expected: std::ops::Range<usize>, entries: u64| {
        let (verdict, found) = found(&archive, Some(&*store), Period { from: at(from), to: at(to) }).await;
        assert_eq!((verdict.findings, found), (Vec::new(), parts(expected)), "{from} to {to}");
        assert_eq!(verdict.entries, entries, "{from} to {to}");
    };
    check(0, 5 * 24, 0..20, 20).await;
    check(2 * 24, 3 * 24 - 2, 8..10, 8).await;
    check(100 * 24, 101 * 24, 0..0, 4).await;
    let gone = Path::new(&archive.place()).join(&keys[2]);
    std::fs::remove_file(gone).unwrap();
    let (verdict, _) = found(&archive, None, Period { from: at(3 * 24), to: at(4 * 24) }).await;
    assert_eq!(verdict.findings[0].what, "the entries 9 to 12 are missing before entry 13");
}

#[tokio::test]
async fn an_archive_that_was_changed_is_reported_and_nothing_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive) = open(folder.path());
    let place = archive.place();
    store.attest(gaps(0..5), at(0)).await.unwrap();
    archive.dies.store(true, Ordering::SeqCst);
    archived(&store, &archive).await.unwrap_err();
    let key = archive.list().await.unwrap().remove(0);
    let path = Path::new(&place).join(&key);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, text.replace("part 3", "part X")).unwrap();
    let errors = archived(&store, &archive).await.unwrap_err();
    assert!(matches!(&errors[0], ArchiveError::Different { key: found, .. } if *found == key), "{errors:?}");
    let (status, archive) = (Status::default(), Arc::new(archive));
    Archivist::new(Arc::clone(&store), archive, status.clone()).archive().await;
    assert!(status.reasons()["evidence"].contains("is not what was to be written there"), "{:?}", status.reasons());
    assert_eq!(store.chains().await.unwrap()[0].archived, 0);
    let worker = store.chains().await.unwrap().remove(0).worker;
    assert_eq!(store.evidence(&worker, 0, 9).await.unwrap().len(), 5);
}

#[tokio::test]
async fn an_archive_that_is_gone_or_shorter_is_found_by_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive) = open(folder.path());
    for round in 0..3 {
        store.attest(gaps(round * 2..round * 2 + 2), at(0)).await.unwrap();
        archived(&store, &archive).await.unwrap();
    }
    store.attest(gaps(6..8), at(1)).await.unwrap();
    let last = archive.list().await.unwrap().pop().unwrap();
    std::fs::remove_file(Path::new(&archive.place()).join(last)).unwrap();
    let (verdict, _) = found(&archive, Some(&*store), ALWAYS).await;
    let what: Vec<&str> = verdict.findings.iter().map(|finding| finding.what.as_str()).collect();
    assert!(what[0].starts_with("the chain ends with entry 4, and the store knows its entry 6"), "{what:?}");
    std::fs::remove_dir_all(archive.place()).unwrap();
    let (verdict, _) = found(&archive, Some(&*store), ALWAYS).await;
    assert!(verdict.findings[0].what.starts_with("no entry of this chain is there"), "{:?}", verdict.findings);
}
