//! Security group rules: the shapes in which CloudTrail reports them, brought into one.
//!
//! Deliberately no judgement about what a rule allows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::At;
use crate::observation::ObservedRule;

/// One rule, in one form, so that a rule that is revoked is found again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct GroupRule {
    pub(crate) egress: bool,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub(crate) protocol: Box<str>,
    /// -1 for all.
    pub(crate) from_port: i64,
    /// -1 for all.
    pub(crate) to_port: i64,
    /// A CIDR block, a prefix list id or a group id.
    pub(crate) peer: Box<str>,
}

/// A rule and its id, where the record names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedRule {
    pub(crate) rule: GroupRule,
    pub(crate) id: Option<Box<str>>,
}

/// What an authorize or revoke call names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedRules {
    pub(crate) rules: Vec<NamedRule>,
    /// Rules named by id alone.
    pub(crate) ids: Vec<Box<str>>,
}

/// A rule that was replaced by another one of the same id and direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModifiedRule {
    pub(crate) id: Box<str>,
    /// What it is now, whose direction says nothing; `None` if the record does not say it in full.
    pub(crate) now: Option<GroupRule>,
}

impl GroupRule {
    fn new(egress: bool, protocol: &str, ports: (Option<i64>, Option<i64>), peer: &str) -> Self {
        let protocol = match protocol {
            "6" => "tcp",
            "17" => "udp",
            "1" => "icmp",
            "58" => "icmpv6",
            "all" => "-1",
            other => other,
        };
        let (from_port, to_port) =
            if protocol == "-1" { (-1, -1) } else { (ports.0.unwrap_or(-1), ports.1.unwrap_or(-1)) };
        Self { egress, protocol: protocol.into(), from_port, to_port, peer: peer.into() }
    }

    /// The rule every new group in a VPC has: all traffic out.
    pub(crate) fn default_egress() -> Self {
        Self::new(true, "-1", (None, None), "0.0.0.0/0")
    }

    /// A rule that inventory lists.
    pub(crate) fn observed(rule: &ObservedRule) -> NamedRule {
        NamedRule {
            rule: Self::new(rule.egress, &rule.protocol, (rule.from_port, rule.to_port), &rule.peer),
            id: rule.rule_id.as_deref().map(Into::into),
        }
    }
}

/// The rules that a call names: from the answer where it lists them with their ids, else from the request.
pub(crate) fn named_rules(egress: bool, request: &Value, response: &Value) -> NamedRules {
    for set in ["securityGroupRuleSet", "revokedSecurityGroupRuleSet"] {
        let answered: Vec<NamedRule> = items(response.at(set)).filter_map(|item| answered_rule(egress, item)).collect();
        if !answered.is_empty() {
            return NamedRules { rules: answered, ids: Vec::new() };
        }
    }
    let mut named = NamedRules { rules: Vec::new(), ids: rule_ids(request.at("securityGroupRuleIds")) };
    let permissions = items(request.at("ipPermissions")).chain(std::iter::once(request));
    for permission in permissions {
        for peer in peers(permission) {
            let protocol = text(permission.at("ipProtocol")).unwrap_or_else(|| "-1".to_owned());
            let ports = (number(permission.at("fromPort")), number(permission.at("toPort")));
            named.rules.push(NamedRule { rule: GroupRule::new(egress, &protocol, ports, &peer), id: None });
        }
    }
    named
}

/// The group and the rules that a `ModifySecurityGroupRules` names: `{"ModifySecurityGroupRulesRequest": {"GroupId",
/// "SecurityGroupRule": {"SecurityGroupRuleId", "SecurityGroupRule": {"IpProtocol", "FromPort", ...}}}}`, the outer rule
/// being a list when there are several. No rule at all where the record has another shape.
pub(crate) fn modified_rules(request: &Value) -> Option<(String, Vec<ModifiedRule>)> {
    let nested = request.at("ModifySecurityGroupRulesRequest");
    let request = if nested.is_object() { nested } else { request };
    let group = text(either(request, "GroupId"))?;
    let list = either(request, "SecurityGroupRule");
    let list = if list.is_null() { either(request, "SecurityGroupRuleSet") } else { list };
    let one = Some(list).filter(|list| !either(list, "SecurityGroupRuleId").is_null());
    let rules = items(list).chain(one).filter_map(|item| {
        let id = text(either(item, "SecurityGroupRuleId"))?.into();
        Some(ModifiedRule { id, now: described_rule(either(item, "SecurityGroupRule")) })
    });
    Some((group, rules.collect()))
}

fn described_rule(rule: &Value) -> Option<GroupRule> {
    let peer = ["CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId"].into_iter();
    let peer = peer.map(|key| either(rule, key)).find_map(text)?;
    let protocol = text(either(rule, "IpProtocol"))?;
    let ports = (number(either(rule, "FromPort")), number(either(rule, "ToPort")));
    Some(GroupRule::new(true, &protocol, ports, &peer))
}

/// The field `key`, which the nested shapes of EC2 begin with a capital letter and the others do not.
fn either<'a>(value: &'a Value, key: &str) -> &'a Value {
    let as_written = value.at(key);
    if !as_written.is_null() {
        return as_written;
    }
    let mut letters = key.chars();
    let lower: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    value.at(&lower)
}

