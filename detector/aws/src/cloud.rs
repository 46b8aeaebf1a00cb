//! What the daemon is given: each part of AWS that a configuration can ask for, and where it is made.

use std::sync::Arc;

use async_trait::async_trait;
use bedrock_watch_service::{
    cloud::{Attached, Beside, Cloud, CloudError, Joining},
    config::{Config, SinkConfig, SourceConfig, aws::DynamoDbStore},
    sink::{Sink, payload::Context},
    store::Store,
    units::Cluster,
};

use crate::{clients::Aws, dynamodb::DynamoStore};

#[async_trait]
impl Cloud for Aws {
    async fn store(&self, config: &DynamoDbStore) -> Result<Arc<dyn Store>, CloudError> {
        let store = DynamoStore::open(self.own(), config).await;
        Ok(Arc::new(store.map_err(|error| CloudError(error.to_string()))?))
    }

    fn sink(&self, config: &SinkConfig, _context: &Arc<Context>) -> Result<Arc<dyn Sink>, CloudError> {
        Err(CloudError(format!("the sink {} is not there yet", config.name)))
    }

    fn attach(&self, source: &SourceConfig, _attached: Attached) -> Result<(), CloudError> {
        Err(CloudError(format!("the source {source:?} is not there yet")))
    }

    async fn cluster(&self, _config: &Config, _joining: Joining) -> Result<Cluster, CloudError> {
        Err(CloudError("sharing streams between workers is not there yet".to_owned()))
    }

    fn start_beside(&self, _config: &Config, _beside: Beside) -> Result<(), CloudError> {
        Ok(())
    }
}
