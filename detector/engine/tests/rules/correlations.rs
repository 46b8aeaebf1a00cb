//! Correlations give the same findings whatever order the events arrive in: those of a model that sees them sorted.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::{
    DAY_S, Second,
    rule::{Allowance, CorrelatedEvent, CorrelationHit, Correlator, JsonFields, RuleFile, RuleIndex, RuleSet},
};
use serde_json::{Value, json};

use crate::generator::Random;

const PLENTY: Allowance = Allowance { floor: Second::MIN, groups_max: 1_000, events_max: 1_000 };

/// The rules A, B and C, which match what has their letter in its name, and these correlations.
pub(crate) fn text_of(correlations: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for name in ["A", "B", "C"] {
        text += &format!(
            "title: {name}\nid: {name}\nname: {name}\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{s: \
             {{eventName|contains: {name}}}, condition: s}}\n---\n"
        );
    }
    let document = |(name, correlation): &(&str, &str)| {
        format!("title: {name}\nid: {name}\nname: {name}\nlevel: high\ncorrelation: {correlation}\n")
    };
    text + &correlations.iter().map(document).collect::<Vec<_>>().join("---\n")
}

pub(crate) fn compile_all(correlations: &[(&str, &str)]) -> RuleSet {
    let file = RuleFile { path: "r.yml".to_owned(), id: "c".to_owned(), text: text_of(correlations) };
    RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn compile(correlation: &str) -> RuleSet {
    compile_all(&[("c", correlation)])
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) at: u32,
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) who: &'static str,
    pub(crate) region: &'static str,
    /// As JSON.
    pub(crate) size: &'static str,
}

impl Event {
    pub(crate) fn has(&self, rule: &str) -> bool {
        self.name.contains(rule)
    }

    pub(crate) fn record(&self) -> Value {
        let size: Value = serde_json::from_str(self.size).unwrap();
        json!({
            "eventName": self.name,
            "userIdentity": {"arn": self.who},
            "awsRegion": self.region,
            "requestParameters": {"size": size},
        })
    }

    /// The numbers in its size; sums of these are exact in floating point.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let size: Value = serde_json::from_str(self.size).unwrap();
        let elements = size.as_array().cloned().unwrap_or_else(|| vec![size]);
        elements.iter().filter_map(|one| one.as_f64().or_else(|| one.as_str()?.parse().ok())).collect()
    }
}

/// A few events of two callers, `unit` seconds or a few of them apart, around midnight.
pub(crate) fn events(random: &mut Random, unit: u32) -> Vec<Event> {
    let start = 40 * DAY_S - 100 * unit;
    (0..3 + random.below(10))
        .map(|id| Event {
            at: start + random.below(200) as u32 * unit,
            id: format!("{:02}-{id}", random.below(90)),
            name: random.pick(&["A", "B", "C", "AB"]),
            who: random.pick(&["p", "q"]),
            region: random.pick(&["p", "q", "r"]),
            size: random.pick(&["1", "2.5", "\"4\"", "-3", "[1, null, 8]", "\"many\"", "null"]),
        })
        .collect()
}

fn feed(correlator: &mut Correlator, rules: &RuleSet, event: &Event, allowance: Allowance) -> Vec<CorrelationHit> {
    let record = event.record();
    let fields = JsonFields(&record);
    let matched: Vec<RuleIndex> =
        rules.indexed().filter(|(_, rule)| rule.matches(&fields).is_some()).map(|(index, _)| index).collect();
    let correlated = CorrelatedEvent { account: "1", at: Second(event.at), event_id: &event.id, context: &event.id };
    correlator.observe(rules, &matched, &fields, correlated, allowance)
}

/// Whether the events of a window satisfy a correlation.
type Satisfied<'a> = &'a dyn Fn(&[&Event]) -> bool;

pub(crate) type Findings = BTreeMap<(String, u32), (Vec<String>, u64, u32, u32)>;

