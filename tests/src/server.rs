//! The real HTTP server on a free port of this machine, over a real store, with a loop that accepts everything.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a helper that fails fails its test; this is a library only so that several test files can share it"
)]

use std::{net::SocketAddr, sync::Arc};

use bedrock_watch_engine::{
    AccountSummary, DependencySummary, DependentSummary, LoggingPosture, LoggingSummary, LossSummary,
    PrincipalActivity, Second, Summary, alert::ChangeKind, rule::RuleSet,
};
use bedrock_watch_service::{
    config::{Config, SourceConfig},
    http::{self, Link, Nudge, Parts, Tls},
    incident::{Contacts, Gatherer, Joining, Stages},
    live_rules::LiveRules,
    pipeline::{Question, Report, Told},
    routing::ActiveSilences,
    sink::{Counted, SinkReport},
    source::{Batch, Intake, Outcome},
    status::Status,
    store::{Commit, Destination, Store, sqlite::SqliteStore},
};
use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, broadcast, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::store_conformance::sample_change;

/// Batches that may wait for the loop.
const BATCHES_MAX: usize = 4;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it reads and writes.
    pub store: Arc<SqliteStore>,
    /// Where stored changes are told.
    pub told: broadcast::Sender<Arc<Told>>,
    /// What does not work.
    pub status: Status,
    /// Notified when the sinks are woken.
    pub nudged: Arc<Notify>,
    /// The silences as a loop would see them.
    pub silences: ActiveSilences,
    /// Ends it.
    pub stop: CancellationToken,
    /// Ends the loop behind it alone.
    pub stop_loop: CancellationToken,
    /// Everything it runs.
    pub tracker: TaskTracker,
    client: Client,
    scheme: &'static str,
    /// HTTPS, if that is what it speaks.
    pub tls: Option<Tls>,
    _folder: TempDir,
}

/// The loop behind the server: it accepts everything and judges nothing.
async fn stand_in(
    mut batches: mpsc::Receiver<Batch>,
    mut questions: mpsc::Receiver<Question>,
    // Kept so that the reports do not end before the loop.
    _reports: watch::Sender<Report>,
    ended: CancellationToken,
) {
    loop {
        tokio::select! {
            Some(question) = questions.recv() => match question {
                Question::Turns(reply) => reply.send(()).unwrap_or_default(),
                Question::Knows(reply) => reply.send(known()).map_or_else(drop, drop),
            },
            Some(batch) = batches.recv() => {
                let (accepted, rejected) = (batch.records.len() as u64, batch.records.rejected.len() as u64);
                if let Some(reply) = batch.reply {
                    reply.send(Outcome { accepted, rejected }).unwrap_or_default();
                }
            }
            () = ended.cancelled() => return,
        }
    }
}

