//! A stream is read whole, in order and once, whatever Kinesis does: against a double that does it.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::io::Write as _;

use bedrock_watch_service::{
    config::aws::{KinesisSource, KinesisStart},
    source::Repeat,
};
use bedrock_watch_tests::kinesis::{
    aggregate::{aggregate, hash_key},
    fake::{FakeKinesis, Fault, sequence},
    reading::{Positions, Read, Reading, source},
};
use flate2::{Compression, write::GzEncoder};

fn record(id: &str) -> Vec<u8> {
    format!("{{\"eventID\":\"{id}\"}}").into_bytes()
}

/// A double with records `1` to this one in its shard `0`.
async fn with_records(count: u64) -> FakeKinesis {
    let fake = FakeKinesis::start(false).await.unwrap();
    for number in 1..=count {
        fake.put("0", &record(&number.to_string()));
    }
    fake
}

fn numbers(from: u64, to: u64) -> Vec<String> {
    (from..=to).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn faults_delay_and_neither_lose_nor_double() {
    let check = async |operation: &'static str, faults: &[Fault], calls_max: usize| {
        let fake = with_records(250).await;
        fake.fail(operation, faults);
        let mut reading = Reading::begin(&fake.aws().await, &source("s"), &[], &[]);
        reading.until_records(250).await;
        reading.until_true("every fault", || fake.is_appeased()).await;
        fake.put("0", &record("251"));
        reading.until_records(251).await;
        assert!(fake.calls(operation) <= calls_max, "{operation} {faults:?}: {} calls", fake.calls(operation));
        reading.until_said("").await;
        let read = reading.end().await;
        assert_eq!(read.ids(), numbers(1, 251), "{operation} {faults:?}");
        assert_eq!(read.positions["0"], sequence(251));
    };
    let throttled = Fault::Error(400, "ProvisionedThroughputExceededException");
    let expired = Fault::Error(400, "ExpiredIteratorException");
    // Three answers hold the records; the rest are looks at an idle shard, a few of them until the last record came.
    check("GetRecords", &[throttled; 3], 40).await;
    check(
        "GetRecords",
        &[Fault::Error(400, "KMSThrottlingException"), Fault::Error(400, "LimitExceededException")],
        40,
    )
    .await;
    check("GetRecords", &[Fault::Error(500, "InternalFailure"), Fault::Error(503, "ServiceUnavailable")], 40).await;
    check("GetRecords", &[Fault::Cut, Fault::Garbage, Fault::Cut], 40).await;
    check("GetRecords", &[expired, expired], 40).await;
    check("GetRecords", &[Fault::NoIterator, Fault::NoIterator], 40).await;
    check("GetRecords", &[Fault::SpoiledIterator, Fault::SpoiledIterator], 40).await;
    check("GetRecords", &[Fault::Error(400, "InvalidArgumentException"), expired, throttled, Fault::NoIterator], 40)
        .await;
    check("GetShardIterator", &[throttled, Fault::Cut, Fault::Garbage, Fault::Error(500, "InternalFailure")], 5).await;
    check("ListShards", &[throttled, Fault::Cut, Fault::Garbage, Fault::Error(500, "InternalFailure")], 5).await;
}

#[tokio::test]
async fn what_somebody_has_to_change_is_said_at_once_and_not_asked_often() {
    let check = async |fault: Fault, said: &str| {
        let fake = with_records(1).await;
        fake.fail("GetRecords", &[fault]);
        let mut reading = Reading::begin(&fake.aws().await, &source("s"), &[], &[]);
        reading.until_said(said).await;
        assert!(fake.calls("GetRecords") <= 1, "it waits long");
        assert!(reading.end().await.records.is_empty());
    };
    check(Fault::Error(400, "AccessDeniedException"), "kinesis s/0: GetRecords: AccessDeniedException").await;
    check(Fault::Error(400, "AccessDeniedException"), "allow kinesis:GetRecords").await;
    check(Fault::Error(400, "KMSAccessDeniedException"), "kms:Decrypt").await;
    check(Fault::Error(400, "ResourceNotFoundException"), "check `stream`").await;

    let fake = with_records(1).await;
    fake.fail_always(Some(Fault::Error(400, "AccessDeniedException")));
    let mut reading = Reading::begin(&fake.aws().await, &source("s"), &[], &[]);
    reading.until_said("kinesis s: ListShards: AccessDeniedException").await;
    assert!(reading.end().await.batches.is_empty());
}

