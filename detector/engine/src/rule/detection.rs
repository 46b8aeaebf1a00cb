//! The searches of a rule's `detection`, compiled: mappings are `and`, lists of mappings `or`, bare texts are searched
//! for in the whole event.
//!
//! Deliberately no array selectors of Sigma 3 (`field[any]`): a test of an array holds when it holds for an element.

use rsigma_parser::SigmaString;

use super::{
    encoding, field,
    logic::{Check, Comparison, Item, Logic, Relation, Test},
    modifier::{Encoding, Operator, Plan},
    pattern::Pattern,
    problem::{Place, Problems},
    vocabulary::Domain,
    yaml::{Key, Kind, Node},
};

/// The largest compiled regular expression, in bytes.
const REGEX_MAX: usize = 1024 * 1024;

/// Compiles one search; parts with problems are left out.
pub(super) fn search(node: &Node, domain: Domain, problems: &mut Problems<'_>) -> Logic {
    match &node.kind {
        Kind::Map(entries) => {
            if entries.is_empty() {
                problems.add(node.place, "an empty search matches nothing in particular; name a field");
            }
            let items = entries.iter().filter_map(|(key, value)| item(key, value, domain, problems));
            Logic::All(items.map(|item| Logic::Item(Box::new(item))).collect())
        }
        Kind::List(elements) => {
            let simple = |node: &Node| !matches!(node.kind, Kind::Map(_) | Kind::List(_));
            if elements.is_empty() {
                problems.add(node.place, "an empty list never matches; give it a value");
            }
            if !elements.is_empty() && elements.iter().all(simple) {
                return keywords(elements, problems);
            }
            Logic::Any(elements.iter().map(|element| search(element, domain, problems)).collect())
        }
        _ => keywords(std::slice::from_ref(node), problems),
    }
}

fn keywords(elements: &[Node], problems: &mut Problems<'_>) -> Logic {
    let key = Key { place: Place::START, text: String::new() };
    let item = Plan::read(&key, problems).map(|plan| {
        let tests = elements.iter().filter_map(|node| test(node, &plan, Domain::CloudTrail, problems)).collect();
        Item { key: "keywords".to_owned(), field: None, every: false, negated: false, tests }
    });
    item.map_or(Logic::Any(Vec::new()), |item| Logic::Item(Box::new(item)))
}

fn item(key: &Key, value: &Node, domain: Domain, problems: &mut Problems<'_>) -> Option<Item> {
    let plan = Plan::read(key, problems);
    let name = key.text.split('|').next().unwrap_or("");
    let field = if name.is_empty() {
        None
    } else {
        match field::resolve(name, domain) {
            Ok(field) => Some(field),
            Err(message) => {
                problems.add(key.place, message);
                return None;
            }
        }
    };
    let plan = plan?;
    let values = match &value.kind {
        Kind::List(elements) => elements.as_slice(),
        _ => std::slice::from_ref(value),
    };
    if values.is_empty() {
        problems.add(value.place, "an empty list never matches; give it a value");
    }
    if plan.every && values.len() < 2 {
        problems.add(key.place, "|all asks for more than one value; leave it out or give it a list");
    }
    if plan.operator == Operator::Exists && values.len() != 1 {
        problems.add(value.place, "|exists takes one value, true or false");
    }
    let tests: Vec<Test> = values.iter().filter_map(|value| test(value, &plan, domain, problems)).collect();
    Some(Item { key: key.text.clone(), field, every: plan.every, negated: plan.negated, tests })
}

fn test(value: &Node, plan: &Plan, domain: Domain, problems: &mut Problems<'_>) -> Option<Test> {
    match check(value, plan, domain) {
        Ok(check) => Some(Test { written: written(value), check }),
        Err(message) => {
            problems.add(value.place, message);
            None
        }
    }
}

/// A scalar as it is written; `None` for what is no scalar or nothing.
fn scalar_text(value: &Node) -> Option<String> {
    match &value.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Int(number) => Some(number.to_string()),
        Kind::Float(number) => Some(number.to_string()),
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => None,
    }
}

fn written(value: &Node) -> String {
    scalar_text(value).unwrap_or_else(|| "null".to_owned())
}

