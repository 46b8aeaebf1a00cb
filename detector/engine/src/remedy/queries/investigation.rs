//! What an investigator asks about a principal: who did what, from where, with which models, what failed, what was
//! changed, which credentials were made, which resources were touched, and how many tokens went where.

use super::{
    inquiry::Inquiry,
    search::{Column, Condition, Log, Measure, Search, Show, columns_and},
};

/// Calls after which less is recorded, or less of it arrives.
const BLINDING: [&str; 20] = [
    "DeleteBucket",
    "DeleteEventDataStore",
    "DeleteLogGroup",
    "DeleteModelInvocationLoggingConfiguration",
    "DeleteRetentionPolicy",
    "DeleteRule",
    "DeleteStream",
    "DeleteTrail",
    "DisableRule",
    "PutBucketLifecycle",
    "PutBucketLifecycleConfiguration",
    "PutBucketPolicy",
    "PutEventSelectors",
    "PutInsightSelectors",
    "PutModelInvocationLoggingConfiguration",
    "PutRetentionPolicy",
    "PutRule",
    "RemoveTargets",
    "StopLogging",
    "UpdateTrail",
];

/// Calls that make credentials, or widen what existing ones may do.
const CREDENTIALS: [&str; 24] = [
    "AddUserToGroup",
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "ConsoleLogin",
    "CreateAccessKey",
    "CreateLoginProfile",
    "CreateRole",
    "CreateServiceSpecificCredential",
    "CreateUser",
    "GetFederationToken",
    "GetSessionToken",
    "PutGroupPolicy",
    "PutRolePolicy",
    "PutUserPolicy",
    "ResetServiceSpecificCredential",
    "SwitchRole",
    "UpdateAccessKey",
    "UpdateAssumeRolePolicy",
    "UpdateLoginProfile",
    "UpdateServiceSpecificCredential",
];

const SPAN: [Measure; 2] = [Measure::First, Measure::Last];

/// Everything the principal did; nothing when none is known.
pub(super) fn timeline(inquiry: &Inquiry) -> Option<Search> {
    by_principal(inquiry, "Everything the principal did", Vec::new(), columns_and(&[]))
}

/// The principal's Bedrock calls; nothing when none is known.
pub(super) fn bedrock_calls(inquiry: &Inquiry) -> Option<Search> {
    let by = vec![Column::Hour, Column::Name, Column::Model, Column::Region, Column::Error];
    let show = Show::Counted { by, and: vec![Measure::SourceIps] };
    by_principal(inquiry, "The principal's Bedrock calls by hour, model and region", vec![Condition::bedrock()], show)
}

/// What the invocation log has, by hour, model and region.
pub(super) fn logged(inquiry: &Inquiry) -> Search {
    let by = vec![Column::Hour, Column::Caller, Column::Operation, Column::Model, Column::Region, Column::Error];
    let and = vec![Measure::InputTokens, Measure::OutputTokens];
    of_log(inquiry, "Logged invocations and tokens by hour, model and region", Show::Counted { by, and })
}

/// The whole set, beyond what [`timeline`] and [`bedrock_calls`] ask.
pub(super) fn further(inquiry: &Inquiry) -> Vec<Search> {
    let counted = |by: &[Column]| Show::Counted { by: by.to_vec(), and: SPAN.to_vec() };
    let mut searches = Vec::new();
    searches.extend(by_principal(
        inquiry,
        "From where: addresses, clients, keys and sessions",
        Vec::new(),
        counted(&[Column::Ip, Column::Agent, Column::AccessKey, Column::Caller]),
    ));
    searches.extend(by_principal(
        inquiry,
        "What was refused or failed",
        vec![Condition::Failed],
        counted(&[Column::Source, Column::Name, Column::Error, Column::Region]),
    ));
    searches.extend(by_principal(
        inquiry,
        "What the principal changed in Amazon Bedrock",
        vec![Condition::bedrock(), Condition::Changes],
        columns_and(&[Column::Request, Column::Response]),
    ));
    searches.extend(by_principal(
        inquiry,
        "Credentials made, taken or widened",
        vec![Condition::one_of(Column::Name, CREDENTIALS)],
        columns_and(&[Column::Request, Column::Response]),
    ));
    searches.extend(by_principal(
        inquiry,
        "Resources touched by changes",
        vec![Condition::Changes],
        counted(&[Column::Source, Column::Name, Column::Resource]),
    ));
    let mut only = inquiry.in_place();
    only.push(Condition::one_of(Column::Name, BLINDING));
    searches.push(in_trail(inquiry, "Changes of what is logged, by anybody", only, columns_and(&[Column::Request])));
    if let Some(address) = inquiry.source_ip.as_deref() {
        let only = vec![Condition::is(Column::Ip, address)];
        let show = counted(&[Column::Caller, Column::AccessKey, Column::Agent]);
        searches.push(in_trail(inquiry, "Who else came from the same address", only, show));
    }
    let by = vec![Column::Model, Column::Caller, Column::Region];
    let and = vec![Measure::InputTokens, Measure::OutputTokens, Measure::First, Measure::Last];
    searches.push(of_log(inquiry, "Tokens by model", Show::Counted { by, and }));
    searches
}

fn by_principal(inquiry: &Inquiry, title: &'static str, more: Vec<Condition>, show: Show) -> Option<Search> {
    let mut only = vec![inquiry.by_principal()?];
    if inquiry.confined {
        only.extend(inquiry.in_place());
    }
    only.extend(more);
    Some(in_trail(inquiry, title, only, show))
}

fn in_trail(inquiry: &Inquiry, title: &'static str, only: Vec<Condition>, show: Show) -> Search {
    Search { title, log: Log::Trail, from: inquiry.since, to: inquiry.until, only, show }
}

fn of_log(inquiry: &Inquiry, title: &'static str, show: Show) -> Search {
    let mut only = inquiry.in_place();
    only.extend(inquiry.logged_identity());
    Search { title, log: Log::Invocations, from: inquiry.since, to: inquiry.until, only, show }
}
