//! What stands on other resources: jobs, deployed models, knowledge bases and agents; when each began and ended, and what
//! it needs, from whatever source said so.
//!
//! Every fact is joined so that the order of arrival does not matter: starts and ends take the earliest, names and
//! lists the union. Deliberately no index: `dependents` finds them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::{DAY_S, Second};

use super::resource::ResourceKey;

const HOUR_S: u32 = 3_600;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A model customization job: the one kind that the rules named `customization-job-` are about.
    #[default]
    CustomizationJob,
    /// A batch inference job (`CreateModelInvocationJob`).
    BatchJob,
    /// A model import job.
    ImportJob,
    /// A model or knowledge base evaluation job.
    EvaluationJob,
    /// A synchronisation of a knowledge base's data source.
    IngestionJob,
    /// A custom model that no job is known to have made (`CreateCustomModel`).
    CustomModel,
    /// A custom model that can be invoked: deployed for on-demand use, or with provisioned throughput.
    Deployment,
    /// A knowledge base.
    KnowledgeBase,
    /// A data source of a knowledge base.
    DataSource,
    /// An agent.
    Agent,
    /// An action group of an agent.
    ActionGroup,
}

impl Kind {
    /// By their numbers in the packed form: a snapshot knows these.
    const ALL: [Self; 11] = [
        Self::CustomizationJob,
        Self::BatchJob,
        Self::ImportJob,
        Self::EvaluationJob,
        Self::IngestionJob,
        Self::CustomModel,
        Self::Deployment,
        Self::KnowledgeBase,
        Self::DataSource,
        Self::Agent,
        Self::ActionGroup,
    ];

    /// The name in rules and alerts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CustomizationJob => "customization_job",
            Self::BatchJob => "batch_inference_job",
            Self::ImportJob => "model_import_job",
            Self::EvaluationJob => "evaluation_job",
            Self::IngestionJob => "ingestion_job",
            Self::CustomModel => "custom_model",
            Self::Deployment => "custom_model_deployment",
            Self::KnowledgeBase => "knowledge_base",
            Self::DataSource => "data_source",
            Self::Agent => "agent",
            Self::ActionGroup => "agent_action_group",
        }
    }

    /// The kind of this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The number of the kind in the packed form.
    pub(super) fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// The kind of that number.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// After which time it is taken to be over if nothing said so, in seconds; `None` where its end is always reported
    /// or it has none of its own.
    ///
    /// A batch job times out after at most 168 hours (Amazon Bedrock API reference, CreateModelInvocationJob); imports
    /// and evaluations, which report no end, take hours at most; AWS names no limit, a day is generous. A knowledge base
    /// synchronises in minutes to hours.
    pub(crate) const fn age_max_s(self) -> Option<u32> {
        match self {
            Self::BatchJob => Some(7 * DAY_S),
            Self::ImportJob | Self::EvaluationJob => Some(DAY_S),
            Self::IngestionJob => Some(4 * HOUR_S),
            _ => None,
        }
    }

    /// Whether it calls models under its service role while it runs.
    pub(crate) const fn invokes(self) -> bool {
        matches!(self, Self::CustomizationJob | Self::BatchJob | Self::EvaluationJob | Self::IngestionJob)
    }

    /// What it is while nothing is known to have happened to it.
    const fn live_status(self) -> &'static str {
        match self {
            Self::CustomizationJob | Self::BatchJob | Self::ImportJob | Self::EvaluationJob | Self::IngestionJob => {
                "InProgress"
            }
            _ => "Active",
        }
    }
}

/// What a dependency is for, where an update can exchange it for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Slot {
    Role,
    Key,
    Function,
}

