//! The engine's memory: its bytes in S3, and in the table a pointer to them with what they contain.
//!
//! The bytes are written first, under a key of their own, and then the pointer is moved, on the condition that nobody of
//! a later epoch has moved it; then the object that it pointed to before is deleted. So a crash leaves at worst an
//! object that nothing points to, and the next save finds it. The bytes are kept as they are: the engine packs them.

use std::time::Duration;

use aws_sdk_s3::{Client, primitives::ByteStream};
use bedrock_watch_service::store::Snapshot;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{
    Scope,
    failure::Failure,
    item::{Item, Key, VERSION},
    table::{EPOCH, If, Pause, Table},
};

/// How long moving a snapshot may take.
pub(super) const TRANSFER_TIMEOUT: Duration = Duration::from_secs(300);
/// Objects that nothing points to are deleted when they are older than this.
const STRAY_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Stray objects looked for at one time.
const STRAYS_MAX: i32 = 100;
/// How often a snapshot is read again that is replaced while it is read.
const READS_MAX: usize = 5;

/// Where snapshots lie.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) prefix: String,
}

struct Pointer {
    object: String,
    digest: String,
    snapshot: Snapshot,
    version: u64,
}

fn key(scope: &Scope) -> Key {
    Key::new(scope.partition(), "snapshot")
}

async fn pointer(table: &Table, scope: &Scope, is_writer: bool) -> Result<Option<Pointer>, Failure> {
    let Some(item) = table.get(&key(scope)).await? else { return Ok(None) };
    if is_writer {
        scope.check(item.get_number(EPOCH)?)?;
    }
    let positions = serde_json::from_str(item.get_text("positions")?);
    let positions = positions.map_err(|error| Failure::Damaged(format!("a snapshot's positions: {error}")))?;
    Ok(Some(Pointer {
        object: item.get_text("object")?.to_owned(),
        digest: item.get_text("sha256")?.to_owned(),
        snapshot: Snapshot { positions, journal: item.get_number("journal")?, bytes: Vec::new() },
        version: item.version()?,
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

impl Bucket {
    fn folder(&self, scope: &Scope) -> String {
        let name = if scope.name.is_empty() { "all" } else { &scope.name };
        format!("{}{name}/", self.prefix)
    }

    /// Keeps a snapshot in place of the former one.
    pub(super) async fn save(&self, table: &Table, scope: &Scope, snapshot: Snapshot) -> Result<(), Failure> {
        // Whoever was overtaken need not send anything.
        pointer(table, scope, true).await?;
        let digest = hex(&Sha256::digest(&snapshot.bytes));
        let mark = fastrand::u64(..);
        let object = format!("{}{:020}-{:020}-{mark:016x}", self.folder(scope), scope.epoch, snapshot.journal);
        let length = snapshot.bytes.len();
        let body = ByteStream::from(snapshot.bytes);
        let put = self.client.put_object().bucket(&self.name).key(&object).body(body).send().await;
        put.map_err(|error| self.failed(&error))?;
        let positions =
            serde_json::to_string(&snapshot.positions).map_err(|error| Failure::Damaged(error.to_string()))?;
        let item = Item::at(&key(scope))
            .text("object", &object)
            .text("sha256", &digest)
            .number("bytes", length)
            .number("journal", snapshot.journal)
            .text("positions", &positions)
            .time("saved_at", Timestamp::now())
            .number(EPOCH, scope.epoch);
        let mut pause = Pause::for_conflicts();
        let before = loop {
            let before = pointer(table, scope, true).await?;
            let version = before.as_ref().map_or(0, |before| before.version);
            let item = item.clone().number(VERSION, version.saturating_add(1));
            match table.put(item, If::read(version)).await {
                Ok(()) => break before,
                Err(Failure::Conflict) => pause.after_conflict().await?,
                Err(failure) => return Err(failure),
            }
        };
        match before {
            Some(before) => self.discard(&before.object).await,
            None => self.discard_strays(scope, &object).await,
        }
        Ok(())
    }

    /// The last snapshot kept.
    pub(super) async fn load(&self, table: &Table, scope: &Scope) -> Result<Option<Snapshot>, Failure> {
        for _ in 0..READS_MAX {
            let Some(pointer) = pointer(table, scope, false).await? else { return Ok(None) };
            let got = self.client.get_object().bucket(&self.name).key(&pointer.object).send().await;
            let got = match got {
                Ok(got) => got,
                // It was replaced since.
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => continue,
                Err(error) => return Err(self.failed(&error)),
            };
            let bytes = got.body.collect().await.map_err(|error| Failure::Unclear(error.to_string()))?.to_vec();
            if hex(&Sha256::digest(&bytes)) != pointer.digest {
                let place = format!("s3://{}/{}", self.name, pointer.object);
                return Err(Failure::Damaged(format!("the snapshot {place} is not what was written")));
            }
            return Ok(Some(Snapshot { bytes, ..pointer.snapshot }));
        }
        Err(Failure::Damaged(format!("the object of its snapshot is not in the bucket {}", self.name)))
    }

    async fn discard(&self, object: &str) {
        if let Err(error) = self.client.delete_object().bucket(&self.name).key(object).send().await {
            let reason = self.failed(&error);
            tracing::warn!(bucket = self.name, object, ?reason, "a former snapshot was not deleted");
        }
    }

    /// Deletes what former processes left behind.
    pub(super) async fn discard_strays(&self, scope: &Scope, kept: &str) {
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(self.folder(scope)).max_keys(STRAYS_MAX);
        let Ok(listed) = list.send().await else { return };
        let oldest = Timestamp::now().checked_sub(STRAY_AFTER).unwrap_or(Timestamp::MIN).as_second();
        for object in listed.contents() {
            let is_old = object.last_modified().is_some_and(|time| time.secs() < oldest);
            if let Some(key) = object.key().filter(|key| *key != kept && is_old) {
                self.discard(key).await;
            }
        }
    }

    /// What an SDK error means, with the bucket named.
    fn failed<E, R>(&self, error: &aws_sdk_s3::error::SdkError<E, R>) -> Failure
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let named = |reason: String| format!("the bucket {}: {reason}", self.name);
        match Failure::of(error) {
            Failure::Unclear(reason) => Failure::Unclear(named(reason)),
            Failure::Throttled(reason) => Failure::Throttled(named(reason)),
            Failure::Refused(reason) => Failure::Refused(named(reason)),
            other => other,
        }
    }
}
