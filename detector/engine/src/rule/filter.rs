//! Sigma filters: conditions of their own documents that are added to rules, so that an exception need not be written
//! into somebody else's file.
//!
//! A filter holds for the rules it names (by rule id, Sigma name or Sigma id), or with `rules: any` for every rule of its
//! logsource; what it says is joined to their condition by "and". Deliberately not for correlations: the rules that they
//! count are filtered.

use super::{
    condition,
    definition::Rule,
    detection,
    logic::{Logic, Search},
    metadata,
    problem::{Place, Problems, nearest},
    vocabulary::Domain,
    yaml::Node,
};

/// A filter whose rules are not found yet.
#[derive(Debug)]
pub(super) struct Filter {
    file: String,
    domain: Domain,
    /// The rules it names; none for all of its domain.
    rules: Option<Vec<(Place, String)>>,
    searches: Vec<Search>,
    condition: Logic,
}

/// Reads a filter's document.
pub(super) fn read(document: &Node, domain: Domain, file: &str, problems: &mut Problems<'_>) -> Option<Filter> {
    let before = problems.count();
    let node = document.get("filter")?;
    let Some(entries) = node.entries() else {
        problems.add(node.place, format!("a filter is a mapping, and this is {}", node.noun()));
        return None;
    };
    let rules = match node.get("rules").map(|rules| (rules, rules.text())) {
        Some((_, Some("any"))) => None,
        Some(_) => Some(metadata::placed_texts(node, "rules", problems)),
        None => {
            problems.add(node.place, "the rules are missing; name those that it filters, or write any");
            return None;
        }
    };
    let is_search = |key: &str| !matches!(key, "rules" | "condition");
    let searches: Vec<Search> = entries
        .iter()
        .filter(|(key, _)| is_search(&key.text))
        .map(|(key, value)| Search { name: key.text.clone(), logic: detection::search(value, domain, problems) })
        .collect();
    let Some(condition) = node.get("condition") else {
        problems.add(node.place, "the condition is missing; write, for example, condition: not selection");
        return None;
    };
    let condition = condition::condition(condition, &searches, problems);
    (problems.count() == before).then(|| Filter { file: file.to_owned(), domain, rules, searches, condition })
}

/// Adds filters to the rules they are for. A name in `declared` belongs to a rule that has problems of its own.
pub(super) fn apply(
    filters: Vec<Filter>,
    rules: &mut [Rule],
    declared: &[String],
    found: &mut Vec<super::problem::Problem>,
) {
    for filter in filters {
        let mut problems = Problems::new(&filter.file);
        match &filter.rules {
            None => rules.iter_mut().filter(|rule| rule.domain == filter.domain).for_each(|rule| join(&filter, rule)),
            Some(names) => {
                for (place, name) in names {
                    match rules.iter_mut().find(|rule| is_called(rule, name)) {
                        Some(rule) if rule.domain == filter.domain => join(&filter, rule),
                        Some(_) => problems.add(*place, format!("`{name}` is for another logsource than this filter")),
                        None if declared.contains(name) => {}
                        None => problems.add(*place, unknown(name, rules)),
                    }
                }
            }
        }
        found.extend(problems.into_found());
    }
}

fn is_called(rule: &Rule, name: &str) -> bool {
    let about = &rule.about;
    about.id == name || about.name.as_deref() == Some(name) || about.sigma_id.as_deref() == Some(name)
}

fn unknown(name: &str, rules: &[Rule]) -> String {
    let known = rules.iter().map(|rule| rule.about.name.as_deref().unwrap_or(&rule.about.id));
    let hint = match nearest(name, known).as_slice() {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    };
    format!("no rule is named `{name}`, by its folder, Sigma name or Sigma id{hint}")
}

/// Joins the filter's condition to the rule's.
fn join(filter: &Filter, rule: &mut Rule) {
    let offset = rule.searches.len();
    let shifted = |search: &Search| Search { name: format!("filter: {}", search.name), ..search.clone() };
    rule.searches.extend(filter.searches.iter().map(shifted));
    let own = std::mem::replace(&mut rule.condition, Logic::All(Vec::new()));
    rule.condition = Logic::All(vec![own, shift(&filter.condition, offset)]);
}

/// The same logic over searches that stand `offset` places later.
fn shift(logic: &Logic, offset: usize) -> Logic {
    let all = |parts: &[Logic]| parts.iter().map(|part| shift(part, offset)).collect();
    match logic {
        Logic::All(parts) => Logic::All(all(parts)),
        Logic::Any(parts) => Logic::Any(all(parts)),
        Logic::AtLeast(wanted, parts) => Logic::AtLeast(*wanted, all(parts)),
        Logic::Not(part) => Logic::Not(Box::new(shift(part, offset))),
        Logic::Search(index) => Logic::Search(index.saturating_add(offset)),
        Logic::Item(item) => Logic::Item(item.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rule::{JsonFields, RuleFile, RuleSet};

    fn rule(id: &str, name: &str) -> RuleFile {
        let text = format!(
            "title: {id}\nname: {name}\nlevel: high\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  a: \
             {{eventName: X}}\n  condition: a\n"
        );
        RuleFile { path: format!("{id}.yml"), id: id.to_owned(), text }
    }

    fn filter(filter: &str, logsource: &str) -> RuleFile {
        let text = format!("title: f\nlogsource: {{{logsource}}}\nfilter:\n{filter}");
        RuleFile { path: "f.yml".to_owned(), id: "f".to_owned(), text }
    }

    const CLOUDTRAIL: &str = "product: aws, service: cloudtrail";

    #[test]
    fn a_filter_is_joined_to_the_rules_it_is_for() {
        let check = |text: &str, expected: [bool; 2]| {
            let rules = RuleSet::compile(&[rule("one", "first"), filter(text, CLOUDTRAIL), rule("two", "second")]);
            let rules = rules.unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
            let record = json!({"eventName": "X", "userAgent": "ci/1"});
            let matched = ["one", "two"].map(|id| rules.by_id(id).unwrap().matches(&JsonFields(&record)).is_some());
            assert_eq!(matched, expected, "{text}");
        };
        let not_ci = "  selection:\n    userAgent|startswith: ci/\n  condition: not selection\n";
        check(&format!("  rules: [first]\n{not_ci}"), [false, true]);
        check(&format!("  rules: [one, second]\n{not_ci}"), [false, false]);
        check(&format!("  rules: any\n{not_ci}"), [false, false]);
        check(&format!("  rules: two\n{not_ci}").replace("not selection", "1 of sel*"), [true, true]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: &str, logsource: &str, expected: &str| {
            let problems = RuleSet::compile(&[rule("one", "first"), filter(text, logsource)]).map(drop).unwrap_err();
            assert!(problems.iter().any(|problem| problem.to_string().contains(expected)), "{problems:?}");
        };
        let rest = "  a: {eventName: Y}\n  condition: not a\n";
        check(&format!("  rules: [frist]\n{rest}"), CLOUDTRAIL, "f.yml:4:11: no rule is named `frist`");
        check(rest, CLOUDTRAIL, "the rules are missing");
        check("  rules: any\n  a: {eventName: Y}\n", CLOUDTRAIL, "the condition is missing");
        check(&format!("  rules: any\n{rest}").replace("not a", "not b"), CLOUDTRAIL, "f.yml:6:");
        let state = "product: bedrock-watch, service: state";
        let other = "  rules: [one]\n  a: {watch.event: DetectorBlind}\n  condition: not a\n";
        check(other, state, "another logsource");
    }
}
