//! What a Sigma document says about itself: title, level, tags and so on.
//!
//! Deliberately silent about Sigma's other keys and about custom ones, which belong to other tools.

use sha2::{Digest as _, Sha256};

use super::{
    RuleFile,
    definition::{About, Maturity},
    extension::choice,
    problem::{Place, Problems, nearest},
    stage,
    tuning::Mode,
    yaml::{Kind, Node},
};
use crate::alert::Severity;

/// Reads a document's metadata; `None` when something the engine needs is missing, which is then in `problems`.
pub(super) fn read(document: &Node, id: &str, file: &RuleFile, problems: &mut Problems<'_>) -> Option<About> {
    let before = problems.count();
    for (key, _) in document.entries().unwrap_or(&[]) {
        if key.text != "x-watch" && !nearest(&key.text, ["x-watch"]).is_empty() {
            problems.add(key.place, format!("unknown key `{}`; did you mean x-watch?", key.text));
        }
    }
    let title = text(document, "title", problems);
    if title.is_none() {
        problems.add(document.place, "the title is missing; say in a few words what is detected");
    }
    let severity = match document.get("level") {
        Some(level) => choice(level, "level", &Severity::ALL, Severity::as_str, problems),
        None => {
            problems
                .add(document.place, "the level is missing; valid is informational, low, medium, high and critical");
            None
        }
    };
    let status = match document.get("status") {
        Some(status) => choice(status, "status", &Maturity::ALL, Maturity::as_str, problems),
        None => Some(Maturity::Experimental),
    };
    let tags = texts(document, "tags", problems);
    let about = About {
        id: id.to_owned(),
        file: file.path.clone(),
        digest: Sha256::digest(file.text.as_bytes()).into(),
        sigma_id: text(document, "id", problems),
        name: text(document, "name", problems),
        title: title.unwrap_or_default(),
        description: text(document, "description", problems).unwrap_or_default(),
        severity: severity.unwrap_or(Severity::Informational),
        status: status.unwrap_or(Maturity::Experimental),
        stage: stage::read(document, &tags, problems),
        attack: tags.iter().filter_map(|tag| technique(tag)).collect(),
        references: texts(document, "references", problems),
        false_positives: texts(document, "falsepositives", problems),
        summary: None,
        runbook: format!("rules/{id}/runbook.md"),
        mode: Mode::On,
    };
    (problems.count() == before).then_some(about)
}

/// `T1562.008` of `attack.t1562.008`; `None` of tactics and of other tags.
fn technique(tag: &str) -> Option<String> {
    let rest = tag.to_ascii_lowercase();
    let rest = rest.strip_prefix("attack.")?;
    let digits = rest.strip_prefix('t')?;
    let numeric =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    numeric.then(|| rest.to_ascii_uppercase())
}

/// A text under `key`, if any.
pub(super) fn text(document: &Node, key: &str, problems: &mut Problems<'_>) -> Option<String> {
    let node = document.get(key)?;
    match &node.kind {
        Kind::Text(text) => Some(text.trim_end().to_owned()),
        Kind::Null => None,
        Kind::Int(number) => Some(number.to_string()),
        _ => {
            problems.add(node.place, format!("{key} is a text, and this is {}", node.noun()));
            None
        }
    }
}

/// The texts of a list under `key`, or the one text.
pub(super) fn texts(document: &Node, key: &str, problems: &mut Problems<'_>) -> Vec<String> {
    placed_texts(document, key, problems).into_iter().map(|(_, text)| text).collect()
}

/// The same with their places.
pub(super) fn placed_texts(document: &Node, key: &str, problems: &mut Problems<'_>) -> Vec<(Place, String)> {
    let Some(node) = document.get(key) else {
        return Vec::new();
    };
    let elements = match &node.kind {
        Kind::List(elements) => elements.as_slice(),
        Kind::Null => &[],
        _ => std::slice::from_ref(node),
    };
    let mut found = Vec::new();
    for element in elements {
        match element.text() {
            Some(text) => found.push((element.place, text.to_owned())),
            None => problems.add(element.place, format!("{key} holds texts, and this is {}", element.noun())),
        }
    }
    found
}
