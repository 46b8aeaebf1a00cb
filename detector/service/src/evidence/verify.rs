//! Finds what was done to a chain: a line that was changed, is missing, stands elsewhere or belongs to another chain.
//!
//! Pure: files in, findings out. A chain that was cut off at its end is whole in itself, so other chains say now and then
//! how far it was archived ([`Witness`]), and the store says where it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Fact, Witness,
    chain::{Entry, Head, claimed, read_line},
};

/// Findings that are kept; of what comes after them, only the number.
const FINDINGS_MAX: usize = 1_000;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whose chain.
    pub worker: String,
    /// The number of the entry, as far as it is known.
    pub seq: Option<u64>,
    /// The file or object; `the store` for what is not archived yet.
    pub file: String,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

/// What is known of a chain so far.
#[derive(Debug)]
struct Known {
    /// The number of the last line that was read.
    seq: u64,
    /// Its hash; `None` where it is not known.
    hash: Option<String>,
    /// The hashes at the ends of files.
    ends: BTreeMap<u64, String>,
    /// Where the last line stands.
    file: String,
}

/// A file of a chain.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Whose chain it should belong to.
    pub worker: &'a str,
    /// The number that its first line should have.
    pub first: u64,
    /// What it is called.
    pub name: &'a str,
    /// Whether no file of this chain comes before it.
    pub begins: bool,
}

/// Verifies chains, file by file in their order.
#[derive(Debug, Default)]
pub struct Verifier {
    chains: BTreeMap<String, Known>,
    /// What chains said of others, and where.
    witnesses: Vec<(Witness, String, u64)>,
    findings: Vec<Finding>,
    passed_over: usize,
    entries: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Entries that were read and are whole.
    pub entries: u64,
    /// What is wrong; empty when nothing is.
    pub findings: Vec<Finding>,
    /// What is wrong besides, of which only the number is kept.
    pub passed_over: usize,
}

impl Verifier {
    /// Reads a file; `each` gets every entry that is what was written.
    pub fn read(&mut self, file: File<'_>, bytes: &[u8], each: &mut dyn FnMut(Entry)) {
        let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let number = index.saturating_add(1);
            if lines.peek().is_none() {
                // What stands after the last line feed, which should be nothing.
                if !line.is_empty() || index == 0 {
                    self.find(file, None, Some(number), "the file is cut off: its last line does not end".to_owned());
                }
                if line.is_empty() {
                    break;
                }
            }
            self.line(file, number, line, each);
        }
        if let Some(known) = self.chains.get_mut(file.worker)
            && let Some(hash) = known.hash.clone()
        {
            known.ends.insert(known.seq, hash);
        }
    }

    fn line(&mut self, file: File<'_>, number: usize, line: &[u8], each: &mut dyn FnMut(Entry)) {
        let expected = self.expected(file);
        let Ok(line) = std::str::from_utf8(line) else {
            self.find(file, Some(expected), Some(number), "it was changed: it is no text (UTF-8)".to_owned());
            return self.note(file, expected, None);
        };
        let entry = match read_line(line) {
            Ok(entry) => entry,
            Err(flaw) => {
                self.find(file, Some(expected), Some(number), flaw.to_string());
                // The next line can follow on what this one claims to be.
                return self.note(file, expected, claimed(line).map(str::to_owned));
            }
        };
        if entry.worker != file.worker {
            let what = format!("it belongs to the chain of {} (its entry {})", entry.worker, entry.seq);
            return self.find(file, Some(expected), Some(number), what);
        }
        if entry.seq < expected {
            let what = format!("entry {} stands twice or out of its order", entry.seq);
            return self.find(file, Some(entry.seq), Some(number), what);
        }
        let follows = self.chains.get(file.worker).and_then(|known| known.hash.clone());
        if entry.seq > expected {
            let gone = match entry.seq.saturating_sub(1) {
                last if last == expected => format!("entry {expected} is missing"),
                last => format!("the entries {expected} to {last} are missing"),
            };
            self.find(file, Some(expected), Some(number), format!("{gone} before entry {}", entry.seq));
        } else if follows.is_some_and(|hash| hash != entry.prev) {
            let what = "it does not follow on the entry before it: one of the two was put in another's place";
            self.find(file, Some(entry.seq), Some(number), what.to_owned());
        }
        self.note(file, entry.seq, Some(entry.hash.clone()));
        self.entries = self.entries.saturating_add(1);
        self.witness(&entry);
        each(entry);
    }

    /// The number that the next line should have.
    fn expected(&mut self, file: File<'_>) -> u64 {
        let anchor = || {
            let head = Head::default();
            let (seq, hash) = if file.begins {
                (head.seq, Some(head.hash))
            } else {
                // What comes before was not asked for.
                (file.first.saturating_sub(1), None)
            };
            Known { seq, hash, ends: BTreeMap::new(), file: file.name.to_owned() }
        };
        self.chains.entry(file.worker.to_owned()).or_insert_with(anchor).seq.saturating_add(1)
    }

    fn note(&mut self, file: File<'_>, seq: u64, hash: Option<String>) {
        if let Some(known) = self.chains.get_mut(file.worker) {
            (known.seq, known.hash) = (seq, hash);
            file.name.clone_into(&mut known.file);
        }
    }

    fn witness(&mut self, entry: &Entry) {
        let others = match &entry.fact {
            Fact::Started(started) => &started.others,
            Fact::Stopped(stopped) => &stopped.others,
            Fact::Counted(counted) => &counted.others,
            _ => return,
        };
        let by = others.iter().map(|other| (other.clone(), entry.worker.clone(), entry.seq));
        self.witnesses.extend(by);
    }

    fn find(&mut self, file: File<'_>, seq: Option<u64>, line: Option<usize>, what: String) {
        let finding = Finding { worker: file.worker.to_owned(), seq, file: file.name.to_owned(), line, what };
        self.add(finding);
    }

    /// Adds what somebody else found.
    pub fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.passed_over = self.passed_over.saturating_add(1);
        }
    }

    /// Where a chain stands by what was read of it.
    #[must_use]
    pub fn head(&self, worker: &str) -> Option<u64> {
        self.chains.get(worker).map(|known| known.seq)
    }

    /// Compares a chain with a place that somebody else knows of: its entry `seq` has this hash.
    pub fn compare(&mut self, witness: &Witness, by: &str) {
        let Witness { worker, seq, hash } = witness;
        let found = match self.chains.get(worker) {
            None => Some((String::new(), "no entry of this chain is there".to_owned())),
            Some(known) if known.seq < *seq => {
                Some((known.file.clone(), format!("the chain ends with entry {}", known.seq)))
            }
            Some(known) if known.ends.get(seq).is_some_and(|end| end != hash) => {
                Some((known.file.clone(), "that entry is another one here".to_owned()))
            }
            Some(_) => None,
        };
        if let Some((file, found)) = found {
            let what = format!("{found}, and {by} knows its entry {seq} with the hash {hash}");
            self.add(Finding { worker: worker.clone(), seq: Some(*seq), file, line: None, what });
        }
    }

    /// Says what came of it, when every file was read.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        for (witness, by, entry) in std::mem::take(&mut self.witnesses) {
            self.compare(&witness, &format!("entry {entry} of {by}"));
        }
        Verdict { entries: self.entries, findings: self.findings, passed_over: self.passed_over }
    }
}
