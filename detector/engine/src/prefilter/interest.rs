//! Which records somebody waits for, and what else follows from a record's source and name alone.

use std::sync::Arc;

use memchr::memmem;

use super::{
    asked::Asked,
    peek::{Peek, Peeker},
};
use crate::{
    bedrock::{BEDROCK, ENABLING_OPERATIONS, INFERENCE_OPERATIONS, is_bedrock, is_enabling, is_inference},
    rule::{Bound, Dispatch, NAME_BYTES_MAX, NameKind, NamePattern, RuleIndex, RuleSet, Term},
    world::{INTERESTS, World},
};

/// Which records somebody waits for, by source and name; case does not matter.
#[derive(Debug)]
pub struct Interest {
    rules: Arc<RuleSet>,
    /// What is waited for by source and name.
    wanted: Dispatch,
    /// Texts for which rules wait, whatever the name and source of the record that has one.
    texts: Vec<memmem::Finder<'static>>,
    /// Reads off what is asked, of records that have none of these texts.
    peeker: Peeker,
    asked: Asked<Answer>,
}

/// What a record's source and name alone say about it.
#[derive(Debug, Clone)]
pub struct Relevance {
    /// Whether somebody waits for it by its source and name.
    pub admitted: bool,
    /// Whether it is an inference call.
    pub inference: bool,
    /// Whether its source is one of Bedrock's.
    pub bedrock: bool,
    /// Whether it opens a model to an account.
    pub enabling: bool,
    /// Whether the world follows it.
    pub world: bool,
    /// The rules about single records that may match it.
    pub rules: Arc<[RuleIndex]>,
}

/// What is remembered of a source and name.
#[derive(Debug)]
enum Answer {
    /// Only whether somebody waits for it, because nobody asked for more.
    Admitted(bool),
    All(Relevance),
}

impl Answer {
    const fn admitted(&self) -> bool {
        match self {
            Self::Admitted(admitted) | Self::All(Relevance { admitted, .. }) => *admitted,
        }
    }
}

/// Of more candidates than this the list is not remembered, because asking them costs much more than finding them.
const CANDIDATES_MAX: usize = 64;

impl Interest {
    /// What `rules` may match, what the world and the principals' histories follow, and every inference call.
    #[must_use]
    pub fn new(rules: &Arc<RuleSet>) -> Self {
        let equals = |text: &str| Some(NamePattern::new(NameKind::Equals, text));
        let inference = INFERENCE_OPERATIONS.iter().map(|name| Term::Named {
            source: Some(NamePattern::new(NameKind::Prefix, "bedrock")),
            name: equals(name),
        });
        let enabling = ENABLING_OPERATIONS.iter().map(|name| (BEDROCK, *name));
        let world = INTERESTS.iter().map(|(source, name, _)| (*source, *name));
        let listed =
            world.chain(enabling).map(|(source, name)| Term::Named { source: equals(source), name: equals(name) });
        let mut terms: Vec<Term> = inference.chain(listed).collect();
        let mut texts = Vec::new();
        let mut wanted = Dispatch::default();
        match rules.bound() {
            Bound::Everything => wanted.insert(&Bound::Everything, 0),
            Bound::Terms(of_rules) => {
                for term in of_rules {
                    match term {
                        Term::Text(text) => texts.push(memmem::Finder::new(text).into_owned()),
                        Term::Named { .. } => terms.push(term.clone()),
                    }
                }
            }
        }
        wanted.insert(&Bound::Terms(terms), 0);
        let needles: Vec<&[u8]> = texts.iter().map(memmem::Finder::needle).collect();
        let peeker = Peeker::new(&needles);
        Self { rules: Arc::clone(rules), wanted, texts, peeker, asked: Asked::new() }
    }

