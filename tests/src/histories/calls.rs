//! Calls to models: ordinary work and every pattern that the principal rules are about, at and around its boundary.

use serde_json::{Value, json};

use super::{
    people::Person,
    story::{Deed, REGIONS, Story},
};

const DAY: i64 = 86_400;

/// Ways to write seven models and those that nobody can tell apart.
const MODELS: [&str; 12] = [
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "us.anthropic.claude-3-sonnet-20240229-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-sonnet-20240229-v1:0",
    "amazon.nova-pro-v1:0",
    "arn:aws:bedrock:us-east-1:111122223333:inference-profile/eu.amazon.nova-pro-v1:0",
    "amazon.titan-text-lite-v1",
    "meta.llama3-70b-instruct-v1:0",
    "global.mistral.mistral-large-2402-v1:0",
    "cohere.command-r-v1:0",
    "ai21.jamba-1-5-large-v1:0",
    "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3",
    "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/x9",
];

type Failure = Option<(&'static str, &'static str)>;

const DENIED: Failure = Some(("AccessDeniedException", "User is not authorized"));
const THROTTLED: Failure = Some(("ThrottlingException", "Too many requests"));
const PROBE: Failure = Some(("ValidationException", "max_tokens must be at least 1"));

/// One principal at work in one account and region.
struct Work {
    by: Person,
    account: String,
    region: &'static str,
}

fn work(story: &mut Story) -> Work {
    let account = story.account();
    Work { by: story.somebody_of(&account), account, region: story.region() }
}

/// Models with seven distinct names.
fn distinct_models() -> Vec<&'static str> {
    [0, 3, 5, 6, 7, 8, 9, 10].into_iter().filter_map(|index| MODELS.get(index).copied()).collect()
}

fn invoke(story: &mut Story, work: &Work, at: i64, model: Option<&str>, error: Failure) {
    let name = match model {
        Some(_) => story.dice.one_of(["InvokeModel", "InvokeModel", "Converse", "ConverseStream", "StartAsyncInvoke"]),
        None => story.dice.one_of(["InvokeAgent", "Retrieve", "RetrieveAndGenerate"]),
    };
    let request = model.map_or_else(|| json!({"agentId": "Q1"}), |model| json!({"modelId": model}));
    call(story, work, at, ("bedrock", name), request, error);
}

fn call(story: &mut Story, work: &Work, at: i64, (service, name): (&str, &str), request: Value, error: Failure) {
    let (account, region, response) = (work.account.as_str(), work.region, Value::Null);
    story.record(Deed { at, account, region, by: &work.by, service, name, request, response, error });
}

fn outcome(story: &mut Story) -> Failure {
    match story.dice.index(12) {
        0 => DENIED,
        1 => THROTTLED,
        2 => PROBE,
        3 => Some(("ResourceNotFoundException", "legacy")),
        4 => Some(("ModelNotReadyException", "wait")),
        _ => None,
    }
}

/// What was called weeks ago decides what is new today; some of it lies exactly at the edge of what is remembered.
pub(super) fn remember_weeks_before(story: &mut Story) {
    if !story.dice.chance(35) {
        return;
    }
    for _ in 0..story.dice.between(1, 12) {
        let work = work(story);
        let edge = story.dice.one_of([7 * DAY, 30 * DAY, 30 * DAY, 31 * DAY, DAY]);
        let at = story.now - edge + story.dice.between(-600, 3_000);
        let model = story.dice.one_of(MODELS);
        invoke(story, &work, at, Some(model), None);
    }
    if story.dice.chance(50) {
        routine(story);
    }
}

