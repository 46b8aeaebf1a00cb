//! What is wrong with a rule file, said so that it can be put right: where, what, and what would be valid.
//!
//! Deliberately no severity: a rule either says something the engine can do exactly, or it is refused.

use std::fmt;

/// Something wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong, and what would be valid.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// A place in a file, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// `characters` further right on the same line.
    pub(super) fn right(self, characters: usize) -> Self {
        let by = u32::try_from(characters).unwrap_or(0);
        Self { line: self.line, column: self.column.saturating_add(by) }
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    file: &'a str,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) const fn new(file: &'a str) -> Self {
        Self { file, found: Vec::new() }
    }

    pub(super) fn add(&mut self, place: Place, message: impl Into<String>) {
        self.found.push(Problem {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            message: message.into(),
        });
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn into_found(self) -> Vec<Problem> {
        self.found
    }
}

/// `a, b and c`, for messages.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// The candidates that look most like `name`, the likeliest first, for "did you mean".
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(u32, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::normalized_damerau_levenshtein(name, candidate).clamp(0.0, 1.0) * 1000.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies in 0..=1000")]
            let score = likeness as u32;
            (score, candidate)
        })
        .filter(|(score, _)| *score > 600)
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}
