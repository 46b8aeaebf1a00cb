//! What is missing around a rule, or probably not meant in it, that only its folder can tell: the runbook, the cases, and
//! fields that its events never had.

use bedrock_watch_engine::rule::{Problem, Rule, RuleSet};
use serde_json::Value;

use super::pack::RulePack;

/// The headings of a runbook, in this order.
pub const RUNBOOK_HEADINGS: [&str; 5] =
    ["## What happened", "## Is it real?", "## Contain", "## Recover", "## Known gaps"];
/// Cases that fire, and cases that stay quiet, of a complete rule.
const CASES_MIN: usize = 2;
/// The deepest path into a sample record that is looked at.
const DEPTH_MAX: usize = 16;

/// What is missing, or probably not meant, in the rules of `pack`, which compile to `rules`. Sample records may be those
/// of another pack too.
#[must_use]
pub fn lint(pack: &RulePack, rules: &RuleSet) -> Vec<Problem> {
    let files = pack.rule_files();
    let text_of = |file: &str| files.iter().find(|rule| rule.path == file).map(|rule| rule.text.clone());
    let mut found = rules.lint(&text_of);
    for rule in rules.rules() {
        samples(pack, rule, text_of(&rule.about().file).as_deref().unwrap_or_default(), &mut found);
    }
    for id in pack.rule_ids() {
        // Rules of others lie alone, and have no folder to put anything into.
        if pack.file(&format!("{id}/rule.yml")).is_some() {
            runbook(pack, &id, &mut found);
            cases(pack, &id, &mut found);
        }
    }
    found
}

fn at_start(file: &str, message: String) -> Problem {
    Problem { file: file.to_owned(), line: 1, column: 1, message }
}

fn runbook(pack: &RulePack, id: &str, found: &mut Vec<Problem>) {
    let path = format!("{id}/runbook.md");
    let Some(text) = pack.file(&path) else {
        let rule = format!("{id}/rule.yml");
        let message = format!("there is no runbook.md: whoever is woken needs to know {}", listed());
        found.push(at_start(pack.shown(&rule), message));
        return;
    };
    let text = String::from_utf8_lossy(text);
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
    for heading in RUNBOOK_HEADINGS.iter().filter(|heading| !headings.contains(heading)) {
        let message = format!("the heading `{heading}` is missing; a runbook has {}", listed());
        found.push(at_start(pack.shown(&path), message));
    }
}

fn listed() -> String {
    RUNBOOK_HEADINGS.map(|heading| heading.trim_start_matches("## ")).join(" / ")
}

fn cases(pack: &RulePack, id: &str, found: &mut Vec<Problem>) {
    let paths = pack.case_paths(id);
    let named = |start: &str| {
        let name = |path: &&str| path.rsplit('/').next().is_some_and(|name| name.starts_with(start));
        paths.iter().filter(|path| name(path)).count()
    };
    let (quiet, all) = (named("quiet-"), paths.len());
    let firing = all.saturating_sub(quiet);
    if firing < CASES_MIN || quiet < CASES_MIN {
        let rule = format!("{id}/rule.yml");
        let message = format!(
            "{firing} cases fire and {quiet} stay quiet; with {CASES_MIN} of each a change that breaks the rule is noticed"
        );
        found.push(at_start(pack.shown(&rule), message));
    }
}

/// Fields that no sample of the rule's events has, and that no case sets.
fn samples(pack: &RulePack, rule: &Rule, text: &str, found: &mut Vec<Problem>) {
    let names = rule.event_names();
    let is_sample = |name: &&str| {
        let event = name.rsplit('/').next().unwrap_or_default().to_lowercase();
        // A sample may be one of several of an event: `InvokeModel-throttled`.
        names
            .iter()
            .any(|wanted| event == *wanted || event.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')))
    };
    let samples = pack.event_names().filter(is_sample).filter_map(|name| pack.event(name));
    let samples: Vec<Value> = samples.filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
    let records: Vec<&Value> = samples.iter().map(|sample| sample.get("detail").unwrap_or(sample)).collect();
    if records.is_empty() {
        return;
    }
    let mut known = Vec::new();
    records.iter().for_each(|record| paths(record, "", DEPTH_MAX, &mut known));
    for path in rule.record_paths() {
        // What a failed call has, a sample of a successful one has not.
        let (top, _) = path.split_once('.').unwrap_or((&path, ""));
        let is_there = known.iter().any(|known| *known == path || known.starts_with(&format!("{path}.")));
        if is_there || !["requestParameters", "responseElements"].contains(&top) || is_set(pack, rule.id(), &path) {
            continue;
        }
        let near = known.iter().filter(|known| known.starts_with(top));
        let near = near.min_by_key(|known| strsim::damerau_levenshtein(known, &path));
        let hint = near.map_or_else(String::new, |near| format!("; the nearest that one has is `{near}`"));
        let (line, column) =
            (1_u32..).zip(text.lines()).find_map(|(line, text)| Some((line, text.find(&path)?))).unwrap_or((1, 0));
        found.push(Problem {
            file: rule.about().file.clone(),
            line,
            column: u32::try_from(column).unwrap_or(0).saturating_add(1),
            message: format!("no sample record of its events has the field `{path}`{hint}"),
        });
    }
}

/// Whether a case of the rule names a path.
fn is_set(pack: &RulePack, rule: &str, path: &str) -> bool {
    let texts = pack.case_paths(rule).into_iter().filter_map(|case| pack.file(case));
    texts.into_iter().any(|text| memchr::memmem::find(text, path.as_bytes()).is_some())
}

/// Every path in a value; elements of arrays have no name of their own.
fn paths(value: &Value, prefix: &str, depth: usize, found: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                found.push(path.clone());
                paths(value, &path, depth, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, prefix, depth, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "title: t\ndescription: d\nlevel: high\ntags: [attack.t1562]\nreferences: [https://example.com]\n\
                        falsepositives: [none]\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  a:\n    \
                        eventName: PutThing\n    requestParameters.thingNmae: x\n  condition: a\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        let pack = RulePack::from_files("rules", files);
        let rules = RuleSet::compile(&pack.rule_files()).unwrap_or_else(|problems| panic!("{problems:?}"));
        lint(&pack, &rules).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_what_a_folder_lacks() {
        let sample = r#"{"eventName": "PutThing", "requestParameters": {"thingName": "x", "list": [{"a": 1}]}}"#;
        let runbook = "# T\n## What happened\n## Contain\n";
        let found = found(&[
            ("a/rule.yml", RULE),
            ("a/runbook.md", runbook),
            ("a/cases/quiet-one.yml", ""),
            ("events/x/PutThing.json", sample),
            ("loose.yml", &RULE.replace("requestParameters.thingNmae", "requestParameters.list.a")),
        ]);
        let expected = [
            "rules/a/rule.yml:11:5: no sample record of its events has the field `requestParameters.thingNmae`; the \
             nearest that one has is `requestParameters.thingName`",
            "rules/a/runbook.md:1:1: the heading `## Is it real?` is missing",
            "rules/a/runbook.md:1:1: the heading `## Recover` is missing",
            "rules/a/runbook.md:1:1: the heading `## Known gaps` is missing",
            "rules/a/rule.yml:1:1: 0 cases fire and 1 stay quiet",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\nshould begin with\n{expected}");
        }
    }
}
