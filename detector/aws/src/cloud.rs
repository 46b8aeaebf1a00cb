//! What the daemon is given: each part of AWS that a configuration can ask for, and where it is made.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bedrock_watch_service::{
    cloud::{Attached, Beside, Cloud, CloudError},
    config::{Config, SinkConfig, SourceConfig, aws::DynamoDbStore},
    sink::{Confirm, Sink, payload::Context},
    source::Intake,
    store::Store,
};

use crate::{
    clients::Aws,
    inventory::{AskBedrock, Asker, Inventory},
    kinesis,
};

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

    fn confirm(&self, intake: Intake) -> Option<Arc<dyn Confirm>> {
        Some(Arc::new(AskBedrock::new(Asker::new(self.clone()), intake)))
    }

    fn start_beside(&self, config: &Config, beside: Beside) -> Result<(), CloudError> {
        if config.inventory.enabled {
            let interval = Duration::from_secs(config.inventory.interval_s);
            let inventory = Inventory::new(Asker::new(self.clone()), interval, beside.clone());
            beside.tracker.spawn(inventory.run());
        }
        Ok(())
    }
}
