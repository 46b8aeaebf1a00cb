//! Tables for people: columns as wide as what is in them.

use bedrock_watch_service::format::visible;
use serde_json::Value;

/// The widest a column may be, in characters, but for the last one.
const WIDTH_MAX: usize = 60;

/// Lays out rows under a heading; what came from events is made harmless for a terminal.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| visible(cell).to_string()).collect()).collect();
    let all = || std::iter::once(&heading).chain(&rows);
    let width = |column: usize| {
        let widths = all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        widths.max().unwrap_or(0).min(WIDTH_MAX)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    all().map(line).collect()
}

/// A text within a JSON value; nothing there is `-`.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The items of a list within a JSON value.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_nothing_reaches_the_terminal() {
        let rows = [vec!["a".to_owned(), "x\u{1b}[31m\ny".to_owned()], vec!["long".to_owned(), "z".to_owned()]];
        let text = table(&["ID", "WHAT"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[2]), (3, "ID    WHAT", "long  z"));
        assert!(lines[1].starts_with("a     x") && !text.contains('\u{1b}'), "{text}");
    }
}
