//! What tokens cost: a table with its date and source, and a price for models that are not in it.
//!
//! It gives an estimate and says so. Discounts, batch prices, provisioned throughput and free tiers are deliberately not
//! known here. Money is counted in whole picodollars, so that sums do not depend on the order of adding.

use crate::activity::InvocationLog;

/// Picodollars in a dollar.
pub(crate) const PICO: u64 = 1_000_000_000_000;

/// The greatest price that is taken, in USD per 1,000 tokens or per image.
const USD_MAX: f64 = 10_000.0;

/// Prices of models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    date: String,
    source: String,
    /// By the beginning of the model's name, sorted.
    models: Vec<(String, Price)>,
    /// For every other model.
    default: Price,
}

/// What a model costs, in USD per 1,000 tokens and USD per image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelPrice {
    /// The beginning of the model's id, without a cross-region prefix.
    pub model: String,
    /// Tokens read.
    pub input: f64,
    /// Tokens written.
    pub output: f64,
    /// Tokens read from the prompt cache; a tenth of `input` where nothing is said.
    pub cache_read: Option<f64>,
    /// Tokens written to the prompt cache; five quarters of `input` where nothing is said.
    pub cache_write: Option<f64>,
    /// An image made.
    pub image: f64,
}

/// In picodollars a token, or an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Price {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    image: u64,
}

/// A price table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the price of `{model}` is not between 0 and {USD_MAX} USD")]
pub struct PricesError {
    /// The model.
    pub model: String,
}

impl Prices {
    /// A table of that date (`YYYY-MM-DD`) and source; `default` is for models that are not in it.
    ///
    /// # Errors
    /// When a price is negative, absurd or no number.
    pub fn new(date: &str, source: &str, models: &[ModelPrice], default: &ModelPrice) -> Result<Self, PricesError> {
        let priced: Result<Vec<_>, _> =
            models.iter().map(|model| Ok((model.model.clone(), Price::of(model)?))).collect();
        let mut models = priced?;
        models.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(Self { date: date.to_owned(), source: source.to_owned(), models, default: Price::of(default)? })
    }

    /// When the prices were looked up, as `YYYY-MM-DD`; empty where there is no table.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Where they were looked up.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What a call cost, in picodollars, and whether its model is in the table. `model` is the normalised name.
    pub(crate) fn cost_of(&self, log: &InvocationLog<'_>, model: &str) -> (u64, bool) {
        let known = self.find(model);
        let price = known.unwrap_or(&self.default);
        let parts = [
            (log.input_tokens, price.input),
            (log.output_tokens, price.output),
            (log.cache_read_tokens, price.cache_read),
            (log.cache_write_tokens, price.cache_write),
            (log.images, price.image),
        ];
        let cost = parts.iter().fold(0_u64, |sum, (count, price)| sum.saturating_add(count.saturating_mul(*price)));
        (cost, known.is_some())
    }

    /// The price of the longest entry that the name begins with.
    fn find(&self, model: &str) -> Option<&Price> {
        let matching = self.models.iter().filter(|(beginning, _)| model.starts_with(beginning.as_str()));
        matching.max_by_key(|(beginning, _)| beginning.len()).map(|(_, price)| price)
    }
}

impl Price {
    fn of(model: &ModelPrice) -> Result<Self, PricesError> {
        let pico = |usd: f64, units: f64| {
            let is_valid = (0.0..=USD_MAX).contains(&usd);
            is_valid.then(|| whole(usd * 1e12 / units)).ok_or_else(|| PricesError { model: model.model.clone() })
        };
        Ok(Self {
            input: pico(model.input, 1_000.0)?,
            output: pico(model.output, 1_000.0)?,
            cache_read: pico(model.cache_read.unwrap_or(model.input * 0.1), 1_000.0)?,
            cache_write: pico(model.cache_write.unwrap_or(model.input * 1.25), 1_000.0)?,
            image: pico(model.image, 1.0)?,
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 10^16 and not negative")]
fn whole(pico: f64) -> u64 {
    pico.round() as u64
}

/// Picodollars as dollars.
#[expect(clippy::cast_precision_loss, reason = "an estimate in dollars needs no sixteen digits")]
pub(crate) fn usd(pico: u64) -> f64 {
    pico as f64 / PICO as f64
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::time::Second;

    fn log(tokens: [u64; 4], images: u64) -> InvocationLog<'static> {
        let [input_tokens, output_tokens, cache_read_tokens, cache_write_tokens] = tokens;
        let text = || Cow::Borrowed("");
        InvocationLog {
            request_id: text(),
            time: Second(0),
            account: text(),
            principal: text(),
            arn: None,
            region: text(),
            operation: text(),
            model_id: None,
            error_code: None,
            inference_region: None,
            input_tokens,
            cache_read_tokens,
            cache_write_tokens,
            output_tokens,
            images,
        }
    }

    #[test]
    fn counts_every_kind_of_token() {
        let price = |model: &str, input, output| ModelPrice {
            model: model.to_owned(),
            input,
            output,
            image: 0.04,
            ..ModelPrice::default()
        };
        let rows = [price("anthropic.claude-3", 0.003, 0.015), price("anthropic.claude-3-haiku", 0.00025, 0.00125)];
        let prices = Prices::new("2026-11-01", "x", &rows, &price("", 0.015, 0.075)).expect("valid");
        let check = |model: &str, tokens, images, usd: f64, known| {
            let (cost, is_known) = prices.cost_of(&log(tokens, images), model);
            assert_eq!((cost, is_known), (whole(usd * 1e12), known), "{model} {tokens:?}");
        };
        check("anthropic.claude-3-sonnet-v1:0", [1_000, 1_000, 0, 0], 0, 0.018, true);
        check("anthropic.claude-3-haiku-v1:0", [1_000_000, 0, 0, 0], 0, 0.25, true);
        check("anthropic.claude-3-sonnet-v1:0", [0, 0, 10_000, 0], 0, 0.003, true);
        check("anthropic.claude-3-sonnet-v1:0", [0, 0, 0, 1_000], 2, 0.083_75, true);
        check("new.model", [0, 1_000, 0, 0], 0, 0.075, false);
        check("", [u64::MAX, u64::MAX, 1, 1], 0, 18_446_744.073_709_55, false);
    }

    #[test]
    fn refuses_absurd_prices() {
        let check = |input: f64| {
            let row = ModelPrice { model: "m".to_owned(), input, ..ModelPrice::default() };
            let error = Prices::new("2026-11-01", "x", &[row], &ModelPrice::default()).expect_err("absurd");
            assert!(error.to_string().contains("`m`"), "{error}");
        };
        check(-0.1);
        check(f64::NAN);
        check(1e9);
    }
}
