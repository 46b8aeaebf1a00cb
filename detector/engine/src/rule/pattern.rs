//! Texts as Sigma means them: case does not matter unless `|cased`, `*` and `?` are wildcards unless escaped.
//!
//! Deliberately no regular expressions for wildcards: a plain comparison needs no allocation and no tables, and ASCII,
//! which is nearly everything in a CloudTrail record, is folded while comparing.

use regex::Regex;
use rsigma_parser::{SigmaString, SpecialChar, StringPart};

use super::logic::Relation;

/// What a text must look like.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Equals(Literal),
    StartsWith(Literal),
    EndsWith(Literal),
    Contains(Literal),
    Glob { tokens: Vec<Token>, cased: bool },
    Regex(Regex),
}

/// A text to compare with, folded to lower case unless `cased`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) text: String,
    cased: bool,
}

impl Literal {
    /// The text, if its case matters.
    pub(super) fn cased_text(&self) -> Option<&str> {
        self.cased.then_some(&*self.text)
    }
}

/// A part of a wildcard pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This character.
    Is(char),
    /// A dash, slash or one of the typographic dashes (`|windash`).
    Dash,
    /// Any one character.
    One,
    /// Any number of characters.
    Many,
}

/// The characters that stand for one another under `|windash`.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

impl Pattern {
    /// From a Sigma string with its wildcards, placed as `relation` says.
    pub(super) fn wildcard(value: &SigmaString, relation: Relation, cased: bool, windash: bool) -> Self {
        let mut tokens = Vec::new();
        if matches!(relation, Relation::Contains | Relation::EndsWith) {
            tokens.push(Token::Many);
        }
        for part in &value.parts {
            match part {
                StringPart::Plain(text) => {
                    let folded = fold(text, cased);
                    tokens.extend(folded.chars().map(|c| if windash && c == '-' { Token::Dash } else { Token::Is(c) }));
                }
                StringPart::Special(SpecialChar::WildcardSingle) => tokens.push(Token::One),
                StringPart::Special(SpecialChar::WildcardMulti) => tokens.push(Token::Many),
            }
        }
        if matches!(relation, Relation::Contains | Relation::StartsWith) {
            tokens.push(Token::Many);
        }
        tokens.dedup_by(|a, b| *a == Token::Many && *b == Token::Many);
        Self::simplest(tokens, cased)
    }

    /// From a text without wildcards, placed as `relation` says.
    pub(super) fn plain(text: &str, relation: Relation, cased: bool) -> Self {
        let literal = Literal { text: fold(text, cased), cased };
        match relation {
            Relation::Equals => Self::Equals(literal),
            Relation::Contains => Self::Contains(literal),
            Relation::StartsWith => Self::StartsWith(literal),
            Relation::EndsWith => Self::EndsWith(literal),
        }
    }

    /// A comparison where the wildcards are at the ends only, else the general form.
    fn simplest(tokens: Vec<Token>, cased: bool) -> Self {
        let open_start = tokens.first() == Some(&Token::Many);
        let open_end = tokens.last() == Some(&Token::Many);
        let skipped = usize::from(open_start);
        let kept = tokens.len().saturating_sub(skipped).saturating_sub(usize::from(open_end));
        let mut text = String::new();
        for token in tokens.iter().skip(skipped).take(kept) {
            let Token::Is(c) = token else {
                return Self::Glob { tokens, cased };
            };
            text.push(*c);
        }
        let literal = Literal { text, cased };
        match (open_start, open_end) {
            (false, false) => Self::Equals(literal),
            (false, true) => Self::StartsWith(literal),
            (true, false) if tokens.len() > 1 => Self::EndsWith(literal),
            (true, _) => Self::Contains(literal),
        }
    }

    /// Whether `text` looks like this.
    #[inline]
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equals(literal) => literal.relates(text, Relation::Equals),
            Self::StartsWith(literal) => literal.relates(text, Relation::StartsWith),
            Self::EndsWith(literal) => literal.relates(text, Relation::EndsWith),
            Self::Contains(literal) => literal.relates(text, Relation::Contains),
            Self::Glob { tokens, cased } => glob_matches(tokens, text, *cased),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Literal {
    #[inline]
    fn relates(&self, text: &str, relation: Relation) -> bool {
        if self.cased {
            return relates(text, &self.text, relation);
        }
        relates_folded(text, &self.text, relation)
    }
}

/// Whether `text` relates so to `other`, case and all.
pub(super) fn relates(text: &str, other: &str, relation: Relation) -> bool {
    match relation {
        Relation::Equals => text == other,
        Relation::Contains => memchr::memmem::find(text.as_bytes(), other.as_bytes()).is_some(),
        Relation::StartsWith => text.starts_with(other),
        Relation::EndsWith => text.ends_with(other),
    }
}

/// Whether `text`, folded, relates so to `folded`, which is folded already.
#[inline]
pub(super) fn relates_folded(text: &str, folded: &str, relation: Relation) -> bool {
    // Most texts differ in the first or the last letter already, whatever the other letters are.
    let (ours, wanted) = (text.as_bytes(), folded.as_bytes());
    let ends = match relation {
        Relation::Equals | Relation::StartsWith => (ours.first(), wanted.first()),
        Relation::EndsWith => (ours.last(), wanted.last()),
        Relation::Contains => (None, None),
    };
    let differs = matches!(ends, (Some(ours), Some(wanted)) if ours.is_ascii() && ours.to_ascii_lowercase() != *wanted);
    !differs && relates_in_full(text, folded, relation)
}

fn relates_in_full(text: &str, folded: &str, relation: Relation) -> bool {
    if !text.is_ascii() {
        return relates(&text.to_lowercase(), folded, relation);
    }
    let (text, folded) = (text.as_bytes(), folded.as_bytes());
    match relation {
        Relation::Equals => text.eq_ignore_ascii_case(folded),
        Relation::StartsWith => text.get(..folded.len()).is_some_and(|start| start.eq_ignore_ascii_case(folded)),
        Relation::EndsWith => text
            .len()
            .checked_sub(folded.len())
            .and_then(|at| text.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(folded)),
        Relation::Contains => contains_folded(text, folded),
    }
}

fn contains_folded(text: &[u8], folded: &[u8]) -> bool {
    let Some(&first) = folded.first() else {
        return true;
    };
    let Some(last_start) = text.len().checked_sub(folded.len()) else {
        return false;
    };
    let Some(starts) = text.get(..=last_start) else {
        return false;
    };
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), starts).any(|at| {
        text.get(at..at.saturating_add(folded.len())).is_some_and(|window| window.eq_ignore_ascii_case(folded))
    })
}

