//! Reads the records of one input.
//!
//! Model invocation logs are cut down to their metadata here, before anything else sees them: nothing behind this place
//! (batches, journal, temporary files, engine, messages) ever holds a prompt or a completion.

use std::{io::Read, sync::Arc};

use bedrock_watch_engine::decode::without_content;

use super::{
    Inflate, Item, Note, Record, Records, Rejected,
    splitter::{Place, Splitter, Step, single},
};

/// How much is read at a time, in bytes, where nothing else is said.
const CHUNK_BYTES: usize = 256 * 1024;
/// How much a message body may come to when it is decompressed, in bytes. Guards against a small body that inflates
/// for minutes; files have no such limit.
pub const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The records of one stream.
#[derive(Debug)]
pub struct Reader<R> {
    name: Arc<str>,
    source: Option<Inflate<R>>,
    splitter: Splitter,
    /// The record that the last `advance` gave, where it was rewritten.
    rewritten: Vec<u8>,
    chunk_bytes: usize,
    bytes_left: u64,
    failure: Option<String>,
}

/// The records of a message body.
pub type Body<'a> = Reader<&'a [u8]>;

/// Where the next item of a reader lies.
#[derive(Debug)]
pub(super) enum Head {
    Record { place: Place, line: u64, offset: u64 },
    Rejected(Rejected),
    Note(Note),
}

/// The records of a complete body, such as an HTTP request's or a stream record's, plain or gzip, in any container.
#[must_use]
pub fn records_of(body: &[u8]) -> Body<'_> {
    let mut reader = Reader::new("body", body);
    reader.bytes_left = BODY_BYTES_MAX;
    reader.chunk_bytes = body.len().clamp(1, CHUNK_BYTES);
    reader
}

/// The record that a complete body is, where it is a single one, plain, and has nothing that is cut off. It is quicker
/// than [`records_of`], which says the same of it.
#[must_use]
pub fn record_of(body: &[u8]) -> Option<&[u8]> {
    single(body).filter(|record| without_content(record).is_none())
}

impl<R: Read> Reader<R> {
    /// The records of `source`, which is called `name` in messages.
    pub fn new(name: impl Into<Arc<str>>, source: R) -> Self {
        Self::with_chunks(name.into(), source, CHUNK_BYTES)
    }

    /// The records of a stream in which the next one may be long in coming: each is given as soon as it is complete.
    pub fn live(name: impl Into<Arc<str>>, source: R) -> Self {
        let mut reader = Self::new(name, source);
        reader.splitter = Splitter::live();
        reader
    }

    pub(super) fn with_chunks(name: Arc<str>, source: R, chunk_bytes: usize) -> Self {
        let (source, failure) = match Inflate::new(source) {
            Ok(source) => (Some(source), None),
            Err(error) => (None, Some(format!("cannot read: {error}"))),
        };
        let splitter = Splitter::new();
        Self { name, source, splitter, rewritten: Vec::new(), chunk_bytes, bytes_left: u64::MAX, failure }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Goes on to the next item.
    pub(super) fn advance(&mut self) -> Option<Head> {
        loop {
            match self.splitter.step() {
                Step::Record { place, line, offset } => {
                    let place = match without_content(self.splitter.bytes(&place)) {
                        Some(metadata) => {
                            self.rewritten = metadata;
                            Place::Rewritten
                        }
                        None => place,
                    };
                    return Some(Head::Record { place, line, offset });
                }
                Step::Rejected { line, offset, reason } => {
                    let input = Arc::clone(&self.name);
                    return Some(Head::Rejected(Rejected { input, line, offset, reason }));
                }
                Step::More if self.source.is_some() => self.read_on(),
                Step::More => {
                    let text = self.failure.take()?;
                    return Some(Head::Note(Note { input: Arc::clone(&self.name), is_failure: true, text }));
                }
            }
        }
    }

    fn read_on(&mut self) {
        let Some(source) = &mut self.source else { return };
        let over = match self.splitter.fill(source, self.chunk_bytes) {
            Ok(0) => true,
            Ok(read) => {
                self.bytes_left = self.bytes_left.saturating_sub(read as u64);
                if self.bytes_left == 0 {
                    self.failure = Some(format!("more than {BODY_BYTES_MAX} bytes when decompressed"));
                }
                self.bytes_left == 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => false,
            Err(error) => {
                self.failure = Some(source.explain(&error));
                true
            }
        };
        if over {
            self.source = None;
            self.splitter.end();
        }
    }

    /// The bytes of the record that the last `advance` gave.
    pub(super) fn bytes(&self, place: &Place) -> &[u8] {
        match place {
            Place::Rewritten => &self.rewritten,
            Place::Buffer(_) | Place::Message => self.splitter.bytes(place),
        }
    }

    /// The capacity that the buffer has grown to.
    #[cfg(test)]
    pub(super) fn buffered_bytes_max(&self) -> usize {
        self.splitter.capacity()
    }

    /// Lends what the last `advance` gave.
    pub(super) fn lend(&self, head: Head) -> Item<'_> {
        match head {
            Head::Record { place, line, offset } => {
                Item::Record(Record { bytes: self.bytes(&place), input: &self.name, line, offset })
            }
            Head::Rejected(rejected) => Item::Rejected(rejected),
            Head::Note(note) => Item::Note(note),
        }
    }
}

impl<R: Read> Records for Reader<R> {
    fn next(&mut self) -> Option<Item<'_>> {
        let head = self.advance()?;
        Some(self.lend(head))
    }
}
