//! Alerts on standard output.

use std::io::Write;

use bedrock_watch_engine::alert::AlertChange;

use super::{Sink, SinkError};
use crate::format::{Colour, Format};

/// Writes each change to a stream and flushes it.
pub struct Stdout {
    stream: Box<dyn Write + Send>,
    format: Format,
    colour: Colour,
}

impl std::fmt::Debug for Stdout {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stdout").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Stdout {
    /// A sink that writes to `stream`.
    #[must_use]
    pub fn new(stream: Box<dyn Write + Send>, format: Format, colour: Colour) -> Self {
        Self { stream, format, colour }
    }
}

impl Sink for Stdout {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    // Writing blocks this task's thread while the reader is slow; the runtime has others, and the order of alerts is
    // kept without another queue.
    async fn deliver(&mut self, change: &AlertChange) -> Result<(), SinkError> {
        self.stream.write_all(self.format.render(change, self.colour).as_bytes())?;
        self.stream.flush()?;
        Ok(())
    }
}
