//! Which alerts are joined: by examples, and by property over random alerts in any order.

use bedrock_watch_engine::alert::{Actor, Severity};
use proptest::prelude::*;

use super::*;
use crate::format::sample;

const HOUR: u32 = 3_600;
const START: Second = Second(1_763_470_800);

/// An alert: its id, principal and address, and from when to when in seconds.
fn alert(id: &str, who: &str, address: &str, (first, last): (u32, u32)) -> Alert {
    let actor = Actor { source_ip: Some(address.to_owned()), ..Actor::default() };
    Alert {
        id: id.to_owned(),
        principal: Some(format!("arn:aws:iam::111122223333:user/{who}")),
        actor,
        first_event_time: START.plus(first),
        last_event_time: START.plus(last),
        severity: Severity::Medium,
        facts: serde_json::Map::new(),
        ..sample::alert()
    }
}

fn informational(alert: Alert) -> Alert {
    Alert { severity: Severity::Informational, ..alert }
}

/// Each incident as its id and its alerts.
fn joined(alerts: &[Alert], joining: &Joining) -> Vec<(String, Vec<String>)> {
    let alerts: Vec<Arc<Alert>> = alerts.iter().cloned().map(Arc::new).collect();
    let incidents = join(&alerts, joining, &Stages::default());
    let ids = |incident: &Incident| incident.alerts.iter().map(|(alert, _)| alert.id.clone()).collect();
    incidents.iter().map(|incident| (incident.id.clone(), ids(incident))).collect()
}

fn check(what: &str, alerts: &[Alert], expected: &[(&str, &str)]) {
    let found = joined(alerts, &Joining { address_principals_max: 3, ..Joining::default() });
    let found: Vec<(String, String)> = found.into_iter().map(|(id, alerts)| (id, alerts.join(" "))).collect();
    let expected: Vec<_> = expected.iter().map(|(id, alerts)| ((*id).to_owned(), (*alerts).to_owned())).collect();
    assert_eq!(found, expected, "{what}");
}

#[test]
fn alerts_that_share_something_and_are_near_belong_together() {
    let (a, b) = ("203.0.113.1", "203.0.113.2");
    let mallory = alert("1", "mallory", a, (0, 10));
    check("one alone", std::slice::from_ref(&mallory), &[("i-1", "1")]);
    check("nothing in common", &[mallory.clone(), alert("2", "eve", b, (5, 5))], &[("i-1", "1"), ("i-2", "2")]);
    check("one address, two principals", &[alert("2", "eve", a, (5, 5)), mallory.clone()], &[("i-1", "1 2")]);
    let chain = [mallory.clone(), alert("2", "eve", a, (20, 20)), alert("3", "eve", b, (30, 30))];
    check("through a third", &chain, &[("i-1", "1 2 3")]);
    let edge = |first: u32| [mallory.clone(), alert("2", "mallory", b, (first, first))];
    check("just near enough", &edge(10 + 6 * HOUR - 1), &[("i-1", "1 2")]);
    check("just too far", &edge(10 + 6 * HOUR), &[("i-1", "1"), ("i-2", "2")]);
    let long = [alert("1", "mallory", a, (0, 20 * HOUR)), alert("2", "mallory", b, (25 * HOUR, 25 * HOUR))];
    check("from the end of the earlier one", &long, &[("i-1", "1 2")]);
    let longer = [alert("1", "mallory", a, (0, 200 * HOUR)), alert("2", "mallory", b, (40 * HOUR, 40 * HOUR))];
    check("an alert goes on for a day at most", &longer, &[("i-1", "1"), ("i-2", "2")]);
    let same_second = [alert("2", "mallory", a, (0, 0)), alert("1", "mallory", b, (0, 0))];
    check("the smaller id of the same second begins", &same_second, &[("i-1", "1 2")]);
}

