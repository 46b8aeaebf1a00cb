//! The ties of alerts, and what sinks remember of incidents.

use std::sync::Arc;

use bedrock_watch_engine::{
    Second,
    alert::{Actor, Alert, ChangeKind, Severity, Status},
};
use bedrock_watch_service::{
    incident::{Gatherer, Joining, Link, Overview, Stages, links},
    store::{Note, Reach, Store},
};

use super::{alert, at, change, claim, commit, commit_one, fired, list};

list![
    ties_are_stored_with_their_alert,
    ties_follow_the_alert,
    several_alerts_are_read_at_once,
    alerts_of_a_known_revision_are_not_read_again,
    a_note_is_kept_by_compare_and_swap,
    what_is_forgotten_takes_its_ties_and_notes_along,
    alerts_stored_in_any_order_are_one_incident,
    an_incident_is_found_as_it_stands,
    an_incident_that_became_part_of_another_is_found,
];

/// Everything that is tied to these keys.
fn reaches(links: &[Link]) -> Vec<Reach> {
    links.iter().map(|link| Reach { key: link.key.clone(), from: Second(0), to: Second(u32::MAX) }).collect()
}

/// An alert by somebody from somewhere, `seconds` after the others.
fn by(id: &str, who: &str, address: &str, seconds: u32) -> Alert {
    let first = Second(1_763_470_800 + seconds);
    let actor = Actor { source_ip: Some(address.to_owned()), ..Actor::default() };
    let principal = Some(format!("arn:aws:iam::111122223333:user/{who}"));
    Alert { principal, actor, first_event_time: first, last_event_time: first, ..alert(id) }
}

fn begins(alert: Alert) -> bedrock_watch_service::store::Change {
    change(ChangeKind::Fired, alert, &["slack"])
}

async fn ties_are_stored_with_their_alert(store: Arc<dyn Store>) {
    let all: Vec<Alert> = (0..5).map(|number| by(&format!("{number}"), "eve", "203.0.113.1", number)).collect();
    for alert in all.iter().rev() {
        commit_one(&*store, begins(alert.clone()), 1).await;
    }
    let mut expected: Vec<Link> = all.iter().flat_map(links).collect();
    let mut found = store.links(&reaches(&links(&all[0])), 100).await.unwrap();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let principal = links(&all[0])[1].key.clone();
    let reach = |from: u32, to: u32| {
        let (from, to) = (Second(1_763_470_800 + from), Second(1_763_470_800 + to));
        vec![Reach { key: principal.clone(), from, to }]
    };
    for (reach, limit, expected) in
        [(reach(1, 3), 100, "1 2 3"), (reach(1, 3), 2, "1 2"), (reach(4, 9), 9, "4"), (reach(5, 9), 9, "")]
    {
        let found = store.links(&reach, limit).await.unwrap();
        let ids: Vec<&str> = found.iter().map(|link| link.alert.as_str()).collect();
        assert_eq!(ids.join(" "), expected, "{reach:?}");
    }
}

async fn ties_follow_the_alert(store: Arc<dyn Store>) {
    let first = by("a", "eve", "203.0.113.1", 0);
    let moved = Alert { event_count: 2, ..by("a", "mallory", "203.0.113.2", 60) };
    let both = reaches(&[links(&first), links(&moved)].concat());
    commit_one(&*store, begins(first.clone()), 1).await;
    commit_one(&*store, change(ChangeKind::Updated, moved.clone(), &[]), 2).await;
    let mut found = store.links(&both, 100).await.unwrap();
    found.sort();
    let mut expected = links(&moved);
    expected.sort();
    assert_eq!(found, expected);
    let withdrawn = Alert { status: Status::Withdrawn, ..moved.clone() };
    commit_one(&*store, change(ChangeKind::Withdrawn, withdrawn, &[]), 3).await;
    assert_eq!(store.links(&both, 100).await.unwrap(), Vec::new());
    commit_one(&*store, begins(Alert { event_count: 3, ..moved }), 4).await;
    assert_eq!(store.links(&both, 100).await.unwrap().len(), 2);
}

async fn several_alerts_are_read_at_once(store: Arc<dyn Store>) {
    commit(&*store, vec![fired("a", &[]), fired("b", &[]), fired("c", &[])], 1).await;
    let wanted = ["c", "nobody", "a"].map(str::to_owned);
    let mut found: Vec<String> =
        store.alerts_by_id(&wanted).await.unwrap().iter().map(|stored| stored.alert.id.clone()).collect();
    found.sort();
    assert_eq!(found, ["a", "c"]);
    assert_eq!(store.alerts_by_id(&[]).await.unwrap(), Vec::new());
}

