//! One history as it unfolds: a clock, the things that exist, and what happens next.

use std::collections::BTreeMap;

use bedrock_watch_engine::Second;
use serde_json::{Value, json};

use super::{
    calls,
    dependencies::{self, Dependencies},
    dependents,
    dice::Dice,
    groups::{self, Group},
    inventory,
    jobs::{self, Job},
    logging,
    people::{Kind, Person},
};

/// 2026-11-20T00:00:00Z.
const MIDNIGHT: i64 = 1_795_132_800;

/// How often one dependency or logging configuration changes in a history; some steps make several changes.
const CHANGES_MAX: u32 = 30;

pub(super) const REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "eu-central-1", "ap-south-1"];
const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];

pub(super) struct Story {
    pub dice: Dice,
    /// The present, in seconds since 1970; it only moves forward.
    pub now: i64,
    pub records: Vec<Value>,
    pub accounts: Vec<String>,
    pub regions: Vec<&'static str>,
    pub people: Vec<Person>,
    pub groups: Vec<Group>,
    pub dependencies: Dependencies,
    pub jobs: Vec<Job>,
    /// Log groups, buckets and roles of invocation logging that are deleted at the moment.
    pub lost_destinations: Vec<String>,
    /// How often each thing changed so far, by its name.
    pub changes: BTreeMap<String, u32>,
}

/// A call to AWS, as somebody made it.
pub(super) struct Deed<'a> {
    pub at: i64,
    pub account: &'a str,
    pub region: &'a str,
    pub by: &'a Person,
    /// The service's part of `eventSource`.
    pub service: &'a str,
    pub name: &'a str,
    pub request: Value,
    pub response: Value,
    pub error: Option<(&'a str, &'a str)>,
}

impl Story {
    pub(super) fn new(mut dice: Dice) -> Self {
        let count = dice.index(3) + 1;
        let accounts: Vec<String> = ACCOUNTS.iter().take(count).map(|&account| account.to_owned()).collect();
        let count = dice.index(3) + 1;
        let regions: Vec<&'static str> = REGIONS.iter().take(count).copied().collect();
        let people = accounts.iter().flat_map(|account| Person::cast(account, &mut dice)).collect();
        let start = match dice.index(3) {
            0 => MIDNIGHT - dice.between(0, 3_600),
            _ => MIDNIGHT + dice.between(0, 80_000),
        };
        let groups = groups::standing(&accounts, &regions, &mut dice);
        let dependencies = Dependencies::new(&accounts, &regions, &mut dice);
        Self {
            dice,
            now: start,
            records: Vec::new(),
            accounts,
            regions,
            people,
            groups,
            dependencies,
            jobs: Vec::new(),
            lost_destinations: Vec::new(),
            changes: BTreeMap::new(),
        }
    }

    /// Lets things happen until there are enough records.
    pub(super) fn tell(mut self) -> Vec<Value> {
        let records_max = self.dice.one_of([50, 80, 120, 200, 350, 600]);
        let pace = self.dice.one_of([2, 10, 60, 300]);
        let themes = self.themes();
        calls::remember_weeks_before(&mut self);
        // Some things happen without a record that counts; the number of steps ends such a history.
        for _ in 0..records_max {
            if self.records.len() >= records_max {
                break;
            }
            self.now += if self.dice.chance(25) { 0 } else { self.dice.between(0, 2 * pace) };
            let theme = self.dice.pick(&themes).unwrap_or(Theme::Calls);
            match theme {
                Theme::Jobs => jobs::something(&mut self),
                Theme::Groups => groups::something(&mut self),
                Theme::Dependencies => dependencies::something(&mut self),
                Theme::Dependents => dependents::something(&mut self),
                Theme::Inventory => inventory::look(&mut self),
                Theme::Logging => logging::something(&mut self),
                Theme::Calls => calls::something(&mut self),
            }
        }
        self.records
    }

