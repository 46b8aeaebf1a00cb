//! Who is told of what, and when.

use std::sync::Arc;

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::store::{Change, Destination, Matcher, Recorded, Settlement, Silence, Store, Waiting};

use super::{
    PAGER, SLACK, alert, at, change, claim, claim_one, commit, commit_one, destination, fired, grown, ids, list, over,
    pending, resolved,
};

list![
    what_is_wanted_is_claimed,
    the_worst_first_then_the_oldest,
    not_before_its_time,
    a_sink_goes_on_where_it_was,
    a_retry_waits,
    what_fails_for_good_is_a_dead_letter,
    a_later_change_revives_a_dead_letter,
    an_end_is_told_where_the_alert_went,
    what_is_over_before_it_was_stored_is_told_once,
    a_sink_that_comes_later_hears_from_then_on,
    what_was_silenced_is_not_told_later,
    what_fires_after_its_silence_is_told,
    reminders,
    counts_say_what_waits,
];

fn delivered(through: u32, memo: Option<&str>) -> Settlement {
    Settlement::Delivered { through, memo: memo.map(str::to_owned), sent: None }
}

fn dead() -> Settlement {
    Settlement::Dead { error: "404".to_owned() }
}

async fn what_is_wanted_is_claimed(store: Arc<dyn Store>) {
    let grouped = Destination { group: Some("g".to_owned()), skip_if_undone: true, ..destination(PAGER) };
    let first = Change { destinations: vec![destination(SLACK), grouped], ..fired("a", &[]) };
    commit_one(&*store, first, 1).await;
    let slack = claim_one(&*store, SLACK, 2).await;
    assert_eq!((slack.sink.as_str(), slack.until, slack.delivered, pending(&slack)), (SLACK, at(62), 0, vec![1]));
    assert_eq!((slack.memo.as_deref(), slack.attempts, slack.unsettled, slack.reminder), (None, 0, false, false));
    assert_eq!((slack.group.as_deref(), slack.skip_if_undone), (None, false));
    assert_eq!(Some(&slack.alert), store.alert("a").await.unwrap().as_ref());
    assert_eq!(slack.pending[0], store.history("a").await.unwrap()[0]);
    let pager = claim_one(&*store, PAGER, 2).await;
    assert_eq!((pager.group.as_deref(), pager.skip_if_undone), (Some("g"), true));
    assert!(claim(&*store, SLACK, 3).await.is_empty(), "what is claimed is not claimed again");
    assert!(claim(&*store, "unknown", 3).await.is_empty());
}

async fn the_worst_first_then_the_oldest(store: Arc<dyn Store>) {
    let make = |id: &str, severity: Severity| Alert { severity, ..alert(id) };
    let rows =
        [("a", Severity::Low, 1), ("b", Severity::Critical, 3), ("c", Severity::Critical, 2), ("d", Severity::High, 1)];
    for (id, severity, seconds) in rows {
        commit_one(&*store, change(ChangeKind::Fired, make(id, severity), &[SLACK]), seconds).await;
    }
    let first = store.claim(SLACK, "worker", at(9), at(60), 3).await.unwrap();
    assert_eq!(ids(&first), ["c", "b", "d"]);
    // An alert that grows keeps its place among those of its severity.
    commit_one(&*store, change(ChangeKind::Fired, make("e", Severity::Low), &[SLACK]), 5).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 6).await;
    let low = Alert { severity: Severity::Low, ..grown("a", 3) };
    commit_one(&*store, change(ChangeKind::Updated, low, &[SLACK]), 7).await;
    assert_eq!(ids(&claim(&*store, SLACK, 9).await), ["a", "e"]);
}

async fn not_before_its_time(store: Arc<dyn Store>) {
    assert_eq!(store.next_due(SLACK).await.unwrap(), None);
    let later = Destination { not_before: Some(at(60)), ..destination(SLACK) };
    commit_one(&*store, Change { destinations: vec![later], ..fired("a", &[]) }, 1).await;
    assert_eq!(store.next_due(SLACK).await.unwrap(), Some(at(60)));
    assert!(claim(&*store, SLACK, 59).await.is_empty());
    // What comes with the next change and may be told at once brings all of it forward.
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 5).await;
    assert_eq!(store.next_due(SLACK).await.unwrap(), Some(at(5)));
    let claimed = claim_one(&*store, SLACK, 5).await;
    assert_eq!(pending(&claimed), [1, 2]);
    assert_eq!(store.next_due(SLACK).await.unwrap(), Some(at(65)), "a claim may expire");
    store.settle(&claimed, &delivered(2, None), at(6)).await.unwrap();
    assert_eq!(store.next_due(SLACK).await.unwrap(), None);
}