async fn alerts_of_a_known_revision_are_not_read_again(store: Arc<dyn Store>) {
    commit(&*store, vec![fired("a", &[]), fired("b", &[])], 1).await;
    let check = async |known: &[(&str, u32)], expected: &str| {
        let known: Vec<(String, u32)> = known.iter().map(|(id, revision)| ((*id).to_owned(), *revision)).collect();
        let changed = store.changed_alerts(&known).await.unwrap();
        let mut ids: Vec<&str> = changed.iter().map(|stored| stored.alert.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids.join(" "), expected, "{known:?}");
    };
    check(&[("a", 0), ("b", 1), ("nobody", 0)], "a").await;
    check(&[("a", 1), ("b", 1)], "").await;
    check(&[("a", 2), ("b", 0)], "a b").await;
    commit_one(&*store, change(ChangeKind::Updated, Alert { event_count: 9, ..alert("a") }, &[]), 2).await;
    check(&[("a", 1), ("b", 1)], "a").await;
    check(&[("a", 2), ("b", 1)], "").await;
    check(&[], "").await;
}

async fn a_note_is_kept_by_compare_and_swap(store: Arc<dyn Store>) {
    let ids = ["i-1", "i-2"].map(str::to_owned);
    assert_eq!(store.notes("slack", &ids).await.unwrap(), Vec::new());
    let new = Note {
        sink: "slack".to_owned(),
        incident: "i-1".to_owned(),
        version: 0,
        held_until: Some(at(60)),
        memo: "{\"ts\":\"1.2\"}".to_owned(),
    };
    assert!(store.put_note(&new).await.unwrap());
    assert!(!store.put_note(&new).await.unwrap(), "there is one now");
    let kept = Note { version: 1, ..new.clone() };
    assert_eq!(store.notes("slack", &ids).await.unwrap(), std::slice::from_ref(&kept));
    assert_eq!(store.notes("pager", &ids).await.unwrap(), Vec::new());
    let released = Note { held_until: None, memo: String::new(), ..kept.clone() };
    assert!(store.put_note(&released).await.unwrap());
    assert!(!store.put_note(&kept).await.unwrap(), "it was written since");
    assert!(store.put_note(&Note { sink: "pager".to_owned(), ..new }).await.unwrap());
    assert_eq!(store.notes("slack", &ids).await.unwrap(), [Note { version: 2, ..released }]);
}

async fn what_is_forgotten_takes_its_ties_and_notes_along(store: Arc<dyn Store>) {
    let gone = by("a", "eve", "203.0.113.1", 0);
    commit_one(&*store, begins(gone.clone()), 1).await;
    let over = Alert { status: Status::Resolved, ..gone.clone() };
    commit_one(&*store, change(ChangeKind::Resolved, over, &[]), 2).await;
    let note = Note {
        sink: "slack".to_owned(),
        incident: "i-a".to_owned(),
        version: 0,
        held_until: None,
        memo: "m".to_owned(),
    };
    assert!(store.put_note(&note).await.unwrap());
    assert_eq!(store.forget(at(100)).await.unwrap(), 1);
    assert_eq!(store.links(&reaches(&links(&gone)), 100).await.unwrap(), Vec::new());
    assert_eq!(store.notes("slack", &["i-a".to_owned()]).await.unwrap(), Vec::new());
    assert!(claim(&*store, "slack", 200).await.is_empty());
}

/// The incidents in a store, each as its id and its alerts.
async fn incidents(store: &Arc<dyn Store>) -> Vec<(String, String)> {
    let gatherer = Gatherer::new(Arc::clone(store), Joining::default(), Stages::default());
    let found = gatherer.list(Overview::default()).await.unwrap();
    let ids = |incident: &bedrock_watch_service::incident::Incident| {
        incident.alerts.iter().map(|(alert, _)| alert.id.clone()).collect::<Vec<_>>().join(" ")
    };
    found.iter().map(|incident| (incident.id.clone(), ids(incident))).collect()
}

