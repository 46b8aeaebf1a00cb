//! Quoting for commands that are pasted.

/// `text` as one word of a POSIX shell. Control characters, which no name in AWS has, are left out.
#[must_use]
pub(super) fn quote(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+,-".contains(&byte);
    if !text.is_empty() && text.bytes().all(bare) {
        return text.to_owned();
    }
    let shown: String = text.chars().filter(|character| !character.is_control()).collect();
    format!("'{}'", shown.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quotes() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("arn:aws:s3:::a", "arn:aws:s3:::a");
        check("", "''");
        check("$.account", "'$.account'");
        check("it's\u{1b}[0m", r"'it'\''s[0m'");
    }
}
