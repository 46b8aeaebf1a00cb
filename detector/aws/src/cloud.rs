//! What the daemon is given: each part of AWS that a configuration can ask for, and where it is made.

use std::sync::Arc;

use async_trait::async_trait;
use bedrock_watch_service::{
    cloud::{Attached, Beside, Cloud, CloudError},
    config::{Config, SinkConfig, SourceConfig, aws::DynamoDbStore},
    sink::{Sink, payload::Context},
    store::Store,
};

use crate::{canary, clients::Aws, kinesis};

#[async_trait]
impl Cloud for Aws {
    async fn store(&self, _config: &DynamoDbStore) -> Result<Arc<dyn Store>, CloudError> {
        Err(CloudError("the DynamoDB store is not there yet".to_owned()))
    }

    fn sink(&self, config: &SinkConfig, _context: &Arc<Context>) -> Result<Arc<dyn Sink>, CloudError> {
        Err(CloudError(format!("the sink {} is not there yet", config.name)))
    }

    fn attach(&self, source: &SourceConfig, attached: Attached) -> Result<(), CloudError> {
        match source {
            SourceConfig::Kinesis(source) => kinesis::attach(self, source, attached),
            other => return Err(CloudError(format!("the source {other:?} is not there yet"))),
        }
        Ok(())
    }

    fn start_beside(&self, config: &Config, beside: Beside) -> Result<(), CloudError> {
        if config.canary.enabled {
            beside.tracker.spawn(canary::run(self.clone(), config.canary.clone(), beside.clone()));
        }
        if config.inventory.organization {
            beside.tracker.clone().spawn(canary::coverage::run(self.clone(), beside));
        }
        Ok(())
    }
}
