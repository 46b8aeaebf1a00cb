//! One attempt to tell a sink something, and what follows from its outcome.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Confirmations, Fault, Notebook, Scope, Sink, SinkError, Telling, Told, ToldEach,
    counters::Counters,
    health::{Health, Seen},
    pace::Backoff,
    traces::{self, Tell, kind},
    worker::{CLAIMS_MAX, Now, SETTLE_MARGIN, later},
};
use crate::{
    incident::Gatherer,
    routing::ActiveSilences,
    store::{Claim, Sent, Settlement, Store, StoredAlert},
    telemetry::Telemetry,
};

/// After a failure of the sink as a whole, the delivery that met it waits so much longer than the sink itself, so that
/// the next one to be tried is another one.
const ASIDE: Duration = Duration::from_secs(1);
/// How often settling is tried while the store fails; then the claim expires and the delivery is made again.
const SETTLE_TRIES_MAX: u32 = 5;
/// Pause between two tries to settle.
const SETTLE_AGAIN: Duration = Duration::from_millis(500);

/// Everything an attempt needs, so that it can run beside the worker.
pub(super) struct Attempt {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) store: Arc<dyn Store>,
    pub(super) confirmations: Option<Confirmations>,
    pub(super) incidents: Option<Gatherer>,
    pub(super) silences: ActiveSilences,
    pub(super) health: Arc<Health>,
    pub(super) counters: Arc<Counters>,
    pub(super) telemetry: Telemetry,
    pub(super) backoff: Backoff,
    pub(super) limit: Duration,
    pub(super) now: Now,
    pub(super) began: Timestamp,
    pub(super) seen: Seen,
    pub(super) cut: CancellationToken,
}

/// What an attempt cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// Requests that were counted before it began.
    pub(super) reserved: u32,
    /// Requests that were made.
    pub(super) requests: u32,
}

/// How deliveries went, on the way to the store.
type Outcomes = mpsc::Sender<(Claim, Settlement)>;

impl Attempt {
    /// Tells all of it, one after the other, and settles beside it: while the store keeps how some deliveries went, the
    /// next are told, and then settled in one commit.
    pub(super) async fn run(self, tellings: Vec<Telling>, reserved: u32) -> Done {
        let (outcomes, told) = mpsc::channel(CLAIMS_MAX);
        let (requests, ()) = tokio::join!(self.tell_all(tellings, outcomes), self.settle_all(told));
        Done { reserved, requests }
    }

    async fn tell_all(&self, tellings: Vec<Telling>, outcomes: Outcomes) -> u32 {
        let mut requests = 0_u32;
        for telling in self.with_incidents(self.confirmed(tellings).await).await {
            let left_alone = self.health.paused_until().is_some_and(|until| until > Instant::now());
            if self.cut.is_cancelled() || left_alone {
                pass_on(&outcomes, &telling, |_| Settlement::Released).await;
                continue;
            }
            let Some(telling) = self.wanted(telling, &outcomes).await else { continue };
            let telling = traces::begun(&self.telemetry, telling);
            let within = traces::log_span(self.sink.name(), &telling);
            requests = requests.saturating_add(self.tell(&telling, &outcomes).instrument(within).await);
        }
        requests
    }

    async fn settle_all(&self, mut outcomes: mpsc::Receiver<(Claim, Settlement)>) {
        let mut waiting = Vec::new();
        while outcomes.recv_many(&mut waiting, CLAIMS_MAX).await > 0 {
            join_all(waiting.iter().map(|(claim, settlement)| self.settle(claim, settlement))).await;
            waiting.clear();
        }
    }

    /// Adds to each telling of one alert the incident that it is in, as it stands now; all are found at once, because many
    /// alerts that are told together are in one incident. If the store does not say, they are told without.
    async fn with_incidents(&self, mut tellings: Vec<Telling>) -> Vec<Telling> {
        let Some(gatherer) = &self.incidents else { return tellings };
        let single = |telling: &Telling| match telling.claims.as_slice() {
            [claim] => Some(claim.alert.clone()),
            _ => None,
        };
        let alerts: Vec<StoredAlert> = tellings.iter().filter_map(single).collect();
        if alerts.is_empty() {
            return tellings;
        }
        let incidents: Vec<_> = match gatherer.of_alerts(alerts).await {
            Ok(incidents) => incidents.into_iter().map(Arc::new).collect(),
            Err(error) => {
                tracing::warn!(sink = self.sink.name(), %error, "the store does not say which incidents alerts are in");
                Vec::new()
            }
        };
        let lasts = self.limit.saturating_add(SETTLE_MARGIN);
        for telling in &mut tellings {
            let Some(alert) = single(telling) else { continue };
            telling.incident = incidents.iter().find(|incident| incident.has(&alert.alert.id)).cloned();
            let notebook = Notebook::new(Arc::clone(&self.store), self.sink.name(), Arc::clone(&self.now), lasts);
            telling.notebook = Some(notebook);
        }
        tellings
    }

