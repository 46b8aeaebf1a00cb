//! Splits and merges while records flow, against kinesalite: every record is read once, and those of a partition key in
//! the order in which they were written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of it is a test")]

use std::collections::BTreeMap;

use aws_sdk_kinesis::{
    Client,
    primitives::Blob,
    types::{PutRecordsRequestEntry, Shard},
};
use bedrock_watch_tests::{
    emulators,
    kinesis::reading::{Reading, source},
};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const STREAM: &str = "events";
const RECORDS: u64 = 100_000;
const KEYS: u64 = 40;
/// Records of one PutRecords, the most that Kinesis takes.
const PUT: u64 = 500;
/// A reshard each time so many records are written: splits and merges by turns.
const RESHARD_EVERY: u64 = 10_000;

#[tokio::test]
async fn every_record_once_and_keys_in_order_while_shards_split_and_merge() {
    let kinesalite = emulators::kinesalite(SCRATCH).await.unwrap();
    let aws = kinesalite.aws().await;
    let client = Client::new(aws.own());
    client.create_stream().stream_name(STREAM).shard_count(2).send().await.unwrap();
    until_active(&client).await;

    let mut reading = Reading::begin(&aws, &source(STREAM), &[], &[]);
    let writing = tokio::spawn(write(client.clone()));
    reading.until_records(usize::try_from(RECORDS).unwrap()).await;
    let reshards = writing.await.unwrap();
    assert!(reshards >= 8, "{reshards} reshards");
    let shards = client.list_shards().stream_name(STREAM).send().await.unwrap().shards.unwrap();
    let closed = shards.iter().filter(|shard| !is_open(shard)).count();
    reading
        .until("every closed shard's end", |read| {
            read.positions.values().filter(|position| *position == "SHARD_END").count() == closed
        })
        .await;
    assert_eq!(reading.status.reasons(), BTreeMap::new());
    let read = reading.end().await;

    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for (shard, id) in &read.records {
        let (key, number) = id.split_once('/').unwrap();
        let next = next.entry(key).or_default();
        assert_eq!(number.parse::<u64>().unwrap(), *next, "of key {key}, in {shard}: twice, missing or out of order");
        *next += 1;
    }
    assert_eq!(next.len() as u64, KEYS);
    assert_eq!(next.values().sum::<u64>(), RECORDS);
    assert_eq!(read.rejected, [""; 0]);
    // Shards that nobody wrote to may be among the closed ones.
    assert!(closed >= 8, "{closed} of {} shards are closed", shards.len());
}

/// Writes all records and reshards meanwhile. Gives back how often it did.
async fn write(client: Client) -> u64 {
    let mut reshards = 0;
    let mut written = 0;
    while written < RECORDS {
        let entries = (written..written + PUT).map(|number| {
            let (key, number) = (number % KEYS, number / KEYS);
            let data = format!("{{\"eventID\":\"{key}/{number}\",\"padding\":\"{:200}\"}}", "");
            PutRecordsRequestEntry::builder().partition_key(format!("key {key}")).data(Blob::new(data)).build().unwrap()
        });
        let answer =
            client.put_records().stream_name(STREAM).set_records(Some(entries.collect())).send().await.unwrap();
        assert_eq!(answer.failed_record_count.unwrap_or_default(), 0, "none may be written out of order");
        written += PUT;
        if written % RESHARD_EVERY == 0 && written < RECORDS {
            reshard(&client, reshards).await;
            reshards += 1;
        }
    }
    reshards
}

/// Splits a shard, or merges two neighbours, by turns; goes on at once, so that records flow meanwhile.
async fn reshard(client: &Client, turn: u64) {
    until_active(client).await;
    let shards = client.list_shards().stream_name(STREAM).send().await.unwrap().shards.unwrap();
    let mut open: Vec<(u128, u128, String)> = shards.into_iter().filter(is_open).map(range).collect();
    open.sort_unstable();
    if turn % 3 == 2 {
        let index = usize::try_from(turn).unwrap() % (open.len() - 1);
        let (first, second) = (&open[index].2, &open[index + 1].2);
        client
            .merge_shards()
            .stream_name(STREAM)
            .shard_to_merge(first)
            .adjacent_shard_to_merge(second)
            .send()
            .await
            .unwrap();
    } else {
        let (start, end, id) = &open[usize::try_from(turn).unwrap() % open.len()];
        let middle = (start + (end - start) / 2).to_string();
        client.split_shard().stream_name(STREAM).shard_to_split(id).new_starting_hash_key(middle).send().await.unwrap();
    }
}

async fn until_active(client: &Client) {
    loop {
        let stream = client.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
        if stream.stream_description_summary.unwrap().stream_status.as_str() == "ACTIVE" {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn is_open(shard: &Shard) -> bool {
    shard.sequence_number_range.as_ref().unwrap().ending_sequence_number.is_none()
}

fn range(shard: Shard) -> (u128, u128, String) {
    let keys = shard.hash_key_range.unwrap();
    (keys.starting_hash_key.parse().unwrap(), keys.ending_hash_key.parse().unwrap(), shard.shard_id)
}
