//! What reading a shard costs: from the socket of a double of Kinesis to single records, as the daemon's queue gets them.
//!
//! ```text
//! cargo bench -p bedrock-watch-aws --bench kinesis_intake
//! ```
//!
//! Counted is the processor time of the thread that reads, HTTP included and without TLS; the double has a thread of its
//! own. An answer that says it is `application/json` is left to the SDK, so both ways are measured by the same code.
//! The least of some runs is told, which a busy machine spoils least.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that fails ends, and prints what it measured"
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use aws_smithy_types::base64;
use bedrock_watch_aws::{
    Aws,
    kinesis::{How, Lags, Shard, ShardBatch, ShardSink, Shared, Start, Stream},
};
use bedrock_watch_service::{config::aws::AwsConfig, source::Refused, status::Status};
use cpu_time::ThreadTime;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers that are read in one run.
const ANSWERS: usize = 8;
const RUNS: usize = 5;
/// Records of an answer, and bytes of a record. Kinesis gives at most 10,000 and 10 MiB.
const CASES: [(usize, usize); 4] = [(1_000, 1 << 10), (10_000, 1 << 10), (1_000, 2 << 10), (5_000, 2 << 10)];

fn main() {
    println!("{:>8} {:>6} {:>18} {:>18}", "records", "bytes", "SDK, us a record", "own, us a record");
    for (records, bytes) in CASES {
        let answers: Arc<Vec<String>> = Arc::new((0..ANSWERS).map(|answer| body(answer, records, bytes)).collect());
        let [sdk, own] = ["application/json", "application/x-amz-json-1.1"].map(|content_type| {
            let runs = (0..RUNS).map(|_| read(&answers, content_type, records));
            runs.min().expect("there are runs").as_secs_f64() * 1e6 / (ANSWERS * records) as f64
        });
        println!("{records:>8} {bytes:>6} {sdk:>18.2} {own:>18.2}");
    }
}

/// Reads all answers once. Returns the processor time it took.
fn read(answers: &Arc<Vec<String>>, content_type: &'static str, records: usize) -> Duration {
    let url = serve(Arc::clone(answers), content_type).expect("there is a free port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let begin = ThreadTime::now();
    runtime.block_on(async {
        let config = AwsConfig {
            operation_timeout_ms: 30_000,
            region: Some("eu-central-1".to_owned()),
            endpoint_url: Some(url),
            ..AwsConfig::default()
        };
        let aws = Aws::connect_as(&config, &BTreeMap::new(), ("id", "secret")).await.expect("a region is given");
        let (how, lags, stop) = (How::Polling(Duration::ZERO), Lags::default(), CancellationToken::new());
        let shared = Shared::new(Stream::new(aws.own(), "s"), how, lags, Status::default());
        let shard = Shard { id: "0".to_owned(), parents: Vec::new(), hash_keys: 0..=u128::MAX, is_closed: false };
        let mut sink = Count { left: ANSWERS * records, stop: stop.clone() };
        shared.reader(shard).run(Start::TrimHorizon, &mut sink, &stop).await;
        assert_eq!(sink.left, 0, "every record is read");
    });
    begin.elapsed()
}

/// Takes records, and ends the reading after the last.
struct Count {
    left: usize,
    stop: CancellationToken,
}

impl ShardSink for Count {
    async fn take(&mut self, batch: ShardBatch) -> Result<(), Refused> {
        assert!(batch.records.rejected.is_empty(), "every record can be read");
        self.left = self.left.saturating_sub(batch.records.len());
        if self.left == 0 {
            self.stop.cancel();
        }
        Ok(())
    }

    async fn at_tip(&mut self) -> Result<(), Refused> {
        Ok(())
    }
}

/// An answer of GetRecords.
fn body(answer: usize, records: usize, bytes: usize) -> String {
    let mut body = r#"{"MillisBehindLatest":60000,"NextShardIterator":""#.to_owned() + &"A".repeat(230);
    body.push_str(r#"","Records":["#);
    for index in 0..records {
        let number = answer * records + index;
        let data = base64::encode(record(number, bytes));
        let comma = if index > 0 { "," } else { "" };
        write!(
            body,
            r#"{comma}{{"ApproximateArrivalTimestamp":1.795318114123E9,"Data":"{data}","PartitionKey":"1","SequenceNumber":"496{number:053}"}}"#,
        )
        .expect("a string can be written to");
    }
    body + "]}"
}

/// A record like one of CloudTrail, of so many bytes.
fn record(number: usize, bytes: usize) -> String {
    let mut record = format!(
        r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.ec2","account":"111122223333","detail":{{"eventVersion":"1.11","eventID":"{number:036}","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","requestParameters":{{"#
    );
    for field in 0.. {
        let next = format!(r#""field{field}":"value of {number}","#);
        if record.len() + next.len() + 20 > bytes {
            break;
        }
        record.push_str(&next);
    }
    let fill = "x".repeat(bytes.saturating_sub(record.len() + 9));
    record + &format!(r#""p":"{fill}"}}}}}}"#)
}

/// Serves answers, each once, on a thread that ends with the connection.
fn serve(answers: Arc<Vec<String>>, content_type: &'static str) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let next = AtomicUsize::new(0);
    thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        while let Some(target) = request(&mut BufReader::new(stream.try_clone()?))? {
            let answer = match target.rsplit('.').next() {
                Some("GetRecords") => answers.get(next.fetch_add(1, Ordering::Relaxed)).map(String::as_str),
                _ => Some(r#"{"ShardIterator":"first"}"#),
            };
            respond(&stream, content_type, answer.unwrap_or("{}"))?;
        }
        io::Result::Ok(())
    });
    Ok(url)
}

/// What a request asks for; `None` at the end of the connection.
fn request(reader: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let (mut target, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => target = Some(value.to_owned()),
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(target)
}

fn respond(mut stream: &TcpStream, content_type: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n")?;
    stream.write_all(body.as_bytes())
}