    /// What is left of a telling without what is unwanted.
    async fn wanted(&self, telling: Telling, outcomes: &Outcomes) -> Option<Telling> {
        let (unwanted, claims): (Vec<_>, Vec<_>) =
            telling.claims.into_iter().partition(|claim| self.is_unwanted(claim));
        for claim in unwanted {
            // The next reminder is due as if this one had been told.
            let settlement = Settlement::Delivered { through: claim.delivered, memo: None, sent: None };
            outcomes.send((claim, settlement)).await.unwrap_or_default();
        }
        (!claims.is_empty()).then_some(Telling { claims, ..telling })
    }

    /// Whether it is a mere reminder of what somebody has silenced since.
    fn is_unwanted(&self, claim: &Claim) -> bool {
        claim.reminder && claim.pending.is_empty() && self.silences.cover(&claim.alert.alert, (self.now)())
    }

    /// Has what is to be told for the first time confirmed, all at once. What turns out to be otherwise is given back,
    /// to be claimed again as it is then.
    async fn confirmed(&self, tellings: Vec<Telling>) -> Vec<Telling> {
        let Some(confirmations) = &self.confirmations else { return tellings };
        let doubtful: Vec<&Claim> = tellings
            .iter()
            .flat_map(|telling| &telling.claims)
            .filter(|claim| Confirmations::concerns(claim))
            .collect();
        if doubtful.is_empty() {
            return tellings;
        }
        let answers = join_all(doubtful.into_iter().map(|claim| confirmations.wait(&claim.alert.alert)));
        tokio::select! {
            _ = answers => {}
            () = self.cut.cancelled() => return tellings,
        }
        let mut confirmed = Vec::new();
        for mut telling in tellings {
            let mut claims = Vec::new();
            for claim in telling.claims {
                if Confirmations::concerns(&claim) && self.has_changed(&claim).await {
                    self.release(&claim).await;
                } else {
                    claims.push(claim);
                }
            }
            telling.claims = claims;
            if !telling.claims.is_empty() {
                confirmed.push(telling);
            }
        }
        confirmed
    }

    /// Whether an alert is no longer as it was claimed. If the store does not say, it counts as unchanged.
    async fn has_changed(&self, claim: &Claim) -> bool {
        match self.store.alert(&claim.alert.alert.id).await {
            Ok(Some(now)) => now.revision != claim.alert.revision,
            Ok(None) | Err(_) => false,
        }
    }

    async fn tell(&self, telling: &Telling, outcomes: &Outcomes) -> u32 {
        if self.sink.alerts_per_telling() > 1 {
            return self.tell_each(telling, outcomes).await;
        }
        let told = Tell::begin(&self.telemetry, &*self.sink, telling);
        let Some(outcome) = self.in_time(self.sink.tell(telling)).await else {
            return self.cut_off(&told, telling, outcomes).await;
        };
        match outcome.flatten() {
            Ok(progress) => {
                told.worked();
                self.health.worked();
                self.delivered(telling, &progress, outcomes).await;
                progress.requests
            }
            Err(error) => {
                told.failed(if told.took(self.limit) { "timeout" } else { kind(&error) }, &error.message);
                self.failed(telling, &error, outcomes).await
            }
        }
    }

    /// Tells alerts that have nothing to do with each other, and settles each by how it went itself.
    async fn tell_each(&self, telling: &Telling, outcomes: &Outcomes) -> u32 {
        let told = Tell::begin(&self.telemetry, &*self.sink, telling);
        let Some(each) = self.in_time(self.sink.tell_each(telling)).await else {
            return self.cut_off(&told, telling, outcomes).await;
        };
        let ToldEach { requests, outcomes: went } = match each {
            Ok(each) => each,
            Err(error) => {
                told.failed("timeout", &error.message);
                return self.failed(telling, &error, outcomes).await;
            }
        };
        told.went(&went);
        self.counters.told(0, requests);
        let unsaid = std::iter::repeat_with(|| Err(SinkError::sink("the sink does not say how it went", true)));
        let went = telling.claims.iter().zip(went.into_iter().chain(unsaid));
        let (worked, failed): (Vec<_>, Vec<_>) = went.partition(|(_, outcome)| outcome.is_ok());
        // What failed comes last, so that a fault of the sink as a whole is the last word about its health.
        for (claim, outcome) in worked.into_iter().chain(failed) {
            let telling = telling.of(claim);
            match outcome {
                Ok(progress) => {
                    self.health.worked();
                    self.delivered(&telling, &Told { requests: 0, ..progress }, outcomes).await;
                }
                Err(error) => {
                    self.failed(&telling, &error, outcomes).await;
                }
            }
        }
        requests
    }

