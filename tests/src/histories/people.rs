//! Who calls: principals of every kind, and what CloudTrail writes about each.

use serde_json::{Value, json};

use super::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An IAM user with a long-term key.
    User,
    /// An IAM user with a Bedrock API key.
    ApiKeyUser,
    /// A role, under a few session names.
    Role,
    /// A role that people share through IAM Identity Center.
    SharedRole,
    /// An AWS service.
    Service,
    /// The root of the account.
    Root,
    /// Somebody of whom CloudTrail gives no ARN.
    Nameless,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub kind: Kind,
    pub account: String,
    pub name: &'static str,
}

impl Person {
    /// A few of every sort in one account.
    pub(super) fn cast(account: &str, dice: &mut Dice) -> Vec<Self> {
        let all = [
            (Kind::User, "ml-batch"),
            (Kind::ApiKeyUser, "BedrockAPIKey-x1"),
            (Kind::Role, "rag-app"),
            (Kind::Role, "terraform"),
            (Kind::SharedRole, "AWSReservedSSO_Admin_0123456789abcdef"),
            (Kind::Service, "bedrock.amazonaws.com"),
            (Kind::Root, "root"),
            (Kind::Nameless, "nobody"),
        ];
        let count = dice.index(4) + 2;
        let chosen = dice.some_of(&all, count);
        chosen.into_iter().map(|(kind, name)| Self { kind, account: account.to_owned(), name }).collect()
    }

    /// `userIdentity`, with one of the person's sessions and keys.
    pub(super) fn identity(&self, dice: &mut Dice) -> Value {
        let Self { kind, account, name } = self;
        let session = dice.one_of(["alice", "bob", "i-0abc"]);
        match kind {
            Kind::User | Kind::ApiKeyUser => json!({
                "type": "IAMUser",
                "arn": format!("arn:aws:iam::{account}:user/{name}"),
                "principalId": format!("AIDA{name}"),
                "accountId": account,
                "accessKeyId": self.key(dice),
                "userName": name,
            }),
            Kind::Role | Kind::SharedRole => json!({
                "type": "AssumedRole",
                "arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
                "principalId": format!("AROA{name}:{session}"),
                "accountId": account,
                "accessKeyId": format!("ASIA{session}"),
                "sessionContext": {"sessionIssuer": {
                    "type": "Role",
                    "arn": format!("arn:aws:iam::{account}:role/{name}"),
                    "principalId": format!("AROA{name}"),
                    "accountId": account,
                    "userName": name,
                }},
            }),
            Kind::Service => json!({"type": "AWSService", "invokedBy": name}),
            Kind::Root => json!({
                "type": "Root",
                "arn": format!("arn:aws:iam::{account}:root"),
                "principalId": account,
                "accountId": account,
                "accessKeyId": "ASIAROOT",
            }),
            Kind::Nameless => json!({"type": "AWSAccount", "accountId": account, "principalId": "AIDANOBODY"}),
        }
    }

    /// Users have two long-term keys; with an API key there is none, or a temporary one.
    fn key(&self, dice: &mut Dice) -> Option<&'static str> {
        match self.kind {
            Kind::User => Some(dice.one_of(["AKIAONE", "AKIATWO", "ASIAUSER"])),
            _ => dice.chance(50).then_some("ASIABEARER"),
        }
    }
}