    /// What this history is about; each theme as often as it is to be drawn.
    fn themes(&mut self) -> Vec<Theme> {
        let joins = [Theme::Jobs, Theme::Jobs, Theme::Groups, Theme::Groups, Theme::Dependencies];
        let logging = [Theme::Logging, Theme::Logging, Theme::Calls];
        let dependents = [Theme::Dependents, Theme::Dependents, Theme::Dependents];
        match self.dice.index(6) {
            5 => joins.into_iter().chain(dependents).chain([Theme::Dependencies, Theme::Logging]).collect(),
            0 => joins.into_iter().chain([Theme::Inventory]).collect(),
            1 => logging.to_vec(),
            2 => vec![Theme::Calls],
            3 => vec![Theme::Jobs, Theme::Dependencies, Theme::Dependencies, Theme::Inventory],
            _ => joins.into_iter().chain(logging).chain([Theme::Inventory]).collect(),
        }
    }

    /// Whether a thing may change once more: the engine remembers a limited number of changes of each, and what happens
    /// beyond a limit lies outside the order guarantee.
    pub(super) fn may_change(&mut self, thing: &str) -> bool {
        let changes = self.changes.entry(thing.to_owned()).or_default();
        *changes += 1;
        *changes <= CHANGES_MAX
    }

    pub(super) fn region(&mut self) -> &'static str {
        self.dice.pick(&self.regions).unwrap_or("us-east-1")
    }

    pub(super) fn account(&mut self) -> String {
        self.dice.pick(&self.accounts).unwrap_or_default()
    }

    /// Somebody of an account, sometimes of another one that has access.
    pub(super) fn somebody_of(&mut self, account: &str) -> Person {
        let abroad = self.dice.chance(5);
        let own: Vec<Person> =
            self.people.iter().filter(|person| abroad || person.account == account).cloned().collect();
        let fallback = || Person { kind: Kind::Root, account: account.to_owned(), name: "root" };
        self.dice.pick(&own).unwrap_or_else(fallback)
    }

    /// CloudTrail's record of a call.
    pub(super) fn record(&mut self, deed: Deed<'_>) {
        let bearer = deed.by.kind == Kind::ApiKeyUser && deed.service.starts_with("bedrock");
        let mut record = json!({
            "eventVersion": self.dice.one_of(["1.08", "1.11", "1.12"]),
            "userIdentity": deed.by.identity(&mut self.dice),
            "eventTime": rfc3339(deed.at),
            "eventSource": format!("{}.amazonaws.com", deed.service),
            "eventName": deed.name,
            "awsRegion": deed.region,
            "sourceIPAddress": self.dice.one_of(["203.0.113.7", "203.0.113.8", "198.51.100.9", "AWS Internal"]),
            "userAgent": self.dice.one_of(["Boto3/1.40 \"quoted\"", "aws-cli/2.27", "Terraform/1.9"]),
            "requestParameters": deed.request,
            "responseElements": if deed.error.is_some() { Value::Null } else { deed.response },
            "requestID": self.dice.uuid(),
            "eventID": self.dice.uuid(),
            "eventType": "AwsApiCall",
            "recipientAccountId": deed.account,
            "eventCategory": "Management",
        });
        if let Some((code, message)) = deed.error {
            put(&mut record, "errorCode", json!(code));
            put(&mut record, "errorMessage", json!(message));
        }
        if bearer {
            // One vendor writes a boolean, another a string.
            let flag = if self.dice.chance(50) { json!(true) } else { json!("true") };
            put(&mut record, "additionalEventData", json!({"callWithBearerToken": flag}));
        }
        self.records.push(record);
    }

    /// An event that does not come from CloudTrail.
    pub(super) fn native(&mut self, at: i64, place: (&str, &str), what: (&str, &str), detail: Value) {
        let envelope = json!({
            "version": "0",
            "id": self.dice.uuid(),
            "detail-type": what.1,
            "source": what.0,
            "account": place.0,
            "time": rfc3339(at),
            "region": place.1,
            "resources": [],
            "detail": detail,
        });
        self.records.push(envelope);
    }
}

#[derive(Debug, Clone, Copy)]
enum Theme {
    Jobs,
    Groups,
    Dependencies,
    Dependents,
    Inventory,
    Logging,
    Calls,
}

pub(super) fn put(record: &mut Value, field: &str, value: Value) {
    if let Value::Object(fields) = record {
        fields.insert(field.to_owned(), value);
    }
}

pub(super) fn rfc3339(time: i64) -> String {
    Second::from_unix(time).map(Second::to_rfc3339).unwrap_or_default()
}
