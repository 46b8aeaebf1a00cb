//! Applies calls and native job events to the world, and says what has to be derived again.

use serde_json::Value;

use crate::{
    activity::{ApiCall, JobStateChange},
    decode::section,
    limit::Limit,
    order::{Evidence, Moment},
    principals::actor_of,
    settings::Settings,
    time::Second,
};

use super::{
    Origin, Touched, World,
    dependent::{Dependent, Kind},
    dependents::DependentRef,
    group_rules::{items, modified_rules, named_rules, text},
    interests::{Meaning, meaning},
    json::{At, Section},
    logging::{LoggingChange, Posture},
    refusals::Noted,
    requests::{created_endpoint, read_job_detail, read_job_request, set, tags, texts},
    resource::{Effect, Entered, Loss, ResourceKey},
    security_group::RuleChange,
};

/// The tag that ties a network interface to a customization job (Amazon Bedrock user guide, "VPC protection").
const JOB_TAG: &str = "BedrockModelCustomizationJobArn";

/// A call on its way into the world.
pub(super) struct Applying<'a> {
    pub(super) call: &'a ApiCall<'a>,
    pub(super) request: Section<'a>,
    pub(super) response: Section<'a>,
    pub(super) settings: &'a Settings,
}

impl World {
    /// Whether a call means anything to the world.
    pub(crate) fn cares_about(source: &str, name: &str) -> bool {
        meaning(source, name).is_some()
    }

    /// Applies a call.
    pub(crate) fn apply_call(&mut self, call: &ApiCall<'_>, settings: &Settings) -> Touched {
        let Some(meaning) = meaning(&call.source, &call.name) else { return Touched::new() };
        if call.error_code.is_some() && meaning != Meaning::DeleteGroup {
            return Touched::new();
        }
        let (request, response) = (Section::new(call.request.as_deref()), Section::new(call.response.as_deref()));
        let applying = Applying { call, request, response, settings };
        self.apply(meaning, &applying)
    }

    fn apply(&mut self, meaning: Meaning, it: &Applying<'_>) -> Touched {
        match meaning {
            Meaning::CreateJob => self.create_job(it),
            Meaning::StopJob => self.stop_job(it),
            Meaning::PutLogging => self.change_logging(it, Posture::of(it.request.at("loggingConfig"))),
            Meaning::DeleteLogging => self.change_logging(it, Posture::Off),
            Meaning::CreateGroup => self.create_group(it),
            Meaning::DeleteGroup => self.delete_group(it),
            Meaning::Authorize { egress } => {
                self.change_group(it, RuleChange::Authorized(named_rules(egress, &it.request, &it.response)))
            }
            Meaning::Revoke { egress } => {
                let rules = named_rules(egress, &it.request, &it.response);
                self.change_group(it, RuleChange::Revoked { egress, rules })
            }
            Meaning::ModifyRules => self.modify_group(it),
            Meaning::CreateSubnet => self.create_subnet(it),
            Meaning::CreateEndpoint => self.create_endpoint(it),
            Meaning::CreateInterface => self.create_interface(it),
            Meaning::DeleteSubnet
            | Meaning::DeleteEndpoints
            | Meaning::DisableKey
            | Meaning::ScheduleKeyDeletion
            | Meaning::KeyBack
            | Meaning::CreateBucket
            | Meaning::DeleteBucket
            | Meaning::CreateLogGroup
            | Meaning::DeleteLogGroup => self.change_resource(meaning, it),
            Meaning::CreateRole
            | Meaning::DeleteRole
            | Meaning::AttachPolicy
            | Meaning::DetachPolicy
            | Meaning::PutPolicy
            | Meaning::DeletePolicy
            | Meaning::ChangeTrust => self.change_role(meaning, it),
            Meaning::Describe(kind) => self.describe(kind, it),
            Meaning::End(kind) => self.end(kind, it),
            Meaning::StopBatchJob => self.stop_batch_job(it),
            Meaning::Lose(kind) => self.lose(kind, it),
            Meaning::Regain(kind) => self.regain(kind, it),
            Meaning::Grant(kind) => self.grant(kind, it),
            Meaning::Ungrant(kind) => self.ungrant(kind, it),
            Meaning::SetBucket(setting) => self.set_bucket(setting, it),
        }
    }