#[tokio::test]
async fn goes_on_where_it_was() {
    let check =
        async |start, trimmed, remembered: Positions<'_>, ahead: Positions<'_>, first: u64, repeats: &[Repeat]| {
            let fake = with_records(9).await;
            fake.trim("0", trimmed);
            let source = KinesisSource { start, ..source("s") };
            let aws = fake.aws().await;
            let mut reading = Reading::begin(&aws, &source, remembered, ahead);
            reading.until("the last record", |read| read.positions.get("0") == Some(&sequence(9))).await;
            let lost = aws.lags().read()["kinesis s/0"].counters.lost;
            let read = reading.end().await;
            assert_eq!(read.ids(), numbers(first, 9), "{remembered:?} {ahead:?}");
            let came: Vec<Repeat> = read.batches.iter().map(|(_, _, repeat)| *repeat).collect();
            assert_eq!(came, repeats, "{remembered:?} {ahead:?}");
            lost
        };
    let (five, seven) = (sequence(5), sequence(7));
    let (five, seven) = ([("0", five.as_str())], [("0", seven.as_str())]);
    let first = KinesisStart::TrimHorizon;
    assert_eq!(check(first, 0, &[], &[], 1, &[Repeat::New]).await, 0);
    assert_eq!(check(first, 0, &five, &[], 6, &[Repeat::New]).await, 0);
    // What was judged after the memory was kept comes again and is said to.
    assert_eq!(check(first, 0, &five, &seven, 6, &[Repeat::Last]).await, 0);
    assert_eq!(check(first, 0, &[], &seven, 1, &[Repeat::Last]).await, 0);
    // Without a memory, one that would begin with what comes goes on from there.
    assert_eq!(check(KinesisStart::Latest, 0, &[], &seven, 8, &[Repeat::Last]).await, 0);
    // The record of the position is no longer kept, so what followed it may be lost; that is counted.
    assert_eq!(check(first, 4, &five, &[], 6, &[Repeat::New]).await, 0);
    assert_eq!(check(first, 7, &five, &[], 8, &[Repeat::New]).await, 1);
    // A position of another stream.
    let foreign = sequence(1_000);
    assert_eq!(check(first, 0, &[("0", &foreign)], &[], 1, &[Repeat::New]).await, 1);
}

#[tokio::test]
async fn begins_with_what_comes_and_remembers_that() {
    let fake = with_records(3).await;
    let source = KinesisSource { start: KinesisStart::Latest, ..source("s") };
    let mut reading = Reading::begin(&fake.aws().await, &source, &[], &[]);
    reading.until("a beginning", |read| read.positions.contains_key("0")).await;
    let begin = reading.read.positions["0"].clone();
    assert!(begin.starts_with("AT 20"), "{begin}");
    fake.put("0", &record("4"));
    reading.until_records(1).await;
    assert_eq!(reading.end().await.ids(), ["4"]);
    // A crash before the first record does not make it miss any.
    let mut reading = Reading::begin(&fake.aws().await, &source, &[("0", &begin)], &[]);
    reading.until("the record", |read| read.ids().contains(&"4")).await;
}

