//! The daemon itself.

use super::{Facts, Finding};
use crate::doctor::{facts::Daemon, finding::Level};

/// It answers, and says that it protects.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    const LINK: &str = "daemon";
    let Some(Daemon { url, answer }) = &facts.daemon else {
        let why = "its address is not known: name it with --url, or switch [http] on";
        return vec![Finding::not_checked(LINK, "", why)];
    };
    match answer {
        Ok(reasons) if reasons.is_empty() => vec![Finding::fine(LINK, url, "answers, and says that it protects")],
        Ok(reasons) => {
            let said = reasons.iter().map(|(what, why)| format!("{what}: {why}")).collect::<Vec<_>>().join("; ");
            vec![Finding::broken(LINK, url, Level::High, format!("answers that it does not protect: {said}"))]
        }
        Err(error) => vec![
            Finding::broken(LINK, url, Level::High, format!("does not answer: {error}"))
                .mended_by("Start it", "bedrock-watch run --config bedrock-watch.toml"),
        ],
    }
}