async fn a_sink_goes_on_where_it_was(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let first = claim_one(&*store, SLACK, 1).await;
    assert!(store.settle(&first, &delivered(1, Some("ts1")), at(2)).await.unwrap());
    assert!(claim(&*store, SLACK, 100).await.is_empty());
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 3).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 4), &[SLACK]), 4).await;
    let second = claim_one(&*store, SLACK, 5).await;
    assert_eq!((second.delivered, pending(&second), second.memo.as_deref()), (1, vec![2, 3], Some("ts1")));
    assert_eq!(second.alert.revision, 3);
    // Told of the first of them only, and of nothing to remember: the memo stays and the rest waits.
    assert!(store.settle(&second, &delivered(2, None), at(6)).await.unwrap());
    let third = claim_one(&*store, SLACK, 7).await;
    assert_eq!((third.delivered, pending(&third), third.memo.as_deref()), (2, vec![3], Some("ts1")));
    // A revision that comes while it is being told waits for the next claim.
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 8), &[SLACK]), 8).await;
    assert!(claim(&*store, SLACK, 8).await.is_empty(), "one after the other");
    assert!(store.settle(&third, &delivered(3, Some("ts2")), at(9)).await.unwrap());
    let fourth = claim_one(&*store, SLACK, 10).await;
    assert_eq!((pending(&fourth), fourth.memo.as_deref()), (vec![4], Some("ts2")));
}

async fn a_retry_waits(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let retry =
        |seconds: i64, unsettled: bool| Settlement::Retry { at: at(seconds), error: "503".to_owned(), unsettled };
    let first = claim_one(&*store, SLACK, 1).await;
    assert!(store.settle(&first, &retry(10, false), at(2)).await.unwrap());
    assert_eq!(store.next_due(SLACK).await.unwrap(), Some(at(10)));
    // A change that comes meanwhile does not shorten the pause.
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 3).await;
    assert!(claim(&*store, SLACK, 9).await.is_empty());
    let second = claim_one(&*store, SLACK, 10).await;
    assert_eq!((second.attempts, second.unsettled, pending(&second)), (1, false, vec![1, 2]));
    assert!(store.settle(&second, &retry(20, true), at(11)).await.unwrap());
    let third = claim_one(&*store, SLACK, 20).await;
    assert_eq!((third.attempts, third.unsettled), (2, true), "it may have arrived");
    assert!(store.settle(&third, &Settlement::Released, at(21)).await.unwrap());
    let fourth = claim_one(&*store, SLACK, 21).await;
    assert_eq!((fourth.attempts, fourth.unsettled), (2, true), "given back as it was");
    assert!(store.settle(&fourth, &delivered(2, None), at(22)).await.unwrap());
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 4), &[SLACK]), 23).await;
    let fifth = claim_one(&*store, SLACK, 23).await;
    assert_eq!((fifth.attempts, fifth.unsettled), (0, false));
}

async fn what_fails_for_good_is_a_dead_letter(store: Arc<dyn Store>) {
    for (seconds, id) in [(1, "a"), (2, "b")] {
        commit_one(&*store, fired(id, &[SLACK, PAGER]), seconds).await;
    }
    for (seconds, sink) in [(10, SLACK), (20, PAGER)] {
        for (place, claimed) in claim(&*store, sink, seconds).await.iter().enumerate() {
            let now = at(seconds + i64::try_from(place).unwrap());
            assert!(store.settle(claimed, &dead(), now).await.unwrap());
        }
    }
    assert!(claim(&*store, SLACK, 1_000).await.is_empty());
    assert_eq!(store.next_due(SLACK).await.unwrap(), None);
    let letters = store.dead_letters(3).await.unwrap();
    let found: Vec<_> = letters.iter().map(|letter| (letter.sink.as_str(), letter.alert.as_str(), letter.at)).collect();
    assert_eq!(found, [(PAGER, "b", at(21)), (PAGER, "a", at(20)), (SLACK, "b", at(11))]);
    let letter = &letters[0];
    assert_eq!((letter.error.as_str(), letter.attempts, letter.severity), ("404", 1, Severity::High));
    assert_eq!(*letter.rule, *alert("a").rule);
    assert_eq!(store.redrive(Some(SLACK), at(30)).await.unwrap(), 2);
    assert_eq!(store.redrive(Some(SLACK), at(30)).await.unwrap(), 0);
    let again = claim(&*store, SLACK, 30).await;
    assert_eq!((ids(&again), again[0].attempts, pending(&again[0])), (vec!["a", "b"], 0, vec![1]));
    assert!(claim(&*store, PAGER, 30).await.is_empty());
    assert_eq!(store.redrive(None, at(31)).await.unwrap(), 2);
    assert_eq!(claim(&*store, PAGER, 31).await.len(), 2);
    assert!(store.dead_letters(10).await.unwrap().is_empty());
}

