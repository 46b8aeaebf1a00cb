//! Records in order of event time, whatever their disorder, in bounded memory: an external merge sort.
//!
//! The order is the judging order: time, CloudTrail before Bedrock's own events, then the event's id. Sorted runs are
//! spilled to temporary files that have no name and disappear with the process, however it ends.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    sync::Arc,
};

use bedrock_watch_engine::{Activity, decode};

use super::{Item, Note, Record, Records, Rejected};

/// How many bytes of records are sorted in memory before they are spilled.
const RUN_BYTES: usize = 256 * 1024 * 1024;

/// The records of something, sorted.
///
/// Everything has to be read before the first record can be given, so what is rejected or noted comes first. So do
/// records that cannot be decoded: they have no place in time.
#[derive(Debug)]
pub struct Sorted<R> {
    unsorted: Option<R>,
    run_bytes_max: usize,
    gathered: Gathered,
    names: Names,
    arrivals: u64,
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Key, usize)>>,
    failure: Option<Note>,
    current: Vec<u8>,
}

/// Where a record belongs, and where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: u32,
    kind: u8,
    id: String,
    /// Makes the sort stable.
    arrival: u64,
    origin: Origin,
    length: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    input: u64,
    line: u64,
    offset: u64,
}

/// The records gathered since the last spill, each with where its bytes begin.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    keys: Vec<(Key, usize)>,
}

/// The names of inputs. Records come input by input or from a few at a time, so the search from the end is short.
#[derive(Debug, Default)]
struct Names(Vec<Arc<str>>);

/// A sorted run.
#[derive(Debug)]
enum Run {
    File(BufReader<File>),
    /// The last one, if it is in memory: what is left of it, latest first.
    Memory(Gathered),
}

impl<R: Records> Sorted<R> {
    /// Sorts `unsorted`, keeping at most 256 MiB of records in memory.
    pub fn new(unsorted: R) -> Self {
        Self::with_run_bytes(unsorted, RUN_BYTES)
    }

    /// The same with another limit.
    pub fn with_run_bytes(unsorted: R, run_bytes_max: usize) -> Self {
        Self {
            unsorted: Some(unsorted),
            run_bytes_max,
            gathered: Gathered::default(),
            names: Names::default(),
            arrivals: 0,
            runs: Vec::new(),
            heads: BinaryHeap::new(),
            failure: None,
            current: Vec::new(),
        }
    }

    /// Reads until something cannot be sorted, or the end.
    fn gather(&mut self) -> Option<Unsortable> {
        loop {
            match self.unsorted.as_mut()?.next() {
                Some(Item::Rejected(rejected)) => return Some(Unsortable::Rejected(rejected)),
                Some(Item::Note(note)) => return Some(Unsortable::Note(note)),
                Some(Item::Record(record)) => {
                    let input = self.names.index(record.input);
                    let origin = Origin { input, line: record.line, offset: record.offset };
                    let Some((at, kind, id)) = place_of(record.bytes) else {
                        self.current.clear();
                        self.current.extend_from_slice(record.bytes);
                        return Some(Unsortable::Record(origin));
                    };
                    self.arrivals += 1;
                    let length = record.bytes.len() as u64;
                    let key = Key { at, kind, id, arrival: self.arrivals, origin, length };
                    self.gathered.push(key, record.bytes);
                }
                None => {
                    self.finish_gathering();
                    return None;
                }
            }
            if self.gathered.bytes.len() >= self.run_bytes_max
                && let Err(error) = self.spill()
            {
                self.fail(&error);
                return None;
            }
        }
    }

    fn finish_gathering(&mut self) {
        self.unsorted = None;
        let mut last = std::mem::take(&mut self.gathered);
        last.keys.sort_unstable_by(|one, other| other.cmp(one));
        self.runs.push(Run::Memory(last));
        for index in 0..self.runs.len() {
            self.read_head(index);
        }
    }

