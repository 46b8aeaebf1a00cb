//! Knowledge bases and agents: their names and roles, and what they stand on.
//!
//! They may be older than everything that is remembered, and then no event says whose role embeds documents at night. A
//! list tells when each was last changed, and only what has changed since it was described is asked for again.
//! Deliberately no data sources and action groups: they come with the events that make them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_bedrockagent::types::{
    Agent, AgentStatus, KnowledgeBase, KnowledgeBaseStatus, OrchestrationExecutor, StorageConfiguration,
};
use aws_smithy_types::{DateTime, date_time::Format};
use bedrock_watch_engine::ObservedDependent;

use super::{
    ask::{Asker, PAGES_MAX},
    failure::{Cause, Failure},
    places::Target,
};

const LIST_BASES: &str = "bedrock:ListKnowledgeBases";
const GET_BASE: &str = "bedrock:GetKnowledgeBase";
const LIST_AGENTS: &str = "bedrock:ListAgents";
const GET_AGENT: &str = "bedrock:GetAgent";
/// Knowledge bases and agents remembered of one place; beyond that, they are asked for again.
const DESCRIBED_MAX: usize = 20_000;

/// What there is, and what was told of it already. Clones share that.
#[derive(Debug, Clone, Default)]
pub(super) struct Assistants {
    /// When each was last changed, as it was described, by place and id.
    described: Arc<Mutex<BTreeMap<Target, BTreeMap<String, DateTime>>>>,
}

/// Something that a list names.
struct Listed {
    id: String,
    changed: DateTime,
}

impl Assistants {
    /// Those of a place that are new or have changed, and what could not be found out.
    pub(super) async fn look(&self, asker: &Asker, target: &Target) -> (Vec<ObservedDependent>, Vec<Failure>) {
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        match bases(asker, target).await {
            Ok(listed) => {
                for base in listed.iter().filter(|base| self.is_news(target, base)) {
                    self.take(target, base, describe_base(asker, target, &base.id).await, &mut found, &mut failures);
                }
            }
            Err(failure) => failures.push(failure),
        }
        match agents(asker, target).await {
            Ok(listed) => {
                for agent in listed.iter().filter(|agent| self.is_news(target, agent)) {
                    self.take(target, agent, describe_agent(asker, target, &agent.id).await, &mut found, &mut failures);
                }
            }
            Err(failure) => failures.push(failure),
        }
        // Agents are not in every region in which Bedrock is; and what was deleted meanwhile is not there any more.
        failures.retain(|failure| !matches!(failure.cause, Cause::NoEndpoint | Cause::NotFound));
        (found, failures)
    }

    fn is_news(&self, target: &Target, listed: &Listed) -> bool {
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        described.get(target).and_then(|known| known.get(&listed.id)) != Some(&listed.changed)
    }

    fn take(
        &self,
        target: &Target,
        listed: &Listed,
        answer: Result<Option<ObservedDependent>, Failure>,
        found: &mut Vec<ObservedDependent>,
        failures: &mut Vec<Failure>,
    ) {
        match answer {
            Ok(described) => {
                found.extend(described);
                let mut known = self.described.lock().unwrap_or_else(PoisonError::into_inner);
                let known = known.entry(target.clone()).or_default();
                known.insert(listed.id.clone(), listed.changed);
                if known.len() > DESCRIBED_MAX {
                    known.pop_first();
                }
            }
            Err(failure) => failures.push(failure),
        }
    }
}

async fn bases(asker: &Asker, target: &Target) -> Result<Vec<Listed>, Failure> {
    let client = asker.agents(target).await;
    let mut listed = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let request = client.list_knowledge_bases().set_next_token(next.clone());
        let page = asker.ask(target, LIST_BASES, request.send()).await?;
        let present =
            page.knowledge_base_summaries.into_iter().filter(|one| one.status != KnowledgeBaseStatus::Deleting);
        listed.extend(present.map(|one| Listed { id: one.knowledge_base_id, changed: one.updated_at }));
        match page.next_token {
            Some(token) if next.as_ref() != Some(&token) => next = Some(token),
            _ => return Ok(listed),
        }
    }
    Err(Failure::new(target, LIST_BASES, Cause::Other, "the list has no end"))
}

async fn agents(asker: &Asker, target: &Target) -> Result<Vec<Listed>, Failure> {
    let client = asker.agents(target).await;
    let mut listed = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let request = client.list_agents().set_next_token(next.clone());
        let page = asker.ask(target, LIST_AGENTS, request.send()).await?;
        let present = page.agent_summaries.into_iter().filter(|one| one.agent_status != AgentStatus::Deleting);
        listed.extend(present.map(|one| Listed { id: one.agent_id, changed: one.updated_at }));
        match page.next_token {
            Some(token) if next.as_ref() != Some(&token) => next = Some(token),
            _ => return Ok(listed),
        }
    }
    Err(Failure::new(target, LIST_AGENTS, Cause::Other, "the list has no end"))
}

