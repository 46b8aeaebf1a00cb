//! A rule in plain words, for people who do not read Sigma: what it judges, what must hold, what an alert says.
//!
//! Written from the compiled rule, so it says what will be done, tuning included, and not what the file seems to say.

use std::fmt::Display;

use super::{
    correlation::CorrelationRule,
    correlation_kind::{CorrelationKind, Expression, Predicate},
    correlation_number::{Statistic, to_float},
    definition::{Counts, Rule},
    logic::{Item, Logic, Search},
    problem::listed,
    value::{Field, Metric},
    vocabulary::{Domain, FIELDS, METRICS},
};
use crate::{alert::SubjectKind, time::DAY_S};

/// Columns by which each level is moved to the right.
const INDENT: usize = 2;

impl Rule {
    /// The rule in plain words, one sentence or test a line.
    #[must_use]
    pub fn explain(&self) -> String {
        let judged = match self.domain {
            Domain::CloudTrail => "It judges each CloudTrail record.",
            Domain::Principal => "It judges each second in which a principal used or enabled a model.",
            Domain::State => {
                "It judges each change in what is known about jobs, their dependencies, logging and the service itself."
            }
        };
        let mut text = Lines::default();
        text.line(0, judged);
        text.line(0, "It matches when");
        text.logic(1, &self.condition, &self.searches);
        text.line(0, &self.alert());
        for (search, level) in self.levels.iter().filter(|(_, level)| *level > self.about.severity) {
            let Some(search) = self.searches.get(*search) else { continue };
            text.line(0, &format!("It is at least {} when also", level.as_str()));
            text.logic(1, &search.logic, &self.searches);
        }
        text.0
    }

    fn alert(&self) -> String {
        let level = self.about.severity.as_str();
        if !self.alerts {
            return "A match is no alert by itself; it only counts in correlations.".to_owned();
        }
        let counted = match (self.domain, self.counts) {
            (Domain::Principal, Counts::Calls) => ", which counts all inference calls of the day",
            (Domain::Principal, Counts::Invocations) => {
                ", which counts the day's inference calls that were not throttled"
            }
            (Domain::Principal, Counts::Refusals) => ", which counts the day's refused inference calls",
            (Domain::Principal, Counts::Throttled) => ", which counts the day's throttled inference calls",
            (Domain::Principal, Counts::Enablement) => {
                ", which counts the day's enabling calls and successful inference calls"
            }
            _ => "",
        };
        let about = match self.subject {
            SubjectKind::Event => "for each event",
            SubjectKind::Principal => "for each account, principal and UTC day",
            SubjectKind::CustomizationJobDependency | SubjectKind::Dependency => {
                "for each account, region and lost thing"
            }
            SubjectKind::InvocationLogging => "for each account, region and disabling event or lost destination",
        };
        format!("There is one alert {about}{counted}. Its level is {level}.")
    }
}

impl CorrelationRule {
    /// The correlation in plain words, one sentence a line; `base` is what its inputs are called.
    #[must_use]
    pub fn explain(&self, base: &[&str]) -> String {
        let mut text = Lines::default();
        let names: Vec<String> = base.iter().map(|name| format!("`{name}`")).collect();
        let rules = listed(names.iter().map(String::as_str));
        text.line(0, &format!("It looks at what {rules} match, within {}.", duration(self.span_s)));
        let needed = match &self.kind {
            CorrelationKind::Events(predicates) => format!("there are {} such events", counted(predicates)),
            CorrelationKind::Values(predicates, fields) => {
                let fields: Vec<String> = fields.iter().map(name).collect();
                let fields = listed(fields.iter().map(String::as_str));
                format!("there are {} different values of {fields}", counted(predicates))
            }
            CorrelationKind::Numbers(predicates, field, statistic) => {
                let statistic = match statistic {
                    Statistic::Percentile(thousandths) if *statistic != Statistic::MEDIAN => {
                        format!("percentile {}", f64::from(*thousandths) / 1_000.0)
                    }
                    _ => statistic.name().to_owned(),
                };
                let of_number = |predicate: &Predicate<i128>| (predicate.operator, to_float(predicate.value));
                let needed = compared("less than", predicates.iter().map(of_number));
                format!("the {statistic} of {} in such events is {needed}", name(field))
            }
            CorrelationKind::Rules(predicates) => format!("{} of these rules matched", counted(predicates)),
            CorrelationKind::Together(expression) => format!("there was a match of {}", together(expression, base)),
            CorrelationKind::InOrder => "all of these rules matched, in this order".to_owned(),
        };
        text.line(0, &format!("It holds when {needed}."));
        if !self.alerts {
            text.line(0, "That is no alert by itself; it only counts in other correlations.");
            return text.0;
        }
        let group: Vec<&str> = self.group_names().collect();
        let group = if group.is_empty() { String::new() } else { format!(", {}", listed(group)) };
        let level = self.about.severity.as_str();
        text.line(0, &format!("There is one alert for each account{group} and UTC day. Its level is {level}."));
        text.0
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&" ".repeat(depth.saturating_mul(INDENT)));
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn logic(&mut self, depth: usize, logic: &Logic, searches: &[Search]) {
        match logic {
            Logic::All(parts) => {
                let mut flat = Vec::new();
                flatten(parts, searches, &mut flat);
                self.parts(depth, "all of these hold:", &flat, searches);
            }
            Logic::Any(parts) => {
                self.parts(depth, "at least one of these holds:", &parts.iter().collect::<Vec<_>>(), searches);
            }
            Logic::AtLeast(wanted, parts) => {
                let parts: Vec<&Logic> = parts.iter().collect();
                self.parts(depth, &format!("at least {wanted} of these hold:"), &parts, searches);
            }
            Logic::Not(part) => {
                self.line(depth, "this does not hold:");
                self.logic(depth.saturating_add(1), part, searches);
            }
            Logic::Search(index) => {
                if let Some(search) = searches.get(*index) {
                    self.logic(depth, &search.logic, searches);
                }
            }
            Logic::Item(item) => self.line(depth, &test(item)),
        }
    }

