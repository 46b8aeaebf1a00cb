//! A double of Kinesis on the wire, for what no emulator does: it throttles, expires iterators, forgets records, gives
//! null iterators, answers garbage and breaks off. Only what a reader calls is there.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedrock_watch_aws::Aws;
use bedrock_watch_service::config::aws::AwsConfig;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::push;
use crate::emulators::{ACCESS_KEY, REGION};

/// Records of one answer at most, so that few records need several.
const RECORDS_MAX: usize = 100;
/// Shards of one page of a listing.
const PAGE: usize = 2;
/// An iterator that does not work.
const SPOILED: &str = "spoiled";

/// What a call meets instead of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error with this status and code.
    Error(u16, &'static str),
    /// An answer that breaks off.
    Cut,
    /// An answer that is no JSON.
    Garbage,
    /// An answer without a next iterator and without children, though the shard is open.
    NoIterator,
    /// An answer whose next iterator was spoiled on its way: every read with it fails, and not with a clear word.
    SpoiledIterator,
}

#[derive(Debug, Clone)]
struct Shard {
    id: String,
    parents: Vec<String>,
    keys: (u128, u128),
    is_closed: bool,
    /// Whether ListShards still has it.
    is_listed: bool,
    records: Vec<(u64, Vec<u8>)>,
    /// Records that are no longer kept.
    trimmed: usize,
}

/// What a shard gives at once.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) records: Vec<Value>,
    pub(super) next: usize,
    pub(super) is_over: bool,
    pub(super) children: Option<Vec<Value>>,
    pub(super) behind_ms: u64,
}