    fn create_job(&mut self, it: &Applying<'_>) -> Touched {
        let arn = text(it.response.at("jobArn"));
        let name = text(it.request.at("jobName"));
        if arn.is_none() && name.is_none() {
            return Touched::new();
        }
        let (account, region) = arn.as_deref().and_then(owner_of_arn).unwrap_or((&it.call.account, &it.call.region));
        let wanted =
            DependentRef { kind: Kind::CustomizationJob, account, region, arn: arn.as_deref(), name: name.as_deref() };
        let at = it.call.time;
        self.update_dependent(wanted, it.settings, |job| {
            job.existed_at(at);
            read_job_request(job, &it.request);
        })
    }

    fn stop_job(&mut self, it: &Applying<'_>) -> Touched {
        let Some(identifier) = text(it.request.at("jobIdentifier")) else { return Touched::new() };
        let is_arn = identifier.starts_with("arn:");
        let (account, region) =
            if is_arn { owner_of_arn(&identifier) } else { None }.unwrap_or((&it.call.account, &it.call.region));
        let (arn, name) = if is_arn { (Some(&*identifier), None) } else { (None, Some(&*identifier)) };
        let wanted = DependentRef { kind: Kind::CustomizationJob, account, region, arn, name };
        self.update_dependent(wanted, it.settings, |job| {
            job.existed_at(it.call.time);
            job.stopping = true;
        })
    }

    /// Changes something that stands on others, and returns everything that has to be derived again because of it.
    pub(super) fn update_dependent(
        &mut self,
        wanted: DependentRef<'_>,
        settings: &Settings,
        change: impl FnOnce(&mut Dependent),
    ) -> Touched {
        let limits = &settings.limits;
        let is_job = wanted.kind == Kind::CustomizationJob;
        let (limit, max) =
            if is_job { (Limit::JobsMax, limits.jobs_max) } else { (Limit::DependentsMax, limits.dependents_max) };
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if self.dependents.len_beside(wanted.kind) >= max && self.dependents.find(wanted).is_none() {
            let evicted = self.dependents.evict(wanted.kind, max);
            self.limits_reached.count(limit, evicted.count);
            let endpoints = self.network.endpoints_of(&evicted.resources);
            let origins = evicted.resources.into_iter().chain(endpoints).map(Origin::Resource);
            self.forgotten.extend(origins.map(|origin| (origin, Second::MAX)));
        }
        let resources = self.dependents.update(wanted, change);
        let endpoints = self.network.endpoints_of(&resources);
        resources.into_iter().chain(endpoints).map(Origin::Resource).collect()
    }

    /// Applies a native event about a job.
    pub(crate) fn apply_job_state(&mut self, change: &JobStateChange<'_>, settings: &Settings) -> Touched {
        let (account, region) = owner_of_arn(&change.job_arn).unwrap_or((&change.account, &change.region));
        let wanted = DependentRef {
            kind: if change.batch { Kind::BatchJob } else { Kind::CustomizationJob },
            account,
            region,
            arn: Some(&change.job_arn),
            name: change.job_name.as_deref(),
        };
        self.update_dependent(wanted, settings, |job| {
            job.existed_at(change.created_at.unwrap_or(change.time).min(change.time));
            if is_terminal(&change.status) {
                job.end(change.ended_at.or(change.modified_at).unwrap_or(change.time), &change.status);
            } else if change.status == "Stopping" {
                job.stopping = true;
            }
            read_job_detail(job, &section::value(&change.detail));
        })
    }

    fn change_logging(&mut self, it: &Applying<'_>, after: Posture) -> Touched {
        let change = LoggingChange { evidence: it.evidence(), after, made: true };
        self.enter_logging(&it.call.account, &it.call.region, change, it.settings)
    }