async fn alerts_stored_in_any_order_are_one_incident(store: Arc<dyn Store>) {
    let hours = |hours: u32| hours * 3_600;
    // One principal moves to another address; somebody else uses that address; a third has nothing to do with it.
    let all = [
        by("1", "eve", "203.0.113.1", 0),
        by("2", "eve", "203.0.113.2", hours(5)),
        by("3", "mallory", "203.0.113.2", hours(10)),
        by("4", "ada", "203.0.113.4", hours(10)),
        by("5", "mallory", "203.0.113.5", hours(15)),
        by("6", "mallory", "203.0.113.5", hours(30)),
        Alert { severity: Severity::Informational, ..by("0", "eve", "203.0.113.9", hours(1)) },
    ];
    for index in [4, 0, 6, 3, 5, 2, 1] {
        commit_one(&*store, begins(all[index].clone()), 1).await;
    }
    let expected =
        [("i-6", "6"), ("i-4", "4"), ("i-1", "1 0 2 3 5")].map(|(id, alerts)| (id.to_owned(), alerts.to_owned()));
    assert_eq!(incidents(&store).await, expected);
    let gatherer = Gatherer::new(Arc::clone(&store), Joining::default(), Stages::default());
    for id in ["0", "1", "2", "3", "5"] {
        let stored = store.alert(id).await.unwrap().unwrap();
        let found = gatherer.of_alert(&stored).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.alerts.len()), ("i-1", 5), "from {id}");
    }
}

/// What was read before is asked for by its revision, so nothing old is told.
async fn an_incident_is_found_as_it_stands(store: Arc<dyn Store>) {
    let all: Vec<Alert> = (0..4).map(|number| by(&format!("{number}"), "eve", "203.0.113.1", number)).collect();
    for alert in &all {
        commit_one(&*store, begins(alert.clone()), 1).await;
    }
    let gatherer = Gatherer::new(Arc::clone(&store), Joining::default(), Stages::default());
    let asked = store.alert("3").await.unwrap().unwrap();
    let check = async |firing: usize, ids: &str, count: u64| {
        let found = gatherer.of_alert(&asked).await.unwrap().unwrap();
        let found_ids: Vec<&str> = found.alerts.iter().map(|(alert, _)| alert.id.as_str()).collect();
        let counted: u64 = found.alerts.iter().map(|(alert, _)| alert.event_count).sum();
        assert_eq!((found.firing(), found_ids.join(" ").as_str(), counted), (firing, ids, count));
    };
    let each = all[0].event_count;
    check(4, "0 1 2 3", 4 * each).await;
    let grown = Alert { event_count: each + 5, ..all[1].clone() };
    commit_one(&*store, change(ChangeKind::Updated, grown, &[]), 2).await;
    check(4, "0 1 2 3", 4 * each + 5).await;
    let over = Alert { status: Status::Resolved, ..all[0].clone() };
    commit_one(&*store, change(ChangeKind::Resolved, over, &[]), 3).await;
    check(3, "0 1 2 3", 4 * each + 5).await;
    let withdrawn = Alert { status: Status::Withdrawn, ..all[2].clone() };
    commit_one(&*store, change(ChangeKind::Withdrawn, withdrawn, &[]), 4).await;
    check(2, "0 1 3", 3 * each + 5).await;
}

async fn an_incident_that_became_part_of_another_is_found(store: Arc<dyn Store>) {
    let gatherer = Gatherer::new(Arc::clone(&store), Joining::default(), Stages::default());
    commit_one(&*store, begins(by("2", "eve", "203.0.113.1", 60)), 1).await;
    let alone = gatherer.locate("i-2").await.unwrap().unwrap();
    assert_eq!((alone.incident.id.as_str(), alone.merged_into), ("i-2", None));
    commit_one(&*store, begins(by("1", "eve", "203.0.113.1", 0)), 2).await;
    let merged = gatherer.locate("i-2").await.unwrap().unwrap();
    assert_eq!((merged.incident.id.as_str(), merged.merged_into.as_deref()), ("i-1", Some("i-1")));
    assert_eq!(merged.stored.len(), 2);
    let withdrawn = Alert { status: Status::Withdrawn, ..by("1", "eve", "203.0.113.1", 0) };
    commit_one(&*store, change(ChangeKind::Withdrawn, withdrawn, &[]), 3).await;
    let left = gatherer.locate("i-1").await.unwrap().unwrap();
    assert_eq!((left.incident.id.as_str(), left.merged_into.as_deref()), ("i-2", Some("i-2")));
    assert!(gatherer.locate("i-9").await.unwrap().is_none());
}
