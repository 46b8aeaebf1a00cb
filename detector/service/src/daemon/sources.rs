//! Attaches sources: what each is called, and from where it goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cloud::{Attached, Cloud, CloudError},
    config::SourceConfig,
    source::{Follow, Intake, Stdin},
    status::Status,
};

/// What a source is attached to.
#[derive(Debug)]
pub(super) struct Attachment<'a> {
    pub(super) intake: &'a Intake,
    /// Up to where the engine remembers each source.
    pub(super) positions: &'a BTreeMap<String, String>,
    /// Up to where each is committed, where that is further.
    pub(super) ahead: &'a BTreeMap<String, String>,
    pub(super) tracker: &'a TaskTracker,
    pub(super) stop: &'a CancellationToken,
    pub(super) status: &'a Status,
    pub(super) cloud: Option<&'a dyn Cloud>,
}

/// What a source is called in positions; `None` if it has none.
fn name(source: &SourceConfig) -> Option<String> {
    match source {
        SourceConfig::Http | SourceConfig::Stdin | SourceConfig::Sqs(_) | SourceConfig::S3(_) => None,
        // One position for each shard, whose names begin so.
        SourceConfig::Kinesis(kinesis) => Some(format!("kinesis {}/", kinesis.stream)),
        SourceConfig::File { path, .. } => Some(format!("file {}", path.display())),
    }
}

/// The sources that will repeat what they were committed at.
pub(super) fn repeating(sources: &[SourceConfig], ahead: &BTreeMap<String, String>) -> BTreeSet<String> {
    let is_of = |source: &str, name: &str| if name.ends_with('/') { source.starts_with(name) } else { source == name };
    let names: Vec<String> = sources.iter().filter_map(name).collect();
    ahead.keys().filter(|source| names.iter().any(|name| is_of(source, name))).cloned().collect()
}

impl Attachment<'_> {
    /// Starts a source.
    pub(super) fn attach(&self, source: &SourceConfig) -> Result<(), CloudError> {
        match source {
            // It is a path of the HTTP server, which is there already.
            SourceConfig::Http => {}
            SourceConfig::Stdin => {
                // The thread sits in a read that only the other side can end, so nothing waits for it; it leaves with
                // the process. That is why it is not tracked.
                Stdin::new(self.intake.named("stdin")).start();
                tracing::info!("reading standard input");
            }
            SourceConfig::File { path, from_start, poll_ms } => {
                let name = name(source).unwrap_or_default();
                let resume = self.positions.get(&name).cloned();
                tracing::info!(path = %path.display(), resumes = resume.is_some(), "following");
                let follow = Follow {
                    path: path.clone(),
                    from_start: *from_start,
                    poll: Duration::from_millis(*poll_ms),
                    resume,
                    committed: self.ahead.get(&name).cloned(),
                    intake: self.intake.named(&name),
                    stop: self.stop.clone(),
                    status: self.status.clone(),
                };
                self.tracker.spawn_blocking(move || follow.run());
            }
            SourceConfig::Kinesis(_) | SourceConfig::Sqs(_) | SourceConfig::S3(_) => {
                let Some(cloud) = self.cloud else { return Ok(()) };
                let attached = Attached {
                    intake: self.intake.clone(),
                    positions: self.positions.clone(),
                    ahead: self.ahead.clone(),
                    status: self.status.clone(),
                    tracker: self.tracker.clone(),
                    stop: self.stop.clone(),
                };
                cloud.attach(source, attached)?;
            }
        }
        Ok(())
    }
}