fn answered_rule(egress: bool, item: &Value) -> Option<NamedRule> {
    let peer = ["cidrIpv4", "cidrIpv6", "prefixListId", "referencedGroupId"]
        .into_iter()
        .find_map(|key| text(item.at(key)))
        .or_else(|| text(item.at("referencedGroupInfo").at("groupId")))?;
    let protocol = text(item.at("ipProtocol"))?;
    let egress = item.at("isEgress").as_bool().unwrap_or(egress);
    let ports = (number(item.at("fromPort")), number(item.at("toPort")));
    let id = text(item.at("securityGroupRuleId")).map(Into::into);
    Some(NamedRule { rule: GroupRule::new(egress, &protocol, ports, &peer), id })
}

/// The other sides that a permission names, nested or flat.
fn peers(permission: &Value) -> Vec<String> {
    const NESTED: [(&str, &str); 4] =
        [("ipRanges", "cidrIp"), ("ipv6Ranges", "cidrIpv6"), ("prefixListIds", "prefixListId"), ("groups", "groupId")];
    let nested = NESTED
        .into_iter()
        .flat_map(|(list, key)| items(permission.at(list)).filter_map(move |item| text(item.at(key))));
    let flat = ["cidrIp", "cidrIpv6", "sourceSecurityGroupId"].into_iter().filter_map(|key| text(permission.at(key)));
    nested.chain(flat).collect()
}

fn rule_ids(list: &Value) -> Vec<Box<str>> {
    let from_objects = items(list)
        .filter_map(|item| text(item).or_else(|| item.as_object().and_then(|fields| fields.values().find_map(text))));
    from_objects.map(String::into_boxed_str).collect()
}

/// The elements of a list, which CloudTrail writes as an array, as `{"items": [...]}` or, when empty, as `{}`.
pub(crate) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().or_else(|| list.at("items").as_array()).into_iter().flatten()
}

/// A string, or a number or boolean as string.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_shapes_name_the_same_rule() {
        let nested = json!({"ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
            "groups": {}, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}, "ipv6Ranges": {}, "prefixListIds": {}}]}});
        let flat =
            json!({"ipPermissions": {}, "ipProtocol": "6", "fromPort": "22", "toPort": 22, "cidrIp": "10.0.0.0/8"});
        let left = named_rules(true, &nested, &Value::Null);
        assert_eq!(left.rules.len(), 1);
        assert_eq!(left, named_rules(true, &flat, &Value::Null));
    }

    #[test]
    fn all_traffic_is_one_rule_however_its_ports_are_written() {
        let revoked = json!({"ipPermissions": {"items": [{"ipProtocol": "-1", "fromPort": 0, "toPort": 0,
            "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}});
        let named = named_rules(true, &revoked, &Value::Null);
        assert_eq!(named.rules.first().map(|named| named.rule.clone()), Some(GroupRule::default_egress()));
    }

    #[test]
    fn modified_rules_are_read_in_every_shape() {
        let check = |request: Value, expected: &[(&str, Option<&str>)]| {
            let (group, rules) = modified_rules(&request).expect("it names a group");
            let found: Vec<_> = rules.iter().map(|rule| (&*rule.id, rule.now.as_ref().map(|now| &*now.peer))).collect();
            assert_eq!((group.as_str(), found.as_slice()), ("sg-1", expected), "{request}");
        };
        let rule = |id: &str, cidr: &str| {
            json!({"tag": 1, "SecurityGroupRuleId": id, "SecurityGroupRule":
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": cidr}})
        };
        let of =
            |rules: Value| json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": rules}});
        check(of(rule("sgr-1", "10.0.0.0/8")), &[("sgr-1", Some("10.0.0.0/8"))]);
        check(
            of(json!([rule("sgr-1", "10.0.0.0/8"), {"SecurityGroupRuleId": "sgr-2"}])),
            &[("sgr-1", Some("10.0.0.0/8")), ("sgr-2", None)],
        );
        let flat =
            json!({"securityGroupRuleId": "sgr-1", "securityGroupRule": {"ipProtocol": "-1", "cidrIpv6": "::/0"}});
        check(json!({"groupId": "sg-1", "securityGroupRuleSet": {"items": [flat]}}), &[("sgr-1", Some("::/0"))]);
        check(json!({"groupId": "sg-1"}), &[]);
        assert_eq!(modified_rules(&json!({})), None);
    }

    #[test]
    fn answers_carry_ids() {
        let response = json!({"securityGroupRuleSet": {"items": [{"securityGroupRuleId": "sgr-1", "isEgress": true,
            "ipProtocol": "-1", "fromPort": -1, "toPort": -1, "cidrIpv4": "0.0.0.0/0"}]}});
        let named = named_rules(true, &json!({}), &response);
        assert_eq!(named.rules.first().and_then(|named| named.id.as_deref()), Some("sgr-1"));
        let by_id = json!({"securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}]}});
        assert_eq!(named_rules(true, &by_id, &Value::Null).ids, vec!["sgr-1".into()]);
    }
}
