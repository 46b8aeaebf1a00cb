//! A file that grows, is renamed, cut off and replaced, while it is followed and while nobody looks.

use std::{fs, io::Write};

use tokio::sync::mpsc;

use super::*;
use crate::source::Batch;

struct Followed {
    batches: mpsc::Receiver<Batch>,
    stop: CancellationToken,
    status: Status,
    seen: Vec<String>,
    position: Option<String>,
    repeats: Vec<Repeat>,
}

impl Followed {
    fn start(path: &Path, from_start: bool, resume: Option<String>) -> Self {
        Self::start_again(path, from_start, resume, None)
    }

    fn start_again(path: &Path, from_start: bool, resume: Option<String>, committed: Option<String>) -> Self {
        let (intake, batches) = Intake::queue("file", 100);
        let (stop, status) = (CancellationToken::new(), Status::default());
        let follow = Follow {
            path: path.to_owned(),
            from_start,
            poll: Duration::from_millis(1),
            resume,
            committed,
            intake,
            stop: stop.clone(),
            status: status.clone(),
        };
        std::thread::spawn(move || follow.run());
        Self { batches, stop, status, seen: Vec::new(), position: None, repeats: Vec::new() }
    }

    /// Takes batches until these records have come, in this order.
    fn expect(&mut self, records: &[&str]) {
        while self.seen.len() < records.len() {
            let batch = self.batches.blocking_recv().expect("the source still runs");
            self.seen.extend(batch.records.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
            self.seen.extend(batch.records.rejected.iter().map(|_| "rejected".to_owned()));
            if let Kept::At(position) = batch.kept {
                self.position = Some(position);
            }
            if !batch.records.is_empty() {
                self.repeats.push(batch.repeat);
            }
        }
        assert_eq!(std::mem::take(&mut self.seen), records);
    }

    /// Ends it; nothing more must have come.
    fn end(mut self) -> Option<String> {
        self.stop.cancel();
        while let Some(batch) = self.batches.blocking_recv() {
            assert_eq!(batch.records.len(), 0);
        }
        self.position
    }
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn follows_through_partial_lines_rotation_and_truncation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    append(&path, "{\"a\":1}\n");
    let mut followed = Followed::start(&path, true, None);
    followed.expect(&["{\"a\":1}"]);
    append(&path, "{\"a\":");
    append(&path, "2}\n{\"a\":3}\n");
    followed.expect(&["{\"a\":2}", "{\"a\":3}"]);
    // Rotation, with a last line written to the old file after it was renamed.
    fs::rename(&path, folder.path().join("log.1")).unwrap();
    append(&folder.path().join("log.1"), "{\"a\":4}\n");
    followed.expect(&["{\"a\":4}"]);
    append(&path, "{\"a\":5}\n");
    followed.expect(&["{\"a\":5}"]);
    fs::write(&path, "").unwrap();
    append(&path, "{}\n");
    followed.expect(&["{}"]);
    followed.end();
}

#[test]
fn goes_on_where_it_was_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    append(&path, "{\"a\":1}\n{\"a\":2}\n");
    let mut followed = Followed::start(&path, true, None);
    followed.expect(&["{\"a\":1}", "{\"a\":2}"]);
    let position = followed.end();
    append(&path, "{\"a\":3}\n");
    // The last line judged comes again: a copy, which the engine recognises.
    let mut followed = Followed::start(&path, false, position.clone());
    followed.expect(&["{\"a\":2}", "{\"a\":3}"]);
    followed.end();
    // Another file under the same name is read from its beginning.
    append(&folder.path().join("new"), "{\"a\":4}\n");
    fs::rename(folder.path().join("new"), &path).unwrap();
    let mut followed = Followed::start(&path, false, position);
    followed.expect(&["{\"a\":4}"]);
    followed.end();
}

