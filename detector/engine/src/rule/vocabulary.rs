//! The computed fields rules can use, and where each is available: the one list behind the compiler's checks and the
//! documentation.

use super::value::Metric;

/// Which events a rule judges: from its Sigma `logsource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// `product: aws, service: cloudtrail`: every CloudTrail record.
    CloudTrail,
    /// `product: bedrock-watch, service: principal`: every second in which a principal did something with Bedrock,
    /// judged again whenever a late record changes what is known about it.
    Principal,
    /// `product: bedrock-watch, service: state`: every change of what is known about jobs, their dependencies,
    /// logging and the service itself.
    State,
}

/// A computed field.
#[derive(Debug)]
pub struct WatchField {
    /// The name in rules, without the `watch.` prefix.
    pub name: &'static str,
    /// Where it is available.
    pub domains: &'static [Domain],
    /// What it means.
    pub meaning: &'static str,
}

/// The state events: what `watch.event` can be.
pub const STATE_EVENTS: &[&str] = &[
    "JobDependencyLost",
    "JobDependencyDeleteRefused",
    "JobDependencyEmptied",
    "JobDependencyMissing",
    "InvocationLoggingChanged",
    "InvocationLoggingDestinationLost",
    "InvocationLoggingFoundOff",
    "DetectorBlind",
    "CoverageGap",
    "DependencyLost",
    "DataExposed",
];

const EVERYWHERE: &[Domain] = &[Domain::CloudTrail, Domain::Principal, Domain::State];
const CALLS: &[Domain] = &[Domain::CloudTrail];
const ACTIVITY: &[Domain] = &[Domain::CloudTrail, Domain::Principal];
const PRINCIPAL: &[Domain] = &[Domain::Principal];
const STATE: &[Domain] = &[Domain::State];

const fn field(name: &'static str, domains: &'static [Domain], meaning: &'static str) -> WatchField {
    WatchField { name, domains, meaning }
}

/// Every computed field except the window counts, see [`METRICS`].
pub const FIELDS: &[WatchField] = &[
    field("account", EVERYWHERE, "account of the affected thing (for a record: the account acted upon)"),
    field("region", EVERYWHERE, "region of the affected thing; missing where there is no single one"),
    field("principal", ACTIVITY, "normalised principal: the role behind a session, the user's ARN, service:NAME"),
    field("credential", CALLS, "long_term_key, bedrock_api_key, temporary or other"),
    field("inference", CALLS, "true for calls that make a model work"),
    field("outcome", CALLS, "success, throttled, service_failure or refused"),
    field("model", CALLS, "normalised model of an inference call"),
    field(
        "via",
        CALLS,
        "console, api_key, agent:NAME, knowledge_base:NAME, service:NAME; missing for an ordinary signed call",
    ),
    field(
        "workload",
        CALLS,
        "what a role session looks like: sso, lambda, ecs_task, ec2_instance, eks_pod, eks_service_account, sagemaker, \
         codebuild, github_actions, gitlab_ci, terraform_cloud, cloudshell, glue_job or batch_job, each with :NAME",
    ),
    field("principal.baseline_known", ACTIVITY, "whether 60 minutes of activity in the last 7 days are known"),
    field(
        "principal.burst_ratio",
        ACTIVITY,
        "invocations_60s divided by the principal's baseline; missing while unknown",
    ),
    field(
        "principal.first_use_after_enabling",
        ACTIVITY,
        "true in the second of the first successful inference call within an hour of enabling a model, after 30 days without",
    ),
    field(
        "principal.usage_baseline_known",
        PRINCIPAL,
        "whether 24 hours with model invocation logs in the last 7 days are known",
    ),
    field(
        "principal.token_ratio",
        PRINCIPAL,
        "tokens read and written in the last hour, divided by the 99th percentile of the principal's hours; missing while unknown",
    ),
    field(
        "principal.cost_ratio",
        PRINCIPAL,
        "cost_usd_1h divided by the 99th percentile of the principal's hours; missing while unknown",
    ),
    field("principal.cost_usd_today", PRINCIPAL, "estimated cost in USD since the UTC day began"),
    field(
        "principal.cost_today_ratio",
        PRINCIPAL,
        "cost_usd_today divided by the dearest of the principal's last 7 days; missing while unknown",
    ),
    field(
        "event",
        STATE,
        "JobDependencyLost, JobDependencyDeleteRefused, JobDependencyEmptied, JobDependencyMissing, \
         InvocationLoggingChanged, InvocationLoggingDestinationLost, InvocationLoggingFoundOff, DetectorBlind, CoverageGap, DependencyLost or \
         DataExposed",
    ),
    field(
        "dependency.kind",
        STATE,
        "security_group, subnet, vpc_endpoint, role, kms_key or bucket; for DependencyLost also lambda_function, \
         opensearch_collection, opensearch_domain, db_cluster, vector_bucket, vector_index, neptune_graph or secret",
    ),
    field("dependency.id", STATE, "group id, subnet id, endpoint id, bucket name, or the ARN"),
    field("dependency.account", STATE, "account the dependency belongs to"),
    field(
        "dependency.change",
        STATE,
        "deleted, disabled, scheduled_for_deletion, permissions_removed or trust_removed; for DataExposed policy_public, \
         policy_cross_account, policy_deleted, replicated, public_access_block_lowered or lifecycle_expires",
    ),
    field("dependency.error", STATE, "errorCode of a refused deletion, without its Client. prefix"),
    field("jobs.affected", STATE, "how many jobs depend on it and had not ended when it was lost"),
    field("jobs.live", STATE, "how many jobs that depend on it had started and not ended at that moment"),
    field("logging.before", STATE, "unknown, off or on: whether anything was delivered before the change"),
    field("logging.after", STATE, "unknown, off or on: whether anything is delivered after the change"),
    field("logging.reduced", STATE, "true when a data type or destination delivered before is delivered no longer"),
    field("logging.moved", STATE, "true when a destination is another bucket, log group or account than before"),
    field("logging.used", STATE, "true when models were called since logging was found off"),
    field("logging.destination.kind", STATE, "log_group, bucket or role"),
    field(
        "dependent.kind",
        STATE,
        "customization_job, batch_inference_job, model_import_job, evaluation_job, custom_model_deployment, \
         knowledge_base, data_source, agent or agent_action_group: what stands on the dependency",
    ),
    field(
        "dependents.affected",
        STATE,
        "how many of that kind depend on it and had not ended when it was lost; for DataExposed, how many of any kind",
    ),
    field("detector.part", STATE, "canary, trail or rule: which part of the service's own protection is missing"),
    field("first.principal", CALLS, "true for the first event of the principal on Bedrock in 30 UTC days"),
    field(
        "first.region",
        CALLS,
        "true for the first inference call or change on Bedrock in the region, by anybody, in 30 UTC days",
    ),
    field(
        "first.model",
        CALLS,
        "true for the first inference call with the model in the account, by anybody, in 30 UTC days",
    ),
    field(
        "first.operation",
        CALLS,
        "true for the principal's first call of the operation, other than inference, in 30 UTC days",
    ),
    field(
        "first.network",
        CALLS,
        "true for the principal's first event on Bedrock from the /24 (IPv6: /48) in 30 UTC days",
    ),
    field(
        "first.user_agent",
        CALLS,
        "true for the principal's first event on Bedrock with the user agent's program in 30 UTC days",
    ),
    field(
        "first.day",
        CALLS,
        "true for every event of a principal without one on the 30 UTC days before; only beside another watch.first",
    ),
];

