//! Event generator, measurements and comparisons with peers, shared by the binaries and the benches.
//!
//! Nothing here is part of the product; it may depend on peers that the product must not contain.

pub mod delay;
pub mod generator;
pub mod load;
pub mod measure;
#[cfg(feature = "full")]
pub mod peer;
pub mod plot;
pub mod rules;
pub mod scenario;
pub mod table;

#[cfg(feature = "full")]
pub use full::built_in_rules;

#[cfg(feature = "full")]
mod full {
    //! What needs the service.

    use std::{path::Path, sync::Arc};

    use anyhow::{Context as _, anyhow};
    use bedrock_watch_engine::rule::RuleSet;
    use bedrock_watch_service::cases::RulePack;

    /// The rules of this repository with the prices of tokens, as the service reads them.
    ///
    /// # Errors
    /// When they cannot be read or do not compile.
    pub fn built_in_rules() -> anyhow::Result<Arc<RuleSet>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
        let pack = RulePack::read(&folder).context("reading the rules")?;
        let rules = pack.compile(&[]);
        Ok(Arc::new(rules.map_err(|problems| anyhow!("the rules have {} problems", problems.len()))?))
    }
}
