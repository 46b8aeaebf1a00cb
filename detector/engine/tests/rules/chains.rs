//! Correlations of correlations give the same findings whatever order the events arrive in: those of a model that sees
//! them sorted, the innermost correlation first.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::{
    DAY_S,
    rule::{RuleFile, RuleSet},
};

use crate::{
    correlations::{Event, Findings, compile_all, events as generated, found_in_any_order, summed_up, text_of},
    generator::Random,
};

const SPAN_S: u32 = 60;

/// The events of each group, with the inputs they belong to as bits.
type Groups<'a> = BTreeMap<&'static str, BTreeMap<&'a Event, u32>>;

/// The events of an input, and the group of each.
type Source<'a> = (BTreeSet<&'a Event>, fn(&Event) -> &'static str);

/// Puts the events of each input into their groups.
fn grouped<'a>(inputs: &[Source<'a>]) -> Groups<'a> {
    let mut groups = Groups::new();
    for (number, (events, group)) in inputs.iter().enumerate() {
        for event in events {
            *groups.entry(group(event)).or_default().entry(*event).or_default() |= 1 << number;
        }
    }
    groups
}

/// The events at which a correlation holds, and what it finds.
fn step<'a>(groups: &Groups<'a>, satisfied: impl Fn(&[(&Event, u32)]) -> bool) -> (BTreeSet<&'a Event>, Findings) {
    let mut holds = BTreeSet::new();
    let mut members: BTreeMap<(String, u32), BTreeSet<&Event>> = BTreeMap::new();
    for (group, events) in groups {
        for end in events.keys() {
            let window: Vec<(&'a Event, u32)> = events
                .iter()
                .filter(|(event, _)| *event <= end && end.at - event.at < SPAN_S)
                .map(|(event, inputs)| (*event, *inputs))
                .collect();
            if satisfied(&window) {
                holds.insert(*end);
                let found = members.entry(((*group).to_owned(), end.at / DAY_S)).or_default();
                found.extend(window.iter().map(|(event, _)| *event));
            }
        }
    }
    (holds, summed_up(members))
}

fn matched<'a>(events: &'a [Event], rule: &str) -> BTreeSet<&'a Event> {
    events.iter().filter(|event| event.has(rule)).collect()
}

fn who(event: &Event) -> &'static str {
    event.who
}

fn region(event: &Event) -> &'static str {
    event.region
}

fn in_order(window: &[(&Event, u32)], inputs: u32) -> bool {
    let reached = window.iter().fold(0, |reached, (_, has)| reached + (has >> reached & 1));
    reached >= inputs
}

fn check(correlations: &[(&str, &str)], model: &dyn Fn(&[Event]) -> Findings) {
    let rules = compile_all(correlations);
    let mut fired = 0;
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut events = generated(&mut random, 1);
        let more = generated(&mut random, 1);
        events.extend(more.into_iter().map(|event| Event { id: format!("{}+", event.id), ..event }));
        let expected = model(&events);
        let told = format!("{correlations:?}, seed {seed}");
        fired += usize::from(found_in_any_order(&rules, &events, &mut random, &expected, &told));
    }
    assert!(fired > 20, "{correlations:?}: {fired}");
}

#[test]
fn a_burst_and_then_something_else() {
    let burst = "{type: event_count, rules: [A], group-by: [userIdentity.arn], timespan: 60s, condition: {gte: 3}}";
    let top = "{type: temporal_ordered, rules: [burst, C], group-by: [userIdentity.arn], timespan: 60s}";
    check(&[("burst", burst), ("c", top)], &|events| {
        let (bursts, _) = step(&grouped(&[(matched(events, "A"), who)]), |window| window.len() >= 3);
        step(&grouped(&[(bursts, who), (matched(events, "C"), who)]), |window| in_order(window, 2)).1
    });
}

#[test]
fn what_late_records_take_away_is_taken_away_further_up() {
    let calm = "{type: temporal, rules: [A, B], group-by: [awsRegion], timespan: 60s, condition: A and not B}";
    let some = "{type: event_count, rules: [calm], group-by: [userIdentity.arn], timespan: 60s, condition: {eq: 2}}";
    let top =
        "{type: temporal, rules: [some, calm, C], group-by: [awsRegion], timespan: 60s, condition: some and not C}";
    // The outermost correlation may come first in the file.
    check(&[("c", top), ("calm", calm), ("some", some)], &|events| {
        let (a, b, c) = (matched(events, "A"), matched(events, "B"), matched(events, "C"));
        let any = |window: &[(&Event, u32)]| window.iter().fold(0, |any, (_, inputs)| any | inputs);
        let (calm, _) = step(&grouped(&[(a, region), (b, region)]), |window| any(window) == 1);
        let (some, _) = step(&grouped(&[(calm.clone(), who)]), |window| window.len() == 2);
        step(&grouped(&[(some, region), (calm, region), (c, region)]), |window| any(window) & 0b101 == 1).1
    });
}