/// Lower case, unless case matters.
pub(super) fn fold(text: &str, cased: bool) -> String {
    if cased { text.to_owned() } else { text.to_lowercase() }
}

/// Matches without recursion: on a mismatch only the last `*` has to give way.
fn glob_matches(tokens: &[Token], text: &str, cased: bool) -> bool {
    if !cased && !text.is_ascii() {
        return glob_matches(tokens, &text.to_lowercase(), true);
    }
    let (mut rest, mut left) = (tokens, text.chars());
    let mut retry: Option<(&[Token], std::str::Chars<'_>)> = None;
    loop {
        if let Some((Token::Many, after)) = rest.split_first() {
            if after.is_empty() {
                return true;
            }
            retry = Some((after, left.clone()));
            rest = after;
            continue;
        }
        let mut ahead = left.clone();
        match (rest.split_first(), ahead.next()) {
            (None, None) => return true,
            (Some((token, after)), Some(c)) if token_matches(*token, c, cased) => {
                rest = after;
                left = ahead;
            }
            _ => {
                let Some((after, mut from)) = retry.take() else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                rest = after;
                left = from.clone();
                retry = Some((after, from));
            }
        }
    }
}

fn token_matches(token: Token, c: char, cased: bool) -> bool {
    match token {
        Token::Is(wanted) => wanted == if cased { c } else { c.to_ascii_lowercase() },
        Token::Dash => DASHES.contains(&c),
        Token::One | Token::Many => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let check = |pattern: &str, relation, cased, text: &str, expected: bool| {
            let compiled = Pattern::wildcard(&SigmaString::new(pattern), relation, cased, false);
            assert_eq!(compiled.matches(text), expected, "{pattern:?} on {text:?}: {compiled:?}");
        };
        use Relation::{Contains, EndsWith, Equals, StartsWith};
        check("DeleteTrail", Equals, false, "deletetrail", true);
        check("DeleteTrail", Equals, true, "deletetrail", false);
        check("Delete*", Equals, false, "DELETE", true);
        check("*", Equals, false, "", true);
        check("**", Equals, false, "any", true);
        check("?", Equals, false, "", false);
        check("?*", Equals, false, "x", true);
        check("", Equals, false, "", true);
        check("", Equals, false, "x", false);
        check("a*b*c", Equals, false, "aXbXbc", true);
        check("a*b*c", Equals, false, "aXbXb", false);
        check("a?c", Equals, false, "A\u{e9}C", true);
        check("\u{c9}t*", Equals, false, "\u{e9}t\u{e9}", true);
        check(r"a\*b", Equals, false, "a*b", true);
        check(r"a\*b", Equals, false, "axb", false);
        check(r"a\\*", Equals, false, r"a\rest", true);
        check("sg-*", Contains, false, "the SG-1", true);
        check("a*b", StartsWith, false, "axbyy", true);
        check("a*b", StartsWith, false, "yaxb", false);
        check("a*b", EndsWith, false, "yyaxb", true);
        check("a*b", EndsWith, false, "axby", false);
        check("trail", Contains, false, "CloudTRAILs", true);
        check("trail", EndsWith, false, "ail", false);
        // Letters that fold to several, or to ASCII.
        check("\u{212a}ms", Equals, false, "KMS", true);
        check("kms", StartsWith, false, "\u{212a}MSx", true);
        check("\u{130}", EndsWith, false, "xi\u{307}", true);
        check("k", EndsWith, false, "x\u{212a}", true);
        check("", StartsWith, false, "x", true);
        check("x", EndsWith, false, "", false);
    }

    #[test]
    fn dashes_stand_for_one_another() {
        let pattern = Pattern::wildcard(&SigmaString::new("x -flag"), Relation::Contains, false, true);
        for text in ["x -flag", "x /flag", "cmd x \u{2013}FLAG now"] {
            assert!(pattern.matches(text), "{text}");
        }
        assert!(!pattern.matches("x flag"));
    }
}
