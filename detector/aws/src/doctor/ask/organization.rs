//! Every account and enabled region of the organization, with what watches it.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_account::types::RegionOptStatus;
use aws_sdk_organizations::types::AccountState;
use bedrock_watch_service::config::Config;
use tokio::task::JoinSet;

use super::{bus, refused, trail};
use crate::{
    Aws, Place,
    doctor::{
        Ours,
        facts::{Asked, Covered, NotAsked, Why},
    },
};

/// Stands for the region of an account whose regions could not be asked.
pub(crate) const EVERY_REGION: &str = "every region";
/// Accounts that are asked at most.
const ACCOUNTS_MAX: usize = 10_000;
/// Accounts and regions that are asked at once.
const AT_ONCE_MAX: usize = 16;
/// Pages of accounts or regions that are read.
const PAGES_MAX: usize = 1_000;

/// Asks everywhere. Accounts that cannot be asked are there with the reason.
///
/// # Errors
/// When the accounts of the organization cannot be listed.
pub async fn organization(aws: &Aws, config: &Config) -> Asked<Vec<Covered>> {
    let own = own_account(aws.own()).await?;
    let ours = Ours::of(config, &own, aws.region());
    let mut covered = Vec::new();
    let mut asking = JoinSet::new();
    for (account, name) in accounts(aws.own()).await? {
        let is_own = account == own;
        let regions = match regions(aws.own(), (!is_own).then_some(account.as_str())).await {
            Ok(regions) => regions,
            Err(error) => {
                covered.push(unknown(account, name, &error));
                continue;
            }
        };
        for region in regions {
            let (account, name) = (account.clone(), name.clone());
            let here = Covered { account, name, region, trails: Ok(Vec::new()), rules: Ok(Vec::new()) };
            let (aws, ours) = (aws.clone(), ours.clone());
            asking.spawn(async move { Box::pin(watched(&aws, &ours, here, is_own)).await });
            if asking.len() >= AT_ONCE_MAX {
                covered.extend(asking.join_next().await.and_then(Result::ok));
            }
        }
    }
    while let Some(answer) = asking.join_next().await {
        covered.extend(answer);
    }
    covered.sort_by(|left, right| (&left.account, &left.region).cmp(&(&right.account, &right.region)));
    share(&mut covered);
    Ok(covered)
}

/// What watches an account and region.
async fn watched(aws: &Aws, ours: &Ours, mut here: Covered, is_own: bool) -> Covered {
    let reachable = aws.accounts().get(&here.account).is_some_and(|access| access.role_arn.is_some());
    if !is_own && !reachable {
        let error = NotAsked {
            action: "sts:AssumeRole".to_owned(),
            why: Why::Failed,
            message: format!(
                "no role is known for the account: add [[account]] id = \"{}\" with a role_arn",
                here.account
            ),
        };
        (here.trails, here.rules) = (Err(error.clone()), Err(error));
        return here;
    }
    let account = (!is_own).then(|| here.account.clone());
    let config = aws.at(&Place { account, region: here.region.clone() }).await;
    (here.trails, here.rules) = tokio::join!(trail::ask(&config), bus::all_rules(&config));
    for rule in here.rules.iter_mut().flatten() {
        rule.targets.retain(|target| ours.has(&target.arn));
    }
    here
}

/// What one place knows of a trail holds at every place that the trail covers: of the organization's trail a member
/// account may not be told what it logs.
fn share(covered: &mut [Covered]) {
    let trails = covered.iter().flat_map(|place| place.trails.iter().flatten());
    let (mut logging, mut selectors) = (BTreeMap::new(), BTreeMap::new());
    for trail in trails {
        logging.extend(trail.logging.as_ref().ok().map(|known| (trail.arn.clone(), *known)));
        selectors.extend(trail.selectors.as_ref().ok().map(|known| (trail.arn.clone(), known.clone())));
    }
    for trail in covered.iter_mut().flat_map(|place| place.trails.iter_mut().flatten()) {
        if let (Err(_), Some(known)) = (&trail.logging, logging.get(&trail.arn)) {
            trail.logging = Ok(*known);
        }
        if let (Err(_), Some(known)) = (&trail.selectors, selectors.get(&trail.arn)) {
            trail.selectors = Ok(known.clone());
        }
    }
}

fn unknown(account: String, name: String, error: &NotAsked) -> Covered {
    Covered { account, name, region: EVERY_REGION.to_owned(), trails: Err(error.clone()), rules: Err(error.clone()) }
}

async fn own_account(own: &SdkConfig) -> Asked<String> {
    let asked = aws_sdk_sts::Client::new(own).get_caller_identity().send().await;
    let asked = asked.map_err(|error| refused("sts:GetCallerIdentity", &error))?;
    Ok(asked.account().unwrap_or_default().to_owned())
}

/// The active accounts, with their names.
async fn accounts(own: &SdkConfig) -> Asked<Vec<(String, String)>> {
    let client = aws_sdk_organizations::Client::new(own);
    let mut accounts = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let page = client.list_accounts().set_next_token(next).send().await;
        let page = page.map_err(|error| refused("organizations:ListAccounts", &error))?;
        let active = page.accounts().iter().filter(|account| account.state() == Some(&AccountState::Active));
        let named = active.map(|account| {
            (account.id().unwrap_or_default().to_owned(), account.name().unwrap_or_default().to_owned())
        });
        accounts.extend(named);
        next = page.next_token;
        if next.is_none() || accounts.len() >= ACCOUNTS_MAX {
            break;
        }
    }
    accounts.truncate(ACCOUNTS_MAX);
    Ok(accounts)
}

/// The enabled regions of an account; `None` is the own.
async fn regions(own: &SdkConfig, account: Option<&str>) -> Asked<Vec<String>> {
    let client = aws_sdk_account::Client::new(own);
    let enabled = vec![RegionOptStatus::Enabled, RegionOptStatus::EnabledByDefault];
    let mut regions = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let call = client.list_regions().set_account_id(account.map(str::to_owned));
        let page = call.set_region_opt_status_contains(Some(enabled.clone())).set_next_token(next).send().await;
        let page = page.map_err(|error| refused("account:ListRegions", &error))?;
        regions.extend(page.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(regions)
}
