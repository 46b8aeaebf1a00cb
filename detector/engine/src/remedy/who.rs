//! Reads a normalised principal: what kind of identity it is, and what it is called where.

use crate::alert::Alert;

use super::text::{account_of_arn, last_segment};

/// Roles that IAM Identity Center makes, and shares among people.
const SHARED_ROLE_PREFIX: &str = "AWSReservedSSO_";

/// A principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// An IAM user.
    User { name: &'a str },
    /// A role that somebody may assume.
    Role { arn: &'a str, name: &'a str },
    /// One person's use of a role of IAM Identity Center.
    SharedRole { role_arn: &'a str, session: &'a str },
    /// A role that only an AWS service may assume, and only AWS may change.
    ServiceLinkedRole,
    /// The root user of an account.
    Root,
    /// A user of GetFederationToken.
    Federated,
    /// A user of IAM Identity Center.
    IdentityCenter { user_id: &'a str },
    /// An AWS service on its own behalf.
    Service { name: &'a str },
    /// Somebody of whom only a key, an id or another account is known.
    Other,
}

impl<'a> Who<'a> {
    /// The principal of an alert.
    pub(super) fn of(principal: &'a str) -> Self {
        if let Some(name) = principal.strip_prefix("service:") {
            return Self::Service { name };
        }
        if let Some(user_id) = principal.strip_prefix("identitycenter:") {
            return Self::IdentityCenter { user_id };
        }
        if !principal.starts_with("arn:") {
            return Self::Other;
        }
        let resource = principal.splitn(6, ':').nth(5).unwrap_or_default();
        let name = last_segment(resource);
        match resource.split_once('/').map_or(resource, |(kind, _)| kind) {
            "root" => Self::Root,
            "user" => Self::User { name },
            "federated-user" => Self::Federated,
            "role" if resource.starts_with("role/aws-service-role/") => Self::ServiceLinkedRole,
            "role" => match principal.rsplit_once('/') {
                Some((role_arn, session)) if last_segment(role_arn).starts_with(SHARED_ROLE_PREFIX) => {
                    Self::SharedRole { role_arn, session }
                }
                _ => Self::Role { arn: principal, name },
            },
            _ => Self::Other,
        }
    }
}

/// The account whose administrators can do something about the actor.
pub(super) fn account_of_actor(alert: &Alert) -> &str {
    let arns = [alert.principal.as_deref(), alert.actor.arn.as_deref()];
    arns.into_iter().flatten().find_map(account_of_arn).unwrap_or(&alert.account)
}

/// The ARNs under which the sessions of a role call: all but the session name.
pub(super) fn sessions_of(role_arn: &str) -> Option<String> {
    let (head, path) = role_arn.split_once(":role/")?;
    let (arn, account) = head.split_once(":iam::")?;
    Some(format!("{arn}:sts::{account}:assumed-role/{}/", last_segment(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_principals() {
        let check = |principal: &str, expected: Who<'_>| assert_eq!(Who::of(principal), expected, "{principal}");
        check("arn:aws:iam::111122223333:user/team/dev", Who::User { name: "dev" });
        let role = "arn:aws-cn:iam::111122223333:role/app/web";
        check(role, Who::Role { arn: role, name: "web" });
        let shared = "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123";
        check(&format!("{shared}/kim@x"), Who::SharedRole { role_arn: shared, session: "kim@x" });
        check(shared, Who::Role { arn: shared, name: "AWSReservedSSO_Admin_0123" });
        check("arn:aws:iam::1:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", Who::ServiceLinkedRole);
        check("arn:aws:iam::111122223333:root", Who::Root);
        check("arn:aws:sts::111122223333:federated-user/bob", Who::Federated);
        check("identitycenter:90f1", Who::IdentityCenter { user_id: "90f1" });
        check("service:bedrock.amazonaws.com", Who::Service { name: "bedrock.amazonaws.com" });
        check("AKIAIOSFODNN7EXAMPLE", Who::Other);
        check("unknown@111122223333", Who::Other);
        assert_eq!(sessions_of(role).as_deref(), Some("arn:aws-cn:sts::111122223333:assumed-role/web/"));
    }
}
