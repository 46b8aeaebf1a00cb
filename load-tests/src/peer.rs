//! rsigma-eval, the leading Sigma engine in Rust, as it is meant to be used: parse into a `Value`, then evaluate.

use anyhow::Context as _;
use bedrock_watch_engine::Second;
use rsigma_eval::{CorrelationConfig, CorrelationEngine, Engine, event::JsonEvent};
use serde_json::Value;

/// Five rules of the shape of those that have to look at CloudTrail for Bedrock.
const RULES: &str = include_str!("../rules/five.yml");
/// A burst of 100 calls in a minute, as a Sigma correlation.
const BURST: &str = include_str!("../rules/burst.yml");

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
