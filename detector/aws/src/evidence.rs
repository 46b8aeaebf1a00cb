//! Evidence in a bucket: objects that are written once, with a checksum that S3 verifies and keeps.
//!
//! Object lock is the bucket's business (Terraform's module `service` sets it): what is written here falls under its
//! default retention, and this role may neither delete objects nor shorten that. `If-None-Match` keeps even a new
//! version from being put over an old one.

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::base64;
use bedrock_watch_service::evidence::archive::{Archive, ArchiveError};
use sha2::{Digest as _, Sha256};

use crate::{
    failure::Failure,
    s3::{Buckets, explained},
};

/// What S3 says when there is an object under a key already.
const EXISTS: &str = "PreconditionFailed";
/// What it says when there is none.
const MISSING: [&str; 2] = ["NoSuchKey", "NotFound"];

/// An archive in a bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    buckets: Buckets,
    name: String,
    prefix: String,
}

impl Bucket {
    /// The archive in a bucket, under keys that begin with `prefix`.
    pub(crate) fn new(buckets: Buckets, name: &str, prefix: &str) -> Self {
        Self { buckets, name: name.to_owned(), prefix: prefix.to_owned() }
    }

    fn failed(&self, action: &'static str, failure: &Failure, what: &str) -> ArchiveError {
        ArchiveError::Unavailable { place: self.place(), action, reason: explained(failure, &self.name, what) }
    }
}

#[async_trait]
impl Archive for Bucket {
    fn place(&self) -> String {
        format!("s3://{}/{}", self.name, self.prefix)
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<bool, ArchiveError> {
        let object = format!("{}{key}", self.prefix);
        let checksum = base64::encode(Sha256::digest(&bytes));
        let put = self.buckets.call(&self.name, None, |client| {
            client
                .put_object()
                .bucket(&self.name)
                .key(&object)
                .if_none_match("*")
                .checksum_sha256(&checksum)
                .content_type("application/x-ndjson")
                .body(ByteStream::from(bytes.clone()))
                .send()
        });
        match put.await {
            Ok(_) => Ok(true),
            Err(failure) if failure.code == EXISTS => Ok(false),
            Err(failure) => Err(self.failed("write to it", &failure, &object)),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        let object = format!("{}{key}", self.prefix);
        let get =
            self.buckets.call(&self.name, None, |client| client.get_object().bucket(&self.name).key(&object).send());
        let found = match get.await {
            Ok(found) => found,
            Err(failure) if MISSING.contains(&failure.code.as_str()) => return Ok(None),
            Err(failure) => return Err(self.failed("read it", &failure, &object)),
        };
        match found.body.collect().await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) => Err(self.failed("read it", &Failure::unreachable(&error.to_string(), false), &object)),
        }
    }

    async fn list(&self) -> Result<Vec<String>, ArchiveError> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let list = self.buckets.call(&self.name, None, |client| {
                let list = client.list_objects_v2().bucket(&self.name).prefix(&self.prefix);
                list.set_continuation_token(after.clone()).send()
            });
            let listed = list.await.map_err(|failure| self.failed("list it", &failure, "its objects"))?;
            let keys = listed.contents().iter().filter_map(|object| object.key()?.strip_prefix(&self.prefix));
            // The console makes an empty object for a folder.
            found.extend(keys.filter(|key| !key.is_empty()).map(str::to_owned));
            after = listed.next_continuation_token;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}
