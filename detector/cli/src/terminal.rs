//! Standard output and standard error: who reads them, and the one way to write to the latter.

use std::io::{IsTerminal, Write, stderr, stdout};

use bedrock_watch_service::format::{Colour, Format};

/// Writes a line to standard error. Nobody can be told if that fails.
pub(crate) fn say(line: &str) {
    writeln!(stderr(), "{line}").unwrap_or_default();
}

/// Whether colour was declined (<https://no-color.org>).
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Colour on standard output: only on a terminal.
pub(crate) fn stdout_colour() -> Colour {
    if stdout().is_terminal() && !no_colour() { Colour::Always } else { Colour::Never }
}

/// Whether log lines are coloured.
pub(crate) fn stderr_is_coloured() -> bool {
    stderr().is_terminal() && !no_colour()
}

/// Whether somebody watches the progress.
pub(crate) fn stderr_is_watched() -> bool {
    stderr().is_terminal()
}

/// The form of alerts where none was asked for.
pub(crate) fn default_format() -> Format {
    if stdout().is_terminal() { Format::Human } else { Format::Json }
}
