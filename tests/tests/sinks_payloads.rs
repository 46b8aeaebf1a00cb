//! Whatever is in an alert, what sinks send stays within the limits of those who receive it, calls nobody and hides
//! nothing: judged by limits written from the documentation, and by the models of Slack's own SDK.

use std::collections::BTreeMap;

use bedrock_watch_engine::alert::{Alert, ChangeKind, Severity, Status};
use bedrock_watch_service::{
    config::delivery::{AccountConfig, RoutingConfig},
    format::Format,
    sink::{
        Heard,
        payload::{Context, pagerduty, slack, webhook},
    },
    store::{Claim, Resolution},
};
use bedrock_watch_tests::{
    peers,
    receivers::{
        alerts::{HOSTILE, alert, claim, hostile, hostile_text, resolved},
        strict,
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

/// Hostile alerts that are tried.
const ALERTS: u64 = 100;
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn context(account: &str, name: &str, owner: &str) -> Context {
    let config = AccountConfig {
        name: Some(name.to_owned()),
        owner: Some(owner.to_owned()),
        group: Some("production".to_owned()),
        access: None,
    };
    Context::new(&RoutingConfig {
        accounts: BTreeMap::from([(account.to_owned(), config)]),
        runbook_url: Some("https://wiki.example.com/runbooks".to_owned()),
        console_url: Some("https://watch.example.com/".to_owned()),
        ..RoutingConfig::default()
    })
}

/// Claims as a sink may meet them: new, grown, over, resolved by somebody with hostile words.
#[cfg(test)]
fn claims(random: &mut StdRng) -> Vec<Claim> {
    let one = hostile(random);
    let worse = Alert { severity: Severity::Critical, status: Status::Firing, event_count: 8, ..one.clone() };
    let new = claim(&[(ChangeKind::Fired, one.clone())], 0, None).unwrap();
    let grown = claim(&[(ChangeKind::Fired, one.clone()), (ChangeKind::Updated, worse)], 1, Some("{}")).unwrap();
    let mut over = claim(&[(ChangeKind::Fired, one.clone()), (ChangeKind::Resolved, resolved(&one))], 1, None).unwrap();
    over.alert.resolution = Some(Resolution { author: hostile_text(random), reason: hostile_text(random) });
    let mut reminder = claim(&[(ChangeKind::Fired, one)], 1, None).unwrap();
    (reminder.reminder, reminder.unsettled) = (true, true);
    vec![new, grown, over, reminder]
}

/// Every kind of Slack message about these claims.
fn slack_messages(claims: &[Claim], context: &Context) -> Vec<Value> {
    let each = claims.iter().flat_map(|claim| {
        let told = Some(Heard { severity: Severity::Low, over: false });
        [slack::alert(claim, context, true), slack::note(claim, told, true), slack::note(claim, None, false)]
    });
    let many: Vec<Claim> = claims.iter().cycle().take(40).cloned().collect();
    let digests = [slack::digest(claims, context, true), slack::digest(&many, context, false)];
    each.chain(digests).map(|message| message.body()).collect()
}

#[tokio::test]
async fn hostile_strings_stay_strings() {
    let python = peers::python(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut lines = String::new();
    for seed in 0..ALERTS {
        let mut random = StdRng::seed_from_u64(seed);
        let claims = claims(&mut random);
        let first = &claims[0].alert.alert;
        let context = context(&first.account, &hostile_text(&mut random), &hostile_text(&mut random));
        for message in slack_messages(&claims, &context) {
            let wrong = strict::slack(&message);
            assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
            lines.push_str(&message.to_string());
            lines.push('\n');
        }
        for one in &claims {
            for event in [
                pagerduty::trigger(KEY, &one.alert.alert, &context),
                pagerduty::resolve(KEY, &pagerduty::dedup_key(&one.alert.alert)),
            ] {
                let wrong = strict::pagerduty(&event, event.to_string().len());
                assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
            }
            for format in [Format::Json, Format::Ocsf] {
                let body = webhook::body(ChangeKind::Fired, &one.alert.alert, Some("i-1"), format);
                assert!(!body.contains('\n') && serde_json::from_str::<Value>(&body).is_ok(), "seed {seed}");
            }
        }
    }
    let messages = lines.lines().count();
    let said = peers::script(&python, "check_blocks.py", &[], &lines).await.unwrap();
    assert_eq!(said.trim(), format!("checked {messages}"), "{}", said.lines().take(5).collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn the_models_find_what_is_wrong() {
    // The peer must be able to say no, or its yes is worth nothing.
    let python = peers::python(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let text = |length: usize| json!({ "type": "mrkdwn", "text": "x".repeat(length) });
    let bad = [
        json!({ "type": "section", "text": text(3_001) }),
        json!({ "type": "header", "text": { "type": "plain_text", "text": "x".repeat(151) } }),
        json!({ "type": "section", "fields": vec![text(1); 11] }),
        json!({ "type": "sektion", "text": text(1) }),
        json!({ "type": "section", "text": text(1), "colour": "red" }),
    ];
    for block in bad {
        let message = json!({ "text": "x", "blocks": [block] }).to_string();
        let said = peers::script(&python, "check_blocks.py", &[], &message).await.unwrap();
        assert!(said.starts_with("message 0: block 0"), "{message}: {said}");
    }
}

#[test]
fn the_strict_receivers_find_what_is_wrong() {
    let check_slack = |change: fn(&mut Value), problem: &str| {
        let claim = claim(&[(ChangeKind::Fired, alert("a"))], 0, None).unwrap();
        let mut message = slack::alert(&claim, &Context::default(), false).body();
        assert_eq!(strict::slack(&message), Vec::<String>::new());
        change(&mut message);
        assert!(strict::slack(&message).iter().any(|wrong| wrong.contains(problem)), "{problem}");
    };
    check_slack(|message| message["text"] = json!("<!channel>"), "markup");
    check_slack(|message| message["blocks"][0]["text"]["text"] = json!("x".repeat(151)), "header");
    check_slack(|message| message["blocks"][1]["text"]["text"] = json!("a &am"), "escape");
    check_slack(|message| message["blocks"][1]["text"]["text"] = json!("a\u{202e}"), "hidden");
    check_slack(|message| message["blocks"][2]["fields"][0]["text"] = json!("a ` b"), "code span");
    check_slack(|message| message["blocks"][2]["fields"][0]["text"] = json!("```a```b```"), "code span");
    let check_pagerduty = |change: fn(&mut Value), problem: &str| {
        let mut event = pagerduty::trigger(KEY, &alert("a"), &Context::default());
        assert_eq!(strict::pagerduty(&event, 1), Vec::<String>::new());
        change(&mut event);
        assert!(strict::pagerduty(&event, 1).iter().any(|wrong| wrong.contains(problem)), "{problem}");
    };
    check_pagerduty(|event| event["payload"]["severity"] = json!("high"), "severity");
    check_pagerduty(|event| event["payload"]["summary"] = json!("x".repeat(1_025)), "summary");
    check_pagerduty(|event| event["payload"]["colour"] = json!(1), "payload.colour");
    check_pagerduty(|event| event["dedup_key"] = json!("x".repeat(256)), "dedup_key");
}

#[test]
fn a_slack_message_says_everything_a_responder_needs() {
    let mut one = alert("7d1c0f");
    one.facts.insert("learning".to_owned(), json!(true));
    let context = context("111122223333", "payments-prod", "team-ml <ml@example.com>");
    let claim = claim(&[(ChangeKind::Fired, one)], 0, None).unwrap();
    let message = slack::alert(&claim, &context, false).body();
    let text = message.to_string();
    let wanted = [
        "🔴 CRITICAL: Security group deleted under a live Bedrock customization job",
        "mallory deleted security group sg-0a1b2c3d",
        "*Who*\\n`arn:aws:iam::111122223333:user/mallory`\\nkey `AKIAIOSFODNN7EXAMPLE`",
        "`payments-prod (111122223333)`\\neu-west-1\\nowner `team-ml &lt;ml@example.com&gt;`\\ngroup production",
        "*Since*\\n2026-11-18",
        "`198.51.100.7` public internet\\nthrough `api_key`",
        "`aws-cli/2.31.4",
        "known for less than 7 days",
        "1 Bedrock customization job depends on it. Training may fail",
        "`support-tone` InProgress",
        "1. Recreate the group and its rules\\n```\\naws ec2 create-security-group --region eu-west-1 \\\\\\n",
        "&gt; /dev/null &amp;&amp; echo done\\n```",
        "https://wiki.example.com/runbooks/rules/customization-job-security-group-deleted/runbook.md",
        "https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/6b2f6c1e-",
        "https://watch.example.com/#alert=7d1c0f",
        "alert `7d1c0f`",
    ];
    for part in wanted {
        assert!(text.contains(part), "{part}\nin {text}");
    }
    assert!(!text.contains("Possible repeat"));
    let again = slack::alert(&claim, &context, true).body().to_string();
    assert!(again.contains("Possible repeat"));
}

#[test]
fn hostile_strings_are_hostile() {
    // What the property test relies on.
    let mut random = StdRng::seed_from_u64(1);
    let texts: Vec<String> = (0..400).map(|_| hostile_text(&mut random)).collect();
    assert!(texts.iter().any(|text| text.len() >= 100_000));
    for hostile in HOSTILE {
        assert!(texts.iter().any(|text| text.contains(hostile)), "{hostile:?}");
    }
    let events = |summary: &str| {
        pagerduty::trigger(KEY, &Alert { summary: summary.to_owned(), ..alert("a") }, &Context::default())
    };
    let (one, other) = (events("1 call"), events("2 calls"));
    assert_eq!(one["payload"]["summary"], other["payload"]["summary"], "an incident keeps its name");
}
