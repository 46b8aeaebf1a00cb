//! Which records somebody waits for.

use hashbrown::HashMap;
use memchr::memmem;

use super::peek::{Peek, Peeker};
use crate::{
    bedrock::{INFERENCE_OPERATIONS, is_bedrock},
    hashing::{FixedHasher, short_hash_of},
    rule::{Bound, NameField, NameKind},
};

/// Which records somebody waits for, by source and name; case does not matter.
#[derive(Debug)]
pub struct Interest {
    /// Where a name alone, or with one of some sources, is enough.
    names: Names,
    /// What rules wait for in any other way.
    others: Bound,
    /// Texts for which rules wait, whatever the name and source of the record that has one.
    texts: Vec<memmem::Finder<'static>>,
    /// Reads off what is asked, of records that have none of these texts.
    peeker: Peeker,
    /// What was asked lately, each in its place: an account's records have few different names.
    asked: Vec<Option<Asked>>,
}

/// A question and its answer.
#[derive(Debug)]
struct Asked {
    source: String,
    name: String,
    admitted: bool,
}

/// How many questions are remembered, each with at most twice [`NAME_BYTES_MAX`].
const ASKED_MAX: usize = 256;

type Names = HashMap<Box<str>, Sources, FixedHasher>;

fn entry<'n>(names: &'n mut Names, name: &str) -> &'n mut Sources {
    names.entry(name.to_ascii_lowercase().into()).or_default()
}

/// With which sources a name is of interest.
#[derive(Debug, Default)]
struct Sources {
    any: bool,
    bedrock: bool,
    listed: Vec<Box<str>>,
}

/// Names longer than this are looked up the slow way. The longest of AWS has 62 characters.
const NAME_BYTES_MAX: usize = 96;

impl Interest {
    /// What `rules` may match, what the world follows as (source, name), and every inference call.
    #[must_use]
    pub fn new(rules: &Bound, world: &[(&str, &str)]) -> Self {
        let mut names = Names::default();
        for name in INFERENCE_OPERATIONS {
            entry(&mut names, name).bedrock = true;
        }
        for (source, name) in world {
            entry(&mut names, name).listed.push((*source).into());
        }
        let mut texts = Vec::new();
        let others = match rules {
            Bound::Everything => Bound::Everything,
            Bound::Names(patterns) => {
                let mut others = Vec::new();
                for pattern in patterns {
                    if pattern.field == NameField::EventName && pattern.kind == NameKind::Equals {
                        entry(&mut names, &pattern.text).any = true;
                    } else if pattern.field == NameField::Anywhere {
                        texts.push(memmem::Finder::new(&pattern.text).into_owned());
                    } else {
                        others.push(pattern.clone());
                    }
                }
                Bound::Names(others)
            }
        };
        let asked = std::iter::repeat_with(|| None).take(ASKED_MAX).collect();
        let needles: Vec<&[u8]> = texts.iter().map(memmem::Finder::needle).collect();
        let peeker = Peeker::new(&needles);
        Self { names, others, texts, peeker, asked }
    }

    /// Whether every record is of interest, so that peeking is wasted.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.others == Bound::Everything
    }

    /// What a record for which certainly nobody waits says of itself. `None` for every other record, and in any doubt.
    pub fn dismiss<'r>(&mut self, record: &'r [u8]) -> Option<Peek<'r>> {
        let seen = self.peeker.peek(record)?;
        (!self.admits_now(seen.source, seen.name)).then_some(seen)
    }

    /// [`Self::admits`], remembered; what is no UTF-8 is admitted, for others to refuse.
    pub fn admits_now(&mut self, source: &[u8], name: &[u8]) -> bool {
        let hash = usize::try_from(short_hash_of(name)).unwrap_or(0);
        if let Some(Some(asked)) = self.asked.get(hash % ASKED_MAX)
            && asked.name.as_bytes() == name
            && asked.source.as_bytes() == source
        {
            return asked.admitted;
        }
        let (Ok(source), Ok(name)) = (str::from_utf8(source), str::from_utf8(name)) else { return true };
        let admitted = self.admits(source, name);
        if name.len().max(source.len()) <= NAME_BYTES_MAX
            && let Some(place) = self.asked.get_mut(hash % ASKED_MAX)
        {
            // With room for any other, which then takes its place without asking for memory.
            let room = || String::with_capacity(NAME_BYTES_MAX);
            let asked = place.get_or_insert_with(|| Asked { source: room(), name: room(), admitted });
            asked.source.clear();
            asked.source.push_str(source);
            asked.name.clear();
            asked.name.push_str(name);
            asked.admitted = admitted;
        }
        admitted
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
        let mut room = [0_u8; NAME_BYTES_MAX];
        // Rare enough to decode without thinking: other letters may have a case too.
        let Some(lower) = lower_case(name, &mut room).filter(|_| source.is_ascii()) else { return true };
        let listed = self.names.get(lower).is_some_and(|sources| {
            sources.any
                || sources.bedrock && is_bedrock_in_any_case(source)
                || sources.listed.iter().any(|listed| listed.eq_ignore_ascii_case(source))
        });
        listed || self.others.admits(source, name)
    }
}

