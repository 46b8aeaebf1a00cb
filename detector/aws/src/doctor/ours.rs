//! Where events must be sent to, to reach the service: the streams and queues that it reads, and the bus before them.
//!
//! Deliberately from the configuration alone, so that what is gone is still known by its ARN.

use std::collections::BTreeSet;

use bedrock_watch_service::config::{Config, SourceConfig};

use super::partition;

/// What is the service's own, in its account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// The streams and queues that EventBridge fills.
    entries: BTreeSet<String>,
    /// The bus on which other accounts' and regions' events arrive.
    bus: String,
    /// Whether events come in by HTTP, through an API destination whatever it is called.
    by_http: bool,
}

impl Ours {
    /// What `config` names, for a service in `account` and `region`.
    #[must_use]
    pub fn of(config: &Config, account: &str, region: &str) -> Self {
        let partition = partition::name(region);
        let entry = |source: &SourceConfig| match source {
            SourceConfig::Kinesis(kinesis) if kinesis.stream.starts_with("arn:") => Some(kinesis.stream.clone()),
            SourceConfig::Kinesis(kinesis) => {
                Some(format!("arn:{partition}:kinesis:{region}:{account}:stream/{}", kinesis.stream))
            }
            SourceConfig::Sqs(sqs) => queue_arn(&sqs.queue_url, region),
            _ => None,
        };
        Self {
            entries: config.sources.iter().filter_map(entry).collect(),
            bus: format!("arn:{partition}:events:{region}:{account}:event-bus/default"),
            by_http: config.sources.contains(&SourceConfig::Http),
        }
    }

    /// The streams and queues that EventBridge fills, by ARN.
    #[must_use]
    pub const fn entries(&self) -> &BTreeSet<String> {
        &self.entries
    }

    /// Whether a rule that sends events to `target` sends them on the way to the service.
    #[must_use]
    pub(super) fn has(&self, target: &str) -> bool {
        let is_destination = || target.split(':').nth(5).is_some_and(|what| what.starts_with("api-destination/"));
        self.entries.contains(target) || self.bus == target || (self.by_http && is_destination())
    }
}

/// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`; the region is the own one where the host does not say it.
fn queue_arn(url: &str, region: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let mut parts = rest.split('/');
    let (host, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let region = host.strip_prefix("sqs.").and_then(|host| host.split('.').next()).unwrap_or(region);
    Some(format!("arn:{}:sqs:{region}:{account}:{name}", partition::name(region)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn ours(sources: &str) -> Ours {
        let config = Config::load("test.toml", sources, &|_| None).unwrap();
        Ours::of(&config, ACCOUNT, "eu-central-1")
    }

    #[test]
    fn what_leads_to_the_service() {
        let check = |sources: &str, target: &str, expected: bool| {
            assert_eq!(ours(sources).has(target), expected, "{sources} {target}");
        };
        let stream = "[[source]]\nkind = \"kinesis\"\nstream = \"bedrock-watch\"\n";
        check(stream, "arn:aws:kinesis:eu-central-1:111122223333:stream/bedrock-watch", true);
        check(stream, "arn:aws:kinesis:eu-central-1:111122223333:stream/other", false);
        check(stream, "arn:aws:kinesis:us-east-1:111122223333:stream/bedrock-watch", false);
        check(stream, "arn:aws:events:eu-central-1:111122223333:event-bus/default", true);
        check(stream, "arn:aws:events:eu-central-1:444455556666:event-bus/default", false);
        check(stream, "arn:aws:events:eu-central-1:111122223333:api-destination/x/1", false);
        check(stream, "arn:aws:lambda:eu-central-1:111122223333:function:other", false);
        let queue = "[[source]]\nkind = \"sqs\"\nqueue_url = \"https://sqs.us-east-1.amazonaws.com/111122223333/q\"\n";
        check(queue, "arn:aws:sqs:us-east-1:111122223333:q", true);
        let local = "[[source]]\nkind = \"sqs\"\nqueue_url = \"http://127.0.0.1:5000/111122223333/q\"\n";
        check(local, "arn:aws:sqs:eu-central-1:111122223333:q", true);
        let http = "[[source]]\nkind = \"http\"\n";
        check(http, "arn:aws:events:eu-central-1:111122223333:api-destination/x/1", true);
    }
}
