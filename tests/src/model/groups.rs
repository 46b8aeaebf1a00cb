//! The egress rules of security groups through time, as far as they are fully known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    dependencies::deleted_group,
    event::{Call, Event, Time, What},
    json::{list, text, texts},
};

/// How long a group must stay empty: Terraform revokes before it authorises.
pub(super) const EMPTIED_GRACE: Time = 120;

/// A group lost its last egress rule and had none 120 s later.
#[derive(Debug)]
pub(super) struct Emptied<'a> {
    pub event: &'a Event,
    pub call: &'a Call,
    pub group: String,
    /// When a rule was authorised again.
    pub back: Option<Time>,
}

/// What tells one rule from another: protocol, ports, the other side.
type Rule = (String, Option<i64>, Option<i64>, String);

/// The egress rules of one group, and which rule each known rule id names.
#[derive(Debug, Default)]
struct Rules {
    present: BTreeSet<Rule>,
    ids: BTreeMap<String, Rule>,
}

/// Every emptying that lasted.
pub(super) fn emptied(events: &[Event]) -> Vec<Emptied<'_>> {
    let groups: BTreeSet<String> = events.iter().filter_map(Event::call).filter_map(group_of).collect();
    groups.iter().flat_map(|group| emptied_group(events, group)).collect()
}

fn group_of(call: &Call) -> Option<String> {
    call.request("/groupId").filter(|_| call.source == "ec2.amazonaws.com").map(str::to_owned)
}

fn emptied_group<'a>(events: &'a [Event], group: &str) -> Vec<Emptied<'a>> {
    let mut rules: Option<Rules> = None;
    let mut emptied: Vec<Emptied<'a>> = Vec::new();
    let mut deleted: Option<Time> = None;
    for event in creation_first(events, group) {
        if let What::Inventory(detail) = &event.what {
            let found = list(detail, "/securityGroups").into_iter().find(|g| text(g, "/groupId") == Some(group));
            rules = found.map(observed_rules).or(rules);
        }
        let Some(call) = event.success("ec2.amazonaws.com") else { continue };
        let about_it = group_of(call).as_deref() == Some(group);
        match call.name.as_str() {
            "CreateSecurityGroup" if text(&call.record, "/responseElements/groupId") == Some(group) => {
                let everything = ("-1".to_owned(), None, None, "0.0.0.0/0".to_owned());
                rules = Some(Rules { present: BTreeSet::from([everything]), ids: BTreeMap::new() });
            }
            "DeleteSecurityGroup" if deleted_group(call).as_deref() == Some(group) => deleted = Some(event.time()),
            "AuthorizeSecurityGroupEgress" if about_it => {
                if let Some(open) = emptied.last_mut().filter(|open| open.back.is_none()) {
                    open.back = Some(event.time());
                }
                if let Some(rules) = &mut rules {
                    authorise(rules, call);
                }
            }
            "RevokeSecurityGroupEgress" if about_it => {
                let Some(rules) = &mut rules else { continue };
                let before = rules.present.len();
                revoke(rules, call);
                if before > 0 && rules.present.is_empty() {
                    emptied.push(Emptied { event, call, group: group.to_owned(), back: None });
                }
            }
            _ => {}
        }
    }
    emptied.retain(|open| {
        let grace_ends = open.event.time() + EMPTIED_GRACE;
        let over_by_then = |end: Option<Time>| end.is_some_and(|end| end < grace_ends);
        !over_by_then(open.back) && !over_by_then(deleted)
    });
    emptied
}

/// In judging order, except that nothing happens to a group before it is made: Terraform makes a group and its rules
/// within one second, in which eventIDs say nothing about what came first.
fn creation_first<'a>(events: &'a [Event], group: &str) -> Vec<&'a Event> {
    let makes_it = |event: &&Event| {
        let call = event.success("ec2.amazonaws.com").filter(|call| call.name == "CreateSecurityGroup");
        call.is_some_and(|call| text(&call.record, "/responseElements/groupId") == Some(group))
    };
    let mut ordered: Vec<&Event> = events.iter().collect();
    ordered.sort_by_key(|event| (event.time(), !makes_it(event)));
    ordered
}

fn observed_rules(group: &Value) -> Rules {
    let mut rules = Rules::default();
    for observed in list(group, "/rules") {
        if observed.get("egress").and_then(Value::as_bool) == Some(true) {
            let rule = rule(observed, "/protocol", text(observed, "/peer").unwrap_or_default());
            if let Some(id) = text(observed, "/ruleId") {
                rules.ids.insert(id.to_owned(), rule.clone());
            }
            rules.present.insert(rule);
        }
    }
    rules
}

fn authorise(rules: &mut Rules, call: &Call) {
    rules.present.extend(requested(call));
    for answered in list(&call.record, "/responseElements/securityGroupRuleSet") {
        let peers = ["/cidrIpv4", "/cidrIpv6", "/prefixListId", "/referencedGroupId"];
        let peer = peers.iter().find_map(|field| text(answered, field));
        if let (Some(id), Some(peer)) = (text(answered, "/securityGroupRuleId"), peer) {
            rules.ids.insert(id.to_owned(), rule(answered, "/ipProtocol", peer));
        }
    }
}

fn revoke(rules: &mut Rules, call: &Call) {
    for rule in requested(call) {
        rules.present.remove(&rule);
    }
    for id in texts(&call.record, "/requestParameters/securityGroupRuleIds") {
        let named: Vec<&Rule> = rules.ids.values().collect();
        let nameless = rules.present.iter().filter(|rule| !named.contains(rule));
        // An id that nobody told of names the one rule whose id nobody told of.
        let only = nameless.clone().next().filter(|_| nameless.count() == 1).cloned();
        if let Some(rule) = rules.ids.get(&id).cloned().or(only) {
            rules.present.remove(&rule);
        }
    }
}

/// The rules that a request spells out: nested under `ipPermissions`, or flat beside the group id.
fn requested(call: &Call) -> Vec<Rule> {
    let Some(request) = call.record.get("requestParameters") else { return Vec::new() };
    let mut rules: Vec<Rule> = list(request, "/ipPermissions").into_iter().flat_map(spelt_out).collect();
    if let Some(peer) = text(request, "/cidrIp") {
        rules.push(rule(request, "/ipProtocol", peer));
    }
    rules
}

fn spelt_out(permission: &Value) -> Vec<Rule> {
    let kinds = [
        ("/ipRanges", "/cidrIp"),
        ("/ipv6Ranges", "/cidrIpv6"),
        ("/prefixListIds", "/prefixListId"),
        ("/groups", "/groupId"),
    ];
    let peers = kinds
        .iter()
        .flat_map(|(ranges, peer)| list(permission, ranges).into_iter().filter_map(move |range| text(range, peer)));
    peers.map(|peer| rule(permission, "/ipProtocol", peer)).collect()
}

/// Protocol `-1` is every protocol, whatever ports stand beside it.
fn rule(value: &Value, protocol: &str, peer: &str) -> Rule {
    let protocol = text(value, protocol).unwrap_or_default().to_owned();
    let port = |field: &str| value.get(field).and_then(Value::as_i64).filter(|_| protocol != "-1");
    (protocol.clone(), port("fromPort"), port("toPort"), peer.to_owned())
}
