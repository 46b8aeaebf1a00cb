//! S3 clients, one for each region, and which region each bucket is in.
//!
//! A bucket answers only in its own region, and tells whoever asks elsewhere which that is.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_s3::{Client, config::Builder};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    clients::{Aws, Place},
    failure::{Failure, Kind},
};

/// The header in which a bucket says where it is.
const REGION_HEADER: &str = "x-amz-bucket-region";
/// Buckets whose region is remembered.
const BUCKETS_MAX: usize = 1_000;

/// The way to any bucket. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    aws: Aws,
    regions: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Buckets {
    pub(crate) fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), regions: Arc::default() }
    }

    /// Calls `call` with a client for the bucket's region: the known one, else `hint`, else the daemon's own. If the
    /// bucket says that it is elsewhere, the call is made there.
    pub(crate) async fn call<T, E, F>(
        &self,
        bucket: &str,
        hint: Option<&str>,
        call: impl Fn(Client) -> F,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let known = self.regions.lock().unwrap_or_else(PoisonError::into_inner).get(bucket).cloned();
        let region = known.unwrap_or_else(|| hint.unwrap_or_else(|| self.aws.region()).to_owned());
        let error = match call(self.client(&region).await).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match region_of(&error).filter(|told| *told != region) {
            Some(told) => {
                tracing::debug!(bucket, region = told, "the bucket is in another region");
                let answer = call(self.client(told).await).await;
                self.remember(bucket, told);
                answer.map_err(|error| Failure::of(&error))
            }
            None => Err(Failure::of(&error)),
        }
    }

    fn remember(&self, bucket: &str, region: &str) {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if regions.len() >= BUCKETS_MAX {
            regions.clear();
        }
        regions.insert(bucket.to_owned(), region.to_owned());
    }

    async fn client(&self, region: &str) -> Client {
        let sdk = self.aws.at(&Place { account: None, region: region.to_owned() }).await;
        // Emulators and private endpoints have no name for each bucket.
        let elsewhere = sdk.endpoint_url().is_some();
        Client::from_conf(Builder::from(&sdk).force_path_style(elsewhere).build())
    }
}

fn region_of<E>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.raw_response()?.headers().get(REGION_HEADER)
}

/// What a person can do about a bucket or object that does not answer.
pub(crate) fn explained(failure: &Failure, bucket: &str, what: &str) -> String {
    let hint = match failure.kind {
        Kind::Denied => {
            "; the role needs s3:GetObject on the bucket's objects and s3:ListBucket on the bucket, and kms:Decrypt \
             where they are encrypted with a key of yours"
        }
        Kind::Missing if failure.code.contains("Bucket") => "; is the bucket's name right?",
        _ => "",
    };
    format!("{what} in bucket {bucket}: {failure}{hint}")
}
