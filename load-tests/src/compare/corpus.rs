//! The file that every contender reads: EventBridge envelopes, one a line, all of it in memory.

use std::{fs, io::Write as _, path::Path};

use anyhow::{Context as _, ensure};
use bedrock_watch_load_tests::generator::{Generator, Population, Stream};
use memchr::memchr_iter;

/// Records made at a time.
const CHUNK: usize = 20_000;

/// The records.
#[derive(Debug)]
pub(super) struct Corpus {
    bytes: Vec<u8>,
    records: usize,
}

impl Corpus {
    /// Reads a file of records, one a line.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Self::new(bytes)
    }

    /// Makes records.
    pub(super) fn generated(seed: u64, stream: Stream, principals: u32, records: usize) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        write(&mut bytes, seed, stream, principals, records)?;
        Self::new(bytes)
    }

    fn new(mut bytes: Vec<u8>) -> anyhow::Result<Self> {
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        let records = memchr_iter(b'\n', &bytes).count();
        ensure!(records > 0, "there is no record");
        Ok(Self { bytes, records })
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many records.
    pub(super) const fn len(&self) -> usize {
        self.records
    }

    /// Record by record; finding the lines is part of everybody's work.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        memchr_iter(b'\n', &self.bytes).map(move |end| {
            let line = self.bytes.get(start..end).unwrap_or_default();
            start = end.saturating_add(1);
            line
        })
    }
}

/// Writes records of a stream, one a line.
pub(crate) fn write(
    out: &mut impl std::io::Write,
    seed: u64,
    stream: Stream,
    principals: u32,
    records: usize,
) -> anyhow::Result<()> {
    let mut generator = Generator::new(seed, stream, Population::new(principals));
    let mut left = records;
    while left > 0 {
        let next = left.min(CHUNK);
        out.write_all(&generator.lines(next))?;
        left = left.saturating_sub(next);
    }
    Ok(())
}

/// Writes records of a stream into a file.
pub(crate) fn write_file(
    path: &Path,
    seed: u64,
    stream: Stream,
    principals: u32,
    records: usize,
) -> anyhow::Result<()> {
    let file = fs::File::create(path).with_context(|| format!("creating {}", path.display()))?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
    write(&mut out, seed, stream, principals, records)?;
    out.flush().context("writing the records")
}
