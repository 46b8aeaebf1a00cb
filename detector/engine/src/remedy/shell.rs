//! Shell commands that can be pasted: quoting, placeholders, and commands written one option a line.
//!
//! Whatever comes from a record was chosen by somebody else, perhaps by an attacker, so it enters a command only as a
//! quoted word. Control characters never reach the terminal as such: a pasted escape character could end the
//! terminal's bracketed paste and run what follows. Deliberately no running of anything.

use std::fmt::Write as _;

use super::text::is_harmless;

/// Longer values are not spelled out; no name or configuration in AWS that a command needs is longer.
const VALUE_BYTES_MAX: usize = 4_096;

/// `text` as one word of a POSIX shell.
///
/// Text with control characters becomes `$'...'` (POSIX.1-2024, and bash, zsh and ksh long before) with octal escapes,
/// in which nothing is expanded, not even the history of an interactive shell.
pub(super) fn quote(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(is_bare) {
        return text.to_owned();
    }
    if text.chars().all(is_harmless) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = "$'".to_owned();
    for character in text.chars() {
        match character {
            // A word cannot carry it.
            '\0' => word.push('?'),
            ' '..='~' if !matches!(character, '\'' | '\\' | '!') => word.push(character),
            other => {
                for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                    // Always three digits, so that a digit that follows is not taken for one of them.
                    escape(&mut word, byte);
                }
            }
        }
    }
    word.push('\'');
    word
}

fn escape(word: &mut String, byte: u8) {
    // Writing into a string cannot fail.
    let _infallible = write!(word, "\\{byte:03o}");
}

/// Whether a byte means the same inside and outside quotes, in every shell and at every place of a word.
const fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b':' | b'@' | b'%' | b'+' | b',' | b'-')
}

/// A variable that a former command sets, or the reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: &'static str,
    /// What to do while it is not set; plain words only.
    pub(super) hint: &'static str,
}

impl Variable {
    /// The expansion, which stops the command while the variable is not set.
    fn expansion(self) -> String {
        format!("\"${{{}:?{}}}\"", self.name, self.hint)
    }
}

/// One word of a command, safe to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word(String);

impl Word {
    /// A text, quoted.
    pub(super) fn quoted(text: &str) -> Self {
        Self(quote(text))
    }

    /// A value as it is known; otherwise a variable that the reader must set.
    ///
    /// A value that the AWS CLI would take for the name of a file or page to read counts as unknown: a security group
    /// may well be called `file:///home/me/.aws/credentials`.
    pub(super) fn known(value: Option<&str>, otherwise: Variable) -> Self {
        match value {
            Some(value) if !value.is_empty() && value.len() <= VALUE_BYTES_MAX && !is_reference(value) => {
                Self::quoted(value)
            }
            _ => Self(otherwise.expansion()),
        }
    }

    /// A value that a variable holds.
    pub(super) fn variable(variable: Variable) -> Self {
        Self(variable.expansion())
    }

    /// A JSON document.
    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self::quoted(&value.to_string())
    }
}

fn is_reference(value: &str) -> bool {
    ["file://", "fileb://", "http://", "https://"].iter().any(|scheme| value.starts_with(scheme))
}

/// A word made of texts and variables.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    done: String,
    pending: String,
}

impl Mixed {
    /// Adds text.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.pending.push_str(text);
        self
    }

    /// Adds what a variable holds.
    pub(super) fn variable(mut self, variable: Variable) -> Self {
        self.flush();
        self.done.push_str(&variable.expansion());
        self
    }

    /// Adds a list of JSON strings without its brackets; the element equal to `replaced` is what the variable holds.
    pub(super) fn json_strings<'a>(
        mut self,
        items: impl Iterator<Item = &'a str>,
        replaced: Option<(&str, Variable)>,
    ) -> Self {
        for (place, item) in items.enumerate() {
            if place > 0 {
                self = self.text(",");
            }
            self = match replaced {
                Some((lost, variable)) if lost == item => self.text("\"").variable(variable).text("\""),
                _ => self.text(&serde_json::Value::from(item).to_string()),
            };
        }
        self
    }

    /// The word.
    pub(super) fn word(mut self) -> Word {
        self.flush();
        Word(self.done)
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.done.push_str(&quote(&self.pending));
            self.pending.clear();
        }
    }
}

