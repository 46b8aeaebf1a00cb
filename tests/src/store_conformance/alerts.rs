//! Alerts, their revisions, people's word, and lists of them.

use std::sync::Arc;

use bedrock_watch_engine::{
    Second,
    alert::{Alert, ChangeKind, Severity, Status, SubjectKind},
};
use bedrock_watch_service::store::{AlertFilter, Change, Recorded, Resolution, Store, StoreError};

use super::{
    PAGER, SLACK, alert, at, change, claim, claim_one, commit, commit_one, fired, grown, list, over, pending, resolved,
};

list![
    a_change_is_a_revision_once,
    what_was_missed_in_between_does_not_matter,
    the_trace_and_the_silence_are_kept,
    a_person_resolves,
    a_resolution_by_hand_holds_until_something_new_happens,
    the_same_history_again_does_not_undo_a_person,
    lists_are_newest_first_and_filtered,
    pages_follow_each_other_without_gaps,
    history_keeps_what_matters,
    what_is_over_is_forgotten,
    what_never_ends_is_forgotten_when_it_rests,
    a_commit_of_many_changes_keeps_their_order,
];

fn me() -> Resolution {
    Resolution { author: "ada".to_owned(), reason: "a planned change".to_owned() }
}

async fn a_change_is_a_revision_once(store: Arc<dyn Store>) {
    assert_eq!(commit_one(&*store, fired("a", &[]), 1).await, Recorded::Revision(1));
    assert_eq!(commit_one(&*store, fired("a", &[SLACK]), 2).await, Recorded::Known, "the same digest is no change");
    assert!(claim(&*store, SLACK, 3).await.is_empty(), "nobody is told of no change");
    let update = change(ChangeKind::Updated, grown("a", 2), &[]);
    assert_eq!(commit(&*store, vec![update.clone(), update], 4).await, [Recorded::Revision(2), Recorded::Known]);
    assert_eq!(commit_one(&*store, resolved("a", &[]), 5).await, Recorded::Revision(3));
    assert_eq!(commit_one(&*store, fired("a", &[]), 6).await, Recorded::Revision(4), "it may fire again as it was");

    let stored = store.alert("a").await.unwrap().unwrap();
    assert_eq!(*stored.alert, alert("a"), "what is stored is what was given");
    assert_eq!((stored.revision, stored.created_at, stored.changed_at), (4, at(1), at(6)));
    assert_eq!((stored.trace_id, stored.silence, stored.resolution), (None, None, None));
    let history = store.history("a").await.unwrap();
    let kinds: Vec<_> = history.iter().map(|revision| (revision.revision, revision.kind, revision.at)).collect();
    let expected = [
        (1, ChangeKind::Fired, at(1)),
        (2, ChangeKind::Updated, at(4)),
        (3, ChangeKind::Resolved, at(5)),
        (4, ChangeKind::Fired, at(6)),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(*history[1].alert, grown("a", 2));
    assert_eq!(*history[2].alert, over("a", Status::Resolved));
    assert_eq!((store.alert("b").await.unwrap(), store.history("b").await.unwrap()), (None, Vec::new()));
}

async fn what_was_missed_in_between_does_not_matter(store: Arc<dyn Store>) {
    // After a crash only the last change of each alert is told.
    assert_eq!(commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[]), 1).await, Recorded::Revision(1));
    let withdrawn = change(ChangeKind::Withdrawn, over("b", Status::Withdrawn), &[SLACK]);
    assert_eq!(commit_one(&*store, withdrawn, 1).await, Recorded::Known, "nobody has heard of it");
    assert_eq!(store.alert("b").await.unwrap(), None);
    commit_one(&*store, resolved("a", &[]), 2).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 4), &[]), 3).await;
    let kinds: Vec<_> = store.history("a").await.unwrap().iter().map(|revision| revision.kind).collect();
    assert_eq!(kinds, [ChangeKind::Fired, ChangeKind::Resolved, ChangeKind::Fired]);
}

