//! A new rule folder to start from: it compiles, and one of its cases fails until the rule is written.

use bedrock_watch_engine::Second;
use sha2::{Digest, Sha256};

/// The files of a template, with their paths inside the pack.
const FILES: [(&str, &str); 4] = [
    ("rule.yml", include_str!("template/rule.yml")),
    ("runbook.md", include_str!("template/runbook.md")),
    ("cases/fires-when-it-happens.yml", include_str!("template/fires-when-it-happens.yml")),
    ("cases/quiet-when-it-does-not.yml", include_str!("template/quiet-when-it-does-not.yml")),
];

/// The files of a new rule: path below the rules folder, and text.
///
/// # Errors
/// When `id` cannot be the name of a rule.
pub fn new_rule(id: &str, today: Second) -> Result<Vec<(String, String)>, String> {
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if id.is_empty() || id == "events" || !id.chars().all(allowed) || id.starts_with('-') || id.ends_with('-') {
        return Err(format!(
            "`{id}` cannot be a rule's id; use lower-case letters, digits and hyphens, such as `guardrail-deleted`"
        ));
    }
    let uuid = uuid_of(&[id.as_bytes(), &today.0.to_be_bytes()]);
    let date = today.to_rfc3339();
    let date = date.split('T').next().unwrap_or_default();
    let fill = |text: &str| text.replace("{uuid}", &uuid).replace("{id}", id).replace("{date}", date);
    Ok(FILES.iter().map(|(path, text)| (format!("{id}/{path}"), fill(text))).collect())
}

/// A UUID made from bytes, the same for the same bytes.
fn uuid_of(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let hash = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{RulePack, load};

    #[test]
    fn the_template_has_cases_that_can_be_built() {
        let files = new_rule("my-rule", Second(1_795_000_000)).unwrap();
        let sample = ("events/bedrock/InvokeModel.json".to_owned(), b"{}".to_vec());
        let files = files.into_iter().map(|(path, text)| (path, text.into_bytes())).chain([sample]);
        let pack = RulePack::from_files("rules", files);
        let cases = load(&pack, "my-rule").unwrap();
        assert_eq!(cases.iter().map(|case| case.expect.len()).collect::<Vec<_>>(), [1, 0]);
        let rule = pack.rule_files().into_iter().next().unwrap();
        assert!(rule.text.contains("name: my-rule\n") && rule.text.contains("date: 2026-11-1"), "{}", rule.text);
        // What is left of braces belongs to the summary.
        assert!(!rule.text.contains("{uuid}") && !rule.text.contains("{id}"), "{}", rule.text);
    }

    #[test]
    fn refuses_what_cannot_be_a_folder_of_a_rule() {
        for wrong in ["", "events", "My-Rule", "a/b", "../x", "-a", "a b"] {
            assert!(new_rule(wrong, Second(0)).is_err(), "{wrong:?}");
        }
    }
}