    /// Whether every record is of interest, so that peeking is wasted.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self.rules.bound() == Bound::Everything
    }

    /// What a record for which certainly nobody waits says of itself. `None` for every other record, and in any doubt.
    pub fn dismiss<'r>(&mut self, record: &'r [u8]) -> Option<Peek<'r>> {
        let seen = self.peeker.peek(record)?;
        (!self.admits_now(seen.source, seen.name)).then_some(seen)
    }

    /// [`Self::admits`], remembered; what is no UTF-8 is admitted, for others to refuse.
    fn admits_now(&mut self, source: &[u8], name: &[u8]) -> bool {
        if let Some(answer) = self.asked.get(source, name) {
            return answer.admitted();
        }
        let (Ok(source), Ok(name)) = (str::from_utf8(source), str::from_utf8(name)) else { return true };
        let admitted = self.admits(source, name);
        self.asked.put(source, name, Answer::Admitted(admitted));
        admitted
    }

    /// What this source and name say, remembered.
    pub fn relevance(&mut self, source: &str, name: &str) -> Relevance {
        if let Some(Answer::All(relevance)) = self.asked.get(source.as_bytes(), name.as_bytes()) {
            return relevance.clone();
        }
        let relevance = Relevance {
            admitted: self.admits(source, name),
            inference: is_inference(source, name),
            bedrock: is_bedrock(source),
            enabling: is_enabling(source, name),
            world: World::cares_about(source, name),
            rules: self.rules.call_rules(source, name).into(),
        };
        if relevance.rules.len() <= CANDIDATES_MAX {
            self.asked.put(source, name, Answer::All(relevance.clone()));
        }
        relevance
    }

    /// Whether a record has a text that somebody waits for, or may spell it with escapes.
    #[must_use]
    pub fn admits_text(&self, record: &[u8]) -> bool {
        let has = |text: &memmem::Finder<'_>| text.find(record).is_some();
        !self.texts.is_empty() && (self.texts.iter().any(has) || memmem::find(record, b"\\u").is_some())
    }

    /// Whether somebody waits for records with this source and name.
    #[must_use]
    pub fn admits(&self, source: &str, name: &str) -> bool {
        // Rare enough to decode without thinking: other letters may have a case too.
        let is_strange = !name.is_ascii() || !source.is_ascii() || name.len() > NAME_BYTES_MAX;
        is_strange || self.wanted.find(source, name).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::RuleFile;

    /// An interest in what rules with these searches may match.
    fn interest(searches: &[&str]) -> Interest {
        let file = |(number, search): (usize, &&str)| {
            let text = format!(
                "title: t\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\n\
                 detection: {{s: {{{search}}}, condition: s}}\n"
            );
            RuleFile { path: format!("{number}.yml"), id: format!("r{number}"), text }
        };
        let files: Vec<RuleFile> = searches.iter().enumerate().map(file).collect();
        Interest::new(&Arc::new(RuleSet::compile(&files).unwrap()))
    }

    #[test]
    fn admits_what_somebody_waits_for() {
        let mut interest = interest(&[
            "eventName: DeleteGuardrail",
            "eventName|startswith: StopLog",
            "eventSource: iam.amazonaws.com",
            "eventSource: s3.amazonaws.com, eventName|endswith: Acl",
        ]);
        let mut check = |source: &str, name: &str, expected, rules: &[u32]| {
            assert_eq!(interest.admits(source, name), expected, "{source} {name}");
            // Asked for the first time, and remembered; in part and in full.
            for _ in 0..2 {
                assert_eq!(interest.admits_now(source.as_bytes(), name.as_bytes()), expected, "{source} {name}");
            }
            for _ in 0..2 {
                let relevance = interest.relevance(source, name);
                assert_eq!(relevance.admitted, expected, "{source} {name}");
                assert!(relevance.rules.iter().map(|rule| rule.0).eq(rules.iter().copied()), "{source} {name}");
                assert_eq!(relevance.inference, is_inference(source, name), "{source} {name}");
                assert_eq!(relevance.world, World::cares_about(source, name), "{source} {name}");
            }
        };
        check("ec2.amazonaws.com", "DeleteSecurityGroup", true, &[]);
        check("EC2.amazonaws.com", "deletesecuritygroup", true, &[]);
        check("s3.amazonaws.com", "DeleteSecurityGroup", false, &[]);
        check("bedrock.amazonaws.com", "InvokeModel", true, &[]);
        check("Bedrock.amazonaws.com", "InvokeModel", true, &[]);
        check("bedrock-mantle.amazonaws.com", "CreateInference", true, &[]);
        check("bedrock.amazonaws.com", "PutFoundationModelEntitlement", true, &[]);
        check("kendra.amazonaws.com", "Retrieve", false, &[]);
        check("anything", "DELETEGuardrail", true, &[0]);
        check("iam.amazonaws.com", "DeleteGuardrail", true, &[0, 2]);
        check("cloudtrail.amazonaws.com", "StopLogging", true, &[1]);
        check("iam.amazonaws.com", "ListUsers", true, &[2]);
        check("s3.amazonaws.com", "PutObjectAcl", true, &[3]);
        check("s3.amazonaws.com", "PutObject", false, &[]);
        check("logs.amazonaws.com", "PutObjectAcl", false, &[]);
        check("ec2.amazonaws.com", "DescribeInstances", false, &[]);
        check("ec2.amazonaws.com", "Describe\u{212a}ey", true, &[]);
        check("ec2.amazonaws.com", &"x".repeat(200), true, &[]);
        assert!(!interest.is_off());
    }

    #[test]
    fn admits_a_text_whatever_the_name() {
        let text = "userIdentity.userName|startswith|cased: BedrockAPIKey-";
        let check = |record: &str, expected: bool| {
            assert_eq!(interest(&[text]).admits_text(record.as_bytes()), expected, "{record}");
        };
        check(r#"{"userName":"BedrockAPIKey-x9k2"}"#, true);
        check(r#"{"userName":"bedrockapikey-x9k2"}"#, false);
        check(r#"{"userName":"\u0042edrockAPIKey-x9k2"}"#, true);
        let mut with_text = interest(&[text]);
        assert!(!with_text.is_off() && !with_text.admits("ec2.amazonaws.com", "DescribeInstances"));
        assert_eq!(*with_text.relevance("ec2.amazonaws.com", "DescribeInstances").rules, [RuleIndex(0)]);
        assert!(!interest(&[]).admits_text(br"{\u0042"));
    }

    #[test]
    fn a_rule_without_bound_switches_it_off() {
        let interest = interest(&["errorCode: x"]);
        assert!(interest.is_off() && interest.admits("any", "thing"));
    }

    #[test]
    fn many_candidates_are_found_each_time() {
        let searches = vec!["eventSource: a, eventName|startswith: B"; CANDIDATES_MAX + 1];
        let mut interest = interest(&searches);
        for _ in 0..2 {
            assert_eq!(interest.relevance("a", "Bee").rules.len(), CANDIDATES_MAX + 1);
        }
        assert!(interest.asked.get(b"a", b"Bee").is_none());
    }
}
