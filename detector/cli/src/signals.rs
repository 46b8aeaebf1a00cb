//! SIGTERM and Ctrl-C: the first asks for an orderly end, the second for an end at once. SIGHUP: reads rules again.

use std::sync::Arc;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// Cancelled one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    /// By the first signal.
    pub(crate) first: CancellationToken,
    /// By the second.
    pub(crate) second: CancellationToken,
    /// Notified by each SIGHUP.
    pub(crate) reload: Arc<Notify>,
}

impl Signals {
    /// Begins to listen; from now on signals no longer end the process by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let signals = Self::default();
        let mut hangup = signal(SignalKind::hangup())?;
        let reload = Arc::clone(&signals.reload);
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                reload.notify_one();
            }
        });
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let tokens = [signals.first.clone(), signals.second.clone()];
        tokio::spawn(async move {
            for token in tokens {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(signals)
    }
}
