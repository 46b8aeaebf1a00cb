//! Webhooks on this machine: one that notes when it is told what, and one that takes its time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::Instant};

/// What the event ids of deciding records begin with.
pub(super) const MARK: &str = "1a7e0000-0000-4000-8000-";
/// Digits of their numbers.
pub(super) const DIGITS: usize = 12;

/// When each alert was received, by the number of its record.
#[derive(Debug, Clone, Default)]
pub(super) struct Received {
    at: Arc<Mutex<BTreeMap<usize, Instant>>>,
    more: Arc<Notify>,
}

impl Received {
    fn note(&self, body: &str) {
        let now = Instant::now();
        let number = body.split(MARK).nth(1).and_then(|rest| rest.get(..DIGITS)).and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            self.at.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(now);
            self.more.notify_one();
        }
    }

    /// All so far.
    pub(super) fn all(&self) -> BTreeMap<usize, Instant> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many are there.
    pub(super) async fn complete(&self, count: usize) {
        while self.all().len() < count {
            self.more.notified().await;
        }
    }
}

/// Starts the webhook that notes.
pub(super) async fn quick(received: &Received, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<String> {
    let note = |State(received): State<Received>, body: Bytes| async move {
        received.note(&String::from_utf8_lossy(&body));
    };
    serve(Router::new().route("/", post(note)).with_state(received.clone()), tasks).await
}

/// Starts a webhook that answers late.
pub(super) async fn slow(delay: Duration, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<String> {
    serve(Router::new().route("/", post(move || tokio::time::sleep(delay))), tasks).await
}

async fn serve(router: Router, tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tasks.spawn(async move { axum::serve(listener, router).await.map_err(anyhow::Error::from) });
    Ok(url)
}
