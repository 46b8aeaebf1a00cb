//! What the splitter makes of streams good and bad.

use super::{Piece, RECORD_BYTES_MAX, Splitter};

/// What came out, with the line each begins on: records as their text, rejected bytes as `!` and the reason.
fn split(chunks: &[&[u8]], mut splitter: Splitter) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut take = |splitter: &mut Splitter| {
        while let Some(piece) = splitter.next_piece() {
            found.push(match piece {
                Piece::Record { bytes, line, .. } => (line, String::from_utf8_lossy(bytes).into_owned()),
                Piece::Rejected { line, reason, .. } => (line, format!("!{reason}")),
            });
        }
    };
    for chunk in chunks {
        splitter.feed(chunk);
        take(&mut splitter);
    }
    splitter.end();
    take(&mut splitter);
    found
}

/// Splits `stream` whole, byte by byte and live; all must give `expected`. Of reasons, the beginning is compared.
#[track_caller]
fn check(stream: &str, expected: &[(u64, &str)]) {
    let bytes = stream.as_bytes();
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let sevens: Vec<&[u8]> = bytes.chunks(7).collect();
    let ways = [
        ("whole", split(&[bytes], Splitter::new())),
        ("byte by byte", split(&single, Splitter::new())),
        ("in sevens", split(&sevens, Splitter::new())),
        ("live", split(&[bytes], Splitter::live())),
        ("live, byte by byte", split(&single, Splitter::live())),
    ];
    for (way, found) in ways {
        let matches = found.len() == expected.len()
            && found.iter().zip(expected).all(|((line, text), (expected_line, expected))| {
                line == expected_line
                    && if expected.starts_with('!') { text.starts_with(expected) } else { text == expected }
            });
        assert!(matches, "{way}: {stream:.300?}\nfound    {found:.300?}\nexpected {expected:.300?}");
    }
}

