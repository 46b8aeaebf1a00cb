//! What a change of rules would have changed: the same records, judged twice side by side.
//!
//! One pass, two engines, and at the end their alerts compared by id. Deliberately the last state of alerts and not each
//! word of them: what a responder would have had to deal with.

use std::collections::BTreeMap;

use bedrock_watch_engine::{
    Engine, Second,
    alert::{Alert, AlertChange, Severity},
    decode::DecodeError,
};

use super::Judge;

/// Two engines that judge the same records.
#[derive(Debug)]
pub struct Pair {
    /// By the rules as they are.
    pub before: Engine,
    /// By the changed ones.
    pub after: Engine,
}

impl Judge for Pair {
    fn judge(&mut self, bytes: &[u8]) -> Result<Vec<AlertChange>, DecodeError> {
        // What is no event for one is none for the other.
        self.before.judge_recorded(bytes)?;
        self.after.judge_recorded(bytes)
    }

    fn clock(&self) -> Second {
        self.after.clock()
    }

    fn finish(&mut self) -> Vec<AlertChange> {
        self.before.finish();
        self.after.finish()
    }
}

/// How the two differ about one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only the changed rules raise it.
    Added,
    /// Only the rules as they are raise it.
    Removed,
    /// Both do, with different severities; this was the one before.
    Severity(Severity),
}

impl Change {
    /// The name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Severity(_) => "severity",
        }
    }
}

/// An alert about which the two differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// How.
    pub change: Change,
    /// The alert, as the changed rules have it where they do.
    pub alert: Alert,
}

impl Difference {
    /// The highest severity that either gave it.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.change {
            Change::Severity(before) => before.max(self.alert.severity),
            Change::Added | Change::Removed => self.alert.severity,
        }
    }
}

impl Pair {
    /// The alerts about which the two differ, by first event time and id, and how many both raise alike.
    #[must_use]
    pub fn differences(&self) -> (Vec<Difference>, usize) {
        let mut before: BTreeMap<String, Alert> =
            self.before.alerts().into_iter().map(|alert| (alert.id.clone(), alert)).collect();
        let (mut found, mut alike) = (Vec::new(), 0_usize);
        for alert in self.after.alerts() {
            let change = match before.remove(&alert.id) {
                None => Change::Added,
                Some(old) if old.severity != alert.severity => Change::Severity(old.severity),
                Some(_) => {
                    alike = alike.saturating_add(1);
                    continue;
                }
            };
            found.push(Difference { change, alert });
        }
        found.extend(before.into_values().map(|alert| Difference { change: Change::Removed, alert }));
        found.sort_by(|a, b| (a.alert.first_event_time, &a.alert.id).cmp(&(b.alert.first_event_time, &b.alert.id)));
        (found, alike)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bedrock_watch_engine::{
        Settings,
        rule::{RuleFile, RuleSet},
    };

    use super::*;

    fn engine(rules: &[(&str, &str, &str)]) -> Engine {
        let files: Vec<RuleFile> = rules
            .iter()
            .map(|(id, event, level)| RuleFile {
                path: (*id).to_owned(),
                id: (*id).to_owned(),
                text: format!(
                    "title: {id}\nlevel: {level}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{a: \
                     {{eventName: {event}}}, condition: a}}\n"
                ),
            })
            .collect();
        Engine::new(Arc::new(RuleSet::compile(&files).unwrap()), Settings::standard())
    }

    #[test]
    fn names_what_is_new_what_is_gone_and_what_changed() {
        let before = engine(&[("a", "A", "high"), ("b", "B", "low"), ("c", "C", "low")]);
        let after = engine(&[("a", "A", "high"), ("b", "B", "critical"), ("d", "D", "medium")]);
        let mut pair = Pair { before, after };
        for (second, name) in ["A", "B", "C", "D", "E"].iter().enumerate() {
            let record = format!(
                r#"{{"eventVersion":"1.11","eventID":"{name}","eventSource":"bedrock.amazonaws.com","eventName":"{name}",
                "eventTime":"2026-11-20T10:00:0{second}Z","awsRegion":"us-east-1","recipientAccountId":"111122223333",
                "userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/dev"}}}}"#
            );
            pair.judge(record.as_bytes()).unwrap();
        }
        pair.finish();
        let (found, alike) = pair.differences();
        let found: Vec<(&str, Change, Severity)> =
            found.iter().map(|one| (one.alert.rule.as_str(), one.change, one.severity())).collect();
        let expected = [
            ("b", Change::Severity(Severity::Low), Severity::Critical),
            ("c", Change::Removed, Severity::Low),
            ("d", Change::Added, Severity::Medium),
        ];
        assert_eq!((found.as_slice(), alike), (expected.as_slice(), 1));
    }
}