#[tokio::test]
async fn whoever_waits_for_a_repeat_hears_that_none_comes() {
    let check = async |fake: &FakeKinesis,
                       remembered: Positions<'_>,
                       ahead: Positions<'_>,
                       shard: &str,
                       positions: &[(&str, String)]| {
        let mut reading = Reading::begin(&fake.aws().await, &source("s"), remembered, ahead);
        reading
            .until("the word", |read| read.batches.iter().any(|(of, _, repeat)| of == shard && *repeat == Repeat::Last))
            .await;
        let read = reading.end().await;
        for (shard, position) in positions {
            assert_eq!(read.positions.get(*shard), Some(position));
        }
        read
    };
    // Kept no longer, though the shard is there.
    let fake = with_records(9).await;
    fake.trim("0", 9);
    let (five, seven) = (sequence(5), sequence(7));
    let read = check(&fake, &[("0", &five)], &[("0", &seven)], "0", &[]).await;
    assert!(read.records.is_empty());
    // The shard is no longer there at all. It is remembered as read, so that this is said once.
    fake.add_shard("1", &["0"], (0, u128::MAX));
    fake.unlist("0");
    let end = || "SHARD_END".to_owned();
    check(&fake, &[("0", &five)], &[("0", &seven)], "0", &[("0", end())]).await;
    // It was read to its end, all of it a repeat.
    let fake = with_records(2).await;
    fake.close("0");
    fake.add_shard("1", &["0"], (0, u128::MAX));
    let read = check(&fake, &[], &[("0", "SHARD_END")], "0", &[("0", end())]).await;
    let repeats: Vec<_> =
        read.batches.iter().filter(|(shard, ..)| shard == "0").map(|(_, _, repeat)| *repeat).collect();
    assert_eq!(repeats, [Repeat::Again, Repeat::Last]);
}

/// Every record of a shard comes before any of those that came of it: 1 and 2 of 0, and 3 of both.
fn in_order(read: &Read) -> bool {
    let last = |parent: &str| read.records.iter().rposition(|(shard, _)| shard == parent);
    let first = |child: &str| read.records.iter().position(|(shard, _)| shard == child);
    let families = [("0", "1"), ("0", "2"), ("1", "3"), ("2", "3")];
    families.iter().all(|(parent, child)| last(parent).is_some() && last(parent) < first(child))
}

#[tokio::test]
async fn parents_come_before_children_whether_or_not_those_are_named() {
    for tells_children in [true, false] {
        let fake = FakeKinesis::start(tells_children).await.unwrap();
        let half = u128::MAX / 2;
        for number in 0..250 {
            fake.put("0", &record(&format!("0-{number}")));
        }
        let mut reading = Reading::begin(&fake.aws().await, &source("s"), &[], &[]);
        reading.until_records(100).await;
        // A split while it is read, then a merge of its children.
        fake.add_shard("1", &["0"], (0, half));
        fake.add_shard("2", &["0"], (half + 1, u128::MAX));
        for number in 0..150 {
            fake.put("1", &record(&format!("1-{number}")));
            fake.put("2", &record(&format!("2-{number}")));
        }
        fake.put("0", &record("0-250"));
        fake.close("0");
        reading.until_records(551).await;
        fake.add_shard("3", &["1", "2"], (0, u128::MAX));
        fake.put("3", &record("3-0"));
        fake.put("2", &record("2-150"));
        fake.close("1");
        fake.close("2");
        reading.until_records(553).await;
        let read = reading.end().await;
        assert!(in_order(&read));
        for (shard, count) in [("0", 251), ("1", 150), ("2", 151), ("3", 1)] {
            let expected: Vec<String> = (0..count).map(|number| format!("{shard}-{number}")).collect();
            assert_eq!(read.of(shard), expected);
        }
        let ends = ["0", "1", "2"].map(|shard| read.positions[shard].as_str());
        assert_eq!(ends, ["SHARD_END"; 3]);
        // After a restart nothing of the closed ones is read.
        let positions: Vec<(&str, &str)> =
            read.positions.iter().map(|(shard, at)| (shard.as_str(), at.as_str())).collect();
        fake.put("3", &record("3-1"));
        let mut reading = Reading::begin(&fake.aws().await, &source("s"), &positions, &[]);
        reading.until_records(1).await;
        assert_eq!(reading.end().await.ids(), ["3-1"]);
        // One that finds all of them at once reads them in the same order.
        let mut reading = Reading::begin(&fake.aws().await, &source("s"), &[], &[]);
        reading.until_records(554).await;
        assert!(in_order(&reading.end().await));
    }
}

