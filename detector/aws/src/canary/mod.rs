//! The canary: an event of our own, put on the bus now and then, that must come back through the stream.
//!
//! What it finds out goes to the engine as an observation, so that the alert `detector-blind` has the identity, life and
//! routing of every other. Deliberately nothing is concluded from a canary that could not be sent: that is said in
//! `/readyz` and the log.

pub mod coverage;
mod observe;
mod watch;
pub(crate) mod way;

use std::time::Duration;

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use bedrock_watch_engine::{DetectorObservation, DetectorState};
use bedrock_watch_service::{
    canary::{Canary, DETAIL_TYPE, SOURCE},
    cloud::Beside,
    config::aws::CanaryConfig,
};
use jiff::Timestamp;
use serde_json::json;

pub(crate) use observe::{caller_account, tell};
use watch::{Noticed, Watch};

use crate::{
    Aws,
    doctor::{
        facts::{Asked, NotAsked, Why},
        refused,
    },
};

/// The name under which the canary appears in `/readyz`.
const STATUS: &str = "canary";
/// The part of the protection that it stands for, in observations.
const PART: &str = "canary";

/// A new canary, sent now by `worker`.
#[must_use]
pub fn hatch(worker: &str) -> Canary {
    let id = format!("{:032x}", fastrand::u128(..));
    Canary { id, sent_at: Timestamp::now().to_string(), worker: worker.to_owned() }
}

/// Puts a canary on the bus.
///
/// # Errors
/// When the bus does not take it.
pub async fn put(aws: &Aws, bus: &str, canary: &Canary) -> Asked<()> {
    const ACTION: &str = "events:PutEvents";
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(SOURCE)
        .detail_type(DETAIL_TYPE)
        .detail(json!(canary).to_string())
        .build();
    let sent = Client::new(aws.own()).put_events().entries(entry).send().await;
    let sent = sent.map_err(|error| refused(ACTION, &error))?;
    match sent.entries().iter().find_map(|entry| Some((entry.error_code()?, entry.error_message()))) {
        Some((code, message)) => Err(NotAsked {
            action: ACTION.to_owned(),
            why: Why::Failed,
            message: format!("{code}: {}", message.unwrap_or_default()),
        }),
        None => Ok(()),
    }
}

/// Sends a canary every so often until the daemon ends.
pub(crate) async fn run(aws: Aws, config: CanaryConfig, beside: Beside) {
    let worker = format!("{:08x}", fastrand::u32(..));
    let mut watch = Watch::default();
    let every = Duration::from_secs(config.interval_s);
    let stop = beside.stop.clone();
    let rounds = async {
        loop {
            let began = tokio::time::Instant::now();
            if let Some(noticed) = round(&aws, &config, &beside, &worker, &mut watch).await {
                say(&aws, &config, &beside, noticed).await;
            }
            tokio::time::sleep_until(began + every).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}

/// One canary, from hatching to its return or until it is given up.
async fn round(aws: &Aws, config: &CanaryConfig, beside: &Beside, worker: &str, watch: &mut Watch) -> Option<Noticed> {
    let canary = hatch(worker);
    let back = beside.canaries.expect(&canary.id);
    match put(aws, &config.bus, &canary).await {
        Ok(()) => beside.canaries.note_sent(),
        // A bus that is gone carries nobody's events.
        Err(error) if error.why == Why::NotFound => return watch.note(false),
        Err(error) => {
            tracing::warn!(%error, bus = config.bus, "the canary could not be sent");
            beside.status.set(STATUS, &format!("the canary could not be sent: {error}"));
            return None;
        }
    }
    let within = Duration::from_secs(config.within_s);
    let is_back = tokio::time::timeout(within, back).await.is_ok_and(|back| back.is_ok());
    if is_back {
        beside.status.clear(STATUS);
    } else {
        tracing::warn!(canary = canary.id, within_s = config.within_s, "the canary did not come back in time");
    }
    watch.note(is_back)
}

async fn say(aws: &Aws, config: &CanaryConfig, beside: &Beside, noticed: Noticed) {
    let reason = match noticed {
        Noticed::Blind { missed } => {
            let reason = format!("{missed} canaries in a row did not come back within {} s", config.within_s);
            tracing::error!(bus = config.bus, "blind: {reason}");
            beside.status.set(STATUS, &reason);
            reason
        }
        Noticed::Seeing => {
            tracing::info!(bus = config.bus, "the canary came back");
            String::new()
        }
    };
    let missed = match noticed {
        Noticed::Blind { missed } => Some(missed),
        Noticed::Seeing => None,
    };
    let mut facts = serde_json::Map::new();
    facts.insert("bus".to_owned(), json!(config.bus));
    facts.insert("within_s".to_owned(), json!(config.within_s));
    facts.insert("missed".to_owned(), json!(missed));
    let observation = DetectorObservation {
        id: format!("canary-{:032x}", fastrand::u128(..)),
        at: observe::now(),
        account: caller_account(aws).await,
        region: aws.region().to_owned(),
        state: DetectorState::DetectorBlind,
        part: PART.to_owned(),
        over: noticed == Noticed::Seeing,
        reason,
        facts,
    };
    tell(&beside.intake.named("canary"), &[observation]).await;
}
