//! What is allowed in a rule and probably not meant, or missing for whoever has to answer its alerts.
//!
//! Every finding says what would be better. Deliberately no matter of taste, and nothing that is certain: what is certain
//! is an error of the compiler.

use super::{
    bound::{Bound, Term, bound, record_name},
    definition::{About, Rule},
    logic::Logic,
    matcher,
    problem::{Problem, nearest},
    set::RuleSet,
    value::{Field, Fields, Value},
    vocabulary::Domain,
};

/// The fields at the top of a CloudTrail record (CloudTrail user guide, "CloudTrail record contents").
const TOP_FIELDS: [&str; 32] = [
    "additionalEventData",
    "addendum",
    "annotation",
    "apiVersion",
    "awsRegion",
    "edgeDeviceDetails",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "insightDetails",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "requestParameters",
    "resources",
    "responseElements",
    "serviceEventDetails",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "tlsDetails",
    "userAgent",
    "userIdentity",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// An event of which nothing is known.
struct Nothing;

impl Fields for Nothing {
    fn value(&self, _field: &Field) -> Value<'_> {
        Value::Missing
    }
}

impl RuleSet {
    /// What is probably not meant, or missing, in each rule; `text_of` gives the text of a file that a rule was read
    /// from, so that a finding can name the line.
    #[must_use]
    pub fn lint(&self, text_of: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
        let mut found = Vec::new();
        for rule in self.rules() {
            let mut finder = Finder { text: text_of(&rule.about.file), file: &rule.about.file, found: &mut found };
            lint_rule(rule, &mut finder);
            lint_about(&rule.about, rule.alerts, &mut finder);
        }
        for (about, alerts) in self.correlations().iter().map(|one| (one.about(), one.alerts())) {
            lint_about(about, alerts, &mut Finder { text: text_of(&about.file), file: &about.file, found: &mut found });
        }
        found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        found.dedup();
        found
    }
}

impl Rule {
    /// The paths, in a CloudTrail record, of the fields that it tests.
    #[must_use]
    pub fn record_paths(&self) -> Vec<String> {
        let path = |field: &&Field| match field {
            Field::Record(field) => Some(field.name().to_owned()),
            Field::Path(path) => Some(path.join(".")),
            Field::Watch(_) | Field::Window { .. } => None,
        };
        self.fields().iter().filter_map(path).collect()
    }

    /// The names of the events that it can match, in lower case; none when it says nothing about them.
    #[must_use]
    pub fn event_names(&self) -> Vec<String> {
        if self.domain != Domain::CloudTrail {
            return Vec::new();
        }
        match bound(&self.condition, &self.searches, &record_name) {
            Bound::Terms(terms) => {
                let mut names: Vec<String> =
                    terms.iter().map(Term::exact_name).collect::<Option<_>>().unwrap_or_default();
                names.sort();
                names.dedup();
                names
            }
            Bound::Everything => Vec::new(),
        }
    }
}

/// Gathers findings about one file.
struct Finder<'a> {
    text: Option<String>,
    file: &'a str,
    found: &'a mut Vec<Problem>,
}

impl Finder<'_> {
    /// Something about the line on which `needle` stands.
    fn add(&mut self, needle: &str, message: String) {
        let lines = self.text.as_deref().unwrap_or_default().lines();
        let place = (1_u32..).zip(lines).find_map(|(line, text)| Some((line, text.find(needle)?)));
        let (line, column) = place.unwrap_or((1, 0));
        let column = u32::try_from(column).unwrap_or(0).saturating_add(1);
        self.found.push(Problem { file: self.file.to_owned(), line, column, message });
    }
}

/// What is missing of what people read; a rule that alerts nobody needs no more than a description.
fn lint_about(about: &About, alerts: bool, finder: &mut Finder<'_>) {
    let missing = [
        (about.description.is_empty(), "description", "say what it detects, in a sentence or two"),
        (
            alerts && about.false_positives.is_empty(),
            "falsepositives",
            "whoever gets the alert needs to know what else looks so",
        ),
        (alerts && about.attack.is_empty(), "tags", "name a technique of MITRE ATT&CK, such as attack.t1562.008"),
        (alerts && about.references.is_empty(), "references", "name where to read more"),
    ];
    for (_, key, why) in missing.into_iter().filter(|(is_missing, ..)| *is_missing) {
        finder.add("title:", format!("`{key}` is missing: {why}"));
    }
}

