//! Settings of the account and region: agents, knowledge bases, invocation logging, the security contact, topics.

use aws_config::SdkConfig;
use aws_sdk_account::types::AlternateContactType;

use super::refused;
use crate::doctor::facts::{Asked, Why};

/// How many agents there are; of many only the first page is counted.
pub(super) async fn agents(config: &SdkConfig) -> Asked<usize> {
    let asked = aws_sdk_bedrockagent::Client::new(config).list_agents().send().await;
    let asked = asked.map_err(|error| refused("bedrock:ListAgents", &error))?;
    Ok(asked.agent_summaries().len())
}

/// How many knowledge bases there are; of many only the first page is counted.
pub(super) async fn knowledge_bases(config: &SdkConfig) -> Asked<usize> {
    let asked = aws_sdk_bedrockagent::Client::new(config).list_knowledge_bases().send().await;
    let asked = asked.map_err(|error| refused("bedrock:ListKnowledgeBases", &error))?;
    Ok(asked.knowledge_base_summaries().len())
}

/// Whether invocations are logged anywhere. A configuration without a destination is none.
pub(super) async fn invocation_logging(config: &SdkConfig) -> Asked<bool> {
    let client = aws_sdk_bedrock::Client::new(config);
    let asked = client.get_model_invocation_logging_configuration().send().await;
    let asked = asked.map_err(|error| refused("bedrock:GetModelInvocationLoggingConfiguration", &error))?;
    let logging = asked.logging_config();
    Ok(logging.is_some_and(|config| config.s3_config().is_some() || config.cloud_watch_config().is_some()))
}

/// Whether an alternate security contact is set.
pub(super) async fn security_contact(config: &SdkConfig) -> Asked<bool> {
    let client = aws_sdk_account::Client::new(config);
    let asked = client.get_alternate_contact().alternate_contact_type(AlternateContactType::Security).send().await;
    match asked.map_err(|error| refused("account:GetAlternateContact", &error)) {
        Ok(answer) => Ok(answer.alternate_contact().is_some()),
        Err(error) if error.why == Why::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a topic is there.
pub(super) async fn topic(config: &SdkConfig, arn: &str) -> Asked<String> {
    let asked = aws_sdk_sns::Client::new(config).get_topic_attributes().topic_arn(arn).send().await;
    asked.map_err(|error| refused("sns:GetTopicAttributes", &error))?;
    Ok(format!("the topic {arn} is there (no alert was sent)"))
}
