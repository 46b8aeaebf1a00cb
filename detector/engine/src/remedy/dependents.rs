//! Bringing back what batch and import jobs, deployed models, knowledge bases and agents stand on, and closing what was
//! opened of a bucket.
//!
//! What they share with customization jobs (network, role, key, bucket) is repaired in the same way; here is the rest.

use std::collections::BTreeSet;

use crate::{
    alert::{Alert, Remediation},
    world::{Dependent, Kind, Loss, RegionalKind, ResourceKey, World},
};

use super::{
    dependency, security_group,
    shell::{Aws, Script, Variable, Word},
    text::last_segment,
};

/// Dependents spelled out in one alert.
const DEPENDENTS_MAX: usize = 5;
const SNAPSHOT: Variable = Variable { name: "SNAPSHOT_ID", hint: "set SNAPSHOT_ID to the snapshot to restore" };
const ENGINE: Variable = Variable { name: "DB_ENGINE", hint: "set DB_ENGINE to the engine of the lost cluster" };
const NAME: Variable = Variable { name: "STORE_NAME", hint: "set STORE_NAME to the name of the lost store" };

/// What brings `resource` back, or closes it, and what then has to be looked at.
pub(super) fn restore(alert: &Alert, resource: &ResourceKey, users: &[&Dependent], world: &World) -> Vec<Remediation> {
    let losses = world.losses_to_undo(resource);
    let mut remediation = match resource {
        ResourceKey::Bucket(name) if alert.facts.contains_key("changes") => vec![close(alert, name)],
        ResourceKey::SecurityGroup(id) => vec![security_group::recreate(alert, id, world.group(id), users)],
        ResourceKey::Regional { kind, region, name, .. } => {
            regional(alert, *kind, region, name, &losses, users).into_iter().collect()
        }
        shared => dependency::restore(alert, shared, &losses, users),
    };
    remediation.extend(look(users));
    remediation
}

fn regional(
    alert: &Alert,
    kind: RegionalKind,
    region: &str,
    name: &str,
    losses: &BTreeSet<Loss>,
    users: &[&Dependent],
) -> Option<Remediation> {
    let mut script = Script::default();
    let account = super::fact(alert, "dependency_account").unwrap_or(&alert.account);
    script.note(&format!("in account {account}, region {region}"));
    let region = Some(region);
    let title = match kind {
        RegionalKind::Function => return Some(function(alert, script, name, losses, users)),
        RegionalKind::Secret => {
            script.note("works until the recovery window is over; a secret deleted without one is gone");
            script.run(
                Aws::in_region("secretsmanager restore-secret", region).option("--secret-id", &Word::quoted(name)),
            );
            "Restore the secret"
        }
        RegionalKind::DbCluster => {
            script.note("the snapshots there are, the final one among them if one was taken:");
            let list = Aws::in_region("rds describe-db-cluster-snapshots", region);
            script.run(list.option("--db-cluster-identifier", &Word::quoted(name)));
            let restore = Aws::in_region("rds restore-db-cluster-from-snapshot", region);
            let restore = restore.option("--db-cluster-identifier", &Word::quoted(name));
            let restore = restore.option("--snapshot-identifier", &Word::variable(SNAPSHOT));
            script.run(restore.option("--engine", &Word::variable(ENGINE)));
            "Restore the database cluster"
        }
        RegionalKind::Collection => {
            script.note("its vectors are gone with it: the knowledge base has to be made anew on the new collection");
            let create = Aws::in_region("opensearchserverless create-collection", region);
            script.run(create.option("--name", &Word::variable(NAME)).fixed("--type", "VECTORSEARCH"));
            "Recreate the collection"
        }
        RegionalKind::SearchDomain => {
            script.note("unknown: its version, size and policies. Its indices come back from a snapshot only");
            let create = Aws::in_region("opensearch create-domain", region);
            script.run(create.option("--domain-name", &Word::quoted(name)));
            "Recreate the OpenSearch domain"
        }
        RegionalKind::VectorBucket => {
            script.note("its vectors are gone with it: every data source has to be synchronised again afterwards");
            let create = Aws::in_region("s3vectors create-vector-bucket", region);
            script.run(create.option("--vector-bucket-name", &Word::quoted(name)));
            "Recreate the vector bucket"
        }
        RegionalKind::VectorIndex => {
            script.note("unknown: its dimension and distance metric, which follow from the embedding model");
            let bucket = name.split("/index/").next().unwrap_or(name);
            let list = Aws::in_region("s3vectors list-indexes", region);
            script.run(list.option("--vector-bucket-name", &Word::quoted(bucket)));
            "See which indexes are left"
        }
        RegionalKind::Graph => {
            let restore = Aws::in_region("neptune-graph restore-graph-from-snapshot", region);
            let restore = restore.option("--snapshot-identifier", &Word::variable(SNAPSHOT));
            script.run(restore.option("--graph-name", &Word::variable(NAME)));
            "Restore the graph"
        }
        RegionalKind::CustomModel => return None,
    };
    Some(Remediation { title: title.to_owned(), command: script.finish() })
}

