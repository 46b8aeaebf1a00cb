//! Making a lost security group again, and giving an emptied one its egress rules back.
//!
//! Only rules that are known are written. What is not known is said, never guessed: a rule that lets everything in or
//! out appears here only if the old group had it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    alert::{Alert, Remediation},
    time::Second,
    world::{Dependent, GroupRule, SecurityGroup},
};

use super::shell::{Aws, Mixed, Script, Variable, Word};

/// Rules spelled out in one alert; the default quota of a group is 60 in each direction.
const RULES_MAX: usize = 60;
/// How far back rules are looked for that were taken away bit by bit before the group was deleted or found empty.
const LOOK_BACK_S: u32 = 3_600;

/// The group made instead of the lost one.
pub(super) const NEW_GROUP: Variable = Variable { name: "NEW_GROUP", hint: "first recreate the security group" };
const VPC: Variable = Variable { name: "VPC_ID", hint: "set VPC_ID to the VPC of the lost group" };
const NAME: Variable = Variable { name: "GROUP_NAME", hint: "set GROUP_NAME to a name for the new group" };
const DESCRIPTION: Variable =
    Variable { name: "GROUP_DESCRIPTION", hint: "set GROUP_DESCRIPTION to a description of the new group" };

/// A group's rules at a moment, and those taken away shortly before.
struct Rules {
    known: bool,
    now: Vec<GroupRule>,
    taken_before: Vec<GroupRule>,
}

impl Rules {
    fn before(group: Option<&SecurityGroup>, at: Second, wanted: impl Fn(&GroupRule) -> bool) -> Self {
        let Some(group) = group else { return Self { known: false, now: Vec::new(), taken_before: Vec::new() } };
        let (now, earlier) = (group.rules_before(at), group.rules_before(at.minus(LOOK_BACK_S)));
        let taken = earlier.rules.keys().filter(|rule| !now.rules.contains_key(*rule) && wanted(rule));
        let taken_before = taken.cloned().collect();
        Self { known: now.known, taken_before, now: now.rules.into_keys().filter(|rule| wanted(rule)).collect() }
    }
}

/// Makes the group again, under the same name, with the rules it had.
pub(super) fn recreate(alert: &Alert, id: &str, group: Option<&SecurityGroup>, jobs: &[&Dependent]) -> Remediation {
    let mut script = Script::default();
    let region = region_of(alert, group);
    let account = group.map(|group| &*group.account).filter(|account| !account.is_empty());
    let account = account.or_else(|| super::fact(alert, "dependency_account")).unwrap_or(&alert.account);
    script.note(&format!("in account {account}, region {}: replaces {id}", region.unwrap_or("unknown")));
    let vpc = group.and_then(|group| group.vpc.as_deref());
    if vpc.is_none()
        && let Some(subnet) = jobs.iter().find_map(|job| job.subnets.first())
    {
        script.note("the VPC is not known, so it is looked up: it is that of the subnets of the job");
        let lookup = Aws::in_region("ec2 describe-subnets", region)
            .option("--subnet-ids", &Word::quoted(subnet))
            .fixed("--query", "Subnets[0].VpcId")
            .fixed("--output", "text");
        script.capture(VPC, &lookup);
    }
    let description = group.and_then(|group| group.description.as_deref());
    let fallback = format!("Replaces {}", super::text::plain(id));
    let create = Aws::in_region("ec2 create-security-group", region)
        .option("--group-name", &Word::known(group.and_then(|group| group.name.as_deref()), NAME))
        .option("--description", &Word::known(description.or(Some(&fallback)), DESCRIPTION))
        .option("--vpc-id", &Word::known(vpc, VPC))
        .fixed("--query", "GroupId")
        .fixed("--output", "text");
    script.capture(NEW_GROUP, &create);
    let rules = Rules::before(group, alert.first_event_time, |_| true);
    if !rules.known {
        script.note(
            "rules known from CloudTrail so far follow, the full set is unknown: neither the creation of the group nor \
             an inventory was seen. Add what is missing before the job is started again",
        );
    }
    let target = Target { region, id: &Word::variable(NEW_GROUP), old: id };
    settle_default(&mut script, &rules, &target);
    let to_add: Vec<GroupRule> =
        rules.now.iter().filter(|rule| **rule != GroupRule::default_egress()).cloned().collect();
    authorize(&mut script, &to_add, &target);
    suggest_taken(&mut script, &rules.taken_before, &target);
    Remediation { title: "Recreate the security group".to_owned(), command: script.finish() }
}

