//! The numbers of correlations, exact, and what is asked of many of them: a sum, an average, a percentile.
//!
//! A number is a count of billionths. Deliberately no floating point: what was added and is taken away again leaves
//! nothing behind, so the order of the events cannot show, and 0.1 and 0.2 are 0.3.

use super::value::Value;

/// Billionths in one.
const SCALE: i128 = 1_000_000_000;
/// Numbers beyond this, either way, are ignored; integers of 64 bits stay below ten times that.
const MAGNITUDE_MAX: f64 = 1e18;
/// Thousandths of a percent in all of them.
const WHOLE: i128 = 100_000;

/// The integer as billionths.
pub(super) fn of_integer(value: i64) -> i128 {
    i128::from(value).saturating_mul(SCALE)
}

/// The number as billionths, if it is one that can be counted with.
#[expect(clippy::cast_possible_truncation, reason = "compared with the bound")]
pub(super) fn of_float(value: f64) -> Option<i128> {
    (value.abs() <= MAGNITUDE_MAX).then(|| (value * 1e9).round() as i128)
}

/// Billionths, for people and for tuning.
#[expect(clippy::cast_precision_loss, reason = "the numbers of rules are short")]
pub(super) fn to_float(number: i128) -> f64 {
    number as f64 / 1e9
}

/// The numbers in a value: of a number, of a text that is one, of every such element of a list.
pub(super) fn of_value(value: &Value<'_>) -> Vec<i128> {
    match value {
        Value::Int(number) => vec![of_integer(*number)],
        Value::Float(number) => of_float(*number).into_iter().collect(),
        Value::Text(text) => of_text(text).into_iter().collect(),
        Value::List(elements) => elements.iter().flat_map(of_value).collect(),
        Value::Missing | Value::Null | Value::Bool(_) | Value::Object => Vec::new(),
    }
}

fn of_text(text: &str) -> Option<i128> {
    text.parse().map(of_integer).ok().or_else(|| of_float(text.parse().ok()?))
}

/// What is asked of the numbers in a window.
///
/// `value_sum`, `value_avg`, `value_percentile` and `value_median` are the metric operators of Sigma's correlation rules
/// specification 2.1.0. It says that the median is the percentile of 50, and leaves open how the percentile is named
/// and what lies between two values. As in pySigma, its reference implementation, the condition names it under
/// `percentile`; between two values it is interpolated, as rsigma and SQL's `percentile_cont` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    Sum,
    Average,
    /// In thousandths of a percent.
    Percentile(u32),
}

impl Statistic {
    pub(super) const MEDIAN: Self = Self::Percentile(50_000);

    /// A percentile from 0 to 100, with three decimals at most.
    pub(super) fn percentile(percent: f64) -> Option<Self> {
        let thousandths = percent * 1_000.0;
        let is_exact = (thousandths - thousandths.round()).abs() < 1e-6;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the bounds")]
        (is_exact && (0.0..=100.0).contains(&percent)).then(|| Self::Percentile(thousandths.round() as u32))
    }

    /// What its threshold is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Average => "average",
            Self::MEDIAN => "median",
            Self::Percentile(_) => "percentile",
        }
    }
}

/// The numbers in a window.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    sum: i128,
    count: usize,
    /// Ascending; only percentiles need it.
    ordered: Vec<i128>,
    /// Entered, and not yet in their place.
    fresh: Vec<i128>,
}

impl Numbers {
    pub(super) fn add(&mut self, number: i128, statistic: Statistic) {
        self.sum = self.sum.saturating_add(number);
        self.count = self.count.saturating_add(1);
        if matches!(statistic, Statistic::Percentile(_)) {
            self.fresh.push(number);
        }
    }

    pub(super) fn remove(&mut self, number: i128) {
        self.sum = self.sum.saturating_sub(number);
        self.count = self.count.saturating_sub(1);
        self.settle();
        if let Ok(place) = self.ordered.binary_search(&number) {
            self.ordered.remove(place);
        }
    }

    /// The statistic as numerator and denominator; `None` when there are no numbers.
    pub(super) fn ratio(&mut self, statistic: Statistic) -> Option<(i128, i128)> {
        let count = i128::try_from(self.count).ok().filter(|count| *count > 0)?;
        match statistic {
            Statistic::Sum => Some((self.sum, 1)),
            Statistic::Average => Some((self.sum, count)),
            Statistic::Percentile(thousandths) => {
                self.settle();
                let rank = i128::from(thousandths).saturating_mul(count.saturating_sub(1));
                let below = usize::try_from(rank.checked_div(WHOLE)?).ok()?;
                let part = rank.checked_rem(WHOLE)?;
                let lower = *self.ordered.get(below)?;
                let upper = self.ordered.get(below.saturating_add(1)).copied().unwrap_or(lower);
                let step = upper.saturating_sub(lower).saturating_mul(part);
                Some((lower.saturating_mul(WHOLE).saturating_add(step), WHOLE))
            }
        }
    }

    /// Puts what entered into its place: one by one, or, when a window is filled at first, all at once.
    fn settle(&mut self) {
        if let [only] = self.fresh.as_slice() {
            let place = self.ordered.partition_point(|known| known < only);
            self.ordered.insert(place, *only);
            self.fresh.clear();
        } else if !self.fresh.is_empty() {
            self.ordered.append(&mut self.fresh);
            self.ordered.sort_unstable();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_nothing_else() {
        let check = |value: Value<'_>, expected: &[i128]| assert_eq!(of_value(&value), expected, "{value:?}");
        check(Value::Int(-3), &[-3_000_000_000]);
        check(Value::Int(i64::MAX), &[i128::from(i64::MAX) * SCALE]);
        check(Value::Float(0.1), &[100_000_000]);
        check(Value::Text("2.5e3".into()), &[2_500_000_000_000]);
        check(Value::Text("9007199254740993".into()), &[9_007_199_254_740_993_000_000_000]);
        check(Value::List(vec![Value::Int(1), Value::Null, Value::Text("2".into())]), &[SCALE, 2 * SCALE]);
        for none in [Value::Text("NaN".into()), Value::Text("inf".into()), Value::Text("".into()), Value::Bool(true)] {
            check(none, &[]);
        }
        check(Value::Float(1e19), &[]);
    }

    #[test]
    fn percentiles_lie_between_values() {
        let check = |percent: f64, expected: f64| {
            let statistic = Statistic::percentile(percent).unwrap();
            let mut numbers = Numbers::default();
            for value in [40, 10, 30, 20, 99] {
                numbers.add(of_integer(value), statistic);
            }
            numbers.remove(of_integer(99));
            let (numerator, denominator) = numbers.ratio(statistic).unwrap();
            assert!((to_float(numerator) / denominator as f64 - expected).abs() < 1e-9, "{percent}");
        };
        check(0.0, 10.0);
        check(50.0, 25.0);
        check(95.0, 38.5);
        check(99.9, 39.97);
        check(100.0, 40.0);
        for refused in [-1.0, 100.001, 0.000_1, f64::NAN] {
            assert_eq!(Statistic::percentile(refused), None);
        }
        assert_eq!(Numbers::default().ratio(Statistic::MEDIAN), None);
    }
}
