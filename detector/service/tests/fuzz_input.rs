//! Any bytes in any chunks: the splitter never panics, and what it finds does not depend on where chunks end.
//!
//! Quick as a test; `BOLERO_RANDOM_TEST_TIME_MS` or `BOLERO_RANDOM_ITERATIONS` make it longer, `cargo bolero` fuzzes.

use bedrock_watch_service::input::{Item, Piece, Records, Splitter, records_of};

/// Pieces of streams; put together at random they make streams that are nearly right.
const PARTS: [&str; 32] = [
    "{\"eventVersion\":\"1\"}",
    "{\"eventVersion\": \"1.11\", \"a\": {\"b\": [1, {}]}}",
    "{\"version\":\"0\",\"detail\":{}}",
    "{\"Records\":[",
    "{\"Records\": [\n  ",
    "{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[",
    "{\"messageType\":\"CONTROL_MESSAGE\",\"logEvents\":[",
    "{\"message\":\"{\\\"a\\\":1}\"}",
    "{\n  \"a\": 1\n}",
    "{\"eventVersion\"",
    "{\"a\":\"",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "]}",
    ",",
    ":",
    "\n",
    "\r\n",
    "\n\n    ",
    " ",
    "\t",
    "null",
    "-1.5e3",
    "\"k\":",
    "garbage",
    "\u{feff}",
    "\u{1f}\u{8b}",
    "\u{0}",
];

fn pieces(stream: &[u8], chunks: &[u8], mut splitter: Splitter) -> Vec<String> {
    let mut found = Vec::new();
    let mut take = |splitter: &mut Splitter| {
        while let Some(piece) = splitter.next_piece() {
            found.push(match piece {
                Piece::Record { bytes, line, offset } => {
                    format!("{line} {offset} {}", String::from_utf8_lossy(bytes))
                }
                Piece::Rejected { line, offset, reason } => format!("{line} {offset} !{reason}"),
            });
        }
    };
    let mut rest = stream;
    for size in chunks.iter().cycle() {
        if rest.is_empty() || chunks.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(usize::from(*size).clamp(1, rest.len()));
        splitter.feed(chunk);
        take(&mut splitter);
        rest = after;
    }
    splitter.feed(rest);
    splitter.end();
    take(&mut splitter);
    found
}

fn check(stream: &[u8], chunks: &[u8]) {
    let whole = pieces(stream, &[], Splitter::new());
    let shown = String::from_utf8_lossy(stream);
    assert_eq!(whole, pieces(stream, chunks, Splitter::new()), "{shown:?} in chunks of {chunks:?}");
    assert_eq!(whole, pieces(stream, &[1], Splitter::new()), "{shown:?} byte by byte");
    let live = pieces(stream, chunks, Splitter::live());
    assert_eq!(live, pieces(stream, &[1], Splitter::live()), "{shown:?} live");
    let mut body = records_of(stream);
    let mut items = 0;
    while let Some(item) = body.next() {
        items += usize::from(!matches!(item, Item::Note(_)));
    }
    let is_gzip = stream.starts_with(&[0x1f, 0x8b]);
    assert!(is_gzip || items == whole.len(), "{shown:?}: {items} items, {} pieces", whole.len());
}

#[test]
fn any_bytes() {
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(stream, chunks)| check(stream, chunks));
}

#[test]
fn nearly_right_streams() {
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(parts, chunks)| {
        let stream: String = parts.iter().map(|part| PARTS[usize::from(*part) % PARTS.len()]).collect();
        check(stream.as_bytes(), chunks);
    });
}
