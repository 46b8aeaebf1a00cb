//! For stateless rules, this engine and rsigma must agree on every event.

use bedrock_watch_engine::rule::{JsonFields, RuleFile, RuleSet};
use rsigma_eval::{compile_rule, evaluate_rule, event::JsonEvent};

use crate::generator::{self, Random};

const RULES: u64 = 3_000;
const EVENTS: usize = 30;

#[test]
fn agrees_with_rsigma_on_every_event() {
    let (mut matched, mut judged) = (0_usize, 0_usize);
    for seed in 0..RULES {
        let mut random = Random(seed);
        let text = generator::rule(&mut random);
        let file = RuleFile { path: "r.yml".to_owned(), id: "r".to_owned(), text: text.clone() };
        let rules = RuleSet::compile(&[file]).unwrap_or_else(|problems| panic!("seed {seed}: {problems:?}\n{text}"));
        let ours = &rules.rules()[0];
        let parsed = rsigma_parser::parse_sigma_yaml(&text.replace("detail.", "")).unwrap();
        assert!(parsed.errors.is_empty(), "seed {seed}: {:?}\n{text}", parsed.errors);
        let theirs = compile_rule(&parsed.rules[0]).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        for _ in 0..EVENTS {
            let event = generator::event(&mut random);
            let expected = evaluate_rule(&theirs, &JsonEvent::borrow(&event)).is_some();
            let found = ours.matches(&JsonFields(&event)).is_some();
            assert_eq!(found, expected, "seed {seed}: {event}\n{text}");
            judged += 1;
            matched += usize::from(found);
        }
    }
    // Otherwise the agreement would say little.
    assert!(matched * 5 > judged && matched * 5 < judged * 4, "{matched} of {judged} matched");
}
