//! A limit on how often the same line of the log is written.
//!
//! The same is what one place in the code says, whatever its fields: a store that is away or a stream full of rubbish
//! would otherwise bury everything else. Some go through at once and then so many a minute; what was left out is counted,
//! named every minute and in the metric `bedrock_watch.log.suppressed`. Deliberately no limit for debug and trace, which
//! somebody asked for, and none on how many different lines there are: that is as many as the code has.

use std::{
    collections::HashMap,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bedrock_watch_service::telemetry::LOG_SUPPRESSED;
use tracing::{
    Event, Level, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// How often what was left out is named.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What is known of one place in the code.
#[derive(Debug)]
struct Line {
    /// What may still go through at once.
    left: f64,
    since: Instant,
    suppressed: u64,
    /// What it says, once something was left out.
    message: String,
}

/// The limit. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Repeats {
    per_minute: u32,
    lines: Arc<Mutex<HashMap<Identifier, Line>>>,
}

impl Repeats {
    /// So many of the same go through a minute, and as many at once.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, lines: Arc::default() }
    }

    /// Whether a line goes through; if not, it is counted. `message` is asked once for each place.
    fn lets_through(&self, place: Identifier, now: Instant, message: impl FnOnce() -> String) -> bool {
        if self.per_minute == 0 {
            return true;
        }
        let most = f64::from(self.per_minute);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Line { left: most, since: now, suppressed: 0, message: String::new() };
        let line = lines.entry(place).or_insert_with(fresh);
        let minutes = now.saturating_duration_since(line.since).as_secs_f64() / 60.0;
        (line.left, line.since) = ((line.left + minutes * most).min(most), now);
        if line.left >= 1.0 {
            line.left -= 1.0;
            return true;
        }
        line.suppressed = line.suppressed.saturating_add(1);
        if line.message.is_empty() {
            line.message = message();
        }
        LOG_SUPPRESSED.add(1);
        false
    }

    /// What was left out since it was asked last: what the lines say, and how many.
    fn take_suppressed(&self) -> Vec<(String, u64)> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut suppressed: Vec<(String, u64)> = lines
            .values_mut()
            .filter(|line| line.suppressed > 0)
            .map(|line| (line.message.clone(), std::mem::take(&mut line.suppressed)))
            .collect();
        suppressed.sort_unstable();
        suppressed
    }

    /// Names what was left out.
    pub(crate) fn tell(&self) {
        for (line, times) in self.take_suppressed() {
            tracing::warn!(line, times, "the same was said too often; these lines were left out");
        }
    }

    /// Names what was left out, every so often.
    pub(crate) async fn tell_every_minute(self) {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            self.tell();
        }
    }
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let is_limited = *event.metadata().level() <= Level::INFO;
        !is_limited || self.lets_through(event.metadata().callsite(), Instant::now(), || message_of(event))
    }
}

/// What an event says, without its fields.
fn message_of(event: &Event<'_>) -> String {
    struct Message(String);
    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                // Writing to a string cannot fail.
                write!(self.0, "{value:?}").unwrap_or_default();
            }
        }
    }
    let mut message = Message(String::new());
    event.record(&mut message);
    message.0
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tracing_subscriber::{Registry, fmt, fmt::MakeWriter, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written of what `say` says.
    fn written(per_minute: u32, say: impl FnOnce(&Repeats)) -> String {
        let (lines, repeats) = (Lines::default(), Repeats::new(per_minute));
        let form = fmt::layer().with_writer(lines.clone()).with_ansi(false);
        let subscriber = Registry::default().with(repeats.clone()).with(form);
        tracing::subscriber::with_default(subscriber, || say(&repeats));
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_same_line_has_a_limit_and_others_have_their_own() {
        let text = written(3, |repeats| {
            for number in 0..10 {
                tracing::warn!(number, "again and again");
                tracing::debug!(number, "asked for");
            }
            tracing::warn!("once");
            repeats.tell();
            repeats.tell();
        });
        let count = |what: &str| text.matches(what).count();
        assert_eq!((count("again and again number"), count("asked for"), count("once")), (3, 10, 1), "{text}");
        assert!(count("line=\"again and again\" times=7") == 1 && count("left out") == 1, "{text}");
        let text = written(0, |_| (0..10).for_each(|number| tracing::warn!(number, "no limit")));
        assert_eq!(text.matches("no limit").count(), 10);
    }

    #[test]
    fn time_lets_lines_through_again() {
        let repeats = Repeats::new(60);
        let mut place = None;
        written(0, |_| place = Some(callsite()));
        let (place, begin) = (place.unwrap(), Instant::now());
        let through = |seconds: u64, tries: usize| {
            let now = begin + Duration::from_secs(seconds);
            (0..tries).filter(|_| repeats.lets_through(place.clone(), now, || "x".to_owned())).count()
        };
        assert_eq!(through(0, 100), 60);
        assert_eq!(through(5, 100), 5);
        assert_eq!(through(3_600, 100), 60);
        assert_eq!(repeats.take_suppressed(), [("x".to_owned(), 175)]);
        assert_eq!(repeats.take_suppressed(), []);
    }

    fn callsite() -> Identifier {
        let span = tracing::error_span!("place");
        span.metadata().unwrap().callsite()
    }
}
