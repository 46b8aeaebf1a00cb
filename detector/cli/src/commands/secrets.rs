//! Fetches the secrets that a configuration names, where this build can.

use std::collections::BTreeMap;

use bedrock_watch_service::config::{SecretNames, Secrets};

use super::Failure;

/// The secrets; what could not be had says why at the place where it is named.
#[cfg(feature = "aws")]
pub(super) fn fetch(names: &SecretNames) -> Result<Secrets, Failure> {
    if names.names.is_empty() {
        return Ok(Secrets::default());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        match bedrock_watch_aws::Aws::connect(&names.aws, &BTreeMap::new()).await {
            Ok(aws) => aws.secrets(names).await,
            Err(error) => failed(names, &error.to_string()),
        }
    }))
}

/// This build has no AWS, and says so wherever a secret is named.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as in the build with AWS")]
pub(super) fn fetch(names: &SecretNames) -> Result<Secrets, Failure> {
    let reason = "this build has no AWS; use the standard build, or an environment variable: ${NAME}";
    Ok(failed(names, reason))
}

fn failed(names: &SecretNames, reason: &str) -> Secrets {
    let failed = names.names.iter().map(|name| (name.clone(), Err(reason.to_owned())));
    Secrets::Fetched(failed.collect::<BTreeMap<_, _>>())
}
