//! Applies what AWS answered when it was asked. Inventory adds facts with their time; it never overrules an event.
//!
//! Where it contradicts what events said, that is noted in words: an event was lost, or is still on its way.

use crate::{
    alert::Actor,
    observation::{Observation, ObservedDependent, ObservedJob},
    order::Evidence,
    settings::Settings,
    time::Second,
};

use super::{
    Origin, Touched, World,
    apply::{is_terminal, observed_moment, owner_of_arn},
    apply_dependents,
    dependent::{Dependent, Kind},
    dependents::DependentRef,
    group_rules::GroupRule,
    logging::{LoggingChange, Posture},
    requests::{set_key_text, set_text},
    resource::ResourceKey,
    security_group::RuleChange,
};

impl World {
    /// Applies an observation.
    pub(crate) fn apply_observation(&mut self, seen: &Observation, settings: &Settings) -> Touched {
        let evidence = Evidence {
            moment: observed_moment(seen.at, &seen.id),
            name: "InventoryObservation".into(),
            principal: "".into(),
            actor: Actor::default(),
        };
        let max = usize::try_from(settings.limits.changes_max).unwrap_or(usize::MAX);
        let mut touched = Touched::new();
        let keep = |field: &mut Option<Box<str>>, value: &Option<String>| {
            if let Some(value) = value {
                set_text(field, value);
            }
        };
        for job in &seen.jobs {
            let (account, region) = owner_of_arn(&job.job_arn).unwrap_or((&seen.account, &seen.region));
            let wanted = DependentRef {
                kind: Kind::CustomizationJob,
                account,
                region,
                arn: Some(&job.job_arn),
                name: job.job_name.as_deref(),
            };
            self.note_job(wanted, job);
            touched.extend(self.update_dependent(wanted, settings, |known| read_observed(known, job, seen.at)));
        }
        for one in &seen.dependents {
            touched.extend(self.note_dependent(seen, one, settings));
        }
        for observed in &seen.security_groups {
            let group = self.group_mut(&observed.group_id, settings);
            group.account = seen.account.as_str().into();
            group.region = seen.region.as_str().into();
            keep(&mut group.name, &observed.group_name);
            keep(&mut group.description, &observed.description);
            keep(&mut group.vpc, &observed.vpc_id);
            let rules = observed.rules.iter().map(GroupRule::observed).collect();
            let entered = group.enter(evidence.clone(), RuleChange::Observed(rules), max);
            let key = ResourceKey::SecurityGroup(observed.group_id.as_str().into());
            self.note_entered(&key, entered);
            if let Some(vpc) = &observed.vpc_id {
                touched.extend(self.network.place(key.clone(), vpc).into_iter().map(Origin::Resource));
            }
            touched.insert(Origin::Resource(key));
        }
        for id in &seen.missing_security_groups {
            let group = self.group_mut(id, settings);
            group.note_missing(evidence.clone(), max);
            touched.insert(Origin::Resource(ResourceKey::SecurityGroup(id.as_str().into())));
        }
        for endpoint in &seen.vpc_endpoints {
            self.network.place_endpoint(&endpoint.vpc_endpoint_id, &endpoint.vpc_id);
            let key = ResourceKey::VpcEndpoint(endpoint.vpc_endpoint_id.as_str().into());
            touched.insert(Origin::Resource(key));
        }
        if let Some(logging) = &seen.invocation_logging {
            let after = logging.logging_config.as_ref().map_or(Posture::Off, Posture::of);
            self.note_logging(&seen.account, &seen.region, &after);
            let change = LoggingChange { evidence, after, made: false };
            touched.extend(self.enter_logging(&seen.account, &seen.region, change, settings));
        }
        touched
    }

    fn note_dependent(&mut self, seen: &Observation, one: &ObservedDependent, settings: &Settings) -> Touched {
        let Some(kind) = Kind::of_name(&one.kind) else { return Touched::new() };
        let (account, region) = owner_of_arn(&one.arn).unwrap_or((&seen.account, &seen.region));
        // The names of knowledge bases and agents change; they come with the time of the observation.
        let name = one.name.as_deref().filter(|_| !matches!(kind, Kind::KnowledgeBase | Kind::Agent));
        let wanted = DependentRef { kind, account, region, arn: Some(&one.arn), name };
        self.update_dependent(wanted, settings, |known| apply_dependents::read_observed(known, one, seen.at))
    }

    fn note_job(&mut self, wanted: DependentRef<'_>, seen: &ObservedJob) {
        let known = self.dependents.find(wanted).map(|(_, known)| known);
        let (job, status) = (&seen.job_arn, &seen.status);
        match known {
            None if !is_terminal(status) => self.note(|| format!("job {job} is live, and no event said that it began")),
            Some(known) if is_terminal(status) && !known.has_ended() => {
                self.note(|| format!("job {job} has ended ({status}), and no event said so"));
            }
            _ => {}
        }
    }

    fn note_logging(&mut self, account: &str, region: &str, seen: &Posture) {
        let history = self.logging.get(&(Box::from(account), Box::from(region)));
        let Some(known) = history.map(|history| history.now()).filter(|known| *known != seen) else { return };
        let (known, now) = (known.as_str(), seen.as_str());
        let what = if known == now { "has another configuration".to_owned() } else { format!("is {now}, was {known}") };
        self.note(|| format!("invocation logging of account {account}, region {region} {what}, and no event said so"));
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.corrections.len() < CORRECTIONS_MAX {
            self.corrections.push(text());
        }
    }
}

/// Contradictions noted until somebody asks; the rest is not.
const CORRECTIONS_MAX: usize = 100;

fn read_observed(known: &mut Dependent, seen: &ObservedJob, at: Second) {
    let time = |text: &Option<String>| text.as_deref().and_then(Second::parse);
    known.existed_at(time(&seen.creation_time).unwrap_or(at).min(at));
    if is_terminal(&seen.status) {
        known.end(time(&seen.end_time).unwrap_or(at), &seen.status);
    } else if seen.status == "Stopping" {
        known.stopping = true;
    }
    let keep = |field: &mut Option<Box<str>>, value: &Option<String>| {
        if let Some(value) = value {
            set_text(field, value);
        }
    };
    keep(&mut known.role_arn, &seen.role_arn);
    if let Some(key) = &seen.kms_key {
        set_key_text(&mut known.kms_key, key);
    }
    keep(&mut known.base_model, &seen.base_model);
    keep(&mut known.customization_type, &seen.customization_type);
    keep(&mut known.output_model, &seen.output_model_name);
    keep(&mut known.output_model_arn, &seen.output_model_arn);
    keep(&mut known.training_uri, &seen.training_s3_uri);
    keep(&mut known.output_uri, &seen.output_s3_uri);
    known.validation_uris.extend(seen.validation_s3_uris.iter().map(|uri| uri.as_str().into()));
    known.subnets.extend(seen.subnet_ids.iter().map(|id| id.as_str().into()));
    known.security_groups.extend(seen.security_group_ids.iter().map(|id| id.as_str().into()));
    let parameters = seen.hyper_parameters.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    known.hyper_parameters.extend(parameters);
}