/// A principal with enough minutes of activity for a baseline, or nearly, and then usually too many calls for it.
fn routine(story: &mut Story) {
    let work = work(story);
    let minutes = story.dice.between(58, 64);
    let age = match story.dice.index(3) {
        // The oldest minutes, or the newest, are just inside or outside of what counts.
        0 => 7 * DAY + 900 + story.dice.between(-150, 150),
        1 => minutes * 60 + 900 + story.dice.between(-150, 150),
        _ => story.dice.between(6_000, 7 * DAY),
    };
    let first = (story.now - age).div_euclid(60) * 60;
    let busiest = story.dice.one_of([1, 18, 20, 21, 25]);
    for minute in 0..minutes {
        let calls = if minute == 30 { busiest } else { 1 };
        for _ in 0..calls {
            let at = first + minute * 60 + story.dice.between(0, 59);
            invoke(story, &work, at, Some("amazon.nova-pro-v1:0"), None);
        }
    }
    let start = story.now;
    let count = story.dice.between(96, 130);
    spread(story, &work, start, count, 58);
}

pub(super) fn something(story: &mut Story) {
    match story.dice.index(13) {
        0..=3 => ordinary(story),
        4 => burst(story),
        5 | 6 => models(story),
        7 => regions(story),
        8 => probes(story),
        9 => enable(story),
        10 => ask_for_access(story),
        11 => look_around(story),
        _ => noise(story),
    }
}

fn ordinary(story: &mut Story) {
    let work = work(story);
    for _ in 0..story.dice.between(1, 5) {
        let model = story.dice.one_of(MODELS);
        let model = story.dice.chance(85).then_some(model);
        let error = outcome(story);
        let at = story.now + story.dice.between(0, 30);
        invoke(story, &work, at, model, error);
    }
}

fn burst(story: &mut Story) {
    if story.dice.chance(40) {
        return;
    }
    let work = work(story);
    let count = story.dice.between(92, 112);
    let seconds = story.dice.one_of([20, 55, 58, 60, 65]);
    let start = story.now;
    spread(story, &work, start, count, seconds);
}

/// `count` calls over `seconds`, the first and the last of them at its ends.
fn spread(story: &mut Story, work: &Work, start: i64, count: i64, seconds: i64) {
    let throttled = story.dice.one_of([0, 0, 3]);
    let failing = story.dice.one_of([0, 0, 20]);
    for number in 0..count {
        let at = match number {
            0 => start,
            1 => start + seconds,
            _ => start + story.dice.between(0, seconds),
        };
        let error = if story.dice.chance(throttled) {
            THROTTLED
        } else if story.dice.chance(failing) {
            outcome(story)
        } else {
            None
        };
        let model = story.dice.one_of(["amazon.nova-pro-v1:0", "amazon.titan-text-lite-v1"]);
        invoke(story, work, at, Some(model), error);
    }
}

fn models(story: &mut Story) {
    let work = work(story);
    let count = story.dice.index(4) + 4;
    let chosen = story.dice.some_of(&distinct_models(), count);
    let length = story.dice.around(600);
    let last = i64::try_from(chosen.len()).unwrap_or(1).max(2) - 1;
    let start = story.now;
    for (number, model) in (0..).zip(chosen) {
        let error = outcome(story);
        invoke(story, &work, start + length * number / last, Some(model), error);
        let edge = story.dice.chance(6);
        if edge {
            // On either side of the 30 days before the first second of the window that may be found.
            let at = start + length - 599 - 30 * DAY + story.dice.between(-2, 2);
            invoke(story, &work, at, Some(model), None);
        }
    }
}

fn regions(story: &mut Story) {
    let mut work = work(story);
    let length = story.dice.around(3_600);
    let start = story.now;
    let count = story.dice.index(3) + 2;
    let chosen = story.dice.some_of(&REGIONS, count);
    let last = i64::try_from(chosen.len()).unwrap_or(1).max(2) - 1;
    for (number, region) in (0..).zip(chosen) {
        work.region = region;
        let error = outcome(story);
        invoke(story, &work, start + length * number / last, Some("amazon.nova-pro-v1:0"), error);
        if story.dice.chance(8) {
            let at = start + length - 3_599 - 30 * DAY + story.dice.between(-2, 2);
            invoke(story, &work, at, Some("amazon.nova-pro-v1:0"), None);
        }
    }
}

