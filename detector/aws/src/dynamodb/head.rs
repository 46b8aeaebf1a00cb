//! An alert in the table: its head, and an item for each revision with what the alert said then.
//!
//! The head is small and lists what belongs to the alert: the revisions kept and the sinks with a delivery. What the
//! alert says is in its latest revision. Pure but for the clock that the caller holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    sync::Arc,
};

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::store::{
    DIGEST_BYTES, Resolution, Revision, StoredAlert, digest,
    life::{Known, never_resolves},
};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use jiff::Timestamp;
use serde_json::json;

use super::{
    failure::Failure,
    item::{DUE, Item, Key, ORDER, VERSION, kind, kind_letter, severity, sortable, status, status_name},
    table::{If, Write},
};

/// Partitions over which heads are spread, so that none takes all writes. Part of the table's format.
pub(super) const PARTITIONS: usize = 4;
/// Revisions kept of an alert: the first, the last and what is more than an update first of all.
const REVISIONS_MAX: usize = 64;
/// Revisions kept of an alert, whatever they are.
const TRANSITIONS_MAX: usize = 256;
/// Alerts longer than this are compressed, in bytes.
const PLAIN_BYTES_MAX: usize = 2 << 10;
/// What an alert may be in the table, in bytes; an item may have 400 KB.
const BODY_BYTES_MAX: usize = 380_000;
/// What an alert may be when it is read, in bytes.
const READ_BYTES_MAX: u64 = 64 << 20;

/// The head of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) revision: u32,
    pub(super) created_at: Timestamp,
    pub(super) changed_at: Timestamp,
    pub(super) trace_id: Option<String>,
    pub(super) silence: Option<String>,
    pub(super) resolution: Option<Resolution>,
    pub(super) digest: [u8; DIGEST_BYTES],
    pub(super) engine_status: Status,
    pub(super) status: Status,
    pub(super) severity: Severity,
    pub(super) rule: String,
    pub(super) account: String,
    pub(super) principal: Option<String>,
    pub(super) first: u32,
    /// Nothing ever resolves it, so it is forgotten though it fires.
    pub(super) is_unending: bool,
    /// The sinks with a delivery of it.
    pub(super) sinks: BTreeSet<String>,
    /// Its ties, as `incidents::listed` writes them.
    pub(super) ties: String,
    /// The revisions kept, and what happened with each.
    pub(super) kept: BTreeMap<u32, ChangeKind>,
    /// 0 while it is not in the table.
    pub(super) version: u64,
}

/// A partition of heads.
pub(super) fn partition(number: usize) -> String {
    format!("alerts#{number}")
}

/// The key of a head.
pub(super) fn key(id: &str) -> Key {
    let sum = id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    Key::new(partition(sum % PARTITIONS), id)
}

/// The key of a revision.
pub(super) fn revision_key(id: &str, revision: u32) -> Key {
    Key::new(revisions(id), format!("{revision:010}"))
}

/// The partition of an alert's revisions.
pub(super) fn revisions(id: &str) -> String {
    format!("alert#{id}")
}

/// Where an alert stands in lists.
pub(super) fn order(first: u32, id: &str) -> String {
    format!("{first:010}#{id}")
}

impl Head {
    /// The head of an alert that is not in the table, before its first revision.
    pub(super) fn new(alert: &Alert, now: Timestamp) -> Self {
        Self {
            id: alert.id.clone(),
            revision: 0,
            created_at: now,
            changed_at: now,
            trace_id: None,
            silence: None,
            resolution: None,
            digest: digest(alert),
            engine_status: alert.status,
            status: alert.status,
            severity: alert.severity,
            rule: alert.rule.clone(),
            account: alert.account.clone(),
            principal: alert.principal.clone(),
            first: alert.first_event_time.0,
            is_unending: never_resolves(alert),
            sinks: BTreeSet::new(),
            ties: String::new(),
            kept: BTreeMap::new(),
            version: 0,
        }
    }

    /// Whether it is forgotten when it has not changed for long.
    pub(super) const fn is_forgettable(&self) -> bool {
        self.is_unending || !matches!(self.status, Status::Firing)
    }