/// A window count: `watch.principal.<name>_<duration>`, the duration as `60s`, `10m` or `1h`, at most 60 minutes.
#[derive(Debug)]
pub struct WindowMetric {
    /// The name in rules, between `watch.principal.` and `_<duration>`.
    pub name: &'static str,
    /// What the engine counts.
    pub metric: Metric,
    /// What it means.
    pub meaning: &'static str,
}

const fn metric(name: &'static str, metric: Metric, meaning: &'static str) -> WindowMetric {
    WindowMetric { name, metric, meaning }
}

/// The longest window a rule can ask for, in seconds.
pub const WINDOW_MAX_S: u32 = 3_600;

/// The fields of [`FIELDS`] that come from model invocation logs, as do the metrics of [`Metric::is_of_usage`]. A rule
/// asks either for these or for CloudTrail's.
pub const USAGE_FIELDS: &[&str] = &[
    "principal.usage_baseline_known",
    "principal.token_ratio",
    "principal.cost_ratio",
    "principal.cost_usd_today",
    "principal.cost_today_ratio",
];

/// Every window count; available in the domains `CloudTrail` and `Principal`, those of model invocation logs in
/// `Principal` only.
pub const METRICS: &[WindowMetric] = &[
    metric("invocations", Metric::Invocations, "inference calls that were not throttled"),
    metric("calls", Metric::Calls, "inference calls of every outcome"),
    metric("successes", Metric::Successes, "successful inference calls"),
    metric("refusals", Metric::Refusals, "inference calls refused for what the caller did or is"),
    metric("models", Metric::Models, "distinct models called"),
    metric(
        "new_models",
        Metric::NewModels,
        "distinct models called that nobody in the account had called in the 30 days before the window",
    ),
    metric("regions", Metric::Regions, "distinct regions called"),
    metric(
        "new_regions",
        Metric::NewRegions,
        "distinct regions called that the principal had not called in the 30 days before the window",
    ),
    metric("refused_models", Metric::RefusedModels, "distinct models among the refused calls"),
    metric("refused_regions", Metric::RefusedRegions, "distinct regions among the refused calls"),
    metric("throttled", Metric::Throttled, "inference calls that were throttled"),
    metric("long_lived_refusals", Metric::LongLivedRefusals, "refused calls with a long-term key or a Bedrock API key"),
    metric("limit_probes", Metric::LimitProbes, "calls refused with a validation error about max_tokens"),
    metric(
        "successes_before",
        Metric::SuccessesBefore,
        "successful inference calls before the judged second, which does not count itself",
    ),
    metric("enablements", Metric::Enablements, "models enabled successfully"),
    metric("input_tokens", Metric::InputTokens, "tokens read, without those from the prompt cache (invocation log)"),
    metric("output_tokens", Metric::OutputTokens, "tokens written (invocation log)"),
    metric("cost_usd", Metric::CostUsd, "estimated cost in USD (invocation log and rules/prices.toml)"),
    metric("log_errors", Metric::LogErrors, "log records refused for what the caller did or is (invocation log)"),
];