    fn parts(&mut self, depth: usize, head: &str, parts: &[&Logic], searches: &[Search]) {
        match parts {
            [] => self.line(depth, "nothing at all: this never holds"),
            [only] => self.logic(depth, only, searches),
            several => {
                self.line(depth, head);
                for part in several {
                    self.logic(depth.saturating_add(1), part, searches);
                }
            }
        }
    }
}

/// What has to hold together, without the searches between.
fn flatten<'a>(parts: &'a [Logic], searches: &'a [Search], flat: &mut Vec<&'a Logic>) {
    for part in parts {
        let named = match part {
            Logic::Search(index) => searches.get(*index).map(|search| &search.logic),
            _ => None,
        };
        match named.unwrap_or(part) {
            Logic::All(inner) => flatten(inner, searches, flat),
            other => flat.push(other),
        }
    }
}

/// A test of one field, as a clause.
fn test(item: &Item) -> String {
    let modifiers: Vec<&str> = item.key.split('|').skip(1).collect();
    let has = |wanted: &str| modifiers.contains(&wanted);
    let mut subject = item.field.as_ref().map_or_else(|| "some text of the record".to_owned(), name);
    if let Some(part) = ["minute", "hour", "day", "week", "month", "year"].into_iter().find(|part| has(part)) {
        subject = format!("the {part} (UTC) of {subject}");
    }
    let values: Vec<String> = item.tests.iter().map(|test| format!("`{}`", test.written)).collect();
    let written: Vec<&str> = item.tests.iter().map(|test| test.written.as_str()).collect();
    if has("exists") {
        let is_there = matches!(written.first(), Some(&("true" | "yes")));
        return format!("{subject} {}", if is_there { "is there" } else { "is missing" });
    }
    if written == ["null"] {
        return format!("{subject} is {}missing or null", if item.negated { "not " } else { "" });
    }
    let is_wild = written.iter().any(|value| value.contains(['*', '?']));
    let verb = match () {
        () if has("re") => "matches the regular expression",
        () if has("cidr") => "lies in the network",
        () if has("gte") => "is at least",
        () if has("gt") => "is more than",
        () if has("lte") => "is at most",
        () if has("lt") => "is less than",
        () if has("fieldref") => "is related to the field",
        () if has("base64") || has("base64offset") => "contains, in base64,",
        () if has("contains") || item.field.is_none() => "contains",
        () if has("startswith") => "begins with",
        () if has("endswith") => "ends with",
        () if is_wild => "looks like",
        () => "is",
    };
    let joined = match values.split_last() {
        Some((last, others)) if !others.is_empty() => {
            format!("{} {} {last}", others.join(", "), if item.every { "and" } else { "or" })
        }
        _ => values.concat(),
    };
    let not = if item.negated { "is there and not one that " } else { "" };
    let cased = if has("cased") { ", in this case" } else { "" };
    format!("{subject} {not}{verb} {joined}{cased}")
}

/// A field, and what it means where its name does not say.
fn name(field: &Field) -> String {
    match field {
        Field::Record(field) => field.name().to_owned(),
        Field::Path(path) => path.join("."),
        // Its values say what it is.
        Field::Watch("event") => "watch.event".to_owned(),
        Field::Watch(name) => {
            let meaning = FIELDS.iter().find(|field| field.name == *name).map_or("", |field| field.meaning);
            format!("watch.{name} ({meaning})")
        }
        Field::Window { metric, seconds } => {
            format!("within {}, the number of {}", duration(*seconds), meaning(*metric))
        }
    }
}

fn meaning(metric: Metric) -> &'static str {
    METRICS.iter().find(|known| known.metric == metric).map_or("", |known| known.meaning)
}

