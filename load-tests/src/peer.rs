//! rsigma-eval, the leading Sigma engine in Rust, as it is meant to be used: parse into a `Value`, then evaluate.

use std::collections::BTreeSet;

use anyhow::Context as _;
use bedrock_watch_engine::{Second, rule::RuleFile};
use rsigma_eval::{CorrelationConfig, CorrelationEngine, Engine, event::JsonEvent};
use serde_json::Value;

/// Five rules of the shape of those that have to look at CloudTrail for Bedrock.
const RULES: &str = include_str!("../rules/five.yml");
/// A burst of 100 calls in a minute, as a Sigma correlation.
const BURST: &str = include_str!("../rules/burst.yml");
/// A burst of 50 calls in a minute, over one of the five rules.
const BURST_OF_50: &str = include_str!("../rules/burst-50.yml");

/// Stateless detection with five rules.
pub struct Detection {
    engine: Engine,
}

impl Detection {
    /// An engine with the five rules.
    ///
    /// # Errors
    /// When the peer refuses the rules.
    pub fn new() -> anyhow::Result<Self> {
        let rules = rsigma_parser::parse_sigma_yaml(RULES).context("parsing rules/five.yml")?;
        let mut engine = Engine::new();
        engine.add_collection(&rules).context("compiling rules/five.yml")?;
        Ok(Self { engine })
    }

    /// How many rules match a record.
    ///
    /// # Errors
    /// When the record is no JSON.
    pub fn judge(&self, record: &[u8]) -> anyhow::Result<usize> {
        let value: Value = serde_json::from_slice(record)?;
        Ok(self.engine.evaluate(&JsonEvent::borrow(&value)).len())
    }
}

/// The five rules and bursts of 50 calls, as one engine.
pub struct Both {
    engine: CorrelationEngine,
    /// Matches of the five rules.
    pub matches: u64,
    /// Callers with a burst.
    pub callers: BTreeSet<String>,
}

impl Both {
    /// An engine with the five rules and the correlation.
    ///
    /// # Errors
    /// When the peer refuses the rules.
    pub fn new() -> anyhow::Result<Self> {
        let rules = rsigma_parser::parse_sigma_yaml(&five_and_burst()).context("parsing the rules")?;
        let mut engine = CorrelationEngine::new(CorrelationConfig::default());
        engine.add_collection(&rules).context("compiling the rules")?;
        Ok(Self { engine, matches: 0, callers: BTreeSet::new() })
    }

    /// Judges a record.
    ///
    /// # Errors
    /// When the record is no JSON, or has no event time.
    pub fn judge(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let value: Value = serde_json::from_slice(record)?;
        let at = value.pointer("/detail/eventTime").and_then(Value::as_str).and_then(Second::parse);
        let at = at.context("a record without eventTime")?;
        for result in self.engine.process_event_at(&JsonEvent::borrow(&value), i64::from(at.0)) {
            match result.as_correlation().and_then(|burst| burst.group_key.first()) {
                Some((_, caller)) if !self.callers.contains(caller) => drop(self.callers.insert(caller.clone())),
                Some(_) => {}
                None => self.matches = self.matches.saturating_add(1),
            }
        }
        Ok(())
    }
}

/// The five rules and the burst of 50 calls, as one file.
#[must_use]
pub fn five_and_burst() -> String {
    format!("{RULES}---\n{BURST_OF_50}")
}

/// The same rules for bedrock-watch, whose rules name the fields of the CloudTrail record, not of its envelope.
#[must_use]
pub fn rules_for_records() -> [RuleFile; 2] {
    let file = |id: &str, text: String| {
        let text = text.replace("detail.", "");
        RuleFile { path: format!("{id}.yml"), id: id.to_owned(), text }
    };
    let base = RULES.split("---\n").find(|rule| rule.contains("name: bedrock_invoke")).unwrap_or_default();
    [file("five", RULES.to_owned()), file("burst-50", format!("{base}---\n{BURST_OF_50}"))]
}

/// Bursts, counted by a correlation in the order of arrival.
pub struct Bursts {
    engine: CorrelationEngine,
}

impl Bursts {
    /// An engine with the correlation.
    ///
    /// # Errors
    /// When the peer refuses the rules.
    pub fn new() -> anyhow::Result<Self> {
        let rules = rsigma_parser::parse_sigma_yaml(BURST).context("parsing rules/burst.yml")?;
        let mut engine = CorrelationEngine::new(CorrelationConfig::default());
        engine.add_collection(&rules).context("compiling rules/burst.yml")?;
        Ok(Self { engine })
    }

    /// The caller whose burst this record completes, if it does; the event time is given, as its own field is not
    /// among those the peer looks for.
    ///
    /// # Errors
    /// When the record is no JSON.
    pub fn judge(&mut self, record: &[u8], at: Second) -> anyhow::Result<Option<String>> {
        let value: Value = serde_json::from_slice(record)?;
        let results = self.engine.process_event_at(&JsonEvent::borrow(&value), i64::from(at.0));
        let burst = results.iter().find_map(|result| result.as_correlation());
        Ok(burst.and_then(|burst| burst.group_key.first()).map(|(_, caller)| caller.clone()))
    }
}
