//! The evidence of a daemon, from its first entry to its last.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::StartError;
use crate::{
    cloud::Cloud,
    config::{Config, SinkConfig, SourceConfig, evidence::Archived},
    evidence::{Archivist, Folder, Recorder, Watched, archive::Archive, fact::Started},
};

/// How long the last entries may take, beside the grace.
const END_WITHIN: Duration = Duration::from_secs(3);

/// What writes evidence and archives it.
#[derive(Debug)]
pub(super) struct Evidence {
    recorder: JoinHandle<Recorder>,
    archivist: Option<JoinHandle<Archivist>>,
    /// A daemon that does not start leaves nothing running.
    stop: DropGuard,
}

impl Evidence {
    /// Writes down that the daemon begins, and goes on from there.
    pub(super) async fn begin(
        config: &Config,
        watched: Watched,
        cloud: Option<&dyn Cloud>,
        tracker: &TaskTracker,
    ) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        let archive = archive(config, cloud)?;
        let (store, status) = (Arc::clone(&watched.store), watched.status.clone());
        let recorder = Recorder::begin(watched, started(config)).await?;
        let recorder = tracker.spawn(recorder.run(stop.clone()));
        let every = Duration::from_secs(config.evidence.interval_s);
        let archivist =
            archive.map(|archive| tracker.spawn(Archivist::new(store, archive, status).run(every, stop.clone())));
        Ok(Self { recorder, archivist, stop: stop.drop_guard() })
    }

    /// Writes down that the daemon ends, and archives that.
    pub(super) async fn end(self, in_order: bool) {
        self.stop.disarm().cancel();
        let ending = async {
            if let Ok(recorder) = self.recorder.await {
                recorder.end(in_order).await;
            }
            if let Some(archivist) = self.archivist
                && let Ok(mut archivist) = archivist.await
            {
                archivist.archive().await;
            }
        };
        if tokio::time::timeout(END_WITHIN, ending).await.is_err() {
            tracing::warn!("the end of the evidence was not archived in time; the next start does it");
        }
    }
}

/// The archive that is configured.
fn archive(config: &Config, cloud: Option<&dyn Cloud>) -> Result<Option<Arc<dyn Archive>>, StartError> {
    Ok(match (&config.evidence.archived, cloud) {
        (None, _) => None,
        (Some(Archived::Folder(path)), _) => Some(Arc::new(Folder::new(path.clone()))),
        (Some(Archived::Bucket { bucket, prefix }), Some(cloud)) => Some(cloud.evidence(bucket, prefix)),
        (Some(Archived::Bucket { .. }), None) => return Err(StartError::NoCloud("[evidence] bucket".to_owned())),
    })
}

fn started(config: &Config) -> Started {
    Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: config.digest(),
        sources: config.sources.iter().map(source).collect(),
        sinks: config.sinks.iter().map(|sink: &SinkConfig| sink.name.clone()).collect(),
        others: Vec::new(),
    }
}

fn source(source: &SourceConfig) -> String {
    match source {
        SourceConfig::Http => "http".to_owned(),
        SourceConfig::Stdin => "stdin".to_owned(),
        SourceConfig::File { path, .. } => format!("file {}", path.display()),
        SourceConfig::Kinesis(kinesis) => format!("kinesis {}", kinesis.stream),
        SourceConfig::Sqs(sqs) => format!("sqs {}", sqs.queue_url),
        SourceConfig::S3(s3) => format!("s3 {}", s3.queue_url),
    }
}