#[test]
fn roles_of_one_person_and_what_was_made_belong_together() {
    let (a, b) = ("203.0.113.1", "203.0.113.2");
    let said = |facts: serde_json::Value, alert: Alert| Alert { facts: facts.as_object().cloned().unwrap(), ..alert };
    let role = |id: &str, who: &str, address: &str, person: &str| {
        let role = format!("arn:aws:iam::444455556666:role/{who}");
        let facts = serde_json::json!({ "source_identity": person });
        said(facts, Alert { principal: Some(role), ..alert(id, who, address, (0, 0)) })
    };
    check("one person", &[role("1", "build", a, "Ada"), role("2", "admin", b, "ada")], &[("i-1", "1 2")]);
    let two = [role("1", "build", a, "ada"), role("2", "admin", b, "eve")];
    check("two people", &two, &[("i-1", "1"), ("i-2", "2")]);
    let made = |facts| said(facts, alert("1", "mallory", a, (0, 0)));
    let user = alert("2", "BedrockAPIKey-x", b, (60, 60));
    let for_user = made(serde_json::json!({ "credential_made_for_user": ["BedrockAPIKey-x", "BedrockAPIKey-y"] }));
    check("who made a credential, and who has it", &[for_user, user.clone()], &[("i-1", "1 2")]);
    let arn = made(serde_json::json!({ "created_user_arn": ["arn:aws:iam::111122223333:user/BedrockAPIKey-x"] }));
    check("who made a user, and the user", &[arn, user.clone()], &[("i-1", "1 2")]);
    let other = made(serde_json::json!({ "credential_made_for_user": ["BedrockAPIKey-y"] }));
    check("another user", &[other, user.clone()], &[("i-1", "1"), ("i-2", "2")]);
    let with_key = |id: &str| {
        let actor = Actor { access_key_id: Some(id.to_owned()), ..user.actor.clone() };
        Alert { actor, principal: Some("unknown@111122223333".to_owned()), ..user.clone() }
    };
    let key = made(serde_json::json!({ "created_access_key_id": ["AKIAEXAMPLE1", "AKIAEXAMPLE2"] }));
    check("who made a key, and who used it", &[key.clone(), with_key("AKIAEXAMPLE2")], &[("i-1", "1 2")]);
    check("another key", &[key, with_key("AKIAEXAMPLE3")], &[("i-1", "1"), ("i-2", "2")]);
}

#[test]
fn an_address_that_many_share_ties_nobody() {
    let nat = |id: &str, who: &str| alert(id, who, "203.0.113.1", (0, 0));
    let three = [nat("1", "a"), nat("2", "b"), nat("3", "c")];
    check("few", &three, &[("i-1", "1 2 3")]);
    let four = [three.as_slice(), &[nat("4", "d")]].concat();
    check("many", &four, &[("i-1", "1"), ("i-2", "2"), ("i-3", "3"), ("i-4", "4")]);
    let with_more = [four.as_slice(), &[alert("5", "a", "203.0.113.9", (1, 1))]].concat();
    check("other ties hold", &with_more, &[("i-1", "1 5"), ("i-2", "2"), ("i-3", "3"), ("i-4", "4")]);
    let tomorrow = [
        four.as_slice(),
        &[alert("5", "e", "203.0.113.1", (90_000, 90_000)), { alert("6", "f", "203.0.113.1", (90_001, 90_001)) }],
    ]
    .concat();
    let apart = &[("i-1", "1"), ("i-2", "2"), ("i-3", "3"), ("i-4", "4"), ("i-5", "5 6")];
    check("each run for itself", &tomorrow, apart);
    let shared = Joining { shared_addresses: vec!["203.0.113.0/24".parse().unwrap()], ..Joining::default() };
    assert_eq!(joined(&three, &shared).len(), 3);
}

#[test]
fn informational_alerts_join_and_do_no_more() {
    let (a, b) = ("203.0.113.1", "203.0.113.2");
    let read = |id: &str, who: &str, address: &str, at: u32| informational(alert(id, who, address, (at, at)));
    check("alone they are nothing", &[read("1", "m", a, 0), read("2", "m", a, 5)], &[]);
    check("they join", &[read("1", "m", a, 0), alert("2", "m", b, (5, 5))], &[("i-2", "1 2")]);
    let between = [alert("1", "m", a, (0, 0)), read("2", "m", b, 1), alert("3", "n", b, (2, 2))];
    check("they tie nothing together, and join the earliest", &between, &[("i-1", "1 2"), ("i-3", "3")]);
    let far = [alert("1", "m", a, (0, 0)), read("2", "m", a, 5 * HOUR), alert("3", "m", a, (10 * HOUR, 10 * HOUR))];
    check("they bridge no gap", &far, &[("i-1", "1 2"), ("i-3", "3")]);
}

#[test]
fn what_was_withdrawn_never_was() {
    let a = "203.0.113.1";
    let withdrawn = Alert { status: Status::Withdrawn, ..alert("1", "m", a, (0, 0)) };
    check("it leaves", &[withdrawn, alert("2", "m", a, (5, 5))], &[("i-2", "2")]);
}

