//! Hands what was noticed about the service's own protection to the engine, as events.

use bedrock_watch_engine::{DetectorObservation, Second};
use bedrock_watch_service::source::{Intake, Kept, Records};
use jiff::Timestamp;
use serde_json::json;

use crate::Aws;

/// The second it is.
pub(super) fn now() -> Second {
    Second::from_unix(Timestamp::now().as_second()).unwrap_or(Second::MIN)
}

/// The own account; empty where AWS does not say.
pub(crate) async fn caller_account(aws: &Aws) -> String {
    let asked = aws_sdk_sts::Client::new(aws.own()).get_caller_identity().send().await;
    asked.ok().and_then(|answer| answer.account().map(str::to_owned)).unwrap_or_default()
}

/// Hands observations over and waits until what they caused is stored. Nothing keeps them but the engine: what still
/// holds after a restart is noticed again.
pub(crate) async fn tell(intake: &Intake, observations: &[DetectorObservation]) {
    let mut records = Records::default();
    for observation in observations {
        records.push(envelope(observation).as_bytes());
    }
    if records.is_empty() {
        return;
    }
    // Refused only while the service is shutting down.
    if let Ok(outcome) = intake.ask(records, Kept::Nowhere).await
        && outcome.await.is_err()
    {
        tracing::debug!("the service ended before an observation was judged");
    }
}

fn envelope(observation: &DetectorObservation) -> String {
    let mut detail = json!(observation);
    if let Some(detail) = detail.as_object_mut() {
        // The envelope says these.
        ["id", "at", "account", "region"].iter().for_each(|name| drop(detail.remove(*name)));
    }
    json!({
        "version": "0",
        "id": observation.id,
        "detail-type": "Detector Observation",
        "source": "bedrock-watch",
        "account": observation.account,
        "time": observation.at.to_rfc3339(),
        "region": observation.region,
        "resources": [],
        "detail": detail,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use bedrock_watch_engine::{Activity, DetectorState, decode::decode};

    use super::*;

    #[test]
    fn the_engine_reads_what_is_told() {
        let observation = DetectorObservation {
            id: "o".to_owned(),
            at: now(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            state: DetectorState::CoverageGap,
            part: "trail".to_owned(),
            over: true,
            reason: "it is there".to_owned(),
            facts: serde_json::Map::new(),
        };
        let text = envelope(&observation);
        match decode(text.as_bytes()).unwrap() {
            Activity::Detector(read) => assert_eq!(*read, observation),
            other => panic!("{other:?}"),
        }
    }
}