/// The last word on each group and day; events older than the latest by `lateness` no longer count. The correlator is
/// written out and read again on the way.
fn findings(rules: &RuleSet, events: &[Event], lateness: u32) -> Findings {
    let mut correlator = Correlator::default();
    let mut found = Findings::new();
    let mut latest = 0;
    for (place, event) in events.iter().enumerate() {
        latest = latest.max(event.at);
        if place == events.len() / 2 {
            correlator = postcard::from_bytes(&postcard::to_stdvec(&correlator).unwrap()).unwrap();
        }
        let allowance = Allowance { floor: Second(latest.saturating_sub(lateness)), ..PLENTY };
        for hit in feed(&mut correlator, rules, event, allowance) {
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

/// Checks that `expected` is found in any order, and with any delays within a lateness; returns whether it is anything.
pub(crate) fn found_in_any_order(
    rules: &RuleSet,
    events: &[Event],
    random: &mut Random,
    expected: &Findings,
    told: &str,
) -> bool {
    for lateness in [u32::MAX, u32::MAX, 0, 50, 500_000] {
        let mut arrivals = events.to_vec();
        if lateness == u32::MAX {
            for place in (1..arrivals.len()).rev() {
                arrivals.swap(place, random.below(place + 1));
            }
            arrivals.push(arrivals[0].clone());
        } else {
            arrivals.sort();
            arrivals.sort_by_cached_key(|event| event.at + random.below(lateness as usize + 1) as u32);
        }
        assert_eq!(&findings(rules, &arrivals, lateness), expected, "{told}, lateness {lateness}: {arrivals:?}");
    }
    !expected.is_empty()
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
    summed_up(members)
}

pub(crate) fn summed_up(members: BTreeMap<(String, u32), BTreeSet<&Event>>) -> Findings {
    members
        .into_iter()
        .map(|(key, events)| {
            let ids = events.iter().take(50).map(|event| event.id.clone()).collect();
            let (first, last) = (events.first().unwrap().at, events.last().unwrap().at);
            (key, (ids, events.len() as u64, first, last))
        })
        .collect()
}

pub(crate) fn ordered(window: &[&Event]) -> bool {
    let mut wanted = ["A", "B", "C"].iter().peekable();
    for event in window {
        if wanted.peek().is_some_and(|name| event.has(name)) {
            wanted.next();
        }
    }
    wanted.peek().is_none()
}

/// Compares a correlation of A, B and C, grouped by caller, with the model over the events that take part, in windows of
/// a minute, of an hour and of three days.
fn check(kind: &str, takes_part: &dyn Fn(&Event) -> bool, satisfied: Satisfied<'_>) {
    for (span, unit) in [("60s", 1), ("1h", 60), ("3d", 4_320)] {
        let rules = compile(&format!("{{rules: [A, B, C], group-by: [userIdentity.arn], timespan: {span}, {kind}}}"));
        let mut fired = 0;
        for seed in 0..100 {
            let mut random = Random(seed);
            let events = events(&mut random, unit);
            let parts: Vec<Event> = events.iter().filter(|event| takes_part(event)).cloned().collect();
            let expected = model(&parts, 60 * unit, satisfied);
            let told = format!("{kind}, {span}, seed {seed}");
            fired += usize::from(found_in_any_order(&rules, &events, &mut random, &expected, &told));
        }
        assert!(fired > 5, "{kind}: {fired}");
    }
}

#[test]
fn any_order_gives_what_the_model_gives() {
    let distinct = |window: &[&Event]| window.iter().map(|event| event.region).collect::<BTreeSet<_>>().len();
    let has = |window: &[&Event], name: &str| window.iter().any(|event| event.has(name));
    let kinds: [(&str, Satisfied<'_>); 9] = [
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
        ("type: temporal_ordered, condition: {gte: 3}", &ordered),
        ("type: temporal_ordered, condition: all of them", &ordered),
    ];
    for (kind, satisfied) in kinds {
        check(kind, &|_| true, satisfied);
    }
}

#[test]
fn numbers_are_summed_up_in_any_order() {
    let numbers = |window: &[&Event]| -> Vec<f64> {
        let mut numbers: Vec<f64> = window.iter().flat_map(|event| event.numbers()).collect();
        numbers.sort_by(f64::total_cmp);
        numbers
    };
    let sum = move |window: &[&Event]| numbers(window).iter().sum::<f64>();
    let average = move |window: &[&Event]| sum(window) / numbers(window).len() as f64;
    let median = move |window: &[&Event]| {
        let numbers = numbers(window);
        f64::midpoint(numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2])
    };
    let quarter = move |window: &[&Event]| {
        let numbers = numbers(window);
        let rank = 0.75 * (numbers.len() - 1) as f64;
        let below = numbers[rank.floor() as usize];
        below + rank.fract() * (numbers[rank.ceil() as usize] - below)
    };
    let kinds: [(&str, Satisfied<'_>); 9] = [
        ("value_sum, condition: {gte: 8", &move |window| sum(window) >= 8.0),
        ("value_sum, condition: {lt: 0.5", &move |window| sum(window) < 0.5),
        ("value_sum, condition: {eq: 3.5", &move |window| sum(window) == 3.5),
        ("value_sum, condition: {gt: 2, neq: 10, lte: 12", &move |window| {
            sum(window) > 2.0 && sum(window) != 10.0 && sum(window) <= 12.0
        }),
        ("value_avg, condition: {gt: 2.5", &move |window| average(window) > 2.5),
        ("value_avg, condition: {eq: 1", &move |window| average(window) == 1.0),
        ("value_median, condition: {lte: 1", &move |window| median(window) <= 1.0),
        ("value_percentile, condition: {percentile: 75, gte: 3.25", &move |window| quarter(window) >= 3.25),
        ("value_percentile, condition: {percentile: 100, eq: 8", &move |window| numbers(window).last() == Some(&8.0)),
    ];
    for (kind, satisfied) in kinds {
        let kind = format!("type: {kind}, field: requestParameters.size}}");
        check(&kind, &|event| !event.numbers().is_empty(), satisfied);
    }
}

fn at(seconds: &[u32]) -> Vec<Event> {
    seconds
        .iter()
        .enumerate()
        .map(|(id, at)| Event { at: *at, id: id.to_string(), name: "A", who: "p", region: "r", size: "1" })
        .collect()
}

#[test]
fn the_two_traps() {
    let rules =
        compile("{type: event_count, rules: [A], group-by: [userIdentity.arn], timespan: 60s, condition: {gte: 3}}");
    assert!(findings(&rules, &at(&[100, 10, 20]), u32::MAX).is_empty());
    let found = findings(&rules, &at(&[0, 1, 70, 2]), u32::MAX);
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

/// A month of events of one group, or of as many groups, costs no more than the limits say.
#[test]
fn long_windows_keep_to_the_limits() {
    let rules = compile(
        "{type: value_sum, rules: [A], group-by: [awsRegion], timespan: 30d, condition: {gte: 9, field: \
                 requestParameters.size}}",
    );
    let mut correlator = Correlator::default();
    let limits = Allowance { floor: Second::MIN, groups_max: 4, events_max: 100 };
    let regions = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let (mut hits, mut most) = (0, 0);
    for number in 0..3_000_u32 {
        let region = regions[number as usize % if number < 2_000 { 1 } else { regions.len() }];
        let at = number * (30 * DAY_S / 2_000);
        let event = Event { at, id: format!("{number:05}"), name: "A", who: "p", region, size: "1" };
        let allowance = Allowance { floor: Second(at.saturating_sub(DAY_S)), ..limits };
        hits += feed(&mut correlator, &rules, &event, allowance).len();
        most = most.max(postcard::to_stdvec(&correlator).unwrap().len());
    }
    assert!(correlator.groups() <= 4 && hits > 1_900 && correlator.dropped_events() > 1_800);
    // Four groups of 100 events of about 30 bytes, and of the days that can still change 50 ids twice.
    assert!(most < 4 * (100 * 30 + 3 * 2 * 50 * 12), "{most}");
}