/// A command of the AWS CLI, one option a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aws(String);

impl Aws {
    /// `aws SERVICE OPERATION`.
    pub(super) fn new(operation: &'static str) -> Self {
        Self(format!("aws {operation}"))
    }

    /// `aws SERVICE OPERATION --region REGION`.
    pub(super) fn in_region(operation: &'static str, region: Option<&str>) -> Self {
        const REGION: Variable = Variable { name: "REGION", hint: "set REGION to the region" };
        Self::new(operation).option("--region", &Word::known(region, REGION))
    }

    /// `aws s3 sync`, which takes its two places without option names.
    pub(super) fn sync(from: &Word, to: &Word) -> Self {
        Self(format!("aws s3 sync {} {}", from.0, to.0))
    }

    /// Adds an option.
    pub(super) fn option(mut self, name: &'static str, value: &Word) -> Self {
        // A value that begins with a dash would be taken for an option, unless it is tied to its own.
        let dashed = ["-", "'-", "$'-"].iter().any(|start| value.0.starts_with(start));
        let tie = if dashed { '=' } else { ' ' };
        self.0.push_str(" \\\n  ");
        self.0.push_str(name);
        self.0.push(tie);
        self.0.push_str(&value.0);
        self
    }

    /// Adds an option with a value that is always the same.
    pub(super) fn fixed(self, name: &'static str, value: &'static str) -> Self {
        self.option(name, &Word::quoted(value))
    }

    /// Adds an option if there is a value.
    pub(super) fn maybe(self, name: &'static str, value: Option<&Word>) -> Self {
        match value {
            Some(value) => self.option(name, value),
            None => self,
        }
    }
}

/// Commands and notes, in the order in which they are to be run.
#[derive(Debug, Default)]
pub(super) struct Script {
    lines: Vec<String>,
}

impl Script {
    /// Adds a comment. Shells that do not know comments on their command line must not trip over it either, so
    /// everything a shell could interpret is replaced.
    pub(super) fn note(&mut self, text: &str) {
        self.lines.push(format!("# {}", super::text::plain(text)));
    }

    /// Adds a command.
    pub(super) fn run(&mut self, command: Aws) {
        self.lines.push(command.0);
    }

    /// Adds a command that is not meant to be run without thought, on one line, as a comment.
    pub(super) fn suggest(&mut self, command: &Aws) {
        self.lines.push(format!("# {}", command.0.replace(" \\\n  ", " ")));
    }

    /// Adds a command whose answer a variable keeps.
    pub(super) fn capture(&mut self, variable: Variable, command: &Aws) {
        self.lines.push(format!("{}=$({})", variable.name, command.0));
    }