/// A job, deployed model, knowledge base or agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dependent {
    pub(crate) kind: Kind,
    pub(crate) arn: Option<Box<str>>,
    pub(crate) name: Option<Box<str>>,
    /// Which event gave it the name, where an update can change that.
    pub(super) named: Option<(Second, Box<str>)>,
    pub(crate) account: Box<str>,
    pub(crate) region: Box<str>,
    /// The earliest moment at which it is known to have existed.
    pub(crate) started: Option<Second>,
    /// The earliest known end, and the status it ended with.
    pub(crate) ended: Option<(Second, Box<str>)>,
    /// Whether somebody asked to stop it.
    pub(crate) stopping: bool,
    /// ARN of what it is a part of and ends with: a data source's knowledge base, an action group's agent.
    pub(crate) parent: Option<Box<str>>,
    pub(crate) security_groups: BTreeSet<Box<str>>,
    pub(crate) subnets: BTreeSet<Box<str>>,
    pub(crate) role_arn: Option<Box<str>>,
    pub(crate) kms_key: Option<Box<str>>,
    /// Stores, functions, buckets and whatever else it needs for as long as it lives.
    pub(crate) needs: BTreeSet<ResourceKey>,
    /// What it needs by what an update said, and since when; the event's id orders updates of one second.
    pub(crate) exchanged: BTreeMap<(Slot, Second, Box<str>), Option<ResourceKey>>,
    pub(crate) output_model: Option<Box<str>>,
    pub(crate) output_model_arn: Option<Box<str>>,
    // The rest is what starting a customization job again takes.
    pub(crate) training_uri: Option<Box<str>>,
    pub(crate) validation_uris: BTreeSet<Box<str>>,
    pub(crate) output_uri: Option<Box<str>>,
    pub(crate) base_model: Option<Box<str>>,
    pub(crate) customization_type: Option<Box<str>>,
    pub(crate) hyper_parameters: BTreeMap<Box<str>, Box<str>>,
    pub(crate) job_tags: BTreeMap<Box<str>, Box<str>>,
    pub(crate) model_tags: BTreeMap<Box<str>, Box<str>>,
}

/// When something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) at: Second,
    /// Nothing said so; it has reached the greatest age of its kind.
    pub(crate) presumed: bool,
}

impl End {
    /// The end of what is of that kind, by what is known of it.
    pub(super) fn of(kind: Kind, started: Option<Second>, ended: Option<Second>) -> Option<Self> {
        let aged = kind.age_max_s().and_then(|age| Some(started?.plus(age)));
        ended.map(|at| Self { at, presumed: false }).or_else(|| aged.map(|at| Self { at, presumed: true }))
    }
}

/// Exchanges remembered of one dependent; of more, the oldest are forgotten.
const EXCHANGES_MAX: usize = 16;

impl Dependent {
    /// When it ended, as far as it is known by itself.
    pub(crate) fn end_of_its_own(&self) -> Option<End> {
        End::of(self.kind, self.started, self.ended.as_ref().map(|(at, _)| *at))
    }

    /// Whether it is known to have ended.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// The status people know it by.
    pub(crate) fn status(&self) -> &str {
        match (&self.ended, self.stopping) {
            (Some((_, status)), _) => status,
            (None, true) => "Stopping",
            (None, false) => self.kind.live_status(),
        }
    }

    /// Its ARN, else its name.
    pub(crate) fn label(&self) -> &str {
        self.arn.as_deref().or(self.name.as_deref()).unwrap_or("unknown")
    }

    /// Notes that it existed at `at`.
    pub(crate) fn existed_at(&mut self, at: Second) {
        self.started = Some(self.started.map_or(at, |started| started.min(at)));
    }

    /// Notes that it ended. Of several ends the earliest counts.
    pub(crate) fn end(&mut self, at: Second, status: &str) {
        let end = (at, status.into());
        if self.ended.as_ref().is_none_or(|known| end < *known) {
            self.ended = Some(end);
        }
    }

