//! Every link between AWS and people, and whether it works: for `/v1/state`.
//!
//! What does not work is known by the names of reasons in `/readyz`; a reason belongs to the link whose name it begins
//! with. Deliberately no judgement of its own.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    config::{Config, SourceConfig},
    sink::Counted,
    store::Waiting,
};

/// A source, or a part of the service that can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is called in `/readyz`.
    pub name: String,
    /// `source`, `store`, `memory`, `inventory`, `canary`, `coverage` or `leases`.
    pub kind: &'static str,
}

impl Link {
    /// Those that a configuration has, sinks left out.
    #[must_use]
    pub fn of(config: &Config) -> Vec<Self> {
        let link = |kind, name: &str| Self { name: name.to_owned(), kind };
        let mut links: Vec<Self> = config.sources.iter().map(|source| link("source", &name_of(source))).collect();
        links.push(link("store", "store"));
        links.push(link("memory", "snapshot"));
        let parts = [
            (config.inventory.enabled, "inventory"),
            (config.canary.enabled, "canary"),
            (config.canary.enabled, "coverage"),
            (config.leases.enabled, "leases"),
        ];
        links.extend(parts.into_iter().filter(|(enabled, _)| *enabled).map(|(_, name)| link(name, name)));
        links
    }
}

/// What a source is called in `/readyz`.
fn name_of(source: &SourceConfig) -> String {
    let queue = |url: &str| url.rsplit('/').next().unwrap_or(url).to_owned();
    match source {
        SourceConfig::Http => "http".to_owned(),
        SourceConfig::Stdin => "stdin".to_owned(),
        SourceConfig::File { path, .. } => format!("file {}", path.display()),
        SourceConfig::Kinesis(kinesis) => format!("kinesis {}", kinesis.stream),
        SourceConfig::Sqs(sqs) => format!("sqs {}", queue(&sqs.queue_url)),
        SourceConfig::S3(s3) => format!("s3 {}", queue(&s3.queue_url)),
    }
}

/// What is known of links.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) reasons: BTreeMap<String, String>,
    pub(super) lags: BTreeMap<String, Duration>,
}

impl Known {
    /// The JSON of the links that are no sinks; the parts of a source that tell how far behind they are stand after it.
    pub(super) fn links(&self, links: &[Link]) -> Vec<Value> {
        let mut all = Vec::new();
        for link in links {
            all.push(self.link(&link.name, link.kind, None));
            let parts = self.lags.iter().filter(|(name, _)| link.kind == "source" && belongs(name, &link.name));
            all.extend(parts.map(|(name, lag)| self.link(name, "shard", Some(lag.as_secs()))));
        }
        all
    }

    fn link(&self, name: &str, kind: &str, lag_s: Option<u64>) -> Value {
        let failing = self.reason(name);
        let state = if failing.is_some() { "fails" } else { "works" };
        json!({ "name": name, "kind": kind, "state": state, "detail": failing, "lag_s": lag_s })
    }

    /// The JSON of a sink.
    pub(super) fn sink(&self, name: &str, waiting: &Waiting, counted: Option<&Counted>) -> Value {
        let failing = self.reason(&format!("sink {name}"));
        let has_trouble = counted.is_some_and(|counted| counted.failing > 0);
        let state = match (&failing, has_trouble, waiting.alerts) {
            (Some(_), ..) | (_, true, _) => "fails",
            (_, _, 0) => "works",
            _ => "waits",
        };
        let mut detail: Vec<String> = failing.into_iter().map(str::to_owned).collect();
        for (count, what) in [(waiting.alerts, "alerts wait"), (waiting.dead, "dead letters")] {
            detail.extend((count > 0).then(|| format!("{what}: {count}")));
        }
        let lag = waiting.since.map(|since| Timestamp::now().duration_since(since).as_secs().max(0));
        let detail = Some(detail.join("; ")).filter(|detail| !detail.is_empty());
        json!({ "name": name, "kind": "sink", "state": state, "detail": detail, "lag_s": lag })
    }

    fn reason(&self, name: &str) -> Option<&str> {
        self.reasons.iter().find(|(reason, _)| belongs(reason, name)).map(|(_, why)| why.as_str())
    }
}

/// Whether `part` is `whole`, or a part of it.
fn belongs(part: &str, whole: &str) -> bool {
    let rest = part.strip_prefix(whole);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '/', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_belongs_to_its_link() {
        let reasons =
            [("kinesis events/shard-1: lag", "62 s behind"), ("sink pager", "503"), ("store (shard-1)", "full")];
        let reasons = reasons.map(|(name, why)| (name.to_owned(), why.to_owned()));
        let lags = [("kinesis events/shard-1".to_owned(), Duration::from_secs(62))];
        let known = Known { reasons: reasons.into(), lags: lags.into() };
        let check = |name: &str, expected: &[(&str, &str, Value)]| {
            let links = known.links(&[Link { name: name.to_owned(), kind: "source" }]);
            let told: Vec<_> = links.iter().map(|link| (&link["name"], &link["state"], &link["lag_s"])).collect();
            let expected: Vec<_> = expected.iter().map(|(name, state, lag)| (json!(name), json!(state), lag)).collect();
            assert_eq!(told, expected.iter().map(|(name, state, lag)| (name, state, *lag)).collect::<Vec<_>>());
        };
        check(
            "kinesis events",
            &[("kinesis events", "fails", Value::Null), ("kinesis events/shard-1", "fails", json!(62))],
        );
        check("kinesis event", &[("kinesis event", "works", Value::Null)]);
        check("store", &[("store", "fails", Value::Null)]);
        let waiting = Waiting { alerts: 2, ..Waiting::default() };
        assert_eq!(known.sink("pager", &waiting, None)["detail"], "503; alerts wait: 2");
        assert_eq!(known.sink("page", &waiting, None)["state"], "waits");
    }
}
