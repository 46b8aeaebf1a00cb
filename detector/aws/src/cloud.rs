//! What the daemon is given: each part of AWS that a configuration can ask for, and where it is made.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bedrock_watch_service::{
    cloud::{Attached, Beside, Cloud, CloudError, Joining},
    config::{
        Config, SinkConfig, SinkKind, SourceConfig,
        aws::{DynamoDbStore, S3Source, SqsSource},
    },
    evidence::archive::Archive,
    sink::{Confirm, Sink, payload::Context},
    source::Intake,
    store::Store,
    units::Cluster,
};

use crate::{
    canary,
    clients::Aws,
    cluster,
    dynamodb::DynamoStore,
    evidence::Bucket,
    inventory::{AskBedrock, Asker, Inventory},
    kinesis,
    s3::{Buckets, Files},
    sinks,
    sqs::{Events, Polling, Queue},
};

#[async_trait]
impl Cloud for Aws {
    async fn store(&self, config: &DynamoDbStore) -> Result<Arc<dyn Store>, CloudError> {
        let store = DynamoStore::open(self.own(), config).await;
        Ok(Arc::new(store.map_err(|error| CloudError(error.to_string()))?))
    }

    fn sink(&self, config: &SinkConfig, _context: &Arc<Context>) -> Result<Arc<dyn Sink>, CloudError> {
        let SinkKind::Aws(kind) = &config.kind else {
            return Err(CloudError(format!("the sink {} is no service of AWS", config.name)));
        };
        Ok(sinks::make(self, &config.name, kind, Duration::from_millis(config.pace.timeout_ms)))
    }

    fn attach(&self, source: &SourceConfig, attached: Attached) -> Result<(), CloudError> {
        match source {
            SourceConfig::Kinesis(source) => kinesis::attach(self, source, attached, self.lags()),
            SourceConfig::Sqs(config) => attach_sqs(self, config, attached),
            SourceConfig::S3(config) => attach_s3(self, config, attached),
            _ => return Err(CloudError(format!("{source:?} is no source of AWS"))),
        }
        Ok(())
    }

    async fn cluster(&self, config: &Config, joining: Joining) -> Result<Cluster, CloudError> {
        cluster::join(self, config, joining).await
    }

    fn evidence(&self, bucket: &str, prefix: &str) -> Arc<dyn Archive> {
        Arc::new(Bucket::new(Buckets::new(self), bucket, prefix))
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
        if config.canary.enabled {
            beside.tracker.spawn(canary::run(self.clone(), config.canary.clone(), beside.clone()));
            beside.tracker.spawn(canary::way::run(self.clone(), config.clone(), beside.clone()));
        }
        if config.inventory.organization {
            beside.tracker.clone().spawn(canary::coverage::run(self.clone(), config.clone(), beside));
        }
        Ok(())
    }
}

fn queue(aws: &Aws, url: &str, visibility_s: u32) -> Queue {
    Queue::new(aws.own(), url, visibility_s, aws.config().operation_timeout_ms)
}

fn attach_sqs(aws: &Aws, config: &SqsSource, attached: Attached) {
    let Attached { intake, status, tracker, stop, .. } = attached;
    let queue = queue(aws, &config.queue_url, config.visibility_s);
    let name = format!("sqs {}", queue.name());
    tracing::info!(queue = queue.name(), "receiving events");
    let judge = Events { intake: intake.named(&name) };
    Polling { queue, judge, name, status, stop }.start(&tracker);
}

fn attach_s3(aws: &Aws, config: &S3Source, attached: Attached) {
    let Attached { intake, status, tracker, stop, .. } = attached;
    let queue = queue(aws, &config.queue_url, config.visibility_s);
    let name = format!("s3 {}", queue.name());
    tracing::info!(queue = queue.name(), "receiving notifications of log files");
    let judge = Files {
        intake: intake.named(&name),
        buckets: Buckets::new(aws),
        trouble: format!("{name} objects"),
        status: status.clone(),
        stop: stop.clone(),
    };
    Polling { queue, judge, name, status, stop }.start(&tracker);
}
