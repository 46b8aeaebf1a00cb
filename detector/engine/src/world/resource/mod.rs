//! Things that jobs and logging stand on: what they are called, and every loss and return that was seen of each.
//!
//! Deliberately a ledger and no current state: whether something is lost follows from the ledger in judging order, so
//! the order of arrival cannot matter.

mod room;

use serde::{Deserialize, Serialize};

use crate::{
    order::{Evidence, Moment},
    time::Second,
};

use super::{refusals::Refusals, regional::RegionalKind};

/// What something is called, as far as joins need it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum ResourceKey {
    /// By id: ids are unique in all of AWS and never used again.
    SecurityGroup(Box<str>),
    /// By id.
    Subnet(Box<str>),
    /// By id.
    VpcEndpoint(Box<str>),
    /// By account and name: IAM events carry the name, jobs the ARN.
    Role { account: Box<str>, name: Box<str> },
    /// By key id, or `account:alias/name`.
    KmsKey(Box<str>),
    /// By name: bucket names are global.
    Bucket(Box<str>),
    /// By account, region and name.
    LogGroup { account: Box<str>, region: Box<str>, name: Box<str> },
    /// By account, region and name or id.
    Regional { kind: RegionalKind, account: Box<str>, region: Box<str>, name: Box<str> },
}

impl ResourceKey {
    /// The role behind an ARN, whatever its path.
    pub(crate) fn role_of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':').skip(4);
        let (account, resource) = (parts.next()?, parts.next()?);
        let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
        Some(Self::Role { account: account.into(), name: name.into() })
    }

    /// The key behind an ARN, a key id or an alias, as seen from `account`.
    pub(crate) fn kms_key(id: &str, account: &str) -> Self {
        let resource = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(4)).unwrap_or(id);
        let owner = id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3)).unwrap_or(account);
        match resource.strip_prefix("key/") {
            Some(key) => Self::KmsKey(key.into()),
            None if resource.starts_with("alias/") => Self::KmsKey(format!("{owner}:{resource}").into()),
            None => Self::KmsKey(resource.into()),
        }
    }

    /// The bucket of an `s3://bucket/key` URI.
    pub(crate) fn bucket_of_uri(uri: &str) -> Option<Self> {
        let bucket = uri.strip_prefix("s3://")?.split('/').next()?;
        (!bucket.is_empty()).then(|| Self::Bucket(bucket.into()))
    }

    /// The bucket behind an ARN, or its name.
    pub(crate) fn bucket_named(name: &str) -> Option<Self> {
        let name = name.rsplit(":::").next()?.split('/').next()?;
        (!name.is_empty()).then(|| Self::Bucket(name.into()))
    }

    /// A custom model by its ARN or, as `account` and `region` know it, by its name.
    pub(crate) fn custom_model(name: &str, account: &str, region: &str) -> Self {
        RegionalKind::CustomModel.named(name, account, region)
    }

    /// Whether it is a custom model.
    pub(crate) const fn is_custom_model(&self) -> bool {
        matches!(self, Self::Regional { kind: RegionalKind::CustomModel, .. })
    }

    /// The name of the kind in rules.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::SecurityGroup(_) => "security_group",
            Self::Subnet(_) => "subnet",
            Self::VpcEndpoint(_) => "vpc_endpoint",
            Self::Role { .. } => "role",
            Self::KmsKey(_) => "kms_key",
            Self::Bucket(_) => "bucket",
            Self::LogGroup { .. } => "log_group",
            Self::Regional { kind, .. } => kind.as_str(),
        }
    }
}

/// How something was lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Loss {
    /// It is gone.
    Deleted,
    /// A key that answers no longer.
    Disabled,
    /// A key that will be gone.
    ScheduledForDeletion,
    /// A role without this policy.
    PermissionsRemoved(Box<str>),
    /// A function whose policy is without this statement.
    StatementRemoved(Box<str>),
    /// Policies or statements that are not kept one by one, because they are too many: nothing tells when the last one
    /// is back.
    FurtherRemoved,
    /// A role that Bedrock may not assume.
    TrustRemoved,
    /// A bucket whose content somebody else can read, or that empties itself: it is still there.
    Exposed(Exposure),
}

