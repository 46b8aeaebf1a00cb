//! Security groups: made, filled, emptied, deleted, and attempts at that.

use serde_json::{Value, json};

use super::{
    dice::Dice,
    story::{Deed, Story},
};

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub id: String,
    pub account: String,
    pub region: &'static str,
    pub vpc: String,
    /// The egress rules it really has.
    pub rules: Vec<Rule>,
    pub deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub protocol: &'static str,
    pub port: Option<i64>,
    /// Which field of a permission names the other side, and the name.
    pub peer: (&'static str, &'static str),
    /// The rule's id, where the answer to the call that made it said one.
    pub id: Option<String>,
}

const EVERYTHING: Rule = Rule { protocol: "-1", port: None, peer: ("cidrIp", "0.0.0.0/0"), id: None };

const PEERS: [(&str, &str); 4] =
    [("cidrIp", "10.0.0.0/8"), ("cidrIpv6", "::/0"), ("prefixListId", "pl-63a5400a"), ("groupId", "sg-00other0")];

/// The few groups that exist before the history begins; nobody saw them made.
pub(super) fn standing(accounts: &[String], regions: &[&'static str], dice: &mut Dice) -> Vec<Group> {
    (0..2).map(|_| group(accounts, regions, dice)).collect()
}

fn group(accounts: &[String], regions: &[&'static str], dice: &mut Dice) -> Group {
    Group {
        id: dice.id("sg-0"),
        account: dice.pick(accounts).unwrap_or_default(),
        region: dice.pick(regions).unwrap_or("us-east-1"),
        vpc: dice.one_of(["vpc-0a", "vpc-0b"]).to_owned(),
        rules: vec![EVERYTHING],
        deleted: false,
    }
}

pub(super) fn something(story: &mut Story) {
    if story.groups.len() < 5 && story.dice.chance(25) {
        return create(story);
    }
    let standing: Vec<usize> =
        story.groups.iter().enumerate().filter(|(_, group)| !group.deleted).map(|(index, _)| index).collect();
    let Some(index) = story.dice.pick(&standing) else { return };
    let Some(mut group) = story.groups.get(index).cloned() else { return };
    if !story.may_change(&group.id) {
        return;
    }
    match story.dice.index(10) {
        0 | 1 => authorise(story, &mut group),
        2 => revoke(story, &mut group, 1),
        3..=5 => replace(story, &mut group),
        6 => ingress(story, &group),
        7 | 8 => refused(story, &group),
        _ => delete(story, &mut group),
    }
    if let Some(slot) = story.groups.get_mut(index) {
        *slot = group;
    }
}

fn create(story: &mut Story) {
    let group = group(&story.accounts.clone(), &story.regions.clone(), &mut story.dice);
    let request = json!({"groupName": "training", "groupDescription": "for jobs", "vpcId": group.vpc});
    call(story, &group, "CreateSecurityGroup", request, json!({"_return": true, "groupId": group.id}), None);
    story.groups.push(group);
}

fn call(
    story: &mut Story,
    group: &Group,
    name: &str,
    request: Value,
    response: Value,
    error: Option<(&'static str, &'static str)>,
) {
    let by = story.somebody_of(&group.account);
    let (at, account, region) = (story.now, group.account.as_str(), group.region);
    story.record(Deed { at, account, region, by: &by, service: "ec2", name, request, response, error });
}

fn authorise(story: &mut Story, group: &mut Group) {
    let port = story.dice.one_of([Some(443), Some(5432), None]);
    let peer = story.dice.one_of(PEERS);
    let known = story.dice.chance(60);
    let id = known.then(|| story.dice.id("sgr-0"));
    let rule = Rule { protocol: if port.is_some() { "tcp" } else { "-1" }, port, peer, id };
    if group.rules.iter().any(|old| (old.protocol, old.port, old.peer) == (rule.protocol, rule.port, rule.peer)) {
        return;
    }
    let request = spell_out(story, group, std::slice::from_ref(&rule));
    let mut response = json!({"_return": true});
    if let Some(id) = &rule.id {
        let field = match rule.peer.0 {
            "cidrIp" => "cidrIpv4",
            "groupId" => "referencedGroupId",
            other => other,
        };
        let mut item = json!({
            "groupId": group.id,
            "securityGroupRuleId": id,
            "isEgress": true,
            "ipProtocol": rule.protocol,
            "fromPort": rule.port.unwrap_or(-1),
            "toPort": rule.port.unwrap_or(-1),
        });
        super::story::put(&mut item, field, json!(rule.peer.1));
        super::story::put(&mut response, "securityGroupRuleSet", json!({"items": [item]}));
    }
    call(story, group, "AuthorizeSecurityGroupEgress", request, response, None);
    group.rules.push(rule);
}

/// The two shapes in which requests spell rules out; the flat one holds a single IPv4 range.
fn spell_out(story: &mut Story, group: &Group, rules: &[Rule]) -> Value {
    if let [Rule { protocol, port, peer: ("cidrIp", cidr), .. }] = rules
        && story.dice.chance(40)
    {
        return json!({
            "groupId": group.id, "ipPermissions": {}, "ipProtocol": protocol,
            "fromPort": port, "toPort": port, "cidrIp": cidr,
        });
    }
    let items: Vec<Value> = rules.iter().map(permission).collect();
    json!({"groupId": group.id, "ipPermissions": {"items": items}})
}

fn permission(rule: &Rule) -> Value {
    let range = |field: &str| {
        if rule.peer.0 == field { json!({"items": [{field: rule.peer.1}]}) } else { json!({}) }
    };
    json!({
        "ipProtocol": rule.protocol,
        "fromPort": rule.port,
        "toPort": rule.port,
        "ipRanges": range("cidrIp"),
        "ipv6Ranges": range("cidrIpv6"),
        "prefixListIds": range("prefixListId"),
        "groups": range("groupId"),
    })
}

/// Revokes `count` of the group's egress rules in one call: by their ids where all are known, else spelt out.
fn revoke(story: &mut Story, group: &mut Group, count: usize) {
    let chosen = story.dice.some_of(&group.rules, count);
    if chosen.is_empty() {
        return;
    }
    let ids: Vec<String> = chosen.iter().filter_map(|rule| rule.id.clone()).collect();
    let request = if ids.len() == chosen.len() && story.dice.chance(50) {
        json!({"groupId": group.id, "ipPermissions": {}, "securityGroupRuleIds": {"items": ids}})
    } else {
        spell_out(story, group, &chosen)
    };
    if story.dice.chance(10) {
        let error = ("Client.UnauthorizedOperation", "You are not authorized to perform this operation.");
        return call(story, group, "RevokeSecurityGroupEgress", request, Value::Null, Some(error));
    }
    call(story, group, "RevokeSecurityGroupEgress", request, json!({"_return": true}), None);
    group.rules.retain(|rule| !chosen.contains(rule));
}

/// What Terraform does: everything out, and after a moment something in again; or not.
fn replace(story: &mut Story, group: &mut Group) {
    if story.dice.chance(30) {
        revoke(story, group, 1);
        story.now += story.dice.between(0, 5);
    }
    revoke(story, group, usize::MAX);
    if story.dice.chance(60) {
        story.now += story.dice.around(120);
        authorise(story, group);
    }
}

/// What comes in does not matter to jobs. AWS refuses to revoke a rule that does not exist.
fn ingress(story: &mut Story, group: &Group) {
    let request = spell_out(story, group, &[EVERYTHING]);
    if story.dice.chance(50) {
        return call(story, group, "AuthorizeSecurityGroupIngress", request, json!({"_return": true}), None);
    }
    let error = ("Client.InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
    call(story, group, "RevokeSecurityGroupIngress", request, Value::Null, Some(error));
}

fn refused(story: &mut Story, group: &Group) {
    let code = story.dice.one_of([
        "Client.DependencyViolation",
        "DependencyViolation",
        "AccessDenied",
        "Client.AccessDeniedException",
        "Client.UnauthorizedOperation",
        "Client.DryRunOperation",
        "Client.InvalidGroup.NotFound",
        "Server.InternalError",
    ]);
    let request = json!({"groupId": group.id});
    call(story, group, "DeleteSecurityGroup", request, Value::Null, Some((code, "no")));
}

fn delete(story: &mut Story, group: &mut Group) {
    let by_name = story.dice.chance(15);
    let request = if by_name { json!({"groupName": "training"}) } else { json!({"groupId": group.id}) };
    let response = if by_name || story.dice.chance(50) {
        json!({"_return": true, "groupId": group.id})
    } else {
        json!({"_return": true})
    };
    call(story, group, "DeleteSecurityGroup", request, response, None);
    group.deleted = true;
}
