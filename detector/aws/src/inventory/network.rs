//! What jobs stand on in their VPC: security groups with their rules, subnets, endpoints.
//!
//! Asked by filters, because one id that does not exist fails a whole batch of ids with `InvalidGroup.NotFound`, while a
//! filter leaves it out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_ec2::types::{Filter, SecurityGroup, SecurityGroupRule};
use bedrock_watch_engine::{ObservedEndpoint, ObservedGroup, ObservedJob, ObservedRule, Second};

use super::{
    ask::{Asker, PAGES_MAX, now},
    failure::{Cause, Failure},
    places::Target,
};

/// Values of one filter at most (Amazon EC2 API reference).
const VALUES_MAX: usize = 200;
/// Items asked for in one page.
const PAGE: i32 = 1_000;
/// EC2 answers from copies that may lag behind, so what does not exist is asked for again after this time.
const AGAIN: Duration = Duration::from_secs(1);

const GROUPS: &str = "ec2:DescribeSecurityGroups";
const RULES: &str = "ec2:DescribeSecurityGroupRules";
const SUBNETS: &str = "ec2:DescribeSubnets";
const ENDPOINTS: &str = "ec2:DescribeVpcEndpoints";

/// What some jobs stand on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    /// When it was asked for.
    pub(crate) at: Second,
    /// The groups that exist, by id.
    pub(crate) groups: BTreeMap<String, ObservedGroup>,
    /// Whether the groups' rules are known.
    pub(crate) has_rules: bool,
    /// Groups that belong to another account that is asked, with that account and their VPC.
    pub(crate) elsewhere: BTreeMap<String, (String, Option<String>)>,
    /// Groups that do not exist in any account that could be asked.
    pub(crate) missing: BTreeSet<String>,
    /// The VPC of each subnet that exists.
    pub(crate) subnets: BTreeMap<String, String>,
    /// The endpoints in the VPCs of these groups and subnets.
    pub(crate) endpoints: Vec<ObservedEndpoint>,
}

/// Asks for everything that `jobs` name. `others` are the other accounts in the same region. Without an answer about
/// groups there is nothing; what else is not answered is left out and named.
pub(super) async fn look(
    asker: &Asker,
    target: &Target,
    others: &[&Target],
    jobs: &[&ObservedJob],
) -> Result<(Network, Vec<Failure>), Failure> {
    let named: BTreeSet<String> = jobs.iter().flat_map(|job| job.security_group_ids.iter().cloned()).collect();
    let subnets: BTreeSet<String> = jobs.iter().flat_map(|job| job.subnet_ids.iter().cloned()).collect();
    let mut found = Network { at: now(), has_rules: true, ..Network::default() };
    let mut failures = Vec::new();
    found.groups = groups(asker, target, &named).await?;
    found.missing = named.iter().filter(|id| !found.groups.contains_key(*id)).cloned().collect();
    if !found.missing.is_empty() {
        look_again(asker, target, others, &mut found).await?;
    }
    let existing: BTreeSet<String> = found.groups.keys().cloned().collect();
    match rules(asker, target, &existing, &mut found.groups).await {
        Ok(()) => {}
        Err(failure) => {
            found.has_rules = false;
            failures.push(failure);
        }
    }
    match vpcs_of_subnets(asker, target, &subnets).await {
        Ok(subnets) => found.subnets = subnets,
        Err(failure) => failures.push(failure),
    }
    let of_groups = found.groups.values().filter_map(|group| group.vpc_id.clone());
    let vpcs: BTreeSet<String> = of_groups.chain(found.subnets.values().cloned()).collect();
    match endpoints(asker, target, &vpcs).await {
        Ok(endpoints) => found.endpoints = endpoints,
        Err(failure) => failures.push(failure),
    }
    Ok((found, failures))
}

/// Asks once more for what seems to be missing, and then the other accounts: group ids are unique across AWS, and a
/// shared VPC lets a job use a group of another account.
async fn look_again(asker: &Asker, target: &Target, others: &[&Target], found: &mut Network) -> Result<(), Failure> {
    tokio::time::sleep(AGAIN).await;
    let late = groups(asker, target, &found.missing).await?;
    found.missing.retain(|id| !late.contains_key(id));
    found.groups.extend(late);
    for other in others {
        if found.missing.is_empty() {
            break;
        }
        match groups(asker, other, &found.missing).await {
            Ok(there) => {
                found.missing.retain(|id| !there.contains_key(id));
                let owned = |(id, group): (String, ObservedGroup)| (id, (other.account.clone(), group.vpc_id));
                found.elsewhere.extend(there.into_iter().map(owned));
            }
            // It is named when that account is asked itself; the account that uses the group has been heard.
            Err(failure) => tracing::debug!(%failure, "groups were not looked for in another account"),
        }
    }
    Ok(())
}

