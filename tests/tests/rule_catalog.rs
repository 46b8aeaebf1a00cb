//! Every rule folder is complete and says what the people who tune and answer alerts need.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use bedrock_watch_engine::{
    alert::Severity,
    rule::{About, RuleSet},
};
use bedrock_watch_service::cases::{Case, RulePack};
use bedrock_watch_tests::repository::{cases_of, compiled, root, rule_pack};

/// The flagship rules.
const FLAGSHIPS: [&str; 14] = [
    "customization-job-dependency-lost",
    "customization-job-security-group-delete-refused",
    "customization-job-security-group-deleted",
    "customization-job-security-group-emptied",
    "customization-job-security-group-missing",
    "invocation-burst",
    "invocation-logging-destination-lost",
    "invocation-logging-disabled",
    "invocation-logging-weakened",
    "invocation-model-fanout",
    "invocation-probing",
    "invocation-region-fanout",
    "model-access-api-with-long-term-key",
    "model-access-enabled-then-used",
];

/// The headings of a runbook, in this order.
const HEADINGS: [&str; 5] = ["## What happened", "## Is it real?", "## Contain", "## Recover", "## Known gaps"];

/// The least words below each heading of a runbook.
const SECTION_WORDS_MIN: usize = 15;

#[test]
fn the_flagship_rules_are_there() {
    let rules = rule_pack().unwrap().rule_ids();
    let missing = FLAGSHIPS.iter().filter(|id| !rules.contains(**id)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn every_rule_is_complete() {
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let mut faults = Vec::new();
    for about in alerting(&rules) {
        let mut fault = |what: String| faults.push(format!("{}: {what}", about.id));
        rule_faults(&pack, about).into_iter().for_each(&mut fault);
        runbook_faults(&pack, &about.id).into_iter().for_each(&mut fault);
        case_faults(&cases_of(&pack, &about.id).unwrap()).into_iter().for_each(&mut fault);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_of_a_rule_folder_is_one_of_the_three_kinds() {
    let pack = rule_pack().unwrap();
    let odd = pack.paths().filter(|path| {
        let parts = path.split('/').collect::<Vec<_>>();
        !match parts.as_slice() {
            ["README.md" | "COVERAGE.toml" | "VOCABULARY.md" | "prices.toml"] | [_, "rule.yml" | "runbook.md"] => true,
            ["events", _, file] => file.ends_with(".json"),
            [_, "cases", file] => file.ends_with(".yml"),
            _ => false,
        }
    });
    assert_eq!(odd.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn every_sample_record_is_used_by_a_case() {
    let pack = rule_pack().unwrap();
    let cases = pack.paths().filter(|path| path.contains("/cases/")).filter_map(|path| pack.file(path));
    let text = cases.map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    let unused = pack.event_names().filter(|name| !text.contains(*name)).collect::<Vec<_>>();
    assert_eq!(unused, Vec::<&str>::new());
}

/// The rules and correlations that raise alerts; others only feed a correlation in whose file they stand.
fn alerting(rules: &RuleSet) -> Vec<&About> {
    let single = rules.rules().iter().filter(|rule| rule.alerts()).map(|rule| rule.about());
    single.chain(rules.correlations().iter().map(|correlation| correlation.about())).collect()
}

#[test]
fn the_readme_lists_every_rule_with_its_levels() {
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut listed = BTreeMap::new();
    for line in readme.lines().filter_map(|line| line.strip_prefix("| `")) {
        if let [id, levels, what] = line.trim_end_matches(" |").split(" | ").collect::<Vec<_>>().as_slice() {
            listed.insert(id.trim_end_matches('`').to_owned(), ((*levels).to_owned(), (*what).to_owned()));
        }
    }
    let mut faults = Vec::new();
    for about in alerting(&rules) {
        let levels = levels_of(&pack, about);
        match listed.remove(&about.id) {
            Some((said, what)) if said == levels && !what.is_empty() => {}
            Some((said, _)) => faults.push(format!("{}: README says {said}, the rule {levels}", about.id)),
            None => faults.push(format!("{} is not in README: | `{}` | {levels} | ... |", about.id, about.id)),
        }
    }
    let levels = Severity::ALL.map(Severity::as_str);
    let gone = listed.iter().filter(|(_, (said, _))| levels.contains(&said.split(", ").next().unwrap_or_default()));
    faults.extend(gone.map(|(id, _)| format!("README lists {id}, which is no rule")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The level of a rule and those it can reach, lowest first, as the README writes them.
fn levels_of(pack: &RulePack, about: &About) -> String {
    let text = String::from_utf8_lossy(pack.file(&format!("{}/rule.yml", about.id)).unwrap_or_default()).into_owned();
    let section = text.split_once("\n  levels:").map(|(_, section)| section).unwrap_or_default();
    // Either `{search: level}` in the line of the key, or a search a line below it.
    let inline = section.lines().take(1);
    let below = section.lines().skip(1).take_while(|line| line.starts_with("    "));
    let raised = inline.chain(below).flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric()));
    let raised = raised.collect::<BTreeSet<_>>();
    let known = Severity::ALL.map(Severity::as_str);
    let named = known.iter().filter(|level| **level == about.severity.as_str() || raised.contains(**level));
    named.copied().collect::<Vec<_>>().join(", ")
}

fn rule_faults(pack: &RulePack, about: &About) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    let text = pack.file(&format!("{}/rule.yml", about.id)).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    expect(text.lines().any(|line| line == format!("name: {}", about.id)), "`name` is not the folder's name");
    expect(text.lines().any(|line| line.starts_with("author: ")), "no author");
    expect(text.lines().any(|line| line.starts_with("date: ")), "no date");
    expect(text.lines().any(|line| line.starts_with("status: ")), "no status");
    expect(about.description.starts_with("Detects "), "the description does not start with `Detects`");
    expect(!about.false_positives.is_empty(), "no false positives");
    expect(about.references.iter().any(|link| link.starts_with("https://")), "no reference");
    expect(!about.attack.is_empty(), "no ATT&CK technique");
    let shape = about.attack.iter().all(|id| is_technique(id));
    expect(shape, "an ATT&CK technique is not of the form T1234 or T1234.001");
    expect(about.summary.is_some(), "no summary");
    faults
}

fn is_technique(id: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = id.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        Some((technique, part)) => digits(technique, 4) && digits(part, 3),
        None => digits(rest, 4),
    }
}

fn runbook_faults(pack: &RulePack, rule: &str) -> Vec<String> {
    let Some(bytes) = pack.file(&format!("{rule}/runbook.md")) else { return vec!["no runbook.md".to_owned()] };
    let text = String::from_utf8_lossy(bytes);
    let mut faults = Vec::new();
    if !text.starts_with("# ") {
        faults.push("the runbook does not start with its title".to_owned());
    }
    let headings = text.lines().filter(|line| line.starts_with("## ")).collect::<Vec<_>>();
    if headings != HEADINGS {
        faults.push(format!("the runbook's headings are {headings:?}, not {HEADINGS:?}"));
    }
    for section in text.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap_or_default();
        if section.split_whitespace().count() < SECTION_WORDS_MIN {
            faults.push(format!("the runbook says next to nothing under `{heading}`"));
        }
    }
    faults
}

fn case_faults(cases: &[Case]) -> Vec<String> {
    let firing = cases.iter().filter(|case| !case.expect.is_empty()).count();
    let quiet = cases.len() - firing;
    let mut faults = Vec::new();
    if firing < 2 || quiet < 2 {
        faults.push(format!("{firing} cases fire and {quiet} stay quiet; there must be two of each"));
    }
    for case in cases {
        // The name of a case tells what it shows.
        if case.name.starts_with("quiet-") != case.expect.is_empty() {
            faults.push(format!("the name of {} does not say whether it fires", case.file));
        }
        if !case.title.ends_with('.') {
            faults.push(format!("the title of {} is no sentence", case.file));
        }
    }
    faults
}
