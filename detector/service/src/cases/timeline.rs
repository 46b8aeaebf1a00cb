//! Times in case files: offsets such as `+90s`, `-8d` or `+1h30m`, and spans such as `0.5s`, in milliseconds.
//!
//! Deliberately no absolute times but a case's `start`: a case is about distances.

/// Reads an offset from the start of the case, such as `+90s`, `-8d`, `+1h30m`; a missing sign is a plus.
pub(super) fn offset_ms(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => span_ms(rest)?.checked_neg(),
        None => span_ms(text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Reads a span such as `0.5s`, `10m`, `2h`, `1h30m` or `30d`.
pub(super) fn span_ms(text: &str) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number_times(number, unit_ms)?)?;
        rest = after;
    }
    Some(total)
}

/// A decimal number with at most three places, times a unit.
fn number_times(number: &str, unit_ms: i64) -> Option<i64> {
    let (whole, places) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    let thousandths = match places.len() {
        0 if !number.contains('.') => 0,
        1..=3 => format!("{places:0<3}").parse::<i64>().ok()?,
        _ => return None,
    };
    whole.checked_add(thousandths.checked_mul(unit_ms)? / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(offset_ms(text), expected, "{text:?}");
        check("+0s", Some(0));
        check("+90s", Some(90_000));
        check("10m", Some(600_000));
        check("-8d", Some(-691_200_000));
        check("+1h30m", Some(5_400_000));
        check("+0.5s", Some(500));
        check("+1.25s", Some(1_250));
        check("250ms", Some(250));
        for wrong in ["", "+", "5", "s", "+5x", "1.s", "1..5s", "--1s", "+5 s", "99999999999999999999d"] {
            check(wrong, None);
        }
    }
}