async fn a_later_change_revives_a_dead_letter(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    store.settle(&claim_one(&*store, SLACK, 1).await, &dead(), at(2)).await.unwrap();
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 3).await;
    let claimed = claim_one(&*store, SLACK, 3).await;
    assert_eq!((claimed.delivered, claimed.attempts, pending(&claimed)), (0, 0, vec![2]));
    // What comes while it is being given up was not tried yet.
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 4), &[SLACK]), 4).await;
    store.settle(&claimed, &dead(), at(5)).await.unwrap();
    assert_eq!(pending(&claim_one(&*store, SLACK, 6).await), [2, 3]);
}

async fn an_end_is_told_where_the_alert_went(store: Arc<dyn Store>) {
    for (id, status) in [("a", Status::Resolved), ("b", Status::Withdrawn)] {
        commit_one(&*store, fired(id, &[SLACK, PAGER, "given up"]), 1).await;
        let told = claim_one(&*store, SLACK, 1).await;
        store.settle(&told, &delivered(1, None), at(2)).await.unwrap();
        store.settle(&claim_one(&*store, "given up", 1).await, &dead(), at(2)).await.unwrap();
        let kind = if status == Status::Resolved { ChangeKind::Resolved } else { ChangeKind::Withdrawn };
        // Under a silence, and whatever the routes say by now.
        let end = Change { silence: Some("s".to_owned()), ..change(kind, over(id, status), &["other"]) };
        commit_one(&*store, end, 3).await;
        let told = claim_one(&*store, SLACK, 3).await;
        assert_eq!((pending(&told), told.alert.alert.status), (vec![2], status), "heard of it before");
        store.settle(&told, &delivered(2, None), at(4)).await.unwrap();
        let waited = claim_one(&*store, PAGER, 3).await;
        assert_eq!(pending(&waited), [1, 2], "was about to");
        store.settle(&waited, &delivered(2, None), at(4)).await.unwrap();
        assert!(claim(&*store, "given up", 3).await.is_empty(), "never heard of it");
        assert!(claim(&*store, "other", 3).await.is_empty());
    }
}

async fn what_is_over_before_it_was_stored_is_told_once(store: Arc<dyn Store>) {
    commit_one(&*store, resolved("a", &[SLACK]), 1).await;
    let told = claim_one(&*store, SLACK, 1).await;
    assert_eq!((pending(&told), told.pending[0].kind, told.delivered), (vec![1], ChangeKind::Resolved, 0));
}

async fn a_sink_that_comes_later_hears_from_then_on(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 2), &[SLACK]), 2).await;
    let worse = Alert { severity: Severity::Critical, ..grown("a", 4) };
    commit_one(&*store, change(ChangeKind::Updated, worse, &[SLACK, PAGER]), 3).await;
    let pager = claim_one(&*store, PAGER, 3).await;
    assert_eq!((pager.delivered, pending(&pager)), (0, vec![3]));
    assert_eq!(pending(&claim_one(&*store, SLACK, 3).await), [1, 2, 3]);
}

async fn what_was_silenced_is_not_told_later(store: Arc<dyn Store>) {
    let silenced = |change: Change| Change { silence: Some("s".to_owned()), destinations: Vec::new(), ..change };
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    commit_one(&*store, silenced(change(ChangeKind::Updated, grown("a", 2), &[])), 2).await;
    commit_one(&*store, change(ChangeKind::Updated, grown("a", 4), &[SLACK]), 3).await;
    assert_eq!(pending(&claim_one(&*store, SLACK, 3).await), [1, 3]);
}

async fn what_fires_after_its_silence_is_told(store: Arc<dyn Store>) {
    let silenced = Change { silence: Some("s".to_owned()), destinations: Vec::new(), ..fired("a", &[]) };
    commit_one(&*store, silenced.clone(), 1).await;
    assert_eq!(commit_one(&*store, silenced, 2).await, Recorded::Known);
    // The very same alert, when the silence has ended.
    let heard = change(ChangeKind::Updated, grown("a", 1), &[SLACK]);
    let same = Change { alert: fired("a", &[]).alert, ..heard };
    assert_eq!(commit_one(&*store, same.clone(), 3).await, Recorded::Revision(2));
    assert_eq!(commit_one(&*store, same, 4).await, Recorded::Known);
    assert_eq!(pending(&claim_one(&*store, SLACK, 4).await), [2]);
}

