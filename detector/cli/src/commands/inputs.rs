//! What `replay` reads: files, folders, standard input, and objects in S3.

use std::path::PathBuf;

use bedrock_watch_service::{
    input::{Input, Note, walk},
    replay::Span,
};

use super::Failure;

/// How far reading from elsewhere has come, for people.
pub(super) type Reached = Box<dyn Fn() -> String>;

/// What was found.
pub(super) struct Inputs {
    pub(super) inputs: Vec<Input>,
    pub(super) notes: Vec<Note>,
    pub(super) reached: Option<Reached>,
    /// Fetches what the inputs read; it must outlive them.
    #[cfg(feature = "aws")]
    _runtime: Option<tokio::runtime::Runtime>,
}

/// Finds what `paths` stand for.
#[cfg(feature = "aws")]
pub(super) fn find(paths: &[PathBuf], span: Span) -> Result<Inputs, Failure> {
    let (mut inputs, mut notes, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let mut s3 = None;
    for path in paths {
        let location = path.to_str().and_then(bedrock_watch_aws::Location::parse).transpose();
        let Some(location) = location.map_err(|error| Failure::Arguments(error.to_string()))? else {
            let (more, said) = walk(&[path]);
            inputs.extend(more);
            notes.extend(said);
            continue;
        };
        let (runtime, aws) = match &s3 {
            Some(s3) => s3,
            None => s3.insert(connect()?),
        };
        let recorded = runtime.block_on(aws.recorded(&location, span, runtime.handle()));
        let recorded = recorded.map_err(anyhow::Error::from)?;
        let (objects, bytes) = (recorded.progress.objects, size(recorded.progress.bytes));
        crate::terminal::say(&format!("{}: {objects} files, {bytes}", path.display()));
        if objects == 0 {
            let (input, text) = (path.display().to_string().into(), "there is nothing that could be read".to_owned());
            notes.push(Note { input, is_failure: true, text });
        }
        inputs.extend(recorded.inputs);
        found.push(recorded.progress);
    }
    let reached = (!found.is_empty()).then(|| Box::new(move || reached(&found)) as Reached);
    Ok(Inputs { inputs, notes, reached, _runtime: s3.map(|(runtime, _)| runtime) })
}

/// This build reads what is here.
#[cfg(not(feature = "aws"))]
pub(super) fn find(paths: &[PathBuf], _span: Span) -> Result<Inputs, Failure> {
    if let Some(path) = paths.iter().find(|path| path.to_str().is_some_and(|path| path.starts_with("s3://"))) {
        let message =
            format!("{}: this build has no AWS; use the standard build, or copy the files here", path.display());
        return Err(Failure::Arguments(message));
    }
    let (inputs, notes) = walk(paths);
    Ok(Inputs { inputs, notes, reached: None })
}

#[cfg(feature = "aws")]
fn connect() -> Result<(tokio::runtime::Runtime, bedrock_watch_aws::Aws), Failure> {
    let runtime = super::run::runtime()?;
    let config = bedrock_watch_service::config::Config::standard().aws;
    let accounts = std::collections::BTreeMap::new();
    let aws = runtime.block_on(bedrock_watch_aws::Aws::connect(&config, &accounts)).map_err(anyhow::Error::from)?;
    Ok((runtime, aws))
}

#[cfg(feature = "aws")]
fn reached(found: &[std::sync::Arc<bedrock_watch_aws::Progress>]) -> String {
    let (mut objects, mut all, mut bytes, mut all_bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
    for one in found {
        let (reached, reached_bytes) = one.reached();
        objects = objects.saturating_add(reached);
        bytes = bytes.saturating_add(reached_bytes);
        all = all.saturating_add(one.objects);
        all_bytes = all_bytes.saturating_add(one.bytes);
    }
    format!("{objects} of {all} files, {} of {}", size(bytes), size(all_bytes))
}

#[cfg(feature = "aws")]
fn size(bytes: u64) -> indicatif::HumanBytes {
    indicatif::HumanBytes(bytes)
}