    /// Writes what was gathered to a file, in order.
    fn spill(&mut self) -> io::Result<()> {
        let mut run = std::mem::take(&mut self.gathered);
        run.keys.sort_unstable();
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for (key, begin) in &run.keys {
            key.write(&mut file)?;
            file.write_all(run.bytes_at(*begin, key.length))?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(Run::File(BufReader::new(file)));
        // The space is wanted again at once.
        run.bytes.clear();
        run.keys.clear();
        self.gathered = run;
        Ok(())
    }

    /// Brings the first record of a run into the merge.
    fn read_head(&mut self, index: usize) {
        let key = match self.runs.get_mut(index) {
            Some(Run::File(file)) => Key::read(file),
            Some(Run::Memory(run)) => Ok(run.keys.last().map(|(key, _)| key.clone())),
            None => Ok(None),
        };
        match key {
            Ok(Some(key)) => self.heads.push(Reverse((key, index))),
            Ok(None) => {}
            Err(error) => self.fail(&error),
        }
    }

    /// Takes the earliest record of all runs into `current`.
    fn take_first(&mut self) -> Option<Origin> {
        let Reverse((key, index)) = self.heads.pop()?;
        self.current.clear();
        let taken = match self.runs.get_mut(index)? {
            Run::File(file) => file.take(key.length).read_to_end(&mut self.current).map(|_| ()),
            Run::Memory(run) => {
                let (_, begin) = run.keys.pop()?;
                self.current.extend_from_slice(run.bytes_at(begin, key.length));
                Ok(())
            }
        };
        if let Err(error) = taken {
            self.fail(&error);
            return None;
        }
        self.read_head(index);
        Some(key.origin)
    }

    fn fail(&mut self, error: &io::Error) {
        let text = format!("cannot sort: the temporary file failed ({error}); records are missing from here on");
        self.failure = Some(Note { input: "sort".into(), is_failure: true, text });
        self.unsorted = None;
        self.gathered = Gathered::default();
        self.heads.clear();
        self.runs.clear();
    }
}

impl<R: Records> Records for Sorted<R> {
    fn next(&mut self) -> Option<Item<'_>> {
        match self.gather() {
            Some(Unsortable::Rejected(rejected)) => return Some(Item::Rejected(rejected)),
            Some(Unsortable::Note(note)) => return Some(Item::Note(note)),
            Some(Unsortable::Record(origin)) => return Some(Item::Record(self.names.record(origin, &self.current))),
            None => {}
        }
        match self.take_first() {
            Some(origin) => Some(Item::Record(self.names.record(origin, &self.current))),
            None => self.failure.take().map(Item::Note),
        }
    }
}

/// What has no place in time; the bytes of a record are in `current`.
enum Unsortable {
    Record(Origin),
    Rejected(Rejected),
    Note(Note),
}

/// Time, kind and id: the judging order.
fn place_of(record: &[u8]) -> Option<(u32, u8, String)> {
    Some(match decode::decode(record).ok()? {
        Activity::Call(call) => (call.time.0, 0, call.event_id.into_owned()),
        Activity::JobState(change) => (change.time.0, 1, change.envelope_id.into_owned()),
        Activity::Inventory(observation) => (observation.at.0, 1, observation.id),
        Activity::Detector(observation) => (observation.at.0, 1, observation.id),
        Activity::InvocationLog(log) => (log.time.0, 1, log.request_id.into_owned()),
        Activity::Other(other) => (other.time.0, 1, String::new()),
    })
}

impl Gathered {
    fn push(&mut self, key: Key, bytes: &[u8]) {
        self.keys.push((key, self.bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    fn bytes_at(&self, begin: usize, length: u64) -> &[u8] {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.bytes.get(begin..begin.saturating_add(length)).unwrap_or_default()
    }
}

impl Names {
    fn index(&mut self, name: &str) -> u64 {
        let known = self.0.iter().rposition(|known| &**known == name);
        known.unwrap_or_else(|| {
            self.0.push(name.into());
            self.0.len() - 1
        }) as u64
    }

    fn record<'a>(&'a self, origin: Origin, bytes: &'a [u8]) -> Record<'a> {
        let input = usize::try_from(origin.input).ok().and_then(|index| self.0.get(index));
        Record { bytes, input: input.map_or("", |name| name), line: origin.line, offset: origin.offset }
    }
}

impl Key {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.at.to_le_bytes())?;
        to.write_all(&[self.kind])?;
        let Origin { input, line, offset } = self.origin;
        for number in [self.arrival, input, line, offset, self.length, self.id.len() as u64] {
            to.write_all(&number.to_le_bytes())?;
        }
        to.write_all(self.id.as_bytes())
    }

    /// The next key, or `None` at the end of the file.
    fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut at = [0; 4];
        match from.read_exact(&mut at) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut kind = [0];
        from.read_exact(&mut kind)?;
        let mut number = || -> io::Result<u64> {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        };
        let arrival = number()?;
        let origin = Origin { input: number()?, line: number()?, offset: number()? };
        let (length, id_length) = (number()?, number()?);
        let mut id = String::new();
        from.take(id_length).read_to_string(&mut id)?;
        let [kind] = kind;
        Ok(Some(Self { at: u32::from_le_bytes(at), kind, id, arrival, origin, length }))
    }
}
