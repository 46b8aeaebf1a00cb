//! By what dependents are found: their ARN and name, what they stand on, what they make and what they are a part of.

use std::collections::BTreeSet;

use crate::hashing::short_hash_of;

use super::super::{
    dependent::{Dependent, Kind},
    resource::ResourceKey,
};

/// One thing by which dependents are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Arn(&'a str),
    Name {
        kind: Kind,
        account: &'a str,
        region: &'a str,
        name: &'a str,
    },
    /// Those that stand on a resource.
    Resource(&'a ResourceKey),
    /// Those that make a custom model.
    Model(&'a ResourceKey),
    /// The parts of what has this ARN.
    Whole(&'a str),
}

impl Key<'_> {
    /// The hash under which dependents are filed.
    pub(super) fn hash(&self) -> u32 {
        short_hash_of(self)
    }

    /// Whether it finds `one`, which is filed under the same hash.
    pub(super) fn finds(&self, one: &Dependent) -> bool {
        match *self {
            Self::Arn(arn) => one.arn.as_deref() == Some(arn),
            Self::Name { kind, account, region, name } => {
                one.name.as_deref() == Some(name) && (one.kind, &*one.account, &*one.region) == (kind, account, region)
            }
            Self::Resource(resource) => one.stands_on(resource),
            Self::Model(model) => one.models().any(|known| known == *model),
            Self::Whole(arn) => one.parent.as_deref() == Some(arn),
        }
    }
}

/// The hashes of everything by which `one` is found, sorted; `resources` are those it stands on.
pub(super) fn hashes_of(one: &Dependent, resources: &BTreeSet<ResourceKey>) -> Vec<u32> {
    let mut hashes: Vec<u32> = Vec::with_capacity(12);
    let name =
        one.name.as_deref().map(|name| Key::Name { kind: one.kind, account: &one.account, region: &one.region, name });
    let parts = [one.arn.as_deref().map(Key::Arn), name, one.parent.as_deref().map(Key::Whole)];
    hashes.extend(parts.iter().flatten().map(Key::hash));
    hashes.extend(resources.iter().map(|resource| Key::Resource(resource).hash()));
    hashes.extend(one.models().map(|model| Key::Model(&model).hash()));
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}
