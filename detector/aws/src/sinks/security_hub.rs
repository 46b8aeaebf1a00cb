//! Security Hub: one finding for each alert, updated as it changes, archived when it is over.
//!
//! Many are imported in one call; each is settled by what Security Hub says of it. Telling it twice does no harm: a
//! finding is known by its id, the alert's.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use async_trait::async_trait;
use aws_config::SdkConfig;
use bedrock_watch_engine::alert::Status;
use bedrock_watch_service::{
    format::asff::product_arn,
    sink::{Fault, Sink, SinkError, Telling, Told, ToldEach},
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
    failure::{Failure, Kind},
    signed::{Call, Signed},
};

/// Findings of one call (Security Hub's `BatchImportFindings`); `BatchUpdateFindings` takes as many.
const FINDINGS_MAX: usize = 100;
/// Bytes of the findings of one call (Security Hub quotas: 6 MB), less a margin.
const CALL_BYTES_MAX: usize = 5_500_000;
/// What errors call it.
const WHAT: &str = "Security Hub";
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

    /// Imports findings in one call; says which were refused, by their ids, and why.
    async fn import(&self, ready: &Ready, findings: &[Import<'_>]) -> Result<HashMap<String, SinkError>, SinkError> {
        let body = json!({ "Findings": findings.iter().map(|one| &one.finding).collect::<Vec<_>>() });
        let answer = ready.client.send(&ready.sdk, &Call::rest(Method::POST, "/findings/import"), &body).await;
        let answer = answer.map_err(|failure| fault(&failure, WHAT, NEEDS))?;
        let failed = answer.get("FailedFindings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let refused: HashMap<String, SinkError> = failed.iter().filter_map(refusal).collect();
        let are_known = refused.keys().all(|id| findings.iter().any(|one| one.claim.alert.alert.id == *id));
        let count = answer.get("FailedCount").and_then(Value::as_u64);
        if are_known && count == Some(refused.len() as u64) {
            return Ok(refused);
        }
        Err(SinkError::sink(&format!("{WHAT}: the answer does not say what was imported"), true))
    }

    /// Imports findings in as few calls as it takes; says how each went, by its id, and how many calls there were.
    async fn import_all<'a>(
        &self,
        ready: &Ready,
        findings: &'a [Import<'a>],
    ) -> (HashMap<&'a str, Result<Told, SinkError>>, u32) {
        let (mut went, mut requests) = (HashMap::new(), 0_u32);
        let mut calls = calls(findings, |one| one.bytes);
        while let Some(call) = calls.pop_front() {
            requests = requests.saturating_add(1);
            let imported = self.import(ready, call).await;
            match imported {
                Ok(mut refused) => went.extend(call.iter().map(|one| {
                    let id = one.claim.alert.alert.id.as_str();
                    (id, refused.remove(id).map_or_else(|| Ok(one.told()), Err))
                })),
                // One that is malformed must not take the others with it.
                Err(error) if error.fault == Fault::Permanent && call.len() > 1 => {
                    let (one, other) = call.split_at(call.len() / 2);
                    calls.extend([one, other]);
                }
                Err(error) => {
                    let is_over = error.fault != Fault::Permanent;
                    let rest = if is_over { std::mem::take(&mut calls) } else { VecDeque::new() };
                    let failed = std::iter::once(call).chain(rest).flatten();
                    went.extend(failed.map(|one| (one.claim.alert.alert.id.as_str(), Err(error.clone()))));
                }
            }
        }
        (went, requests)
    }

    /// After its creation Security Hub lets an import change everything of a finding but where work on it stands.
    async fn close(&self, ready: &Ready, ids: &[&str], status: &str) {
        let hub = &ready.hub;
        let product = product_arn(&hub.partition, &hub.region, &hub.account);
        let identifiers: Vec<Value> = ids.iter().map(|id| json!({ "Id": id, "ProductArn": product })).collect();
        let body = json!({ "FindingIdentifiers": identifiers, "Workflow": { "Status": status } });
        let sent = ready.client.send(&ready.sdk, &Call::rest(Method::PATCH, "/findings/batchupdate"), &body).await;
        // They are archived, which is what counts.
        match sent {
            Ok(answer) => {
                let left = answer.get("UnprocessedFindings").and_then(Value::as_array).map_or(0, Vec::len);
                if left > 0 {
                    tracing::warn!(sink = self.name, findings = left, "a finding's workflow status was not set");
                }
            }
            Err(failure) => {
                tracing::warn!(sink = self.name, alerts = ?ids, %failure, "a finding's workflow status was not set");
            }
        }
    }
}

/// A finding on its way.
#[derive(Debug)]
struct Import<'a> {
    claim: &'a Claim,
    updated: Timestamp,
    finding: Value,
    bytes: usize,
}

