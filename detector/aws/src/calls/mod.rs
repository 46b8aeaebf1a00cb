//! Which calls are made: every attempt of every client, counted by service and operation.
//!
//! Hooked in where each attempt asks for credentials, which every client made from [`crate::Aws`] does with the one cache
//! of its configuration: no client can be made that is forgotten here. Deliberately no outcome: at that moment there is
//! none. `infra/iam` is held against what is counted here, see [`iam`].

pub mod iam;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_smithy_runtime_api::client::{
    identity::{IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver},
    orchestrator::Metadata,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::config_bag::ConfigBag;

/// A service and an operation, as the SDK calls them, such as `Kinesis` and `GetRecords`.
pub type Operation = (String, String);

/// What was called how often. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    attempts: Arc<Mutex<BTreeMap<Operation, u64>>>,
}

impl Calls {
    /// Attempts by operation since the start.
    #[must_use]
    pub fn counted(&self) -> BTreeMap<Operation, u64> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The cache that counts, around the one that keeps credentials.
    pub(crate) fn around(&self, cache: SharedIdentityCache) -> SharedIdentityCache {
        SharedIdentityCache::new(Counting { calls: self.clone(), cache })
    }

    fn note(&self, called: &Metadata) {
        let operation = (called.service().to_owned(), called.name().to_owned());
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = attempts.entry(operation).or_default();
        *count = count.saturating_add(1);
    }
}

#[derive(Debug)]
struct Counting {
    calls: Calls,
    cache: SharedIdentityCache,
}

impl ResolveCachedIdentity for Counting {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        runtime_components: &'a RuntimeComponents,
        config_bag: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        if let Some(called) = config_bag.load::<Metadata>() {
            self.calls.note(called);
        }
        self.cache.resolve_cached_identity(resolver, runtime_components, config_bag)
    }
}
