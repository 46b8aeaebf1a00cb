//! How far a replay has come, on standard error, only where somebody watches.

use bedrock_watch_service::replay::Summary;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal;

/// Looking at the clock for every record would cost more than judging most of them.
const RECORDS_BETWEEN: u64 = 4_096;

/// A line that is drawn again and again.
pub(crate) struct Progress {
    bar: ProgressBar,
    alerts: u64,
    /// How far reading from elsewhere has come.
    reached: Option<Box<dyn Fn() -> String>>,
}

impl Progress {
    /// Begins to draw, if standard error is a terminal.
    pub(crate) fn start(reached: Option<Box<dyn Fn() -> String>>) -> Self {
        let target =
            if terminal::stderr_is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{spinner} {elapsed} {human_pos} records, {per_sec}, {msg}");
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { bar, alerts: 0, reached }
    }

    /// An alert changed.
    pub(crate) const fn alert(&mut self) {
        self.alerts = self.alerts.saturating_add(1);
    }

    /// Another record was judged.
    pub(crate) fn advance(&self, summary: &Summary) {
        if summary.records.is_multiple_of(RECORDS_BETWEEN) {
            self.bar.set_position(summary.records);
            let reached = self.reached.as_ref().map_or_else(String::new, |reached| format!("{}, ", reached()));
            let now = summary.now.to_rfc3339();
            self.bar.set_message(format!("{reached}at {now}, {} changes of alerts", self.alerts));
        }
    }

    /// Does something that writes to the same terminal.
    pub(crate) fn aside<T>(&self, action: impl FnOnce() -> T) -> T {
        self.bar.suspend(action)
    }

    /// Wipes the line.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
