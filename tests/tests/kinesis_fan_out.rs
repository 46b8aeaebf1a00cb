//! Enhanced fan-out, against kinesis-local: the consumer is registered, records are pushed, and shards that split are
//! read to their end before their children.

use aws_sdk_kinesis::{Client, primitives::Blob};
use bedrock_watch_service::config::aws::{KinesisMode, KinesisSource};
use bedrock_watch_tests::{
    emulators,
    kinesis::reading::{Reading, source},
};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const STREAM: &str = "events";

#[tokio::test]
async fn records_are_pushed_through_a_split_and_after_a_restart() {
    let emulator = emulators::kinesis_local(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let client = Client::new(aws.own());
    client.create_stream().stream_name(STREAM).shard_count(1).send().await.unwrap();
    until_active(&client).await;
    put(&client, 0..50).await;

    let mode = KinesisMode::FanOut { consumer: "bedrock-watch".to_owned() };
    let source = KinesisSource { mode, ..source(STREAM) };
    let mut reading = Reading::begin(&aws, &source, &[], &[]);
    reading.until_records(50).await;
    let half = (u128::MAX / 2).to_string();
    let split = client.split_shard().stream_name(STREAM).shard_to_split("shardId-000000000000");
    split.new_starting_hash_key(half).send().await.unwrap();
    until_active(&client).await;
    put(&client, 50..100).await;
    reading.until_records(100).await;
    reading.until("the parent's end", |read| read.positions["shardId-000000000000"] == "SHARD_END").await;
    let read = reading.end().await;
    assert_eq!(read.of("shardId-000000000000"), ids(0..50));
    let mut children = [read.of("shardId-000000000001"), read.of("shardId-000000000002")].concat();
    children.sort_unstable();
    assert_eq!(children, ids(50..100));

    // The consumer is registered already.
    put(&client, 100..120).await;
    let positions: Vec<(&str, &str)> = read.positions.iter().map(|(shard, at)| (shard.as_str(), at.as_str())).collect();
    let mut reading = Reading::begin(&aws, &source, &positions, &[]);
    reading.until_records(20).await;
    let read = reading.end().await;
    let mut came = read.ids();
    came.sort_unstable();
    assert_eq!(came, ids(100..120));
}

/// Ids that sort as they count.
fn ids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{number:04}")).collect()
}

async fn put(client: &Client, numbers: std::ops::Range<u32>) {
    for id in ids(numbers) {
        let data = Blob::new(format!("{{\"eventID\":\"{id}\"}}"));
        client.put_record().stream_name(STREAM).partition_key(id).data(data).send().await.unwrap();
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
