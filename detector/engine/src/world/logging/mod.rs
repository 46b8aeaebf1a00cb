//! Invocation logging of one account and region: every configuration it had, and what each delivered.
//!
//! One configuration per account and region; a Put replaces it whole (Amazon Bedrock API reference,
//! PutModelInvocationLoggingConfiguration).

mod room;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    order::{Evidence, Moment},
    time::Second,
};

use self::room::Base;
use super::{
    group_rules::text,
    json::At,
    resource::{Entered, ResourceKey},
};

/// The data types, with the flag that switches each; an omitted flag counts as delivering.
const DATA_TYPES: [(&str, &str); 5] = [
    ("text", "textDataDeliveryEnabled"),
    ("image", "imageDataDeliveryEnabled"),
    ("embedding", "embeddingDataDeliveryEnabled"),
    ("video", "videoDataDeliveryEnabled"),
    ("audio", "audioDataDeliveryEnabled"),
];

/// What a configuration delivers, and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    types: BTreeSet<Box<str>>,
    /// By kind of destination.
    destinations: BTreeMap<Destination, Box<str>>,
    role_arn: Option<Box<str>>,
    /// The configuration as it was put, for restoring it.
    pub(crate) configuration: Box<str>,
}

/// A kind of destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Destination {
    LogGroup,
    Bucket,
    LargeDataBucket,
}

impl Destination {
    const fn as_str(self) -> &'static str {
        match self {
            Self::LogGroup => "log_group",
            Self::Bucket => "bucket",
            Self::LargeDataBucket => "large_data_bucket",
        }
    }
}

/// What is known of logging after a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Posture {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Nothing is delivered.
    Off,
    /// Something is delivered.
    On(Delivery),
}

impl Posture {
    /// Reads a `loggingConfig`; its absence leaves the posture unknown.
    pub(crate) fn of(config: &Value) -> Self {
        let Some(fields) = config.as_object() else { return Self::Unknown };
        let types: BTreeSet<Box<str>> = DATA_TYPES
            .iter()
            .filter(|(_, flag)| fields.get(*flag).and_then(truth).unwrap_or(true))
            .map(|(name, _)| Box::from(*name))
            .collect();
        let cloud_watch = config.at("cloudWatchConfig");
        let named = [
            (Destination::LogGroup, cloud_watch.at("logGroupName")),
            (Destination::Bucket, config.at("s3Config").at("bucketName")),
            (Destination::LargeDataBucket, cloud_watch.at("largeDataDeliveryS3Config").at("bucketName")),
        ];
        let destinations: BTreeMap<Destination, Box<str>> =
            named.into_iter().filter_map(|(kind, name)| Some((kind, text(name)?.into()))).collect();
        let delivers = destinations.keys().any(|kind| *kind != Destination::LargeDataBucket);
        if types.is_empty() || !delivers {
            return Self::Off;
        }
        let role_arn = text(cloud_watch.at("roleArn")).map(Into::into);
        Self::On(Delivery { types, destinations, role_arn, configuration: config.to_string().into() })
    }

    /// What is delivered, if anything is.
    const fn delivery(&self) -> Option<&Delivery> {
        match self {
            Self::On(delivery) => Some(delivery),
            Self::Unknown | Self::Off => None,
        }
    }

    /// The name in rules.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Off => "off",
            Self::On(_) => "on",
        }
    }
}

fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

impl Delivery {
    /// The data types that are delivered.
    pub(crate) fn types(&self) -> Vec<String> {
        self.types.iter().map(ToString::to_string).collect()
    }

    /// Kinds and names of the destinations.
    pub(crate) fn destinations(&self) -> Vec<(&'static str, String)> {
        self.destinations.iter().map(|(kind, name)| (kind.as_str(), name.to_string())).collect()
    }

    /// Data types and kinds of destination that `self` delivered and `next` does not.
    pub(crate) fn lost_in(&self, next: &Self) -> Vec<String> {
        let types = self.types.difference(&next.types).map(ToString::to_string);
        let kinds = self
            .destinations
            .iter()
            .filter(|(kind, _)| !next.destinations.contains_key(kind))
            .map(|(kind, name)| format!("{}:{name}", kind.as_str()));
        types.chain(kinds).collect()
    }

    /// Destinations that are another one in `next`.
    pub(crate) fn moved_in(&self, next: &Self) -> Vec<String> {
        let moved = self.destinations.iter().filter_map(|(kind, name)| {
            let now = next.destinations.get(kind)?;
            (now != name).then(|| format!("{}:{name} to {now}", kind.as_str()))
        });
        moved.collect()
    }

