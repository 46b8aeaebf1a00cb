//! One call to AWS: in its turn, and with a failure that says where and what to do.

use std::fmt;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bedrock_watch_engine::Second;
use jiff::Timestamp;

use super::{failure::Failure, pace::Pace, places::Target};
use crate::clients::Aws;

/// Pages of one list at most; more is reported as a failure of the place, never as a shorter list.
pub(super) const PAGES_MAX: u32 = 1_000;

/// The way to ask. Clones share their pace.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    aws: Aws,
    pace: Pace,
}

impl Asker {
    /// Asks by `aws`, as fast as its configuration allows.
    pub(crate) fn new(aws: Aws) -> Self {
        let pace = Pace::new(aws.config().calls_per_s);
        Self { aws, pace }
    }

    /// The way to AWS.
    pub(crate) const fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Bedrock there.
    pub(crate) async fn bedrock(&self, target: &Target) -> aws_sdk_bedrock::Client {
        aws_sdk_bedrock::Client::new(&self.aws.at(&target.place()).await)
    }

    /// Agents and knowledge bases there.
    pub(crate) async fn agents(&self, target: &Target) -> aws_sdk_bedrockagent::Client {
        aws_sdk_bedrockagent::Client::new(&self.aws.at(&target.place()).await)
    }

    /// EC2 there.
    pub(crate) async fn ec2(&self, target: &Target) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.aws.at(&target.place()).await)
    }

    /// Makes a call in its turn. `call` is its name in a policy, `service:Operation`.
    pub(crate) async fn ask<T, E, R>(
        &self,
        target: &Target,
        call: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: fmt::Debug,
    {
        let service = call.split_once(':').map_or(call, |(service, _)| service);
        self.pace.wait(target, service).await;
        // The futures of the SDK are large.
        Box::pin(request).await.map_err(|error| Failure::of(target, call, &error))
    }
}

/// The present second.
pub(crate) fn now() -> Second {
    Second::from_unix(Timestamp::now().as_second()).unwrap_or_default()
}
