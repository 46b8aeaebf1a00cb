//! `audit` against moto: jobs whose groups exist, are missing or are in another VPC, jobs without VPC, in three regions
//! and two accounts; and what is said when something cannot be asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output},
};

use bedrock_watch_service::config::{AccountConfig, aws::AccountAccess};
use bedrock_watch_tests::{
    emulators::{self, ACCOUNT, Emulator},
    program::binary,
    training::Training,
};
use serde_json::Value;

const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");
const OTHER: &str = "444455556666";
const ROLE: &str = "arn:aws:iam::444455556666:role/watch";
const NEVER: &str = "sg-0123456789abcdef0";

/// Region, account, job, group, verdict.
type Found = (String, String, String, String, String);

struct World {
    emulator: Emulator,
    folder: tempfile::TempDir,
    expected: BTreeSet<Found>,
}

#[cfg(test)]
impl World {
    /// Jobs in three regions of the own account and two of another one.
    async fn make() -> Self {
        let emulator = emulators::aws(SCRATCH).await.unwrap();
        let access = AccountAccess { role_arn: Some(ROLE.to_owned()), external_id: None, regions: Vec::new() };
        let account = AccountConfig { access: Some(access), ..AccountConfig::default() };
        let aws = emulator.aws_with(&[(OTHER, account)]).await;
        let mut expected = BTreeSet::new();
        let mut expect = |account: &str, region: &str, job: &str, group: &str, verdict: &str| {
            let words = [account, region, job, group, verdict].map(str::to_owned);
            expected.insert(words.into());
        };
        for (account, region) in
            [(ACCOUNT, "eu-central-1"), (ACCOUNT, "us-east-1"), (OTHER, "eu-central-1"), (OTHER, "us-east-1")]
        {
            let training = Training::at(&aws, account, region).await;
            let (here, there) = (training.vpc().await, training.vpc().await);
            let (good, foreign) = (training.group(&here).await, training.group(&there).await);
            let deleted = training.group(&here).await;
            training.delete_group(&deleted).await;
            training.job("fine", &[&here.subnet], &[&good]).await;
            training.job("broken", &[&here.subnet], &[&good, &deleted]).await;
            expect(account, region, "broken", &deleted, "missing");
            if region == "eu-central-1" {
                training.job("stopped", &[&here.subnet], &[NEVER]).await;
                training.stop("stopped").await;
                training.job("astray", &[&here.subnet], &[&foreign]).await;
                training.job("bare", &[], &[]).await;
                expect(account, region, "stopped", NEVER, "missing");
                expect(account, region, "astray", &foreign, "other-vpc");
                expect(account, region, "bare", "", "no-vpc");
            }
        }
        let training = Training::at(&aws, ACCOUNT, "ap-south-1").await;
        let vpc = training.vpc().await;
        let group = training.group(&vpc).await;
        training.job("fine", &[&vpc.subnet], &[&group]).await;
        Training::at(&aws, ACCOUNT, "eu-west-1").await.job("bare", &[], &[]).await;
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[aws]\nregion = \"eu-central-1\"\nendpoint_url = \"{}\"\ncalls_per_s = 1000\n\
             regions = [\"eu-central-1\", \"us-east-1\", \"ap-south-1\"]\n\
             [[account]]\nid = \"{OTHER}\"\nname = \"tuning\"\nrole_arn = \"{ROLE}\"\nexternal_id = \"only-for-us\"\n",
            emulator.url
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { emulator, folder, expected }
    }

