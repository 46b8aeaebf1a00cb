//! What a real stream of an emulator says of itself.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails fails its test; this is a library only so that tests share it"
)]

use std::time::Duration;

use aws_sdk_kinesis::{Client, types::Shard};

/// Returns once a stream can be used.
pub async fn until_active(kinesis: &Client, stream: &str) {
    let mut every = tokio::time::interval(Duration::from_millis(50));
    loop {
        let summary = kinesis.describe_stream_summary().stream_name(stream).send().await.unwrap();
        if summary.stream_description_summary().unwrap().stream_status().as_str() == "ACTIVE" {
            return;
        }
        every.tick().await;
    }
}

/// The hash keys of a shard, from and to, and its id; `None` when it is closed.
#[must_use]
pub fn range_if_open(shard: Shard) -> Option<(u128, u128, String)> {
    let keys = shard.hash_key_range.unwrap();
    let is_open = shard.sequence_number_range.unwrap().ending_sequence_number.is_none();
    is_open.then(|| (keys.starting_hash_key.parse().unwrap(), keys.ending_hash_key.parse().unwrap(), shard.shard_id))
}
