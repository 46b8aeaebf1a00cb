//! Correlations give the same findings whatever order the events arrive in: those of a model that sees them sorted.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::{
    DAY_S, Second,
    rule::{Allowance, CorrelatedEvent, CorrelationHit, Correlator, JsonFields, RuleFile, RuleIndex, RuleSet},
};
use serde_json::json;

use crate::generator::Random;

const PLENTY: Allowance = Allowance { floor: Second::MIN, groups_max: 1_000, events_max: 1_000 };

fn compile(correlation: &str) -> RuleSet {
    let mut text = String::new();
    for name in ["A", "B", "C"] {
        text += &format!(
            "title: t\nname: {name}\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{s: \
             {{eventName|contains: {name}}}, condition: s}}\n---\n"
        );
    }
    text += &format!("title: c\nlevel: high\ncorrelation: {correlation}\n");
    let file = RuleFile { path: "r.yml".to_owned(), id: "c".to_owned(), text };
    RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u32,
    id: String,
    name: &'static str,
    who: &'static str,
    region: &'static str,
}

fn feed(correlator: &mut Correlator, rules: &RuleSet, event: &Event, allowance: Allowance) -> Vec<CorrelationHit> {
    let record = json!({"eventName": event.name, "userIdentity": {"arn": event.who}, "awsRegion": event.region});
    let fields = JsonFields(&record);
    let matched: Vec<RuleIndex> =
        rules.indexed().filter(|(_, rule)| rule.matches(&fields).is_some()).map(|(index, _)| index).collect();
    let correlated = CorrelatedEvent { account: "1", at: Second(event.at), event_id: &event.id, context: &event.id };
    correlator.observe(rules, &matched, &fields, correlated, allowance)
}

/// Whether the events of a window satisfy a correlation.
type Satisfied<'a> = &'a dyn Fn(&[&Event]) -> bool;

type Findings = BTreeMap<(String, u32), (Vec<String>, u64, u32, u32)>;

/// The last word on each group and day.
fn findings(rules: &RuleSet, events: &[Event]) -> Findings {
    let mut correlator = Correlator::default();
    let mut found = Findings::new();
    for event in events {
        for hit in feed(&mut correlator, rules, event, PLENTY) {
            let key = (hit.group.join("/"), hit.day);
            assert_eq!(hit.event_ids.first().map_or("", String::as_str), hit.first_context);
            if hit.event_count == 0 {
                found.remove(&key);
            } else {
                found.insert(key, (hit.event_ids, hit.event_count, hit.first.0, hit.last.0));
            }
        }
    }
    found
}

/// Looks at every window of the sorted events.
fn model(events: &[Event], span: u32, satisfied: Satisfied<'_>) -> Findings {
    let sorted: BTreeSet<&Event> = events.iter().collect();
    let mut members: BTreeMap<(String, u32), BTreeSet<&Event>> = BTreeMap::new();
    for end in &sorted {
        let window: Vec<&Event> = sorted
            .iter()
            .copied()
            .filter(|event| event.who == end.who && event <= end && end.at - event.at < span)
            .collect();
        if satisfied(&window) {
            members.entry((end.who.to_owned(), end.at / DAY_S)).or_default().extend(window);
        }
    }
    members
        .into_iter()
        .map(|(key, events)| {
            let ids = events.iter().take(50).map(|event| event.id.clone()).collect();
            let (first, last) = (events.first().unwrap().at, events.last().unwrap().at);
            (key, (ids, events.len() as u64, first, last))
        })
        .collect()
}

fn ordered(window: &[&Event]) -> bool {
    let mut wanted = ["A", "B", "C"].iter().peekable();
    for event in window {
        if wanted.peek().is_some_and(|name| event.name.contains(**name)) {
            wanted.next();
        }
    }
    wanted.peek().is_none()
}