    /// Whether everything that `earlier` delivered is delivered to the same places.
    pub(crate) fn covers(&self, earlier: &Self) -> bool {
        earlier.lost_in(self).is_empty() && earlier.moved_in(self).is_empty()
    }

    /// What it stands on, with the name alerts use.
    pub(crate) fn resources(&self, account: &str, region: &str) -> Vec<(ResourceKey, String)> {
        let mut resources = Vec::new();
        for (kind, name) in &self.destinations {
            let key = match kind {
                Destination::LogGroup => {
                    ResourceKey::LogGroup { account: account.into(), region: region.into(), name: name.clone() }
                }
                Destination::Bucket | Destination::LargeDataBucket => ResourceKey::Bucket(name.clone()),
            };
            resources.push((key, name.to_string()));
        }
        if let Some(role_arn) = self.role_arn.as_deref()
            && let Some(key) = ResourceKey::role_of_arn(role_arn)
        {
            resources.push((key, role_arn.to_owned()));
        }
        resources
    }

    /// Whether any of its destinations works, while `is_lost` says what does not exist. A log group is reached only
    /// through the role.
    pub(crate) fn arrives(&self, account: &str, region: &str, is_lost: impl Fn(&ResourceKey) -> bool) -> bool {
        let resources = self.resources(account, region);
        let stands = |wanted: fn(&ResourceKey) -> bool| {
            let mut of_kind = resources.iter().map(|(key, _)| key).filter(|key| wanted(key)).peekable();
            of_kind.peek().is_some().then(|| of_kind.all(|key| !is_lost(key)))
        };
        let role = stands(|key| matches!(key, ResourceKey::Role { .. })).unwrap_or(true);
        let log_group = stands(|key| matches!(key, ResourceKey::LogGroup { .. })).unwrap_or(false);
        let bucket = self.destinations.get(&Destination::Bucket);
        let bucket = bucket.is_some_and(|name| !is_lost(&ResourceKey::Bucket(name.clone())));
        (log_group && role) || bucket
    }
}

/// The history of one account and region.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct LoggingHistory {
    /// What is left of the changes before those that are kept.
    base: Base,
    /// In judging order.
    changes: Vec<LoggingChange>,
}

/// One change of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoggingChange {
    pub(crate) evidence: Evidence,
    /// What is known after it.
    pub(crate) after: Posture,
    /// Whether somebody made it; false when inventory only saw it.
    pub(crate) made: bool,
}

/// How far AWS's answers and the times of events may stand apart: what inventory saw within so many seconds before a
/// change may be that very change.
const SKEW_S: u32 = 30;

/// For how many seconds inventory must see logging off where it was on, before nobody is expected to have been seen
/// switching it off: the event may still be on its way.
const CONFIRMED_S: u32 = 900;

/// Inventories in a row that saw the same; of more, only the first and the last ones are kept, so that asking every few
/// minutes does not push out what was done before. It spans more than the allowed lateness.
const REPEATS_MAX: usize = 8;

impl LoggingHistory {
    /// Enters a change. Beyond `max` changes it forgets those that changed nothing, then the oldest. What is older than
    /// that is known no more than what followed from it.
    pub(crate) fn enter(&mut self, change: LoggingChange, max: usize) -> Entered {
        if self.base.covers(&change.evidence.moment) {
            return Entered::Known;
        }
        match self.changes.binary_search_by(|known| known.evidence.moment.cmp(&change.evidence.moment)) {
            Ok(_) => Entered::Known,
            Err(place) => {
                self.changes.insert(place, change);
                self.drop_repeats(place);
                if self.changes.len() > max.max(2) {
                    return Entered::AtLimit { forgotten: self.make_room() };
                }
                Entered::New
            }
        }
    }

    /// Of a run of equal inventories around `place` that is too long, drops the second one.
    fn drop_repeats(&mut self, place: usize) {
        let Some(entered) = self.changes.get(place).filter(|change| !change.made) else { return };
        let is_same = |change: &&LoggingChange| !change.made && change.after == entered.after;
        let before = self.changes.iter().take(place).rev().take_while(is_same).count();
        let from = self.changes.iter().skip(place).take_while(is_same).count();
        if before.saturating_add(from) > REPEATS_MAX {
            self.changes.remove(place.saturating_sub(before).saturating_add(1));
        }
    }

