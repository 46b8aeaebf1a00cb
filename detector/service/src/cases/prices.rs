//! Reads `prices.toml`: what tokens cost, with the date and the source of the prices.
//!
//! Unknown keys are errors, and there is no price without a date.

use bedrock_watch_engine::{ModelPrice, Prices, rule::Problem};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// `YYYY-MM-DD`.
    date: String,
    source: String,
    default: Row,
    #[serde(default)]
    model: Vec<NamedRow>,
}

/// In USD per 1,000 tokens; an image in USD.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    #[serde(default)]
    image: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedRow {
    id: String,
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    #[serde(default)]
    image: f64,
}

/// Reads the price table that lies at `path`.
pub(super) fn read(path: &str, text: &str) -> Result<Prices, Problem> {
    let problem = |line: usize, message: String| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        Problem { file: path.to_owned(), line, column: 1, message }
    };
    let line_of = |offset: usize| text.get(..offset).unwrap_or_default().matches('\n').count().saturating_add(1);
    let file: File = toml::from_str(text)
        .map_err(|error| problem(error.span().map_or(1, |span| line_of(span.start)), error.message().to_owned()))?;
    if jiff::civil::Date::strptime("%Y-%m-%d", &file.date).is_err() {
        return Err(problem(1, format!("date is `{}`; write the day of the prices as YYYY-MM-DD", file.date)));
    }
    let Row { input, output, cache_read, cache_write, image } = file.default;
    let default = ModelPrice { model: "default".to_owned(), input, output, cache_read, cache_write, image };
    let models: Vec<ModelPrice> = file.model.into_iter().map(NamedRow::into_price).collect();
    let mut ids: Vec<&str> = models.iter().map(|model| model.model.as_str()).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find_map(|pair| pair.first().filter(|first| pair.last() == Some(first))) {
        return Err(problem(1, format!("`{twice}` has two prices; leave one out")));
    }
    Prices::new(&file.date, &file.source, &models, &default).map_err(|error| problem(1, error.to_string()))
}

impl NamedRow {
    fn into_price(self) -> ModelPrice {
        let Self { id, input, output, cache_read, cache_write, image } = self;
        ModelPrice { model: id, input, output, cache_read, cache_write, image }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "date = \"2026-11-01\"\nsource = \"x\"\n[default]\ninput = 0.003\noutput = 0.015\n";

    #[test]
    fn says_what_is_wrong_and_where() {
        let check = |more: &str, expected: Result<&str, &str>| {
            let found = read("prices.toml", &format!("{GOOD}{more}")).map_err(|problem| problem.to_string());
            match (&found, expected) {
                (Ok(prices), Ok(date)) => assert_eq!(prices.date(), date),
                (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
                _ => panic!("{more}: {found:?}"),
            }
        };
        check("", Ok("2026-11-01"));
        check("[[model]]\nid = \"a\"\ninput = 1\noutput = 2\n", Ok("2026-11-01"));
        check("[[model]]\nid = \"a\"\ninput = 1\n", Err("prices.toml:6:1: missing field `output`"));
        check("[[model]]\nid = \"a\"\ninput = -1\noutput = 2\n", Err("the price of `a`"));
        let row = "[[model]]\nid = \"a\"\ninput = 1\noutput = 2\n";
        check(&row.repeat(2), Err("`a` has two prices"));
        check("price = 1\n", Err("unknown field `price`"));
        assert!(read("p", &GOOD.replace("2026-11-01", "today")).is_err());
    }
}