fn probes(story: &mut Story) {
    let mut work = work(story);
    let start = story.now;
    if story.dice.chance(40) {
        let before = story.dice.around(3_600);
        invoke(story, &work, start - before, Some("amazon.nova-pro-v1:0"), None);
        return invoke(story, &work, start, Some("amazon.nova-pro-v1:0"), PROBE);
    }
    let length = story.dice.around(600);
    let count = story.dice.between(2, 4);
    let (one_model, one_region) = (story.dice.chance(40), story.dice.chance(60));
    for number in 0..count {
        let error = story.dice.one_of([DENIED, DENIED, Some(("ResourceNotFoundException", "legacy")), THROTTLED]);
        let model = if one_model { "amazon.nova-pro-v1:0" } else { story.dice.one_of(MODELS) };
        work.region = if one_region { work.region } else { story.dice.one_of(REGIONS) };
        invoke(story, &work, start + length * number / (count - 1), Some(model), error);
    }
}

fn enable(story: &mut Story) {
    let work = work(story);
    let start = story.now;
    if story.dice.chance(15) {
        let before = 30 * DAY + story.dice.between(-2, 2);
        invoke(story, &work, start - before, Some("amazon.nova-pro-v1:0"), None);
    }
    for _ in 0..story.dice.between(1, 3) {
        let name = story.dice.one_of(["PutFoundationModelEntitlement", "CreateFoundationModelAgreement"]);
        let error = if story.dice.chance(15) { DENIED } else { None };
        let at = start + story.dice.between(0, 5);
        call(story, &work, at, ("bedrock", name), json!({"modelId": "amazon.nova-pro-v1:0"}), error);
    }
    if story.dice.chance(70) {
        let after = story.dice.around(3_600);
        let error = if story.dice.chance(20) { DENIED } else { None };
        invoke(story, &work, start + after, Some("amazon.nova-pro-v1:0"), error);
    }
}

fn ask_for_access(story: &mut Story) {
    let work = work(story);
    let name = story.dice.one_of([
        "GetFoundationModelAvailability",
        "GetUseCaseForModelAccess",
        "ListFoundationModelAgreementOffers",
        "PutUseCaseForModelAccess",
        "PutFoundationModelEntitlement",
    ]);
    let error = if story.dice.chance(30) { DENIED } else { None };
    call(story, &work, story.now, ("bedrock", name), Value::Null, error);
}

/// Three to six ways to look, over about an hour; some were looked at weeks before.
fn look_around(story: &mut Story) {
    let looks = [
        "GetFoundationModelAvailability",
        "GetModelInvocationLoggingConfiguration",
        "ListCustomModels",
        "ListFoundationModels",
        "ListImportedModels",
        "ListInferenceProfiles",
        "ListProvisionedModelThroughputs",
    ];
    let work = work(story);
    let count = story.dice.index(4) + 3;
    let chosen = story.dice.some_of(&looks, count);
    let length = story.dice.around(3_600);
    let last = i64::try_from(chosen.len()).unwrap_or(1).max(2) - 1;
    let start = story.now;
    for (number, name) in (0..).zip(chosen) {
        let error = if story.dice.chance(20) { DENIED } else { None };
        call(story, &work, start + length * number / last, ("bedrock", name), Value::Null, error);
        if story.dice.chance(10) {
            // Around the edge of what is remembered, in days.
            let at = start - story.dice.one_of([8 * DAY, 30 * DAY, 31 * DAY]) + story.dice.between(-3_600, 3_600);
            call(story, &work, at, ("bedrock", name), Value::Null, None);
        }
    }
}

/// What no rule is about.
fn noise(story: &mut Story) {
    let work = work(story);
    let what = story.dice.one_of([
        ("s3", "GetObject"),
        ("sts", "AssumeRole"),
        ("bedrock", "ListFoundationModels"),
        ("kendra", "Retrieve"),
        ("ec2", "DescribeInstances"),
        ("bedrock-mantle", "CreateInference"),
    ]);
    call(story, &work, story.now, what, json!({"modelId": "openai.gpt-oss-120b"}), None);
}