fn check(value: &Node, plan: &Plan, domain: Domain) -> Result<Check, String> {
    if matches!(value.kind, Kind::List(_) | Kind::Map(_)) {
        return Err(format!("a value is a text, number, boolean or null, and this is {}", value.noun()));
    }
    let text = || scalar_text(value).ok_or_else(|| "a text is needed here, and this is nothing".to_owned());
    if let Some(part) = plan.part {
        let comparison = if let Operator::Compare(comparison) = plan.operator { comparison } else { Comparison::Equal };
        let number = text()?.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| format!("`{}` is no number, and parts of times are", written(value)))?;
        return Ok(Check::Part(part, comparison, number));
    }
    match plan.operator {
        Operator::Value if plan.field.is_empty() => Ok(value_check(&Kind::Text(text()?), plan)?),
        Operator::Value => value_check(&value.kind, plan),
        Operator::Regex { insensitive, multiline, dotall } => regex::RegexBuilder::new(&text()?)
            .case_insensitive(insensitive)
            .multi_line(multiline)
            .dot_matches_new_line(dotall)
            .size_limit(REGEX_MAX)
            .nest_limit(100)
            .build()
            .map(|regex| Check::Text(Pattern::Regex(regex)))
            .map_err(|error| {
                let reason = error.to_string();
                let last = reason.lines().last().unwrap_or("").trim().trim_start_matches("error: ").to_owned();
                format!(
                    "this regular expression cannot be used: {last} (look-around and back-references are not supported)"
                )
            }),
        Operator::Network => text()?.parse().map(Check::Network).map_err(|_| {
            format!("`{}` is no network; write an address and a prefix length, as in 10.0.0.0/8", written(value))
        }),
        Operator::Exists => match (&value.kind, value.text()) {
            (Kind::Bool(wanted), _) => Ok(Check::Exists(*wanted)),
            (_, Some("true" | "yes")) => Ok(Check::Exists(true)),
            (_, Some("false" | "no")) => Ok(Check::Exists(false)),
            _ => Err("|exists takes true or false".to_owned()),
        },
        Operator::Reference => {
            let name = SigmaString::new(&text()?)
                .as_plain()
                .ok_or_else(|| "the name of a field has no wildcards".to_owned())?;
            let relation = plan.relation.unwrap_or(Relation::Equals);
            Ok(Check::Reference { field: field::resolve(&name, domain)?, relation, cased: plan.cased })
        }
        Operator::Compare(comparison) => text()?
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|number| Check::Number(comparison, number))
            .ok_or_else(|| format!("`{}` is no number", written(value))),
    }
}

/// A comparison by what the value is: text, number, boolean or null.
#[expect(clippy::cast_precision_loss, reason = "Sigma compares numbers as floating point")]
fn value_check(value: &Kind, plan: &Plan) -> Result<Check, String> {
    let relation = match plan.relation {
        Some(relation) => relation,
        None if plan.field.is_empty() => Relation::Contains,
        None => Relation::Equals,
    };
    let number = |written: String, value: f64| {
        if plan.encoding.is_some() {
            return Err("|base64, |base64offset and |windash need a text; put it in quotes".to_owned());
        }
        if plan.relation.is_some() {
            return Ok(Check::Text(Pattern::plain(&written, relation, plan.cased)));
        }
        Ok(Check::Number(Comparison::Equal, value))
    };
    match value {
        Kind::Null => Ok(Check::Null),
        Kind::Bool(wanted) => Ok(Check::Bool(*wanted)),
        Kind::Int(value) => number(value.to_string(), *value as f64),
        Kind::Float(value) => number(value.to_string(), *value),
        Kind::Text(text) => text_check(text, relation, plan),
        Kind::List(_) | Kind::Map(_) => Err("a value is a text, number, boolean or null".to_owned()),
    }
}

fn text_check(text: &str, relation: Relation, plan: &Plan) -> Result<Check, String> {
    let value = SigmaString::new(text);
    let plain = || value.as_plain().ok_or_else(|| "wildcards cannot be encoded; escape them as \\* or \\?".to_owned());
    Ok(match plan.encoding {
        None => Check::Text(Pattern::wildcard(&value, relation, plan.cased, false)),
        Some(Encoding::Dashes) => Check::Text(Pattern::wildcard(&value, relation, plan.cased, true)),
        Some(Encoding::Base64) => {
            let encoded = encoding::base64(&encoding::bytes(&plain()?, plan.wide));
            Check::Text(Pattern::plain(&encoded, relation, plan.cased))
        }
        Some(Encoding::Base64Offset) => {
            let pieces = encoding::base64_offsets(&encoding::bytes(&plain()?, plan.wide));
            if pieces.is_empty() {
                return Err("this text is too short to be found in base64".to_owned());
            }
            let patterns = pieces.iter().map(|piece| Pattern::plain(piece, Relation::Contains, plan.cased));
            Check::AnyText(patterns.collect())
        }
    })
}
