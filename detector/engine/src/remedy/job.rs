//! Starting a customization job again: the same job under a fresh name.
//!
//! A stopped or failed job cannot be resumed (Amazon Bedrock API reference, StopModelCustomizationJob), and a job's
//! VPC configuration cannot be changed, so a job whose dependency was replaced has to be created anew.

use serde_json::{Value, json};

use crate::{
    alert::{Alert, Remediation, identity::alert_id},
    world::{Dependent, Kind},
};

use super::{
    shell::{Aws, Mixed, Script, Variable, Word},
    text::plain,
};

/// Jobs spelled out in one alert.
pub(super) const JOBS_MAX: usize = 5;
/// The longest name of a job or model.
const NAME_CHARS_MAX: usize = 63;

const ROLE: Variable = Variable { name: "ROLE_ARN", hint: "set ROLE_ARN to the service role of the job" };
const BASE_MODEL: Variable = Variable { name: "BASE_MODEL", hint: "set BASE_MODEL to the base model of the job" };
const TRAINING: Variable = Variable { name: "TRAINING_S3_URI", hint: "set TRAINING_S3_URI to the training data" };
const OUTPUT: Variable = Variable { name: "OUTPUT_S3_URI", hint: "set OUTPUT_S3_URI to where the output goes" };
const SUBNETS: Variable = Variable { name: "SUBNET_IDS", hint: "set SUBNET_IDS to JSON strings with commas between" };
const GROUPS: Variable = Variable { name: "GROUP_IDS", hint: "set GROUP_IDS to JSON strings with commas between" };

/// What a job stood on and what stands there now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replaced<'a> {
    pub(super) lost: &'a str,
    pub(super) by: Variable,
}

/// Starts up to [`JOBS_MAX`] jobs again.
pub(super) fn start_again(alert: &Alert, jobs: &[&Dependent], replaced: Option<Replaced<'_>>) -> Vec<Remediation> {
    let jobs: Vec<&Dependent> = jobs.iter().copied().filter(|job| job.kind == Kind::CustomizationJob).collect();
    let start = |job: &&Dependent| start_one(alert, job, vpc_config(job, replaced));
    let mut remediation: Vec<Remediation> = jobs.iter().take(JOBS_MAX).map(start).collect();
    let more = jobs.len().saturating_sub(JOBS_MAX);
    if more > 0 {
        let mut script = Script::default();
        script.note(&format!("{more} more jobs are affected. List them with:"));
        script.run(Aws::in_region("bedrock list-model-customization-jobs", alert.region.as_deref()));
        let title = format!("{more} more jobs to start again");
        remediation.push(Remediation { title, command: script.finish() });
    }
    remediation
}

/// Starts a job that had no VPC configuration again, with one.
pub(super) fn start_in_vpc(alert: &Alert, job: &Dependent) -> Remediation {
    let mixed = Mixed::default().text("{\"subnetIds\":[").variable(SUBNETS).text("],\"securityGroupIds\":[");
    start_one(alert, job, Some(mixed.variable(GROUPS).text("]}").word()))
}

fn start_one(alert: &Alert, job: &Dependent, vpc_config: Option<Word>) -> Remediation {
    let mut script = Script::default();
    let region = Some(&*job.region).filter(|region| !region.is_empty());
    script.note(&format!(
        "in account {}, region {}: replaces {}",
        job.account,
        region.unwrap_or("unknown"),
        job.label()
    ));
    if !job.has_ended() {
        script.note("the old job is not known to have ended. To stop it first, which cannot be undone:");
        let stop = Aws::in_region("bedrock stop-model-customization-job", region)
            .option("--job-identifier", &Word::quoted(job.label()));
        script.suggest(&stop);
    }
    note_unknown(&mut script, job, region);
    let suffix = suffix(alert, job);
    let job_name = fresh(job.name.as_deref().unwrap_or("customization-job"), &suffix, ".+-");
    let model_name = fresh(job.output_model.as_deref().unwrap_or("custom-model"), &suffix, "_-");
    let create = Aws::in_region("bedrock create-model-customization-job", region)
        .option("--job-name", &Word::quoted(&job_name))
        .option("--custom-model-name", &Word::quoted(&model_name))
        .option("--base-model-identifier", &Word::known(job.base_model.as_deref(), BASE_MODEL))
        .maybe("--customization-type", job.customization_type.as_deref().map(Word::quoted).as_ref())
        .option("--role-arn", &Word::known(job.role_arn.as_deref(), ROLE))
        .option("--training-data-config", &s3_uri(job.training_uri.as_deref(), TRAINING))
        .maybe("--validation-data-config", validation(job).as_ref())
        .option("--output-data-config", &s3_uri(job.output_uri.as_deref(), OUTPUT))
        .maybe("--hyper-parameters", hyper_parameters(job).as_ref())
        .maybe("--custom-model-kms-key-id", job.kms_key.as_deref().map(Word::quoted).as_ref())
        .maybe("--job-tags", tags(&job.job_tags).as_ref())
        .maybe("--custom-model-tags", tags(&job.model_tags).as_ref())
        .maybe("--vpc-config", vpc_config.as_ref());
    script.run(create);
    let title = format!("Start the job again: {}", plain(job.name.as_deref().unwrap_or_else(|| job.label())));
    Remediation { title, command: script.finish() }
}

