//! Whole inputs: files, folders, bodies, merging and sorting.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bedrock_watch_engine::Second;
use flate2::{Compression, write::GzEncoder};

use super::*;

/// A record at this second of 2026-11-22T05:00, with this id.
fn record(second: u32, id: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-11-22T05:{:02}:{:02}Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"{id}","recipientAccountId":"111122223333"}}"#,
        second / 60,
        second % 60,
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Event ids of records, `!` of rejected bytes and `?` of notes, each with the beginning of what was said.
fn drain(mut records: impl Records) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(item) = records.next() {
        seen.push(match item {
            Item::Record(record) => {
                let value: serde_json::Value = serde_json::from_slice(record.bytes).unwrap_or_default();
                value.get("eventID").and_then(|id| id.as_str()).unwrap_or("no id").to_owned()
            }
            Item::Rejected(rejected) => format!("!{}:{}: {}", short(&rejected.input), rejected.line, rejected.reason),
            Item::Note(note) => format!("?{}: {}", short(&note.input), note.text),
        });
    }
    seen
}

fn short(input: &str) -> &str {
    input.rsplit('/').next().unwrap_or(input)
}

fn merged(paths: &[&Path]) -> Vec<String> {
    let (inputs, notes) = walk(paths);
    drain(Merge::new(inputs, notes))
}

/// What is told quickly of a body is what is told of it otherwise.
fn check_single(body: &[u8], is_single: bool) {
    let shown = String::from_utf8_lossy(body);
    let Some(record) = record_of(body) else {
        assert!(!is_single, "{shown:?} is a single record");
        return;
    };
    let mut records = records_of(body);
    let Some(Item::Record(same)) = records.next() else { panic!("{shown:?} begins with no record") };
    assert_eq!(same.bytes, record, "{shown:?}");
    assert!(records.next().is_none(), "{shown:?} goes on after its record");
}

#[test]
fn single_records_are_told_quickly() {
    let log = r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-11-22T05:00:00Z","input":{"inputBodyJson":{}}}"#;
    let (one, pretty) = (record(1, "a"), "{\"version\": \"0\",\n  \"detail\": {\n  }\n}\n \r\n");
    for single in [&one, &format!("{one}\n"), pretty, "{}", r#"{"a":"}{\"[","b":[{"Records":[]},1e5]} "#] {
        check_single(single.as_bytes(), true);
    }
    let container = format!(r#"{{"Records":[{one}]}}"#);
    let (headless, endless) = (one.strip_prefix('{').unwrap(), one.strip_suffix('}').unwrap());
    for other in ["", " {}", "[]", "{}{}", headless, endless, &container, &format!("{one}\n{one}"), log] {
        assert_eq!(record_of(other.as_bytes()), None, "{other}");
    }
    // Whatever is put into it or taken away.
    for seed in 0..20_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut body = random.choice([&one, &container, pretty, log]).unwrap().as_bytes().to_vec();
        for _ in 0..random.usize(..3) {
            let at = random.usize(..body.len());
            match random.u8(..3) {
                0 => body.truncate(at + 1),
                1 => body[at] = *random.choice(b"{}[]\",:\\ \n1a").unwrap(),
                _ => body.insert(at, *random.choice(b"{}[]\",:\\ \n1a").unwrap()),
            }
        }
        check_single(&body, false);
    }
}

#[test]
fn bodies_plain_and_gzip() {
    let lines = format!("{}\n{}\n", record(1, "a"), record(2, "b"));
    let container = format!(r#"{{"Records":[{},{}]}}"#, record(1, "a"), record(2, "b"));
    for body in [lines.as_bytes(), container.as_bytes()] {
        assert_eq!(drain(records_of(body)), ["a", "b"]);
        assert_eq!(drain(records_of(&gzip(body))), ["a", "b"]);
    }
    let members = [gzip(lines.as_bytes()), gzip(record(3, "c").as_bytes())].concat();
    assert_eq!(drain(records_of(&members)), ["a", "b", "c"]);
    assert_eq!(drain(records_of(b"")), [""; 0]);
    assert_eq!(drain(records_of(&[0x1f])), ["!body:1: not a record: expected { or ["]);
    assert_eq!(drain(records_of(&[0x1f, 0x8b])), ["?body: the gzip data is cut short; what came before was read"]);
}

#[test]
fn a_gzip_cut_short_gives_its_good_part() {
    let lines: String = (0..2_000).map(|second| record(second, &format!("{second}")) + "\n").collect();
    let whole = gzip(lines.as_bytes());
    let seen = drain(records_of(&whole[..whole.len() / 2]));
    let (note, before) = seen.split_last().unwrap();
    assert_eq!(note, "?body: the gzip data is cut short; what came before was read");
    let good = before.iter().filter(|id| !id.starts_with('!')).count();
    assert!((500..2_000).contains(&good), "{good} of 2000 records");
    assert!(before[..good].iter().enumerate().all(|(index, id)| *id == index.to_string()));
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].fill(0xff);
    let seen = drain(records_of(&damaged));
    assert!(seen.last().unwrap().starts_with("?body: the gzip data is"), "{:?}", seen.last());
}

