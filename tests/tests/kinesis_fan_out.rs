//! Enhanced fan-out: the consumer is registered, records are pushed, and subscriptions that end, break off or are refused
//! neither lose nor double any.
//!
//! Against kinesis-local, which never ends the subscription to a closed shard, and against the double, which does.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use aws_sdk_kinesis::{Client, primitives::Blob};
use bedrock_watch_service::config::aws::{KinesisMode, KinesisSource};
use bedrock_watch_tests::{
    emulators,
    kinesis::{
        fake::{FakeKinesis, Fault},
        reading::{Reading, source},
    },
};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

fn fan_out(stream: &str) -> KinesisSource {
    KinesisSource { mode: KinesisMode::FanOut { consumer: "bedrock-watch".to_owned() }, ..source(stream) }
}

/// Ids that sort as they count.
fn ids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{number:04}")).collect()
}

#[tokio::test]
async fn kinesis_local_pushes_before_and_after_a_restart() {
    let emulator = emulators::kinesis_local(SCRATCH).await.unwrap();
    let aws = emulator.aws().await;
    let client = Client::new(aws.own());
    client.create_stream().stream_name("events").shard_count(1).send().await.unwrap();
    until_active(&client).await;
    put(&client, 0..50).await;
    let mut reading = Reading::begin(&aws, &fan_out("events"), &[], &[]);
    reading.until_records(50).await;
    put(&client, 50..60).await;
    reading.until_records(60).await;
    let read = reading.end().await;
    assert_eq!(read.ids(), ids(0..60));

    // The consumer is registered already, and its old subscription may not have ended.
    put(&client, 60..80).await;
    let positions: Vec<(&str, &str)> = read.positions.iter().map(|(shard, at)| (shard.as_str(), at.as_str())).collect();
    let mut reading = Reading::begin(&aws, &fan_out("events"), &positions, &[]);
    reading.until_records(20).await;
    reading.until_said("").await;
    assert_eq!(reading.end().await.ids(), ids(60..80));
}

async fn put(client: &Client, numbers: std::ops::Range<u32>) {
    for id in ids(numbers) {
        let data = Blob::new(format!("{{\"eventID\":\"{id}\"}}"));
        client.put_record().stream_name("events").partition_key(id).data(data).send().await.unwrap();
    }
}

async fn until_active(client: &Client) {
    loop {
        let stream = client.describe_stream_summary().stream_name("events").send().await.unwrap();
        if stream.stream_description_summary.unwrap().stream_status.as_str() == "ACTIVE" {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whatever_ends_a_subscription_the_next_goes_on_where_it_was() {
    let check = async |operation: &'static str, faults: &[Fault]| {
        let fake = FakeKinesis::start(true).await.unwrap();
        for id in ids(0..250) {
            fake.put("0", format!("{{\"eventID\":\"{id}\"}}").as_bytes());
        }
        fake.fail(operation, faults);
        let mut reading = Reading::begin(&fake.aws().await, &fan_out("s"), &[], &[]);
        reading.until_records(250).await;
        reading.until_true("every fault", || fake.is_appeased()).await;
        // Another subscription after one that ended as planned.
        let subscriptions = fake.calls("SubscribeToShard");
        reading.until_true("another", || fake.calls("SubscribeToShard") > subscriptions).await;
        fake.put("0", b"{\"eventID\":\"0250\"}");
        reading.until_records(251).await;
        reading.until_said("").await;
        assert_eq!(reading.end().await.ids(), ids(0..251), "{operation} {faults:?}");
        assert!(fake.calls("SubscribeToShard") <= 12, "{} subscriptions", fake.calls("SubscribeToShard"));
        assert_eq!(fake.calls("RegisterStreamConsumer"), 1);
    };
    let in_use = Fault::Error(400, "ResourceInUseException");
    check("SubscribeToShard", &[in_use, Fault::Error(400, "LimitExceededException"), Fault::Cut]).await;
    check("an event", &[Fault::Error(400, "InternalFailureException")]).await;
    check("an event", &[Fault::Cut, Fault::Error(400, "KMSThrottlingException")]).await;
    check("DescribeStreamConsumer", &[Fault::Error(500, "InternalFailure"), Fault::Garbage]).await;
}

#[tokio::test]
async fn shards_end_with_their_last_event_whether_or_not_it_names_children() {
    for tells_children in [true, false] {
        let fake = FakeKinesis::start(tells_children).await.unwrap();
        fake.put("0", b"{\"eventID\":\"0000\"}");
        let mut reading = Reading::begin(&fake.aws().await, &fan_out("s"), &[], &[]);
        reading.until_records(1).await;
        fake.add_shard("1", &["0"], (0, u128::MAX));
        fake.put("1", b"{\"eventID\":\"0002\"}");
        fake.put("0", b"{\"eventID\":\"0001\"}");
        fake.close("0");
        reading.until_records(3).await;
        let read = reading.end().await;
        assert_eq!(read.ids(), ids(0..3), "in this order");
        assert_eq!(read.positions["0"], "SHARD_END");
    }
}
