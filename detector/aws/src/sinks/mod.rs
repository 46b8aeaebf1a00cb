//! Sinks that are services of AWS: EventBridge, SNS, Security Hub.
//!
//! As every sink they keep no queue and try nothing twice; the service's worker does. So the SDK's own retries are off.

mod detail;
mod eventbridge;
mod fault;
mod finding;
mod message;
mod security_hub;
mod sns;

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use bedrock_watch_engine::alert::{Alert, ChangeKind};
use bedrock_watch_service::{
    config::aws::AwsSink,
    sink::{Sink, Telling},
    store::Claim,
};
use jiff::Timestamp;

use crate::clients::{Aws, Place};

/// Makes the sink called `name`; one call takes at most `timeout`.
pub(crate) fn make(aws: &Aws, name: &str, kind: &AwsSink, timeout: Duration) -> Arc<dyn Sink> {
    let way = |region: Option<&str>| Way { aws: aws.clone(), region: region.map(str::to_owned), timeout };
    match kind {
        AwsSink::EventBridge { bus, source } => {
            Arc::new(eventbridge::EventBridge::new(name, way(region_of(bus)), bus, source))
        }
        AwsSink::Sns { topic_arn } => Arc::new(sns::Sns::new(name, way(region_of(topic_arn)), topic_arn)),
        AwsSink::SecurityHub { region } => {
            Arc::new(security_hub::SecurityHub::new(name, way(region.as_deref()), timeout))
        }
    }
}

/// The way to one service.
#[derive(Debug, Clone)]
struct Way {
    aws: Aws,
    /// `None` is the daemon's own.
    region: Option<String>,
    timeout: Duration,
}

impl Way {
    /// A configuration that tries once, and gives up in time.
    async fn sdk(&self) -> SdkConfig {
        let region = self.region.clone().unwrap_or_else(|| self.aws.region().to_owned());
        let sdk = self.aws.at(&Place { account: None, region }).await;
        let timeouts = TimeoutConfig::builder().operation_timeout(self.timeout).connect_timeout(self.timeout).build();
        sdk.to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build()
    }
}

/// The region in an ARN; a mere name has none.
fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

/// One state of an alert to tell.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    kind: ChangeKind,
    alert: &'a Alert,
    /// When it became so.
    at: Timestamp,
    /// Its number; `None` for a mere reminder, which has none.
    revision: Option<u32>,
    /// The incident it is in, by its id.
    incident: Option<&'a str>,
}

/// What is to be said of a claim: each revision that is pending, or that the alert still fires.
fn said<'a>(claim: &'a Claim, telling: &'a Telling) -> Vec<Said<'a>> {
    let incident = telling.incident_id();
    if claim.pending.is_empty() {
        let alert = claim.alert.alert.as_ref();
        return vec![Said { kind: ChangeKind::Updated, alert, at: telling.now, revision: None, incident }];
    }
    let said = claim.pending.iter().map(|one| Said {
        kind: one.kind,
        alert: one.alert.as_ref(),
        at: one.at,
        revision: Some(one.revision),
        incident,
    });
    said.collect()
}