/// Says what is not known of a job, and where to look.
fn note_unknown(script: &mut Script, job: &Dependent, region: Option<&str>) {
    let needed = [
        ("base model", job.base_model.is_none()),
        ("service role", job.role_arn.is_none()),
        ("training data", job.training_uri.is_none()),
        ("output data", job.output_uri.is_none()),
    ];
    let optional = [
        ("customization type", job.customization_type.is_none()),
        ("hyperparameters", job.hyper_parameters.is_empty()),
        ("validation data", job.validation_uris.is_empty()),
        ("KMS key", job.kms_key.is_none()),
        ("tags", job.job_tags.is_empty() && job.model_tags.is_empty()),
        ("VPC configuration", job.security_groups.is_empty() && job.subnets.is_empty()),
    ];
    let names = |wanted: &[(&'static str, bool)]| -> Vec<&'static str> {
        wanted.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect()
    };
    let (unknown, unset) = (names(&needed), names(&optional));
    let special = matches!(job.customization_type.as_deref(), Some("DISTILLATION" | "REINFORCEMENT_FINE_TUNING"));
    if !unknown.is_empty() {
        script.note(&format!("unknown: {}", unknown.join(", ")));
    }
    if !unset.is_empty() {
        script.note(&format!("not set, or unknown: {}", unset.join(", ")));
    }
    if special {
        script.note("unknown: the customization configuration, which this type of job needs as --customization-config");
    }
    if !unknown.is_empty() || !unset.is_empty() || special {
        script.note("look up with:");
        let lookup = Aws::in_region("bedrock get-model-customization-job", region)
            .option("--job-identifier", &Word::quoted(job.label()));
        script.suggest(&lookup);
    }
}

/// Tells the new names from the old ones; the same alert and job always give the same.
fn suffix(alert: &Alert, job: &Dependent) -> String {
    let hash = alert_id(&[&alert.id, &alert.last_event_time.0.to_string(), job.label()]);
    format!("-r{}", hash.chars().take(8).collect::<String>())
}

/// A name with a suffix, cut to the allowed length. Characters other than letters and digits must be among `joining`
/// and stand alone, between two others.
fn fresh(name: &str, suffix: &str, joining: &str) -> String {
    let mut fresh = String::new();
    for character in name.chars().take(NAME_CHARS_MAX.saturating_sub(suffix.len())) {
        if character.is_ascii_alphanumeric() {
            fresh.push(character);
        } else if fresh.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            fresh.push(if joining.contains(character) { character } else { '-' });
        }
    }
    let stem = fresh.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    let stem = if stem.is_empty() { "job" } else { stem };
    format!("{stem}{suffix}")
}

fn s3_uri(uri: Option<&str>, otherwise: Variable) -> Word {
    match uri {
        Some(uri) => Word::json(&json!({ "s3Uri": uri })),
        None => Mixed::default().text("{\"s3Uri\":\"").variable(otherwise).text("\"}").word(),
    }
}

fn validation(job: &Dependent) -> Option<Word> {
    let validators: Vec<Value> = job.validation_uris.iter().map(|uri| json!({ "s3Uri": uri })).collect();
    (!validators.is_empty()).then(|| Word::json(&json!({ "validators": validators })))
}

fn hyper_parameters(job: &Dependent) -> Option<Word> {
    (!job.hyper_parameters.is_empty()).then(|| Word::json(&json!(job.hyper_parameters)))
}

fn tags(tags: &std::collections::BTreeMap<Box<str>, Box<str>>) -> Option<Word> {
    // Nobody but AWS may set tags whose key begins with `aws:`.
    let own = tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
    let list: Vec<Value> = own.map(|(key, value)| json!({ "key": key, "value": value })).collect();
    (!list.is_empty()).then(|| Word::json(&Value::Array(list)))
}

fn vpc_config(job: &Dependent, replaced: Option<Replaced<'_>>) -> Option<Word> {
    if job.subnets.is_empty() && job.security_groups.is_empty() {
        return None;
    }
    let replaced = replaced.map(|replaced| (replaced.lost, replaced.by));
    let list = |mixed: Mixed, ids: &std::collections::BTreeSet<Box<str>>, otherwise: Variable| {
        if ids.is_empty() {
            mixed.variable(otherwise)
        } else {
            mixed.json_strings(ids.iter().map(|id| &**id), replaced)
        }
    };
    let mixed = list(Mixed::default().text("{\"subnetIds\":["), &job.subnets, SUBNETS).text("],\"securityGroupIds\":[");
    Some(list(mixed, &job.security_groups, GROUPS).text("]}").word())
}

#[cfg(test)]
mod tests {
    use super::fresh;

    #[test]
    fn fresh_names_are_valid() {
        let check = |name: &str, joining: &str, expected: &str| {
            let name = fresh(name, "-r01234567", joining);
            assert_eq!(name, expected);
            assert!(name.len() <= 63, "{name}");
        };
        check("tuning", "_-", "tuning-r01234567");
        check("tuning.v1+x", ".+-", "tuning.v1+x-r01234567");
        check("tuning.v1", "_-", "tuning-v1-r01234567");
        check("--a__b--", "_-", "a_b-r01234567");
        check("'; rm -rf ~; '", "_-", "rm-rf-r01234567");
        check("", "_-", "job-r01234567");
        check(&"x".repeat(63), "_-", &format!("{}-r01234567", "x".repeat(53)));
    }
}
