//! Whom and what an investigation is about.

use crate::{
    alert::Alert,
    remedy::{
        text::{account_of_arn, last_segment},
        who::{Who, sessions_of},
    },
    time::{DAY_S, Second},
};

use super::search::{Column, Condition};

/// Whom an investigation is about, where and when. Nothing of it has to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// The principal, normalised as in alerts.
    pub principal: Option<String>,
    /// The ARN of the session that was used.
    pub session_arn: Option<String>,
    /// The access key that was used.
    pub access_key_id: Option<String>,
    /// The address it came from.
    pub source_ip: Option<String>,
    /// The account acted upon.
    pub account: Option<String>,
    /// The region acted in.
    pub region: Option<String>,
    /// From this second on.
    pub since: Second,
    /// Up to this second, inclusive.
    pub until: Second,
    /// Whether what the principal did in other accounts and regions is left out.
    pub confined: bool,
}

impl Inquiry {
    /// Everything a principal did in a stretch of time.
    #[must_use]
    pub fn of_principal(principal: &str, since: Second, until: Second) -> Self {
        Self {
            principal: Some(principal.to_owned()),
            session_arn: None,
            access_key_id: None,
            source_ip: None,
            account: None,
            region: None,
            since,
            until,
            confined: true,
        }
    }

    /// What an alert gives reason to ask, from a day before it to a day after.
    #[must_use]
    pub fn of_alert(alert: &Alert) -> Self {
        Self {
            principal: alert.principal.clone(),
            session_arn: alert.actor.arn.clone(),
            access_key_id: alert.actor.access_key_id.clone(),
            source_ip: alert.actor.source_ip.clone(),
            account: Some(alert.account.clone()),
            region: None,
            since: alert.first_event_time.minus(DAY_S),
            until: alert.last_event_time.plus(DAY_S),
            // The principal may have acted elsewhere too.
            confined: false,
        }
    }

    /// The account and region acted in, as far as they are given.
    pub(super) fn in_place(&self) -> Vec<Condition> {
        let places = [(Column::Account, &self.account), (Column::Region, &self.region)];
        places.into_iter().filter_map(|(column, value)| Some(Condition::is(column, value.as_deref()?))).collect()
    }

    /// CloudTrail's records of the principal, whatever credentials it used.
    pub(super) fn by_principal(&self) -> Option<Condition> {
        let principal = self.principal.as_deref()?;
        let who = match Who::of(principal) {
            Who::Role { arn, .. } => Condition::is(Column::Issuer, arn),
            Who::SharedRole { role_arn, session } => {
                let used = self.session_arn.as_deref().filter(|arn| last_segment(arn) == session).map(str::to_owned);
                match used.or_else(|| sessions_of(role_arn).map(|start| format!("{start}{session}"))) {
                    Some(arn) => Condition::Is(Column::Caller, arn),
                    None => Condition::is(Column::Issuer, role_arn),
                }
            }
            Who::ServiceLinkedRole => Condition::is(Column::Issuer, principal),
            Who::User { .. } | Who::Root | Who::Federated => Condition::is(Column::Caller, principal),
            Who::IdentityCenter { user_id } => Condition::is(Column::IdentityCenterUser, user_id),
            Who::Service { name } => Condition::is(Column::InvokedBy, name),
            Who::Other => match principal.strip_prefix("unknown@") {
                Some(account) => Condition::is(Column::CallerAccount, account),
                None => Condition::is(Column::Caller, principal),
            },
        };
        let of_key = match (Who::of(principal), self.access_key_id.as_deref()) {
            (_, Some(key)) => vec![Condition::is(Column::AccessKey, key)],
            // Who has no ARN is named by an access key or a principal id.
            (Who::Other, None) => {
                vec![Condition::is(Column::AccessKey, principal), Condition::is(Column::PrincipalId, principal)]
            }
            _ => return Some(who),
        };
        Some(Condition::Any(std::iter::once(who).chain(of_key).collect()))
    }

    /// The invocation log's records of the principal; it names callers by session ARN.
    pub(super) fn logged_identity(&self) -> Option<Condition> {
        let principal = self.principal.as_deref()?;
        let is = |arn: &str| Condition::is(Column::Caller, arn);
        match Who::of(principal) {
            Who::Role { arn, .. } => sessions_of(arn).map(|start| Condition::Begins(Column::Caller, start)),
            Who::SharedRole { role_arn, session } => {
                sessions_of(role_arn).map(|start| is(&format!("{start}{session}")))
            }
            Who::User { .. } | Who::Root | Who::Federated => Some(is(principal)),
            _ => match (self.session_arn.as_deref(), self.account_of_caller()) {
                (Some(arn), _) => Some(is(arn)),
                (None, Some(account)) => Some(Condition::Begins(Column::Caller, format!("arn:aws:iam::{account}:"))),
                (None, None) => None,
            },
        }
    }

    fn account_of_caller(&self) -> Option<&str> {
        let arns = [self.principal.as_deref(), self.session_arn.as_deref()];
        arns.into_iter().flatten().find_map(account_of_arn).or(self.account.as_deref())
    }
}
