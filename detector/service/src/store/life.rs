//! What a change makes of an alert the store has or has not: the part of a commit that is the same for every store.
//!
//! The engine may say the same things twice (after a crash it judges again what it judged before), may have been
//! interrupted between two changes, and does not know what people said. All of that is settled here, without I/O.

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status, SubjectKind};

use super::{Change, digest::DIGEST_BYTES, digest::digest};

/// The rule about refused attempts, which are not undone by anything.
const DELETE_REFUSED: &str = "customization-job-security-group-delete-refused";

/// What a store knows of an alert when a change of it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The digest of the alert as the engine last gave it.
    pub digest: [u8; DIGEST_BYTES],
    /// Where it stood for the engine then.
    pub engine_status: Status,
    /// Where it stands, a person's word included.
    pub status: Status,
    /// How bad it is.
    pub severity: Severity,
    /// Whether a person's resolution of it holds.
    pub by_hand: bool,
    /// Whether its latest revision was kept silent.
    pub silenced: bool,
    /// The number of its latest revision.
    pub revision: u32,
}

/// The revision a change becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// What happened, seen from the store.
    pub kind: ChangeKind,
    /// Where the alert stands from now on.
    pub status: Status,
    /// Whether a person's resolution of it still holds.
    pub by_hand: bool,
    /// Who hears of it.
    pub told: Told,
}

/// Who hears of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The destinations of the change.
    Destinations,
    /// The sinks that have heard of the alert before, or are about to.
    Listeners,
    /// Nobody.
    Nobody,
}

/// What a change makes of what is known; `None` when it changes nothing. That an alert which fires is silenced no longer
/// is a change of its own.
#[must_use]
pub fn next(known: Option<&Known>, change: &Change) -> Option<Next> {
    let (kind, alert, silenced) = (change.kind, &*change.alert, change.silence.is_some());
    if change.only_if_new && !is_for_others_to_say(known, alert.status) {
        return None;
    }
    let next = |kind, status, told| Some(Next { kind, status, by_hand: false, told });
    let plain = |kind, status| next(kind, status, Told::Destinations);
    let Some(known) = known else {
        return match alert.status {
            // Whatever came before was part of the same catch-up.
            Status::Firing => plain(ChangeKind::Fired, Status::Firing),
            Status::Resolved => plain(ChangeKind::Resolved, Status::Resolved),
            // Nobody has heard of it, so there is nothing to take back.
            Status::Withdrawn => None,
        };
    };
    if known.digest == digest(alert) {
        let is_heard_again = known.silenced && !silenced && known.status == Status::Firing;
        return if is_heard_again { plain(ChangeKind::Updated, Status::Firing) } else { None };
    }
    match alert.status {
        Status::Firing if known.engine_status != Status::Firing => plain(ChangeKind::Fired, Status::Firing),
        Status::Firing if !known.by_hand => plain(ChangeKind::Updated, Status::Firing),
        Status::Firing if kind == ChangeKind::Fired || alert.severity > known.severity => {
            plain(ChangeKind::Fired, Status::Firing)
        }
        // A person said that it is over, and this is nothing new.
        Status::Firing => {
            Some(Next { kind: ChangeKind::Updated, status: Status::Resolved, by_hand: true, told: Told::Nobody })
        }
        Status::Resolved if known.by_hand => {
            Some(Next { kind: ChangeKind::Resolved, status: Status::Resolved, by_hand: true, told: Told::Nobody })
        }
        Status::Resolved => next(ChangeKind::Resolved, Status::Resolved, Told::Listeners),
        Status::Withdrawn if known.status == Status::Withdrawn => None,
        Status::Withdrawn => next(ChangeKind::Withdrawn, Status::Withdrawn, Told::Listeners),
    }
}

/// Whether somebody who does not own the alert's account may say this: that it fires, where nobody has said anything
/// yet; and that it should never have, where nobody has said more than that it fires.
///
/// Everything else is the owner's, who alone knows all of it. Somebody who lags behind must not undo what the owner said
/// since: telling an old state would open again what is over, or end what has begun anew.
const fn is_for_others_to_say(known: Option<&Known>, status: Status) -> bool {
    match (known, status) {
        (None, Status::Firing) => true,
        (Some(known), Status::Withdrawn) => known.revision == 1,
        _ => false,
    }
}