async fn the_trace_and_the_silence_are_kept(store: Arc<dyn Store>) {
    let traced = Change { trace_id: Some("t1".to_owned()), silence: Some("s1".to_owned()), ..fired("a", &[]) };
    commit_one(&*store, traced, 1).await;
    let stored = store.alert("a").await.unwrap().unwrap();
    assert_eq!((stored.trace_id.as_deref(), stored.silence.as_deref()), (Some("t1"), Some("s1")));
    let other = change(ChangeKind::Updated, grown("a", 2), &[]);
    commit_one(&*store, Change { trace_id: Some("t2".to_owned()), ..other }, 2).await;
    let stored = store.alert("a").await.unwrap().unwrap();
    assert_eq!((stored.trace_id.as_deref(), stored.silence), (Some("t1"), None), "the trace that raised it stays");
}

async fn a_person_resolves(store: Arc<dyn Store>) {
    assert_eq!(store.resolve("a", &me(), at(1)).await.unwrap(), None);
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let claimed = claim_one(&*store, SLACK, 1).await;
    assert_eq!(pending(&claimed), [1]);
    let stored = store.resolve("a", &me(), at(2)).await.unwrap().unwrap();
    assert_eq!((stored.alert.status, stored.revision, stored.changed_at), (Status::Resolved, 2, at(2)));
    assert_eq!(stored.resolution, Some(me()));
    assert_eq!(store.alert("a").await.unwrap().as_ref(), Some(&stored));
    let another = Resolution { author: "bob".to_owned(), ..me() };
    assert_eq!(store.resolve("a", &another, at(3)).await.unwrap(), Some(stored), "resolving twice changes nothing");
    let history = store.history("a").await.unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!((history[1].kind, history[1].resolution.clone()), (ChangeKind::Resolved, Some(me())));
    assert_eq!(history[0].resolution, None);
    // The sink was about to hear of it, so it hears of the resolution too; another one does not.
    let late = claim_one(&*store, SLACK, 100).await;
    assert_eq!((pending(&late), late.alert.alert.status), (vec![1, 2], Status::Resolved));
    assert!(claim(&*store, PAGER, 100).await.is_empty());
    commit_one(&*store, fired("b", &[]), 1).await;
    commit_one(&*store, resolved("b", &[]), 2).await;
    let over = store.resolve("b", &me(), at(3)).await.unwrap().unwrap();
    assert_eq!((over.revision, over.resolution), (2, None), "what is over cannot be resolved");
}

async fn a_resolution_by_hand_holds_until_something_new_happens(store: Arc<dyn Store>) {
    let check = async |name: &str, change: Change, status: Status, told: bool| {
        let id = change.alert.id.clone();
        commit_one(&*store, fired(&id, &[]), 1).await;
        store.resolve(&id, &me(), at(2)).await.unwrap();
        assert_eq!(commit_one(&*store, change, 3).await, Recorded::Revision(3), "{name}");
        let stored = store.alert(&id).await.unwrap().unwrap();
        assert_eq!((stored.alert.status, stored.resolution.is_some()), (status, status == Status::Resolved), "{name}");
        assert_eq!(store.history(&id).await.unwrap()[2].alert.status, status, "{name}");
        assert_eq!(claim(&*store, SLACK, 4).await.len(), usize::from(told), "{name}");
    };
    let updated = |alert: Alert| change(ChangeKind::Updated, alert, &[SLACK]);
    check("more of the same", updated(grown("a", 2)), Status::Resolved, false).await;
    let worse = Alert { severity: Severity::Critical, ..grown("b", 2) };
    check("it got worse", updated(worse), Status::Firing, true).await;
    let milder = Alert { severity: Severity::Low, ..grown("c", 2) };
    check("it got milder", updated(milder), Status::Resolved, false).await;
    check("it fired again", change(ChangeKind::Fired, grown("d", 2), &[SLACK]), Status::Firing, true).await;
    check("it is over anyway", resolved("e", &[SLACK]), Status::Resolved, false).await;
    let withdrawn = change(ChangeKind::Withdrawn, over("f", Status::Withdrawn), &[SLACK]);
    check("it never was", withdrawn, Status::Withdrawn, false).await;
}

async fn the_same_history_again_does_not_undo_a_person(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[]), 1).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[]), 2).await;
    store.resolve("a", &me(), at(3)).await.unwrap();
    // A restart judges again, and the last change of the alert is the one that is known.
    let again = change(ChangeKind::Fired, grown("a", 2), &[SLACK]);
    assert_eq!(commit_one(&*store, again, 4).await, Recorded::Known);
    assert_eq!(store.alert("a").await.unwrap().unwrap().alert.status, Status::Resolved);
}

