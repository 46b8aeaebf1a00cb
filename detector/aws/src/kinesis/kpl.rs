//! Records that the Kinesis Producer Library packed into one: recognised and unpacked.
//!
//! The format is that of the library's `aggregation-format.md`: a magic number, a protobuf message, and its MD5. The
//! message is small and has not changed since 2015, so it is read by hand. MD5 serves only to find damage. EventBridge
//! does not aggregate; other producers of a stream may. Packing is deliberately not here.

use std::ops::RangeInclusive;

use md5::{Digest as _, Md5};

/// What an aggregate begins with.
const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
/// Bytes of the digest at its end.
const DIGEST_BYTES: usize = 16;

/// A record that a producer put into an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserRecord<'a> {
    /// The bytes.
    pub(super) data: &'a [u8],
    /// Where it belongs among the shards.
    pub(super) hash_key: u128,
}

impl UserRecord<'_> {
    /// Whether it belongs to the shard of these keys. After a reshard a producer may for a while send aggregates that
    /// span two shards; each record then comes in both, and counts in its own.
    pub(super) fn belongs_to(&self, hash_keys: &RangeInclusive<u128>) -> bool {
        hash_keys.contains(&self.hash_key)
    }
}

/// Why an aggregate cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("an aggregate of the Kinesis Producer Library is cut off")]
    Short,
    #[error("an aggregate of the Kinesis Producer Library is damaged: its MD5 does not fit")]
    Digest,
    #[error("an aggregate of the Kinesis Producer Library cannot be read at byte {0}")]
    Message(usize),
    #[error("an aggregate of the Kinesis Producer Library has a record without a key")]
    Key,
}

/// The records of an aggregate, in order; `None` if it is none.
pub(super) fn unpack(data: &[u8]) -> Option<Result<Vec<UserRecord<'_>>, Broken>> {
    let rest = data.strip_prefix(&MAGIC)?;
    Some(unpack_rest(rest))
}

fn unpack_rest<'a>(rest: &'a [u8]) -> Result<Vec<UserRecord<'a>>, Broken> {
    let (message, digest) = rest.split_at_checked(rest.len().wrapping_sub(DIGEST_BYTES)).ok_or(Broken::Short)?;
    if Md5::digest(message)[..] != *digest {
        return Err(Broken::Digest);
    }
    let (mut partition_keys, mut explicit_keys, mut records) = (Vec::new(), Vec::new(), Vec::new());
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(key)) => partition_keys.push(key),
            (2, Value::Bytes(key)) => explicit_keys.push(key),
            (3, Value::Bytes(record)) => records.push(Packed::read(record)?),
            // Whatever a later version adds.
            _ => {}
        }
    }
    let user_record = |packed: Packed<'a>| {
        let hash_key = packed.hash_key(&partition_keys, &explicit_keys).ok_or(Broken::Key)?;
        Ok(UserRecord { data: packed.data, hash_key })
    };
    records.into_iter().map(user_record).collect()
}

/// A record as it is packed: keys are numbers in the aggregate's tables.
#[derive(Debug, Clone, Copy)]
struct Packed<'a> {
    partition_key: Option<u64>,
    explicit_key: Option<u64>,
    data: &'a [u8],
}

impl<'a> Packed<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut packed = Self { partition_key: None, explicit_key: None, data: &[] };
        let mut fields = Fields::new(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Number(index)) => packed.partition_key = Some(index),
                (2, Value::Number(index)) => packed.explicit_key = Some(index),
                (3, Value::Bytes(data)) => packed.data = data,
                _ => {}
            }
        }
        Ok(packed)
    }

    /// Where it belongs: its explicit hash key, or the MD5 of its partition key, as Kinesis itself computes it.
    fn hash_key(&self, partition_keys: &[&'a [u8]], explicit_keys: &[&'a [u8]]) -> Option<u128> {
        let key = |keys: &[&'a [u8]], index: u64| keys.get(usize::try_from(index).ok()?).copied();
        match self.explicit_key {
            Some(index) => std::str::from_utf8(key(explicit_keys, index)?).ok()?.parse().ok(),
            None => Some(u128::from_be_bytes(Md5::digest(key(partition_keys, self.partition_key?)?).into())),
        }
    }
}

