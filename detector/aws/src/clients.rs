//! How AWS is reached: one SDK configuration for the daemon itself, and one for each account and region that is asked.
//!
//! Every call has a time limit, which the SDK lacks by default, and is tried again as the SDK's standard mode does it.
//! Deliberately no SDK client here: whoever needs one makes it from the configuration, which is cheap.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{
    AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig, identity::IdentityCache, retry::RetryConfig,
    sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use bedrock_watch_service::{
    cloud::CloudError,
    config::{
        AccountConfig,
        aws::{AccountAccess, AwsConfig},
    },
};

use crate::{calls::Calls, kinesis::Lags};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts of one call, the first included.
const ATTEMPTS_MAX: u32 = 4;
/// What sessions in other accounts are called in their CloudTrail, and the user agent of every call everywhere.
const NAME: &str = "bedrock-watch";

/// An account and region that is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The account; `None` is the daemon's own.
    pub account: Option<String>,
    /// The region.
    pub region: String,
}

/// The way to AWS. Clones are the same.
#[derive(Debug, Clone)]
pub struct Aws {
    own: SdkConfig,
    accounts: Arc<BTreeMap<String, AccountAccess>>,
    config: Arc<AwsConfig>,
    /// Configurations made so far; they share credentials, so that a role is assumed once and not for every call.
    made: Arc<Mutex<BTreeMap<Place, SdkConfig>>>,
    lags: Lags,
    calls: Calls,
}

impl Aws {
    /// Finds region and credentials as every AWS tool does: environment, web identity, container, instance. Calls
    /// nothing yet but the metadata endpoints.
    ///
    /// # Errors
    /// When no region is known.
    pub async fn connect(config: &AwsConfig, accounts: &BTreeMap<String, AccountConfig>) -> Result<Self, CloudError> {
        let named = aws_config::defaults(BehaviorVersion::latest());
        let named = AppName::new(NAME).into_iter().fold(named, ConfigLoader::app_name);
        Self::load(config, accounts, named).await
    }

    /// As [`Self::connect`], with this access key id and secret access key instead of what the environment has, and
    /// without a name in the user agent: for other programs that use this crate, such as tests.
    ///
    /// # Errors
    /// When no region is known.
    pub async fn connect_as(
        config: &AwsConfig,
        accounts: &BTreeMap<String, AccountConfig>,
        (id, secret): (&str, &str),
    ) -> Result<Self, CloudError> {
        let credentials =
            Credentials::builder().access_key_id(id).secret_access_key(secret).provider_name("given").build();
        let given = aws_config::defaults(BehaviorVersion::latest());
        Self::load(config, accounts, given.credentials_provider(SharedCredentialsProvider::new(credentials))).await
    }

    async fn load(
        config: &AwsConfig,
        accounts: &BTreeMap<String, AccountConfig>,
        loader: ConfigLoader,
    ) -> Result<Self, CloudError> {
        let mut loader = loader.retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX)).timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_timeout(Duration::from_millis(config.operation_timeout_ms))
                .build(),
        );
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &config.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let own = loader.load().await;
        if own.region().is_none() {
            return Err(CloudError(
                "no AWS region is known: set `region` in [aws], or AWS_REGION in the environment".to_owned(),
            ));
        }
        let calls = Calls::default();
        let cache = own.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build());
        let own = own.to_builder().identity_cache(calls.around(cache)).build();
        let access = accounts.iter().filter_map(|(id, account)| Some((id.clone(), account.access.clone()?)));
        let (accounts, config) = (Arc::new(access.collect()), Arc::new(config.clone()));
        Ok(Self { own, accounts, config, made: Arc::default(), lags: Lags::default(), calls })
    }

    /// The daemon's own account and region.
    #[must_use]
    pub const fn own(&self) -> &SdkConfig {
        &self.own
    }

    /// The daemon's own region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.own.region().map_or("", |region| region.as_ref())
    }

    /// What was called so far, by every client made from this.
    #[must_use]
    pub const fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The configured limits.
    #[must_use]
    pub fn config(&self) -> &AwsConfig {
        &self.config
    }

    /// How far behind every shard is of the streams that are read whole. Units of a worker that shares a stream keep
    /// theirs for themselves.
    #[must_use]
    pub const fn lags(&self) -> &Lags {
        &self.lags
    }

    /// The other accounts that are asked, by id.
    #[must_use]
    pub fn accounts(&self) -> &BTreeMap<String, AccountAccess> {
        &self.accounts
    }

    /// The configuration for an account and region. Other accounts are reached by the role configured for them; an
    /// account without one is reached with the daemon's own credentials.
    pub async fn at(&self, place: &Place) -> SdkConfig {
        if let Some(made) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(place) {
            return made.clone();
        }
        let region = Region::new(place.region.clone());
        let access = place.account.as_ref().and_then(|account| self.accounts.get(account));
        let mut builder = self.own.to_builder().region(region.clone());
        if let Some(AccountAccess { role_arn: Some(role), external_id, .. }) = access {
            let mut provider = AssumeRoleProvider::builder(role).session_name(NAME).region(region).configure(&self.own);
            if let Some(id) = external_id {
                provider = provider.external_id(id.expose());
            }
            let provider = provider.build().await;
            builder = builder.credentials_provider(SharedCredentialsProvider::new(provider));
        }
        let made = builder.build();
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone(), made.clone());
        made
    }
}
