//! What the daemon is given: each part of AWS that a configuration can ask for, and where it is made.

use std::sync::Arc;

use async_trait::async_trait;
use bedrock_watch_service::{
    cloud::{Attached, Beside, Cloud, CloudError},
    config::{Config, SinkConfig, SourceConfig, aws::DynamoDbStore},
    sink::{Sink, payload::Context},
    store::Store,
};

use crate::{clients::Aws, dynamodb::DynamoStore, kinesis};

#[async_trait]
impl Cloud for Aws {
    async fn store(&self, config: &DynamoDbStore) -> Result<Arc<dyn Store>, CloudError> {
        let store = DynamoStore::open(self.own(), config).await;
        Ok(Arc::new(store.map_err(|error| CloudError(error.to_string()))?))
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

    fn start_beside(&self, _config: &Config, _beside: Beside) -> Result<(), CloudError> {
        Ok(())
    }
}
