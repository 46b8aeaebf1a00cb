//! Makes strings from outside safe for messages, and keeps them within limits.
//!
//! Slack reads `&`, `<` and `>` as the beginning of markup (`<!channel>` calls everybody), and backticks, stars and
//! tildes as formatting. Lengths are counted in UTF-16 units after escaping, the strictest way anybody counts.

use crate::format::visible;

/// Stands where something was cut off.
const CUT: char = '…';

/// How long a text is for Slack and PagerDuty, at most.
#[must_use]
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text with everything hidden made visible, in at most `max` units; the rest is cut off.
#[must_use]
pub fn plain(text: &str, max: usize) -> String {
    put(text, max, |character, out| out.push(character))
}

/// The same, with the three characters escaped that Slack wants escaped, never cut within an escape. For `plain_text`.
#[must_use]
pub fn escaped(text: &str, max: usize) -> String {
    put(text, max, escape)
}

/// The text as a code span of `mrkdwn`, in which nothing is formatted; a dash when there is nothing.
#[must_use]
pub fn code(text: &str, max: usize) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    let inner = put(text, max.saturating_sub(2), |character, out| match character {
        // It would end the span; this one looks the same.
        '`' => out.push('ˋ'),
        other => escape(other, out),
    });
    format!("`{inner}`")
}

/// Words for `mrkdwn` outside a code span: nothing in them is formatted, linked or called.
#[must_use]
pub fn words(text: &str, max: usize) -> String {
    put(text, max, |character, out| match character {
        '`' => out.push('ˋ'),
        '*' => out.push('∗'),
        '_' => out.push('＿'),
        '~' => out.push('∼'),
        '@' => out.push('＠'),
        other => escape(other, out),
    })
}

/// A command as a code block that can be pasted: exact, or `None` where it does not fit or would end the block.
#[must_use]
pub fn command(command: &str, max: usize) -> Option<String> {
    // Line breaks and tabs belong to commands; anything else that hides does not.
    let hidden = command.lines().any(|line| visible(&line.replace('\t', " ")) != line.replace('\t', " "));
    if hidden || command.contains("```") || command.len() > max.saturating_mul(4) {
        return None;
    }
    // On lines of its own, so that a command that begins or ends with a backtick is not taken for part of the fence.
    let mut block = "```\n".to_owned();
    for character in command.chars() {
        escape(character, &mut block);
    }
    block.push_str("\n```");
    (units(&block) <= max).then_some(block)
}

fn escape(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

fn put(text: &str, max: usize, write: impl Fn(char, &mut String)) -> String {
    // Nothing becomes shorter, so more than this cannot fit; a text of megabytes costs no more than one that fits.
    let end = text.char_indices().nth(max).map_or(text.len(), |(end, _)| end);
    let head = text.get(..end).unwrap_or_default();
    let (mut out, mut length) = (String::new(), 0_usize);
    let mut written = String::new();
    // Up to here it may go if something must be cut off after it.
    let (mut cut_at, mut is_cut) = (0_usize, end < text.len());
    for character in visible(head).chars() {
        written.clear();
        write(character, &mut written);
        let with = length.saturating_add(units(&written));
        if with > max {
            is_cut = true;
            break;
        }
        out.push_str(&written);
        length = with;
        if length < max {
            cut_at = out.len();
        }
    }
    if is_cut && max > 0 {
        out.truncate(cut_at);
        out.push(CUT);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_pings_formats_or_hides() {
        let check = |make: fn(&str, usize) -> String, text: &str, max: usize, expected: &str| {
            assert_eq!(make(text, max), expected, "{text}");
            assert!(units(expected) <= max);
        };
        check(escaped, "<!channel> & R&D", 60, "&lt;!channel&gt; &amp; R&amp;D");
        check(escaped, "&&&&", 11, "&amp;&amp;…");
        check(escaped, "ab", 2, "ab");
        check(escaped, "abc", 2, "a…");
        check(escaped, "abc", 0, "");
        check(escaped, "𝕏𝕏", 3, "𝕏…");
        check(code, "a`b\n*c*", 60, "`aˋb\\u{a}*c*`");
        check(code, "", 60, "-");
        check(words, "*b* _i_ ~s~ `c` <@U1> @here", 80, "∗b∗ ＿i＿ ∼s∼ ˋcˋ &lt;＠U1&gt; ＠here");
        check(plain, "a\u{202e}b<", 60, "a\\u{202e}b<");
        assert_eq!(units(&escaped(&"<".repeat(100_000), 3_000)), 2_997);
    }

    #[test]
    fn a_command_is_exact_or_left_out() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(command(text, 60).as_deref(), expected, "{text}");
        check("aws a \\\n\t--b 'c' > d", Some("```\naws a \\\n\t--b 'c' &gt; d\n```"));
        check("echo ```", None);
        check("echo \u{202e}x", None);
        check("echo \u{1b}[2J", None);
        check("`", Some("```\n`\n```"));
        check(&"a".repeat(53), None);
    }
}