impl<'a> Import<'a> {
    fn new(claim: &'a Claim, hub: &Hub, now: Timestamp) -> Self {
        let updated = updated(claim, now);
        let finding = finding::of(&claim.alert.alert, hub, updated);
        let bytes = finding.to_string().len();
        Self { claim, updated, finding, bytes }
    }

    /// It was imported.
    fn told(&self) -> Told {
        let (memo, reference) = (Some(self.updated.to_string()), Some(self.claim.alert.alert.id.clone()));
        Told { through: None, memo, requests: 1, reference }
    }
}

/// What the calls hold that take all of these, in order, by how many bytes each has.
fn calls<T>(mut rest: &[T], bytes_of: impl Fn(&T) -> usize) -> VecDeque<&[T]> {
    let mut calls = VecDeque::new();
    while !rest.is_empty() {
        let mut bytes = 0_usize;
        let fits = |one: &&T| {
            bytes = bytes.saturating_add(bytes_of(one));
            bytes <= CALL_BYTES_MAX
        };
        // One that is too long by itself is Security Hub's to refuse.
        let count = rest.iter().take(FINDINGS_MAX).take_while(fits).count().max(1);
        let (call, others) = rest.split_at(count);
        calls.push_back(call);
        rest = others;
    }
    calls
}

/// Why one finding of a call was refused.
fn refusal(failed: &Value) -> Option<(String, SinkError)> {
    let said = |name: &str| failed.get(name).and_then(Value::as_str);
    let mut failure = Failure::answered(400, said("ErrorCode")?, said("ErrorMessage").unwrap_or_default());
    // Security Hub says that it does not have it.
    failure.may_have_happened = false;
    // A fault of this finding is no fault of Security Hub.
    let error = if failure.kind == Kind::Service {
        SinkError::alert(&format!("{WHAT}: {failure}"), false)
    } else {
        fault(&failure, WHAT, NEEDS)
    };
    Some((said("Id")?.to_owned(), error))
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

    fn alerts_per_telling(&self) -> usize {
        FINDINGS_MAX
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        let ToldEach { requests, mut outcomes } = self.tell_each(telling).await;
        match (outcomes.pop(), outcomes.is_empty()) {
            (Some(outcome), true) => outcome.map(|told| Told { requests, ..told }),
            _ => Err(SinkError::permanent("Security Hub is told of several alerts by each")),
        }
    }

    async fn tell_each(&self, telling: &Telling) -> ToldEach {
        let claims: Vec<&Claim> = telling.claims.iter().filter(|claim| !claim.is_moot()).collect();
        if claims.is_empty() {
            return ToldEach { requests: 0, outcomes: vec![Ok(Told::default()); telling.claims.len()] };
        }
        let ready = match self.ready().await {
            Ok(ready) => ready,
            Err(failure) => {
                let error = fault(&failure, WHAT, NEEDS);
                return ToldEach { requests: 1, outcomes: vec![Err(error); telling.claims.len()] };
            }
        };
        let findings: Vec<Import<'_>> =
            claims.into_iter().map(|claim| Import::new(claim, &ready.hub, telling.now)).collect();
        let (mut went, mut requests) = self.import_all(ready, &findings).await;
        for (status, word) in [(Status::Resolved, "RESOLVED"), (Status::Withdrawn, "SUPPRESSED")] {
            let alerts = findings.iter().map(|one| &one.claim.alert.alert).filter(|alert| alert.status == status);
            let ids = alerts.map(|alert| alert.id.as_str()).filter(|id| went.get(id).is_some_and(Result::is_ok));
            let ids: Vec<&str> = ids.collect();
            if !ids.is_empty() {
                self.close(ready, &ids, word).await;
                requests = requests.saturating_add(1);
            }
        }
        // What is missing was moot: nothing had to be said of it.
        let outcome = |claim: &Claim| went.remove(claim.alert.alert.id.as_str()).unwrap_or_else(|| Ok(Told::default()));
        ToldEach { requests, outcomes: telling.claims.iter().map(outcome).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_hold_no_more_than_security_hub_takes() {
        let check = |findings: &[usize], expected: &[usize]| {
            let calls = calls(findings, |bytes| *bytes);
            assert_eq!(calls.iter().map(|call| call.len()).collect::<Vec<_>>(), expected);
            assert_eq!(calls.into_iter().flatten().copied().collect::<Vec<_>>(), findings, "in order");
        };
        check(&[], &[]);
        check(&[1_000; 99], &[99]);
        check(&[1_000; 201], &[100, 100, 1]);
        check(&[240_000; 50], &[22, 22, 6]);
        check(&[1_000, CALL_BYTES_MAX, CALL_BYTES_MAX + 1, 1_000], &[1, 1, 1, 1]);
    }
}
