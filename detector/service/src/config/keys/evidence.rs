//! The keys of the evidence and its archive.

use super::{Key, number, optional_text, text};

pub(super) const EVIDENCE: &[Key] = &[
    optional_text(
        "bucket",
        "bedrock-watch-evidence",
        "The S3 bucket in which it is archived; it should have object lock, so that nobody can change or delete it.",
    ),
    text("prefix", "evidence/", "What the keys in that bucket begin with."),
    optional_text(
        "path",
        "./evidence",
        "A folder in which it is archived where there is no bucket, for a single node.",
    ),
    number(
        "archive_interval_s",
        300,
        1,
        86_400,
        "How often it is archived, in seconds. Without a bucket and a folder it stays in the store for good.",
    ),
];
