//! The name under which a principal's log records are kept: that of CloudTrail, but a role without its path.
//!
//! The ARN of a session in an invocation log has no path, and CloudTrail's principal is the role's own ARN, which has.
//! Names of roles are unique in an account whatever their path (IAM user guide, "IAM identifiers"), so nothing is mixed
//! up by leaving it out.

use std::borrow::Cow;

/// What roles of Identity Center permission sets are called; the session that follows names the person.
const SHARED_ROLE_PREFIX: &str = "AWSReservedSSO_";

/// A principal's name without the path of a role.
pub(crate) fn short_name(principal: &str) -> Cow<'_, str> {
    let Some((head, resource)) = principal.split_once(":role/") else { return Cow::Borrowed(principal) };
    let Some((path, last)) = resource.rsplit_once('/') else { return Cow::Borrowed(principal) };
    let before_last = path.rsplit('/').next().unwrap_or(path);
    if !before_last.starts_with(SHARED_ROLE_PREFIX) {
        return Cow::Owned(format!("{head}:role/{last}"));
    }
    if before_last.len() == path.len() {
        return Cow::Borrowed(principal);
    }
    Cow::Owned(format!("{head}:role/{before_last}/{last}"))
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn leaves_out_the_path_only() {
        let check = |name: &str, expected: &str| {
            assert_eq!(short_name(name), expected, "{name}");
            assert_eq!(short_name(expected), expected, "a fixed point");
        };
        check("arn:aws:iam::1:role/app", "arn:aws:iam::1:role/app");
        check("arn:aws:iam::1:role/service-role/a/app", "arn:aws:iam::1:role/app");
        check("arn:aws:iam::1:user/path/ann", "arn:aws:iam::1:user/path/ann");
        check("service:bedrock.amazonaws.com", "service:bedrock.amazonaws.com");
        let person = "arn:aws:iam::1:role/AWSReservedSSO_Dev_0a/ann@example.com";
        check("arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0a/ann@example.com", person);
        check(
            "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0a/ann@example.com",
            person,
        );
        check(
            "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0a",
            "arn:aws:iam::1:role/AWSReservedSSO_Dev_0a",
        );
    }
}
