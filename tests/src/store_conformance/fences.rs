//! Claims: each delivery to one worker at a time, whatever becomes of the others.

use std::{collections::BTreeMap, sync::Arc};

use bedrock_watch_service::store::{Settlement, Store};

use super::{SLACK, at, claim, claim_one, commit, commit_one, fired, list, pending};

list![
    an_expired_claim_is_taken_over,
    a_ghost_changes_nothing,
    an_expired_claim_that_nobody_took_still_counts,
    fences_only_grow,
    many_workers_claim_each_delivery_once,
    many_workers_tell_every_revision_in_order,
];

fn delivered(through: u32) -> Settlement {
    Settlement::Delivered { through, memo: Some("memo".to_owned()), sent: None }
}

async fn an_expired_claim_is_taken_over(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let first = claim_one(&*store, SLACK, 1).await;
    assert!(claim(&*store, SLACK, 60).await.is_empty(), "it holds until 61");
    let second = claim_one(&*store, SLACK, 61).await;
    assert!(second.unsettled, "what the first worker was about to send may have arrived");
    assert!(second.fence > first.fence);
    assert_eq!((second.attempts, pending(&second)), (0, vec![1]));
}

async fn a_ghost_changes_nothing(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let ghost = claim_one(&*store, SLACK, 1).await;
    let owner = claim_one(&*store, SLACK, 100).await;
    let retry = Settlement::Retry { at: at(1), error: "late".to_owned(), unsettled: false };
    let dead = Settlement::Dead { error: "late".to_owned() };
    for settlement in [delivered(1), retry, dead, Settlement::Released] {
        assert!(!store.settle(&ghost, &settlement, at(101)).await.unwrap(), "{settlement:?}");
        assert!(claim(&*store, SLACK, 102).await.is_empty(), "{settlement:?}");
    }
    assert!(store.settle(&owner, &delivered(1), at(103)).await.unwrap());
    assert!(!store.settle(&owner, &delivered(1), at(103)).await.unwrap(), "a claim is settled once");
    assert!(!store.settle(&ghost, &Settlement::Released, at(104)).await.unwrap());
    assert_eq!(store.waiting(SLACK).await.unwrap().alerts, 0);
}

async fn an_expired_claim_that_nobody_took_still_counts(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let slow = claim_one(&*store, SLACK, 1).await;
    assert!(store.settle(&slow, &delivered(1), at(1_000)).await.unwrap());
    assert!(claim(&*store, SLACK, 1_001).await.is_empty());
}

async fn fences_only_grow(store: Arc<dyn Store>) {
    commit_one(&*store, fired("a", &[SLACK]), 1).await;
    let mut last = 0;
    for seconds in 1..20 {
        let claimed = claim_one(&*store, SLACK, seconds).await;
        assert!(claimed.fence > last);
        last = claimed.fence;
        assert!(store.settle(&claimed, &Settlement::Released, at(seconds)).await.unwrap());
    }
}

async fn many_workers_claim_each_delivery_once(store: Arc<dyn Store>) {
    let names: Vec<String> = (0..300).map(|number| format!("{number:04}")).collect();
    commit(&*store, names.iter().map(|id| fired(id, &[SLACK])).collect(), 1).await;
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let store = Arc::clone(&store);
        workers.spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let owner = format!("worker {worker}");
                let claims = store.claim(SLACK, &owner, at(2), at(60), 7).await.unwrap();
                if claims.is_empty() {
                    return claimed;
                }
                claimed.extend(claims.into_iter().map(|claim| claim.alert.alert.id.clone()));
            }
        });
    }
    let mut claimed = workers.join_all().await.concat();
    claimed.sort_unstable();
    assert_eq!(claimed, names);
}

async fn many_workers_tell_every_revision_in_order(store: Arc<dyn Store>) {
    // One side commits revisions, eight workers deliver; every sink's view of an alert must be its revisions in order.
    const ALERTS: u32 = 10;
    const REVISIONS: u32 = 20;
    let told = Arc::new(std::sync::Mutex::new(BTreeMap::<String, Vec<u32>>::new()));
    let mut tasks = tokio::task::JoinSet::new();
    let committing = Arc::clone(&store);
    tasks.spawn(async move {
        for revision in 1..=REVISIONS {
            for alert in 0..ALERTS {
                let alert = super::grown(&format!("{alert}"), revision.into());
                let kind = bedrock_watch_engine::alert::ChangeKind::Updated;
                commit_one(&*committing, super::change(kind, alert, &[SLACK]), 1).await;
            }
        }
    });
    for worker in 0..8 {
        let (store, told) = (Arc::clone(&store), Arc::clone(&told));
        tasks.spawn(async move {
            let owner = format!("worker {worker}");
            let all = || told.lock().unwrap().values().map(Vec::len).sum::<usize>();
            while all() < (ALERTS * REVISIONS) as usize {
                for claim in store.claim(SLACK, &owner, at(2), at(60), 3).await.unwrap() {
                    let through = pending(&claim).last().copied().unwrap();
                    told.lock().unwrap().entry(claim.alert.alert.id.clone()).or_default().extend(pending(&claim));
                    assert!(store.settle(&claim, &delivered(through), at(3)).await.unwrap());
                }
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    let told = told.lock().unwrap();
    assert_eq!(told.len(), ALERTS as usize);
    for (alert, revisions) in told.iter() {
        assert_eq!(*revisions, (1..=REVISIONS).collect::<Vec<_>>(), "{alert}");
    }
}
