//! `/v1/stream`: every change of an alert as it is stored, as server-sent events.
//!
//! Best effort: a client that comes back with `Last-Event-ID` is told what it missed as far as that is still
//! remembered, and `reset` when it is not; a client that reads too slowly is told how much was left out. Whoever must
//! not miss anything uses a webhook sink, or reads `/v1/alerts` after a `reset`.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio_util::sync::CancellationToken;

use super::{
    App,
    access::{refuse, refuse_for_now},
    wire,
};
use crate::{format::json, pipeline::Told};

/// Changes remembered for those who come back.
const REMEMBERED_MAX: usize = 1_024;
/// Changes that may wait for one slow client.
const LAG_MAX: usize = 1_024;
/// How often something is sent when nothing happens, so that nothing in between ends the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a client may come again if too many watch already.
const FULL_WAIT: Duration = Duration::from_secs(10);
/// How long browsers wait before they connect again.
const RETRY: Duration = Duration::from_secs(2);

/// A change with its place in the stream.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    told: Arc<Told>,
}

/// The changes since this process started, numbered.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Tells numbers of this process from those of the one before.
    epoch: String,
    remembered: Mutex<VecDeque<Entry>>,
    live: broadcast::Sender<Entry>,
}

impl Feed {
    pub(super) fn new() -> Self {
        let epoch = format!("{:x}", Timestamp::now().as_microsecond());
        let shared = Shared { epoch, remembered: Mutex::default(), live: broadcast::Sender::new(LAG_MAX) };
        Self { shared: Arc::new(shared) }
    }

    /// Takes over what the loop says, until it ends.
    pub(super) async fn pump(self, mut told: broadcast::Receiver<Arc<Told>>, stop: CancellationToken) {
        loop {
            match stop.run_until_cancelled(told.recv()).await {
                Some(Ok(told)) => self.add(told),
                // Watchers see a hole in the numbers as a lag of their own would make it; see `skip`.
                Some(Err(broadcast::error::RecvError::Lagged(missed))) => self.skip(missed),
                Some(Err(broadcast::error::RecvError::Closed)) | None => return,
            }
        }
    }

    fn add(&self, told: Arc<Told>) {
        let mut remembered = self.shared.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let number = remembered.back().map_or(0, |entry| entry.number).saturating_add(1);
        let entry = Entry { number, told };
        if remembered.len() >= REMEMBERED_MAX {
            remembered.pop_front();
        }
        remembered.push_back(entry.clone());
        // That nobody watches is no error.
        self.shared.live.send(entry).map(drop).unwrap_or_default();
    }

    /// Forgets what came before a hole, so that nobody who comes back takes what is left for all there was.
    fn skip(&self, missed: u64) {
        tracing::warn!(missed, "the stream of changes has a hole");
        let mut remembered = self.shared.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut last) = remembered.pop_back() {
            remembered.clear();
            last.number = last.number.saturating_add(missed);
            remembered.push_back(last);
        }
    }

    /// Everything from now on, and before it what came after `last`.
    fn watch(&self, last: Option<&str>, stop: CancellationToken, permit: OwnedSemaphorePermit) -> Watch {
        // Subscribing comes first: what is added meanwhile is in both, and numbers tell.
        let live = self.shared.live.subscribe();
        let remembered = self.shared.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = remembered.back().map_or(0, |entry| entry.number);
        let mut watch = Watch {
            epoch: self.shared.epoch.clone(),
            last: newest,
            missed: VecDeque::new(),
            reset: false,
            live,
            stop,
            _permit: permit,
        };
        if let Some(last) = last {
            let number = last.split_once('-').filter(|(epoch, _)| *epoch == self.shared.epoch);
            let number: Option<u64> = number.and_then(|(_, number)| number.parse().ok());
            let oldest = remembered.front().map_or(0, |entry| entry.number);
            match number {
                Some(number) if number.saturating_add(1) >= oldest => {
                    let missed = remembered.iter().filter(|entry| entry.number > number);
                    watch.missed = missed.cloned().collect();
                }
                _ => watch.reset = true,
            }
        }
        watch
    }
}

/// One client's place in the stream.
struct Watch {
    epoch: String,
    /// The number up to which the client has been told, or is about to be.
    last: u64,
    missed: VecDeque<Entry>,
    reset: bool,
    live: broadcast::Receiver<Entry>,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.reset) {
            return Some(Event::default().event("reset").retry(RETRY).data("{}"));
        }
        if let Some(entry) = self.missed.pop_front() {
            return Some(self.event(&entry));
        }
        loop {
            match self.stop.clone().run_until_cancelled(self.live.recv()).await? {
                Ok(entry) if entry.number <= self.last => {}
                Ok(entry) => {
                    self.last = entry.number;
                    return Some(self.event(&entry));
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    return Some(Event::default().event("lagged").data(format!("{{\"missed\":{missed}}}")));
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn event(&self, entry: &Entry) -> Event {
        let id = format!("{}-{}", self.epoch, entry.number);
        Event::default().id(id).event(wire::kind(entry.told.kind)).data(json::line(&entry.told.alert.alert))
    }
}

/// `GET /v1/stream`.
pub(super) async fn stream(State(app): State<App>, headers: HeaderMap) -> Response {
    let Ok(permit) = Arc::clone(&app.watchers).try_acquire_owned() else {
        return refuse_for_now(StatusCode::TOO_MANY_REQUESTS, "too many watch the stream", FULL_WAIT);
    };
    let last = match headers.get("last-event-id").map(|value| value.to_str()) {
        None => None,
        Some(Ok(last)) => Some(last),
        Some(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "`last-event-id` is no text"),
    };
    let watch = app.feed.watch(last, app.stop.clone(), permit);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    ([(header::CACHE_CONTROL, "no-store")], Sse::new(events(watch)).keep_alive(keep_alive)).into_response()
}

fn events(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    })
}
