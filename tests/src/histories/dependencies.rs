//! Everything else that jobs stand on: subnets, endpoints, roles, keys and buckets, lost and given back.

use serde_json::{Value, json};

use super::{
    dice::Dice,
    story::{Deed, Story},
};

/// A dependency that exists, or does not.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub kind: &'static str,
    /// Subnet or endpoint id, role ARN, key ARN or bucket name.
    pub id: String,
    pub account: String,
    pub region: &'static str,
    pub vpc: &'static str,
    pub gone: bool,
    /// For roles and keys: what was taken away and can be given back.
    taken: Vec<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct Dependencies {
    pub things: Vec<Thing>,
}

impl Dependencies {
    pub(super) fn new(accounts: &[String], regions: &[&'static str], dice: &mut Dice) -> Self {
        let kinds = ["subnet", "subnet", "vpc_endpoint", "vpc_endpoint", "role", "role", "kms_key", "bucket", "bucket"];
        let things = kinds.iter().map(|kind| thing(kind, accounts, regions, dice)).collect();
        Self { things }
    }

    pub(super) fn standing(&self, kind: &str) -> Vec<Thing> {
        self.things.iter().filter(|thing| thing.kind == kind && !thing.gone).cloned().collect()
    }
}

fn thing(kind: &'static str, accounts: &[String], regions: &[&'static str], dice: &mut Dice) -> Thing {
    let account = dice.pick(accounts).unwrap_or_default();
    let region = dice.pick(regions).unwrap_or("us-east-1");
    let id = match kind {
        "subnet" => dice.id("subnet-0"),
        "vpc_endpoint" => dice.id("vpce-0"),
        "role" => {
            let path = dice.one_of(["", "service-role/"]);
            let name = dice.id("Customization");
            format!("arn:aws:iam::{account}:role/{path}{name}")
        }
        "kms_key" => format!("arn:aws:kms:{region}:{account}:key/{}", dice.uuid()),
        _ => dice.id("acme-"),
    };
    let vpc = dice.one_of(["vpc-0a", "vpc-0b"]);
    Thing { kind, id, account, region, vpc, gone: false, taken: Vec::new() }
}

pub(super) fn something(story: &mut Story) {
    let index = story.dice.index(story.dependencies.things.len());
    let Some(mut thing) = story.dependencies.things.get(index).cloned() else { return };
    if !story.may_change(&thing.id) {
        return;
    }
    match thing.kind {
        "subnet" => subnet(story, &mut thing),
        "vpc_endpoint" => endpoint(story, &mut thing),
        "role" => role(story, &mut thing),
        "kms_key" => key(story, &mut thing),
        _ => bucket(story, &mut thing),
    }
    if let Some(slot) = story.dependencies.things.get_mut(index) {
        *slot = thing;
    }
}

/// A call about a thing; true when it succeeded.
fn call(story: &mut Story, thing: &Thing, service: &str, name: &str, request: Value, response: Value) -> bool {
    let failed = story.dice.chance(15);
    let error = failed.then_some(("AccessDenied", "User is not authorized"));
    let by = story.somebody_of(&thing.account);
    let region = if service == "iam" { "us-east-1" } else { thing.region };
    let (at, account) = (story.now, thing.account.as_str());
    story.record(Deed { at, account, region, by: &by, service, name, request, response, error });
    !failed
}

fn subnet(story: &mut Story, thing: &mut Thing) {
    // A subnet never comes back, so it is not to be gone in the first minute of every history.
    if !thing.gone && story.dice.chance(30) {
        let request = json!({"subnetId": thing.id});
        thing.gone = call(story, thing, "ec2", "DeleteSubnet", request, json!({"_return": true}));
    }
}

fn endpoint(story: &mut Story, thing: &mut Thing) {
    if !thing.gone && story.dice.chance(50) {
        let request = json!({"CreateVpcEndpointRequest": {"VpcId": thing.vpc, "ServiceName": "com.amazonaws.s3"}});
        let response = json!({"CreateVpcEndpointResponse": {"vpcEndpoint": {
            "vpcEndpointId": thing.id, "vpcId": thing.vpc,
        }}});
        // An endpoint is made once; whoever does not see that learns its VPC from the inventory.
        if !thing.taken.contains(&"seen made") && call(story, thing, "ec2", "CreateVpcEndpoint", request, response) {
            thing.taken.push("seen made");
        }
    } else if !thing.gone && story.dice.chance(50) {
        let other = story.dice.id("vpce-1");
        let one = json!({"tag": 1, "content": thing.id});
        let several = story.dice.chance(50);
        let ids = if several { json!([one, {"tag": 2, "content": other}]) } else { one };
        let kept = several && story.dice.chance(40);
        let item = json!({"item": [{"resourceId": thing.id, "error": {"code": "InvalidVpcEndpoint.NotFound"}}]});
        let response = json!({"DeleteVpcEndpointsResponse": {"unsuccessful": if kept { item } else { json!("") }}});
        let request = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": ids}});
        let done = call(story, thing, "ec2", "DeleteVpcEndpoints", request, response);
        thing.gone = done && !kept;
    }
}