async fn lists_are_newest_first_and_filtered(store: Arc<dyn Store>) {
    let make =
        |id: &str, time: u32, severity: Severity| Alert { first_event_time: Second(time), severity, ..alert(id) };
    let other = Alert {
        rule: "invocation-burst".to_owned(),
        account: "999988887777".to_owned(),
        principal: None,
        ..make("d", 300, Severity::Low)
    };
    let alerts =
        [make("a", 100, Severity::Low), make("c", 200, Severity::High), make("b", 200, Severity::Critical), other];
    for alert in alerts {
        commit_one(&*store, change(ChangeKind::Fired, alert, &[]), 1).await;
    }
    let ended = Alert { status: Status::Resolved, ..make("a", 100, Severity::Low) };
    commit_one(&*store, change(ChangeKind::Resolved, ended, &[]), 2).await;
    commit_one(&*store, fired("w", &[]), 1).await;
    commit_one(&*store, change(ChangeKind::Withdrawn, over("w", Status::Withdrawn), &[]), 2).await;
    let check = async |filter: AlertFilter, expected: &[&str]| {
        let page = store.alerts(&filter).await.unwrap();
        let found: Vec<&str> = page.alerts.iter().map(|stored| stored.alert.id.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(page.next, None);
    };
    let any = AlertFilter::default;
    check(any(), &["d", "c", "b", "a"]).await;
    check(AlertFilter { status: Some(Status::Firing), ..any() }, &["d", "c", "b"]).await;
    check(AlertFilter { status: Some(Status::Resolved), ..any() }, &["a"]).await;
    check(AlertFilter { status: Some(Status::Withdrawn), ..any() }, &["w"]).await;
    check(AlertFilter { severity_min: Some(Severity::High), ..any() }, &["c", "b"]).await;
    check(AlertFilter { rule: Some("invocation-burst".to_owned()), ..any() }, &["d"]).await;
    check(AlertFilter { account: Some("111122223333".to_owned()), ..any() }, &["c", "b", "a"]).await;
    let mallory = Some("arn:aws:iam::111122223333:user/mallory".to_owned());
    check(AlertFilter { principal: mallory, severity_min: Some(Severity::Critical), ..any() }, &["b"]).await;
    check(AlertFilter { rule: Some("' OR 1=1 --".to_owned()), ..any() }, &[]).await;
}

async fn pages_follow_each_other_without_gaps(store: Arc<dyn Store>) {
    // Many of the same time, and more than the store's own limit.
    let make = |number: u32| Alert { first_event_time: Second(number / 10), ..alert(&format!("{number:05}")) };
    let changes = (0..1_205).map(|number| change(ChangeKind::Fired, make(number), &[])).collect();
    commit(&*store, changes, 1).await;
    let expected: Vec<String> = (0..1_205).rev().map(|number| format!("{number:05}")).collect();
    for limit in [0, 7, 100, 5_000] {
        let mut filter = AlertFilter { limit, ..AlertFilter::default() };
        let mut found: Vec<String> = Vec::new();
        loop {
            let page = store.alerts(&filter).await.unwrap();
            let most = if limit == 0 { 1_000 } else { limit.min(1_000) };
            assert!(page.alerts.len() <= most && !page.alerts.is_empty(), "{limit}: {}", page.alerts.len());
            found.extend(page.alerts.iter().map(|stored| stored.alert.id.clone()));
            let Some(next) = page.next else { break };
            filter.after = Some(next);
        }
        assert_eq!(found, expected, "{limit}");
    }
    let nonsense = AlertFilter { after: Some("nonsense".to_owned()), ..AlertFilter::default() };
    assert!(matches!(store.alerts(&nonsense).await, Err(StoreError::Token(token)) if token == "nonsense"));
}

async fn history_keeps_what_matters(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[]), 1).await;
    for count in 2..=150 {
        commit_one(&*store, change(ChangeKind::Updated, grown("a", count), &[]), 1).await;
        if count == 5 {
            commit_one(&*store, resolved("a", &[]), 1).await;
        }
    }
    let history = store.history("a").await.unwrap();
    assert!(history.len() <= 64, "{}", history.len());
    let kinds: Vec<_> = history.iter().take(4).map(|revision| (revision.revision, revision.kind)).collect();
    let (first, over, again) = (ChangeKind::Fired, ChangeKind::Resolved, ChangeKind::Fired);
    assert_eq!(kinds[..3], [(1, first), (6, over), (7, again)], "the beginning and every turn");
    assert_eq!(history.last().unwrap().revision, 151);
    assert!(history.is_sorted_by_key(|revision| revision.revision));
}