#[test]
fn every_container() {
    check("", &[]);
    check(" \n\r\n\t", &[]);
    check("{\"a\":1}\n{\"b\":2}\n", &[(1, "{\"a\":1}"), (2, "{\"b\":2}")]);
    check("\u{feff}{\"a\":1}\r\n\r\n{\"b\":2}", &[(1, "{\"a\":1}"), (3, "{\"b\":2}")]);
    check(
        "{\n  \"a\": {\n    \"x\": \"}\"\n  }\n}\n{\n}\n",
        &[(1, "{\n  \"a\": {\n    \"x\": \"}\"\n  }\n}"), (6, "{\n}")],
    );
    check("{\"a\":1}{\"b\":2} {\"c\":3}", &[(1, "{\"a\":1}"), (1, "{\"b\":2}"), (1, "{\"c\":3}")]);
    check("[{\"a\":1},\n {\"b\":[1,2]}]\n{\"c\":3}", &[(1, "{\"a\":1}"), (2, "{\"b\":[1,2]}"), (3, "{\"c\":3}")]);
    check(r#"{"Records":[{"a":1},{"b":2}]}{"c":3}"#, &[(1, r#"{"a":1}"#), (1, r#"{"b":2}"#), (1, r#"{"c":3}"#)]);
    check(r#"{"x":{"Records":[1]},"Records" : [ {"a":1} ] , "y":[{"z":0}]}"#, &[(1, r#"{"a":1}"#)]);
    check(r#"[{"Records":[{"a":1}]},[{"b":2}]]"#, &[(1, r#"{"a":1}"#), (1, r#"{"b":2}"#)]);
    check(r#"{"Records":[]}"#, &[]);
    check(r#"{"Records":null}"#, &[(1, r#"{"Records":null}"#)]);
    check(r#"{"eventVersion":"1","Records":[1]}"#, &[(1, r#"{"eventVersion":"1","Records":[1]}"#)]);
}

#[test]
fn lines_of_records() {
    let (one, two) = (r#"{"eventVersion": "1.08", "s": "\"}{\\"}"#, r#"{"version":"0","detail":{"a":[{}]}}"#);
    check(&format!("{one}\n{two}\n{one}"), &[(1, one), (2, two), (3, one)]);
    check(&format!("{one}\r\n\r\n{two}  \n"), &[(1, one), (3, two)]);
    check(&format!("{one}{two}\n{one} {two}\n"), &[(1, one), (1, two), (2, one), (2, two)]);
    let broken = "{\"eventVersion\":\"1\",\"a\":{\"b\":1}\n,\"c\":2}";
    check(&format!("{broken}\n{one}\n"), &[(1, broken), (3, one)]);
    check(&format!("{one}\n[{two}]\n{one}\n"), &[(1, one), (2, two), (3, one)]);
    check(&format!("{one}\n{two}\nnonsense\n{one}"), &[(1, one), (2, two), (3, "!not a record"), (4, one)]);
}

#[test]
fn log_messages() {
    let message = |kind: &str| {
        format!(
            r#"{{"messageType":"{kind}","owner":"1","subscriptionFilters":["f"],"logEvents":[{{"id":"1","timestamp":5,"message":"{{\"a\":\"\\u00e9\"}}"}},{{"id":"2","message":"no json"}},{{"id":"3"}},{{"id":"4","message":" {{\"b\":2}}\n"}}]}}"#
        )
    };
    check(
        &format!("{}\n{{\"c\":3}}", message("DATA_MESSAGE")),
        &[
            (1, "{\"a\":\"\\u00e9\"}"),
            (1, "!the log event's message is no JSON object"),
            (1, "!not a log event with a message: missing field `message`"),
            (1, "{\"b\":2}"),
            (2, "{\"c\":3}"),
        ],
    );
    check(&message("CONTROL_MESSAGE"), &[]);
}

#[test]
fn goes_on_after_broken_bytes() {
    let good = "{\"g\":1}";
    // A truncated line, in a string and outside.
    check(&format!("{{\"a\":\"b\n{good}"), &[(1, "!not JSON at byte 7: unescaped line break"), (2, good)]);
    check(&format!("{{\"a\":{{\"b\":1}}\n{good}\n{good}"), &[(1, "!not JSON at byte"), (2, good), (3, good)]);
    // A value that could still go on does, so this one takes the next line with it.
    check(&format!("{{\"a\":\n{good}\n"), &[(1, "!truncated: the input ends inside a record")]);
    check(&format!("{{\"a\":\n{good}\n{good}"), &[(1, "!not JSON at byte"), (3, good)]);
    // Garbage, before, between and after.
    check(
        &format!("hello\n\nworld\n{good}\nxx {good}"),
        &[(1, "!not a record"), (3, "!not a record"), (4, good), (5, "!not a record")],
    );
    check(&format!("{good} trailing\n{good}"), &[(1, good), (1, "!not a record"), (2, good)]);
    check("\"text\"\n12\nnull", &[(1, "!not a record"), (2, "!not a record"), (3, "!not a record")]);
    check(&format!("}}\n{good}"), &[(1, "!not a record"), (2, good)]);
    // The end in the middle.
    check(&format!("{good}\n{{\"a\":[1,"), &[(1, good), (2, "!truncated: the input ends inside a record")]);
    check(&format!("[{good}"), &[(1, good), (1, "!truncated: the input ends inside a list")]);
    check(&format!("{{\"Records\":[{good}]"), &[(1, good), (1, "!truncated: the input ends after a list")]);
    check(&format!("{{\"Records\":[{good}"), &[(1, good), (1, "!truncated: the input ends inside a list")]);
    // Pretty-printed: what lies deeper belongs to the broken record.
    let pretty = "{\n  \"a\": [\n    {\"x\": 1}\n    {\"y\": 2}\n  ]\n}\n";
    check(&format!("{pretty}{good}"), &[(1, "!not JSON at byte"), (7, good)]);
    let list = format!("[\n  {{\"a\": tru e}},\n  {good},\n  {{\"b\" 1}},\n  {good}\n]\n{good}");
    check(&list, &[(2, "!not JSON"), (3, good), (4, "!not JSON"), (5, good), (7, good)]);
    // One line: the next record is found by how it begins.
    let list = r#"{"Records":[{"eventVersion":1},{"eventVersion":2,,},{"eventVersion":3},{"x":4}]}"#;
    check(
        list,
        &[(1, r#"{"eventVersion":1}"#), (1, "!not JSON at byte"), (1, r#"{"eventVersion":3}"#), (1, r#"{"x":4}"#)],
    );
}

#[test]
fn nothing_is_too_deep_or_too_long() {
    let good = "{\"g\":1}";
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    check(&format!("{deep}\n{good}"), &[(1, "!not JSON at byte 124: nested too deep"), (2, good)]);
    check(&format!("{}\n{good}", "[".repeat(100_000)), &[(1, "!lists of records nested too deep"), (2, good)]);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX));
    let chunks: Vec<&[u8]> = long.as_bytes().chunks(65_536).chain([b"\n", good.as_bytes()]).collect();
    let found = split(&chunks, Splitter::new());
    assert_eq!(found.len(), 2, "{:?}", found.iter().map(|(_, text)| text.len()).collect::<Vec<_>>());
    assert!(found[0].1.starts_with("!longer than"), "{:.60}", found[0].1);
    assert_eq!(found[1], (2, good.to_owned()));
}

#[test]
fn bytes_that_are_no_text_spoil_one_line() {
    let stream: &[u8] = b"{\"a\":\"\xff\xfe\"}\n\x00\x01\x02\xff\n{\"g\":1}\n";
    let found = split(&[stream], Splitter::new());
    let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
    // Whether a record is UTF-8 is decided by decoding.
    assert_eq!(lines, [1, 2, 3]);
    assert!(found[1].1.starts_with("!not a record"), "{found:?}");
}