/// A function comes back from where it is deployed from; who may call it is said here.
fn function(
    alert: &Alert,
    mut script: Script,
    name: &str,
    losses: &BTreeSet<Loss>,
    users: &[&Dependent],
) -> Remediation {
    if losses.contains(&Loss::Deleted) {
        script.note("the function itself comes back from the pipeline or stack that deploys it; then:");
    }
    let statement = losses.iter().find_map(|loss| match loss {
        Loss::StatementRemoved(statement) => Some(&**statement),
        _ => None,
    });
    for agent in users.iter().filter_map(|user| user.parent.as_deref().or(user.arn.as_deref())).take(DEPENDENTS_MAX) {
        let add = Aws::in_region("lambda add-permission", alert.region.as_deref())
            .option("--function-name", &Word::quoted(name))
            .option("--statement-id", &Word::quoted(statement.unwrap_or("bedrock-agent")))
            .fixed("--action", "lambda:InvokeFunction")
            .fixed("--principal", "bedrock.amazonaws.com")
            .option("--source-arn", &Word::quoted(agent));
        script.run(add);
    }
    Remediation { title: "Let the agent call the function again".to_owned(), command: script.finish() }
}

/// A bucket whose content was put at risk.
fn close(alert: &Alert, name: &str) -> Remediation {
    let mut script = Script::default();
    let region = alert.region.as_deref();
    let bucket = |operation: &'static str| Aws::in_region(operation, region).option("--bucket", &Word::quoted(name));
    let account = super::fact(alert, "dependency_account").unwrap_or(&alert.account);
    script.note(&format!("in account {account}. What is set:"));
    for look in [
        "s3api get-bucket-policy",
        "s3api get-public-access-block",
        "s3api get-bucket-replication",
        "s3api get-bucket-lifecycle-configuration",
    ] {
        script.run(bucket(look));
    }
    script
        .note("blocks public access in every way; a policy that lets another account in has to be put right by itself");
    script.run(bucket("s3api put-public-access-block").fixed(
        "--public-access-block-configuration",
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
    ));
    Remediation { title: "Look at the bucket and close it".to_owned(), command: script.finish() }
}

/// How those that stand on it are now.
fn look(users: &[&Dependent]) -> Option<Remediation> {
    let mut script = Script::default();
    let mut any = false;
    for user in users.iter().take(DEPENDENTS_MAX) {
        let whole = user.parent.as_deref().unwrap_or_else(|| user.label());
        let (operation, option, value) = match user.kind {
            Kind::CustomizationJob => ("bedrock get-model-customization-job", "--job-identifier", whole),
            Kind::BatchJob => ("bedrock get-model-invocation-job", "--job-identifier", whole),
            Kind::ImportJob => ("bedrock get-model-import-job", "--job-identifier", whole),
            Kind::EvaluationJob => ("bedrock get-evaluation-job", "--job-identifier", whole),
            Kind::CustomModel => ("bedrock get-custom-model", "--model-identifier", whole),
            Kind::Deployment if whole.contains(":provisioned-model/") => {
                ("bedrock get-provisioned-model-throughput", "--provisioned-model-id", whole)
            }
            Kind::Deployment => ("bedrock get-custom-model-deployment", "--custom-model-deployment-identifier", whole),
            Kind::KnowledgeBase | Kind::DataSource | Kind::IngestionJob => {
                ("bedrock-agent get-knowledge-base", "--knowledge-base-id", last_segment(whole))
            }
            Kind::Agent | Kind::ActionGroup => ("bedrock-agent get-agent", "--agent-id", last_segment(whole)),
        };
        let region = Some(&*user.region).filter(|region| !region.is_empty());
        script.run(Aws::in_region(operation, region).option(option, &Word::quoted(value)));
        any = true;
    }
    let more = users.len().saturating_sub(DEPENDENTS_MAX);
    if more > 0 {
        script.note(&format!("{more} more are affected"));
    }
    any.then(|| Remediation { title: "See what depends on it".to_owned(), command: script.finish() })
}
