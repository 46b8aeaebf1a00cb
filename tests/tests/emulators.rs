//! Every emulator starts, is reached through the way that the code under test has, and answers.

#![expect(clippy::unwrap_used, reason = "all of it is a test, its helpers too")]

use bedrock_watch_tests::emulators::{self, Emulator};

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// Whether a stream made there is listed there.
async fn keeps_streams(emulator: &Emulator) {
    let aws = emulator.aws().await;
    let kinesis = aws_sdk_kinesis::Client::new(aws.own());
    kinesis.create_stream().stream_name("events").shard_count(1).send().await.unwrap();
    let streams = kinesis.list_streams().send().await.unwrap();
    assert_eq!(streams.stream_names(), ["events"], "{}", emulator.url);
}

#[tokio::test]
async fn those_of_kinesis() {
    for emulator in [
        emulators::aws(SCRATCH).await.unwrap(),
        emulators::kinesalite(SCRATCH).await.unwrap(),
        emulators::kinesis_local(SCRATCH).await.unwrap(),
    ] {
        keeps_streams(&emulator).await;
    }
}

#[tokio::test]
async fn those_of_dynamodb() {
    for emulator in [emulators::aws(SCRATCH).await.unwrap(), emulators::dynalite(SCRATCH).await.unwrap()] {
        let aws = emulator.aws().await;
        let tables = aws_sdk_dynamodb::Client::new(aws.own()).list_tables().send().await.unwrap();
        assert!(tables.table_names().is_empty(), "{}", emulator.url);
    }
}
