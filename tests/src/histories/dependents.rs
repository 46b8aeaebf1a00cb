//! What stands on other resources besides customization jobs: batch and import jobs, deployed models, knowledge bases and
//! agents, made, changed and deleted, with the roles, keys, buckets and networks of the story and stores of their own.

use serde_json::{Value, json};

use super::story::{Deed, Story};

/// How often one agent or knowledge base is changed; the engine remembers a limited number of exchanges.
const UPDATES_MAX: u32 = 6;

pub(super) fn something(story: &mut Story) {
    let account = story.account();
    let region = story.region();
    match story.dice.index(12) {
        0 | 1 => batch_job(story, &account, region),
        2 => import_job(story, &account, region),
        3 | 4 => deployment(story, &account, region),
        5 | 6 => knowledge_base(story, &account, region),
        7 => data_source(story, &account, region),
        8 | 9 => agent(story, &account, region),
        10 => store(story, &account, region),
        _ => exposure(story),
    }
}

fn call(story: &mut Story, place: (&str, &str), (service, name): (&str, &str), request: Value, response: Value) {
    let failed = story.dice.chance(10);
    let error = failed.then_some(("AccessDenied", "User is not authorized"));
    let by = story.somebody_of(place.0);
    let (account, region) = place;
    story.record(Deed { at: story.now, account, region, by: &by, service, name, request, response, error });
}

/// Whether this happens for the first time: ARNs are given once.
fn once(story: &mut Story, what: &str) -> bool {
    let times = story.changes.entry(format!("made {what}")).or_default();
    *times += 1;
    *times == 1
}

/// The id of something of the story's, of a kind.
fn thing(story: &mut Story, kind: &str) -> String {
    let ids: Vec<String> =
        story.dependencies.things.iter().filter(|thing| thing.kind == kind).map(|thing| thing.id.clone()).collect();
    story.dice.pick(&ids).unwrap_or_default()
}

fn vpc(story: &mut Story) -> Value {
    let ids: Vec<String> = story.groups.iter().map(|group| group.id.clone()).collect();
    json!({"subnetIds": [thing(story, "subnet")], "securityGroupIds": story.dice.pick(&ids).into_iter().collect::<Vec<_>>()})
}

fn batch_job(story: &mut Story, account: &str, region: &str) {
    let number = story.dice.index(4);
    let arn = format!("arn:aws:bedrock:{region}:{account}:model-invocation-job/job{number}");
    if !story.may_change(&arn) {
        return;
    }
    let bucket = thing(story, "bucket");
    match story.dice.index(4) {
        0 | 1 if once(story, &arn) => {
            let request = json!({
                "jobName": format!("batch-{number}"), "roleArn": thing(story, "role"), "vpcConfig": vpc(story),
                "inputDataConfig": {"s3InputDataConfig": {"s3Uri": format!("s3://{bucket}/in/")}},
                "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": format!("s3://{bucket}/out/")}},
            });
            call(story, (account, region), ("bedrock", "CreateModelInvocationJob"), request, json!({"jobArn": arn}));
        }
        2 => {
            let request = json!({"jobIdentifier": arn});
            call(story, (account, region), ("bedrock", "StopModelInvocationJob"), request, Value::Null);
        }
        _ => {
            let status = story.dice.one_of(["InProgress", "Completed", "PartiallyCompleted", "Expired", "Stopping"]);
            let detail = json!({"batchJobArn": arn, "batchJobName": format!("batch-{number}"), "status": status});
            let at = story.now;
            story.native(at, (account, region), ("aws.bedrock", "Batch Inference Job State Change"), detail);
        }
    }
}

fn import_job(story: &mut Story, account: &str, region: &str) {
    let arn = format!("arn:aws:bedrock:{region}:{account}:model-import-job/{}", story.dice.id("job"));
    let request = json!({
        "jobName": format!("import-{}", story.dice.index(4)), "roleArn": thing(story, "role"), "vpcConfig": vpc(story),
        "importedModelKmsKeyId": thing(story, "kms_key"),
        "modelDataSource": {"s3DataSource": {"s3Uri": format!("s3://{}/model/", thing(story, "bucket"))}},
    });
    call(story, (account, region), ("bedrock", "CreateModelImportJob"), request, json!({"jobArn": arn}));
}

fn deployment(story: &mut Story, account: &str, region: &str) {
    let (number, model) = (story.dice.index(3), story.dice.index(2));
    let model = format!("arn:aws:bedrock:{region}:{account}:custom-model/imported/model{model}");
    let arn = format!("arn:aws:bedrock:{region}:{account}:custom-model-deployment/deployment{number}");
    let (name, request, response) = match story.dice.index(3) {
        0 if !once(story, &model) => return,
        1 if !once(story, &arn) => return,
        0 => (
            "CreateCustomModel",
            json!({"modelName": format!("name-of-{number}"), "modelKmsKeyArn": thing(story, "kms_key")}),
            json!({"modelArn": model}),
        ),
        1 => (
            "CreateCustomModelDeployment",
            json!({"modelDeploymentName": format!("deployment-{number}"), "modelArn": model}),
            json!({"customModelDeploymentArn": arn}),
        ),
        _ => ("DeleteCustomModelDeployment", json!({"customModelDeploymentIdentifier": arn}), Value::Null),
    };
    call(story, (account, region), ("bedrock", name), request, response);
}