fn lower_case<'r>(name: &str, room: &'r mut [u8; NAME_BYTES_MAX]) -> Option<&'r str> {
    let room = room.get_mut(..name.len())?;
    room.copy_from_slice(name.as_bytes());
    room.make_ascii_lowercase();
    std::str::from_utf8(room).ok().filter(|text| text.is_ascii())
}

fn is_bedrock_in_any_case(source: &str) -> bool {
    is_bedrock(source) || is_bedrock(&source.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::NamePattern;

    fn pattern(field: NameField, kind: NameKind, text: &str) -> NamePattern {
        NamePattern { field, kind, text: text.to_owned() }
    }

    #[test]
    fn admits_what_somebody_waits_for() {
        let rules = Bound::Names(vec![
            pattern(NameField::EventName, NameKind::Equals, "deleteguardrail"),
            pattern(NameField::EventName, NameKind::Prefix, "stoplog"),
            pattern(NameField::EventSource, NameKind::Equals, "iam.amazonaws.com"),
        ]);
        let mut interest = Interest::new(&rules, &[("ec2.amazonaws.com", "DeleteSecurityGroup")]);
        let mut check = |source: &str, name: &str, expected| {
            assert_eq!(interest.admits(source, name), expected, "{source} {name}");
            for _ in 0..2 {
                assert_eq!(interest.admits_now(source.as_bytes(), name.as_bytes()), expected, "{source} {name}");
            }
        };
        check("ec2.amazonaws.com", "DeleteSecurityGroup", true);
        check("EC2.amazonaws.com", "deletesecuritygroup", true);
        check("s3.amazonaws.com", "DeleteSecurityGroup", false);
        check("bedrock.amazonaws.com", "InvokeModel", true);
        check("bedrock-mantle.amazonaws.com", "CreateInference", true);
        check("kendra.amazonaws.com", "Retrieve", false);
        check("anything", "DELETEGuardrail", true);
        check("cloudtrail.amazonaws.com", "StopLogging", true);
        check("iam.amazonaws.com", "ListUsers", true);
        check("ec2.amazonaws.com", "DescribeInstances", false);
        check("ec2.amazonaws.com", "Describe\u{212a}ey", true);
        check("ec2.amazonaws.com", &"x".repeat(200), true);
        assert!(!interest.is_off());
    }

    #[test]
    fn admits_a_text_whatever_the_name() {
        let rules = Bound::Names(vec![pattern(NameField::Anywhere, NameKind::Contains, "BedrockAPIKey-")]);
        let interest = Interest::new(&rules, &[]);
        let check =
            |record: &str, expected: bool| assert_eq!(interest.admits_text(record.as_bytes()), expected, "{record}");
        check(r#"{"userName":"BedrockAPIKey-x9k2"}"#, true);
        check(r#"{"userName":"bedrockapikey-x9k2"}"#, false);
        check(r#"{"userName":"\u0042edrockAPIKey-x9k2"}"#, true);
        assert!(!interest.is_off() && !interest.admits("ec2.amazonaws.com", "DescribeInstances"));
        assert!(!Interest::new(&Bound::Names(Vec::new()), &[]).admits_text(br"{\u0042"));
    }

    #[test]
    fn a_rule_without_bound_switches_it_off() {
        let interest = Interest::new(&Bound::Everything, &[]);
        assert!(interest.is_off() && interest.admits("any", "thing"));
    }
}
