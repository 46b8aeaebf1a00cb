//! Packs records as the Kinesis Producer Library does, written from its format's description and not from our reader.

use md5::{Digest as _, Md5};

/// An aggregate of records, each with a partition key.
#[must_use]
pub fn aggregate(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (key, _) in records {
        bytes(&mut message, 1, key.as_bytes());
    }
    for (index, (_, data)) in records.iter().enumerate() {
        let mut record = Vec::new();
        record.push(1 << 3);
        varint(&mut record, index as u64);
        bytes(&mut record, 3, data);
        bytes(&mut message, 3, &record);
    }
    let digest = Md5::digest(&message);
    [&[0xF3, 0x89, 0x9A, 0xC2], message.as_slice(), digest.as_slice()].concat()
}

/// The hash key by which Kinesis finds the shard of a partition key.
#[must_use]
pub fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

fn bytes(to: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    to.push(field << 3 | 2);
    varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}
