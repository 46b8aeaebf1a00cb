//! Moves what was committed from the write-ahead log into the database, beside the writer.
//!
//! Left to itself, SQLite does so within a commit, and whoever waits for that commit waits for thousands of pages more.
//! Here it is done often, in small pieces, on a thread and a connection of its own. The log begins anew once all of it
//! was moved, so that it does not grow. Deliberately not what keeps the log in bounds when this fails: the writer still
//! does it at a size that is never reached otherwise.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a round goes on with what was committed meanwhile.
const PASSES_MAX: u32 = 4;

/// How many transactions were committed.
#[derive(Debug, Clone, Default)]
pub(super) struct Commits(Arc<AtomicU64>);

impl Commits {
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Follows `commits` with a connection of its own.
    pub(super) fn start(connection: Connection, commits: Commits) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut moved = commits.number();
            let mut trouble = String::new();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let now = commits.number();
                if now == moved {
                    continue;
                }
                match round(&connection) {
                    Ok(()) => {
                        moved = now;
                        trouble.clear();
                    }
                    Err(error) if error.to_string() == trouble => {}
                    Err(error) => {
                        trouble = error.to_string();
                        tracing::warn!(%error, "the store's write-ahead log is not moved into its database and grows");
                    }
                }
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported where it happened.
            drop(thread.join());
        }
    }
}

/// Moves all there is, without holding anybody up.
fn round(connection: &Connection) -> rusqlite::Result<()> {
    for _ in 0..PASSES_MAX {
        let (busy, pages, moved): (bool, i64, i64) =
            connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if busy || moved >= pages {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn everything_is_moved_beside_an_open_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let connect = || {
            let connection = Connection::open(&path).unwrap();
            schema::prepare(&connection).unwrap();
            connection
        };
        let mut writer = connect();
        schema::establish(&mut writer, true).unwrap();
        let write = |writer: &Connection| {
            writer.execute("INSERT INTO position VALUES (hex(randomblob(8)), hex(zeroblob(50000)))", []).unwrap();
        };
        let mover = connect();
        let left = |pages: i64| {
            let log: i64 = mover.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap();
            assert!(log <= pages, "{log} pages are in the log");
        };
        for _ in 0..3 {
            write(&writer);
        }
        let open = writer.transaction().unwrap();
        write(&open);
        round(&mover).unwrap();
        open.commit().unwrap();
        round(&mover).unwrap();
        // All of it was moved, so the log begins anew.
        write(&writer);
        left(60);
    }
}
