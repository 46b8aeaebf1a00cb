//! Which accounts and regions are asked.

use std::{collections::BTreeSet, fmt};

use aws_sdk_ec2::types::Filter;
use bedrock_watch_service::config::aws::AccountAccess;

use super::{
    ask::Asker,
    failure::{Cause, Failure},
};
use crate::clients::Place;

/// Stands for every enabled region in a list of regions.
const EVERY: &str = "*";

/// An account and region that is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// The account's id.
    pub(crate) account: String,
    /// The region.
    pub(crate) region: String,
    /// Whether it is asked only because every enabled region is; a service may be missing there.
    pub(crate) of_all: bool,
}

impl Target {
    /// Where its SDK configuration is found.
    pub(crate) fn place(&self) -> Place {
        Place { account: Some(self.account.clone()), region: self.region.clone() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "account {}, region {}", self.account, self.region)
    }
}

/// The daemon's own account. Everybody may ask for that.
pub(crate) async fn own_account(asker: &Asker) -> Result<String, Failure> {
    let aws = asker.aws();
    let nowhere = Target { account: "of the credentials".to_owned(), region: aws.region().to_owned(), of_all: false };
    let client = aws_sdk_sts::Client::new(aws.own());
    let answer = asker.ask(&nowhere, "sts:GetCallerIdentity", client.get_caller_identity().send()).await?;
    answer.account.ok_or_else(|| Failure::new(&nowhere, "sts:GetCallerIdentity", Cause::Other, "no account in it"))
}

/// Every account and region of the configuration, `own` first, and what kept others from being found.
pub(crate) async fn targets(asker: &Asker, own: &str) -> (Vec<Target>, Vec<Failure>) {
    let aws = asker.aws();
    let others = aws.accounts().keys().map(String::as_str).filter(|account| *account != own);
    let (mut targets, mut failures) = (Vec::new(), Vec::new());
    for account in std::iter::once(own).chain(others) {
        let regions = match aws.accounts().get(account) {
            Some(AccountAccess { regions, .. }) if !regions.is_empty() => regions,
            _ => &aws.config().regions,
        };
        let here = Target { account: account.to_owned(), region: aws.region().to_owned(), of_all: false };
        if account != own
            && let Err(problem) = role_of(asker, account)
        {
            failures.push(Failure::new(&here, "sts:AssumeRole", Cause::Credentials, &problem));
            continue;
        }
        if regions.is_empty() {
            targets.push(here);
        } else if regions.iter().any(|region| region == EVERY) {
            match enabled_regions(asker, &here).await {
                Ok(regions) => targets.extend(regions.into_iter().map(|region| {
                    let of_all = region != here.region;
                    Target { account: account.to_owned(), region, of_all }
                })),
                Err(failure) => {
                    failures.push(failure);
                    targets.push(here);
                }
            }
        } else {
            let distinct: BTreeSet<&String> = regions.iter().collect();
            let target =
                |region: &String| Target { account: account.to_owned(), region: region.clone(), of_all: false };
            targets.extend(distinct.into_iter().map(target));
        }
    }
    (targets, failures)
}

/// Whether there is a way to ask an account other than the own one. Without this, another account's resources would be
/// reported as its.
pub(crate) fn role_of(asker: &Asker, account: &str) -> Result<(), String> {
    let access = asker.aws().accounts().get(account);
    let role = access.and_then(|access| access.role_arn.as_deref()).ok_or("it has no role_arn")?;
    match role.split(':').nth(4) {
        Some(owner) if owner == account => Ok(()),
        _ => Err(format!("its role_arn {role} is of another account")),
    }
}

/// The regions that an account has enabled, as its region `here` says.
async fn enabled_regions(asker: &Asker, here: &Target) -> Result<BTreeSet<String>, Failure> {
    let client = asker.ec2(here).await;
    let enabled = Filter::builder().name("opt-in-status").values("opt-in-not-required").values("opted-in").build();
    let answer = asker.ask(here, "ec2:DescribeRegions", client.describe_regions().filters(enabled).send()).await?;
    Ok(answer.regions.unwrap_or_default().into_iter().filter_map(|region| region.region_name).collect())
}
