//! A proxy before an emulator that throttles, cuts, delays and corrupts answers, as AWS and networks do now and then.
//!
//! Which answers it spoils is decided by a seed and the number of the request, so that a test can be repeated. It
//! understands requests with a length, which is what the SDK sends for everything but event streams.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1_024;
/// How long a delayed answer waits: the delay is the fault itself, no test waits for something by it.
const DELAY: Duration = Duration::from_millis(700);

/// What happens to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The service asks to be left alone; the request is not carried out.
    Throttled,
    /// The service fails; the request is not carried out.
    Failed,
    /// The request is carried out, and half of the answer arrives.
    Cut,
    /// The request is carried out, and the connection closes before the answer.
    Lost,
    /// The answer comes late.
    Delayed,
    /// The answer is spoiled.
    Corrupted,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] = [Self::Throttled, Self::Failed, Self::Cut, Self::Lost, Self::Delayed, Self::Corrupted];
}

/// A request that passed, and what was done to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// What was asked: the value of `x-amz-target`, or method and path.
    pub operation: String,
    /// What happened to the answer; `None` if nothing did.
    pub fault: Option<Fault>,
}

/// The proxy; it ends with this.
#[derive(Debug)]
pub struct Faults {
    /// Where it listens.
    pub url: String,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    client: reqwest::Client,
    /// How many of a hundred answers are spoiled, and how.
    percent: Mutex<(u32, Vec<Fault>)>,
    random: Mutex<StdRng>,
    passed: Mutex<Vec<Passed>>,
}

impl Faults {
    /// Starts a proxy before the emulator at `upstream` that spoils `percent` of a hundred answers.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before(upstream: &str, seed: u64, percent: u32, faults: &[Fault]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            client: reqwest::Client::new(),
            percent: Mutex::new((percent, faults.to_vec())),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            passed: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, peer)) = listener.accept().await {
                let state = Arc::clone(&shared);
                connections.spawn(async move { state.serve(stream, peer).await.unwrap_or_default() });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { url, state, _tasks: tasks })
    }

    /// From now on so many of a hundred answers are spoiled, in these ways.
    pub fn spoil(&self, percent: u32, faults: &[Fault]) {
        *self.state.percent.lock().unwrap_or_else(PoisonError::into_inner) = (percent, faults.to_vec());
    }

    /// Every request so far.
    #[must_use]
    pub fn passed(&self) -> Vec<Passed> {
        self.state.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A request, in parts.
struct Asked {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    fn operation(&self) -> String {
        self.header("x-amz-target").map_or_else(|| format!("{} {}", self.method, self.path), str::to_owned)
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream, _peer: SocketAddr) -> io::Result<()> {
        while let Some(asked) = read(&mut stream).await? {
            let fault = self.fault();
            let operation = asked.operation();
            self.passed.lock().unwrap_or_else(PoisonError::into_inner).push(Passed { operation, fault });
            match fault {
                Some(Fault::Throttled) => {
                    let body = r#"{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded"}"#;
                    stream.write_all(&answer(400, "application/x-amz-json-1.1", body.as_bytes())).await?;
                    continue;
                }
                Some(Fault::Failed) => {
                    let body = r#"{"__type":"InternalFailure","message":"an error occurred"}"#;
                    stream.write_all(&answer(500, "application/x-amz-json-1.1", body.as_bytes())).await?;
                    continue;
                }
                Some(Fault::Delayed) => tokio::time::sleep(DELAY).await,
                _ => {}
            }
            let (status, kind, mut body) = self.forward(asked).await.map_err(io::Error::other)?;
            match fault {
                Some(Fault::Lost) => return Ok(()),
                Some(Fault::Corrupted) => {
                    let middle = body.len() / 2;
                    body.iter_mut().skip(middle).take(16).for_each(|byte| *byte = b'\x01');
                }
                _ => {}
            }
            let whole = answer(status, &kind, &body);
            if fault == Some(Fault::Cut) {
                let half = whole.len().saturating_sub(body.len().div_ceil(2).max(1));
                stream.write_all(whole.get(..half).unwrap_or_default()).await?;
                return stream.shutdown().await;
            }
            stream.write_all(&whole).await?;
        }
        Ok(())
    }

    fn fault(&self) -> Option<Fault> {
        let (percent, faults) = self.percent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.is_empty() || random.random_range(0..100) >= percent {
            return None;
        }
        let which = random.random_range(0..faults.len());
        faults.get(which).copied()
    }

    async fn forward(&self, asked: Asked) -> Result<(u16, String, Vec<u8>), reqwest::Error> {
        let method = asked.method.parse().unwrap_or(reqwest::Method::POST);
        let mut request = self.client.request(method, format!("{}{}", self.upstream, asked.path));
        for (name, value) in asked.headers.iter().filter(|(name, _)| !["connection", "host"].contains(&name.as_str())) {
            request = request.header(name, value);
        }
        let answer = request.body(asked.body).send().await?;
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let (status, kind) = (answer.status().as_u16(), kind.unwrap_or("application/json").to_owned());
        Ok((status, kind, answer.bytes().await?.to_vec()))
    }
}

fn answer(status: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn read(stream: &mut TcpStream) -> io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD_BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let mut body = bytes.split_off(head.saturating_add(4));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let asked = Asked { method, path, headers, body: Vec::new() };
    let length: usize = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Asked { body, ..asked }))
}
