//! Which VPC a group, a subnet or an endpoint lies in: the tie between a job and the VPC endpoints it reaches S3 through.
//!
//! A job never names an endpoint; it depends on those of its own VPC.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::resource::ResourceKey;

/// What is known about VPCs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Network {
    /// VPC of a group or subnet.
    vpc_of: BTreeMap<Box<str>, Box<str>>,
    members: BTreeMap<Box<str>, BTreeSet<ResourceKey>>,
    endpoint_vpc: BTreeMap<Box<str>, Box<str>>,
    endpoints: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
}

impl Network {
    /// Notes the VPC of a group or subnet. Returns the endpoints of that VPC.
    pub(crate) fn place(&mut self, member: ResourceKey, vpc: &str) -> Vec<ResourceKey> {
        let (ResourceKey::SecurityGroup(id) | ResourceKey::Subnet(id)) = &member else { return Vec::new() };
        self.vpc_of.insert(id.clone(), vpc.into());
        self.members.entry(vpc.into()).or_default().insert(member);
        self.endpoints_in(vpc)
    }

    /// Notes the VPC of an endpoint.
    pub(crate) fn place_endpoint(&mut self, endpoint: &str, vpc: &str) {
        self.endpoint_vpc.insert(endpoint.into(), vpc.into());
        self.endpoints.entry(vpc.into()).or_default().insert(endpoint.into());
    }

    /// The endpoints that a job on `resources` reaches.
    pub(crate) fn endpoints_of(&self, resources: &BTreeSet<ResourceKey>) -> Vec<ResourceKey> {
        let vpcs: BTreeSet<&str> = resources
            .iter()
            .filter_map(|resource| match resource {
                ResourceKey::SecurityGroup(id) | ResourceKey::Subnet(id) => self.vpc_of.get(id).map(|vpc| &**vpc),
                _ => None,
            })
            .collect();
        vpcs.into_iter().flat_map(|vpc| self.endpoints_in(vpc)).collect()
    }

    /// The groups and subnets in an endpoint's VPC.
    pub(crate) fn neighbours_of(&self, endpoint: &str) -> impl Iterator<Item = &ResourceKey> {
        let members = self.endpoint_vpc.get(endpoint).and_then(|vpc| self.members.get(vpc));
        members.into_iter().flatten()
    }

    /// Forgets a group or subnet.
    pub(crate) fn forget(&mut self, member: &ResourceKey) {
        let (ResourceKey::SecurityGroup(id) | ResourceKey::Subnet(id)) = member else { return };
        if let Some(vpc) = self.vpc_of.remove(id)
            && let Some(members) = self.members.get_mut(&vpc)
        {
            members.remove(member);
        }
    }

    fn endpoints_in(&self, vpc: &str) -> Vec<ResourceKey> {
        let endpoints = self.endpoints.get(vpc).into_iter().flatten();
        endpoints.map(|endpoint| ResourceKey::VpcEndpoint(endpoint.clone())).collect()
    }
}
