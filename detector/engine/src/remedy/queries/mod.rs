//! Queries that dig further: those an alert carries, and the whole set of an investigation.
//!
//! What is asked stands in `of_alert` and `investigation`, in no language; `sql` and `insights` write it down. CloudTrail
//! is asked through Lake (`$EDS_ID` stands for the id of the event data store), Athena and CloudWatch Logs Insights, the
//! invocation log through the last two. Everything that came from a record is quoted where it is written.

mod inquiry;
mod insights;
mod investigation;
mod of_alert;
mod search;
mod sql;
mod tables;
#[cfg(test)]
mod tests;

use crate::alert::{Alert, Query, SubjectKind};

pub use inquiry::Inquiry;
use search::{Log, Search};
use sql::Place;

/// A language in which queries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Athena, over CloudTrail's files and the invocation log's.
    Athena,
    /// CloudTrail Lake.
    Lake,
    /// CloudWatch Logs Insights, over the log groups of both.
    Insights,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::Athena, Self::Lake, Self::Insights];

    /// The name in alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Athena => "athena",
            Self::Lake => "cloudtrail-lake",
            Self::Insights => "logs-insights",
        }
    }
}

/// The queries that an alert carries: about itself, in Lake and over the table that CloudTrail's console makes.
pub(crate) fn of(alert: &Alert) -> Vec<Query> {
    let inquiry = Inquiry::of_alert(alert);
    let searches: Vec<Search> = of_alert::events(alert)
        .into_iter()
        .chain(investigation::timeline(&inquiry))
        .chain(investigation::bedrock_calls(&inquiry))
        .chain(of_alert::about_subject(alert))
        .collect();
    let in_place = |place: Place| searches.iter().map(move |search| written(search, place));
    let mut queries: Vec<Query> = in_place(Place::Lake).chain(in_place(Place::Athena)).collect();
    if !matches!(alert.subject_kind, SubjectKind::CustomizationJobDependency | SubjectKind::Dependency) {
        queries.push(written(&investigation::logged(&inquiry), Place::Athena));
        queries.push(table_of_log(&inquiry));
    }
    queries
}

impl Inquiry {
    /// The set of an investigation, in these languages; with `alert`, also what that one gives reason to ask.
    #[must_use]
    pub fn queries(&self, alert: Option<&Alert>, languages: &[Language]) -> Vec<Query> {
        let mut searches: Vec<Search> = alert.and_then(of_alert::events).into_iter().collect();
        searches.extend(investigation::timeline(self));
        searches.extend(investigation::bedrock_calls(self));
        searches.extend(alert.map(of_alert::about_subject).unwrap_or_default());
        searches.extend(investigation::further(self));
        searches.push(investigation::logged(self));
        let mut queries = Vec::new();
        for language in languages {
            match language {
                Language::Athena => {
                    queries.extend([table_of_trail(self), table_of_log(self)]);
                    queries.extend(searches.iter().map(|search| written(search, Place::Projected)));
                }
                Language::Lake => {
                    let of_trail = searches.iter().filter(|search| search.log == Log::Trail);
                    queries.extend(of_trail.map(|search| written(search, Place::Lake)));
                }
                Language::Insights => queries.extend(searches.iter().map(|search| Query {
                    title: search.title.to_owned(),
                    language: Language::Insights.as_str().to_owned(),
                    text: insights::write(search),
                })),
            }
        }
        queries
    }
}

fn written(search: &Search, place: Place) -> Query {
    let language = if place == Place::Lake { Language::Lake } else { Language::Athena };
    query(search.title, language, sql::write(search, place))
}

fn table_of_log(inquiry: &Inquiry) -> Query {
    let text = tables::invocation_log(inquiry.account.as_deref(), inquiry.region.as_deref());
    query("The table over the invocation log, to be made once", Language::Athena, text)
}

fn table_of_trail(inquiry: &Inquiry) -> Query {
    let text = tables::trail(inquiry.account.as_deref(), inquiry.region.as_deref());
    query("The table over CloudTrail's files, to be made once", Language::Athena, text)
}

fn query(title: &str, language: Language, text: String) -> Query {
    Query { title: title.to_owned(), language: language.as_str().to_owned(), text }
}
