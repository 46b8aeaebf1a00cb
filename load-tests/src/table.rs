//! Tables for people, in Markdown so that they can be pasted into the README.

/// Prints a table: the first column to the left, the others to the right.
#[expect(clippy::print_stdout, reason = "the table is what the binary is for")]
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or_default()
    };
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    println!("{}", line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()));
    let rules = (0..head.len()).map(|column| {
        let dashes = "-".repeat(width(column).saturating_sub(usize::from(column > 0)));
        if column == 0 { dashes } else { format!("{dashes}:") }
    });
    println!("| {} |", rules.collect::<Vec<_>>().join(" | "));
    for row in rows {
        println!("{}", line(row));
    }
}

/// A whole number with a comma between thousands.
#[must_use]
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len().saturating_sub(index)).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with so many decimals, and a comma between thousands.
#[must_use]
pub fn decimal(number: f64, decimals: usize) -> String {
    if decimals == 0 || number.abs() >= 1_000.0 { thousands(number) } else { format!("{number:.decimals$}") }
}
