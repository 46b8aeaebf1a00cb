//! Moves what was committed from the write-ahead log into the database, beside the writer.
//!
//! Left to itself, SQLite does so within a commit, and whoever waits for that commit waits for thousands of pages more.
//! Here it is done often, in small pieces, on a thread and a connection of its own. The log begins anew once all of it
//! was moved, so that it does not grow. Deliberately not what keeps the log in bounds when this fails: the writer still
//! does it at a size that is never reached otherwise.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a round goes on with what was committed meanwhile.
const PASSES_MAX: u32 = 4;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Looks after the store at `place` with a connection of its own.
    pub(super) fn start(place: String, connection: Connection) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut moved = None;
            let mut trouble = String::new();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                match round(&connection, moved) {
                    Ok(version) => {
                        moved = version;
                        trouble.clear();
                    }
                    // Said once, and not every second.
                    Err(error) if error.to_string() == trouble => {}
                    Err(error) => {
                        trouble = error.to_string();
                        tracing::warn!(
                            store = place,
                            %error,
                            "the store's write-ahead log is not moved into its database and grows"
                        );
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

/// Moves all there is, without holding anybody up, unless nothing was committed since everything was moved at the version
/// `moved`. Returns the version at which everything is moved now, `None` if somebody still reads what is in the log.
fn round(connection: &Connection, moved: Option<i64>) -> rusqlite::Result<Option<i64>> {
    for _ in 0..PASSES_MAX {
        // Another one after each commit of another connection.
        let version: i64 = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if moved == Some(version) {
            return Ok(moved);
        }
        let (busy, pages, done): (bool, i64, i64) =
            connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if busy {
            return Ok(None);
        }
        if done >= pages {
            return Ok(Some(version));
        }
    }
    Ok(None)
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
        let pages_in_log =
            || -> i64 { mover.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap() };
        for _ in 0..3 {
            write(&writer);
        }
        let open = writer.transaction().unwrap();
        write(&open);
        let before = round(&mover, None).unwrap();
        assert!(before.is_some(), "what was committed is moved although a transaction is open");
        assert_eq!(round(&mover, before).unwrap(), before, "nothing was committed meanwhile");
        open.commit().unwrap();
        let after = round(&mover, before).unwrap();
        assert!(after.is_some() && after != before, "{before:?} {after:?}");
        // All of it was moved, so the log begins anew.
        write(&writer);
        let pages = pages_in_log();
        assert!(pages < 60, "{pages} pages are in the log, and four writes are 110");
    }
}
