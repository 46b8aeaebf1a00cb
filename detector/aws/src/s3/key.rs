//! What the key of an object says: whether it is a log of CloudTrail or of model invocations, and when it was delivered.
//!
//! `PREFIX/AWSLogs/[o-ORGANISATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHMMZ_X.json.gz`,
//! the time being that of delivery.

use bedrock_watch_engine::Second;

/// The folder below which AWS services keep their logs.
const ROOT: &str = "AWSLogs";
/// CloudTrail's folder.
const CLOUDTRAIL: &str = "CloudTrail";
/// The folder of model invocation logs.
const INVOCATION_LOGS: &str = "BedrockModelInvocationLogs";
/// What Bedrock writes there once, to see whether it may.
const PERMISSION_CHECK: &str = "amazon-bedrock-logs-permission-check";

/// Whether an object may hold events: a log of CloudTrail or of model invocations, or something that no service of AWS keeps there.
pub(super) fn may_hold_events(key: &str) -> bool {
    if key.is_empty() || key.ends_with('/') || key.ends_with(PERMISSION_CHECK) {
        return false;
    }
    folder_may_hold_events(key)
}

/// Whether a key or folder belongs to the prompts and completions that were too long for a log record: Bedrock keeps
/// those beside the logs, in `data/` below the hour. They are never fetched.
fn is_content(key: &str) -> bool {
    let mut below = key.split('/').skip_while(|segment| *segment != INVOCATION_LOGS);
    below.any(|segment| segment == "data")
}

/// The same of a folder, as far as it says.
pub(super) fn folder_may_hold_events(prefix: &str) -> bool {
    service(prefix).is_none_or(|service| service == CLOUDTRAIL || (service == INVOCATION_LOGS && !is_content(prefix)))
}

/// The service whose logs lie at `key`, where that can be told.
fn service(key: &str) -> Option<&str> {
    let mut segments = key.split('/').skip_while(|segment| *segment != ROOT).skip(1);
    let mut first = segments.next()?;
    if first.starts_with("o-") {
        first = segments.next()?;
    }
    let is_account = first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_digit());
    // What follows in a prefix may be the beginning of a name only.
    let service = segments.next().filter(|_| is_account)?;
    (segments.next().is_some()).then_some(service)
}

/// Whether a prefix is one region of a trail, `.../CloudTrail/REGION/`, below which there are years.
pub(super) fn is_region(prefix: &str) -> bool {
    let Some(inside) = prefix.strip_suffix('/') else { return false };
    let mut segments = inside.rsplit('/');
    let region = segments.next().unwrap_or_default();
    !region.is_empty() && segments.next() == Some(CLOUDTRAIL) && service(prefix) == Some(CLOUDTRAIL)
}

/// When the object was delivered: to the minute by its name, else to the day by its folders.
pub(super) fn delivered(key: &str) -> Option<Second> {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.split('_').find_map(stamp).or_else(|| day(key))
}

/// Reads `20261118T1405Z`.
fn stamp(text: &str) -> Option<Second> {
    let (date, rest) = (text.get(..8)?, text.get(8..)?);
    let (hour, minute) = (rest.strip_prefix('T')?.get(..2)?, rest.get(3..5)?);
    if rest.get(5..)? != "Z" || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    Second::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:00Z"))
}

/// Reads `/YYYY/MM/DD/`.
fn day(key: &str) -> Option<Second> {
    let segments: Vec<&str> = key.split('/').collect();
    segments.windows(3).rev().find_map(|window| {
        let [year, month, day] = window else { return None };
        let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_date = digits(year, 4) && digits(month, 2) && digits(day, 2);
        is_date.then(|| Second::parse(&format!("{year}-{month}-{day}T00:00:00Z")))?
    })
}

/// The folder of a day below a region, `YYYY/MM/DD/`.
pub(super) fn day_folder(time: Second) -> String {
    let text = time.to_rfc3339();
    format!("{}/", text.get(..10).unwrap_or_default().replace('-', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "x/AWSLogs/o-ab12/111122223333/CloudTrail/eu-west-1/2026/11/18/\
                       111122223333_CloudTrail_eu-west-1_20261118T1405Z_QWERTY.json.gz";

    #[test]
    fn logs_are_told_from_what_lies_beside_them() {
        let check = |key: &str, expected: bool| assert_eq!(may_hold_events(key), expected, "{key}");
        check(KEY, true);
        check("AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/18/a.json.gz", true);
        check("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/11/18/a.json.gz", false);
        check("AWSLogs/o-ab12/111122223333/CloudTrail-Insight/us-east-1/2026/11/18/a.json.gz", false);
        check("AWSLogs/111122223333/Config/us-east-1/2026/11/18/ConfigSnapshot/a.json.gz", false);
        check("AWSLogs/111122223333/CloudTrail/", false);
        let invocations = "x/AWSLogs/111122223333/BedrockModelInvocationLogs";
        check(&format!("{invocations}/us-east-1/2026/11/18/14/20261118T140512345Z_0a1b.json.gz"), true);
        check(&format!("{invocations}/us-east-1/2026/11/18/14/data/8b2e1f0a_input.json.gz"), false);
        check(&format!("{invocations}/us-east-1/2026/11/18/14/data/8b2e1f0a_output.json.gz"), false);
        check(&format!("{invocations}/amazon-bedrock-logs-permission-check"), false);
        check("copies/records.jsonl", true);
        check("AWSLogs/notes.txt", true);
        check("", false);
    }

    #[test]
    fn regions_are_recognised() {
        let check = |prefix: &str, expected: bool| assert_eq!(is_region(prefix), expected, "{prefix}");
        check("AWSLogs/111122223333/CloudTrail/us-east-1/", true);
        check("x/AWSLogs/o-ab12/111122223333/CloudTrail/us-east-1/", true);
        check("AWSLogs/111122223333/CloudTrail/us-east-1/2026/", false);
        check("AWSLogs/111122223333/CloudTrail/", false);
        check("AWSLogs/111122223333/CloudTrail/us-eas", false);
        check("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/", false);
    }

    #[test]
    fn the_time_of_delivery_is_in_the_name_or_the_folders() {
        let check = |key: &str, expected: Option<&str>| {
            assert_eq!(delivered(key).map(Second::to_rfc3339).as_deref(), expected, "{key}");
        };
        check(KEY, Some("2026-11-18T14:05:00Z"));
        check("a/2026/11/18/records.json", Some("2026-11-18T00:00:00Z"));
        check("a/2026/13/18/records.json", None);
        check("a/b_20261118T1405_c.json", None);
        check("a/b_20261118T14é5Z_c.json", None);
        check("records.json", None);
        assert_eq!(day_folder(Second::parse("2026-11-08T14:05:00Z").unwrap()), "2026/11/08/");
    }
}