    /// Every change with what was known before it and what followed.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.changes.iter().enumerate().map(move |(place, change)| {
            let earlier = self.changes.get(..place).unwrap_or_default();
            let before = earlier.iter().rev().find(|before| !before.foresaw(change));
            Step {
                before: before.map_or(&self.base.posture, |before| &before.after),
                change,
                later: self.changes.get(place.saturating_add(1)..).unwrap_or_default(),
            }
        })
    }

    /// The configuration in force last that delivered something before `moment`, the change at `moment` left out.
    pub(crate) fn last_delivery_before(&self, moment: &Moment) -> Option<&Delivery> {
        let earlier = self.changes.iter().rev().filter(|change| change.evidence.moment < *moment);
        earlier.into_iter().find_map(|change| change.after.delivery()).or(self.base.delivery.as_ref())
    }

    /// Every bucket that logs went to, as far as that is known.
    pub(crate) fn buckets(&self) -> Vec<ResourceKey> {
        let deliveries = self.changes.iter().filter_map(|change| change.after.delivery());
        let named = deliveries.chain(&self.base.delivery).flat_map(|delivery| &delivery.destinations);
        let buckets = named.filter(|(kind, _)| **kind != Destination::LogGroup);
        buckets.map(|(_, name)| ResourceKey::Bucket(name.clone())).collect()
    }

    /// Since when what is known now has been so.
    pub(crate) fn since(&self) -> Option<Second> {
        let is_now = |change: &&LoggingChange| change.after == *self.now();
        self.changes.iter().rev().take_while(is_now).last().map(|change| change.evidence.moment.at)
    }

    /// What is known now.
    pub(crate) fn now(&self) -> &Posture {
        self.changes.last().map_or(&self.base.posture, |change| &change.after)
    }
}

impl LoggingChange {
    /// Whether inventory saw what `change` made, at a time that differs by no more than clocks do.
    fn foresaw(&self, change: &Self) -> bool {
        let ahead = change.evidence.moment.at.since(self.evidence.moment.at);
        !self.made && change.made && self.after == change.after && ahead <= SKEW_S
    }
}

/// One change in its context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) before: &'a Posture,
    pub(crate) change: &'a LoggingChange,
    pub(crate) later: &'a [LoggingChange],
}

impl Step<'_> {
    /// Whether nothing is delivered from here on, and something was before, or nothing was known.
    pub(crate) fn blinds(&self) -> bool {
        let is_off = |change: &LoggingChange| change.after == Posture::Off;
        let foreseen = self.later.iter().take_while(|later| is_off(later)).any(|later| self.change.foresaw(later));
        is_off(self.change) && *self.before != Posture::Off && !foreseen
    }

    /// Whether inventory found logging off and nobody was seen switching it off.
    pub(crate) fn is_found_off(&self) -> bool {
        if self.change.made || !self.blinds() {
            return false;
        }
        let same = self.later.iter().take_while(|later| !later.made && later.after == Posture::Off);
        let seen_for = same.last().map_or(0, |last| last.evidence.moment.at.since(self.change.evidence.moment.at));
        *self.before == Posture::Unknown || seen_for >= CONFIRMED_S
    }

    /// The first of `later` after which something is delivered.
    pub(crate) fn restoring(&self) -> Option<&LoggingChange> {
        self.later.iter().find(|change| matches!(change.after, Posture::On(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_configurations() {
        let check = |config: Value, expected: &str| assert_eq!(Posture::of(&config).as_str(), expected, "{config}");
        let bucket = json!({"bucketName": "logs"});
        check(Value::Null, "unknown");
        check(json!({}), "off");
        check(json!({"s3Config": bucket}), "on");
        check(json!({"textDataDeliveryEnabled": true}), "off");
        check(json!({"s3Config": bucket, "textDataDeliveryEnabled": false}), "on");
        let all_off = json!({"s3Config": bucket, "textDataDeliveryEnabled": false, "imageDataDeliveryEnabled": false,
            "embeddingDataDeliveryEnabled": false, "videoDataDeliveryEnabled": false, "audioDataDeliveryEnabled": "false"});
        check(all_off, "off");
    }

    #[test]
    fn tells_what_is_lost_and_moved() {
        let delivery = |config: Value| match Posture::of(&config) {
            Posture::On(delivery) => delivery,
            other => panic!("{other:?}"),
        };
        let both = delivery(json!({"s3Config": {"bucketName": "a"}, "cloudWatchConfig": {"logGroupName": "g"}}));
        let one = delivery(json!({"s3Config": {"bucketName": "b"}, "imageDataDeliveryEnabled": false}));
        assert_eq!(both.lost_in(&one), ["image", "log_group:g"]);
        assert_eq!(both.moved_in(&one), ["bucket:a to b"]);
        assert!(both.covers(&both) && !one.covers(&both));
    }
}
