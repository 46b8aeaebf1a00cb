//! The SQLite store: the cases every store must pass, and what only a file can do.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test; a failing case says its name")]

use std::{fs, path::Path, sync::Arc};

use bedrock_watch_engine::alert::ChangeKind;
use bedrock_watch_service::store::{Commit, JournalEntry, Snapshot, Store, StoreError, sqlite::SqliteStore};
use bedrock_watch_tests::store_conformance::cases;
use jiff::Timestamp;

const NAME: &str = "bedrock-watch.db";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    let cases = cases();
    assert!(cases.len() > 20);
    for (name, case) in cases {
        println!("case {name}");
        let folder = tempfile::tempdir().unwrap();
        case(Arc::new(SqliteStore::open(&folder.path().join(NAME)).unwrap())).await;
    }
}

fn entry(text: &str) -> JournalEntry {
    JournalEntry { source: "http".to_owned(), records: text.into(), ends: vec![u32::try_from(text.len()).unwrap()] }
}

fn journal(text: &str) -> Commit {
    Commit { journal: vec![entry(text)], ..Commit::default() }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let now = Timestamp::now();
    for round in 1..=3 {
        let store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.commit(journal("one"), now).await.unwrap().journal_through, round);
    }
    // As after `kill -9`: the write-ahead log is not yet moved into the database, and the copy has nothing else.
    let store = SqliteStore::open(&path).unwrap();
    store.commit(journal("last"), now).await.unwrap();
    let copied = folder.path().join("copied.db");
    for suffix in ["", "-wal"] {
        fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copied.display())).unwrap();
    }
    assert!(fs::metadata(format!("{}-wal", copied.display())).unwrap().len() > 0);
    let copy = SqliteStore::open(&copied).unwrap();
    assert_eq!(copy.journal(3, 10).await.unwrap(), [(4, entry("last"))]);
}

#[tokio::test]
async fn a_snapshot_outlives_its_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let store = SqliteStore::open(&path).unwrap();
    store.save_snapshot(Snapshot { journal: 500, ..Snapshot::default() }).await.unwrap();
    drop(store);
    fs::remove_file(&path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let number = store.commit(journal("one"), Timestamp::now()).await.unwrap().journal_through;
    assert_eq!(number, 501, "entries that the snapshot does not contain must not be numbered as if it did");
}

#[tokio::test]
async fn claims_of_a_former_process_are_void_but_unsettled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let now = Timestamp::now();
    let until = now + jiff::SignedDuration::from_hours(1);
    let store = SqliteStore::open(&path).unwrap();
    let change = bedrock_watch_tests::store_conformance::sample_change("a", ChangeKind::Fired, "slack");
    store.commit(Commit { changes: vec![change], ..Commit::default() }, now).await.unwrap();
    let first = store.claim("slack", "former", now, until, 10).await.unwrap();
    assert_eq!((first.len(), first[0].unsettled), (1, false));
    drop(store);
    // A command beside leaves the claim alone; the next daemon does not.
    let beside = SqliteStore::open_beside(&path).unwrap();
    assert!(beside.claim("slack", "command", now, until, 10).await.unwrap().is_empty());
    drop(beside);
    let store = SqliteStore::open(&path).unwrap();
    let second = store.claim("slack", "present", now, until, 10).await.unwrap();
    assert_eq!((second.len(), second[0].unsettled), (1, true));
}

#[tokio::test]
async fn one_owner_and_others_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let missing = SqliteStore::open_beside(&path).unwrap_err().to_string();
    assert!(missing.contains("there is no such file"), "{missing}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "looking creates nothing");
    let owner = SqliteStore::open(&path).unwrap();
    let second = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    assert!(second.to_string().contains("is used by another bedrock-watch"), "{second}");
    // Both see what the other writes.
    let beside = SqliteStore::open_beside(&path).unwrap();
    beside.commit(journal("beside"), Timestamp::now()).await.unwrap();
    owner.commit(journal("owner"), Timestamp::now()).await.unwrap();
    for store in [&owner, &beside] {
        assert_eq!(store.journal(0, 10).await.unwrap(), [(1, entry("beside")), (2, entry("owner"))]);
    }
    let refused = beside.save_snapshot(Snapshot::default()).await.unwrap_err().to_string();
    assert!(refused.contains("only the daemon that owns it"), "{refused}");
    drop(owner);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let _store = SqliteStore::open(&folder.path().join(NAME)).unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn what_cannot_be_used_says_why() {
    let check = |prepare: &dyn Fn(&Path), expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        prepare(&path);
        let message = SqliteStore::open(&path).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains(NAME), "{message}");
    };
    let sql = |path: &Path, sql: &str| {
        drop(SqliteStore::open(path));
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    };
    check(&|path| fs::write(path, "a text that is no database".repeat(100)).unwrap(), "is no store of this version");
    let foreign = "CREATE TABLE other (x)";
    check(&|path| rusqlite::Connection::open(path).unwrap().execute_batch(foreign).unwrap(), "of another program");
    check(&|path| sql(path, "PRAGMA user_version = 99"), "its format is 99");
    check(&|path| fs::create_dir(path).unwrap(), "cannot open");
    check(&|path| fs::create_dir(format!("{}.snapshot.lock", path.display())).unwrap(), "cannot lock");
    check(&|path| fs::write(format!("{}.snapshot", path.display()), "rubbish").unwrap(), "is no store");
    let damage = |path: &Path| {
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
                    INSERT INTO position SELECT 'source ' || i, 'position' FROM n";
        sql(path, many);
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8_192].fill(0x5a);
        fs::write(path, bytes).unwrap();
    };
    check(&damage, "is damaged");
}

#[tokio::test]
async fn an_older_format_is_brought_up_to_date_by_the_daemon_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    // Before the first version: an empty file.
    fs::write(&path, "").unwrap();
    let refused = SqliteStore::open_beside(&path).unwrap_err().to_string();
    assert!(refused.contains("start the daemon once"), "{refused}");
    drop(SqliteStore::open(&path).unwrap());
    let beside = SqliteStore::open_beside(&path).unwrap();
    assert!(beside.positions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_nothing_is_half_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    drop(SqliteStore::open(&path).unwrap());
    // A table that refuses stands for a disk that is full: both fail in the middle of the commit.
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON position BEGIN SELECT raise(FAIL, 'disk I/O is refused'); END",
        )
        .unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let positions = [("file a".to_owned(), "1".to_owned())].into();
    let commit = Commit { positions, ..journal("lost") };
    let error = store.commit(commit.clone(), Timestamp::now()).await.unwrap_err().to_string();
    assert!(error.contains("cannot write to") && error.contains("disk I/O is refused"), "{error}");
    assert!(store.journal(0, 10).await.unwrap().is_empty(), "the journal of a failed commit is not there");
    other.execute_batch("DROP TRIGGER full").unwrap();
    store.commit(commit, Timestamp::now()).await.unwrap();
    assert_eq!(store.journal(0, 10).await.unwrap().len(), 1);
}