    /// Enters a change of a logging configuration.
    pub(super) fn enter_logging(
        &mut self,
        account: &str,
        region: &str,
        change: LoggingChange,
        settings: &Settings,
    ) -> Touched {
        let key: (Box<str>, Box<str>) = (account.into(), region.into());
        if let Posture::On(delivery) = &change.after {
            for (resource, _) in delivery.resources(account, region) {
                self.logging_users.get_or_default(&resource).insert(key.clone());
            }
        }
        let max = usize::try_from(settings.limits.changes_max).unwrap_or(usize::MAX);
        let history = self.logging.entry(key.clone()).or_default();
        let entered = history.enter(change, max);
        let buckets: Vec<ResourceKey> = history.buckets();
        match entered {
            Entered::Known => return Touched::new(),
            Entered::New => {}
            Entered::AtLimit { forgotten } => {
                let origin = Origin::Logging { account: key.0.clone(), region: key.1.clone() };
                self.note_limit(buckets.iter().cloned().map(Origin::Resource).chain([origin]), forgotten);
            }
        }
        // Where the logs go may be exposed.
        let exposed = buckets.into_iter().filter(|bucket| self.has_story(bucket)).map(Origin::Resource);
        let origin = Origin::Logging { account: key.0, region: key.1 };
        exposed.chain([origin]).collect()
    }

    fn create_group(&mut self, it: &Applying<'_>) -> Touched {
        let Some(id) = text(it.response.at("groupId")) else { return Touched::new() };
        let vpc = text(it.request.at("vpcId"));
        let max = usize::try_from(it.settings.limits.changes_max).unwrap_or(usize::MAX);
        let group = self.group_mut(&id, it.settings);
        group.account = (*it.call.account).into();
        group.region = (*it.call.region).into();
        set(&mut group.name, it.request.at("groupName"));
        set(&mut group.description, it.request.at("groupDescription"));
        set(&mut group.vpc, it.request.at("vpcId"));
        let entered = group.enter(it.evidence(), RuleChange::Created, max);
        let key = ResourceKey::SecurityGroup(id.into());
        self.note_entered(&key, entered);
        let endpoints = vpc.map(|vpc| self.network.place(key.clone(), &vpc)).unwrap_or_default();
        std::iter::once(key).chain(endpoints).map(Origin::Resource).collect()
    }

    fn delete_group(&mut self, it: &Applying<'_>) -> Touched {
        let Some(id) = self.group_id(it) else { return Touched::new() };
        let key = ResourceKey::SecurityGroup(id.into());
        let Some(code) = it.call.error_code.as_deref() else {
            self.ledger_mut(&key, it.settings).account = Some((*it.call.account).into());
            return self.enter(key, it.evidence(), Effect::Lost(Loss::Deleted), it.settings);
        };
        let code = code.strip_prefix("Client.").unwrap_or(code);
        // It asks whether it may, and deletes nothing if it may.
        if code == "DryRunOperation" {
            return Touched::new();
        }
        let ledger = self.ledger_mut(&key, it.settings);
        ledger.account = Some((*it.call.account).into());
        let noted = ledger.refusals.enter(it.evidence(), code);
        self.limits_reached.count(Limit::Fixed, matches!(noted, Noted::AtLimit | Noted::Ignored));
        match noted {
            Noted::Kept | Noted::AtLimit => Touched::from([Origin::Resource(key)]),
            Noted::Known | Noted::Ignored => Touched::new(),
        }
    }

    /// The group a call names, by id, or by name where a group of that name was seen being created.
    fn group_id(&self, it: &Applying<'_>) -> Option<String> {
        let by_id = it.request.text("groupId").or_else(|| it.response.text("groupId"));
        by_id.or_else(|| {
            let name = text(it.request.at("groupName"))?;
            let is_it = |group: &super::SecurityGroup| {
                *group.account == *it.call.account
                    && *group.region == *it.call.region
                    && group.name.as_deref() == Some(name.as_str())
            };
            self.groups.those(|_, group| is_it(group)).next().map(|(id, _)| id.to_string())
        })
    }

    fn change_group(&mut self, it: &Applying<'_>, change: RuleChange) -> Touched {
        self.group_id(it).map(|id| self.change_group_of(id, it, change)).unwrap_or_default()
    }

