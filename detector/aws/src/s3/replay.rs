//! CloudTrail's files in S3 as inputs of `replay`: fetched ahead of the merge, several at once, and opened in its order.
//!
//! An object is fetched whole before it is read: a merge holds many open, and a connection that nobody reads from is
//! cut. Small ones wait in memory and others in unnamed temporary files, so memory does not grow with the recording.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bedrock_watch_engine::Second;
use bedrock_watch_service::{
    cloud::CloudError,
    input::{Input, Remote},
    replay::Span,
};
use tempfile::SpooledTempFile;
use tokio::{runtime::Handle, sync::Semaphore, task::JoinHandle};

use super::{
    buckets::{Buckets, explained},
    key::delivered,
    listing::{Found, list},
    object,
};
use crate::{clients::Aws, failure::Failure};

/// Objects fetched at once.
const FETCHES_MAX: usize = 8;
/// Objects that are fetched, or being fetched, before the merge asks for them.
const AHEAD_MAX: usize = 16;
/// How often an object is fetched when the connection breaks; before an answer, the SDK tries again itself.
const FETCH_TRIES_MAX: u32 = 4;
/// A larger object waits in a temporary file, in bytes.
const MEMORY_BYTES_MAX: usize = 128 * 1024;
/// How much older than its delivery the first event of a file may be, in seconds: CloudTrail delivers within 15 minutes
/// and cuts the time to 5. What is older still is judged when the file is reached.
const DELIVERY_S: u32 = 20 * 60;

/// `s3://BUCKET/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    bucket: String,
    prefix: String,
}

/// What was found in S3.
#[derive(Debug)]
pub struct Recorded {
    /// The inputs, in the order in which a local copy would be walked.
    pub inputs: Vec<Input>,
    /// How far reading them has come.
    pub progress: Arc<Progress>,
}

/// How far reading from S3 has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Objects that were found.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    opened: AtomicU64,
    opened_bytes: AtomicU64,
}

impl Progress {
    /// How many objects, and bytes of them, were reached.
    #[must_use]
    pub fn reached(&self) -> (u64, u64) {
        (self.opened.load(Ordering::Relaxed), self.opened_bytes.load(Ordering::Relaxed))
    }
}

impl Location {
    /// Reads `s3://BUCKET/PREFIX`; `None` where the text does not begin so.
    ///
    /// # Errors
    /// When there is no bucket in it.
    pub fn parse(text: &str) -> Option<Result<Self, CloudError>> {
        let rest = text.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Some(Err(CloudError(format!("{text}: there is no bucket in it; write s3://BUCKET/PREFIX"))));
        }
        Some(Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }
}

impl Aws {
    /// Finds what `location` holds of the span. Reading goes on in `runtime`, which must outlive the inputs, from a
    /// thread outside of it.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub async fn recorded(&self, location: &Location, span: Span, runtime: &Handle) -> Result<Recorded, CloudError> {
        let Location { bucket, prefix } = location;
        let buckets = Buckets::new(self);
        let found = list(&buckets, bucket, prefix, span).await.map_err(CloudError)?;
        let bytes = found.iter().map(|found| found.bytes).fold(0, u64::saturating_add);
        let objects = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let progress = Arc::new(Progress { objects, bytes, ..Progress::default() });
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_key(|number| found.get(*number).and_then(|found| begins(&found.key)));
        let mut ranks = vec![0; found.len()];
        for (rank, number) in order.iter().enumerate() {
            if let Some(slot) = ranks.get_mut(*number) {
                *slot = rank;
            }
        }
        let store = Arc::new(Store {
            runtime: runtime.clone(),
            buckets,
            bucket: bucket.clone(),
            found,
            order,
            ahead: Mutex::default(),
            permits: Arc::new(Semaphore::new(FETCHES_MAX)),
            progress: Arc::clone(&progress),
        });
        let input = |(number, rank): (usize, &usize)| {
            let name = format!("s3://{bucket}/{}", store.found.get(number)?.key);
            Some(Input::remote(&name, Arc::new(Object { store: Arc::clone(&store), number, rank: *rank })))
        };
        let inputs = ranks.iter().enumerate().filter_map(input).collect();
        Ok(Recorded { inputs, progress })
    }
}

