//! Every emulator's stream is read, and read on after a restart: what one of them gets wrong must not stop a reader.

use aws_sdk_kinesis::{Client, primitives::Blob};
use bedrock_watch_tests::{
    emulators::{self, Emulator},
    kinesis::reading::{Reading, source},
};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

#[tokio::test]
async fn reads_and_reads_on() {
    let check = async |emulator: Emulator| {
        let aws = emulator.aws().await;
        let client = Client::new(aws.own());
        client.create_stream().stream_name("events").shard_count(2).send().await.unwrap();
        let put = async |numbers: std::ops::Range<u32>| {
            for number in numbers {
                let data = Blob::new(format!("{{\"eventID\":\"{number:03}\"}}"));
                let request = client.put_record().stream_name("events").partition_key(number.to_string());
                request.data(data).send().await.unwrap();
            }
        };
        let ids = |numbers: std::ops::Range<u32>| numbers.map(|number| format!("{number:03}")).collect::<Vec<_>>();
        loop {
            let stream = client.describe_stream_summary().stream_name("events").send().await.unwrap();
            if stream.stream_description_summary.unwrap().stream_status.as_str() == "ACTIVE" {
                break;
            }
            tokio::task::yield_now().await;
        }
        put(0..30).await;
        let mut reading = Reading::begin(&aws, &source("events"), &[], &[]);
        reading.until_records(30).await;
        put(30..40).await;
        reading.until_records(40).await;
        reading.until_said("").await;
        let read = reading.end().await;
        let mut came = read.ids();
        came.sort_unstable();
        assert_eq!(came, ids(0..40), "{}", emulator.url);

        put(40..50).await;
        let positions: Vec<_> = read.positions.iter().map(|(shard, at)| (shard.as_str(), at.as_str())).collect();
        let mut reading = Reading::begin(&aws, &source("events"), &positions, &[]);
        reading.until_records(10).await;
        let read = reading.end().await;
        let mut came = read.ids();
        came.sort_unstable();
        assert_eq!(came, ids(40..50), "{}", emulator.url);
    };
    check(emulators::aws(SCRATCH).await.unwrap()).await;
    check(emulators::kinesalite(SCRATCH).await.unwrap()).await;
    check(emulators::kinesis_local(SCRATCH).await.unwrap()).await;
}
