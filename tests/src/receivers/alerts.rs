//! Alerts for the tests of sinks: an ordinary one, and ones full of hostile strings.

use std::sync::Arc;

use bedrock_watch_engine::{
    Second,
    alert::{Actor, Alert, ChangeKind, Remediation, Severity, Status, SubjectKind},
};
use bedrock_watch_service::store::{Change, Claim, Destination, Revision, StoredAlert};
use jiff::Timestamp;
use rand::{Rng, rngs::StdRng};
use serde_json::{Map, Value, json};

/// When the tests' alerts happen.
pub const START: u32 = 1_795_000_000;

/// A critical alert about a deleted security group.
#[must_use]
pub fn alert(id: &str) -> Alert {
    let user = "arn:aws:iam::111122223333:user/mallory";
    let job = "arn:aws:bedrock:eu-west-1:111122223333:model-customization-job/amazon.nova-lite-v1:0:256k/a1b2c3d4e5f6";
    let facts = json!({
        "jobs": [{ "arn": job, "name": "support-tone", "status": "InProgress" }],
        "deleted_by": user,
        "dependency_kind": "security_group",
        "dependency_account": "111122223333",
    });
    let command = "aws ec2 create-security-group --region eu-west-1 \\\n  --group-name tuning --description 'for jobs' --vpc-id vpc-0f3c1d\n\
                   aws ec2 authorize-security-group-egress --group-id \"$NEW\" --ip-permissions 'IpProtocol=tcp,FromPort=443,ToPort=443' > /dev/null && echo done";
    Alert {
        id: id.to_owned(),
        rule: "customization-job-security-group-deleted".to_owned(),
        title: "Security group deleted under a live Bedrock customization job".to_owned(),
        summary: format!("{user} deleted security group sg-0a1b2c3d in 111122223333, which a live job depends on"),
        severity: Severity::Critical,
        status: Status::Firing,
        account: "111122223333".to_owned(),
        region: Some("eu-west-1".to_owned()),
        subject_kind: SubjectKind::CustomizationJobDependency,
        subject_id: "sg-0a1b2c3d".to_owned(),
        principal: Some(user.to_owned()),
        actor: Actor {
            arn: Some(user.to_owned()),
            kind: Some("IAMUser".to_owned()),
            access_key_id: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
            session_name: None,
            source_ip: Some("198.51.100.7".to_owned()),
            user_agent: Some("aws-cli/2.31.4 md/awscrt#0.28 exec-env/none".to_owned()),
            via: Some("api_key".to_owned()),
            workload: None,
            source_identity: None,
        },
        first_event_time: Second(START),
        last_event_time: Second(START),
        event_ids: vec!["6b2f6c1e-5a0d-4a44-9f1e-1c7f2b6f9c11".to_owned()],
        event_count: 1,
        facts: facts.as_object().cloned().unwrap_or_default(),
        attack: vec!["T1489".to_owned(), "T1562.007".to_owned()],
        runbook: "rules/customization-job-security-group-deleted/runbook.md".to_owned(),
        repair: vec![Remediation { title: "Recreate the group and its rules".to_owned(), command: command.to_owned() }],
    }
}

