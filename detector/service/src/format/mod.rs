//! How alerts look outside: the product's JSON, a block for people, OCSF and ASFF.
//!
//! Deliberately no I/O here: a format turns a change of an alert into text, a sink decides where it goes.

pub mod asff;
mod human;
pub mod json;
mod ocsf;
pub mod ocsf_compliance;
pub mod read;
#[cfg(test)]
pub(crate) mod sample;
mod visible;

use bedrock_watch_engine::alert::AlertChange;

pub use human::Colour;
pub use visible::visible;

/// The forms in which alerts can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A block of text for people.
    Human,
    /// The product's JSON, one object a line.
    Json,
    /// OCSF Detection Findings, one object a line.
    Ocsf,
}

impl Format {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Human, Self::Json, Self::Ocsf];

    /// The name on the command line and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Ocsf => "ocsf",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// Writes one change as text that ends with a line's end.
    #[must_use]
    pub fn render(self, change: &AlertChange, colour: Colour) -> String {
        self.render_in(change, None, colour)
    }

    /// The same, with the id of the incident the alert is in; only JSON has a place for it.
    #[must_use]
    pub fn render_in(self, change: &AlertChange, incident: Option<&str>, colour: Colour) -> String {
        match self {
            Self::Human => human::render(change, colour),
            Self::Json => json::line_in(&change.alert, incident) + "\n",
            Self::Ocsf => ocsf::finding(change).to_string() + "\n",
        }
    }
}