#[test]
fn any_order_gives_what_the_model_gives() {
    let distinct = |window: &[&Event]| window.iter().map(|event| event.region).collect::<BTreeSet<_>>().len();
    let has = |window: &[&Event], name: &str| window.iter().any(|event| event.name.contains(name));
    let kinds: [(&str, Satisfied<'_>); 7] = [
        ("type: event_count, condition: {gte: 3}", &|window| window.len() >= 3),
        ("type: event_count, condition: {gt: 1, lte: 3}", &|window| window.len() > 1 && window.len() <= 3),
        ("type: value_count, condition: {gte: 2, field: awsRegion}", &move |window| distinct(window) >= 2),
        ("type: temporal", &move |window| has(window, "A") && has(window, "B") && has(window, "C")),
        ("type: temporal, condition: A and not B or C", &move |window| {
            has(window, "A") && !has(window, "B") || has(window, "C")
        }),
        ("type: temporal, condition: {gte: 2}", &move |window| {
            ["A", "B", "C"].iter().filter(|name| has(window, name)).count() >= 2
        }),
        ("type: temporal_ordered", &ordered),
    ];
    for (kind, satisfied) in kinds {
        let rules = compile(&format!("{{rules: [A, B, C], group-by: [userIdentity.arn], timespan: 60s, {kind}}}"));
        let mut fired = 0;
        for seed in 0..300 {
            let mut random = Random(seed);
            let start = DAY_S - 100;
            let events: Vec<Event> = (0..3 + random.below(10))
                .map(|id| Event {
                    at: start + random.below(200) as u32,
                    id: format!("{:02}-{id}", random.below(90)),
                    name: random.pick(&["A", "B", "C", "AB"]),
                    who: random.pick(&["p", "q"]),
                    region: random.pick(&["r1", "r2", "r3"]),
                })
                .collect();
            let expected = model(&events, 60, satisfied);
            fired += usize::from(!expected.is_empty());
            for _ in 0..3 {
                let mut arrivals = events.clone();
                for place in (1..arrivals.len()).rev() {
                    arrivals.swap(place, random.below(place + 1));
                }
                arrivals.push(arrivals[0].clone());
                assert_eq!(findings(&rules, &arrivals), expected, "{kind}, seed {seed}: {arrivals:?}");
            }
        }
        assert!(fired > 20, "{kind}: {fired}");
    }
}

fn at(seconds: &[u32]) -> Vec<Event> {
    seconds
        .iter()
        .enumerate()
        .map(|(id, at)| Event { at: *at, id: id.to_string(), name: "A", who: "p", region: "r" })
        .collect()
}

#[test]
fn the_two_traps() {
    let rules =
        compile("{type: event_count, rules: [A], group-by: [userIdentity.arn], timespan: 60s, condition: {gte: 3}}");
    assert!(findings(&rules, &at(&[100, 10, 20])).is_empty());
    let found = findings(&rules, &at(&[0, 1, 70, 2]));
    assert_eq!(found[&("p".to_owned(), 0)], (vec!["0".to_owned(), "1".to_owned(), "3".to_owned()], 3, 0, 2));
}

#[test]
fn what_is_too_late_is_dropped_and_the_past_is_forgotten() {
    let rules = compile("{type: event_count, rules: [A], timespan: 60s, condition: {gte: 2}}");
    let mut correlator = Correlator::default();
    let events = at(&[0, 500, 1_000, 1_010]);
    let mut hits = 0;
    for event in &events {
        let allowance = Allowance { floor: Second(event.at.saturating_sub(100)), ..PLENTY };
        hits += feed(&mut correlator, &rules, event, allowance).len();
    }
    assert_eq!(hits, 1);
    let late = Event { at: 5, id: "late".to_owned(), ..events[0].clone() };
    assert!(feed(&mut correlator, &rules, &late, Allowance { floor: Second(900), ..PLENTY }).is_empty());
    let bytes = postcard::to_stdvec(&correlator).unwrap();
    assert!(bytes.len() < 200, "{}", bytes.len());
    assert_eq!(postcard::from_bytes::<Correlator>(&bytes).unwrap(), correlator);
    correlator.retain(&RuleSet::default());
    assert_eq!(correlator, Correlator::default());
}

#[test]
fn inventing_groups_costs_the_inventor() {
    let rules =
        compile("{type: event_count, rules: [A], group-by: [userIdentity.arn], timespan: 1h, condition: {gte: 3}}");
    let mut correlator = Correlator::default();
    let allowance = Allowance { floor: Second::MIN, groups_max: 32, events_max: 8 };
    let send = |correlator: &mut Correlator, account: &str, who: &str, at: u32| {
        let record = json!({"eventName": "A", "userIdentity": {"arn": who}});
        let id = format!("{who}{at}");
        let event = CorrelatedEvent { account, at: Second(at), event_id: &id, context: "" };
        correlator.observe(&rules, &[RuleIndex(0)], &JsonFields(&record), event, allowance).len()
    };
    send(&mut correlator, "quiet", "p", 1);
    send(&mut correlator, "quiet", "p", 2);
    for invented in 0..10_000 {
        send(&mut correlator, "loud", &format!("x{invented}"), 3);
        assert!(correlator.groups() <= 32);
    }
    assert_eq!(send(&mut correlator, "quiet", "p", 4), 1);
    for at in 0..1_000 {
        send(&mut correlator, "loud", "one", 10 + at);
    }
    assert!(correlator.dropped_events() > 900 && correlator.evicted_groups() > 9_000);
}