#[tokio::test]
async fn whatever_a_record_holds_is_unpacked_or_rejected_with_its_place() {
    let fake = FakeKinesis::start(false).await.unwrap();
    let keys = ["one", "two", "three", "four"];
    // Half of the keys belong to this shard; the other half comes in another, and counts there.
    let half = u128::MAX / 2;
    fake.add_shard("1", &[], (half + 1, u128::MAX));
    let (own, foreign): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| hash_key(key) > half);
    assert!(!own.is_empty() && !foreign.is_empty());
    let records: Vec<(&str, Vec<u8>)> = keys.iter().map(|key| (*key, record(key))).collect();
    let records: Vec<(&str, &[u8])> = records.iter().map(|(key, data)| (*key, data.as_slice())).collect();
    let packed = aggregate(&records);
    let mut damaged = packed.clone();
    damaged[10] ^= 1;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"{\"Records\":[{\"eventID\":\"zipped 1\"},{\"eventID\":\"zipped 2\"}]}").unwrap();

    let numbers: Vec<u64> = [&b"garbage"[..], &packed, &damaged, b"", &gzip.finish().unwrap(), &record("last")]
        .map(|data| fake.put("1", data))
        .into();
    let large = format!("{{\"eventID\":\"large\",\"padding\":\"{}\"}}", "x".repeat(10 << 20));
    fake.put("1", large.as_bytes());
    let aws = fake.aws().await;
    let mut reading = Reading::begin(&aws, &source("s"), &[], &[]);
    reading.until("the last record", |read| read.ids().contains(&"large")).await;
    let counters = aws.lags().read()["kinesis s/1"].counters;
    assert_eq!((counters.records, counters.aggregates, counters.foreign), (7, 1, foreign.len() as u64));
    let read = reading.end().await;
    assert_eq!(read.of("1"), [&own[..], &["zipped 1", "zipped 2", "last", "large"]].concat());
    let places: Vec<String> = [0, 2, 3].map(|index| format!("1, sequence number {}", sequence(numbers[index]))).into();
    assert_eq!(read.rejected.len(), 3, "{:?}", read.rejected);
    for (rejected, place) in read.rejected.iter().zip(&places) {
        assert!(rejected.starts_with(place), "{rejected}");
    }
    assert!(read.rejected[1].contains("MD5"), "{}", read.rejected[1]);
}

#[tokio::test]
async fn a_full_queue_holds_reading_back() {
    let fake = with_records(2_000).await;
    let aws = fake.aws().await;
    let mut reading = Reading::with_queue(&aws, &source("s"), (&[], &[]), 1);
    // Nobody takes anything: one batch is in the queue, one waits for room. Meanwhile another is read quickly.
    let other = with_records(500).await;
    Reading::begin(&other.aws().await, &source("s"), &[], &[]).until_records(500).await;
    assert_eq!(fake.calls("GetRecords"), 2);
    reading.until_records(2_000).await;
    assert_eq!(reading.end().await.ids(), numbers(1, 2_000));
}

#[tokio::test]
async fn lag_is_said_while_it_lasts() {
    let fake = with_records(10).await;
    fake.say_behind(400_000);
    let aws = fake.aws().await;
    let mut reading = Reading::begin(&aws, &source("s"), &[], &[]);
    reading.until_said("kinesis s/0: lag: 400 s behind, over the limit of 300 s").await;
    fake.say_behind(0);
    reading.until_said("").await;
    reading.end().await;
}

#[tokio::test]
async fn a_stop_hands_over_what_was_read() {
    let fake = with_records(1_000).await;
    let mut reading = Reading::with_queue(&fake.aws().await, &source("s"), (&[], &[]), 1);
    reading.until_records(300).await;
    let read = reading.end().await;
    // Whole, in order, and up to the position that was handed over with it.
    assert_eq!(read.ids(), numbers(1, read.records.len() as u64));
    assert_eq!(read.positions["0"], sequence(read.records.len() as u64));
}