    fn modify_group(&mut self, it: &Applying<'_>) -> Touched {
        let Some((id, rules)) = modified_rules(&it.request) else { return Touched::new() };
        self.change_group_of(id, it, RuleChange::Modified(rules))
    }

    fn change_group_of(&mut self, id: String, it: &Applying<'_>, change: RuleChange) -> Touched {
        let max = usize::try_from(it.settings.limits.changes_max).unwrap_or(usize::MAX);
        let group = self.group_mut(&id, it.settings);
        group.account = (*it.call.account).into();
        group.region = (*it.call.region).into();
        let entered = group.enter(it.evidence(), change, max);
        let key = ResourceKey::SecurityGroup(id.into());
        self.note_entered(&key, entered)
    }

    fn create_subnet(&mut self, it: &Applying<'_>) -> Touched {
        let (Some(id), Some(vpc)) = (text(it.response.at("subnet").at("subnetId")), text(it.request.at("vpcId")))
        else {
            return Touched::new();
        };
        let endpoints = self.network.place(ResourceKey::Subnet(id.into()), &vpc);
        endpoints.into_iter().map(Origin::Resource).collect()
    }

    fn create_endpoint(&mut self, it: &Applying<'_>) -> Touched {
        let Some((id, vpc)) = created_endpoint(&it.request, &it.response) else { return Touched::new() };
        self.network.place_endpoint(&id, &vpc);
        Touched::from([Origin::Resource(ResourceKey::VpcEndpoint(id.into()))])
    }

    /// A network interface that Bedrock made for a job ties job, subnet and groups together.
    fn create_interface(&mut self, it: &Applying<'_>) -> Touched {
        let specifications = items(it.request.at("tagSpecificationSet"));
        let job_arn = specifications.map(|one| tags(one.at("tags"))).find_map(|tags| tags.get(JOB_TAG).cloned());
        let Some(job_arn) = job_arn else { return Touched::new() };
        let Some((account, region)) = owner_of_arn(&job_arn) else { return Touched::new() };
        let interface = it.response.at("networkInterface");
        let groups = |set: &Value| -> Vec<Box<str>> {
            items(set.at("groupSet"))
                .filter_map(|group| text(group.at("groupId")))
                .map(String::into_boxed_str)
                .collect()
        };
        let subnet = text(interface.at("subnetId")).or_else(|| text(it.request.at("subnetId")));
        let mut touched = Touched::new();
        if let (Some(subnet), Some(vpc)) = (&subnet, text(interface.at("vpcId"))) {
            let endpoints = self.network.place(ResourceKey::Subnet(subnet.as_str().into()), &vpc);
            touched.extend(endpoints.into_iter().map(Origin::Resource));
        }
        let wanted = DependentRef { kind: Kind::CustomizationJob, account, region, arn: Some(&job_arn), name: None };
        touched.extend(self.update_dependent(wanted, it.settings, |job| {
            job.existed_at(it.call.time);
            job.security_groups.extend(groups(interface));
            job.security_groups.extend(groups(&it.request));
            job.security_groups.extend(texts(it.request.at("groupSet")));
            job.subnets.extend(subnet.map(String::into_boxed_str));
        }));
        touched
    }
}

impl Applying<'_> {
    pub(super) fn evidence(&self) -> Evidence {
        evidence_of(self.call)
    }
}

/// A call as evidence.
pub(crate) fn evidence_of(call: &ApiCall<'_>) -> Evidence {
    Evidence {
        moment: Moment { at: call.time, native: false, id: (*call.event_id).into() },
        name: (*call.name).into(),
        principal: (*call.principal).into(),
        actor: actor_of(call),
    }
}

/// Account and region of an ARN.
pub(super) fn owner_of_arn(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (region, account) = (parts.nth(3)?, parts.next()?);
    (!region.is_empty() && !account.is_empty()).then_some((account, region))
}

/// Whether a job with this status has ended.
pub(super) fn is_terminal(status: &str) -> bool {
    matches!(status, "Completed" | "PartiallyCompleted" | "Failed" | "Stopped" | "Expired")
}

/// Moment of something that inventory said.
pub(super) fn observed_moment(at: Second, id: &str) -> Moment {
    Moment { at, native: true, id: id.into() }
}