#[test]
fn an_incident_says_what_it_is() {
    let burst = Alert {
        severity: Severity::Critical,
        title: "Logging off".to_owned(),
        attack: vec!["T1562.008".to_owned()],
        account: "444455556666".to_owned(),
        status: Status::Resolved,
        ..alert("2", "mallory", "203.0.113.1", (60, 90))
    };
    let alerts = [Arc::new(alert("1", "mallory", "203.0.113.1", (0, 10))), Arc::new(burst)];
    let found = join(&alerts, &Joining::default(), &Stages::default());
    let incident = found.first().unwrap();
    assert_eq!(incident.title, "Logging off by user/mallory, and 1 more alert");
    assert_eq!((incident.severity, incident.status, incident.firing()), (Severity::Critical, Status::Firing, 1));
    assert_eq!(incident.stages.iter().map(|stage| stage.as_str()).collect::<Vec<_>>(), ["blinding", "impact"]);
    assert_eq!((incident.score.severity, incident.score.stages, incident.score.breadth), (50, 7, 3));
    assert_eq!((incident.first_event_time, incident.last_event_time), (START, START.plus(90)));
    assert_eq!(incident.accounts.len(), 2);
}

fn any_alert() -> impl Strategy<Value = Alert> {
    let times = (0_u32..40 * HOUR, 0_u32..9 * HOUR);
    (0_u32..40, 0_u32..5, 0_u32..4, times, 0_usize..5, 0_usize..3).prop_map(
        |(id, who, address, (first, lasts), severity, status)| Alert {
            severity: Severity::ALL[severity],
            status: [Status::Firing, Status::Resolved, Status::Withdrawn][status],
            ..alert(&format!("{id:02}"), &format!("u{who}"), &format!("203.0.113.{address}"), (first, first + lasts))
        },
    )
}

/// The slow and obvious way: pairs that are tied, closed.
fn naive(alerts: &BTreeMap<String, Alert>, joining: &Joining) -> BTreeSet<BTreeSet<String>> {
    let counts: Vec<&Alert> =
        alerts.values().filter(|alert| alert.status != Status::Withdrawn && !only_joins(alert)).collect();
    let key_sets: Vec<BTreeSet<String>> =
        counts.iter().map(|alert| links(alert).into_iter().map(|link| link.key).collect()).collect();
    let mut groups: Vec<BTreeSet<usize>> = (0..counts.len()).map(|index| [index].into()).collect();
    for one in 0..counts.len() {
        for other in 0..one {
            let ((a, b), (c, d)) = (span(counts[one]), span(counts[other]));
            if key_sets[one].is_disjoint(&key_sets[other]) || c.since(b).max(a.since(d)) >= joining.gap_s {
                continue;
            }
            let place =
                |groups: &[BTreeSet<usize>], wanted: usize| groups.iter().position(|g| g.contains(&wanted)).unwrap();
            let (left, right) = (place(&groups, one), place(&groups, other));
            if left != right {
                let taken = groups[left].clone();
                groups[right].extend(taken);
                groups.remove(left);
            }
        }
    }
    groups.iter().map(|group| group.iter().map(|index| counts[*index].id.clone()).collect()).collect()
}

proptest! {
    #[test]
    fn the_order_of_alerts_does_not_matter(
        alerts in proptest::collection::vec(any_alert(), 0..25),
        seed in any::<u64>(),
    ) {
        // One state for each alert, as a store has it.
        let alerts: BTreeMap<String, Alert> = alerts.into_iter().map(|alert| (alert.id.clone(), alert)).collect();
        let mut shuffled: Vec<Alert> = alerts.values().cloned().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let joining = Joining { address_principals_max: 2, ..Joining::default() };
        prop_assert_eq!(joined(&shuffled, &joining), joined(&alerts.values().cloned().collect::<Vec<_>>(), &joining));
    }

    #[test]
    fn incidents_are_what_is_tied(alerts in proptest::collection::vec(any_alert(), 0..25)) {
        let alerts: BTreeMap<String, Alert> = alerts.into_iter().map(|alert| (alert.id.clone(), alert)).collect();
        let joining = Joining { address_principals_max: usize::MAX, ..Joining::default() };
        let all: Vec<Arc<Alert>> = alerts.values().cloned().map(Arc::new).collect();
        let found: BTreeSet<BTreeSet<String>> = join(&all, &joining, &Stages::default())
            .iter()
            .map(|incident| incident.alerts.iter().filter(|(alert, _)| !only_joins(alert)).map(|(alert, _)| alert.id.clone()).collect())
            .collect();
        prop_assert_eq!(found, naive(&alerts, &joining));
    }
}