    /// What the sink answers within the time it has; `None` when a shutdown cut it off.
    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Option<Result<T, SinkError>> {
        tokio::select! {
            answer = tokio::time::timeout(self.limit, answer) => {
                Some(answer.map_err(|_| SinkError::sink("it took too long", true)))
            }
            () = self.cut.cancelled() => None,
        }
    }

    async fn cut_off(&self, told: &Tell<'_>, telling: &Telling, outcomes: &Outcomes) -> u32 {
        told.failed("cut_off", "cut off by a shutdown");
        let error = || "cut off by a shutdown".to_owned();
        let again = |_: &Claim| Settlement::Retry { at: (self.now)(), error: error(), unsettled: true };
        pass_on(outcomes, telling, again).await;
        1
    }

    async fn delivered(&self, telling: &Telling, told: &Told, outcomes: &Outcomes) {
        self.counters.told(telling.claims.len(), told.requests);
        let delivered = |claim: &Claim| {
            let through = told.through.unwrap_or(claim.alert.revision);
            let is_sent = told.requests > 0 || told.reference.is_some();
            let sent = is_sent.then(|| Sent { reference: told.reference.clone() });
            Settlement::Delivered { through, memo: told.memo.clone(), sent }
        };
        pass_on(outcomes, telling, delivered).await;
        let waited = telling.claims.first().and_then(|claim| claim.pending.first()).map(|first| first.at);
        let waited = waited.map(|at| self.began.duration_since(at).as_millis());
        tracing::debug!(sink = self.sink.name(), alerts = telling.claims.len(), ?waited, "told");
    }

    async fn failed(&self, telling: &Telling, error: &SinkError, outcomes: &Outcomes) -> u32 {
        let throttled = matches!(error.fault, Fault::Temporary { retry_after: Some(_), .. });
        self.counters.failed(throttled);
        let resume = match error.fault {
            Fault::Temporary { scope: Scope::Sink, retry_after, .. } => {
                Some(self.health.failed(self.seen, retry_after, &error.message))
            }
            Fault::Temporary { scope: Scope::Alert, .. } | Fault::Permanent => {
                self.health.answered();
                None
            }
        };
        if let Some(progress) = &error.progress {
            self.delivered(telling, progress, outcomes).await;
            return progress.requests.saturating_add(1);
        }
        let failed = |claim: &Claim| {
            let settlement = self.settlement(claim, error, resume);
            if let Settlement::Dead { error } = &settlement {
                let (sink, alert) = (self.sink.name(), &claim.alert.alert.id);
                tracing::error!(sink, alert, error, "an alert could not be told and was given up");
                self.counters.dead();
                self.health.gave_up(error);
            }
            settlement
        };
        pass_on(outcomes, telling, failed).await;
        1
    }

    fn settlement(&self, claim: &Claim, error: &SinkError, resume: Option<Instant>) -> Settlement {
        let message = error.message.clone();
        let failures = claim.attempts.saturating_add(1);
        let Fault::Temporary { retry_after, may_have_arrived, .. } = error.fault else {
            return Settlement::Dead { error: message };
        };
        if self.backoff.is_exhausted(failures) {
            return Settlement::Dead { error: format!("tried {failures} times; at last: {message}") };
        }
        let own = self.backoff.pause(failures, retry_after);
        let aside = resume.map(|at| at.saturating_duration_since(Instant::now()).saturating_add(ASIDE));
        let at = later((self.now)(), own.max(aside.unwrap_or_default()));
        // Once something may have arrived, that stays so until it surely has.
        Settlement::Retry { at, error: message, unsettled: may_have_arrived || claim.unsettled }
    }

    /// Gives a delivery back untried.
    pub(super) async fn release(&self, claim: &Claim) {
        self.settle(claim, &Settlement::Released).await;
    }

    async fn settle(&self, claim: &Claim, settlement: &Settlement) {
        for attempt in 1..=SETTLE_TRIES_MAX {
            let meters = &self.telemetry.meters;
            match meters.store(&meters.store_settle, self.store.settle(claim, settlement, (self.now)())).await {
                Ok(true) => return,
                Ok(false) => {
                    let (sink, alert) = (self.sink.name(), &claim.alert.alert.id);
                    tracing::warn!(sink, alert, "another worker had taken over a delivery before it was settled");
                    self.counters.fenced();
                    return;
                }
                Err(error) => {
                    let (sink, alert) = (self.sink.name(), &claim.alert.alert.id);
                    tracing::warn!(sink, alert, %error, attempt, "the store does not take how a delivery went");
                    tokio::time::sleep(SETTLE_AGAIN.saturating_mul(attempt)).await;
                }
            }
        }
    }
}

/// Passes on how the deliveries of a telling went.
async fn pass_on(outcomes: &Outcomes, telling: &Telling, how: impl Fn(&Claim) -> Settlement) {
    for claim in &telling.claims {
        // It is received for as long as there is anything to send.
        outcomes.send((claim.clone(), how(claim))).await.unwrap_or_default();
    }
}
