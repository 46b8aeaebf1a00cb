//! From the bytes of a Kinesis record to single records.
//!
//! A record that is none is rejected with its place and never stops the shard.

use std::ops::RangeInclusive;

use aws_sdk_kinesis::types;
use bedrock_watch_service::source::Records;

use super::{
    kpl::{self, UserRecord},
    lag::ReadCounters,
    position::Sequence,
    shards::Shard,
};

/// Bytes that one Kinesis record may come to once it is decompressed; Kinesis carries up to 10 MiB.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Unpacks the records of one shard.
#[derive(Debug)]
pub(super) struct Unpack {
    shard: String,
    hash_keys: RangeInclusive<u128>,
}

impl Unpack {
    /// For the records of this shard.
    pub(super) fn new(shard: &Shard) -> Self {
        Self { shard: shard.id.clone(), hash_keys: shard.hash_keys.clone() }
    }

    /// Adds what a Kinesis record holds.
    pub(super) fn add(&self, record: &types::Record, sequence: &Sequence, to: &mut Records) -> ReadCounters {
        let data = record.data.as_ref();
        let mut met =
            ReadCounters { records: 1, bytes: data.len().try_into().unwrap_or(u64::MAX), ..Default::default() };
        if to.push_single(data) {
            return met;
        }
        let place = format!("{}, sequence number {sequence}", self.shard);
        match kpl::unpack(data) {
            None => add_body(data, &place, to),
            Some(Err(broken)) => to.rejected.push(format!("{place}: {broken}")),
            Some(Ok(user_records)) => {
                met.aggregates = 1;
                for (index, user_record) in user_records.iter().enumerate() {
                    if user_record.belongs_to(&self.hash_keys) {
                        add_user_record(user_record, index, &place, to);
                    } else {
                        met.foreign = met.foreign.saturating_add(1);
                    }
                }
            }
        }
        met
    }
}

fn add_user_record(record: &UserRecord<'_>, index: usize, place: &str, to: &mut Records) {
    add_body(record.data, &format!("{place}, record {} of the aggregate", index.saturating_add(1)), to);
}

fn add_body(data: &[u8], place: &str, to: &mut Records) {
    if data.is_empty() {
        to.rejected.push(format!("{place}: it is empty"));
        return;
    }
    if to.push_body(data, RECORD_BYTES_MAX, place).is_err() {
        to.rejected.push(format!("{place}: what it holds beyond {RECORD_BYTES_MAX} bytes is left out"));
    }
}