/// The value of a protobuf field.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which the message does not use.
    Fixed,
}

/// The fields of a protobuf message.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Broken> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(usize::try_from(length).map_err(|_| Broken::Message(self.at))?)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Broken::Message(self.at)),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let end = self.at.checked_add(length).ok_or(Broken::Message(self.at))?;
        let taken = self.bytes.get(self.at..end).ok_or(Broken::Message(self.at))?;
        self.at = end;
        Ok(taken)
    }

    /// A number in groups of seven bits, least first.
    fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.take(1)?.first().ok_or(Broken::Message(self.at))?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken::Message(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        assert!(length < 128, "one byte of length");
        [&[number << 3 | 2, length][..], bytes].concat()
    }

    /// Records as (partition key, explicit hash key, data), each with keys of its own.
    fn packed(records: &[(&str, Option<&str>, &str)]) -> Vec<u8> {
        let mut message: Vec<u8> = records.iter().flat_map(|(key, _, _)| field(1, key.as_bytes())).collect();
        message.extend(records.iter().filter_map(|(_, key, _)| *key).flat_map(|key| field(2, key.as_bytes())));
        let mut explicit = 0;
        for (index, (_, key, data)) in (0_u8..).zip(records) {
            let mut record = vec![1 << 3, index];
            if key.is_some() {
                record.extend([2 << 3, explicit]);
                explicit += 1;
            }
            record.extend(field(3, data.as_bytes()));
            // A tag, which is of no interest.
            record.extend(field(4, &field(1, b"tag")));
            message.extend(field(3, &record));
        }
        [&MAGIC[..], &message, &Md5::digest(&message)[..]].concat()
    }

    #[test]
    fn unpacks_in_order_and_knows_where_each_belongs() {
        let aggregate = packed(&[
            ("a", None, "one"),
            ("b", Some("7"), "two"),
            ("a", Some("340282366920938463463374607431768211455"), ""),
        ]);
        let records = unpack(&aggregate).unwrap().unwrap();
        let read: Vec<_> = records.iter().map(|record| (record.data, record.hash_key)).collect();
        let md5_of_a = 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661;
        assert_eq!(read, [(&b"one"[..], md5_of_a), (b"two", 7), (b"", u128::MAX)]);
        assert!(records[1].belongs_to(&(0..=7)) && !records[1].belongs_to(&(8..=u128::MAX)));
        assert_eq!(unpack(&packed(&[])).unwrap().unwrap(), []);
    }

    #[test]
    fn damage_is_found_and_nothing_else_is_an_aggregate() {
        assert_eq!(unpack(b"{\"eventID\":1}"), None);
        assert_eq!(unpack(&MAGIC[..3]), None);
        let aggregate = packed(&[("key", None, "some data"), ("key", Some("12"), "more")]);
        for end in MAGIC.len()..aggregate.len() {
            unpack(&aggregate[..end]).unwrap().unwrap_err();
        }
        for at in MAGIC.len()..aggregate.len() {
            let mut damaged = aggregate.clone();
            damaged[at] ^= 1;
            assert_eq!(unpack(&damaged).unwrap().unwrap_err(), Broken::Digest, "byte {at}");
        }
        // What is not damaged but nonsense: any bytes with the right digest.
        for seed in 0..500_u64 {
            let mut random = fastrand::Rng::with_seed(seed);
            let message: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
            let nonsense = [&MAGIC[..], &message, &Md5::digest(&message)[..]].concat();
            drop(unpack(&nonsense).unwrap());
        }
        let keyless = field(3, &field(3, b"data"));
        let keyless = [&MAGIC[..], &keyless, &Md5::digest(&keyless)[..]].concat();
        assert_eq!(unpack(&keyless).unwrap().unwrap_err(), Broken::Key);
    }
}