impl Server {
    /// Starts one with this configuration; `listen` in it is best a free port.
    pub async fn start(config: &str) -> Self {
        let config = Config::load("test.toml", config, &|_| None).expect("a good configuration");
        let http = config.http.expect("an HTTP server");
        let folder = TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("store.db")).unwrap());
        let (told, status, nudged) = (broadcast::Sender::new(2_048), Status::default(), Arc::new(Notify::new()));
        let (stop, stop_loop, tracker) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let silences = ActiveSilences::default();
        let (intake, batches) = Intake::queue("http", BATCHES_MAX);
        let (questions_in, questions) = mpsc::channel(1);
        let (reports_in, reports) = watch::channel(Report::default());
        tracker.spawn(stand_in(batches, questions, reports_in, stop_loop.clone()));
        let listener = TcpListener::bind(http.listen).await.unwrap();
        let mut address = listener.local_addr().unwrap();
        let nudge = Arc::clone(&nudged);
        let parts = Parts {
            intake: config.sources.contains(&SourceConfig::Http).then_some(intake),
            store: Arc::clone(&store) as Arc<dyn Store>,
            incidents: Gatherer::new(Arc::clone(&store) as Arc<dyn Store>, Joining::default(), Stages::default()),
            contacts: Contacts::default(),
            told: told.clone(),
            nudge: Nudge(Arc::new(move || nudge.notify_one())),
            silences: silences.clone(),
            rules: LiveRules::from(Arc::new(RuleSet::default())),
            reports,
            questions: questions_in,
            status: status.clone(),
            sinks: vec!["slack".to_owned()],
            links: vec![Link { name: "http".to_owned(), kind: "source" }],
            sink_reports: http::SinkReports(Arc::new(|| {
                let counted = Counted { told: 7, ..Counted::default() };
                vec![SinkReport { name: "slack".to_owned(), kind: "slack", counted }]
            })),
        };
        let router = http::router(parts, &http, &config.api_keys, address, (&tracker, &stop));
        let tls = http.tls.as_ref().map(Tls::new).transpose().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        tracker.spawn(http::serve(listener, router, http.connections_max, tls.clone(), stop.clone()));
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        let client = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
        Self {
            address,
            store,
            told,
            status,
            nudged,
            silences,
            stop,
            stop_loop,
            tracker,
            client,
            scheme,
            tls,
            _folder: folder,
        }
    }

    /// A request to it.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        self.client.request(method, format!("{}://{}{path}", self.scheme, self.address))
    }

    /// Sends these bytes on a connection of their own and returns what comes back until it ends.
    pub async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses may end the connection roughly.
        stream.read_to_end(&mut answer).await.map(drop).unwrap_or_default();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a request, with a JSON body if there is one, and returns status and body.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut request = self.request(method, path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Stores a change of an alert called `id` and tells those who watch.
    pub async fn change(&self, id: &str, kind: ChangeKind, edit: impl FnOnce(&mut bedrock_watch_engine::alert::Alert)) {
        let mut change = sample_change(id, kind, "slack");
        edit(Arc::make_mut(&mut change.alert));
        let destination =
            Destination { sink: "slack".to_owned(), not_before: None, group: None, skip_if_undone: false };
        change.destinations = vec![destination];
        self.store.commit(Commit { changes: vec![change], ..Commit::default() }, Timestamp::now()).await.unwrap();
        let alert = self.store.alert(id).await.unwrap().unwrap();
        // That nobody watches is no error.
        self.told.send(Arc::new(Told { kind, alert })).map(drop).unwrap_or_default();
    }

    /// Ends it and waits for its end.
    pub async fn end(self) {
        self.stop.cancel();
        self.stop_loop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// What an engine could know: one of everything.
fn known() -> Summary {
    let (account, region) = ("111122223333".to_owned(), "us-east-1".to_owned());
    let (at, principal) = (Second(1_795_000_000), "arn:aws:iam::111122223333:user/ana".to_owned());
    let key = "bucket:corp-ml".to_owned();
    Summary {
        accounts: vec![AccountSummary { account: account.clone(), watermark: at, principals: 1 }],
        dependents: vec![DependentSummary {
            kind: "agent",
            id: "desk".to_owned(),
            name: None,
            account: account.clone(),
            region: region.clone(),
            status: "Active".to_owned(),
            live: true,
            broken: true,
            started: Some(at),
            ended: None,
            stands_on: vec![key.clone()],
        }],
        dependents_total: 1,
        dependencies: vec![DependencySummary {
            key,
            kind: "bucket",
            id: "corp-ml".to_owned(),
            account: None,
            losses: vec![LossSummary { at, what: "deleted", by: Some(principal.clone()), exposed: false }],
        }],
        logging: vec![LoggingSummary {
            account: account.clone(),
            region,
            posture: LoggingPosture::On,
            since: Some(at),
            delivers: vec!["text".to_owned()],
            destinations: vec![("bucket", "logs".to_owned())],
        }],
        resources: 1,
        activity_from: at,
        principals: vec![PrincipalActivity {
            account,
            principal,
            calls: vec![0; 60],
            total: 0,
            baseline_60s: None,
            bursts: vec![1],
        }],
        principals_total: 1,
    }
}
