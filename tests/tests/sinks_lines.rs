//! Files and standard output: every revision, each a whole line, in order for each alert, whatever happens to the file.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bedrock_watch_engine::alert::{Alert, ChangeKind};
use bedrock_watch_service::{
    config::delivery::{Pace, RoutingConfig, SinkConfig, SinkKind},
    format::{Colour, Format},
    sink::{StartError, Surroundings, Workers, start_all},
    status::Status,
    store::{Commit, Store},
};
use bedrock_watch_tests::receivers::{
    alerts::{alert, change, resolved},
    fake::BRISK,
    memory_store::MemoryStore,
};
use serde_json::Value;

const ALERTS: u32 = 100;
const SINKS: [&str; 2] = ["file", "stdout"];

/// Standard output that a test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn configs(path: &Path) -> [SinkConfig; 2] {
    let pace = Pace { backoff_max_s: 1, ..BRISK };
    let file = SinkKind::File { path: path.to_owned(), format: Format::Json };
    [("file", file), ("stdout", SinkKind::Stdout { format: Some(Format::Ocsf) })].map(|(name, kind)| SinkConfig {
        name: name.to_owned(),
        pace,
        kind,
    })
}

#[cfg(test)]
fn start(path: &Path, stdout: Shared, store: &Arc<dyn Store>) -> Workers {
    let surroundings = Surroundings::wall(Box::new(stdout), Format::Human, Colour::Never, Status::default());
    start_all(&configs(path), &RoutingConfig::default(), store, surroundings).unwrap()
}

#[cfg(test)]
async fn settled(store: &Arc<dyn Store>, sinks: &[&str]) {
    let waits = async {
        for sink in sinks {
            while store.waiting(sink).await.unwrap().alerts > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waits).await.expect("everything is told");
}

/// What the lines say of each alert, in order.
#[cfg(test)]
fn stories(text: &str, id: &str, count: &str) -> BTreeMap<String, Vec<u64>> {
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let id = line.pointer(id).unwrap().as_str().unwrap().to_owned();
        told.entry(id).or_default().push(line.pointer(count).unwrap().as_u64().unwrap());
    }
    told
}

#[tokio::test]
async fn every_revision_is_a_line_and_a_broken_file_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs/alerts.jsonl");
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let stdout = Shared::default();
    // The folder is not there yet.
    let workers = start(&path, stdout.clone(), &store);
    for event_count in 1..=4 {
        for number in 0..ALERTS {
            let story = Alert { event_count, ..alert(&format!("a{number}")) };
            let (kind, story) = match event_count {
                1 => (ChangeKind::Fired, story),
                4 => (ChangeKind::Resolved, resolved(&story)),
                _ => (ChangeKind::Updated, story),
            };
            let changes = vec![change(kind, &story, &SINKS)];
            store.commit(Commit { changes, ..Commit::default() }, jiff::Timestamp::now()).await.unwrap();
            workers.nudge();
        }
        settled(&store, &["stdout"]).await;
        if event_count == 2 {
            assert!(workers.counters()[0].counted.failed > 0, "there is nowhere to write to");
            fs::create_dir(path.parent().unwrap()).unwrap();
            settled(&store, &["file"]).await;
            fs::rename(&path, folder.path().join("rotated")).unwrap();
        }
    }
    settled(&store, &SINKS).await;
    assert_eq!(store.dead_letters(9).await.unwrap(), []);
    let written = fs::read_to_string(folder.path().join("rotated")).unwrap() + &fs::read_to_string(&path).unwrap();
    let printed = String::from_utf8(stdout.0.lock().unwrap().clone()).unwrap();
    for told in [stories(&written, "/id", "/event_count"), stories(&printed, "/finding_info/uid", "/count")] {
        assert_eq!(told.len(), ALERTS as usize);
        assert!(told.values().all(|counts| *counts == [1, 2, 3, 4]), "{told:?}");
    }
}

#[tokio::test]
async fn standard_output_is_one_stream() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let [_, stdout] = configs(Path::new("x"));
    let twice = [stdout.clone(), SinkConfig { name: "again".to_owned(), ..stdout }];
    let surroundings = Surroundings::wall(Box::new(Shared::default()), Format::Human, Colour::Never, Status::default());
    let error = start_all(&twice, &RoutingConfig::default(), &store, surroundings).unwrap_err();
    assert!(matches!(error, StartError::StdoutTwice { ref sink } if sink == "again"), "{error}");
}