#[test]
fn the_rest_of_a_file_renamed_meanwhile_comes_before_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
    append(&path, "{\"a\":1}\n");
    let mut followed = Followed::start(&path, true, None);
    followed.expect(&["{\"a\":1}"]);
    let position = followed.end();
    append(&path, "{\"a\":2}\n");
    fs::rename(&path, &old).unwrap();
    // Nothing has its name yet, and it is still written to.
    let mut followed = Followed::start(&path, false, position.clone());
    followed.expect(&["{\"a\":1}", "{\"a\":2}"]);
    append(&old, "{\"a\":3}\n");
    followed.expect(&["{\"a\":3}"]);
    append(&path, "{\"a\":4}\n");
    followed.expect(&["{\"a\":4}"]);
    let new = followed.end();
    let mut followed = Followed::start(&path, false, position.clone());
    followed.expect(&["{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}"]);
    followed.end();

    // Up to where it was committed, in the old file or the new one, and what is said of each batch.
    let committed = |position: &Option<String>, offset: u64| {
        let identity = position.as_deref().and_then(|position| position.split_once('@')).unwrap().0;
        Some(format!("{identity}@{offset}"))
    };
    let rows = [
        (committed(&position, 16), &[Repeat::Last, Repeat::New][..]),
        (committed(&new, 0), &[Repeat::Again, Repeat::Last]),
        (committed(&Some("0:0@0".to_owned()), 0), &[Repeat::Again, Repeat::New]),
    ];
    for (committed, expected) in rows {
        let mut followed = Followed::start_again(&path, false, position.clone(), committed.clone());
        followed.expect(&["{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}"]);
        assert_eq!(followed.repeats, expected, "{committed:?}");
        followed.end();
    }
    // Shorter than what was read of it: another file with the same number.
    fs::write(&old, "").unwrap();
    let further = committed(&position, 8);
    let mut followed = Followed::start(&path, false, further);
    followed.expect(&["{\"a\":4}"]);
    followed.end();
}

#[test]
fn says_what_was_judged_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    append(&path, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    let mut followed = Followed::start(&path, true, None);
    followed.expect(&["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"]);
    let third = followed.end().unwrap();
    let at = |offset: u64| format!("{}@{offset}", third.split_once('@').unwrap().0);
    // Where it goes on, up to where it was committed, and what it says of the records and after them.
    type Row<'a> = (Option<String>, Option<String>, &'a [&'a str], Option<Repeat>);
    let all = &["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"][..];
    let rows: [Row<'_>; 5] = [
        (Some(at(0)), Some(at(16)), all, Some(Repeat::Last)),
        (Some(at(0)), Some(at(8)), all, Some(Repeat::Last)),
        (Some(at(8)), Some(at(16)), &all[1..], Some(Repeat::Last)),
        (Some(at(0)), Some("other@16".to_owned()), all, Some(Repeat::New)),
        (None, Some(at(8)), &all[1..], Some(Repeat::Last)),
    ];
    for (resume, committed, expected, repeat) in rows {
        let mut followed = Followed::start_again(&path, false, resume.clone(), committed.clone());
        followed.expect(expected);
        assert_eq!(followed.repeats.last().copied(), repeat, "{resume:?} {committed:?}");
        append(&path, "{\"a\":4}\n");
        followed.expect(&["{\"a\":4}"]);
        assert_eq!(followed.repeats.last(), Some(&Repeat::New));
        followed.end();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(24).unwrap();
    }
    // Cut off since: what was committed does not come again, and nobody waits for it.
    let (intake, mut batches) = Intake::queue("file", 100);
    let stop = CancellationToken::new();
    let follow = Follow {
        path: path.clone(),
        from_start: false,
        poll: Duration::from_millis(1),
        resume: Some(at(8)),
        committed: Some(at(1_000)),
        intake,
        stop: stop.clone(),
        status: Status::default(),
    };
    let following = std::thread::spawn(move || follow.run());
    assert_eq!(batches.blocking_recv().unwrap().repeat, Repeat::Again);
    stop.cancel();
    assert_eq!(batches.blocking_recv().unwrap().repeat, Repeat::Last);
    following.join().unwrap();
}

#[test]
fn what_a_new_file_holds_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut followed = Followed::start(&path, false, None);
    while followed.status.reasons().is_empty() {
        std::thread::yield_now();
    }
    append(&path, "{\"a\":1}\n");
    followed.expect(&["{\"a\":1}"]);
    assert!(followed.status.reasons().is_empty());
    followed.end();
}
