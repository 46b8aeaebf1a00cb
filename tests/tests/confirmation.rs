//! Before anybody hears of an alert about a job for the first time, AWS is asked about the job: what it says decides,
//! and when it says nothing in time the alert is told as it is. AWS is a fake here, and the time is tokio's.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bedrock_watch_engine::alert::{Alert, ChangeKind, Status, SubjectKind};
use bedrock_watch_service::{
    cloud::CloudError,
    routing::ActiveSilences,
    sink::{Confirm, Confirmations, Sink, SinkError, Telling, Told, Workers},
    status::Status as Ready,
    store::{Claim, Commit, Store},
};
use bedrock_watch_tests::receivers::{
    alerts::{alert, change, resolved},
    fake::{BRISK, Fake, Shared, clock, work},
    memory_store::MemoryStore,
};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(2);

/// What AWS says of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// It is as the alert says.
    Agrees,
    /// It had ended before; the engine withdraws the alert.
    EndedBefore,
    /// It has ended since; the engine resolves the alert.
    EndedSince,
    /// Nothing for a long time.
    Silent,
    /// It cannot be asked.
    Fails,
}

struct FakeAws {
    word: Word,
    takes: Duration,
    store: Arc<dyn Store>,
    now: bedrock_watch_service::sink::Now,
    asked: AtomicUsize,
    workers: Mutex<Vec<Workers>>,
}

impl fmt::Debug for FakeAws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FakeAws")
    }
}

#[async_trait]
impl Confirm for FakeAws {
    async fn confirm(&self, alert: &Alert) -> Result<(), CloudError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let takes = if self.word == Word::Silent { Duration::from_secs(60) } else { self.takes };
        tokio::time::sleep(takes).await;
        let (kind, alert) = match self.word {
            Word::Agrees | Word::Silent => return Ok(()),
            Word::Fails => return Err(CloudError("access denied".to_owned())),
            Word::EndedBefore => (ChangeKind::Withdrawn, Alert { status: Status::Withdrawn, ..alert.clone() }),
            Word::EndedSince => (ChangeKind::Resolved, resolved(alert)),
        };
        let changes = vec![change(kind, &alert, &[])];
        let commit = Commit { changes, ..Commit::default() };
        self.store.commit(commit, (self.now)()).await.map_err(|error| CloudError(error.to_string()))?;
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Workers::nudge);
        Ok(())
    }
}

/// A fake under a name of its own that, as every sink for people, says nothing of what was withdrawn unheard.
#[derive(Debug)]
struct Named(&'static str, Arc<Fake>);

#[async_trait]
impl Sink for Named {
    fn name(&self) -> &str {
        self.0
    }

    fn kind(&self) -> &'static str {
        "fake"
    }

    async fn tell(&self, telling: &Telling) -> Result<Told, SinkError> {
        if telling.claims.iter().all(Claim::is_moot) {
            return Ok(Told::default());
        }
        self.1.tell(telling).await
    }
}

struct Bench {
    began: Instant,
    aws: Arc<FakeAws>,
    first: Arc<Fake>,
    second: Arc<Fake>,
}

#[cfg(test)]
impl Bench {
    fn start(word: Word) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let now = clock();
        let aws = Arc::new(FakeAws {
            word,
            takes: Duration::from_millis(100),
            store: Arc::clone(&store),
            now: Arc::clone(&now),
            asked: AtomicUsize::new(0),
            workers: Mutex::default(),
        });
        let confirmations = Some(Confirmations::new(Arc::clone(&aws) as _, LIMIT));
        let (status, silences) = (Ready::default(), ActiveSilences::default());
        let shared = Shared { store, now, status, silences, confirmations };
        let (first, second) = (Fake::willing(), Fake::willing());
        let start = |name, fake: &Arc<Fake>| work(Arc::new(Named(name, Arc::clone(fake))), BRISK, &shared);
        let workers = vec![start("fake", &first), start("second", &second)];
        *aws.workers.lock().unwrap_or_else(PoisonError::into_inner) = workers;
        Self { began: Instant::now(), aws, first, second }
    }

    async fn say(&self, kind: ChangeKind, alert: &Alert) {
        let changes = vec![change(kind, alert, &["fake", "second"])];
        self.aws.store.commit(Commit { changes, ..Commit::default() }, (self.aws.now)()).await.unwrap();
        self.aws.workers.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Workers::nudge);
        let begun = Instant::now();
        for sink in ["fake", "second"] {
            while self.aws.store.waiting(sink).await.unwrap().alerts > 0 {
                assert!(begun.elapsed() < Duration::from_secs(30), "{sink} still waits");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    fn asked(&self) -> usize {
        self.aws.asked.load(Ordering::SeqCst)
    }

    fn told(&self) -> [Vec<(Duration, u32)>; 2] {
        let of = |fake: &Fake| fake.calls().into_iter().map(|call| (call.after, call.revision)).collect();
        [of(&self.first), of(&self.second)]
    }
}

#[tokio::test(start_paused = true)]
async fn what_aws_says_decides_what_every_sink_is_told() {
    // How often each sink is told, of which revision, and within which time.
    let check = async |word: Word, told: Option<(u32, Duration)>| {
        let bench = Bench::start(word);
        bench.say(ChangeKind::Fired, &alert("a")).await;
        assert_eq!(bench.asked(), 1, "{word:?}: two sinks ask once");
        for calls in bench.told() {
            match told {
                None => assert!(calls.is_empty(), "{word:?}: {calls:?}"),
                Some((revision, within)) => {
                    let [(after, of)] = calls.try_into().unwrap_or_else(|calls| panic!("{word:?}: {calls:?}"));
                    assert_eq!(of, revision, "{word:?}");
                    assert!(after <= within, "{word:?}: after {after:?}");
                }
            }
        }
        assert!(bench.began.elapsed() < Duration::from_secs(10), "{word:?}");
    };
    let soon = Duration::from_millis(700);
    check(Word::Agrees, Some((1, soon))).await;
    check(Word::EndedBefore, None).await;
    check(Word::EndedSince, Some((2, soon))).await;
    check(Word::Silent, Some((1, LIMIT + soon))).await;
    check(Word::Fails, Some((1, soon))).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_first_word_about_a_job_is_confirmed() {
    let bench = Bench::start(Word::Agrees);
    let story = alert("a");
    bench.say(ChangeKind::Fired, &story).await;
    bench.say(ChangeKind::Updated, &Alert { event_count: 2, ..story.clone() }).await;
    bench.say(ChangeKind::Resolved, &resolved(&story)).await;
    assert_eq!(bench.asked(), 1);
    let of_a_principal = Alert { subject_kind: SubjectKind::Principal, ..alert("b") };
    bench.say(ChangeKind::Fired, &of_a_principal).await;
    assert_eq!(bench.asked(), 1, "a principal is no job");
}

#[tokio::test(start_paused = true)]
async fn while_aws_does_not_answer_alerts_do_not_wait_one_after_the_other() {
    for word in [Word::Silent, Word::Fails] {
        let bench = Bench::start(word);
        bench.say(ChangeKind::Fired, &alert("first")).await;
        let before = Instant::now();
        bench.say(ChangeKind::Fired, &alert("second")).await;
        assert_eq!(bench.asked(), 1, "{word:?}: not asked again at once");
        assert!(before.elapsed() < Duration::from_secs(1), "{word:?}: {:?}", before.elapsed());
        tokio::time::sleep(Duration::from_secs(31)).await;
        bench.say(ChangeKind::Fired, &alert("third")).await;
        assert_eq!(bench.asked(), 2, "{word:?}: asked again later");
    }
}
