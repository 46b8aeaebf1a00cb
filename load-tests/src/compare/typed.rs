//! What one would write by hand: a struct of the fields that five rules need, the five rules as code, and a burst counted
//! in the order of arrival. The upper bound of what an engine for five fixed rules can do.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
};

use bedrock_watch_engine::Second;
use serde::Deserialize;

/// Calls within [`BURST_S`] that make a burst, as in `rules/burst-50.yml`.
pub(super) const BURST_CALLS: usize = 50;
pub(super) const BURST_S: u32 = 60;

/// Rules of `rules/five.yml`.
pub(super) const RULES: usize = 5;

/// Borrowed where the text has no escapes.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) detail: Detail<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "an engine needs them, and reading them is what is measured")]
pub(super) struct Detail<'a> {
    #[serde(borrow)]
    user_identity: Option<Identity<'a>>,
    #[serde(borrow)]
    event_time: Text<'a>,
    #[serde(borrow)]
    event_source: Text<'a>,
    #[serde(borrow)]
    event_name: Text<'a>,
    #[serde(borrow)]
    aws_region: Option<Text<'a>>,
    #[serde(borrow, rename = "sourceIPAddress")]
    source_ip: Option<Text<'a>>,
    #[serde(borrow)]
    user_agent: Option<Text<'a>>,
    #[serde(borrow)]
    error_code: Option<Text<'a>>,
    #[serde(borrow)]
    request_parameters: Option<Request<'a>>,
    #[serde(borrow, rename = "eventID")]
    event_id: Option<Text<'a>>,
    #[serde(borrow)]
    recipient_account_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "an engine needs them, and reading them is what is measured")]
struct Identity<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    arn: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
    #[serde(borrow)]
    access_key_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "an engine needs them, and reading them is what is measured")]
struct Request<'a> {
    #[serde(borrow)]
    model_id: Option<Text<'a>>,
    #[serde(borrow)]
    policy_arn: Option<Text<'a>>,
    #[serde(borrow)]
    training_data_config: Option<Training<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Training<'a> {
    #[serde(borrow)]
    s3_uri: Option<Text<'a>>,
}

const BEDROCK: &str = "bedrock.amazonaws.com";

impl Detail<'_> {
    /// Which of the five rules match.
    fn matches(&self) -> [bool; RULES] {
        let (source, name) = (self.event_source.as_str(), self.event_name.as_str());
        let request = self.request_parameters.as_ref();
        let is_trusted = || {
            let training = request.and_then(|request| request.training_data_config.as_ref());
            training.and_then(|data| data.s3_uri.as_ref()).is_some_and(|uri| uri.as_str().starts_with("s3://corp-ml/"))
        };
        let attaches = || {
            let policy = request.and_then(|request| request.policy_arn.as_ref());
            policy.is_some_and(|policy| policy.as_str().ends_with("/AmazonBedrockFullAccess"))
        };
        let is_bedrock = source == BEDROCK;
        [
            is_bedrock && name == "DeleteModelInvocationLoggingConfiguration",
            is_bedrock && name == "CreateModelCustomizationJob" && !is_trusted(),
            source == "ec2.amazonaws.com" && name.starts_with("AuthorizeSecurityGroup"),
            is_bedrock && (name.starts_with("InvokeModel") || name.starts_with("Converse")),
            (is_bedrock && name == "DeleteGuardrail") || (source == "iam.amazonaws.com" && attaches()),
        ]
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Matches of each rule.
    pub(super) matches: [u64; RULES],
    recent: HashMap<String, Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    calls: VecDeque<Second>,
    is_burst: bool,
}

impl Found {
    /// Judges a record.
    pub(super) fn judge(&mut self, detail: &Detail<'_>) {
        let matches = detail.matches();
        for (count, matched) in self.matches.iter_mut().zip(matches) {
            *count = count.saturating_add(u64::from(matched));
        }
        let arn = detail.user_identity.as_ref().and_then(|identity| identity.arn.as_ref());
        if let [.., true, _] = matches
            && let Some(arn) = arn
            && let Some(at) = Second::parse(detail.event_time.as_str())
        {
            self.call(arn.as_str(), at);
        }
    }

    fn call(&mut self, arn: &str, at: Second) {
        if !self.recent.contains_key(arn) {
            self.recent.insert(arn.to_owned(), Recent::default());
        }
        let Some(recent) = self.recent.get_mut(arn) else { return };
        recent.calls.push_back(at);
        while recent.calls.front().is_some_and(|first| at.since(*first) >= BURST_S) {
            recent.calls.pop_front();
        }
        recent.is_burst |= recent.calls.len() >= BURST_CALLS;
    }

    /// Callers with a burst.
    pub(super) fn bursts(&self) -> u64 {
        self.recent.values().map(|recent| u64::from(recent.is_burst)).sum()
    }
}