fn lint_rule(rule: &Rule, finder: &mut Finder<'_>) {
    let mut used = vec![false; rule.searches.len()];
    mark(&rule.condition, &mut used);
    for (search, _) in &rule.levels {
        used.get_mut(*search).into_iter().for_each(|used| *used = true);
    }
    for (search, _) in rule.searches.iter().zip(&used).filter(|(_, used)| !**used) {
        let message = format!("the search `{}` is never used: the condition does not name it", search.name);
        finder.add(&format!("{}:", search.name), message);
    }
    if matcher::holds(&rule.condition, &rule.searches, &Nothing) {
        finder.add(
            "condition:",
            "the condition holds for a record that has none of these fields; test that something is there".to_owned(),
        );
    } else if rule.domain == Domain::CloudTrail
        // First times are asked of events on Bedrock alone.
        && rule.first_times.is_none()
        && bound(&rule.condition, &rule.searches, &record_name) == Bound::Everything
    {
        let message = "nothing is asked of eventName or eventSource, so every record of every service is judged by this \
                       rule; name the events, or at least their source";
        finder.add("condition:", message.to_owned());
    }
    for level in rule.levels.iter().filter(|(_, level)| *level <= rule.about.severity) {
        let name = rule.searches.get(level.0).map_or("", |search| search.name.as_str());
        let message =
            format!("`levels` raises nothing by `{name}`: the rule is {} anyway", rule.about.severity.as_str());
        finder.add("levels:", message);
    }
    for path in rule.record_paths() {
        let top = path.split('.').next().unwrap_or_default();
        if !TOP_FIELDS.contains(&top) {
            let hint = nearest(top, TOP_FIELDS).first().map(|near| format!("; did you mean `{near}`?"));
            let message = format!("CloudTrail records have no `{top}`{}", hint.unwrap_or_default());
            finder.add(&path, message);
        }
    }
}

/// Marks the searches that `logic` asks.
fn mark(logic: &Logic, used: &mut [bool]) {
    match logic {
        Logic::All(parts) | Logic::Any(parts) | Logic::AtLeast(_, parts) => {
            parts.iter().for_each(|part| mark(part, used));
        }
        Logic::Not(part) => mark(part, used),
        Logic::Search(index) => used.get_mut(*index).into_iter().for_each(|used| *used = true),
        Logic::Item(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::{RuleFile, RuleSet};

    const HEAD: &str = "title: t\ndescription: d\nlevel: high\ntags: [attack.t1562]\nreferences: [https://example.com]\n\
                        falsepositives: [none]\nlogsource: {product: aws, service: cloudtrail}\n";

    fn lint(text: &str) -> Vec<String> {
        let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text: text.to_owned() };
        let rules = RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        rules.lint(&|_| Some(text.to_owned())).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_what_is_probably_not_meant() {
        let check = |detection: &str, expected: &[&str]| {
            let found = lint(&format!("{HEAD}detection:\n{detection}"));
            assert_eq!(found.len(), expected.len(), "{found:#?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found} should say {expected}");
            }
        };
        check("  a:\n    eventName: X\n  condition: a\n", &[]);
        check(
            "  a: {eventName: X}\n  b: {errorCode: Y}\n  condition: a\n",
            &["r.yml:10:3: the search `b` is never used"],
        );
        check("  a: {eventName: X}\n  condition: not a\n", &["holds for a record that has none of these fields"]);
        check("  a: {errorCode: X}\n  condition: a\n", &["every record of every service"]);
        check(
            "  a:\n    eventName: X\n    eventNmae: Y\n  condition: a\n",
            &["r.yml:11:5: CloudTrail records have no `eventNmae`; did you mean `eventName`?"],
        );
        check(
            "  a: {eventName: X}\n  b: {errorCode: Y}\n  condition: a\nx-watch:\n  levels: {b: low}\n",
            &["raises nothing by `b`: the rule is high anyway"],
        );
    }

    #[test]
    fn finds_what_is_missing() {
        let text = "title: t\nlevel: high\nlogsource: {product: aws, service: cloudtrail}\ndetection: {a: {eventName: X}, \
                    condition: a}\n";
        let found = lint(text).join("\n");
        for key in ["description", "falsepositives", "tags", "references"] {
            assert!(found.contains(&format!("r.yml:1:1: `{key}` is missing")), "{found}");
        }
    }
}
