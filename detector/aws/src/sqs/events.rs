//! Messages that hold events, as EventBridge puts them into a queue, directly or through SNS.

use async_trait::async_trait;
use bedrock_watch_service::source::{Intake, Kept, Records};

use super::{Judge, Verdict, unwrapped};

/// More than this a message's records cannot come to, in bytes: SQS's limit is 1 MiB, and they may be compressed.
const RECORDS_BYTES_MAX: usize = 16 << 20;

/// Hands over the events of messages.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) intake: Intake,
}

#[async_trait]
impl Judge for Events {
    async fn judge(&self, body: &str) -> Verdict {
        let Ok(records) = Records::of_body(unwrapped(body).as_bytes(), RECORDS_BYTES_MAX) else {
            return Verdict::Unusable(format!("it holds more than {RECORDS_BYTES_MAX} bytes"));
        };
        let reason = records.rejected.first().cloned();
        // A queue's records cannot be read again once they are deleted, so the journal keeps them.
        let Ok(outcome) = self.intake.ask(records, Kept::Journal).await else { return Verdict::Closing };
        match outcome.await {
            Err(_) => Verdict::Closing,
            Ok(outcome) if outcome.rejected == 0 => Verdict::Stored,
            Ok(outcome) => {
                Verdict::Unusable(reason.unwrap_or_else(|| {
                    format!("{} of its records are no event, or lie in the future", outcome.rejected)
                }))
            }
        }
    }
}
