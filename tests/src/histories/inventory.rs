//! What AWS answers when it is asked, as an observation.

use serde_json::{Value, json};

use super::{
    groups::Rule,
    story::{Story, put, rfc3339},
};

/// Asks about one account and region. Nothing else happens in the same second, so that the answer is never older than
/// a change of its own second.
pub(super) fn look(story: &mut Story) {
    story.now += 1;
    let (account, region) = (story.account(), story.region());
    let detail = observation(story, &account, region);
    story.native(story.now, (&account, region), ("bedrock-watch", "Inventory Observation"), detail);
    story.now += 1;
}

fn observation(story: &mut Story, account: &str, region: &str) -> Value {
    let now = story.now;
    let here = |a: &str, r: &str| a == account && r == region;
    let missing = missing(story, account, region);
    let jobs: Vec<Value> = story
        .jobs
        .iter()
        .filter(|job| here(&job.account, job.region) && job.start < now)
        .map(|job| {
            let mut observed = json!({
                "jobArn": job.arn,
                "jobName": job.name,
                "status": job.status(now),
                "creationTime": rfc3339(job.start),
                "roleArn": job.role,
                "trainingS3Uri": job.uri(0),
                "validationS3Uris": job.uri(1).into_iter().collect::<Vec<String>>(),
                "kmsKey": job.key,
                "subnetIds": if job.groups.is_empty() { Vec::new() } else { job.subnets.clone() },
                "securityGroupIds": job.groups,
            });
            if let Some(end) = job.end.filter(|end| *end <= now) {
                put(&mut observed, "endTime", json!(rfc3339(end)));
            }
            observed
        })
        .collect();
    let groups: Vec<Value> = story
        .groups
        .iter()
        .filter(|group| here(&group.account, group.region) && !group.deleted)
        .map(|group| {
            let rules: Vec<Value> = group.rules.iter().map(rule).collect();
            json!({"groupId": group.id, "vpcId": group.vpc, "rules": rules})
        })
        .collect();
    let things = story.dependencies.standing("vpc_endpoint");
    let endpoints: Vec<Value> = things
        .iter()
        .filter(|thing| here(&thing.account, thing.region))
        .map(|thing| json!({"vpcEndpointId": thing.id, "vpcId": thing.vpc}))
        .collect();
    json!({
        "jobs": jobs,
        "securityGroups": groups,
        "missingSecurityGroups": missing,
        "vpcEndpoints": endpoints,
    })
}

/// Groups that jobs of this place name and that are gone, and now and then one whose deletion nobody saw.
fn missing(story: &mut Story, account: &str, region: &str) -> Vec<String> {
    let vanish = story.dice.chance(25);
    let named: Vec<String> = story
        .jobs
        .iter()
        .filter(|job| job.account == account && job.region == region)
        .flat_map(|job| job.groups.clone())
        .collect();
    if let Some(victim) = story.dice.pick(&named).filter(|_| vanish)
        && let Some(group) = story.groups.iter_mut().find(|group| group.id == victim)
    {
        group.deleted = true;
    }
    let mut gone: Vec<String> =
        story.groups.iter().filter(|group| group.deleted && named.contains(&group.id)).map(|g| g.id.clone()).collect();
    gone.sort();
    gone
}

fn rule(rule: &Rule) -> Value {
    json!({
        "ruleId": rule.id,
        "egress": true,
        "protocol": rule.protocol,
        "fromPort": rule.port,
        "toPort": rule.port,
        "peer": rule.peer.1,
    })
}
