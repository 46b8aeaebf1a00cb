//! `[evidence]`.

use std::path::PathBuf;

use super::{super::read::Document, Findings};
use crate::config::evidence::{Archived, EvidenceConfig};

/// Where evidence is archived.
pub(super) fn evidence(document: &Document, found: &mut Findings) -> EvidenceConfig {
    let table = document.table("evidence");
    let prefix = table.text("prefix").unwrap_or_default();
    let archived = match (table.text("bucket"), table.text("path")) {
        (Some(bucket), path) => {
            if path.is_some() {
                let message = "`path` has no effect beside `bucket`: evidence is archived in one place";
                found.warning(document, &table, "path", message);
            }
            Some(Archived::Bucket { bucket, prefix })
        }
        (None, Some(path)) => Some(Archived::Folder(PathBuf::from(path))),
        (None, None) => None,
    };
    EvidenceConfig { archived, interval_s: table.number("archive_interval_s") }
}
