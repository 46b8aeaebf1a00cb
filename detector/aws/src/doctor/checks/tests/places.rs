//! Coverage of accounts and regions, and the way to the service itself.

use std::collections::BTreeSet;

use super::{EVERYTHING, STREAM, error, rule, trail};
use crate::doctor::{
    Verdict,
    checks::{coverage, way},
    facts::{Asked, Covered, Rule, Selectors, Trail, Why},
};

#[test]
fn coverage_of_an_account_and_region() {
    let place = |trails: Asked<Vec<Trail>>, rules: Asked<Vec<Rule>>| Covered {
        account: "444455556666".to_owned(),
        name: "sandbox".to_owned(),
        region: "eu-west-1".to_owned(),
        trails,
        rules,
    };
    let check = |place: Covered, expected: [Verdict; 2]| {
        assert_eq!(coverage(&place).map(|finding| finding.verdict), expected, "{place:?}");
    };
    let with =
        |trail: Trail, rule: Rule, expected: [Verdict; 2]| check(place(Ok(vec![trail]), Ok(vec![rule])), expected);
    let stopped = Trail { logging: Ok(false), ..trail() };
    let writes = Selectors { management_reads: false, ..trail().selectors.unwrap() };
    let unknown = Trail { selectors: error("cloudtrail:GetEventSelectors", Why::Denied), ..trail() };
    let without_reads = Rule { state: "ENABLED".to_owned(), ..rule(EVERYTHING) };
    let disabled = Rule { state: "DISABLED".to_owned(), ..rule(EVERYTHING) };
    let elsewhere = Rule { targets: Vec::new(), ..rule(EVERYTHING) };
    let untried = r#"{"source":[{"novel":"aws."}]}"#;
    with(trail(), rule(EVERYTHING), [Verdict::Fine, Verdict::Fine]);
    check(place(Ok(Vec::new()), Ok(Vec::new())), [Verdict::Broken, Verdict::Broken]);
    with(stopped.clone(), without_reads, [Verdict::Broken, Verdict::Broken]);
    with(Trail { selectors: Ok(writes), ..trail() }, disabled, [Verdict::Broken, Verdict::Broken]);
    with(unknown.clone(), elsewhere, [Verdict::NotChecked, Verdict::Broken]);
    with(Trail { logging: Ok(false), ..unknown }, rule(untried), [Verdict::Broken, Verdict::NotChecked]);
    with(trail(), rule(r#"{"source":["aws.bedrock"]}"#), [Verdict::Fine, Verdict::Broken]);
    check(place(Ok(vec![stopped, trail()]), Ok(vec![rule(EVERYTHING)])), [Verdict::Fine, Verdict::Fine]);
    let denied = |action| error(action, Why::Denied);
    let unknown = place(denied("cloudtrail:DescribeTrails"), error("events:ListRules", Why::Denied));
    check(unknown, [Verdict::NotChecked, Verdict::NotChecked]);
}

#[test]
fn the_parts_of_the_way_are_told_apart() {
    let check = |what: &str, expected: [Verdict; 3], change: fn(&mut Covered)| {
        let mut place = Covered {
            account: "111122223333".to_owned(),
            name: "account 111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            trails: Ok(vec![trail()]),
            rules: Ok(vec![rule(EVERYTHING)]),
        };
        change(&mut place);
        let parts = way(&place, &BTreeSet::from([STREAM.to_owned()]));
        assert_eq!(parts.clone().map(|(part, _)| part), ["trail", "rule", "target"]);
        assert_eq!(parts.map(|(_, finding)| finding.verdict), expected, "{what}");
    };
    check("as it should be", [Verdict::Fine, Verdict::Fine, Verdict::Fine], |_| {});
    check("the trail is stopped", [Verdict::Broken, Verdict::Fine, Verdict::Fine], |place| {
        place.trails.as_mut().unwrap()[0].logging = Ok(false);
    });
    check("the trail logs less", [Verdict::Broken, Verdict::Fine, Verdict::Fine], |place| {
        place.trails.as_mut().unwrap()[0].selectors.as_mut().unwrap().management_reads = false;
    });
    check("the rule is disabled", [Verdict::Fine, Verdict::Broken, Verdict::Fine], |place| {
        place.rules.as_mut().unwrap()[0].state = "DISABLED".to_owned();
    });
    check("its pattern was changed", [Verdict::Fine, Verdict::Broken, Verdict::Fine], |place| {
        place.rules.as_mut().unwrap()[0].pattern = r#"{"source":["aws.ec2"]}"#.to_owned();
    });
    check("the target is gone", [Verdict::Fine, Verdict::NotChecked, Verdict::Broken], |place| {
        place.rules = Ok(Vec::new());
    });
    check("the target changes events", [Verdict::Fine, Verdict::Fine, Verdict::Broken], |place| {
        place.rules.as_mut().unwrap()[0].targets[0].transforms = true;
    });
    check("nobody may ask", [Verdict::NotChecked; 3], |place| {
        place.trails = error("cloudtrail:DescribeTrails", Why::Denied);
        place.rules = error("events:ListRuleNamesByTarget", Why::Denied);
    });
}
