//! What runs behind a role session: a function, a task, an instance, a pod, a pipeline or a person, as the session's name
//! and the client tell.
//!
//! Session names are chosen by whoever assumes a role, so this says what a session looks like and proves nothing.
//! Deliberately no judgement by it here.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What there is to tell it by.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signs<'a> {
    /// `userIdentity.type`.
    pub(crate) kind: Option<&'a str>,
    /// The normalised principal.
    pub(crate) principal: &'a str,
    /// The session's name.
    pub(crate) session: Option<&'a str>,
    pub(crate) user_agent: Option<&'a str>,
    /// `sessionContext.webIdFederationData.federatedProvider`.
    pub(crate) provider: Option<&'a str>,
}

/// Identity providers, by a part of their name.
///
/// GitHub and GitLab document theirs; a cluster's is `oidc.eks.REGION.amazonaws.com/id/...` (Amazon EKS user guide).
const PROVIDERS: [(&str, &str); 4] = [
    ("token.actions.githubusercontent.com", "github_actions"),
    ("gitlab", "gitlab_ci"),
    ("oidc.eks.", "eks_service_account"),
    ("app.terraform.io", "terraform_cloud"),
];

/// What the AWS SDKs name in their user agent as the place they run in (`AWS_EXECUTION_ENV`).
static PLACES: LazyLock<[(Finder<'static>, &str); 4]> = LazyLock::new(|| {
    [
        (Finder::new("AWS_Lambda_"), "lambda"),
        (Finder::new("AWS_ECS_"), "ecs_task"),
        (Finder::new("CloudShell"), "cloudshell"),
        (Finder::new("AmazonSageMaker"), "sagemaker"),
    ]
});

/// How services name the sessions of roles they assume, from the beginning.
const SESSIONS: [(&str, &str); 5] = [
    ("AWSCodeBuild-", "codebuild"),
    ("GlueJobRunnerSession", "glue_job"),
    ("SageMaker", "sagemaker"),
    ("GitHubActions", "github_actions"),
    ("AWSBatch", "batch_job"),
];

/// The kind of workload and which one, as `lambda:NAME`; `None` when nothing tells.
pub(crate) fn workload(signs: Signs<'_>) -> Option<String> {
    if signs.kind != Some("AssumedRole") {
        return None;
    }
    let session = signs.session.filter(|session| !session.is_empty())?;
    let of = |kind: &str| Some(format!("{kind}:{session}"));
    if crate::decode::role_name(signs.principal).starts_with("AWSReservedSSO_") {
        return of("sso");
    }
    let known = |texts: &[(&'static str, &'static str)], has: &dyn Fn(&str) -> bool| {
        texts.iter().find(|(text, _)| has(text)).map(|(_, kind)| *kind)
    };
    if let Some(kind) = signs.provider.and_then(|provider| known(&PROVIDERS, &|part| provider.contains(part))) {
        return of(kind);
    }
    if is_instance(session) {
        return of("ec2_instance");
    }
    if let Some(pod) = pod(session) {
        return Some(format!("eks_pod:{pod}"));
    }
    let names = |agent: &str| PLACES.iter().find(|(place, _)| place.find(agent.as_bytes()).is_some());
    if let Some((_, kind)) = signs.user_agent.and_then(names) {
        return of(kind);
    }
    if let Some(kind) = known(&SESSIONS, &|start| session.starts_with(start)) {
        return of(kind);
    }
    // A task's id; Amazon ECS names the sessions of task roles by it.
    let is_task = session.len() == 32 && session.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_task { of("ecs_task") } else { None }
}

fn is_instance(session: &str) -> bool {
    session
        .strip_prefix("i-")
        .is_some_and(|id| matches!(id.len(), 8 | 17) && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Cluster and pod of a session that EKS Pod Identity made: `eks-CLUSTER-POD-UUID`.
fn pod(session: &str) -> Option<&str> {
    const UUID_BYTES: usize = 36;
    let rest = session.strip_prefix("eks-")?;
    let (pod, id) = rest.split_at_checked(rest.len().checked_sub(UUID_BYTES)?)?;
    let dashes = [8, 13, 18, 23].into_iter().all(|place| id.as_bytes().get(place) == Some(&b'-'));
    (dashes && !pod.is_empty()).then(|| pod.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_tell_what_runs_behind_them() {
        let check = |session: &str, user_agent: &str, provider: Option<&str>, expected: Option<&str>| {
            let signs = Signs {
                kind: Some("AssumedRole"),
                principal: "arn:aws:iam::111122223333:role/app",
                session: Some(session),
                user_agent: Some(user_agent),
                provider,
            };
            assert_eq!(workload(signs).as_deref(), expected, "{session}");
        };
        const BOTO: &str = "Boto3/1.38.13 md/Botocore#1.38.13";
        check("i-0d1e2f3a4b5c6d7e8", BOTO, None, Some("ec2_instance:i-0d1e2f3a4b5c6d7e8"));
        check("i-am-alice", BOTO, None, None);
        check("orders", "Boto3/1.38 exec-env/AWS_Lambda_python3.13", None, Some("lambda:orders"));
        check("0f1e2d3c4b5a69788796a5b4c3d2e1f0", BOTO, None, Some("ecs_task:0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
        check("t-1", "aws-sdk-go exec-env/AWS_ECS_FARGATE", None, Some("ecs_task:t-1"));
        check("eks-prod-api-7d9f-7a8b9c0d-1e2f-4a5b-8c7d-9e0f1a2b3c4d", BOTO, None, Some("eks_pod:prod-api-7d9f"));
        const EKS: &str = "arn:aws:iam::1:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB";
        check("botocore-session-1", BOTO, Some(EKS), Some("eks_service_account:botocore-session-1"));
        const GITHUB: &str = "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com";
        check("deploy", BOTO, Some(GITHUB), Some("github_actions:deploy"));
        check("GitHubActions", BOTO, None, Some("github_actions:GitHubActions"));
        check("AWSCodeBuild-1f2e", BOTO, None, Some("codebuild:AWSCodeBuild-1f2e"));
        check("SageMaker", BOTO, None, Some("sagemaker:SageMaker"));
        check("ann", "aws-cli/2 exec-env/CloudShell", None, Some("cloudshell:ann"));
        check("ann", BOTO, None, None);
        let person = Signs {
            kind: Some("AssumedRole"),
            principal: "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0a/ann@example.com",
            session: Some("ann@example.com"),
            ..Signs::default()
        };
        assert_eq!(workload(person).as_deref(), Some("sso:ann@example.com"));
        let user = Signs { kind: Some("IAMUser"), session: None, ..Signs::default() };
        assert_eq!(workload(user), None);
    }
}
