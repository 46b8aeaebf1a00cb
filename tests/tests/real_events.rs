//! OPTIONAL: real CloudTrail records raise no alert, and exactly one when a job is added that they endanger.
//!
//! The records are not part of the repository. `BEDROCK_WATCH_REAL_EVENTS` names a file with them, plain or gzip, in any
//! form that `replay` reads; without it the tests print that they were skipped and pass.

use std::{
    env,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::PathBuf,
};

use bedrock_watch_engine::{
    Engine, Second, Settings,
    alert::{Alert, Status},
    decode::decode,
};
use bedrock_watch_tests::repository::{compiled, rule_pack};
use flate2::read::MultiGzDecoder;

const VARIABLE: &str = "BEDROCK_WATCH_REAL_EVENTS";
/// A security group that is deleted in the records.
const GROUP: &str = "sg-04cfb7a4712d75b00";

#[expect(clippy::print_stderr, reason = "whoever runs the tests must learn that some were skipped")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// The file with the records, if there is one.
fn given(test: &str) -> Option<PathBuf> {
    let path = env::var_os(VARIABLE).map(PathBuf::from);
    if path.is_none() {
        say(&format!("{test}: SKIPPED, because {VARIABLE} does not name a file with real CloudTrail records"));
    }
    path
}

/// The records, one a line.
fn records(path: &PathBuf) -> io::Result<Vec<Vec<u8>>> {
    let mut magic = [0_u8; 2];
    File::open(path)?.read_exact(&mut magic)?;
    let file = File::open(path)?;
    let reader: Box<dyn io::Read> =
        if magic == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    BufReader::new(reader).split(b'\n').filter(|line| !matches!(line, Ok(line) if line.is_empty())).collect()
}

/// The alerts after all records, and what was wrong with records.
fn judged(records: &[Vec<u8>]) -> Result<(Vec<Alert>, Vec<String>), String> {
    let mut engine = Engine::new(compiled(&rule_pack()?)?, Settings::standard());
    let mut now = Second::MIN;
    let mut errors = Vec::new();
    for (number, record) in records.iter().enumerate() {
        match decode(record) {
            Ok(activity) => now = now.max(activity.time()),
            Err(error) => errors.push(format!("record {}: {error}", number + 1)),
        }
        if let Err(error) = engine.judge(record, now) {
            errors.push(format!("record {}: {error}", number + 1));
        }
    }
    engine.finish();
    Ok((engine.alerts(), errors))
}

/// A running job that names the group, written before everything else.
fn job(account: &str) -> Result<Vec<u8>, String> {
    let pack = rule_pack()?;
    let sample = pack.event("bedrock/CreateModelCustomizationJob").ok_or("no sample record of a job")?;
    let mut record: serde_json::Value = serde_json::from_slice(sample).map_err(|error| error.to_string())?;
    let changes = [
        ("/eventTime", "2023-07-10T11:00:00Z".into()),
        ("/recipientAccountId", account.into()),
        ("/requestParameters/vpcConfig/securityGroupIds", serde_json::json!([GROUP])),
    ];
    for (path, value) in changes {
        *record.pointer_mut(path).ok_or_else(|| format!("the sample record has no {path}"))? = value;
    }
    serde_json::to_vec(&record).map_err(|error| error.to_string())
}

#[test]
fn optional_real_events_raise_no_alert_and_decode_without_an_error() {
    let Some(path) = given("no alert") else { return };
    let records = records(&path).unwrap();
    let (alerts, errors) = judged(&records).unwrap();
    say(&format!("{} records, {} errors, {} alerts", records.len(), errors.len(), alerts.len()));
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(alerts.is_empty(), "{alerts:#?}");
}

#[test]
fn optional_real_events_with_a_job_raise_exactly_one_alert() {
    let Some(path) = given("one alert") else { return };
    let real = records(&path).unwrap();
    let account = account_of(&real).unwrap();
    // First and last: it must not matter when the job becomes known.
    for job_first in [true, false] {
        let mut records = real.clone();
        records.insert(if job_first { 0 } else { real.len() }, job(&account).unwrap());
        let (alerts, errors) = judged(&records).unwrap();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        let [alert] = alerts.as_slice() else { panic!("{} alerts instead of one: {alerts:#?}", alerts.len()) };
        assert_eq!(
            (alert.rule.as_str(), alert.subject_id.as_str(), alert.status),
            ("customization-job-security-group-deleted", GROUP, Status::Firing)
        );
    }
}

/// The account that the records are of.
fn account_of(records: &[Vec<u8>]) -> Option<String> {
    let first: serde_json::Value = serde_json::from_slice(records.first()?).ok()?;
    let account = first.get("recipientAccountId").or_else(|| first.pointer("/userIdentity/accountId"))?;
    account.as_str().map(str::to_owned)
}
