//! How sinks are told: what waits, what is tried again and when, what is given up, and that an alert's story is told in
//! order whatever happens. The network is not the point here, so the sink is a fake and the time is tokio's.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity};
use bedrock_watch_service::{
    config::delivery::Pace,
    routing::{ActiveSilences, Wish},
    sink::{SinkError, Told},
    status::Status,
    store::{Change, Commit, Destination, Matcher, Store},
};
use bedrock_watch_tests::receivers::{
    alerts::{alert, change, resolved},
    fake::{BRISK, Call, Fake, Shared, clock, work},
    memory_store::MemoryStore,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A worker at work on a fake, with a store of its own.
struct Bench {
    store: Arc<MemoryStore>,
    shared: Arc<dyn Store>,
    now: bedrock_watch_service::sink::Now,
    status: Status,
    silences: ActiveSilences,
    workers: Vec<bedrock_watch_service::sink::Workers>,
}

#[cfg(test)]
impl Bench {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;
        let (status, silences) = (Status::default(), ActiveSilences::default());
        Self { store, shared, now: clock(), status, silences, workers: Vec::new() }
    }

    fn start(&mut self, sink: &Arc<Fake>, pace: Pace) {
        let (store, now) = (Arc::clone(&self.shared), Arc::clone(&self.now));
        let (status, silences) = (self.status.clone(), self.silences.clone());
        self.workers.push(work(
            Arc::clone(sink) as _,
            pace,
            &Shared { store, now, status, silences, confirmations: None },
        ));
    }

    async fn commit(&self, changes: Vec<Change>) {
        self.shared.commit(Commit { changes, ..Commit::default() }, (self.now)()).await.unwrap();
        for workers in &self.workers {
            workers.nudge();
        }
    }

    async fn fire(&self, alert: &Alert) {
        self.commit(vec![change(ChangeKind::Fired, alert, &["fake"])]).await;
    }

    /// Lets time pass until nothing waits.
    async fn settled(&self, within: Duration) {
        let begun = tokio::time::Instant::now();
        while self.shared.waiting("fake").await.unwrap().alerts > 0 {
            assert!(begun.elapsed() < within, "still waiting after {:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn grown(alert: &Alert, count: u64) -> Alert {
    Alert { event_count: count, ..alert.clone() }
}

fn severe(id: &str, severity: Severity) -> Alert {
    Alert { severity, ..alert(id) }
}

/// Each alert's revisions must have been taken in growing order.
fn in_order(calls: &[Call]) -> bool {
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    calls.iter().all(|call| {
        let id = call.alerts.first().map_or("", String::as_str);
        told.insert(id, call.revision).is_none_or(|before| before <= call.revision)
    })
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_for_hours_gets_everything_in_order_when_it_recovers() {
    let mut bench = Bench::new();
    let fake = Fake::new(Duration::from_millis(20), false, |_, after| {
        if after < HOUR * 5 { Err(SinkError::sink("down", false)) } else { Ok(Told { requests: 1, ..Told::default() }) }
    });
    bench.start(&fake, BRISK);
    for second in 0..600_u32 {
        let story = alert(&format!("a{}", second % 200));
        let kind = if second < 200 { ChangeKind::Fired } else { ChangeKind::Updated };
        let story = grown(&story, u64::from(second / 200) + 1);
        let story = if second >= 500 { resolved(&story) } else { story };
        let kind = if second >= 500 { ChangeKind::Resolved } else { kind };
        bench.commit(vec![change(kind, &story, &["fake"])]).await;
        tokio::time::sleep(SECOND).await;
    }
    tokio::time::sleep(HOUR * 4).await;
    let vain = fake.calls().len();
    assert!(vain < 320, "one attempt at a time, a minute apart, not {vain} attempts in {:?}", HOUR * 4);
    assert!(fake.busiest() <= 8 && fake.taken().is_empty());
    let reasons = bench.status.reasons();
    assert!(reasons.get("sink fake").is_some_and(|reason| reason.contains("down")), "{reasons:?}");
    let tried: std::collections::BTreeSet<_> =
        fake.calls().iter().filter_map(|call| call.alerts.first().cloned()).collect();
    assert!(tried.len() > 20, "it is not always the same alert that finds out: {}", tried.len());

    bench.settled(HOUR * 2).await;
    let taken = fake.taken();
    assert!(in_order(&taken));
    for id in 0..200 {
        let told = bench.store.delivered("fake", &format!("a{id}"));
        let revisions = bench.shared.history(&format!("a{id}")).await.unwrap().len();
        assert_eq!(told as usize, revisions, "a{id}");
    }
    let counted = bench.workers[0].counters()[0].counted;
    let failed = fake.calls().len() - taken.len();
    assert_eq!((counted.told, counted.dead, counted.failed), (taken.len() as u64, 0, failed as u64));
    assert!(bench.status.reasons().is_empty(), "it works again");
}

#[tokio::test(start_paused = true)]
async fn trouble_of_one_alert_is_no_trouble_of_the_others() {
    // Whether the sink says that it concerns one alert only, or fails as a whole each time it sees that alert.
    for whole in [false, true] {
        let mut bench = Bench::new();
        let fake = Fake::new(Duration::ZERO, false, move |telling, after| {
            let poison = telling.claims[0].alert.alert.id == "poison" && after < HOUR;
            match (poison, whole) {
                (true, true) => Err(SinkError::sink("500", true)),
                (true, false) => Err(SinkError::alert("cannot", false)),
                (false, _) => Ok(Told { requests: 1, ..Told::default() }),
            }
        });
        bench.start(&fake, BRISK);
        bench.fire(&alert("poison")).await;
        for number in 0..100 {
            bench.fire(&severe(&format!("a{number}"), Severity::High)).await;
        }
        tokio::time::sleep(SECOND * 60).await;
        assert_eq!(fake.taken().len(), 100, "whole: {whole}");
        let attempts = fake.calls().len() - 100;
        assert!((4..=10).contains(&attempts), "{attempts} attempts with doubling pauses");
        bench.settled(HOUR * 2).await;
        let last = fake.taken().pop().unwrap();
        assert_eq!((last.alerts[0].as_str(), last.unsettled), ("poison", whole), "what may have arrived is marked");
    }
}

#[tokio::test(start_paused = true)]
async fn who_met_the_trouble_lets_others_find_out_whether_it_is_over() {
    for _ in 0..10 {
        let mut bench = Bench::new();
        let fake = Fake::new(Duration::ZERO, false, |telling, _| match telling.claims[0].alert.alert.id.as_str() {
            "poison" => Err(SinkError::sink("500", true)),
            _ => Ok(Told { requests: 1, ..Told::default() }),
        });
        bench.start(&fake, BRISK);
        bench.fire(&alert("poison")).await;
        tokio::time::sleep(SECOND / 10).await;
        for number in 0..20 {
            bench.fire(&severe(&format!("a{number}"), Severity::High)).await;
        }
        // The first pause is a second and a quarter at most.
        tokio::time::sleep(SECOND * 3 / 2).await;
        assert_eq!(fake.taken().len(), 20, "though the worst alert is the one that fails");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_given_up_at_once_and_redriven() {
    let mut bench = Bench::new();
    let refuse = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&refuse);
    let fake = Fake::new(Duration::ZERO, false, move |_, _| {
        if refuses.load(Ordering::SeqCst) { Err(SinkError::permanent("404")) } else { Ok(Told::default()) }
    });
    bench.start(&fake, BRISK);
    bench.fire(&alert("a")).await;
    bench.settled(SECOND).await;
    let dead = bench.shared.dead_letters(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].error.as_str(), fake.calls().len()), (1, "404", 1));
    assert!(bench.status.reasons()["sink fake"].contains("redrive"));

    refuse.store(false, Ordering::SeqCst);
    tokio::time::sleep(HOUR).await;
    assert_eq!(fake.calls().len(), 1, "nobody tries it again by himself");
    assert_eq!(bench.shared.redrive(Some("fake"), (bench.now)()).await.unwrap(), 1);
    bench.settled(SECOND * 61).await;
    assert_eq!(fake.taken().len(), 1);
    assert!(bench.status.reasons().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_too_long_is_given_up() {
    let mut bench = Bench::new();
    let fake = Fake::new(Duration::ZERO, false, |_, _| Err(SinkError::alert("cannot", false)));
    bench.start(&fake, Pace { give_up_s: 600, ..BRISK });
    bench.fire(&alert("a")).await;
    bench.settled(SECOND * 900).await;
    let last = fake.calls().pop().unwrap();
    assert!(last.after > SECOND * 450 && last.after < SECOND * 800, "given up after {:?}", last.after);
    let dead = bench.shared.dead_letters(10).await.unwrap();
    assert!(dead[0].error.ends_with("at last: cannot"), "{}", dead[0].error);
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_left_alone_for_as_long_as_it_asks() {
    let mut bench = Bench::new();
    let fake = Fake::new(Duration::ZERO, false, |_, after| {
        if after < SECOND * 300 { Err(SinkError::throttled("429", Some(SECOND * 300))) } else { Ok(Told::default()) }
    });
    bench.start(&fake, BRISK);
    bench.fire(&alert("a")).await;
    bench.fire(&alert("b")).await;
    bench.settled(SECOND * 400).await;
    let calls = fake.calls();
    // Both may have been under way when the first answer came.
    assert!(calls.iter().filter(|call| !call.taken).count() <= 2, "{calls:?}");
    assert!(fake.taken().iter().all(|call| call.after >= SECOND * 300));
    assert_eq!(bench.workers[0].counters()[0].counted.throttled as usize, calls.len() - 2);
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_and_requests_count_not_alerts() {
    let check = async |requests: u32, seconds: u64| {
        let mut bench = Bench::new();
        let fake = Fake::new(Duration::ZERO, false, move |_, _| Ok(Told { requests, ..Told::default() }));
        bench.start(&fake, Pace { per_minute: 60, ..BRISK });
        let changes = (0..100).map(|number| change(ChangeKind::Fired, &alert(&format!("a{number}")), &["fake"]));
        bench.commit(changes.collect()).await;
        bench.settled(HOUR).await;
        let last = fake.calls().pop().unwrap().after;
        assert!(last.abs_diff(SECOND * u32::try_from(seconds).unwrap()) < SECOND * 15, "{requests}: {last:?}");
    };
    check(1, 90).await;
    check(2, 190).await;
    check(0, 0).await;
}

#[tokio::test(start_paused = true)]
async fn the_worst_is_told_first_and_an_alert_never_twice_at_once() {
    let mut bench = Bench::new();
    let fake = Fake::new(SECOND, false, |_, _| Ok(Told { requests: 1, ..Told::default() }));
    for (number, severity) in Severity::ALL.into_iter().enumerate() {
        bench.fire(&severe(&format!("a{number}"), severity)).await;
    }
    // One a minute, so that order shows.
    bench.start(&fake, Pace { per_minute: 1, ..BRISK });
    for count in 2..10 {
        tokio::time::sleep(SECOND / 10).await;
        bench.commit(vec![change(ChangeKind::Updated, &grown(&alert("a4"), count), &["fake"])]).await;
    }
    bench.settled(HOUR).await;
    let order: Vec<(String, u32)> = fake.calls().iter().map(|call| (call.alerts[0].clone(), call.revision)).collect();
    let expected = [("a4", 1), ("a4", 9), ("a3", 1), ("a2", 1), ("a1", 1), ("a0", 1)];
    assert_eq!(order, expected.map(|(id, revision)| (id.to_owned(), revision)), "what piled up is told in one");
}

#[tokio::test(start_paused = true)]
async fn alerts_that_still_fire_are_told_again_until_they_are_over() {
    let mut bench = Bench::new();
    let fake = Fake::willing();
    bench.start(&fake, Pace { repeat_s: Some(3_600), ..BRISK });
    bench.fire(&alert("a")).await;
    tokio::time::sleep(HOUR * 5 + SECOND * 300).await;
    let reminders: Vec<Call> = fake.calls().into_iter().filter(|call| call.reminder).collect();
    assert_eq!(reminders.len(), 4, "once an hour, and a look once a minute: {reminders:?}");
    bench.commit(vec![change(ChangeKind::Resolved, &resolved(&alert("a")), &[])]).await;
    tokio::time::sleep(HOUR * 5).await;
    assert_eq!(fake.calls().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_reminded_of_what_was_silenced_since() {
    let mut bench = Bench::new();
    let fake = Fake::willing();
    bench.start(&fake, Pace { repeat_s: Some(3_600), ..BRISK });
    bench.fire(&alert("a")).await;
    bench.fire(&alert("b")).await;
    let reminded = |id: &str| fake.calls().into_iter().filter(|call| call.reminder && call.alerts == [id]).count();
    tokio::time::sleep(HOUR * 2).await;
    let before = (reminded("a"), reminded("b"));
    assert_eq!(before, (1, 1), "{:?}", fake.calls());

    let now = (bench.now)();
    let ends_at = now.checked_add(jiff::SignedDuration::from_hours(4)).ok();
    let matcher = Matcher { alert: Some("a".to_owned()), ..Matcher::default() };
    let (author, reason) = ("ada".to_owned(), "a migration".to_owned());
    let silence = Wish { ends_at, author, reason, matcher, ..Wish::default() }.grant(now).unwrap();
    bench.shared.put_silence(silence, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    bench.silences.refresh(&*bench.shared, now).await.unwrap();
    tokio::time::sleep(HOUR * 4).await;
    assert_eq!(reminded("a"), 1, "it is silenced: {:?}", fake.calls());
    assert!(reminded("b") >= 4, "only it: {:?}", fake.calls());
    bench.settled(SECOND).await;

    tokio::time::sleep(HOUR * 2).await;
    assert!(reminded("a") > 1, "the silence is over: {:?}", fake.calls());
    bench.commit(vec![change(ChangeKind::Resolved, &resolved(&alert("a")), &[])]).await;
    bench.settled(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn what_belongs_together_is_told_together_but_never_a_critical_alert() {
    let mut bench = Bench::new();
    let fake = Fake::new(Duration::ZERO, true, |_, _| Ok(Told { requests: 1, ..Told::default() }));
    bench.start(&fake, BRISK);
    let wait = (bench.now)().checked_add(jiff::SignedDuration::from_secs(30)).unwrap();
    let grouped = |id: &str, severity: Severity, group: &str| {
        let critical = severity == Severity::Critical;
        let destination = Destination {
            sink: "fake".to_owned(),
            not_before: (!critical).then_some(wait),
            group: Some(group.to_owned()),
            skip_if_undone: false,
        };
        Change { destinations: vec![destination], ..change(ChangeKind::Fired, &severe(id, severity), &[]) }
    };
    bench.commit(vec![grouped("a", Severity::High, "x"), grouped("b", Severity::High, "y")]).await;
    bench.commit(vec![grouped("c", Severity::Low, "x"), grouped("d", Severity::Critical, "x")]).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(fake.calls().len(), 1, "the critical one does not wait");
    bench.settled(SECOND * 40).await;
    let mut told: Vec<Vec<String>> = fake.calls().into_iter().map(|call| call.alerts).collect();
    told.sort();
    assert_eq!(told, [vec!["a", "c"], vec!["b"], vec!["d"]]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_finishes_what_it_can_and_marks_what_it_cuts_off() {
    // How long a call takes, and what must then be told and what be marked as possibly told.
    for (takes, told, unsettled) in [(SECOND, 24, 0), (SECOND * 60, 0, 8)] {
        let mut bench = Bench::new();
        let fake = Fake::new(takes, false, |_, _| Ok(Told { requests: 1, ..Told::default() }));
        bench.start(&fake, BRISK);
        for number in 0..24 {
            bench.fire(&alert(&format!("a{number:02}"))).await;
        }
        tokio::time::sleep(SECOND / 2).await;
        let begun = tokio::time::Instant::now();
        bench.workers[0].drain(SECOND * 10).await;
        assert!(begun.elapsed() <= SECOND * 10, "{:?}", begun.elapsed());
        assert_eq!(fake.taken().len(), told);
        assert_eq!(bench.shared.waiting("fake").await.unwrap().alerts as usize, 24 - told, "nothing is lost");

        // The next start tells the rest.
        let second = Fake::willing();
        bench.start(&second, BRISK);
        bench.settled(SECOND * 10).await;
        let calls = second.calls();
        assert_eq!((calls.len(), calls.iter().filter(|call| call.unsettled).count()), (24 - told, unsettled));
    }
}

#[tokio::test(start_paused = true)]
async fn two_workers_tell_each_revision_once_and_a_ghost_cannot_settle() {
    let mut bench = Bench::new();
    let fake = Fake::new(SECOND, false, |_, _| Ok(Told { requests: 1, ..Told::default() }));
    bench.start(&fake, BRISK);
    bench.start(&fake, BRISK);
    for number in 0..50 {
        bench.fire(&alert(&format!("a{number}"))).await;
    }
    bench.settled(HOUR).await;
    assert_eq!(fake.calls().len(), 50);

    // A worker that hangs for longer than its claim holds, while another one takes over.
    let mut bench = Bench::new();
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let slow = Fake::new(SECOND * 100, false, move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Told { requests: 1, memo: Some("ghost".to_owned()), ..Told::default() })
    });
    // Its own limit is far beyond the claim's end only because the store's clock runs ahead of it.
    let ahead = Arc::clone(&bench.now);
    bench.start(&slow, Pace { timeout_ms: 20_000, ..BRISK });
    bench.fire(&alert("a")).await;
    tokio::time::sleep(SECOND).await;
    bench.now = Arc::new(move || ahead().checked_add(jiff::SignedDuration::from_hours(1)).unwrap());
    let quick = Fake::new(Duration::ZERO, false, |_, _| Ok(Told { memo: Some("quick".to_owned()), ..Told::default() }));
    bench.start(&quick, BRISK);
    bench.settled(SECOND * 10).await;
    assert!(quick.calls()[0].unsettled, "the second knows that the first may have told it");
    tokio::time::sleep(SECOND * 200).await;
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    assert_eq!(bench.store.memo("fake", "a").as_deref(), Some("quick"), "what the ghost says does not count");
    assert_eq!(bench.workers[0].counters()[0].counted.fenced, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_delays_and_loses_nothing() {
    let mut bench = Bench::new();
    let fake = Fake::new(SECOND, false, |_, _| Ok(Told { requests: 1, ..Told::default() }));
    bench.start(&fake, BRISK);
    bench.fire(&alert("a")).await;
    bench.fire(&alert("b")).await;
    tokio::time::sleep(SECOND / 2).await;
    bench.store.set_failing(true);
    tokio::time::sleep(SECOND * 3).await;
    bench.store.set_failing(false);
    bench.settled(SECOND * 60).await;
    bench.fire(&alert("c")).await;
    bench.settled(SECOND * 60).await;
    assert_eq!(fake.taken().len(), 3, "settling is tried again, so nothing is told twice");
}

#[tokio::test(start_paused = true)]
async fn part_of_a_story_that_was_told_is_not_told_again() {
    let mut bench = Bench::new();
    let fake = Fake::new(Duration::ZERO, false, |telling, after| {
        let claim = &telling.claims[0];
        let through = claim.pending[0].revision;
        if after < SECOND {
            let progress = Told { through: Some(through), requests: 1, ..Told::default() };
            return Err(SinkError::sink("broke off", true).after(Some(progress)));
        }
        Ok(Told { through: Some(through), requests: 1, ..Told::default() })
    });
    for count in 1..=5 {
        bench.commit(vec![change(ChangeKind::Updated, &grown(&alert("a"), count), &["fake"])]).await;
    }
    bench.start(&fake, BRISK);
    bench.settled(SECOND * 60).await;
    assert_eq!(fake.calls().len(), 5, "one call for each revision");
    assert_eq!(bench.store.delivered("fake", "a"), 5);
}