fn duration(seconds: u32) -> String {
    match seconds {
        seconds if seconds > DAY_S && seconds % DAY_S == 0 => format!("{} days", seconds / DAY_S),
        seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn counted(predicates: &[Predicate]) -> String {
    compared("fewer than", predicates.iter().map(|predicate| (predicate.operator, predicate.value)))
}

fn compared(below: &str, predicates: impl Iterator<Item = (&'static str, impl Display)>) -> String {
    let one = |(operator, value)| {
        let words = match operator {
            "lt" => below,
            "lte" => "at most",
            "gt" => "more than",
            "eq" => "exactly",
            "neq" => "not exactly",
            _ => "at least",
        };
        format!("{words} {value}")
    };
    let all: Vec<String> = predicates.map(one).collect();
    all.join(" and ")
}

fn together(expression: &Expression, base: &[&str]) -> String {
    let joined = |parts: &[Expression], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| together(part, base)).collect();
        if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(word)) }
    };
    match expression {
        Expression::All(parts) => joined(parts, " and "),
        Expression::Any(parts) => joined(parts, " or "),
        Expression::AtLeast(wanted, parts) => format!("at least {wanted} of {}", joined(parts, ", ")),
        Expression::Not(part) => format!("not {}", together(part, base)),
        Expression::Rule(position) => base.get(*position).map_or_else(String::new, |name| format!("`{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::{RuleFile, RuleSet};

    fn check(logsource: &str, detection: &str, expected: &str) {
        let text = format!("title: t\nlevel: high\nlogsource: {{{logsource}}}\ndetection:\n{detection}\n");
        let file = RuleFile { path: "r".to_owned(), id: "r".to_owned(), text };
        let rules = RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{detection}: {problems:?}"));
        assert_eq!(rules.rules()[0].explain(), expected);
    }

    #[test]
    fn says_what_will_be_done() {
        check(
            "product: aws, service: cloudtrail",
            "  s:\n    eventName: [StopLogging, DeleteTrail]\n    userAgent|contains: boto\n  f:\n    errorCode|exists: \
             true\n  g:\n    sourceIPAddress|cidr: 10.0.0.0/8\n  condition: s and not 1 of f* and not g",
            "It judges each CloudTrail record.\nIt matches when\n  all of these hold:\n    \
             eventName is `StopLogging` or `DeleteTrail`\n    userAgent contains `boto`\n    this does not hold:\n      \
             errorCode is there\n    this does not hold:\n      sourceIPAddress lies in the network `10.0.0.0/8`\nThere \
             is one alert for each event. Its level is high.\n",
        );
        check(
            "product: bedrock-watch, service: principal",
            "  s:\n    watch.principal.invocations_60s|gte: 100\n    watch.account|neq: '444455556666'\n  condition: s",
            "It judges each second in which a principal used or enabled a model.\nIt matches when\n  all of these hold:\n    \
             within 1 min, the number of inference calls that were not throttled is at least `100`\n    \
             watch.account (account of the affected thing (for a record: the account acted upon)) is there and not one \
             that is `444455556666`\nThere is one alert for each account, principal and UTC day, which counts all \
             inference calls of the day. Its level is high.\n",
        );
    }

    #[test]
    fn explains_correlations() {
        let base = "title: a\nname: failed\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: \
                    {errorCode: AccessDenied}, condition: s}\n---\n";
        let text = "title: c\nlevel: high\ncorrelation:\n  type: value_count\n  rules: [failed]\n  group-by: \
                    [userIdentity.arn]\n  timespan: 10m\n  condition: {gte: 3, field: awsRegion}\n";
        let file = RuleFile { path: "r".to_owned(), id: "r".to_owned(), text: format!("{base}{text}") };
        let rules = RuleSet::compile(&[file]).unwrap();
        assert_eq!(
            rules.correlations()[0].explain(&["failed"]),
            "It looks at what `failed` match, within 10 min.\nIt holds when there are at least 3 different values of \
             awsRegion.\nThere is one alert for each account, userIdentity.arn and UTC day. Its level is high.\n"
        );
        let summing = "title: d\nlevel: low\ncorrelation:\n  type: value_percentile\n  rules: [c, failed]\n  timespan: 7d\n  \
                       condition: {gt: 0.5, field: requestParameters.size, percentile: 99.9}\n";
        let text = format!("{base}{}---\n{summing}", text.replace("title: c", "title: c\nname: c"));
        let file = RuleFile { path: "r".to_owned(), id: "d".to_owned(), text };
        let rules = RuleSet::compile(&[file]).unwrap();
        let [inner, outer] = rules.correlations() else { panic!("two correlations") };
        assert_eq!(
            inner.explain(&inner.input_ids(&rules)),
            "It looks at what `d/failed` match, within 10 min.\nIt holds when there are at least 3 different values of \
             awsRegion.\nThat is no alert by itself; it only counts in other correlations.\n"
        );
        assert_eq!(
            outer.explain(&outer.input_ids(&rules)),
            "It looks at what `d/c` and `d/failed` match, within 7 days.\nIt holds when the percentile 99.9 of \
             requestParameters.size in such events is more than 0.5.\nThere is one alert for each account and UTC day. \
             Its level is low.\n"
        );
    }
}
