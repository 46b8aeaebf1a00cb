//! Rule sets of different sizes: the fourteen flagship rules, the whole pack, the pack with many more.
//!
//! They are read without the service, so that what counts instructions is built from the engine alone. Token prices are
//! left out; only model invocation logs ask for them.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, anyhow};
use bedrock_watch_engine::rule::{RuleFile, RuleSet};

/// The rules whose ids and meaning are promised.
pub const FLAGSHIP: [&str; 14] = [
    "customization-job-dependency-lost",
    "customization-job-security-group-delete-refused",
    "customization-job-security-group-deleted",
    "customization-job-security-group-emptied",
    "customization-job-security-group-missing",
    "invocation-burst",
    "invocation-logging-destination-lost",
    "invocation-logging-disabled",
    "invocation-logging-weakened",
    "invocation-model-fanout",
    "invocation-probing",
    "invocation-region-fanout",
    "model-access-api-with-long-term-key",
    "model-access-enabled-then-used",
];

/// A source and the beginning of names there, of calls that public rule packs look for and ordinary traffic lacks.
const WATCHED: [(&str, &str); 8] = [
    ("iam.amazonaws.com", "CreateUser"),
    ("cloudtrail.amazonaws.com", "StopLogging"),
    ("guardduty.amazonaws.com", "DeleteDetector"),
    ("rds.amazonaws.com", "ModifyDBInstance"),
    ("route53.amazonaws.com", "TransferDomain"),
    ("ec2.amazonaws.com", "ModifySnapshotAttribute"),
    ("config.amazonaws.com", "DeleteConfigurationRecorder"),
    ("bedrock.amazonaws.com", "UpdatePrompt"),
];

/// The files of all rules of this repository, in the order of their ids.
///
/// # Errors
/// When the folder cannot be read.
pub fn pack() -> anyhow::Result<Vec<RuleFile>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).context("reading the rules")? {
        let path = entry?.path().join("rule.yml");
        let id = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        if let (true, Some(id)) = (path.is_file(), id) {
            files.push(RuleFile { path: path.display().to_string(), id, text: fs::read_to_string(&path)? });
        }
    }
    files.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(files)
}

/// The flagship rules alone.
///
/// # Errors
/// When the folder cannot be read.
pub fn flagship() -> anyhow::Result<Vec<RuleFile>> {
    let mut files = pack()?;
    files.retain(|file| FLAGSHIP.contains(&file.id.as_str()));
    Ok(files)
}

/// The pack with so many Sigma rules more.
///
/// # Errors
/// When the folder cannot be read.
pub fn pack_and(more: u32) -> anyhow::Result<Vec<RuleFile>> {
    let mut files = pack()?;
    files.extend((0..more).map(generated));
    Ok(files)
}

/// Compiles rule files.
///
/// # Errors
/// When one has a problem.
pub fn compile(files: &[RuleFile]) -> anyhow::Result<Arc<RuleSet>> {
    let rules = RuleSet::compile(files).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        anyhow!("{} problems in the rules, the first: {first}", problems.len())
    })?;
    Ok(Arc::new(rules))
}

/// A Sigma rule as people write them, one of six kinds in turn.
#[must_use]
pub fn generated(number: u32) -> RuleFile {
    let at = usize::try_from(number).unwrap_or_default();
    let (source, name) = WATCHED.get(at / KINDS % WATCHED.len()).copied().unwrap_or_default();
    let detection = match at % KINDS {
        0 => format!("  a: {{eventSource: {source}, eventName: {name}{number}}}\n  condition: a\n"),
        1 => format!(
            "  a: {{eventSource: {source}, eventName: [{name}{number}, {name}V{number}, {name}X{number}]}}\n  condition: a\n"
        ),
        2 => format!("  a: {{eventSource: {source}, eventName|startswith: '{name}{number}'}}\n  condition: a\n"),
        3 => format!(
            "  a: {{eventSource: {source}, eventName: {name}{number}, requestParameters.policyDocument|contains: 'x{number}'}}\n  \
             b: {{userAgent|contains: terraform}}\n  condition: a and not b\n"
        ),
        4 => format!(
            "  a: {{eventName: {name}{number}, userIdentity.type: Root}}\n  b: {{errorCode|exists: true}}\n  condition: a and not b\n"
        ),
        _ => format!(
            "  a: {{eventSource: {source}, eventName|endswith: 'Legacy{number}', sourceIPAddress|cidr: 203.0.113.0/24}}\n  condition: a\n"
        ),
    };
    let text = format!(
        "title: Generated {number}\nid: 00000000-0000-4000-9000-{number:012}\nname: generated-{number}\n\
         description: Detects nothing.\nstatus: experimental\nlogsource: {{product: aws, service: cloudtrail}}\n\
         detection:\n{detection}level: low\n"
    );
    RuleFile { path: format!("generated-{number}.yml"), id: format!("generated-{number}"), text }
}

/// How many kinds of rules [`generated`] makes.
const KINDS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_compiles() {
        assert_eq!(compile(&flagship().unwrap()).unwrap().rules().len(), FLAGSHIP.len());
        let pack = compile(&pack().unwrap()).unwrap().rules().len();
        assert_eq!(compile(&pack_and(100).unwrap()).unwrap().rules().len(), pack + 100);
    }
}
