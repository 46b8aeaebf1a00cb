//! Whether a rule's pattern matches a sample: by our own matcher, else by AWS's word.

use super::{facts::Rule, pattern, samples::Sample};

/// Whether the pattern of `rule` matches `sample`; `None` where nobody knows.
#[must_use]
pub(super) fn matched(rule: &Rule, sample: &Sample, account: &str, region: &str) -> Option<bool> {
    let own = serde_json::from_str(&rule.pattern)
        .ok()
        .and_then(|wanted| pattern::matches(&wanted, &sample.event(account, region)));
    own.or_else(|| rule.tested.get(sample.name).copied())
}
