//! The sentence an alert says, with placeholders for what only the event knows.
//!
//! Deliberately no expressions and no formatting: a placeholder is a name.

use super::problem::{listed, nearest};

/// A sentence with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Placeholder),
}

/// What a sentence may leave to the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// Who did it, normalised.
    Principal,
    /// Who did it, as the record says.
    Actor,
    /// The account.
    Account,
    /// The region.
    Region,
    /// The subject's id.
    Subject,
    /// The event's name.
    Event,
    /// How many events the alert rests on.
    Count,
    /// The UTC day.
    Day,
    /// One of the alert's facts.
    Fact(String),
}

const NAMES: [(&str, Placeholder); 8] = [
    ("principal", Placeholder::Principal),
    ("actor", Placeholder::Actor),
    ("account", Placeholder::Account),
    ("region", Placeholder::Region),
    ("subject", Placeholder::Subject),
    ("event", Placeholder::Event),
    ("count", Placeholder::Count),
    ("day", Placeholder::Day),
];

impl Template {
    /// Reads a sentence; the error says what is wrong with a placeholder.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some((name, behind)) = after.split_once('}') else {
                return Err(format!("`{{{after}` is not closed; a placeholder is written {{name}}"));
            };
            parts.push(Part::Hole(placeholder(name)?));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The sentence, each placeholder replaced by what `fill` says; by `unknown` where it says nothing.
    pub fn render(&self, mut fill: impl FnMut(&Placeholder) -> Option<String>) -> String {
        let mut sentence = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => sentence.push_str(text),
                Part::Hole(hole) => match fill(hole) {
                    Some(text) => sentence.push_str(&text),
                    None => sentence.push_str("unknown"),
                },
            }
        }
        sentence
    }
}

fn placeholder(name: &str) -> Result<Placeholder, String> {
    if let Some(fact) = name.strip_prefix("facts.")
        && !fact.is_empty()
    {
        return Ok(Placeholder::Fact(fact.to_owned()));
    }
    if let Some((_, found)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(found.clone());
    }
    let known = || NAMES.iter().map(|(known, _)| *known);
    let hint = match nearest(name, known()).first() {
        Some(likely) => format!("; did you mean {{{likely}}}?"),
        None => String::new(),
    };
    Err(format!(
        "unknown placeholder {{{name}}}{hint} Valid are {} and facts.NAME",
        listed(known()).replace(" and ", ", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_holes() {
        let template = Template::parse("{principal} did {event} on {facts.jobs} in {region}.").unwrap();
        let sentence = template.render(|hole| match hole {
            Placeholder::Principal => Some("alice".to_owned()),
            Placeholder::Event => Some("DeleteTrail".to_owned()),
            Placeholder::Fact(name) => Some(format!("<{name}>")),
            _ => None,
        });
        assert_eq!(sentence, "alice did DeleteTrail on <jobs> in unknown.");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in ["{principle}", "{facts.}", "open {account", "{}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
