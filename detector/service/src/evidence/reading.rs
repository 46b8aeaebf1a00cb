//! Reads evidence where it lies, verifies it, and hands on what happened in a period.
//!
//! Of each chain, the files of the period are read, and the one before them: it says how the first of them must begin.
//! What is not archived yet comes from the store, where there is one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    Chain, Witness,
    archive::{Archive, ArchiveError, read_key},
    chain::Entry,
    verify::{File, Finding, Verdict, Verifier},
};
use crate::store::Store;

/// What the store is called where a file would be named.
const STORE: &str = "the store";
/// Files fetched beside each other.
const FETCHED_AHEAD: usize = 16;
/// Lines read from the store at once.
const LINES: usize = 5_000;

/// The time that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From then on.
    pub from: Timestamp,
    /// Up to then, exclusive.
    pub to: Timestamp,
}

impl Period {
    /// Whether it was then.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// A file of the archive, by its name.
struct Named<'a> {
    key: &'a str,
    day: jiff::civil::Date,
    first: u64,
}

/// Reads and verifies the evidence of a period; `each` gets every entry of it, chain by chain.
///
/// # Errors
/// When the archive or the store does not answer.
pub async fn read(
    archive: Option<&dyn Archive>,
    store: Option<&dyn Store>,
    period: Period,
    each: &mut (dyn FnMut(Entry) + Send),
) -> Result<Verdict, ArchiveError> {
    let mut verifier = Verifier::default();
    let keys = match archive {
        Some(archive) => archive.list().await?,
        None => Vec::new(),
    };
    let chains: Vec<Chain> = match store {
        Some(store) => store.chains().await?,
        None => Vec::new(),
    };
    let mut named: BTreeMap<&str, Vec<Named<'_>>> = BTreeMap::new();
    for key in &keys {
        match read_key(key) {
            Some((worker, day, first)) => named.entry(worker).or_default().push(Named { key, day, first }),
            None => verifier.add(Finding {
                worker: String::new(),
                seq: None,
                file: key.clone(),
                line: None,
                what: "no evidence is called so: it was renamed, or put there by somebody else".to_owned(),
            }),
        }
    }
    let mut each = |entry: Entry| {
        if period.contains(entry.at) {
            each(entry);
        }
    };
    // Chains whose end in the archive lies behind the period: what the store has besides comes later still.
    let mut later = BTreeSet::new();
    if let Some(archive) = archive {
        for (worker, files) in &mut named {
            files.sort_by_key(|file| file.first);
            if !read_files(archive, (worker, files), period, (&mut verifier, &mut each)).await? {
                later.insert(*worker);
            }
        }
    }
    if let Some(store) = store {
        for chain in chains.iter().filter(|chain| !later.contains(chain.worker.as_str())) {
            read_rest(store, chain, archive.is_some(), (&mut verifier, &mut each)).await?;
        }
    }
    Ok(verifier.finish())
}

type Readers<'a> = (&'a mut Verifier, &'a mut (dyn FnMut(Entry) + Send));

/// Reads the files of one chain that concern a period; returns whether the last of them is among these.
async fn read_files(
    archive: &dyn Archive,
    (worker, files): (&str, &[Named<'_>]),
    period: Period,
    (verifier, each): Readers<'_>,
) -> Result<bool, ArchiveError> {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let (first_day, last_day) = (day(period.from), day(period.to));
    let before = files.iter().rposition(|file| file.day < first_day);
    let wanted =
        |index: usize, file: &Named<'_>| Some(index) == before || (file.day >= first_day && file.day <= last_day);
    let mut last = None;
    let wanted = files.iter().enumerate().filter(|(index, file)| wanted(*index, file));
    let mut fetched = stream::iter(wanted)
        .map(|(index, file)| async move { (index, file, archive.get(file.key).await) })
        .buffered(FETCHED_AHEAD);
    while let Some((index, file, found)) = fetched.next().await {
        last = Some(index);
        let name = file.key;
        let file = File { worker, first: file.first, name, begins: index == 0 };
        match found? {
            Some(bytes) => verifier.read(file, &bytes, each),
            None => verifier.add(Finding {
                worker: worker.to_owned(),
                seq: Some(file.first),
                file: name.to_owned(),
                line: None,
                what: "it is listed and cannot be read".to_owned(),
            }),
        }
    }
    Ok(last.map_or(0, |last| last.saturating_add(1)) == files.len())
}

/// Reads what is not archived of a chain, and compares the archive with what the store knows of it.
async fn read_rest(
    store: &dyn Store,
    chain: &Chain,
    has_archive: bool,
    (verifier, each): Readers<'_>,
) -> Result<(), ArchiveError> {
    if has_archive && chain.archived > 0 {
        let (seq, hash) = (chain.archived, chain.archived_hash.clone());
        verifier.compare(&Witness { worker: chain.worker.clone(), seq, hash }, STORE);
    }
    // Without the archive nobody verifies what lies there, and the rest follows on it.
    let archived = verifier.head(&chain.worker).unwrap_or_default();
    let mut after = archived.max(chain.archived);
    while after < chain.seq {
        let lines = store.evidence(&chain.worker, after, LINES).await?;
        let Some(last) = u64::try_from(lines.len()).ok().filter(|count| *count > 0) else { break };
        let bytes: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect();
        let begins = after == 0;
        let first = after.saturating_add(1);
        verifier.read(File { worker: &chain.worker, first, name: STORE, begins }, &bytes, each);
        after = after.saturating_add(last);
    }
    let (seq, hash) = (chain.seq, chain.hash.clone());
    verifier.compare(&Witness { worker: chain.worker.clone(), seq, hash }, "the store's own note of it");
    Ok(())
}