    fn audit(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(binary());
        command.args(["audit", "--config"]).arg(self.folder.path().join("config.toml")).args(arguments);
        let Output { status, stdout, stderr } = command.envs(self.emulator.environment()).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn found(findings: &[Value]) -> BTreeSet<Found> {
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pointers = ["/account", "/region", "/job/name", "/group", "/verdict"];
    findings.iter().map(|finding| pointers.map(|pointer| text(finding, pointer)).into()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_of_every_account_and_region_is_judged() {
    let world = World::make().await;
    finds_everything(&world);
    narrows(&world);
    says_it_in_other_forms(&world);
    names_what_cannot_be_asked(&world);
}

#[cfg(test)]
fn finds_everything(world: &World) {
    let (code, stdout, stderr) = world.audit(&["--format", "json"]);
    assert_eq!(code, Some(3), "{stderr}");
    let all = lines(&stdout);
    assert_eq!(all.len(), stdout.lines().count(), "every line is JSON");
    let (summary, findings) = all.split_last().unwrap();
    assert_eq!(found(findings), world.expected);
    assert_eq!(summary["kind"], "summary");
    assert_eq!((&summary["places"], &summary["jobs"], &summary["complete"]), (&6.into(), &15.into(), &true.into()));
    let verdicts: BTreeMap<String, u64> = serde_json::from_value(summary["verdicts"].clone()).unwrap();
    let counts = [("exists", 9), ("missing", 6), ("no-vpc", 2), ("other-vpc", 2)];
    assert_eq!(verdicts, counts.map(|(verdict, count)| (verdict.to_owned(), count)).into());
    for finding in findings {
        let commands: Vec<&str> =
            finding["remediation"].as_array().unwrap().iter().filter_map(|one| one["command"].as_str()).collect();
        let text = commands.join("\n");
        let job = finding["job"]["name"].as_str().unwrap();
        assert!(text.contains("bedrock create-model-customization-job"), "{finding}");
        assert!(text.contains(&format!("--job-name {job}-r")), "{finding}");
        assert!(text.contains("epochCount"), "the job's own hyperparameters: {finding}");
        assert_eq!(text.contains("ec2 create-security-group"), finding["verdict"] != "no-vpc", "{finding}");
    }
}

#[cfg(test)]
fn narrows(world: &World) {
    let check = |arguments: &[&str], expected_code: i32, places: u64| {
        let (code, stdout, stderr) = world.audit(&[arguments, &["--format", "json"]].concat());
        assert_eq!(code, Some(expected_code), "{arguments:?}: {stderr}");
        assert_eq!(lines(&stdout).last().unwrap()["places"], places, "{arguments:?}");
    };
    check(&["--region", "ap-south-1", "--account", ACCOUNT], 0, 1);
    check(&["--region", "ap-south-1"], 0, 2);
    check(&["--region", "us-east-1", "--region", "ap-south-1", "--account", OTHER], 3, 2);
    check(&["--region", "eu-west-1"], 0, 2);
    check(&["--region", "eu-west-1", "--strict"], 3, 2);
    let (code, stdout, _) = world.audit(&["--all-regions", "--account", ACCOUNT, "--format", "json"]);
    let all = lines(&stdout);
    assert_eq!(code, Some(3));
    assert!(all.last().unwrap()["places"].as_u64().unwrap() > 10, "every enabled region");
    let (code, stdout, stderr) = world.audit(&["--account", "999999999999"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("999999999999") && stderr.contains(OTHER), "{stderr}");
}

#[cfg(test)]
fn says_it_in_other_forms(world: &World) {
    let (code, table, _) = world.audit(&["--format", "human"]);
    assert_eq!(code, Some(3));
    let rows = table.lines().take_while(|line| !line.is_empty()).count();
    assert_eq!(rows, 1 + 19, "a heading and every job with each of its groups:\n{table}");
    for word in ["missing", "no VPC configuration", "in another VPC", "exists", "15 jobs in 6 places"] {
        assert!(table.contains(word), "{word}:\n{table}");
    }
    let (_, ocsf, _) = world.audit(&["--format", "ocsf"]);
    let ocsf = lines(&ocsf);
    assert_eq!(ocsf.len(), world.expected.len());
    assert!(ocsf.iter().all(|finding| finding["class_uid"] == 2003));
    let (_, asff, _) = world.audit(&["--format", "asff"]);
    let batches = lines(&asff);
    assert_eq!(batches.len(), 4, "one for each account and region with findings");
    let findings: Vec<&Value> = batches.iter().flat_map(|batch| batch["Findings"].as_array().unwrap()).collect();
    assert_eq!(findings.len(), world.expected.len());
    let ids: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["Id"].as_str()).collect();
    assert_eq!(ids.len(), findings.len(), "every finding has an id of its own");
}

#[cfg(test)]
fn names_what_cannot_be_asked(world: &World) {
    let mut command = Command::new(binary());
    command.args(["audit", "--region", "eu-central-1"]).envs(world.emulator.environment());
    // Nothing listens there.
    let Output { status, stdout, stderr } = command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").output().unwrap();
    assert_eq!((status.code(), stdout.len()), (Some(1), 0));
    assert!(String::from_utf8_lossy(&stderr).contains("sts:GetCallerIdentity"), "{}", String::from_utf8_lossy(&stderr));
}
