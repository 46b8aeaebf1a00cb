//! Security Hub: one finding for each alert, updated as it changes, archived when it is over.
//!
//! Telling it twice does no harm: a finding is known by its id, the alert's.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use bedrock_watch_engine::alert::Status;
use bedrock_watch_service::{
    format::asff::product_arn,
    sink::{Sink, SinkError, Telling, Told},
    store::Claim,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    Way,
    fault::fault,
    finding::{self, Hub},
};
use crate::{
    failure::Failure,
    signed::{Call, Signed},
};

/// What the role needs.
const NEEDS: &str =
    "securityhub:BatchImportFindings and securityhub:BatchUpdateFindings, and Security Hub must be enabled";

/// Imports findings.
#[derive(Debug)]
pub(super) struct SecurityHub {
    name: String,
    way: Way,
    timeout: Duration,
    ready: OnceCell<Ready>,
}

/// What is found out once.
#[derive(Debug)]
struct Ready {
    sdk: SdkConfig,
    hub: Hub,
    client: Signed,
}

impl SecurityHub {
    pub(super) fn new(name: &str, way: Way, timeout: Duration) -> Self {
        Self { name: name.to_owned(), way, timeout, ready: OnceCell::new() }
    }

    /// Whose credentials these are: findings carry the account that imports them.
    async fn ready(&self) -> Result<&Ready, Failure> {
        let make = async || {
            let sdk = self.way.sdk().await;
            let identity = aws_sdk_sts::Client::new(&sdk).get_caller_identity().send().await;
            let identity = identity.map_err(|error| Failure::of(&error))?;
            let hub = Hub {
                partition: identity.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned(),
                account: identity.account().unwrap_or_default().to_owned(),
                region: sdk.region().map_or_else(String::new, ToString::to_string),
            };
            Ok(Ready { sdk, hub, client: Signed::new("securityhub", self.timeout)? })
        };
        self.ready.get_or_try_init(make).await
    }

    async fn import(&self, ready: &Ready, finding: &Value) -> Result<(), SinkError> {
        let body = json!({ "Findings": [finding] });
        let answer = ready.client.send(&ready.sdk, &Call::rest(Method::POST, "/findings/import"), &body).await;
        let answer = answer.map_err(|failure| fault(&failure, "Security Hub", NEEDS))?;
        if answer.get("FailedCount").and_then(Value::as_u64) == Some(0) {
            return Ok(());
        }
        let said = |name: &str| answer.pointer(&format!("/FailedFindings/0/{name}")).and_then(Value::as_str);
        let (code, message) = (said("ErrorCode").unwrap_or_default(), said("ErrorMessage").unwrap_or_default());
        if code.is_empty() {
            return Err(SinkError::sink("Security Hub: the answer does not say what was imported", true));
        }
        Err(fault(&Failure::answered(400, code, message), "Security Hub", NEEDS))
    }

    /// After its creation Security Hub lets an import change everything of a finding but where work on it stands.
    async fn close(&self, ready: &Ready, id: &str, status: Status) {
        let hub = &ready.hub;
        let product = product_arn(&hub.partition, &hub.region, &hub.account);
        let body = json!({
            "FindingIdentifiers": [{ "Id": id, "ProductArn": product }],
            "Workflow": { "Status": if status == Status::Withdrawn { "SUPPRESSED" } else { "RESOLVED" } },
        });
        if let Err(failure) =
            ready.client.send(&ready.sdk, &Call::rest(Method::PATCH, "/findings/batchupdate"), &body).await
        {
            // It is archived, which is what counts.
            tracing::warn!(sink = self.name, alert = id, %failure, "the finding's workflow status was not set");
        }
    }
}

/// When this state was written: later than what was imported before, or Security Hub would ignore it.
fn updated(claim: &Claim, now: Timestamp) -> Timestamp {
    let changed = if claim.pending.is_empty() { now } else { claim.alert.changed_at };
    let before = claim.memo.as_deref().and_then(|memo| memo.parse::<Timestamp>().ok());
    let after = before.and_then(|before| before.checked_add(SignedDuration::from_millis(1)).ok());
    after.map_or(changed, |after| after.max(changed))
}

#[async_trait]
impl Sink for SecurityHub {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "security_hub"
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let [claim] = telling.claims.as_slice() else {
            return Err(SinkError::permanent("Security Hub is told of one alert at a time"));
        };
        if claim.is_moot() {
            return Ok(Told::default());
        }
        let ready = self.ready().await.map_err(|failure| fault(&failure, "Security Hub", NEEDS))?;
        let alert = claim.alert.alert.as_ref();
        let updated = updated(claim, telling.now);
        self.import(ready, &finding::of(alert, &ready.hub, updated)).await?;
        let mut requests = 1;
        if claim.is_over() {
            self.close(ready, &alert.id, alert.status).await;
            requests = 2;
        }
        Ok(Told { through: None, memo: Some(updated.to_string()), requests, reference: Some(alert.id.clone()) })
    }
}
