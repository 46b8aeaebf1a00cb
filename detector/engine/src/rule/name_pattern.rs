//! What a record's source or name must look like, as far as it can be told before rules are asked.
//!
//! Deliberately blind to case, and in ASCII only: a rule that asks for more is asked in full later.

use std::fmt;

use super::{logic::Relation, pattern::relates_folded};

/// A condition on a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamePattern {
    /// How it is compared.
    pub kind: NameKind,
    /// With what, in lower case because case does not matter.
    pub text: String,
}

/// How a name is compared, the most selective first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// It is this.
    Equals,
    /// It begins so.
    Prefix,
    /// It ends so.
    Suffix,
    /// It contains this.
    Contains,
}

impl NamePattern {
    /// A condition; `text` may be in any case.
    #[must_use]
    pub fn new(kind: NameKind, text: &str) -> Self {
        Self { kind, text: text.to_ascii_lowercase() }
    }

    /// Whether a name is so.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        let relation = match self.kind {
            NameKind::Equals => Relation::Equals,
            NameKind::Prefix => Relation::StartsWith,
            NameKind::Suffix => Relation::EndsWith,
            NameKind::Contains => Relation::Contains,
        };
        relates_folded(name, &self.text, relation)
    }

    /// Both at once, or a little more; `None` when no name can be both.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        match (self.kind, other.kind) {
            (NameKind::Equals, _) => other.admits(&self.text).then(|| self.clone()),
            (_, NameKind::Equals) => self.admits(&other.text).then(|| other.clone()),
            _ => {
                let rank = |pattern: &Self| (pattern.kind, std::cmp::Reverse(pattern.text.len()));
                Some(if rank(other) < rank(self) { other.clone() } else { self.clone() })
            }
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, text } = self;
        match kind {
            NameKind::Equals => write!(f, "{text}"),
            NameKind::Prefix => write!(f, "{text}*"),
            NameKind::Suffix => write!(f, "*{text}"),
            NameKind::Contains => write!(f, "*{text}*"),
        }
    }
}