/// Gives a group that still exists the egress rules back that it had.
pub(super) fn restore_egress(alert: &Alert, id: &str, group: Option<&SecurityGroup>) -> Remediation {
    let mut script = Script::default();
    let region = region_of(alert, group);
    script.note(&format!(
        "the egress rules that {id} had before {}, in region {}",
        alert.first_event_time.to_rfc3339(),
        region.unwrap_or("unknown")
    ));
    let rules = Rules::before(group, alert.first_event_time, |rule| rule.egress);
    if !rules.known || rules.now.is_empty() {
        script.note("rules known from CloudTrail so far, the full set is unknown");
    }
    let target = Target { region, id: &Word::quoted(id), old: id };
    authorize(&mut script, &rules.now, &target);
    suggest_taken(&mut script, &rules.taken_before, &target);
    Remediation { title: "Authorise the revoked egress rules again".to_owned(), command: script.finish() }
}

fn region_of<'a>(alert: &'a Alert, group: Option<&'a SecurityGroup>) -> Option<&'a str> {
    let of_group = group.map(|group| &*group.region).filter(|region| !region.is_empty());
    of_group.or(alert.region.as_deref())
}

/// The group that gets the rules.
struct Target<'a> {
    region: Option<&'a str>,
    id: &'a Word,
    /// The id under which old rules name the group itself.
    old: &'a str,
}

impl Target<'_> {
    fn change(&self, operation: &'static str, rule: &GroupRule) -> Aws {
        Aws::in_region(operation, self.region)
            .option("--group-id", self.id)
            .option("--ip-permissions", &permission(rule, self.old, self.id))
    }

    fn authorize(&self, rule: &GroupRule) -> Aws {
        let operation =
            if rule.egress { "ec2 authorize-security-group-egress" } else { "ec2 authorize-security-group-ingress" };
        self.change(operation, rule)
    }
}

/// A new group lets all traffic out. If the old one did not, the new one must not either.
fn settle_default(script: &mut Script, rules: &Rules, target: &Target<'_>) {
    if rules.now.contains(&GroupRule::default_egress()) {
        script.note("the old group let all IPv4 traffic out, as every new group does, so that rule is there already");
        return;
    }
    if rules.known {
        script.note("the old group did not let all traffic out, every new one does: take that rule away");
    } else {
        script.note("every new group lets all traffic out: take that rule away unless the old group had it");
    }
    script.run(target.change("ec2 revoke-security-group-egress", &GroupRule::default_egress()));
    script.note("in a VPC with IPv6 the new group has the same rule for ::/0, which is to be revoked likewise");
}

fn authorize(script: &mut Script, rules: &[GroupRule], target: &Target<'_>) {
    for rule in rules.iter().take(RULES_MAX) {
        script.run(target.authorize(rule));
    }
    if let Some(more) = rules.len().checked_sub(RULES_MAX).filter(|more| *more > 0) {
        script.note(&format!("{more} more rules are known and not spelled out here"));
    }
}

fn suggest_taken(script: &mut Script, taken: &[GroupRule], target: &Target<'_>) {
    if taken.is_empty() {
        return;
    }
    script.note("revoked in the hour before, to be restored as well if that was part of the same act:");
    for rule in taken.iter().take(RULES_MAX) {
        script.suggest(&target.authorize(rule));
    }
}

/// A rule in the form of `--ip-permissions`. A rule that names the old group itself names the new one.
fn permission(rule: &GroupRule, old: &str, new: &Word) -> Word {
    let mut fields: BTreeMap<&str, Value> = BTreeMap::from([("IpProtocol", json!(rule.protocol))]);
    if &*rule.protocol != "-1" {
        fields.insert("FromPort", json!(rule.from_port));
        fields.insert("ToPort", json!(rule.to_port));
    }
    let peer = &*rule.peer;
    let (list, name) = match peer {
        peer if peer.starts_with("sg-") => ("UserIdGroupPairs", "GroupId"),
        peer if peer.starts_with("pl-") => ("PrefixListIds", "PrefixListId"),
        peer if peer.contains(':') => ("Ipv6Ranges", "CidrIpv6"),
        _ => ("IpRanges", "CidrIp"),
    };
    if peer == old && *new == Word::variable(NEW_GROUP) {
        let head = Value::Object(Map::from_iter(fields.into_iter().map(|(key, value)| (key.to_owned(), value))));
        let head = head.to_string();
        let head = head.strip_suffix('}').unwrap_or(&head);
        let opening = format!("[{head},\"{list}\":[{{\"{name}\":\"");
        return Mixed::default().text(&opening).variable(NEW_GROUP).text("\"}]}]").word();
    }
    fields.insert(list, json!([{ name: peer }]));
    Word::json(&json!([fields]))
}
