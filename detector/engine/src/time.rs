//! Event time: whole seconds, as CloudTrail reports them.
//!
//! Deliberately no clock and no sub-second part: CloudTrail's `eventTime` has one-second resolution, so
//! one-second arithmetic is exact.

use serde::{Deserialize, Serialize};

/// Seconds in a UTC day.
pub const DAY_S: u32 = 86_400;
/// Seconds in a minute.
pub const MINUTE_S: u32 = 60;

/// A moment in whole seconds since 1970-01-01T00:00:00Z, up to the year 2106.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Second(pub u32);

impl Second {
    /// Before every event.
    pub const MIN: Self = Self(0);
    /// After every event; stands for "as if time had moved on".
    pub const MAX: Self = Self(u32::MAX);

    /// Reads an RFC 3339 time in UTC or with an offset; fractions of a second are cut off.
    ///
    /// CloudTrail writes `2026-11-22T05:39:00Z`, rarely `2026-11-22T05:39:00.0000000Z`. Returns `None` when the
    /// text is no such time, or lies outside 1970..2106.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_bytes(text.as_bytes())
    }

    /// [`Second::parse`], of a text that may not be UTF-8.
    pub(crate) fn parse_bytes(text: &[u8]) -> Option<Self> {
        parse_fixed(text).or_else(|| parse_general(str::from_utf8(text).ok()?))
    }

    /// Seconds since 1970, wherever `seconds` is representable.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Option<Self> {
        u32::try_from(seconds).ok().map(Self)
    }

    /// `seconds` later, at most [`Second::MAX`].
    #[must_use]
    pub const fn plus(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// `seconds` earlier, at least [`Second::MIN`].
    #[must_use]
    pub const fn minus(self, seconds: u32) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// How many seconds this is after `earlier`; 0 if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day, counted from 1970-01-01.
    #[must_use]
    pub const fn day(self) -> u32 {
        self.0 / DAY_S
    }

    /// The UTC minute, counted from 1970-01-01T00:00Z.
    #[must_use]
    pub const fn minute(self) -> u32 {
        self.0 / MINUTE_S
    }

    /// `2026-11-22T05:39:00Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let (year, month, day) = date_of(self.day());
        let of_day = self.0 % DAY_S;
        let (hour, minute, second) = (of_day / 3_600, of_day / MINUTE_S % 60, of_day % 60);
        let mut text = *b"0000-00-00T00:00:00Z";
        let numbers =
            [(0_usize, year / 100), (2, year % 100), (5, month), (8, day), (11, hour), (14, minute), (17, second)];
        for (at, number) in numbers {
            if let Some([tens, ones]) = text.get_mut(at..at.saturating_add(2))
                && let (Ok(upper), Ok(lower)) = (u8::try_from(number / 10), u8::try_from(number % 10))
            {
                (*tens, *ones) = (b'0'.saturating_add(upper), b'0'.saturating_add(lower));
            }
        }
        str::from_utf8(&text).unwrap_or_default().to_owned()
    }
}

/// The UTC day `day` (counted from 1970-01-01) as `2026-11-22`.
#[must_use]
pub fn day_to_string(day: u32) -> String {
    let mut text = Second(day.saturating_mul(DAY_S)).to_rfc3339();
    text.truncate(10);
    text
}

/// The form nearly every record uses, `YYYY-MM-DDTHH:MM:SS[.fraction]Z`, without going through a general parser.
fn parse_fixed(text: &[u8]) -> Option<Second> {
    let (main, rest) = text.split_at_checked(19)?;
    match rest {
        [b'Z'] => {}
        [b'.', fraction @ .., b'Z'] if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) => {}
        _ => return None,
    }
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1] = main else {
        return None;
    };
    let year = i64::from(number(&[y0, y1, y2, y3])?);
    let month = number(&[m0, m1])?;
    let day = number(&[d0, d1])?;
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?);
    if hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return None;
    }
    let of_day = hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)).saturating_add(second);
    let seconds = days_from_1970(year, month, day).saturating_mul(i64::from(DAY_S)).saturating_add(i64::from(of_day));
    Second::from_unix(seconds)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| {
        digit.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0'))))
    })
}

const fn days_in(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

const fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// Days since 1970-01-01 by the civil-calendar formula of Howard Hinnant, for years 0 to 9999.
#[expect(clippy::arithmetic_side_effects, reason = "a four-digit year, a month and a day cannot overflow i64")]
fn days_from_1970(year: i64, month: u32, day: u32) -> i64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year - era * 400;
    let shifted_month = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of the day counted from 1970-01-01: [`days_from_1970`] the other way round.
#[expect(clippy::arithmetic_side_effects, reason = "the days of 136 years cannot overflow u32 here")]
const fn date_of(day: u32) -> (u32, u32, u32) {
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_month)
}

/// Everything else that is still an RFC 3339 time: offsets, lower case.
fn parse_general(text: &str) -> Option<Second> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Second::from_unix(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_jiff() {
        let moments = [0_u32, 1, 951_782_399, 951_782_400, 1_700_000_000, 1_709_164_800, 4_102_444_799, u32::MAX];
        let every_day = (0..u32::MAX / DAY_S).map(|day| day * DAY_S + day);
        for unix in moments.into_iter().chain(every_day) {
            let second = Second(unix);
            let text = second.to_rfc3339();
            let by_jiff = jiff::Timestamp::from_second(i64::from(unix)).expect("in range");
            assert_eq!(text, by_jiff.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            assert_eq!(parse_fixed(text.as_bytes()), Some(second), "{text}");
            assert_eq!(parse_general(&text), Some(second), "{text}");
        }
    }

    #[test]
    fn reads_what_records_carry() {
        let check =
            |text: &str, expected: Option<u32>| assert_eq!(Second::parse(text).map(|s| s.0), expected, "{text}");
        check("2023-07-10T11:42:36Z", Some(1_688_989_356));
        check("2023-07-10T11:42:36.0000000Z", Some(1_688_989_356));
        check("2023-07-10T13:42:36+02:00", Some(1_688_989_356));
        check("2023-02-29T00:00:00Z", None);
        check("2023-07-10T24:00:00Z", None);
        check("Wed Aug 28 22:58:30 UTC 2024", None);
        check("", None);
        check("1969-12-31T23:59:59Z", None);
        check("9999-01-01T00:00:00Z", None);
    }
}