/// Before this, no event of the file happened.
fn begins(key: &str) -> Option<Second> {
    let name = key.rsplit('/').next().unwrap_or(key);
    // Only CloudTrail's own names say when a file was delivered; a folder's date says less.
    let is_named = name.contains("_CloudTrail_");
    delivered(key).filter(|_| is_named).map(|delivered| delivered.minus(DELIVERY_S))
}

/// The objects of one listing.
struct Store {
    runtime: Handle,
    buckets: Buckets,
    bucket: String,
    found: Vec<Found>,
    /// Numbers of objects in the order in which the merge opens them.
    order: Vec<usize>,
    /// What is being fetched, by number.
    ahead: Mutex<BTreeMap<usize, JoinHandle<Result<SpooledTempFile, String>>>>,
    permits: Arc<Semaphore>,
    progress: Arc<Progress>,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Object {
    store: Arc<Store>,
    number: usize,
    /// Where it stands in the order of opening.
    rank: usize,
}

impl Remote for Object {
    fn not_before(&self) -> Option<Second> {
        begins(&self.store.found.get(self.number)?.key)
    }

    fn size(&self) -> Option<u64> {
        self.store.found.get(self.number).map(|found| found.bytes)
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let fetched = Store::fetched(&self.store, self.number, self.rank).map_err(io::Error::other)?;
        let progress = &self.store.progress;
        progress.opened.fetch_add(1, Ordering::Relaxed);
        progress.opened_bytes.fetch_add(self.size().unwrap_or_default(), Ordering::Relaxed);
        Ok(Box::new(fetched))
    }
}

impl Store {
    /// Waits for an object, while those that follow are being fetched.
    fn fetched(store: &Arc<Self>, number: usize, rank: usize) -> Result<SpooledTempFile, String> {
        let fetching = {
            let mut ahead = store.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            let fetching = ahead.remove(&number).unwrap_or_else(|| Self::begin(store, number));
            let following = store.order.iter().skip(rank.saturating_add(1)).take(AHEAD_MAX);
            for next in following {
                if ahead.len() >= AHEAD_MAX {
                    break;
                }
                ahead.entry(*next).or_insert_with(|| Self::begin(store, *next));
            }
            fetching
        };
        store.runtime.block_on(fetching).unwrap_or_else(|error| Err(error.to_string()))
    }

    fn begin(store: &Arc<Self>, number: usize) -> JoinHandle<Result<SpooledTempFile, String>> {
        let store = Arc::clone(store);
        let runtime = store.runtime.clone();
        runtime.spawn(async move {
            let _permit = store.permits.acquire().await.map_err(|error| error.to_string())?;
            let Some(found) = store.found.get(number) else { return Err("there is no such object".to_owned()) };
            store.fetch(&found.key).await
        })
    }

    async fn fetch(&self, key: &str) -> Result<SpooledTempFile, String> {
        let mut tries = 1_u32;
        loop {
            let output = object::get(&self.buckets, &self.bucket, key, None).await;
            let output = output.map_err(|failure| explained(&failure, &self.bucket, "cannot read it"))?;
            let mut body = output.body;
            let mut file = SpooledTempFile::new(MEMORY_BYTES_MAX);
            let broke = loop {
                match body.next().await {
                    Some(Ok(part)) => {
                        file.write_all(&part).map_err(|error| format!("no room for a temporary file: {error}"))?;
                    }
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            match broke {
                None => {
                    file.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
                    return Ok(file);
                }
                Some(error) if tries >= FETCH_TRIES_MAX => {
                    let failure = Failure::unreachable(&format!("the connection broke {tries} times: {error}"), false);
                    return Err(explained(&failure, &self.bucket, "cannot read it"));
                }
                Some(_) => tries = tries.saturating_add(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_from_paths() {
        let check = |text: &str, expected: Option<Result<(&str, &str), ()>>| {
            let found = Location::parse(text).map(|found| found.map_err(|_| ()));
            let found =
                found.as_ref().map(|found| found.as_ref().map(|one| (one.bucket.as_str(), one.prefix.as_str())));
            assert_eq!(
                found,
                expected.as_ref().map(|expected| expected.as_ref().map(|one| *one).map_err(|()| &())),
                "{text}"
            );
        };
        check("s3://logs/AWSLogs/1/", Some(Ok(("logs", "AWSLogs/1/"))));
        check("s3://logs", Some(Ok(("logs", ""))));
        check("s3:///x", Some(Err(())));
        check("logs/s3", None);
    }
}
