//! The way to AWS, where this build has one and the configuration asks for it.

use std::sync::Arc;

use bedrock_watch_service::{cloud::Cloud, config::Config};

/// Connects where the configuration asks for AWS; otherwise nothing is looked up and no credentials are needed.
#[cfg(feature = "aws")]
pub(super) async fn connect(config: &Config) -> anyhow::Result<Option<Arc<dyn Cloud>>> {
    if config.needs_aws().is_empty() {
        return Ok(None);
    }
    let aws = bedrock_watch_aws::Aws::connect(&config.aws, &config.routing.accounts).await?;
    Ok(Some(Arc::new(aws)))
}

/// This build has none; what needs it says so.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same shape as in the build with AWS")]
pub(super) async fn connect(_config: &Config) -> anyhow::Result<Option<Arc<dyn Cloud>>> {
    Ok(None)
}