fn knowledge_base(story: &mut Story, account: &str, region: &str) {
    let id = format!("KB{}", story.dice.index(3));
    if !story.may_change(&format!("{account} {region} {id}")) {
        return;
    }
    let updates = story.changes.entry(format!("updates of {account} {region} {id}")).or_default();
    *updates += 1;
    let update = *updates <= UPDATES_MAX;
    if update {
        let store = format!("arn:aws:aoss:{region}:{account}:collection/store{}", story.dice.index(2));
        let name = format!("name-{}", story.dice.index(3));
        let made = story.dice.chance(60);
        let mut request = json!({
            "name": name, "roleArn": thing(story, "role"),
            "storageConfiguration": {"opensearchServerlessConfiguration": {"collectionArn": store}},
        });
        if !made {
            super::story::put(&mut request, "knowledgeBaseId", json!(id));
        }
        let operation = if made { "CreateKnowledgeBase" } else { "UpdateKnowledgeBase" };
        let response = json!({"knowledgeBase": {"knowledgeBaseId": id}});
        call(story, (account, region), ("bedrock", operation), request, response);
    } else {
        let request = json!({"knowledgeBaseId": id});
        call(story, (account, region), ("bedrock", "DeleteKnowledgeBase"), request, Value::Null);
    }
}

fn data_source(story: &mut Story, account: &str, region: &str) {
    let (base, id) = (format!("KB{}", story.dice.index(3)), format!("DS{}", story.dice.index(3)));
    let bucket = format!("arn:aws:s3:::{}", thing(story, "bucket"));
    let (name, request, response) = match story.dice.index(4) {
        0 | 1 => (
            "CreateDataSource",
            json!({"knowledgeBaseId": base, "name": "docs",
                "dataSourceConfiguration": {"s3Configuration": {"bucketArn": bucket}}}),
            json!({"dataSource": {"dataSourceId": id}}),
        ),
        2 => ("DeleteDataSource", json!({"knowledgeBaseId": base, "dataSourceId": id}), Value::Null),
        _ => (
            "StartIngestionJob",
            json!({"knowledgeBaseId": base, "dataSourceId": id}),
            json!({"ingestionJob": {"ingestionJobId": format!("IJ{}", story.dice.index(9))}}),
        ),
    };
    call(story, (account, region), ("bedrock", name), request, response);
}

fn agent(story: &mut Story, account: &str, region: &str) {
    let id = format!("AGENT{}", story.dice.index(3));
    let function = format!("arn:aws:lambda:{region}:{account}:function:tool{}", story.dice.index(2));
    let updates = story.changes.entry(format!("updates of {account} {region} {id}")).or_default();
    *updates += 1;
    let may_update = *updates <= UPDATES_MAX;
    match story.dice.index(4) {
        0 | 1 if may_update => {
            let made = story.dice.chance(50);
            let name = format!("name-{}", story.dice.index(3));
            let mut request = json!({"agentName": name, "agentResourceRoleArn": thing(story, "role")});
            if !made {
                super::story::put(&mut request, "agentId", json!(id));
            }
            let operation = if made { "CreateAgent" } else { "UpdateAgent" };
            call(story, (account, region), ("bedrock", operation), request, json!({"agent": {"agentId": id}}));
        }
        2 if may_update => {
            let request =
                json!({"agentId": id, "actionGroupName": "tools", "actionGroupExecutor": {"lambda": function}});
            let response = json!({"agentActionGroup": {"actionGroupId": "GROUP0"}});
            call(story, (account, region), ("bedrock", "CreateAgentActionGroup"), request, response);
        }
        _ if story.dice.chance(20) => {
            call(story, (account, region), ("bedrock", "DeleteAgent"), json!({"agentId": id}), Value::Null);
        }
        _ => {}
    }
}

/// Stores and functions, which are lost and come back.
fn store(story: &mut Story, account: &str, region: &str) {
    let number = story.dice.index(2);
    if !story.may_change(&format!("store {account} {region} {number}")) {
        return;
    }
    let function = json!({"functionName": format!("tool{number}"), "statementId": "agents"});
    let granted = json!({"functionName": format!("tool{number}"), "statementId": "agents",
        "principal": "bedrock.amazonaws.com"});
    let (service, name, request) = match story.dice.index(5) {
        0 => ("aoss", "DeleteCollection", json!({"id": format!("store{number}")})),
        1 => ("lambda", "DeleteFunction20150331", function),
        2 => ("lambda", "CreateFunction20150331", function),
        3 => ("lambda", "AddPermission20150331v2", granted),
        _ => ("lambda", "RemovePermission20150331v2", function),
    };
    call(story, (account, region), (service, name), request, Value::Null);
}

/// A bucket of the story is opened or closed.
fn exposure(story: &mut Story) {
    let buckets: Vec<_> = story.dependencies.things.iter().filter(|thing| thing.kind == "bucket").cloned().collect();
    let Some(bucket) = story.dice.pick(&buckets) else { return };
    if !story.may_change(&bucket.id) {
        return;
    }
    let principal = story.dice.one_of(["*", "999988887777", "arn:aws:iam::999988887777:root"]);
    let open = json!({"bucketName": bucket.id, "bucketPolicy": {"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principal}}]}});
    let narrow = json!({"bucketName": bucket.id, "bucketPolicy": {"Statement": [
        {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}}]}});
    let named = json!({"bucketName": bucket.id});
    let (name, request) = match story.dice.index(5) {
        0 => ("PutBucketPolicy", open),
        1 => ("PutBucketPolicy", narrow),
        2 => ("DeleteBucketPolicy", named),
        3 => ("PutBucketPublicAccessBlock", named),
        _ => ("DeleteBucketReplication", named),
    };
    call(story, (&bucket.account, bucket.region), ("s3", name), request, Value::Null);
}
