//! `|expand`: values that stand outside the rule, such as the names of the administrators of an organization.
//!
//! `%name%` in the value of such a field is replaced by each value that the configuration gives for the name; everything
//! else about the field stays as it is. Deliberately done before the rule is compiled, so nothing else knows of it.

use std::collections::BTreeMap;

use super::{
    problem::{Problems, listed},
    yaml::{Key, Kind, Node},
};

/// Values by the names of placeholders, without their percent signs.
pub type Placeholders = BTreeMap<String, Vec<String>>;

const MODIFIER: &str = "expand";
/// The most values that one value of a rule may become.
const VALUES_MAX: usize = 10_000;

/// The document with its placeholders filled in; what has no value goes to `problems`.
pub(super) fn filled(document: &Node, values: &Placeholders, problems: &mut Problems<'_>) -> Node {
    let kind = match &document.kind {
        Kind::Map(entries) => Kind::Map(entries.iter().map(|(key, node)| entry(key, node, values, problems)).collect()),
        Kind::List(elements) => Kind::List(elements.iter().map(|node| filled(node, values, problems)).collect()),
        other => other.clone(),
    };
    Node { place: document.place, kind }
}

fn entry(key: &Key, node: &Node, values: &Placeholders, problems: &mut Problems<'_>) -> (Key, Node) {
    let mut parts = key.text.split('|');
    if !parts.clone().skip(1).any(|modifier| modifier == MODIFIER) {
        return (key.clone(), filled(node, values, problems));
    }
    let field = parts.next().unwrap_or_default();
    let kept: Vec<&str> = std::iter::once(field).chain(parts.filter(|modifier| *modifier != MODIFIER)).collect();
    let elements = match &node.kind {
        Kind::List(elements) => elements.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut expanded = Vec::new();
    for element in elements {
        match element.text() {
            Some(text) => {
                let texts = expand(text, values).unwrap_or_else(|message| {
                    problems.add(element.place, message);
                    // What is wrong is said once, and the rest of the rule is still checked.
                    vec![text.to_owned()]
                });
                expanded.extend(texts.into_iter().map(|text| Node { place: element.place, kind: Kind::Text(text) }));
            }
            None => expanded.push(element.clone()),
        }
    }
    let kind = match expanded.as_slice() {
        [only] => only.kind.clone(),
        _ => Kind::List(expanded),
    };
    (Key { place: key.place, text: kept.join("|") }, Node { place: node.place, kind })
}

/// Every text that `text` stands for.
fn expand(text: &str, values: &Placeholders) -> Result<Vec<String>, String> {
    let mut texts = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let Some((name, after)) = after.split_once('%') else { break };
        let known = || listed(values.keys().map(String::as_str));
        let given = values.get(name).filter(|given| !given.is_empty()).ok_or_else(|| {
            format!(
                "the placeholder %{name}% has no values; give them in the configuration, as placeholders = {{ {name} = \
                 [\"...\"] }} under [rules]; there are {}",
                known()
            )
        })?;
        if texts.len().saturating_mul(given.len()) > VALUES_MAX {
            return Err(format!("the placeholders of this value make more than {VALUES_MAX} values of it"));
        }
        texts = texts.iter().flat_map(|text| given.iter().map(move |value| format!("{text}{before}{value}"))).collect();
        rest = after;
    }
    texts.iter_mut().for_each(|text| text.push_str(rest));
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rule::{JsonFields, RuleFile, RuleSet};

    fn compile(value: &str) -> Result<RuleSet, Vec<String>> {
        let text = format!(
            "title: t\nlevel: high\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  a:\n    eventName: X\n    \
             userIdentity.userName|expand{value}\n  condition: a\n"
        );
        let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text };
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let values = Placeholders::from([
            ("admins".to_owned(), named(&["kim", "lee"])),
            ("teams".to_owned(), named(&["a", "b"])),
            ("none".to_owned(), Vec::new()),
        ]);
        RuleSet::compile_with(&[file], &values).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_placeholder_stands_for_each_of_its_values() {
        let check = |value: &str, user: &str, matches: bool| {
            let rules = compile(value).unwrap_or_else(|problems| panic!("{problems:?}"));
            let record = json!({"eventName": "X", "userIdentity": {"userName": user}});
            let judged = rules.rules()[0].matches(&JsonFields(&record)).is_some();
            assert_eq!(judged, matches, "{value} of {user}");
        };
        check(": '%admins%'", "lee", true);
        check(": '%admins%'", "pat", false);
        check("|startswith: '%teams%-%admins%'", "b-kim-2", true);
        check("|startswith: '%teams%-%admins%'", "kim-b", false);
        check(": ['%admins%', root]", "root", true);
        check(": 'just a % sign'", "just a % sign", true);
    }

    #[test]
    fn a_placeholder_without_values_is_a_problem_with_a_place() {
        for (value, name) in [(": '%admin%'", "%admin%"), (": '%none%'", "%none%")] {
            let problems = compile(value).unwrap_err();
            let said = problems.iter().any(|problem| problem.starts_with("r.yml:7:") && problem.contains(name));
            assert!(said && problems[0].contains("admins, none and teams"), "{problems:?}");
        }
    }
}