/// The moment `seconds` after the start.
///
/// # Panics
/// Never: the moment is within jiff's range.
#[must_use]
pub fn at(seconds: u32) -> Timestamp {
    Timestamp::from_second(i64::from(START.saturating_add(seconds))).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A change for the store.
#[must_use]
pub fn change(kind: ChangeKind, alert: &Alert, sinks: &[&str]) -> Change {
    let destination =
        |sink: &&str| Destination { sink: (*sink).to_owned(), not_before: None, group: None, skip_if_undone: false };
    Change {
        kind,
        alert: Arc::new(alert.clone()),
        trace_id: None,
        destinations: sinks.iter().map(destination).collect(),
        silence: None,
        suppressed: None,
        only_if_new: false,
    }
}

/// A claim of an alert that has gone through these states; the sink was told of the first `delivered`.
#[must_use]
pub fn claim(states: &[(ChangeKind, Alert)], delivered: u32, memo: Option<&str>) -> Option<Claim> {
    let revisions = states.iter().zip(1_u32..).map(|((kind, alert), revision)| Revision {
        revision,
        at: at(revision),
        kind: *kind,
        alert: Arc::new(alert.clone()),
        resolution: None,
    });
    let revisions: Vec<Revision> = revisions.collect();
    let last = revisions.last()?;
    let alert = StoredAlert {
        alert: Arc::clone(&last.alert),
        revision: last.revision,
        created_at: at(0),
        changed_at: last.at,
        trace_id: None,
        silence: None,
        resolution: None,
    };
    Some(Claim {
        sink: "test".to_owned(),
        alert,
        fence: 1,
        until: at(600),
        delivered,
        pending: revisions.into_iter().filter(|one| one.revision > delivered).collect(),
        memo: memo.map(str::to_owned),
        attempts: 0,
        unsettled: false,
        reminder: false,
        group: None,
        skip_if_undone: false,
    })
}

/// The same alert, resolved.
#[must_use]
pub fn resolved(alert: &Alert) -> Alert {
    Alert { status: Status::Resolved, last_event_time: alert.last_event_time.plus(900), ..alert.clone() }
}

/// What attackers put into names and user agents to call people, break layouts or exceed limits.
pub const HOSTILE: [&str; 24] = [
    "<!channel>",
    "<!here|here>",
    "<@U012AB3CD>",
    "<!subteam^S1>",
    "<https://evil.example/|your bank>",
    "https://evil.example/",
    "@channel @here @everyone",
    "```\n*bold* _it_ ~no~ `code`\n```",
    "`",
    "```",
    "&lt;!channel&gt;",
    "&",
    "<",
    ">",
    "\n\n\n# heading\n> quote",
    "\r\n\t\u{b}\u{c}",
    "\u{202e}gpj.exe",
    "\u{200b}\u{200d}\u{feff}\u{2066}",
    "\u{1b}[2J\u{7}\u{0}",
    ":rotating_light: :skull:",
    "𝕏👩‍👩‍👧‍👦é",
    "'; rm -rf / #\"$(id)",
    "\u{e0041}\u{3164}\u{ad}",
    "{\"a\":[1,2]}",
];

/// A hostile string; now and then one of 100 kB.
pub fn hostile_text(random: &mut StdRng) -> String {
    let mut text = String::new();
    for _ in 0..random.random_range(1..6) {
        text.push_str(HOSTILE.get(random.random_range(0..HOSTILE.len())).copied().unwrap_or_default());
    }
    match random.random_range(0..20) {
        0 => text.repeat(100_000_usize.div_ceil(text.len().max(1))),
        1..5 => text.repeat(random.random_range(1..200)),
        _ => text,
    }
}

/// An alert in which every string that can come from a record, and a good deal more, is hostile.
pub fn hostile(random: &mut StdRng) -> Alert {
    let mut text = |present: u32| (random.random_range(0..4) < present).then(|| hostile_text(random));
    let actor = Actor {
        arn: text(3),
        kind: text(2),
        access_key_id: text(3),
        session_name: text(3),
        source_ip: text(3),
        user_agent: text(4),
        via: text(2),
        workload: text(2),
        source_identity: None,
    };
    let principal = text(3);
    let region = text(3);
    let mut some = || hostile_text(random);
    let (id, rule, title, summary) = (some(), some(), some(), some());
    let (account, subject_id, runbook) = (some(), some(), some());
    let event_ids = vec![some(), some()];
    let attack = vec![some(); 30];
    let repair = (0..7).map(|_| Remediation { title: some(), command: some() }).collect();
    let mut facts = Map::new();
    let jobs = (0..40).map(|_| json!({ "arn": some(), "name": some(), "status": some() })).collect();
    facts.insert("jobs".to_owned(), Value::Array(jobs));
    facts.insert("new_models".to_owned(), json!([some(), some()]));
    facts.insert("reason".to_owned(), json!(some()));
    facts.insert(some(), json!({ "deep": [[[[[[[[[some()]]]]]]]]] }));
    facts.insert("dependency_kind".to_owned(), json!("role"));
    let kinds = [
        SubjectKind::CustomizationJobDependency,
        SubjectKind::InvocationLogging,
        SubjectKind::Principal,
        SubjectKind::Event,
        SubjectKind::Dependency,
    ];
    let subject_kind = kinds.get(random.random_range(0..kinds.len())).copied().unwrap_or(SubjectKind::Event);
    let severity = Severity::ALL.get(random.random_range(0..5)).copied().unwrap_or(Severity::High);
    let statuses = [Status::Firing, Status::Firing, Status::Resolved, Status::Withdrawn];
    let status = statuses.get(random.random_range(0..statuses.len())).copied().unwrap_or(Status::Firing);
    Alert {
        id,
        rule,
        title,
        summary,
        severity,
        status,
        account,
        region,
        subject_kind,
        subject_id,
        principal,
        actor,
        first_event_time: Second(START),
        last_event_time: Second(START + 60),
        event_ids,
        event_count: random.random(),
        facts,
        attack,
        runbook,
        repair,
    }
}