async fn what_is_over_is_forgotten(store: Arc<dyn Store>) {
    let names: Vec<String> = (0..450).map(|number| format!("{number:04}")).collect();
    commit(&*store, names.iter().map(|id| fired(id, &[SLACK])).collect(), 1).await;
    commit(&*store, names.iter().take(440).map(|id| resolved(id, &[])).collect(), 10).await;
    commit_one(&*store, resolved("0441", &[]), 20).await;
    assert_eq!(store.forget(at(10)).await.unwrap(), 0);
    assert_eq!(store.forget(at(11)).await.unwrap(), 440);
    assert_eq!(store.alerts(&AlertFilter::default()).await.unwrap().alerts.len(), 10);
    assert_eq!((store.alert("0000").await.unwrap(), store.history("0000").await.unwrap()), (None, Vec::new()));
    assert_eq!(store.waiting(SLACK).await.unwrap().alerts, 10);
    assert_eq!(commit_one(&*store, fired("0000", &[]), 30).await, Recorded::Revision(1), "it would be a new one");
}

async fn what_never_ends_is_forgotten_when_it_rests(store: Arc<dyn Store>) {
    let refused = "customization-job-security-group-delete-refused";
    let make = |id: &str, rule: &str, subject_kind: SubjectKind| {
        let alert = Alert { rule: rule.to_owned(), subject_kind, ..alert(id) };
        change(ChangeKind::Fired, alert, &[SLACK])
    };
    // More than a store may want to forget at once, and as many that must stay.
    for number in 0..450 {
        let event = make(&format!("event-{number}"), "guardrail-deleted", SubjectKind::Event);
        let job = make(&format!("job-{number}"), "any", SubjectKind::CustomizationJobDependency);
        commit(&*store, vec![event, job], 1).await;
    }
    let others = vec![
        make("refused", refused, SubjectKind::CustomizationJobDependency),
        make("logging", "invocation-logging-disabled", SubjectKind::InvocationLogging),
        make("principal", "invocation-burst", SubjectKind::Principal),
        make("grown", "guardrail-deleted", SubjectKind::Event),
    ];
    commit(&*store, others, 1).await;
    let grown = Alert { subject_kind: SubjectKind::Event, ..grown("grown", 2) };
    commit_one(&*store, change(ChangeKind::Updated, grown, &[SLACK]), 10).await;
    assert_eq!(store.forget(at(1)).await.unwrap(), 0);
    assert_eq!(store.forget(at(10)).await.unwrap(), 451);
    for (id, stays) in [
        ("event-0", false),
        ("refused", false),
        ("job-0", true),
        ("logging", true),
        ("principal", true),
        ("grown", true),
    ] {
        assert_eq!(store.alert(id).await.unwrap().is_some(), stays, "{id}");
        assert_eq!(store.history(id).await.unwrap().is_empty(), !stays, "{id}");
    }
    assert_eq!(store.waiting(SLACK).await.unwrap().alerts, 453);
    assert_eq!(store.forget(at(11)).await.unwrap(), 1, "and the other when it has rested as long");
}

async fn a_commit_of_many_changes_keeps_their_order(store: Arc<dyn Store>) {
    let changes = vec![fired("a", &[]), fired("b", &[]), resolved("a", &[]), fired("a", &[]), fired("b", &[])];
    let expected =
        [Recorded::Revision(1), Recorded::Revision(1), Recorded::Revision(2), Recorded::Revision(3), Recorded::Known];
    assert_eq!(commit(&*store, changes, 1).await, expected);
    assert_eq!(store.alert("a").await.unwrap().unwrap().alert.status, Status::Firing);
}
