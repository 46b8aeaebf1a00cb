//! A stream and the way to it.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_kinesis::{
    Client,
    config::{StalledStreamProtectionConfig, retry::RetryConfig},
};

use super::{failure::Failure, wire::Wire};

/// A Kinesis data stream, by the name or ARN it is configured with. Clones are the same.
#[derive(Debug, Clone)]
pub struct Stream {
    client: Client,
    configured: Arc<str>,
}

impl Stream {
    /// The stream that the configuration calls `configured`; calls nothing.
    ///
    /// The client does not try again by itself: a reader does, and counts it. Subscriptions are silent for seconds where
    /// nothing is written, and have a deadline of their own.
    #[must_use]
    pub fn new(sdk: &SdkConfig, configured: &str) -> Self {
        let config = aws_sdk_kinesis::config::Builder::from(sdk)
            .retry_config(RetryConfig::disabled())
            .protocol(Wire::new())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), configured: Arc::from(configured) }
    }

    /// The client of the stream's service.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// As it is configured.
    #[must_use]
    pub fn configured(&self) -> &str {
        &self.configured
    }

    /// What a shard of it is called as a source.
    #[must_use]
    pub fn source(&self, shard: &str) -> String {
        format!("{}{shard}", self.source_prefix())
    }

    /// What the names of its shards as sources begin with.
    #[must_use]
    pub fn source_prefix(&self) -> String {
        format!("kinesis {}/", self.configured)
    }

    /// For requests that take a name.
    pub(super) fn name(&self) -> Option<String> {
        (!self.is_arn()).then(|| self.configured.to_string())
    }

    /// For requests that take an ARN.
    pub(super) fn arn(&self) -> Option<String> {
        self.is_arn().then(|| self.configured.to_string())
    }

    fn is_arn(&self) -> bool {
        self.configured.starts_with("arn:")
    }

    /// Its ARN, asked for where only the name is known.
    ///
    /// # Errors
    /// When Kinesis does not tell it.
    pub(super) async fn find_arn(&self) -> Result<String, Failure> {
        if let Some(arn) = self.arn() {
            return Ok(arn);
        }
        let call = "DescribeStreamSummary";
        let answer = self.client.describe_stream_summary().set_stream_name(self.name()).send().await;
        let answer = answer.map_err(|error| Failure::new(call, &error))?;
        let arn = answer.stream_description_summary.map(|summary| summary.stream_arn);
        arn.ok_or_else(|| Failure::passing(call, "the answer names no stream"))
    }
}
