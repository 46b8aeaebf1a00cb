//! Text from records, made fit for comments and titles, and what can be read off names.

/// The longest comment or title.
const PLAIN_CHARS_MAX: usize = 400;

/// Whether a character shows as itself: no control character, and none of the invisible ones that turn or hide text.
pub(super) fn is_harmless(character: char) -> bool {
    let is_invisible = || {
        matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    // Nearly all characters are of the first kind.
    matches!(character, ' '..='~') || !character.is_control() && !is_invisible()
}

/// `text` with everything but letters, digits and harmless punctuation replaced by `_`, cut to a bearable length.
pub(super) fn plain(text: &str) -> String {
    let keep = |character: char| if is_plain(character) { character } else { '_' };
    if text.len() <= PLAIN_CHARS_MAX && text.chars().all(is_plain) {
        return text.to_owned();
    }
    text.chars().take(PLAIN_CHARS_MAX).map(keep).collect()
}

const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, ' ' | '.' | ',' | ':' | '/' | '@' | '_' | '=' | '+' | '-' | '%')
}

/// The partition that a region lies in.
pub(super) fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The account of an ARN.
pub(super) fn account_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(3).filter(|account| !account.is_empty())
}

/// The region of an ARN.
pub(super) fn region_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

/// What follows the last slash: the name in an ARN with a path.
pub(super) fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names() {
        let key = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/abc";
        assert_eq!(account_of_arn(key), Some("111122223333"));
        assert_eq!(region_of_arn(key), Some("us-gov-west-1"));
        assert_eq!(partition(region_of_arn(key)), "aws-us-gov");
        assert_eq!(last_segment(key), "abc");
        assert_eq!(account_of_arn("arn:aws:s3:::bucket"), None);
        assert_eq!(region_of_arn("bucket"), None);
        assert_eq!(plain("a\n'b"), "a__b");
    }
}