    /// The commands.
    pub(super) fn finish(self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A script without everything that a shell would take for plain text: what is left is what it acts upon.
    pub(crate) fn unquoted_rest(script: &str) -> String {
        let mut rest = String::new();
        let mut characters = script.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\'' => characters.by_ref().take_while(|next| *next != '\'').for_each(drop),
                '\\' => drop(characters.next()),
                '$' if characters.peek() == Some(&'\'') => {
                    characters.next();
                    // Quotes inside are escaped in octal.
                    characters.by_ref().take_while(|next| *next != '\'').for_each(drop);
                }
                other => rest.push(other),
            }
        }
        rest
    }

    /// What a POSIX shell makes of a word: the inverse of [`quote`], written after the standard and not after `quote`.
    /// `None` where the shell would do anything but take text.
    fn unquote(word: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = word.as_bytes();
        while let [first, after @ ..] = rest {
            match first {
                b'\'' => {
                    let mut halves = after.splitn(2, |byte| *byte == b'\'');
                    bytes.extend_from_slice(halves.next()?);
                    rest = halves.next()?;
                }
                b'\\' => {
                    bytes.push(*after.first()?);
                    rest = &after[1..];
                }
                b'$' => {
                    rest = after.strip_prefix(b"'")?;
                    loop {
                        match rest {
                            [b'\'', after @ ..] => break rest = after,
                            [b'\\', a, b, c, after @ ..] => {
                                let digits = std::str::from_utf8(&[*a, *b, *c]).ok()?.to_owned();
                                bytes.push(u8::from_str_radix(&digits, 8).ok()?);
                                rest = after;
                            }
                            [byte, after @ ..] => {
                                bytes.push(*byte);
                                rest = after;
                            }
                            [] => return None,
                        }
                    }
                }
                byte if b" \t\n;&|<>()`\"*?[#~=!{".contains(byte) => return None,
                byte => {
                    bytes.push(*byte);
                    rest = after;
                }
            }
        }
        String::from_utf8(bytes).ok()
    }

    const HOSTILE: [&str; 18] = [
        "",
        "plain-word_1.2/3:4@5",
        "two words",
        "'; rm -rf ~; '",
        "'\\''",
        "$(reboot)`reboot`${HOME}",
        "line\nrm -rf ~\n",
        "\u{1b}[201~rm -rf ~\r",
        "!!",
        "a!b\n'c\\",
        "\n7",
        "\u{202e}txet",
        "=ls",
        "~root",
        "-rf",
        "#comment",
        "* ? [a]",
        "日本語 \u{7f} é",
    ];

    #[test]
    fn a_quoted_word_is_the_text_and_nothing_else() {
        for text in HOSTILE {
            let word = quote(text);
            assert_eq!(unquote(&word).as_deref(), Some(text), "{word}");
            assert!(!word.chars().any(char::is_control), "{word:?}");
        }
        assert_eq!(unquote(&quote("a\0b")).as_deref(), Some("a?b"), "a word cannot carry NUL\n");
    }

    #[test]
    fn words_look_as_people_write_them() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("us-east-1", "us-east-1");
        check("it's", r"'it'\''s'");
        check("a\nb", r"$'a\012b'");
        check("", "''");
    }

    #[test]
    fn values_that_the_cli_would_read_from_elsewhere_are_not_used() {
        let variable = Variable { name: "NAME", hint: "set NAME" };
        let check =
            |value: Option<&str>, expected: &str| assert_eq!(Word::known(value, variable).0, expected, "{value:?}");
        check(Some("tuning"), "tuning");
        check(Some("file:///etc/passwd"), "\"${NAME:?set NAME}\"");
        check(Some("http://169.254.169.254/"), "\"${NAME:?set NAME}\"");
        check(Some(&"x".repeat(VALUE_BYTES_MAX + 1)), "\"${NAME:?set NAME}\"");
        check(Some(""), "\"${NAME:?set NAME}\"");
        check(None, "\"${NAME:?set NAME}\"");
    }

    #[test]
    fn a_value_cannot_become_an_option() {
        for value in ["--endpoint-url=http://evil", "-x", "- \n"] {
            let Aws(command) = Aws::new("ec2 x").option("--name", &Word::quoted(value));
            assert!(command.contains("--name="), "{command}");
        }
    }

    #[test]
    fn variables_stand_between_quoted_texts() {
        let variable = Variable { name: "NEW", hint: "set NEW" };
        let word = Mixed::default()
            .text("{\"ids\":[")
            .json_strings(["a'b", "lost", "c"].into_iter(), Some(("lost", variable)))
            .text("]}");
        assert_eq!(word.word().0, "'{\"ids\":[\"a'\\''b\",\"'\"${NEW:?set NEW}\"'\",\"c\"]}'");
    }

    #[test]
    fn notes_carry_nothing_a_shell_would_interpret() {
        let mut script = Script::default();
        script.note("name '$(x)`y`\"; rm\n#!*?~<>|&(){}[]\\ end");
        let text = script.finish();
        assert!(text.starts_with("# name "), "{text}");
        assert!(!text.contains(['\'', '"', '$', '`', ';', '\n', '!', '*', '?', '~', '<', '>', '|', '&', '(', '\\']));
    }
}