#[test]
fn folders_in_name_order_and_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("b")).unwrap();
    fs::create_dir(at("b/empty")).unwrap();
    fs::write(at("a.json"), record(5, "a")).unwrap();
    fs::write(at("b/1.json.gz"), gzip(record(5, "b1").as_bytes())).unwrap();
    fs::write(at("b/2.log"), format!("junk\n{}", record(5, "b2"))).unwrap();
    fs::write(at("c"), "").unwrap();
    fs::write(at(".hidden"), record(5, "hidden")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("d.json")).unwrap();
    std::os::unix::fs::symlink("b", at("e")).unwrap();
    std::os::unix::net::UnixListener::bind(at("f")).unwrap();
    let seen = merged(&[folder.path(), &at("missing")]);
    let expected = [
        "?.hidden: skipped: hidden",
        "?d.json: cannot read: ",
        "?e: skipped: a link to a folder",
        "?f: skipped: not a regular file",
        "?missing: cannot read: ",
        "!2.log:1: not a record: ",
        "a",
        "b1",
        "b2",
    ];
    let mut sorted: Vec<&String> = seen.iter().collect();
    sorted.sort_by_key(|line| !line.starts_with('?'));
    assert_eq!(seen.len(), expected.len(), "{seen:#?}");
    for expected in expected {
        assert!(seen.iter().any(|seen| seen.starts_with(expected)), "{expected} is missing in {seen:#?}");
    }
    let records: Vec<&String> = seen.iter().filter(|seen| !seen.starts_with(['?', '!'])).collect();
    assert_eq!(records, ["a", "b1", "b2"], "equal times keep the order of names");
}

#[test]
fn merging_is_by_event_time() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, records: &[(u32, &str)]| {
        let lines: Vec<String> = records.iter().map(|(second, id)| record(*second, id)).collect();
        fs::write(folder.path().join(name), lines.join("\n")).unwrap();
    };
    write("a", &[(10, "a10"), (30, "a30"), (20, "a20")]);
    write("b", &[(5, "b5"), (15, "b15"), (30, "b30")]);
    write("c", &[(100, "c100")]);
    fs::write(folder.path().join("d"), format!("broken\n{}", record(12, "d12"))).unwrap();
    let seen = merged(&[folder.path()]);
    let records: Vec<&str> = seen.iter().filter(|seen| !seen.starts_with('!')).map(String::as_str).collect();
    assert_eq!(records, ["b5", "a10", "d12", "b15", "a30", "a20", "b30", "c100"]);
    assert_eq!(seen.len(), 9, "{seen:?}");
}

#[test]
fn many_inputs_are_opened_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..600_u32 {
        // Names in another order than times.
        let name = folder.path().join(format!("{:04}", (index * 7) % 600));
        let lines =
            format!("{}\n{}\n", record(index * 5, &format!("{index}a")), record(index * 5 + 7, &format!("{index}b")));
        fs::write(name, lines).unwrap();
    }
    let seen = merged(&[folder.path()]);
    assert_eq!(seen.len(), 1_200);
    assert_eq!(seen[..5], ["0a", "1a", "0b", "2a", "1b"]);
}

#[test]
fn more_inputs_than_can_be_open() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..300_u32 {
        let lines = format!("{}\n{}\n", record(0, &format!("{index}a")), record(600, &format!("{index}b")));
        fs::write(folder.path().join(format!("{index:04}")), lines).unwrap();
    }
    let seen = merged(&[folder.path()]);
    assert_eq!(seen.iter().filter(|seen| seen.starts_with("?merge: more than 256 inputs overlap")).count(), 1);
    assert_eq!(seen.len(), 601);
}

