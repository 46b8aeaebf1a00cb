//! What the daemon is given: each part of AWS that a configuration can ask for, and where it is made.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bedrock_watch_service::{
    cloud::{Attached, Beside, Cloud, CloudError},
    config::{
        Config, SinkConfig, SinkKind, SourceConfig,
        aws::{DynamoDbStore, S3Source, SqsSource},
    },
    sink::{Sink, payload::Context},
    store::Store,
};

use crate::{
    clients::Aws,
    kinesis,
    s3::{Buckets, Files},
    sinks,
    sqs::{Events, Polling, Queue},
};

#[async_trait]
impl Cloud for Aws {
    async fn store(&self, _config: &DynamoDbStore) -> Result<Arc<dyn Store>, CloudError> {
        Err(CloudError("the DynamoDB store is not there yet".to_owned()))
    }

    fn sink(&self, config: &SinkConfig, _context: &Arc<Context>) -> Result<Arc<dyn Sink>, CloudError> {
        let SinkKind::Aws(kind) = &config.kind else {
            return Err(CloudError(format!("the sink {} is no service of AWS", config.name)));
        };
        Ok(sinks::make(self, &config.name, kind, Duration::from_millis(config.pace.timeout_ms)))
    }

    fn attach(&self, source: &SourceConfig, attached: Attached) -> Result<(), CloudError> {
        match source {
            SourceConfig::Kinesis(config) => kinesis::attach(self, config, attached),
            SourceConfig::Sqs(config) => attach_sqs(self, config, attached),
            SourceConfig::S3(config) => attach_s3(self, config, attached),
            other => return Err(CloudError(format!("the source {other:?} is no service of AWS"))),
        }
        Ok(())
    }

    fn start_beside(&self, _config: &Config, _beside: Beside) -> Result<(), CloudError> {
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
