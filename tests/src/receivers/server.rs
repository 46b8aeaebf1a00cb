//! A receiver of HTTP on loopback that behaves as badly as a test says.
//!
//! Written on bare sockets, because a proper server cannot send half an answer. Each connection carries one request.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

/// The largest request that is read.
const REQUEST_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the receiver behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// Answers with this status, and `Retry-After` in seconds if there is one.
    Status(u16, Option<u32>),
    /// Answers 200 with something else than it should.
    Garbage,
    /// Answers with bytes that are no HTTP.
    Noise,
    /// Breaks off in the middle of the answer.
    Half,
    /// Reads the request and never answers.
    Silence,
    /// Takes the connection and closes it at once; a client that wants TLS sees its handshake refused.
    Hangup,
}

/// A request that came in whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub raw: String,
    /// The body.
    pub body: Value,
    /// Whether the receiver said that it took it.
    pub taken: bool,
    /// Whether the receiver said that it did not take it, so that nobody can think it did.
    pub refused: bool,
}

impl Request {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// Says what to answer when all is well: a status and a body.
pub type Answer = fn(&Request, usize) -> (u16, String);

/// The receiver.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    // Ends with the receiver.
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    mood: Mutex<Mood>,
    requests: Mutex<Vec<Request>>,
    came: Notify,
    answer: Answer,
}

impl Receiver {
    /// Starts a receiver on a free port.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(answer: Answer) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state =
            Arc::new(State { mood: Mutex::new(Mood::Well), requests: Mutex::default(), came: Notify::new(), answer });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                connections.spawn(async move {
                    // A client that goes away is not this receiver's trouble.
                    let _gone = state.serve(stream).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, state, _tasks: tasks })
    }

    /// Changes how it behaves.
    pub fn set_mood(&self, mood: Mood) {
        *self.state.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Everything that came in whole, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until what came in is as `enough` wants it; `None` if it is not within `patience`.
    pub async fn wait_until(&self, patience: Duration, enough: impl Fn(&[Request]) -> bool) -> Option<Vec<Request>> {
        let waiting = async {
            loop {
                let came = self.state.came.notified();
                let requests = self.requests();
                if enough(&requests) {
                    return requests;
                }
                came.await;
            }
        };
        timeout(patience, waiting).await.ok()
    }

    /// What it took, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.taken).collect()
    }

    /// An address of the receiver.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if mood == Mood::Hangup {
            return Ok(());
        }
        let Ok(read) = timeout(PATIENCE, read_request(&mut stream)).await else { return Ok(()) };
        let Some(mut request) = read? else { return Ok(()) };
        let number = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            request.taken = mood == Mood::Well;
            request.refused = matches!(mood, Mood::Status(429 | 503, _));
            requests.push(request.clone());
            self.came.notify_waiters();
            requests.len()
        };
        let answer = match mood {
            Mood::Well => {
                let (status, body) = (self.answer)(&request, number);
                let elsewhere = if (300..400).contains(&status) { "location: /elsewhere\r\n" } else { "" };
                response(status, elsewhere, &body)
            }
            Mood::Status(status, None) => response(status, "", "busy"),
            Mood::Status(status, Some(after)) => response(status, &format!("retry-after: {after}\r\n"), "busy"),
            Mood::Garbage => response(200, "", "<html><h1>Welcome to the airport</h1>"),
            Mood::Noise => "\u{0}\u{1}\u{2} not http at all\r\n\r\n".to_owned(),
            Mood::Half => "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"ok\":tr".to_owned(),
            Mood::Hangup => String::new(),
            Mood::Silence => {
                // Until the client gives up.
                let mut rest = Vec::new();
                return stream.read_to_end(&mut rest).await.map(|_| ());
            }
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0_u8; 16_384];
    loop {
        if let Some(request) = parse(&bytes) {
            return Ok(Some(request));
        }
        let read = stream.read(&mut chunk).await?;
        if read == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return Ok(None);
        }
        bytes.extend(chunk.iter().take(read));
    }
}

fn parse(bytes: &[u8]) -> Option<Request> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let body = bytes.get(end.checked_add(4)?..)?;
    if body.len() < length.unwrap_or(0_usize) {
        return None;
    }
    let raw = String::from_utf8_lossy(body).into_owned();
    let body = serde_json::from_str(&raw).unwrap_or_default();
    Some(Request { path, headers, raw, body, taken: false, refused: false })
}
