//! A thread with a connection, and the work that waits for it.
//!
//! The writing thread takes everything that waits into one transaction and answers only once that is on the disk, so
//! a hundred small changes cost one flush. Each piece of work is a savepoint of its own: one that fails undoes only
//! itself. Deliberately threads and not tasks: SQLite blocks.

use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Failure;
use crate::store::StoreError;

/// Pieces of work that may wait for a lane.
const WAITING_MAX: usize = 256;
/// Pieces of work in one transaction.
const GROUP_MAX: usize = 256;

/// A piece of work.
trait Job: Send {
    /// Does it; `false` when it failed and is to be undone.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Says how it went; `lost` is why the transaction around it was not kept.
    fn answer(self: Box<Self>, lost: Option<&str>);
}

struct Work<T, F> {
    action: &'static str,
    place: String,
    work: Option<F>,
    result: Option<Result<T, Failure>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, Failure> + Send> Job for Work<T, F> {
    fn run(&mut self, connection: &Connection) -> bool {
        let result = self.work.take().map(|work| work(connection));
        let ok = matches!(result, Some(Ok(_)));
        self.result = result;
        ok
    }

    fn answer(self: Box<Self>, lost: Option<&str>) {
        let unavailable = |reason: &str| StoreError::Unavailable {
            action: self.action,
            place: self.place.clone(),
            reason: reason.to_owned(),
        };
        let answer = match (lost, self.result) {
            (_, Some(Err(failure))) => Err(failure.at(self.action, &self.place)),
            (Some(reason), _) => Err(unavailable(reason)),
            (None, Some(Ok(value))) => Ok(value),
            (None, None) => Err(unavailable("it was not tried")),
        };
        // Whoever asked may have gone away; the work is done all the same.
        drop(self.reply.send(answer));
    }
}

/// The end of a lane at which work is handed over.
#[derive(Debug)]
pub(super) struct Lane {
    place: String,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    /// A lane that writes, with one transaction for everything that waits. `kept` lives as long as the connection.
    pub(super) fn writing<K: Send + 'static>(place: String, connection: Connection, kept: K) -> Self {
        Self::start(place, move |mut queue| {
            let mut group: Vec<Box<dyn Job>> = Vec::new();
            while let Some(first) = queue.blocking_recv() {
                group.push(first);
                while group.len() < GROUP_MAX
                    && let Ok(next) = queue.try_recv()
                {
                    group.push(next);
                }
                let lost = together(&connection, &mut group).err();
                for job in group.drain(..) {
                    job.answer(lost.as_deref());
                }
            }
            drop(connection);
            drop(kept);
        })
    }

    /// A lane that reads.
    pub(super) fn reading(place: String, connection: Connection) -> Self {
        Self::start(place, move |mut queue| {
            while let Some(mut job) = queue.blocking_recv() {
                job.run(&connection);
                job.answer(None);
            }
        })
    }

    fn start(place: String, run: impl FnOnce(mpsc::Receiver<Box<dyn Job>>) + Send + 'static) -> Self {
        let (queue, receiver) = mpsc::channel(WAITING_MAX);
        Self { place, queue: Some(queue), thread: Some(std::thread::spawn(move || run(receiver))) }
    }

    /// Has work done, waiting for room and for its end.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work { action, place: self.place.clone(), work: Some(work), result: None, reply });
        let gone = || StoreError::Unavailable {
            action,
            place: self.place.clone(),
            reason: "the thread that does it has ended".to_owned(),
        };
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported where it happened.
            drop(thread.join());
        }
    }
}

/// Runs a group in one transaction; the error is why nothing of it was kept.
fn together(connection: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), String> {
    let execute = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    let told = |error: rusqlite::Error| error.to_string();
    execute("BEGIN IMMEDIATE").map_err(told)?;
    let kept = run_each(connection, group).and_then(|()| execute("COMMIT").map(drop).map_err(told));
    if kept.is_err() && !connection.is_autocommit() {
        execute("ROLLBACK").map_err(told)?;
    }
    kept
}

fn run_each(connection: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), String> {
    let execute = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    for job in group {
        execute("SAVEPOINT job").map_err(|error| error.to_string())?;
        let ok = job.run(connection);
        if connection.is_autocommit() {
            // Errors such as a full disk can end the transaction.
            return Err("other work in the same transaction failed and undid it".to_owned());
        }
        let undone = if ok { Ok(0) } else { execute("ROLLBACK TO job") };
        undone.and_then(|_| execute("RELEASE job")).map_err(|error| error.to_string())?;
    }
    Ok(())
}
