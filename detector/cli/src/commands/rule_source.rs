//! Where the daemon's rules come from, again and again: the configuration's `[rules]` sections and its folder.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bedrock_watch_engine::rule::RuleSet;
use bedrock_watch_service::{config::Config, live_rules::RuleSource};

use super::{Failure, config};

/// How deep a folder is looked through; a link that points upwards must not make it endless.
const DEPTH_MAX: usize = 6;

/// The files that rules come from.
#[derive(Debug)]
pub(super) struct RuleFiles {
    /// The configuration.
    file: Option<PathBuf>,
    /// A folder that stands in for the configuration's.
    folder: Option<PathBuf>,
    /// The folder that was last used.
    used: Mutex<Option<PathBuf>>,
}

impl RuleFiles {
    /// Those of the configuration in `file`, which was read as `config`; `folder` stands in for its own.
    pub(super) fn new(file: Option<&Path>, folder: Option<&Path>, config: &Config) -> Self {
        let used = folder.or(config.rules.dir.as_deref()).map(Path::to_owned);
        Self { file: file.map(Path::to_owned), folder: folder.map(Path::to_owned), used: Mutex::new(used) }
    }
}

impl RuleSource for RuleFiles {
    fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.file.as_deref().and_then(|file| fs::read(file).ok()).hash(&mut hasher);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(folder) = used {
            look_through(&folder, DEPTH_MAX, &mut hasher);
        }
        hasher.finish()
    }

    fn load(&self) -> Result<Arc<RuleSet>, Vec<String>> {
        let problems = |failure| match failure {
            Failure::Configuration(problems) => problems,
            Failure::Running(error) => vec![format!("{error:#}")],
            Failure::Arguments(message) => vec![message],
            Failure::BrokenPipe => Vec::new(),
        };
        let config = config::load_without_secrets(self.file.as_deref()).map_err(problems)?;
        let folder = self.folder.as_deref().or(config.rules.dir.as_deref());
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = folder.map(Path::to_owned);
        config::rules(&config, self.folder.as_deref()).map_err(problems)
    }
}

/// Names, lengths and times of all files, in an order of their own.
fn look_through(folder: &Path, depth: usize, hasher: &mut DefaultHasher) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        // Through links, which is how Kubernetes mounts configuration.
        let Ok(data) = fs::metadata(&path) else { continue };
        path.hash(hasher);
        if data.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                look_through(&path, depth, hasher);
            }
        } else {
            (data.len(), data.modified().ok()).hash(hasher);
        }
    }
}
