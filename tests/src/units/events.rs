//! What happens in a dozen accounts within ten minutes, with every kind of alert that moves: what all must know (jobs
//! lose their groups, logging is switched off), what one account does (bursts), and what joins both (calls that are not
//! logged).
//!
//! In the end everything that counts is over, by which it is told in full.

use bedrock_watch_engine::Second;
use serde_json::{Value, json};

const JOB: &str = include_str!("../../../rules/events/bedrock/CreateModelCustomizationJob.json");
const GROUP: &str = include_str!("../../../rules/events/ec2/DeleteSecurityGroup.json");
const LOGGING: &str = include_str!("../../../rules/events/bedrock/DeleteModelInvocationLoggingConfiguration.json");
const RESTORED: &str = include_str!("../../../rules/events/bedrock/PutModelInvocationLoggingConfiguration.json");
const CALL: &str = include_str!("../../../rules/events/bedrock/InvokeModel.json");

/// Accounts in which models are used unlogged.
const BLIND: [&str; 4] = ["210000000001", "210000000002", "210000000003", "210000000004"];
/// Accounts in which somebody calls without pause.
const BURSTING: [&str; 6] =
    ["310000000001", "310000000002", "310000000003", "310000000004", "310000000005", "310000000006"];
/// The account of the jobs.
const JOBS: &str = "111122223333";

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// The record.
    pub bytes: Vec<u8>,
    /// Its event time.
    pub at: Second,
    /// The account, where only the owner of the account's shard hears of it.
    pub activity_of: Option<String>,
}

/// Makes events, each with its own id.
#[derive(Debug)]
pub struct Events {
    /// When everything has happened.
    now: u32,
    made: u32,
}

impl Events {
    /// Events of the ten minutes before `now`, in seconds since 1970.
    #[must_use]
    pub const fn until(now: u32) -> Self {
        Self { now, made: 0 }
    }

    fn sample(&mut self, sample: &str, account: &str, seconds_ago: u32, change: impl FnOnce(&mut Value)) -> Event {
        self.made += 1;
        let mut event: Value = serde_json::from_str(&sample.replace("111122223333", account)).unwrap();
        let at = Second(self.now - seconds_ago);
        event["eventTime"] = at.to_rfc3339().into();
        event["eventID"] = format!("00000000-0000-4000-8000-{:012}", self.made).into();
        change(&mut event);
        let activity_of = (sample == CALL).then(|| account.to_owned());
        Event { bytes: event.to_string().into_bytes(), at, activity_of }
    }

    /// All of them, in the order in which they happened.
    #[must_use]
    pub fn all(mut self, jobs: u32) -> Vec<Event> {
        let mut events = Vec::new();
        for account in BLIND {
            events.push(self.sample(LOGGING, account, 595, |_| {}));
            for number in 0..64 {
                events.push(self.sample(CALL, account, 590 - number * 9, |_| {}));
            }
        }
        for number in 0..jobs {
            let (group, arn) = (format!("sg-{number:017}"), format!("model/{number:012}"));
            let began = 600 - number * 580 / jobs;
            events.push(self.sample(JOB, JOBS, began, |event| {
                event["requestParameters"]["vpcConfig"]["securityGroupIds"] = json!([group]);
                let job = format!("arn:aws:bedrock:us-east-1:{JOBS}:model-customization-job/{arn}");
                event["responseElements"]["jobArn"] = job.into();
            }));
            events.push(self.sample(GROUP, JOBS, began.saturating_sub(15), |event| {
                event["requestParameters"]["groupId"] = group.clone().into();
                event["responseElements"]["groupId"] = group.clone().into();
            }));
        }
        for (account, begins) in BURSTING.into_iter().zip((60..).step_by(90)) {
            for number in 0..128 {
                events.push(self.sample(CALL, account, begins - number / 3, |event| {
                    event["userIdentity"] = json!({ "type": "IAMUser", "accountId": account, "userName": "batch",
                        "arn": format!("arn:aws:iam::{account}:user/batch"), "accessKeyId": "AKIAIOSFODNN7EXAMPLE" });
                }));
            }
        }
        events.sort_by_key(|event| event.at);
        events
    }

    /// What comes an hour after `now`, when everything else is judged: logging is restored, by which it is told how much
    /// was not logged, and everybody learns that time has passed.
    #[must_use]
    pub fn ending(now: u32) -> Vec<Event> {
        let mut last = Self { now: now + 3_600, made: 999_999 };
        BLIND.map(|account| last.sample(RESTORED, account, 0, |_| {})).to_vec()
    }
}
