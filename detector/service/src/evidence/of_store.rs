//! What the store's own doings are as evidence: pure, and the same for every store.

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity};
use jiff::Timestamp;

use super::fact::{AlertFact, Answered, Delivered, Fact, GivenUp, Redriven, SilenceEnded, SilenceFact, Turn};
use crate::store::{
    Change, Claim, Resolution, Settlement, Silence,
    life::{Known, Next, Told},
};

/// What a change is that became a revision. Growth alone is no turn of an alert.
#[must_use]
pub fn of_change(known: Option<&Known>, next: &Next, change: &Change, revision: u32) -> Vec<Fact> {
    let alert = &*change.alert;
    let was = known.map(|known| known.severity).filter(|was| *was != alert.severity);
    let begins = (known.is_none(), Turn::Begun);
    let turn = match next.kind {
        ChangeKind::Fired => vec![Turn::Begun],
        // Whatever came before it was part of the same catch-up: it begins and is over.
        ChangeKind::Resolved => with(begins, Turn::Resolved),
        ChangeKind::Withdrawn => with(begins, Turn::Withdrawn),
        ChangeKind::Updated if was.is_some() => vec![Turn::Severity],
        ChangeKind::Updated => Vec::new(),
    };
    let told = next.told == Told::Destinations;
    let fact = |turn| {
        Fact::Alert(AlertFact {
            was: was.map(Severity::as_str).map(str::to_owned),
            sinks: change.destinations.iter().filter(|_| told).map(|to| to.sink.clone()).collect(),
            silence: change.silence.clone(),
            suppressed: change.suppressed.clone(),
            ..about(turn, alert, revision)
        })
    };
    turn.into_iter().map(fact).collect()
}

fn with((first, turn): (bool, Turn), last: Turn) -> Vec<Turn> {
    if first { vec![turn, last] } else { vec![last] }
}

fn about(turn: Turn, alert: &Alert, revision: u32) -> AlertFact {
    let time = |second: u32| Timestamp::from_second(i64::from(second)).unwrap_or(Timestamp::UNIX_EPOCH);
    AlertFact {
        turn,
        alert: alert.id.clone(),
        revision,
        rule: alert.rule.clone(),
        severity: alert.severity.as_str().to_owned(),
        was: None,
        account: alert.account.clone(),
        region: alert.region.clone(),
        principal: alert.principal.clone(),
        subject_kind: alert.subject_kind.as_str().to_owned(),
        subject: alert.subject_id.clone(),
        first_event: time(alert.first_event_time.0),
        last_event: time(alert.last_event_time.0),
        sinks: Vec::new(),
        silence: None,
        suppressed: None,
    }
}

/// A person's resolution.
#[must_use]
pub fn of_resolution(alert: &Alert, revision: u32, by: &Resolution) -> Fact {
    Fact::Answered(Answered {
        alert: alert.id.clone(),
        revision,
        rule: alert.rule.clone(),
        author: by.author.clone(),
        reason: by.reason.clone(),
    })
}

/// A settled delivery, where something was told or given up.
#[must_use]
pub fn of_settlement(claim: &Claim, settlement: &Settlement) -> Option<Fact> {
    let (sink, alert, rule) = (claim.sink.clone(), claim.alert.alert.id.clone(), claim.alert.alert.rule.clone());
    match settlement {
        Settlement::Delivered { through, sent, .. } => sent.as_ref().map(|sent| {
            Fact::Delivered(Delivered {
                sink,
                alert,
                rule,
                revision: *through,
                attempts: claim.attempts,
                reference: sent.reference.clone(),
                reminder: claim.reminder && claim.pending.is_empty(),
            })
        }),
        Settlement::Dead { error } => {
            let attempts = claim.attempts.saturating_add(1);
            Some(Fact::GivenUp(GivenUp { sink, alert, rule, attempts, error: error.clone() }))
        }
        Settlement::Retry { .. } | Settlement::Released => None,
    }
}

/// Deliveries that are made again.
#[must_use]
pub fn of_redrive(sink: Option<&str>, deliveries: u64) -> Option<Fact> {
    (deliveries > 0).then(|| Fact::Redriven(Redriven { sink: sink.map(str::to_owned), deliveries }))
}

/// A silence that a person made.
#[must_use]
pub fn of_silence(silence: &Silence) -> Fact {
    Fact::Silence(SilenceFact {
        silence: silence.id.clone(),
        starts_at: silence.starts_at,
        ends_at: silence.ends_at,
        author: silence.author.clone(),
        reason: silence.reason.clone(),
        matcher: silence.matcher.clone(),
    })
}

/// A silence that a person ended.
#[must_use]
pub fn of_silence_end(id: &str) -> Fact {
    Fact::SilenceEnded(SilenceEnded { silence: id.to_owned() })
}
