//! Silences as items: few, in one partition, deleted by DynamoDB some time after they ended.

use std::collections::BTreeSet;

use bedrock_watch_service::{
    evidence::{of_silence, of_silence_end},
    store::Silence,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    evidence::Evidence,
    failure::Failure,
    item::{EXPIRES, Item, Key},
    table::{If, Pause, Query, Range, Table, Write},
};

const PARTITION: &str = "silences";
/// For how long silences that have ended are still shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(30 * 24);

fn key(id: &str) -> Key {
    Key::new(PARTITION, id)
}

fn item(silence: &Silence, version: u64) -> Result<Item, Failure> {
    let body = serde_json::to_string(silence).map_err(|error| Failure::Damaged(error.to_string()))?;
    let expires = silence.ends_at.checked_add(SHOWN).unwrap_or(Timestamp::MAX).as_second();
    Ok(Item::at(&key(&silence.id))
        .text("body", &body)
        .number(EXPIRES, expires)
        .number(super::item::VERSION, version.saturating_add(1)))
}

fn read(item: &Item) -> Result<Silence, Failure> {
    serde_json::from_str(item.get_text("body")?).map_err(|error| Failure::Damaged(format!("a silence in it: {error}")))
}

/// Adds or replaces one.
pub(super) async fn put(
    (table, evidence): (&Table, &Evidence),
    silence: &Silence,
    now: Timestamp,
) -> Result<(), Failure> {
    let version = table.get(&key(&silence.id)).await?.map_or(Ok(0), |item| item.version())?;
    let writes = vec![Write::Put(item(silence, version)?, If::Always)];
    evidence.transact(table, writes, &[of_silence(silence)], now).await
}

async fn all(table: &Table) -> Result<Vec<Silence>, Failure> {
    table.query(&Query::new(PARTITION, None, Range::All)).await?.iter().map(read).collect()
}

/// Those that end after `now`, and those that ended lately if asked for; by start.
pub(super) async fn list(table: &Table, now: Timestamp, ended: bool) -> Result<Vec<Silence>, Failure> {
    let oldest = if ended { now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN) } else { now };
    let mut silences = all(table).await?;
    silences.retain(|silence| silence.ends_at > oldest);
    silences.sort_by(|one, other| (one.starts_at, &one.id).cmp(&(other.starts_at, &other.id)));
    Ok(silences)
}

/// The ids of those that hold now.
pub(super) async fn holding(table: &Table, now: Timestamp) -> Result<BTreeSet<String>, Failure> {
    let holds = |silence: &Silence| silence.starts_at <= now && silence.ends_at > now;
    Ok(all(table).await?.into_iter().filter(holds).map(|silence| silence.id).collect())
}

/// Ends one; `false` when it does not hold.
pub(super) async fn end((table, evidence): (&Table, &Evidence), id: &str, now: Timestamp) -> Result<bool, Failure> {
    let mut pause = Pause::for_conflicts();
    loop {
        let Some(found) = table.get(&key(id)).await? else { return Ok(false) };
        let silence = read(&found)?;
        if silence.ends_at <= now {
            return Ok(false);
        }
        let version = found.version()?;
        let ended = Write::Put(item(&Silence { ends_at: now, ..silence }, version)?, If::Version(version));
        match evidence.transact(table, vec![ended], &[of_silence_end(id)], now).await {
            Ok(()) => return Ok(true),
            Err(Failure::Conflict) => pause.after_conflict().await?,
            Err(failure) => return Err(failure),
        }
    }
}

/// Forgets those that ended before `before`.
pub(super) async fn forget(table: &Table, before: Timestamp) -> Result<(), Failure> {
    let ended = all(table).await?.into_iter().filter(|silence| silence.ends_at < before);
    let keys: Vec<Key> = ended.map(|silence| key(&silence.id)).collect();
    table.batch_delete(&keys).await
}
