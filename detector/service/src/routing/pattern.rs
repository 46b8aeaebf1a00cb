//! Names with `*` for any text. Deliberately nothing more: no `?`, no classes, no escapes.

/// Whether `text` is `pattern`, in which each `*` stands for any text, also none. Takes time in proportion to the
/// product of both lengths at worst, whatever the pattern.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else { return pattern == text };
    let Some(rest) = text.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    // Each part in the middle is taken where it first fits, which leaves the most for those after it.
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

/// Whether nothing is asked for, or one of `patterns` fits.
pub(super) fn fits(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, text))
}

/// Like [`fits`], for what an alert may not have.
pub(super) fn fits_some(patterns: &[String], text: Option<&str>) -> bool {
    patterns.is_empty() || text.is_some_and(|text| fits(patterns, text))
}

/// Whether the pattern says nothing.
pub(super) fn is_any(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::glob;

    #[test]
    fn stands_for_any_text() {
        let check = |pattern: &str, text: &str, expected: bool| assert_eq!(glob(pattern, text), expected, "{pattern}");
        check("invocation-burst", "invocation-burst", true);
        check("invocation-burst", "invocation-bursts", false);
        check("invocation-*", "invocation-burst", true);
        check("*", "", true);
        check("", "", true);
        check("", "x", false);
        check("arn:*:role/*scan*", "arn:aws:iam::1:role/weekly-scanner", true);
        check("a*a", "a", false);
        check("a*a", "aa", true);
        check("*ab*ab*", "abab", true);
        check("*ab*ab*", "abb", false);
        check("é*", "école", true);
    }

    /// The definition, without any thought of speed.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            Some((first, rest)) => text.first() == Some(first) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*é]{0,8}", text in "[abé]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }
    }
}
