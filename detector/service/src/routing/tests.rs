//! Who hears of what: a table of cases, and random routings against a router written without any thought.

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{config::Config, format::sample, store::Matcher};

/// Accounts, sinks and the rest of a configuration, to which routes are added.
const BASE: &str = "\
[[sink]]\nkind = \"stdout\"\n[[sink]]\nkind = \"slack\"\nwebhook_url = \"https://x.example\"\n\
[[sink]]\nkind = \"pagerduty\"\nrouting_key = \"k\"\n\
[[account]]\nid = \"111122223333\"\ngroup = \"production\"\n[[account]]\nid = \"444455556666\"\ngroup = \"sandbox\"\n\
[[account_group]]\nname = \"production\"\nseverity_shift = 1\n\
[[account_group]]\nname = \"sandbox\"\nseverity_shift = -1\nseverity_max = \"medium\"\n\
[[suppress]]\nprincipals = [\"arn:*:role/scanner\"]\nrules = [\"invocation-*\"]\nreason = \"the weekly scan\"\n";

fn config(routes: &str) -> Config {
    Config::load("c.toml", &format!("{BASE}{routes}"), &|_| None).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn router(routes: &str) -> Router {
    let config = config(routes);
    Router::new(&config.routing, &config.sinks)
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn in_seconds(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// An alert of an account in no group.
fn alert(rule: &str, severity: Severity) -> Alert {
    let account = "777788889999".to_owned();
    Alert { rule: rule.to_owned(), severity, account, ..sample::alert() }
}

fn with_facts(facts: serde_json::Value, alert: Alert) -> Alert {
    Alert { facts: facts.as_object().cloned().unwrap(), ..alert }
}

/// The sinks that hear of it, each with its wait in seconds.
fn told(router: &Router, alert: &Alert, kind: ChangeKind) -> String {
    let routed = router.route(alert, kind, &[], now());
    let told = routed.destinations.iter().map(|destination| {
        let wait = destination.not_before.map(|at| format!("+{}", at.duration_since(now()).as_secs()));
        let group = destination.group.as_ref().map(|group| format!("({group})"));
        let skip = if destination.skip_if_undone { "?" } else { "" };
        format!("{}{}{}{skip}", destination.sink, wait.unwrap_or_default(), group.unwrap_or_default())
    });
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_first_route_that_matches_decides() {
    use ChangeKind::{Fired, Resolved, Updated, Withdrawn};
    use Severity::{Critical, High, Low, Medium};
    let check = |routes: &str, alert: &Alert, kind: ChangeKind, expected: &str| {
        assert_eq!(told(&router(routes), alert, kind), expected, "{routes} {} {kind:?}", alert.rule);
    };
    let route = |keys: &str, sinks: &str| format!("[[route]]\nsinks = [{sinks}]\n{keys}\n");
    let (slack, pager) = ("\"slack\"", "\"pagerduty\"");
    let (burst, deleted) = (alert("invocation-burst", High), alert("customization-job-dependency-lost", Critical));
    let all = "pagerduty slack stdout";

    check("", &burst, Fired, all);
    check("", &burst, Updated, all);
    check("", &burst, Resolved, "");
    check("", &burst, Withdrawn, "");
    let learning = with_facts(json!({ "learning": true }), burst.clone());
    check("", &learning, Fired, "slack stdout");

    let critical_paged = route("severity_min = \"critical\"", pager) + &route("", slack);
    check(&critical_paged, &deleted, Fired, "pagerduty");
    check(&critical_paged, &burst, Fired, "slack");
    // What is not paged because it is still learning is not lost for that.
    let learning_critical = with_facts(json!({ "learning": true }), deleted.clone());
    check(&critical_paged, &learning_critical, Fired, "slack");
    let critical_and_all = route("severity_min = \"critical\"\ncontinue = true", pager) + &route("", slack);
    check(&critical_and_all, &deleted, Fired, "pagerduty slack");

    check(&route("learning = \"told\"", pager), &learning, Fired, "pagerduty");
    check(&(route("learning = \"left_out\"", slack) + &route("", "\"stdout\"")), &learning, Fired, "stdout");
    check(&(route("learning = \"left_out\"", slack) + &route("", "\"stdout\"")), &burst, Fired, "slack");

    check(&route("rules = [\"invocation-*\"]", slack), &burst, Fired, "slack");
    check(&route("rules = [\"invocation-*\"]", slack), &deleted, Fired, "");
    check(&route("accounts = [\"111122223333\"]", slack), &burst, Fired, "");
    check(&route("groups = [\"production\"]", slack), &burst, Fired, "");
    let produced = Alert { account: "111122223333".to_owned(), ..burst.clone() };
    check(&route("groups = [\"production\"]", slack), &produced, Fired, "slack");
    check(&route("regions = [\"us-*\"]", slack), &burst, Fired, "slack");
    check(&route("regions = [\"eu-*\"]", slack), &burst, Fired, "");
    check(&route("regions = [\"*\"]", slack), &Alert { region: None, ..burst.clone() }, Fired, "");
    check(&route("principals = [\"*mallory\"]", slack), &burst, Fired, "slack");
    check(&route("principals = [\"*\"]", slack), &Alert { principal: None, ..burst.clone() }, Fired, "");

    // Severity as the group shifts it, not as the rule says it.
    check(&route("severity_min = \"critical\"", slack), &produced, Fired, "slack");
    let tried = Alert { account: "444455556666".to_owned(), ..deleted.clone() };
    check(&route("severity_min = \"high\"", slack), &tried, Fired, "");

    // Grouping waits, except for what is critical.
    let grouped = route("group_by = [\"account\", \"region\"]\ngroup_wait_s = 30", slack);
    let group = "(account=777788889999 region=us-east-1)";
    check(&grouped, &alert("x", Medium), Fired, &format!("slack+30{group}"));
    check(&grouped, &deleted, Fired, &format!("slack{group}"));
    check(&route("group_wait_s = 5", slack), &alert("x", Low), Updated, "slack+5");
}

#[test]
fn a_page_about_logging_waits_for_its_return_unless_something_was_invoked() {
    let check = |facts: serde_json::Value, expected: &str| {
        let alert = with_facts(facts, alert(LOGGING_DISABLED, Severity::Critical));
        assert_eq!(told(&router(""), &alert, ChangeKind::Fired), expected);
    };
    check(json!({ "blind_invocations": 0 }), "pagerduty+60? slack stdout");
    check(json!({}), "pagerduty+60? slack stdout");
    check(json!({ "blind_invocations": 1 }), "pagerduty slack stdout");
}

#[test]
fn groups_of_accounts_shift_and_cap_severities() {
    use Severity::{Critical, High, Informational, Low, Medium};
    let router = router("");
    let check = |account: &str, severity: Severity, expected: Severity| {
        let alert = Alert { account: account.to_owned(), severity, ..sample::alert() };
        assert_eq!(router.route(&alert, ChangeKind::Fired, &[], now()).severity, expected, "{account}");
    };
    for severity in Severity::ALL {
        check("777788889999", severity, severity);
    }
    check("111122223333", High, Critical);
    check("111122223333", Critical, Critical);
    check("444455556666", Critical, Medium);
    check("444455556666", Medium, Low);
    check("444455556666", Informational, Informational);
}

#[test]
fn what_is_suppressed_is_told_nobody_and_counted() {
    let scanner = Some("arn:aws:iam::1:role/scanner".to_owned());
    let burst = Alert { principal: scanner.clone(), ..alert("invocation-burst", Severity::High) };
    let mut counters = RoutingCounters::default();
    let routed = router("").route(&burst, ChangeKind::Fired, &[], now());
    assert_eq!((routed.suppressed.as_deref(), routed.destinations.len()), (Some("the weekly scan"), 0));
    counters.count(&routed);
    let other = Alert { principal: scanner, ..alert("customization-job-dependency-lost", Severity::High) };
    let routed = router("").route(&other, ChangeKind::Fired, &[], now());
    assert_eq!((routed.suppressed.as_deref(), routed.destinations.len()), (None, 3));
    counters.count(&routed);
    let expected = RoutingCounters { routed: 1, suppressed: 1, ..RoutingCounters::default() };
    assert_eq!(counters, expected);
}

fn wish() -> Wish {
    Wish {
        ends_at: Some(in_seconds(3_600)),
        author: "ana".to_owned(),
        reason: "change 42".to_owned(),
        matcher: Matcher { rule: Some("invocation-*".to_owned()), ..Matcher::default() },
        ..Wish::default()
    }
}

#[test]
fn silences_cover_what_they_name_while_they_hold() {
    let mut high = alert("invocation-burst", Severity::High);
    high.subject_id = "sg-0abc".to_owned();
    let check = |change: fn(&mut Wish), at: i64, covered: bool| {
        let mut wish = wish();
        change(&mut wish);
        let silence = wish.grant(now()).unwrap();
        let routed = router("").route(&high, ChangeKind::Fired, std::slice::from_ref(&silence), in_seconds(at));
        assert_eq!(routed.silence, covered.then(|| silence.id.clone()), "{silence:?}");
        assert_eq!(routed.destinations.is_empty(), covered);
    };
    check(|_| {}, 0, true);
    check(|_| {}, 3_599, true);
    check(|_| {}, 3_600, false);
    check(|wish| wish.starts_at = Some(in_seconds(10)), 9, false);
    check(|wish| wish.starts_at = Some(in_seconds(10)), 10, true);
    check(|wish| wish.matcher.rule = Some("guardrail-*".to_owned()), 0, false);
    check(|wish| wish.matcher.alert = Some("7d1c".to_owned()), 0, true);
    check(|wish| wish.matcher.alert = Some("7d1".to_owned()), 0, false);
    check(|wish| wish.matcher.account = Some("777788889999".to_owned()), 0, true);
    check(|wish| wish.matcher.account = Some("1".to_owned()), 0, false);
    check(|wish| wish.matcher.region = Some("eu-west-1".to_owned()), 0, false);
    check(|wish| wish.matcher.principal = Some("*/mallory".to_owned()), 0, true);
    check(|wish| wish.matcher.principal = Some("*/alice".to_owned()), 0, false);
    check(|wish| wish.matcher.subject = Some("sg-0*".to_owned()), 0, true);
    check(|wish| wish.matcher.subject = Some("sg-1*".to_owned()), 0, false);
    check(|wish| wish.matcher.severity_max = Some(Severity::High), 0, true);
    check(|wish| wish.matcher.severity_max = Some(Severity::Medium), 0, false);
}

#[test]
fn silences_without_bounds_are_refused() {
    let check = |change: fn(&mut Wish), expected: &str| {
        let mut wish = wish();
        change(&mut wish);
        let problems = wish.grant(now()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    };
    check(|wish| wish.ends_at = None, "a silence ends");
    check(|wish| wish.ends_at = Some(now()), "end before it begins");
    check(|wish| wish.ends_at = Some(in_seconds(91 * 86_400)), "within 90 days");
    check(|wish| wish.starts_at = Some(in_seconds(91 * 86_400)), "begins within 90 days");
    check(|wish| wish.author = " ".to_owned(), "`author` is missing");
    check(|wish| wish.reason = String::new(), "`reason` is missing");
    check(|wish| wish.reason = "x".repeat(2_000), "longer than 1024");
    check(|wish| wish.matcher.rule = None, "every alert");
    check(|wish| wish.matcher.rule = Some("**".to_owned()), "every alert");
    check(|wish| (wish.matcher.rule, wish.matcher.severity_max) = (None, Some(Severity::Critical)), "every alert");
    check(|wish| wish.matcher.rule = Some(String::new()), "`rule` is empty");
    let matcher = Matcher { severity_max: Some(Severity::Low), ..Matcher::default() };
    let quiet = Wish { matcher, ..wish() };
    assert!(quiet.grant(now()).is_ok());
    let (one, other) = (wish().grant(now()).unwrap(), wish().grant(in_seconds(1)).unwrap());
    assert_ne!(one.id, other.id);
}

/// The documentation of [`Route`], read word by word.
fn naive(routes: &[Route], groups: &BTreeMap<String, String>, alert: &Alert) -> BTreeSet<String> {
    let any_of = |patterns: &[String], text: Option<&str>| {
        patterns.is_empty() || patterns.iter().any(|pattern| text.is_some_and(|text| glob(pattern, text)))
    };
    let mut told = BTreeSet::new();
    let mut open = true;
    for route in routes {
        let group = groups.get(&alert.account).map(String::as_str);
        let learning = alert.facts["learning"] == json!(true);
        let matches = route.severity_min.is_none_or(|least| alert.severity >= least)
            && any_of(&route.rules, Some(&alert.rule))
            && any_of(&route.accounts, Some(&alert.account))
            && any_of(&route.groups, group)
            && any_of(&route.regions, alert.region.as_deref())
            && any_of(&route.principals, alert.principal.as_deref())
            && !(learning && route.learning == Some(false));
        let sinks = route.sinks.iter().filter(|sink| !(learning && route.learning.is_none() && *sink == "pagerduty"));
        let sinks: Vec<String> = sinks.cloned().collect();
        if open && matches && !sinks.is_empty() {
            told.extend(sinks);
            open = route.r#continue;
        }
    }
    told
}

fn some_of(names: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    prop_oneof![2 => Just(Vec::new()), 3 => proptest::sample::subsequence(names, 1..=2)]
}

fn any_route() -> impl Strategy<Value = Route> {
    let severity = proptest::option::of(proptest::sample::select(&Severity::ALL[..]));
    let learning = proptest::option::of(any::<bool>());
    let sinks = proptest::sample::subsequence(vec!["stdout", "slack", "pagerduty"], 1..=3);
    let names = (
        some_of(&["invocation-*", "a", "*b"]),
        some_of(&["1", "2"]),
        some_of(&["production", "sandbox"]),
        some_of(&["us-*", "eu-west-1"]),
        some_of(&["*mallory", "*"]),
    );
    (severity, learning, sinks, names, any::<bool>()).prop_map(|(severity_min, learning, sinks, names, r#continue)| {
        let (rules, accounts, groups, regions, principals) = names;
        let sinks = sinks.into_iter().map(str::to_owned).collect();
        Route {
            severity_min,
            rules,
            accounts,
            groups,
            regions,
            principals,
            learning,
            sinks,
            r#continue,
            ..Route::default()
        }
    })
}

fn any_alert() -> impl Strategy<Value = Alert> {
    let select = |names: &'static [&'static str]| proptest::sample::select(names).prop_map(str::to_owned);
    let severity = proptest::sample::select(&Severity::ALL[..]);
    let region = proptest::option::of(select(&["us-east-1", "eu-west-1"]));
    let principal = proptest::option::of(select(&["arn/mallory", "arn/alice"]));
    (select(&["invocation-burst", "a", "ab"]), severity, select(&["1", "2", "3"]), region, principal, any::<bool>())
        .prop_map(|(rule, severity, account, region, principal, learning)| {
            let alert = Alert { rule, severity, account, region, principal, ..sample::alert() };
            with_facts(json!({ "learning": learning }), alert)
        })
}

proptest! {
    #[test]
    fn agrees_with_the_naive_router(routes in proptest::collection::vec(any_route(), 1..5), alert in any_alert()) {
        let groups: BTreeMap<String, String> =
            [("1", "production"), ("2", "sandbox")].map(|(id, group)| (id.to_owned(), group.to_owned())).into();
        let mut config = config("");
        config.routing.routes = routes;
        config.routing.groups.clear();
        config.routing.suppressions.clear();
        config.routing.accounts = groups.iter().map(|(id, group)| {
            (id.clone(), crate::config::AccountConfig { group: Some(group.clone()), ..Default::default() })
        }).collect();
        let routed = Router::new(&config.routing, &config.sinks).route(&alert, ChangeKind::Fired, &[], now());
        let told: BTreeSet<String> = routed.destinations.iter().map(|told| told.sink.clone()).collect();
        prop_assert_eq!(routed.destinations.len(), told.len());
        prop_assert_eq!(told, naive(&config.routing.routes, &groups, &alert));
    }
}