#[test]
fn aliases_name_fields_of_the_completing_event() {
    let inner = "{type: event_count, rules: [A, B], group-by: [one], timespan: 60s, condition: {gt: 1, lte: 3}, \
                 aliases: {one: {A: userIdentity.arn, B: awsRegion}}}";
    let top = "{type: value_median, rules: [inner, C], group-by: [other], timespan: 60s, condition: {field: \
               requestParameters.size, gte: 2}, aliases: {other: {inner: awsRegion, C: userIdentity.arn}}}";
    let numbers = |window: &[(&Event, u32)]| {
        let mut numbers: Vec<f64> = window.iter().flat_map(|(event, _)| event.numbers()).collect();
        numbers.sort_by(f64::total_cmp);
        numbers
    };
    check(&[("inner", inner), ("c", top)], &|events| {
        let of_inner = grouped(&[(matched(events, "A"), who), (matched(events, "B"), region)]);
        let (inner, _) = step(&of_inner, |window| window.len() > 1 && window.len() <= 3);
        let counted = |found: BTreeSet<&'_ Event>| -> BTreeSet<String> {
            found.into_iter().filter(|event| !event.numbers().is_empty()).map(|event| event.id.clone()).collect()
        };
        let (inner, c) = (counted(inner), counted(matched(events, "C")));
        let of = |ids: &BTreeSet<String>| events.iter().filter(|event| ids.contains(&event.id)).collect();
        let groups = grouped(&[(of(&inner), region), (of(&c), who)]);
        step(&groups, |window| {
            let numbers = numbers(window);
            f64::midpoint(numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2]) >= 2.0
        })
        .1
    });
}

#[test]
fn only_the_outermost_alerts_unless_it_says_generate() {
    let burst = "{type: event_count, rules: [A], timespan: 60s, condition: {gte: 3}}";
    let alerts = |top: &str| -> Vec<(String, bool)> {
        let rules = compile_all(&[("burst", burst), ("c", top)]);
        assert_eq!(rules.correlations()[1].input_ids(&rules), ["c/burst"]);
        assert_eq!(rules.correlations()[1].rules(), rules.correlations()[0].rules());
        rules.correlations().iter().map(|one| (one.about().id.clone(), one.alerts())).collect()
    };
    let top = "{type: event_count, rules: [burst], timespan: 1h, condition: {gte: 3}}";
    assert_eq!(alerts(top), [("c/burst".to_owned(), false), ("c".to_owned(), true)]);
    let generating = top.replace("timespan", "generate: true, timespan");
    assert_eq!(alerts(&generating), [("c/burst".to_owned(), true), ("c".to_owned(), true)]);
}

#[test]
fn circles_and_long_chains_are_refused() {
    let check = |correlations: &[(&str, &str)], expected: &[&str]| {
        let file = RuleFile { path: "r.yml".to_owned(), id: "c".to_owned(), text: text_of(correlations) };
        let found = match RuleSet::compile(&[file]) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found, expected);
    };
    let of = |inputs: &str| format!("{{type: temporal, rules: [{inputs}], timespan: 60s}}");
    check(
        &[("c", &of("A, c"))],
        &["r.yml:26:42: correlations name each other in a circle: `c` -> `c`; one has to name rules"],
    );
    check(
        &[("top", &of("two")), ("one", &of("A, two")), ("two", &of("B, one"))],
        &[
            "r.yml:32:42: correlations name each other in a circle: `c/one` -> `c/two` -> `c/one`; one has to name rules",
        ],
    );
    let names = ["c0", "c1", "c2", "c3", "c4", "c5", "c6"];
    let texts: Vec<String> = ["A"].iter().chain(&names).map(|below| of(below)).collect();
    let chain: Vec<(&str, &str)> = names.iter().copied().zip(texts.iter().map(String::as_str)).collect();
    check(&chain[..6], &[]);
    check(&chain, &["r.yml:62:39: at most 5 correlations may stand below another in a chain"]);
}