fn filter(name: &str, values: &[String]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

fn chunks(ids: &BTreeSet<String>) -> Vec<Vec<String>> {
    let ids: Vec<String> = ids.iter().cloned().collect();
    ids.chunks(VALUES_MAX).map(<[String]>::to_vec).collect()
}

fn endless(target: &Target, call: &'static str) -> Failure {
    Failure::new(target, call, Cause::Other, "the list has no end")
}

/// The groups among `ids` that exist, without their rules.
async fn groups(
    asker: &Asker,
    target: &Target,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, ObservedGroup>, Failure> {
    let client = asker.ec2(target).await;
    let mut found = BTreeMap::new();
    for ids in chunks(ids) {
        let mut next: Option<String> = None;
        for page in 0..=PAGES_MAX {
            if page == PAGES_MAX {
                return Err(endless(target, GROUPS));
            }
            let request = client.describe_security_groups().filters(filter("group-id", &ids)).max_results(PAGE);
            let answer = asker.ask(target, GROUPS, request.set_next_token(next.clone()).send()).await?;
            found.extend(answer.security_groups.unwrap_or_default().into_iter().filter_map(group));
            match answer.next_token.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => break,
            }
        }
    }
    Ok(found)
}

fn group(group: SecurityGroup) -> Option<(String, ObservedGroup)> {
    let id = group.group_id?;
    let observed = ObservedGroup {
        group_id: id.clone(),
        group_name: group.group_name,
        description: group.description,
        vpc_id: group.vpc_id,
        rules: Vec::new(),
    };
    Some((id, observed))
}

/// Adds the rules of the groups `ids` to `groups`.
async fn rules(
    asker: &Asker,
    target: &Target,
    ids: &BTreeSet<String>,
    groups: &mut BTreeMap<String, ObservedGroup>,
) -> Result<(), Failure> {
    let client = asker.ec2(target).await;
    for ids in chunks(ids) {
        let mut next: Option<String> = None;
        for page in 0..=PAGES_MAX {
            if page == PAGES_MAX {
                return Err(endless(target, RULES));
            }
            let request = client.describe_security_group_rules().filters(filter("group-id", &ids)).max_results(PAGE);
            let answer = asker.ask(target, RULES, request.set_next_token(next.clone()).send()).await?;
            for rule in answer.security_group_rules.unwrap_or_default() {
                let group = rule.group_id.as_ref().and_then(|id| groups.get_mut(id));
                if let (Some(group), Some(rule)) = (group, observed(&rule)) {
                    group.rules.push(rule);
                }
            }
            match answer.next_token.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => break,
            }
        }
    }
    groups.values_mut().for_each(|group| group.rules.sort());
    Ok(())
}

fn observed(rule: &SecurityGroupRule) -> Option<ObservedRule> {
    let of_group = rule.referenced_group_info.as_ref().and_then(|info| info.group_id.as_ref());
    let peers = [rule.cidr_ipv4.as_ref(), rule.cidr_ipv6.as_ref(), rule.prefix_list_id.as_ref(), of_group];
    Some(ObservedRule {
        rule_id: rule.security_group_rule_id.clone(),
        egress: rule.is_egress?,
        protocol: rule.ip_protocol.clone()?,
        from_port: rule.from_port.map(i64::from),
        to_port: rule.to_port.map(i64::from),
        peer: peers.into_iter().flatten().next()?.clone(),
    })
}

/// The VPC of each subnet that exists.
async fn vpcs_of_subnets(
    asker: &Asker,
    target: &Target,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let client = asker.ec2(target).await;
    let mut found = BTreeMap::new();
    for ids in chunks(ids) {
        // As many as there are ids at most, so there is one page.
        let request = client.describe_subnets().filters(filter("subnet-id", &ids));
        let answer = asker.ask(target, SUBNETS, request.send()).await?;
        let subnets = answer.subnets.unwrap_or_default().into_iter();
        found.extend(subnets.filter_map(|subnet| Some((subnet.subnet_id?, subnet.vpc_id?))));
    }
    Ok(found)
}

async fn endpoints(asker: &Asker, target: &Target, vpcs: &BTreeSet<String>) -> Result<Vec<ObservedEndpoint>, Failure> {
    let client = asker.ec2(target).await;
    let mut found = Vec::new();
    for vpcs in chunks(vpcs) {
        let mut next: Option<String> = None;
        for page in 0..=PAGES_MAX {
            if page == PAGES_MAX {
                return Err(endless(target, ENDPOINTS));
            }
            let request = client.describe_vpc_endpoints().filters(filter("vpc-id", &vpcs)).max_results(PAGE);
            let answer = asker.ask(target, ENDPOINTS, request.set_next_token(next.clone()).send()).await?;
            let endpoints = answer.vpc_endpoints.unwrap_or_default().into_iter();
            found.extend(endpoints.filter_map(|endpoint| {
                Some(ObservedEndpoint {
                    vpc_endpoint_id: endpoint.vpc_endpoint_id?,
                    vpc_id: endpoint.vpc_id?,
                    service_name: endpoint.service_name,
                })
            }));
            match answer.next_token.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => break,
            }
        }
    }
    Ok(found)
}
