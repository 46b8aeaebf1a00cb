//! Records in one piece of memory.

use bedrock_watch_engine::Second;

/// A number of records with their event times.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    /// Where each record ends, and when it happened.
    ends: Vec<(usize, Second)>,
}

impl Chunk {
    /// Adds the record that `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Second) {
        let at = write(&mut self.bytes);
        self.ends.push((self.bytes.len(), at));
    }

    /// The records in the order they were made.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Second)> {
        let mut start = 0;
        self.ends.iter().map(move |&(end, at)| {
            let record = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            (record, at)
        })
    }

    /// All records, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
