//! Dependents in a snapshot: their bytes by number, the texts they share, and by which hashes they are found.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bytes::Writer;

use super::{Dependents, Index, Kind, Packed, Texts};

impl Serialize for Dependents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.texts, Known(&self.known), &self.free, &self.index).serialize(serializer)
    }
}

/// The bytes of each, none for a free number.
struct Known<'a>(&'a [Option<Packed>]);

impl Serialize for Known<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|packed| Bytes(packed.as_ref().map_or(&[], Packed::as_bytes))))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Dependents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrowed from the snapshot, which is read in one piece.
        let (texts, bytes, free, index): (Texts, Vec<&[u8]>, Vec<u32>, Index) = Deserialize::deserialize(deserializer)?;
        let mut known = Vec::with_capacity(bytes.len());
        let mut jobs: usize = 0;
        for bytes in bytes {
            if bytes.is_empty() {
                known.push(None);
                continue;
            }
            let packed = Packed::from_bytes(bytes, &texts);
            let packed = packed.ok_or_else(|| de::Error::custom("a dependent that cannot be read"))?;
            let kind = packed.head(&texts).map(|head| head.kind);
            jobs = jobs.saturating_add(usize::from(kind == Some(Kind::CustomizationJob)));
            known.push(Some(packed));
        }
        Ok(Self { known, free, jobs, texts, index, writer: Writer::default() })
    }
}