#[test]
fn sorting_is_by_judging_order() {
    let job = r#"{"version":"0","id":"job","detail-type":"Model Customization Job State Change","source":"aws.bedrock","account":"1","time":"2026-11-22T05:00:02Z","region":"r","resources":["arn"],"detail":{"jobStatus":"Completed"},"eventID":"job"}"#;
    let mut lines: Vec<String> =
        (0..500_u32).map(|index| record((index * 37) % 251, &format!("{:03}", index))).collect();
    lines.push(job.to_owned());
    lines.push("broken".to_owned());
    lines.push(r#"{"eventID":"undecodable"}"#.to_owned());
    let body = lines.join("\n");
    for run_bytes in [usize::MAX, 10_000, 1] {
        let seen = drain(Sorted::with_run_bytes(records_of(body.as_bytes()), run_bytes));
        assert_eq!(seen[..2], ["!body:502: not a record: expected { or [", "undecodable"], "runs of {run_bytes}");
        let mut expected: Vec<(u32, u8, String)> =
            (0..500).map(|index| ((index * 37) % 251, 0, format!("{index:03}"))).collect();
        expected.push((2, 1, "job".to_owned()));
        expected.sort();
        let expected: Vec<String> = expected.into_iter().map(|(_, _, id)| id).collect();
        assert_eq!(seen[2..], expected, "runs of {run_bytes}");
    }
}

/// A stream of `{"Records":[...]}` on one line, never in memory.
struct LongLine {
    record: Vec<u8>,
    left: u32,
    pending: io::Cursor<Vec<u8>>,
}

impl Read for LongLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.pending.read(buffer)?;
            if read > 0 || self.left == 0 {
                return Ok(read);
            }
            self.left -= 1;
            let mut next = self.record.clone();
            next.extend_from_slice(if self.left == 0 { b"]}" } else { b"," });
            self.pending = io::Cursor::new(next);
        }
    }
}

#[test]
fn a_line_of_100_megabytes_takes_little_memory() {
    let record = record(1, &"x".repeat(100_000));
    let count = 2 + u32::try_from(100 * 1024 * 1024 / record.len()).unwrap();
    let pending = io::Cursor::new(b"{\"Records\": [".to_vec());
    let source = LongLine { record: record.into_bytes(), left: count, pending };
    let mut reader = Reader::new("long", source);
    let (mut records, mut offset_last) = (0, 0);
    while let Some(item) = reader.next() {
        let Item::Record(record) = item else { panic!("{item:?}") };
        assert_eq!((record.line, record.bytes.len() > 100_000), (1, true));
        offset_last = record.offset;
        records += 1;
    }
    assert_eq!(records, count);
    assert!(offset_last > 100 * 1024 * 1024);
    assert!(reader.buffered_bytes_max() < 2 * 1024 * 1024, "{} bytes", reader.buffered_bytes_max());
}

/// Bytes that are fetched, and how often they were opened.
#[derive(Debug)]
struct Fetched {
    bytes: Vec<u8>,
    not_before: Option<Second>,
    opened: AtomicUsize,
}

impl Remote for Fetched {
    fn not_before(&self) -> Option<Second> {
        self.not_before
    }

    fn size(&self) -> Option<u64> {
        None
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(io::Cursor::new(self.bytes.clone())))
    }
}

#[test]
fn what_is_fetched_is_merged_like_files() {
    let folder = tempfile::tempdir().unwrap();
    let start = Second::parse("2026-11-22T05:00:00Z").unwrap();
    fastrand::seed(7);
    let (mut remotes, mut fetched) = (Vec::new(), Vec::new());
    for number in 0..60_u32 {
        // In no order within a file, as CloudTrail delivers.
        let first = fastrand::u32(0..3_000);
        let seconds: Vec<u32> = (0..20).map(|_| first + fastrand::u32(0..300)).collect();
        let lines = seconds.iter().enumerate().map(|(line, second)| record(*second, &format!("{number}-{line}")));
        let bytes = gzip(lines.collect::<Vec<_>>().join("\n").as_bytes());
        let name = format!("{number:02}.json.gz");
        fs::write(folder.path().join(&name), &bytes).unwrap();
        // Some do not say when they begin, the others say something earlier.
        let not_before = (number % 5 > 0).then(|| start.plus(first).minus(fastrand::u32(0..900)));
        let remote = Arc::new(Fetched { bytes, not_before, opened: 0.into() });
        fetched.push(Arc::clone(&remote));
        remotes.push(Input::remote(&name, remote));
    }
    assert_eq!(drain(Merge::new(remotes, Vec::new())), merged(&[folder.path()]));
    for one in fetched {
        let expected = if one.not_before.is_some() { 1 } else { 2 };
        assert_eq!(one.opened.load(Ordering::Relaxed), expected);
    }
}