async fn describe_base(asker: &Asker, target: &Target, id: &str) -> Result<Option<ObservedDependent>, Failure> {
    let client = asker.agents(target).await;
    let answer = asker.ask(target, GET_BASE, client.get_knowledge_base().knowledge_base_id(id).send()).await?;
    Ok(answer.knowledge_base.map(base))
}

async fn describe_agent(asker: &Asker, target: &Target, id: &str) -> Result<Option<ObservedDependent>, Failure> {
    let client = asker.agents(target).await;
    let answer = asker.ask(target, GET_AGENT, client.get_agent().agent_id(id).send()).await?;
    Ok(answer.agent.map(agent))
}

fn base(base: KnowledgeBase) -> ObservedDependent {
    ObservedDependent {
        kind: "knowledge_base".to_owned(),
        arn: base.knowledge_base_arn,
        name: Some(base.name),
        creation_time: base.created_at.fmt(Format::DateTime).ok(),
        role_arn: Some(base.role_arn),
        resources: base.storage_configuration.map(stores).unwrap_or_default(),
        ..ObservedDependent::default()
    }
}

/// The stores of a knowledge base, and the secrets that open them.
fn stores(storage: StorageConfiguration) -> Vec<String> {
    let StorageConfiguration {
        opensearch_serverless_configuration: serverless,
        opensearch_managed_cluster_configuration: cluster,
        pinecone_configuration: pinecone,
        redis_enterprise_cloud_configuration: redis,
        rds_configuration: rds,
        mongo_db_atlas_configuration: mongo,
        neptune_analytics_configuration: neptune,
        ..
    } = storage;
    let (database, secret) = rds.map(|rds| (rds.resource_arn, rds.credentials_secret_arn)).unzip();
    let named = [
        serverless.map(|store| store.collection_arn),
        cluster.map(|store| store.domain_arn),
        pinecone.map(|store| store.credentials_secret_arn),
        redis.map(|store| store.credentials_secret_arn),
        database,
        secret,
        mongo.map(|store| store.credentials_secret_arn),
        neptune.map(|store| store.graph_arn),
    ];
    named.into_iter().flatten().collect()
}

fn agent(agent: Agent) -> ObservedDependent {
    let executor = agent.custom_orchestration.and_then(|orchestration| orchestration.executor);
    let function = match executor {
        Some(OrchestrationExecutor::Lambda(arn)) => Some(arn),
        _ => None,
    };
    ObservedDependent {
        kind: "agent".to_owned(),
        arn: agent.agent_arn,
        name: Some(agent.agent_name),
        creation_time: agent.created_at.fmt(Format::DateTime).ok(),
        role_arn: Some(agent.agent_resource_role_arn),
        kms_key: agent.customer_encryption_key_arn,
        resources: function.into_iter().collect(),
        ..ObservedDependent::default()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_bedrockagent::types::{KnowledgeBaseStorageType, OpenSearchServerlessConfiguration, RdsConfiguration};

    use super::*;

    #[test]
    fn a_knowledge_base_stands_on_its_stores_and_their_secrets() {
        let check = |storage: StorageConfiguration, expected: &[&str]| assert_eq!(stores(storage), expected);
        let of = |kind| StorageConfiguration::builder().r#type(kind);
        let serverless = OpenSearchServerlessConfiguration::builder().collection_arn("arn:collection");
        let serverless = serverless.vector_index_name("i").build().unwrap();
        let storage = of(KnowledgeBaseStorageType::OpensearchServerless);
        check(storage.opensearch_serverless_configuration(serverless).build().unwrap(), &["arn:collection"]);
        let rds = RdsConfiguration::builder().resource_arn("arn:database").credentials_secret_arn("arn:secret");
        let rds = rds.database_name("d").table_name("t").build().unwrap();
        let storage = of(KnowledgeBaseStorageType::Rds).rds_configuration(rds);
        check(storage.build().unwrap(), &["arn:database", "arn:secret"]);
    }

    #[test]
    fn what_was_described_is_news_again_only_when_it_has_changed() {
        let target = Target { account: "111122223333".to_owned(), region: "eu-west-1".to_owned(), of_all: false };
        let listed = |seconds| Listed { id: "KB1".to_owned(), changed: DateTime::from_secs(seconds) };
        let assistants = Assistants::default();
        assert!(assistants.is_news(&target, &listed(1)));
        assistants.take(&target, &listed(1), Ok(None), &mut Vec::new(), &mut Vec::new());
        assert!(!assistants.is_news(&target, &listed(1)));
        assert!(assistants.is_news(&target, &listed(2)));
        let elsewhere = Target { region: "us-east-1".to_owned(), ..target };
        assert!(assistants.is_news(&elsewhere, &listed(1)));
    }
}