async fn reminders(store: Arc<dyn Store>) {
    let silence = Silence {
        id: "s".to_owned(),
        starts_at: at(0),
        ends_at: at(3_600),
        author: "ada".to_owned(),
        reason: "known".to_owned(),
        matcher: Matcher { alert: Some("silenced".to_owned()), ..Matcher::default() },
    };
    store.put_silence(silence, at(1)).await.unwrap();
    for id in ["a", "over", "silenced", "waits"] {
        commit_one(&*store, fired(id, &[SLACK]), 1).await;
    }
    for claimed in claim(&*store, SLACK, 1).await {
        if claimed.alert.alert.id != "waits" {
            store.settle(&claimed, &delivered(1, Some("m")), at(5)).await.unwrap();
        }
    }
    let quiet = Change { silence: Some("s".to_owned()), ..change(ChangeKind::Updated, grown("silenced", 2), &[]) };
    commit_one(&*store, quiet, 6).await;
    commit_one(&*store, resolved("over", &[]), 6).await;
    store.settle(&claim_one(&*store, SLACK, 6).await, &delivered(2, None), at(6)).await.unwrap();
    assert_eq!(store.remind(SLACK, at(5), at(10)).await.unwrap(), 0, "told at 5, which is not before 5");
    assert_eq!(store.remind(PAGER, at(9), at(10)).await.unwrap(), 0);
    assert_eq!(store.remind(SLACK, at(9), at(10)).await.unwrap(), 1);
    let reminder = claim_one(&*store, SLACK, 10).await;
    assert_eq!(
        (ids(std::slice::from_ref(&reminder)), pending(&reminder), reminder.reminder),
        (vec!["a"], vec![], true)
    );
    assert_eq!((reminder.delivered, reminder.memo.as_deref()), (1, Some("m")));
    assert_eq!(store.waiting(SLACK).await.unwrap().alerts, 1, "a reminder is nothing unheard");
    store.settle(&reminder, &delivered(1, None), at(11)).await.unwrap();
    assert_eq!(store.remind(SLACK, at(9), at(12)).await.unwrap(), 0);
    // It ends before the reminder is told: then there is nothing to remind of.
    assert_eq!(store.remind(SLACK, at(12), at(13)).await.unwrap(), 1);
    commit_one(&*store, resolved("a", &[]), 13).await;
    let end = claim_one(&*store, SLACK, 14).await;
    assert_eq!((pending(&end), end.reminder), (vec![2], false));
    store.settle(&end, &delivered(2, None), at(15)).await.unwrap();
    // Once the silence has ended, what it held back is reminded of too.
    assert_eq!(store.remind(SLACK, at(12), at(3_600)).await.unwrap(), 1);
}

async fn counts_say_what_waits(store: Arc<dyn Store>) {
    assert_eq!(store.waiting(SLACK).await.unwrap(), Waiting::default());
    let expected = |alerts: u64, dead: u64, since: Option<i64>| Waiting { alerts, dead, since: since.map(at) };
    let changes = vec![fired("a", &[SLACK]), fired("b", &[SLACK]), fired("c", &[PAGER])];
    assert_eq!(commit(&*store, changes, 3).await, [Recorded::Revision(1); 3]);
    assert_eq!(store.waiting(SLACK).await.unwrap(), expected(2, 0, Some(3)));
    let claims = claim(&*store, SLACK, 4).await;
    assert_eq!(store.waiting(SLACK).await.unwrap(), expected(2, 0, Some(3)), "claimed is not heard");
    let retry = Settlement::Retry { at: at(500), error: "503".to_owned(), unsettled: false };
    store.settle(&claims[0], &retry, at(5)).await.unwrap();
    assert_eq!(store.waiting(SLACK).await.unwrap(), expected(2, 0, Some(3)), "it waits since it was first due");
    store.settle(&claims[1], &delivered(1, None), at(5)).await.unwrap();
    assert_eq!(store.waiting(SLACK).await.unwrap(), expected(1, 0, Some(3)));
    store.settle(&claim_one(&*store, SLACK, 500).await, &dead(), at(501)).await.unwrap();
    assert_eq!(store.waiting(SLACK).await.unwrap(), expected(0, 1, None));
}