fn role(story: &mut Story, thing: &mut Thing) {
    let name = thing.id.rsplit('/').next().unwrap_or_default().to_owned();
    let (what, lose, restore, request): (&str, &str, &str, Value) = match story.dice.index(6) {
        0 | 1 => ("role", "DeleteRole", "CreateRole", json!({"roleName": name})),
        2 => (
            "policy a",
            "DetachRolePolicy",
            "AttachRolePolicy",
            json!({"roleName": name, "policyArn": "arn:aws:iam::aws:policy/A"}),
        ),
        3 => (
            "policy b",
            "DetachRolePolicy",
            "AttachRolePolicy",
            json!({"roleName": name, "policyArn": "arn:aws:iam::aws:policy/B"}),
        ),
        4 => ("inline", "DeleteRolePolicy", "PutRolePolicy", json!({"roleName": name, "policyName": "network"})),
        _ => return trust(story, thing, &name),
    };
    toggle(story, thing, what, ("iam", lose, restore), request);
    // A role is made with a trust policy.
    if let Some(request) =
        story.records.last_mut().filter(|record| record.get("eventName") == Some(&json!("CreateRole")))
    {
        let document = json!({"Statement": [{"Principal": {"Service": "bedrock.amazonaws.com"}}]}).to_string();
        let parameters = json!({"roleName": name, "assumeRolePolicyDocument": document});
        super::story::put(request, "requestParameters", parameters);
    }
}

/// Takes `what` away, or gives it back if it is away.
fn toggle(
    story: &mut Story,
    thing: &mut Thing,
    what: &'static str,
    (service, lose, restore): (&str, &str, &str),
    request: Value,
) {
    let away = thing.taken.contains(&what);
    let name = if away { restore } else { lose };
    if call(story, thing, service, name, request, Value::Null) {
        if away { thing.taken.retain(|taken| *taken != what) } else { thing.taken.push(what) }
    }
    thing.gone = thing.taken.iter().any(|taken| ["role", "bucket", "deletion"].contains(taken));
}

fn trust(story: &mut Story, thing: &mut Thing, name: &str) {
    let trusted = story.dice.chance(50);
    let service = if trusted { "bedrock.amazonaws.com" } else { "ec2.amazonaws.com" };
    let document = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": service}}]}).to_string();
    let encoded = document.replace('{', "%7B").replace('"', "%22").replace(':', "%3A");
    let document = if story.dice.chance(40) { encoded } else { document };
    let request = json!({"roleName": name, "policyDocument": document});
    call(story, thing, "iam", "UpdateAssumeRolePolicy", request, Value::Null);
}

fn key(story: &mut Story, thing: &mut Thing) {
    let bare = thing.id.rsplit('/').next().unwrap_or_default().to_owned();
    let id = if story.dice.chance(50) { bare } else { thing.id.clone() };
    let request = json!({"keyId": id});
    // A key that waits for its deletion can neither be disabled nor enabled.
    let waiting = thing.taken.contains(&"deletion");
    if waiting || (thing.taken.is_empty() && story.dice.chance(50)) {
        toggle(story, thing, "deletion", ("kms", "ScheduleKeyDeletion", "CancelKeyDeletion"), request);
    } else {
        toggle(story, thing, "enabled", ("kms", "DisableKey", "EnableKey"), request);
    }
    if let Some(record) = story.records.last_mut().filter(|_| !thing.id.is_empty()) {
        let resources = json!([{"type": "AWS::KMS::Key", "accountId": thing.account, "ARN": thing.id}]);
        super::story::put(record, "resources", resources);
    }
}

fn bucket(story: &mut Story, thing: &mut Thing) {
    let request = json!({"bucketName": thing.id, "Host": "s3.amazonaws.com"});
    toggle(story, thing, "bucket", ("s3", "DeleteBucket", "CreateBucket"), request);
}
