//! Results of cases as JUnit XML, the form that continuous integration reads.
//!
//! One suite a rule, one case a case; what a case says about its failure is its text. Deliberately no times: they are
//! not what a case is about, and would make every report different.

use std::fmt::Write as _;

use super::case::Case;

/// The report about cases, each with the lines that say why it failed; none when it passed. `broken` are problems of
/// files in which no case could be found.
#[must_use]
pub fn junit(results: &[(&Case, Vec<String>)], broken: &[String]) -> String {
    let mut rules: Vec<&str> = results.iter().map(|(case, _)| case.rule.as_str()).collect();
    rules.dedup();
    let failures = results.iter().filter(|(_, lines)| !lines.is_empty()).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, errors) = (results.len().saturating_add(broken.len()), broken.len());
    // Writing into a string cannot fail.
    let _infallible = writeln!(
        text,
        "<testsuites name=\"bedrock-watch rules\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
    );
    for rule in rules {
        let of_rule = || results.iter().filter(|(case, _)| case.rule == rule);
        let failed = of_rule().filter(|(_, lines)| !lines.is_empty()).count();
        let count = of_rule().count();
        let _infallible =
            writeln!(text, "  <testsuite name=\"{}\" tests=\"{count}\" failures=\"{failed}\">", escaped(rule));
        for (case, lines) in of_rule() {
            let (name, class, file) = (escaped(&case.name), escaped(&case.rule), escaped(&case.file));
            let head = format!("    <testcase name=\"{name}\" classname=\"{class}\" file=\"{file}\"");
            if lines.is_empty() {
                let _infallible = writeln!(text, "{head}/>");
                continue;
            }
            let (message, body) = (escaped(&case.title), escaped(&lines.join("\n")));
            let _infallible =
                writeln!(text, "{head}>\n      <failure message=\"{message}\">{body}</failure>\n    </testcase>");
        }
        text.push_str("  </testsuite>\n");
    }
    if !broken.is_empty() {
        let _infallible = writeln!(text, "  <testsuite name=\"files\" tests=\"{errors}\" errors=\"{errors}\">");
        for problem in broken {
            let problem = escaped(problem);
            let _infallible = writeln!(
                text,
                "    <testcase name=\"reads\" classname=\"files\">\n      <error message=\"{problem}\"/>\n    </testcase>"
            );
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// A text in XML. What XML 1.0 has no place for becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            other if other.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(rule: &str, name: &str) -> Case {
        Case {
            rule: rule.to_owned(),
            name: name.to_owned(),
            file: format!("rules/{rule}/cases/{name}.yml"),
            title: "A & <b>.".to_owned(),
            teach: Vec::new(),
            deliveries: Vec::new(),
            expect: Vec::new(),
        }
    }

    #[test]
    fn is_what_continuous_integration_reads() {
        let (one, two, three) = (case("a", "fires-x"), case("a", "quiet-y"), case("b", "fires-z"));
        let failed = vec!["expected 1 alert, got \"0\"".to_owned(), "\u{1b}[31m".to_owned()];
        let text = junit(&[(&one, Vec::new()), (&two, failed), (&three, Vec::new())], &["c.yml:1:1: no".to_owned()]);
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuites name=\"bedrock-watch rules\" tests=\"4\" failures=\"1\" errors=\"1\">\n  \
            <testsuite name=\"a\" tests=\"2\" failures=\"1\">\n    \
            <testcase name=\"fires-x\" classname=\"a\" file=\"rules/a/cases/fires-x.yml\"/>\n    \
            <testcase name=\"quiet-y\" classname=\"a\" file=\"rules/a/cases/quiet-y.yml\">\n      \
            <failure message=\"A &amp; &lt;b&gt;.\">expected 1 alert, got &quot;0&quot;&#10;?[31m</failure>\n    \
            </testcase>\n  </testsuite>\n  \
            <testsuite name=\"b\" tests=\"1\" failures=\"0\">\n    \
            <testcase name=\"fires-z\" classname=\"b\" file=\"rules/b/cases/fires-z.yml\"/>\n  </testsuite>\n  \
            <testsuite name=\"files\" tests=\"1\" errors=\"1\">\n    \
            <testcase name=\"reads\" classname=\"files\">\n      <error message=\"c.yml:1:1: no\"/>\n    \
            </testcase>\n  </testsuite>\n</testsuites>\n";
        assert_eq!(text, expected);
    }
}