/// How the content of a bucket was put at risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Exposure {
    /// Its policy lets anybody in.
    PolicyPublic,
    /// Its policy lets another account in.
    PolicyCrossAccount,
    /// It has no policy any more, and with it nothing that denies.
    PolicyDeleted,
    /// Its objects are copied to a bucket of another account.
    Replicated,
    /// Public access is no longer blocked in every way.
    BlockLowered,
    /// Its objects expire within days.
    Expiring,
}

impl Exposure {
    const fn as_str(self) -> &'static str {
        match self {
            Self::PolicyPublic => "policy_public",
            Self::PolicyCrossAccount => "policy_cross_account",
            Self::PolicyDeleted => "policy_deleted",
            Self::Replicated => "replicated",
            Self::BlockLowered => "public_access_block_lowered",
            Self::Expiring => "lifecycle_expires",
        }
    }

    /// Exposures that one call sets or ends together: of each family the latest counts.
    const fn family(self) -> u8 {
        match self {
            Self::PolicyPublic | Self::PolicyCrossAccount | Self::PolicyDeleted => 0,
            Self::Replicated => 1,
            Self::BlockLowered => 2,
            Self::Expiring => 3,
        }
    }
}

impl Loss {
    /// The name in rules.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Disabled => "disabled",
            Self::ScheduledForDeletion => "scheduled_for_deletion",
            Self::PermissionsRemoved(_) | Self::StatementRemoved(_) | Self::FurtherRemoved => "permissions_removed",
            Self::TrustRemoved => "trust_removed",
            Self::Exposed(exposure) => exposure.as_str(),
        }
    }
}

/// How something came back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Return {
    /// Created, enabled, or its deletion cancelled.
    Whole,
    /// A role with this policy again, or a function's policy with this statement.
    Permissions(Box<str>),
    /// A role that Bedrock may assume again.
    Trust,
    /// A bucket that is not put at risk in this way, or in one of the same family.
    Unexposed(Exposure),
}

/// One entry of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Effect {
    Lost(Loss),
    Back(Return),
}

/// Every loss and return of one thing, in judging order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    changes: Vec<(Evidence, Effect)>,
    pub(crate) refusals: Refusals,
    /// The account it belongs to, as the events say.
    pub(crate) account: Option<Box<str>>,
    /// Its ARN, where an event named it.
    pub(crate) arn: Option<Box<str>>,
}

/// One loss, and whether it was undone.
#[derive(Debug, Clone)]
pub(crate) struct LossInterval<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) loss: &'a Loss,
    /// The event that undid it.
    pub(crate) back: Option<&'a Evidence>,
}

impl Ledger {
    /// Enters a change. Beyond `max` changes it forgets those that say least about what is lost now.
    pub(crate) fn enter(&mut self, evidence: Evidence, effect: Effect, max: usize) -> Entered {
        match self.changes.binary_search_by(|(known, _)| known.moment.cmp(&evidence.moment)) {
            Ok(_) => Entered::Known,
            Err(place) => {
                // Most ledgers have one entry.
                self.changes.reserve_exact(1);
                self.changes.insert(place, (evidence, effect));
                if self.changes.len() > max {
                    return Entered::AtLimit { forgotten: self.make_room(max) };
                }
                Entered::New
            }
        }
    }

    /// When something was last entered.
    pub(crate) fn last_change(&self) -> Second {
        let change = self.changes.last().map(|(evidence, _)| evidence.moment.at);
        let refusal = self.refusals.last_at();
        change.max(refusal).unwrap_or(Second::MIN)
    }

