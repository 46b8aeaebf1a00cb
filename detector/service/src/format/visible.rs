//! Makes text from outside safe to print.
//!
//! Names, user agents and error messages are chosen by whoever makes the call. Escape sequences in them could clear the
//! screen of the person reading the alert, and bidirectional overrides could make a line read differently from what it
//! is.

use std::borrow::Cow;

/// The text with every control and direction-changing character written as `\u{...}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().saturating_add(8));
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        // Marks of direction and joints outside that block, letters that show as nothing, and tags.
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn hides_nothing() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("Zoë 日本 \"quoted\"", "Zoë 日本 \"quoted\"");
        check("a\u{1b}[2Jb", "a\\u{1b}[2Jb");
        check("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c");
        check("user\u{202e}gpj.exe", "user\\u{202e}gpj.exe");
        check("a\u{ad}b\u{61c}\u{3164}\u{e0041}", "a\\u{ad}b\\u{61c}\\u{3164}\\u{e0041}");
        check("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}");
    }
}