    /// Notes what an event put into `slot`.
    pub(crate) fn exchange(&mut self, slot: Slot, at: Second, event_id: &str, resource: Option<ResourceKey>) {
        self.exchanged.insert((slot, at, event_id.into()), resource);
        if self.exchanged.len() > EXCHANGES_MAX {
            let oldest = self.exchanged.keys().min_by_key(|(_, at, id)| (*at, id.clone())).cloned();
            if let Some(oldest) = oldest {
                self.exchanged.remove(&oldest);
            }
        }
    }

    /// Notes the service role that an event gave it.
    pub(crate) fn exchange_role(&mut self, at: Second, event_id: &str, arn: Option<&str>) {
        let Some(arn) = arn else { return };
        self.exchange(Slot::Role, at, event_id, ResourceKey::role_of_arn(arn));
    }

    /// Notes the name that an event gave it; the latest counts.
    pub(crate) fn rename(&mut self, at: Second, event_id: &str, name: Option<String>) {
        let Some(name) = name else { return };
        let event = (at, Box::from(event_id));
        if self.named.as_ref().is_none_or(|known| *known <= event) {
            self.name = Some(name.into());
            self.named = Some(event);
        }
    }

    /// Whether it needs `resource` at some time in `from..until`; what is in a slot counts until the next exchange.
    pub(crate) fn needs_within(&self, resource: &ResourceKey, from: Second, until: Option<Second>) -> bool {
        if !self.exchanged.values().flatten().any(|known| known == resource) {
            return true;
        }
        let mut changes = self.exchanged.iter().peekable();
        while let Some(((slot, at, _), in_slot)) = changes.next() {
            let next = changes.peek().filter(|((next, ..), _)| next == slot).map(|((_, at, _), _)| *at);
            let overlaps = next.is_none_or(|next| next > from) && until.is_none_or(|until| *at < until);
            if overlaps && in_slot.as_ref() == Some(resource) {
                return true;
            }
        }
        false
    }

    /// Everything it ever stood on, except VPC endpoints, which it never names.
    pub(crate) fn resources(&self) -> BTreeSet<ResourceKey> {
        let mut resources = self.needs.clone();
        resources.extend(self.exchanged.values().flatten().cloned());
        resources.extend(self.security_groups.iter().cloned().map(ResourceKey::SecurityGroup));
        resources.extend(self.subnets.iter().cloned().map(ResourceKey::Subnet));
        resources.extend(self.role_and_key());
        resources.extend(self.buckets());
        resources
    }

    /// Whether it ever stood on `resource`: whether [`Self::resources`] has it.
    pub(super) fn stands_on(&self, resource: &ResourceKey) -> bool {
        let by_its_texts = match resource {
            ResourceKey::SecurityGroup(id) => self.security_groups.contains(id),
            ResourceKey::Subnet(id) => self.subnets.contains(id),
            ResourceKey::Role { .. } | ResourceKey::KmsKey(_) => self.role_and_key().any(|known| known == *resource),
            ResourceKey::Bucket(_) => self.buckets().any(|known| known == *resource),
            _ => false,
        };
        by_its_texts
            || self.needs.contains(resource)
            || self.exchanged.values().flatten().any(|known| known == resource)
    }

    fn role_and_key(&self) -> impl Iterator<Item = ResourceKey> {
        let role = self.role_arn.as_deref().and_then(ResourceKey::role_of_arn);
        role.into_iter().chain(self.kms_key.as_deref().map(|key| ResourceKey::kms_key(key, &self.account)))
    }

    fn buckets(&self) -> impl Iterator<Item = ResourceKey> {
        let uris = [&self.training_uri, &self.output_uri].into_iter().flatten().chain(&self.validation_uris);
        uris.filter_map(|uri| ResourceKey::bucket_of_uri(uri))
    }

    /// The custom models it makes, by ARN and by name.
    pub(crate) fn models(&self) -> impl Iterator<Item = ResourceKey> {
        let names = [&self.output_model_arn, &self.output_model].into_iter().flatten();
        names.map(|name| ResourceKey::custom_model(name, &self.account, &self.region))
    }
}