    /// Whether it did not exist at `moment`.
    pub(crate) fn is_deleted_at(&self, moment: &Moment) -> bool {
        self.losses().any(|interval| {
            *interval.loss == Loss::Deleted
                && interval.evidence.moment < *moment
                && interval.back.is_none_or(|back| back.moment > *moment)
        })
    }

    /// Whether what was removed at `moment` let Bedrock in: of a function's policy only some statements do.
    pub(crate) fn was_needed(&self, loss: &Loss, moment: &Moment) -> bool {
        let Loss::StatementRemoved(statement) = loss else { return true };
        let grants = |effect: &Effect| matches!(effect, Effect::Back(Return::Permissions(name)) if name == statement);
        let was_granted = || self.changes.iter().any(|(evidence, effect)| evidence.moment < *moment && grants(effect));
        statement.to_ascii_lowercase().contains("bedrock") || was_granted()
    }

    /// When it was first deleted for good, and by which event.
    pub(crate) fn deletion(&self) -> Option<&Evidence> {
        self.losses().find(|interval| *interval.loss == Loss::Deleted).map(|interval| interval.evidence)
    }

    /// Every loss with what undid it.
    pub(crate) fn losses(&self) -> impl Iterator<Item = LossInterval<'_>> {
        self.changes.iter().enumerate().filter_map(|(place, (evidence, effect))| {
            let Effect::Lost(loss) = effect else { return None };
            let back = self.undone_at(place).and_then(|back| self.changes.get(back));
            Some(LossInterval { evidence, loss, back: back.map(|(evidence, _)| evidence) })
        })
    }

    /// The place of what undid the loss at `place`.
    fn undone_at(&self, place: usize) -> Option<usize> {
        let (_, Effect::Lost(loss)) = self.changes.get(place)? else { return None };
        let mut later = self.changes.iter().enumerate().skip(place.saturating_add(1));
        let back = later.find(|(_, (_, effect))| match (effect, loss) {
            (Effect::Back(back), loss) => undoes(back, loss),
            // Another policy takes the place of the one before.
            (Effect::Lost(Loss::Exposed(now)), Loss::Exposed(before)) => now.family() == before.family(),
            _ => false,
        });
        back.map(|(place, _)| place)
    }
}

/// What became of an entry. At the limit a change is kept and an older one forgotten; a refusal is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    New,
    Known,
    /// It is entered, and something else was forgotten for it: what was known of the time until `forgotten` may be
    /// incomplete now.
    AtLimit {
        forgotten: Option<Second>,
    },
}

fn undoes(back: &Return, loss: &Loss) -> bool {
    match (back, loss) {
        (Return::Whole, Loss::Deleted | Loss::Disabled | Loss::ScheduledForDeletion)
        | (Return::Trust | Return::Whole, Loss::TrustRemoved) => true,
        (Return::Permissions(again), Loss::PermissionsRemoved(removed) | Loss::StatementRemoved(removed)) => {
            again == removed
        }
        (Return::Unexposed(now), Loss::Exposed(before)) => now.family() == before.family(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_join() {
        let check = |left: Option<ResourceKey>, right: ResourceKey| assert_eq!(left, Some(right));
        check(
            ResourceKey::role_of_arn("arn:aws:iam::111122223333:role/service-role/Tuner"),
            ResourceKey::Role { account: "111122223333".into(), name: "Tuner".into() },
        );
        check(ResourceKey::bucket_of_uri("s3://corp-ml/train/a.jsonl"), ResourceKey::Bucket("corp-ml".into()));
        let key = ResourceKey::KmsKey("1234abcd".into());
        check(Some(ResourceKey::kms_key("arn:aws:kms:us-east-1:111122223333:key/1234abcd", "9")), key.clone());
        check(Some(ResourceKey::kms_key("1234abcd", "9")), key);
        check(
            Some(ResourceKey::kms_key("alias/tuning", "111122223333")),
            ResourceKey::kms_key("arn:aws:kms:us-east-1:111122223333:alias/tuning", "9"),
        );
    }
}
