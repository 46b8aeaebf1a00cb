//! Any bytes are compiled without a panic and without hanging.
//!
//! Quick by default; longer with, for example, `BOLERO_RANDOM_ITERATIONS=1000000` or
//! `BOLERO_RANDOM_TEST_TIME_MS=600000`. Half of the inputs are mutilated rules, which get deeper than noise.

use bedrock_watch_engine::rule::{JsonFields, RuleFile, RuleSet};

use crate::generator::{self, Random};

fn compile(text: &str) {
    let file = RuleFile { path: "f".to_owned(), id: "f".to_owned(), text: text.to_owned() };
    match RuleSet::compile(&[file]) {
        Ok(rules) => {
            let record = serde_json::json!({"eventName": "a", "requestParameters": {"list": ["a", 1, null]}});
            for rule in rules.rules() {
                rule.matches(&JsonFields(&record));
                rule.possible(&JsonFields(&record));
                assert!(rule.clauses().len() < 100_000);
            }
        }
        Err(problems) => assert!(!problems.is_empty() && problems.iter().all(|problem| problem.line > 0)),
    }
}

/// Cuts, doubles and swaps pieces of a valid rule as the bytes say.
fn mutilated(bytes: &[u8]) -> String {
    let mut random =
        Random(bytes.iter().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(*byte))));
    let mut text: Vec<char> = generator::rule(&mut random).chars().collect();
    for pair in bytes.chunks(2) {
        let at = random.below(text.len().max(1)).min(text.len());
        let length = usize::from(pair[0]) % 12;
        let end = (at + length).min(text.len());
        match pair.last().unwrap() % 4 {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, piece);
            }
            2 => text.insert(
                at,
                random.pick(&['|', '{', '[', '*', '&', '!', ':', '\n', ' ', '-', '\'', '"', '%', '\u{e9}']),
            ),
            _ => text.insert(at, char::from(pair[0])),
        }
    }
    text.into_iter().collect()
}

#[test]
fn any_text_compiles_or_is_refused() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if bytes.first().is_some_and(|first| first % 2 == 0) {
            compile(&mutilated(bytes));
        } else {
            compile(&String::from_utf8_lossy(bytes));
        }
    });
}