/// Whether nothing ever resolves the alert but a person: it tells of something that was done, not of something that
/// lasts. Such an alert is forgotten when it has not changed for long, though it fires.
#[must_use]
pub fn never_resolves(alert: &Alert) -> bool {
    alert.subject_kind == SubjectKind::Event || alert.rule == DELETE_REFUSED
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::format::sample;

    use ChangeKind::{Fired, Resolved as Resolves, Updated, Withdrawn as Withdraws};
    use Status::{Firing, Resolved, Withdrawn};
    use Told::{Destinations, Listeners, Nobody};

    fn alert(status: Status, severity: Severity) -> Alert {
        Alert { status, severity, ..sample::alert() }
    }

    fn change(kind: ChangeKind, alert: Alert, silenced: bool) -> Change {
        Change {
            kind,
            alert: Arc::new(alert),
            trace_id: None,
            destinations: Vec::new(),
            silence: silenced.then(|| "s".to_owned()),
            suppressed: None,
            only_if_new: false,
        }
    }

    #[test]
    fn a_change_becomes_a_revision_or_nothing() {
        // What the engine said last, whether a person resolved it, the change, and what comes of it:
        // the kind, the status, whether the person's word holds, who hears of it.
        type Row = (Option<Status>, bool, (ChangeKind, Status, Severity), Option<(ChangeKind, Status, bool, Told)>);
        let (low, high) = (Severity::Low, Severity::High);
        let rows: &[Row] = &[
            (None, false, (Fired, Firing, low), Some((Fired, Firing, false, Destinations))),
            (None, false, (Updated, Firing, low), Some((Fired, Firing, false, Destinations))),
            (None, false, (Resolves, Resolved, low), Some((Resolves, Resolved, false, Destinations))),
            (None, false, (Withdraws, Withdrawn, low), None),
            (Some(Firing), false, (Updated, Firing, low), Some((Updated, Firing, false, Destinations))),
            (Some(Firing), false, (Fired, Firing, low), Some((Updated, Firing, false, Destinations))),
            (Some(Firing), false, (Resolves, Resolved, low), Some((Resolves, Resolved, false, Listeners))),
            (Some(Firing), false, (Withdraws, Withdrawn, low), Some((Withdraws, Withdrawn, false, Listeners))),
            (Some(Resolved), false, (Fired, Firing, low), Some((Fired, Firing, false, Destinations))),
            (Some(Resolved), false, (Updated, Firing, low), Some((Fired, Firing, false, Destinations))),
            (Some(Withdrawn), false, (Fired, Firing, low), Some((Fired, Firing, false, Destinations))),
            (Some(Withdrawn), false, (Withdraws, Withdrawn, low), None),
            (Some(Firing), true, (Updated, Firing, low), Some((Updated, Resolved, true, Nobody))),
            (Some(Firing), true, (Updated, Firing, high), Some((Fired, Firing, false, Destinations))),
            (Some(Firing), true, (Fired, Firing, low), Some((Fired, Firing, false, Destinations))),
            (Some(Firing), true, (Resolves, Resolved, low), Some((Resolves, Resolved, true, Nobody))),
            (Some(Firing), true, (Withdraws, Withdrawn, low), Some((Withdraws, Withdrawn, false, Listeners))),
            (Some(Resolved), true, (Updated, Firing, low), Some((Fired, Firing, false, Destinations))),
        ];
        for row in rows {
            let (engine, by_hand, (kind, status, severity), expected) = *row;
            let known = engine.map(|engine_status| Known {
                digest: [0; DIGEST_BYTES],
                engine_status,
                status: if by_hand { Resolved } else { engine_status },
                severity: low,
                by_hand,
                silenced: false,
                revision: 1,
            });
            let found = next(known.as_ref(), &change(kind, alert(status, severity), false));
            let found = found.map(|next| (next.kind, next.status, next.by_hand, next.told));
            assert_eq!(found, expected, "{row:?}");
        }
    }

    #[test]
    fn the_same_alert_again_is_nothing() {
        let alert = alert(Firing, Severity::Low);
        for by_hand in [false, true] {
            let known = Known {
                digest: digest(&alert),
                engine_status: Firing,
                status: if by_hand { Resolved } else { Firing },
                severity: Severity::Low,
                by_hand,
                silenced: true,
                revision: 1,
            };
            assert_eq!(next(Some(&known), &change(Fired, alert.clone(), true)), None);
            let unsilenced = change(Updated, alert.clone(), false);
            let heard = next(Some(&known), &unsilenced).map(|next| (next.kind, next.told));
            assert_eq!(heard, (!by_hand).then_some((Updated, Destinations)));
            assert_eq!(next(Some(&Known { silenced: false, ..known }), &unsilenced), None);
            assert_eq!(next(Some(&known), &Change { only_if_new: true, ..unsilenced }), None);
        }
    }

    #[test]
    fn others_may_only_begin() {
        // What the engine said last and with which revision, what somebody else says, and whether that counts.
        type Row = (Option<(Status, u32)>, (ChangeKind, Status), bool);
        let rows: &[Row] = &[
            (None, (Fired, Firing), true),
            (None, (Updated, Firing), true),
            (None, (Resolves, Resolved), false),
            (None, (Withdraws, Withdrawn), false),
            (Some((Firing, 1)), (Updated, Firing), false),
            (Some((Firing, 1)), (Resolves, Resolved), false),
            (Some((Firing, 1)), (Withdraws, Withdrawn), true),
            (Some((Firing, 2)), (Withdraws, Withdrawn), false),
            (Some((Resolved, 2)), (Fired, Firing), false),
            (Some((Withdrawn, 2)), (Fired, Firing), false),
            (Some((Withdrawn, 2)), (Withdraws, Withdrawn), false),
        ];
        for (known, (kind, status), counts) in rows {
            let known = known.map(|(status, revision)| Known {
                digest: [0; DIGEST_BYTES],
                engine_status: status,
                status,
                severity: Severity::High,
                by_hand: false,
                silenced: false,
                revision,
            });
            let said = Change { only_if_new: true, ..change(*kind, alert(*status, Severity::High), false) };
            let found = next(known.as_ref(), &said);
            assert_eq!(found.map(|next| next.status), counts.then_some(*status), "{known:?} {kind:?}");
        }
    }
}
