//! How fast AWS is asked: evenly spaced calls, for each account, region and service.
//!
//! AWS throttles by account, region and service too, and whoever exhausts that share takes it from everybody else in the
//! account. Deliberately no burst.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::places::Target;

/// When each account, region and service may be asked next.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    apart: Duration,
    next: Arc<Mutex<BTreeMap<(Target, &'static str), Instant>>>,
}

impl Pace {
    pub(super) fn new(calls_per_s: u32) -> Self {
        Self { apart: Duration::from_secs(1) / calls_per_s.max(1), next: Arc::default() }
    }

    /// Waits for the turn of one call.
    pub(super) async fn wait(&self, target: &Target, service: &'static str) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let free = next.entry((target.clone(), service)).or_insert_with(Instant::now);
            let turn = (*free).max(Instant::now());
            *free = turn + self.apart;
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_spaced_by_account_region_and_service() {
        let target =
            |account: &str| Target { account: account.to_owned(), region: "eu-west-1".to_owned(), of_all: false };
        let pace = Pace::new(10);
        let began = Instant::now();
        for (account, service) in [("1", "ec2"), ("1", "bedrock"), ("2", "ec2")] {
            pace.wait(&target(account), service).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "each has its own pace");
        for _ in 0..20 {
            pace.wait(&target("1"), "ec2").await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let rested = Instant::now();
        pace.wait(&target("1"), "ec2").await;
        pace.wait(&target("1"), "ec2").await;
        assert_eq!(rested.elapsed(), Duration::from_millis(100), "rest is no credit");
    }
}