    /// What decides what a change becomes.
    pub(super) fn known(&self) -> Known {
        Known {
            digest: self.digest,
            engine_status: self.engine_status,
            status: self.status,
            severity: self.severity,
            by_hand: self.resolution.is_some(),
            silenced: self.silence.is_some(),
            revision: self.revision,
        }
    }

    /// Adds a revision; returns those that are to be dropped for it: the oldest updates beyond the limit, and then
    /// whatever is oldest, but never the first revision nor the last.
    pub(super) fn keep(&mut self, revision: u32, kind: ChangeKind) -> Vec<u32> {
        self.kept.insert(revision, kind);
        let over = self.kept.len().saturating_sub(REVISIONS_MAX);
        let droppable = |number: u32| number > 1 && number < revision;
        let updates = self.kept.iter().filter(|(number, kind)| droppable(**number) && **kind == ChangeKind::Updated);
        let mut dropped: Vec<u32> = updates.map(|(number, _)| *number).take(over).collect();
        self.kept.retain(|number, _| !dropped.contains(number));
        let over = self.kept.len().saturating_sub(TRANSITIONS_MAX);
        let oldest: Vec<u32> = self.kept.keys().copied().filter(|number| droppable(*number)).take(over).collect();
        self.kept.retain(|number, _| !oldest.contains(number));
        dropped.extend(oldest);
        dropped
    }

    /// The write that puts it in place of what was read.
    pub(super) fn write(&self) -> Write {
        let kept: Vec<String> =
            self.kept.iter().map(|(number, kind)| format!("{number}{}", kind_letter(*kind))).collect();
        let sinks: Vec<&String> = self.sinks.iter().collect();
        let over = self.is_forgettable().then(|| sortable(self.changed_at));
        let item = Item::at(&key(&self.id))
            .number(VERSION, self.version.saturating_add(1))
            .text(ORDER, &order(self.first, &self.id))
            .maybe_text(DUE, over.as_deref())
            .number("revision", self.revision)
            .time("created_at", self.created_at)
            .time("changed_at", self.changed_at)
            .maybe_text("trace_id", self.trace_id.as_deref())
            .maybe_text("silence", self.silence.as_deref())
            .maybe_text("author", self.resolution.as_ref().map(|by| by.author.as_str()))
            .maybe_text("reason", self.resolution.as_ref().map(|by| by.reason.as_str()))
            .bytes("digest", self.digest.to_vec())
            .text("engine_status", status_name(self.engine_status))
            .text("status", status_name(self.status))
            .number("severity", self.severity.rank())
            .text("rule", &self.rule)
            .text("account", &self.account)
            .maybe_text("principal", self.principal.as_deref())
            .number("first", self.first)
            .flag("unending", self.is_unending)
            .text("sinks", &json!(sinks).to_string())
            .maybe_text("ties", (!self.ties.is_empty()).then_some(self.ties.as_str()))
            .text("kept", &kept.join(" "));
        Write::Put(item, If::read(self.version))
    }

    /// The head in an item.
    pub(super) fn read(item: &Item) -> Result<Self, Failure> {
        let damaged = |what: &str| Failure::Damaged(format!("the head of an alert has no readable {what}"));
        let author = item.get_owned("author")?;
        let resolution = author.zip(item.get_owned("reason")?).map(|(author, reason)| Resolution { author, reason });
        let kept = item.get_text("kept")?.split_whitespace().map(|one| {
            let mut letters = one.chars();
            let letter = letters.next_back().ok_or_else(|| damaged("list of revisions"))?;
            let number = letters.as_str().parse().map_err(|_| damaged("list of revisions"))?;
            Ok((number, kind(letter)?))
        });
        Ok(Self {
            id: item.key()?.sk,
            revision: item.get_number("revision")?,
            created_at: item.get_time("created_at")?,
            changed_at: item.get_time("changed_at")?,
            trace_id: item.get_owned("trace_id")?,
            silence: item.get_owned("silence")?,
            resolution,
            digest: item.get_bytes("digest")?.try_into().map_err(|_| damaged("digest"))?,
            engine_status: status(item.get_text("engine_status")?)?,
            status: status(item.get_text("status")?)?,
            severity: severity(item.get_number("severity")?)?,
            rule: item.get_text("rule")?.to_owned(),
            account: item.get_text("account")?.to_owned(),
            principal: item.get_owned("principal")?,
            first: item.get_number("first")?,
            is_unending: item.get_flag("unending"),
            sinks: serde_json::from_str(item.get_text("sinks")?).map_err(|_| damaged("list of sinks"))?,
            ties: item.get_owned("ties")?.unwrap_or_default(),
            kept: kept.collect::<Result<_, Failure>>()?,
            version: item.version()?,
        })
    }