/// Status and code of a refusal.
pub(super) type Refusal = (u16, &'static str);

#[derive(Debug, Default)]
pub(super) struct Stream {
    shards: Vec<Shard>,
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// A fault of every call until it is taken away.
    always: Option<Fault>,
    calls: Vec<String>,
    sequence: u64,
    tells_children: bool,
    behind_ms: u64,
    /// How often the consumer of fan-out was asked for since it was registered.
    consumer: Option<u32>,
}

/// A running double with one stream; it ends with this.
#[derive(Debug)]
pub struct FakeKinesis {
    stream: Arc<Mutex<Stream>>,
    url: String,
    serving: JoinHandle<()>,
}

impl Drop for FakeKinesis {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The sequence number of the record with this number.
#[must_use]
pub fn sequence(number: u64) -> String {
    format!("49600000000000000000000000000000000000{number:018}")
}

impl FakeKinesis {
    /// Starts one with an open shard `0`, which names the children of a shard that ends, if so told.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(tells_children: bool) -> io::Result<Self> {
        let stream = Arc::new(Mutex::new(Stream { tells_children, ..Stream::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().route("/", post(answer)).with_state(Arc::clone(&stream));
        let app = app.layer(axum::extract::DefaultBodyLimit::max(64 << 20));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap_or_default() });
        let fake = Self { stream, url, serving };
        fake.add_shard("0", &[], (0, u128::MAX));
        Ok(fake)
    }

    /// The way to it for the code under test.
    ///
    /// # Panics
    /// When the way cannot be made.
    #[expect(clippy::expect_used, reason = "a test that cannot reach its double must fail")]
    pub async fn aws(&self) -> Aws {
        let config = AwsConfig {
            region: Some(REGION.to_owned()),
            endpoint_url: Some(self.url.clone()),
            operation_timeout_ms: 10_000,
            calls_per_s: 1_000,
            ..AwsConfig::default()
        };
        Aws::connect_as(&config, &BTreeMap::new(), ACCESS_KEY).await.expect("a region is given")
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds an open shard.
    pub fn add_shard(&self, id: &str, parents: &[&str], keys: (u128, u128)) {
        let parents = parents.iter().map(ToString::to_string).collect();
        let (is_closed, is_listed) = (false, true);
        let shard = Shard { id: id.to_owned(), parents, keys, is_closed, is_listed, records: Vec::new(), trimmed: 0 };
        self.lock().shards.push(shard);
    }

    /// Writes a record to a shard, and gives back its number.
    pub fn put(&self, shard: &str, data: &[u8]) -> u64 {
        let mut stream = self.lock();
        stream.sequence += 1;
        let number = stream.sequence;
        stream.shard(shard).records.push((number, data.to_vec()));
        number
    }

    /// Closes a shard.
    pub fn close(&self, shard: &str) {
        self.lock().shard(shard).is_closed = true;
    }

    /// Forgets the oldest records of a shard.
    pub fn trim(&self, shard: &str, records: usize) {
        self.lock().shard(shard).trimmed = records;
    }

    /// Forgets a closed shard.
    pub fn unlist(&self, shard: &str) {
        self.lock().shard(shard).is_listed = false;
    }

    /// Lets the next calls of this operation fail, one after the other.
    pub fn fail(&self, operation: &'static str, faults: &[Fault]) {
        self.lock().faults.entry(operation).or_default().extend(faults);
    }

    /// Lets every call fail, or no longer.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.lock().always = fault;
    }

    /// What it says from now on about how far behind readers are.
    pub fn say_behind(&self, milliseconds: u64) {
        self.lock().behind_ms = milliseconds;
    }

    /// How often an operation was called.
    #[must_use]
    pub fn calls(&self, operation: &str) -> usize {
        self.lock().calls.iter().filter(|called| *called == operation).count()
    }

    /// Whether every fault was met.
    #[must_use]
    pub fn is_appeased(&self) -> bool {
        self.lock().faults.values().all(VecDeque::is_empty)
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    #[expect(clippy::expect_used, reason = "a test that names a shard has made it")]
    fn shard(&mut self, id: &str) -> &mut Shard {
        self.shards.iter_mut().find(|shard| shard.id == id).expect("the test has made the shard")
    }

    fn answer(&mut self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        match operation {
            "DescribeStreamSummary" => Ok(push::summary()),
            "DescribeStreamConsumer" => push::consumer(&mut self.consumer),
            "RegisterStreamConsumer" => Ok(push::registered(&mut self.consumer)),
            "ListShards" => Ok(self.list(request)),
            "GetShardIterator" => self.iterator(request),
            "GetRecords" => self.records(request),
            _ => Err((400, "UnknownOperationException")),
        }
    }

    fn list(&self, request: &Value) -> Value {
        let from = text(request, "NextToken").parse().unwrap_or(0);
        let listed: Vec<&Shard> = self.shards.iter().filter(|shard| shard.is_listed).collect();
        let page = listed.iter().skip(from).take(PAGE).map(|shard| {
            json!({
                "ShardId": shard.id,
                "ParentShardId": shard.parents.first(),
                "AdjacentParentShardId": shard.parents.get(1),
                "HashKeyRange": keys(shard),
                "SequenceNumberRange": {
                    "StartingSequenceNumber": sequence(0),
                    "EndingSequenceNumber": shard.is_closed.then(|| sequence(u64::MAX >> 8)),
                },
            })
        });
        let next = from + PAGE;
        json!({"Shards": page.collect::<Vec<_>>(), "NextToken": (next < listed.len()).then(|| next.to_string())})
    }

    fn iterator(&self, request: &Value) -> Result<Value, Refusal> {
        let id = text(request, "ShardId");
        let (kind, number) = (text(request, "ShardIteratorType"), text(request, "StartingSequenceNumber"));
        let index = self.index(id, kind, number)?;
        Ok(json!({"ShardIterator": format!("{id} {index}")}))
    }

    /// Where a reader begins that asks like this.
    pub(super) fn index(&self, id: &str, kind: &str, number: &str) -> Result<usize, Refusal> {
        let shard = self.shards.iter().find(|shard| shard.id == id && shard.is_listed);
        let shard = shard.ok_or((400, "ResourceNotFoundException"))?;
        let wanted = number.get(number.len().saturating_sub(18)..).and_then(|digits| digits.parse::<u64>().ok());
        match (kind, wanted) {
            // Of times there is only one here: before everything.
            ("TRIM_HORIZON" | "AT_TIMESTAMP", _) => Ok(0),
            ("LATEST", _) => Ok(shard.records.len()),
            ("AT_SEQUENCE_NUMBER", Some(wanted)) if wanted <= self.sequence => {
                Ok(shard.records.partition_point(|(number, _)| *number < wanted))
            }
            ("AFTER_SEQUENCE_NUMBER", Some(wanted)) if wanted <= self.sequence => {
                Ok(shard.records.partition_point(|(number, _)| *number <= wanted))
            }
            _ => Err((400, "InvalidArgumentException")),
        }
    }

    fn records(&self, request: &Value) -> Result<Value, Refusal> {
        if text(request, "ShardIterator") == SPOILED {
            return Err((500, "InternalFailure"));
        }
        let (id, index) = text(request, "ShardIterator").split_once(' ').ok_or((400, "InvalidArgumentException"))?;
        let given = self.given(id, index.parse().map_err(|_| (400, "InvalidArgumentException"))?)?;
        Ok(json!({
            "Records": given.records,
            "NextShardIterator": (!given.is_over).then(|| format!("{id} {}", given.next)),
            "MillisBehindLatest": given.behind_ms,
            "ChildShards": given.children,
        }))
    }

    /// What a shard gives from there on.
    pub(super) fn given(&self, id: &str, index: usize) -> Result<Given, Refusal> {
        let shard = self.shards.iter().find(|shard| shard.id == id).ok_or((400, "ResourceNotFoundException"))?;
        let index = index.max(shard.trimmed);
        let records = shard.records.iter().skip(index).take(RECORDS_MAX).map(|(number, data)| {
            json!({
                "SequenceNumber": sequence(*number),
                "ApproximateArrivalTimestamp": 1_795_318_114.5,
                "Data": STANDARD.encode(data),
                "PartitionKey": "key",
            })
        });
        let records: Vec<Value> = records.collect();
        let next = index + records.len();
        let is_over = shard.is_closed && next >= shard.records.len();
        let children = self.shards.iter().filter(|child| child.parents.iter().any(|parent| parent == id));
        let children = children
            .map(|child| json!({"ShardId": child.id, "ParentShards": child.parents, "HashKeyRange": keys(child)}));
        let children = (is_over && self.tells_children).then(|| children.collect::<Vec<_>>());
        let behind_ms = if shard.records.len() > next { self.behind_ms.max(1) } else { self.behind_ms };
        Ok(Given { records, next, is_over, children, behind_ms })
    }

    /// What goes wrong with the next call of an operation, if anything does.
    pub(super) fn fault(&mut self, operation: &str) -> Option<Fault> {
        self.always.or_else(|| self.faults.get_mut(operation)?.pop_front())
    }
}

async fn answer(State(shared): State<Arc<Mutex<Stream>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let request = serde_json::from_slice(&body).unwrap_or_default();
    let mut stream = shared.lock().unwrap_or_else(PoisonError::into_inner);
    stream.calls.push(operation.clone());
    let fault = stream.fault(&operation);
    if operation == "SubscribeToShard" && fault.is_none() {
        return match push::begin(&stream, &request) {
            Ok(subscription) => push::pushed(Arc::clone(&shared), subscription).into_response(),
            Err((status, code)) => error(status, code),
        };
    }
    match (fault, stream.answer(&operation, &request)) {
        (None, Ok(answer)) => body_of(answer.to_string().into()),
        (Some(fault @ (Fault::NoIterator | Fault::SpoiledIterator)), Ok(mut answer)) => {
            if let Some(next) = answer.get_mut("NextShardIterator") {
                *next = if fault == Fault::NoIterator { Value::Null } else { SPOILED.into() };
            }
            body_of(answer.to_string().into())
        }
        (Some(Fault::Garbage), _) => body_of("<html>Bad Gateway</html>".into()),
        (Some(Fault::Cut), Ok(answer)) => {
            let whole = answer.to_string();
            let half = Bytes::from(whole.get(..whole.len() / 2).unwrap_or_default().to_owned());
            let broken = futures_util::stream::iter([Ok(half), Err(io::Error::other("cut"))]);
            body_of(Body::from_stream(broken))
        }
        (Some(Fault::Error(status, code)), _) => error(status, code),
        (_, Err((status, code))) => error(status, code),
    }
}

fn body_of(body: Body) -> Response {
    ([("content-type", "application/x-amz-json-1.1")], body).into_response()
}

fn error(status: u16, code: &str) -> Response {
    let body = json!({"__type": code, "message": format!("{code}, says the double")}).to_string();
    (StatusCode::from_u16(status).unwrap_or_default(), body_of(body.into())).into_response()
}

fn keys(shard: &Shard) -> Value {
    json!({"StartingHashKey": shard.keys.0.to_string(), "EndingHashKey": shard.keys.1.to_string()})
}

pub(super) fn text<'a>(request: &'a Value, key: &str) -> &'a str {
    request.get(key).and_then(Value::as_str).unwrap_or_default()
}