    /// The alert as it stands, with its latest revision.
    pub(super) fn stored(self, latest: &Item) -> Result<StoredAlert, Failure> {
        Ok(StoredAlert {
            alert: body(latest)?,
            revision: self.revision,
            created_at: self.created_at,
            changed_at: self.changed_at,
            trace_id: self.trace_id,
            silence: self.silence,
            resolution: self.resolution,
        })
    }
}

/// What the item of a revision says beside the alert.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) revision: u32,
    pub(super) at: Timestamp,
    pub(super) kind: ChangeKind,
    pub(super) silence: Option<&'a str>,
    pub(super) by: Option<&'a Resolution>,
}

/// The item of a revision.
pub(super) fn revision_item(alert: &Alert, written: &Written<'_>) -> Result<Item, Failure> {
    let item = Item::at(&revision_key(&alert.id, written.revision))
        .time("at", written.at)
        .text("kind", &kind_letter(written.kind).to_string())
        .maybe_text("silence", written.silence)
        .maybe_text("author", written.by.map(|by| by.author.as_str()))
        .maybe_text("reason", written.by.map(|by| by.reason.as_str()));
    with_body(item, alert)
}

/// A revision, and whether it was stored under a silence.
pub(super) fn read_revision(item: &Item) -> Result<(Revision, bool), Failure> {
    let damaged = || Failure::Damaged("a revision of an alert has no readable number or kind".to_owned());
    let author = item.get_owned("author")?;
    let revision = Revision {
        revision: item.key()?.sk.parse().map_err(|_| damaged())?,
        at: item.get_time("at")?,
        kind: kind(item.get_text("kind")?.chars().next().ok_or_else(damaged)?)?,
        alert: body(item)?,
        resolution: author.zip(item.get_owned("reason")?).map(|(author, reason)| Resolution { author, reason }),
    };
    Ok((revision, item.maybe_get_text("silence")?.is_some()))
}

/// The alert is text where it is short, so that it can be read in the console, and compressed where it is long. One
/// that is too long even so loses its facts in the table; its digest stays that of the whole.
fn with_body(item: Item, alert: &Alert) -> Result<Item, Failure> {
    let write = |alert: &Alert| serde_json::to_string(alert).map_err(|error| Failure::Damaged(error.to_string()));
    let text = write(alert)?;
    if text.len() <= PLAIN_BYTES_MAX {
        return Ok(item.text("body", &text));
    }
    let packed = pack(text.as_bytes())?;
    if packed.len() <= BODY_BYTES_MAX {
        return Ok(item.bytes("packed", packed));
    }
    tracing::warn!(
        alert = alert.id,
        bytes = packed.len(),
        "the facts of an alert are too long for the table and left out"
    );
    let facts = json!({ "left_out": "too long to be stored" }).as_object().cloned().unwrap_or_default();
    let shorter = Alert { facts, repair: Vec::new(), ..alert.clone() };
    Ok(item.bytes("packed", pack(write(&shorter)?.as_bytes())?))
}

fn body(item: &Item) -> Result<Arc<Alert>, Failure> {
    let unread = |error: &dyn std::fmt::Display| Failure::Damaged(format!("an alert in it: {error}"));
    let alert = match item.maybe_get_text("body")? {
        Some(text) => serde_json::from_str(text),
        None => serde_json::from_slice(&unpack(item.get_bytes("packed")?, READ_BYTES_MAX)?),
    };
    alert.map(Arc::new).map_err(|error| unread(&error))
}

/// Compresses.
pub(super) fn pack(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.map_err(|error| Failure::Damaged(error.to_string()))
}

/// The opposite, up to a limit in bytes.
pub(super) fn unpack(packed: &[u8], bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = ZlibDecoder::new(packed).take(bytes_max).read_to_end(&mut bytes);
    read.map_err(|error| Failure::Damaged(format!("compressed bytes in it: {error}")))?;
    Ok(bytes)
}
