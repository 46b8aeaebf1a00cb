//! Several inputs as one, by event time.
//!
//! Each input keeps its own order; of their next records the earliest comes first, and of equals the one whose input
//! was named first. An input is opened when the merge reaches its first record, so a folder with a year of logs needs
//! few open files. What is fetched from elsewhere says itself before when it cannot begin, and is opened early enough.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    io::Read,
    sync::Arc,
};

use bedrock_watch_engine::{Second, decode, prefilter};

use super::{Input, Item, Note, Reader, Records, reader::Head, walk::Kind};

/// How many inputs are open at once. Where more than this overlap in time, the order between them is lost, which is
/// noted.
pub const OPEN_INPUTS_MAX: usize = 256;
/// The same where every input is fetched from elsewhere: they are small, many, and open earlier than they must be.
pub const OPEN_REMOTE_MAX: usize = 1_024;
/// How much is read at a time from each of several inputs, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// How much is read to find out when an input begins, in bytes.
const FIRST_CHUNK_BYTES: usize = 8 * 1024;
/// How many items are looked at to find out when an input begins.
const FIRST_ITEMS_MAX: usize = 100;

type Source = Box<dyn Read + Send>;

/// Several inputs as one.
#[derive(Debug)]
pub struct Merge {
    notes: VecDeque<Note>,
    /// Those not open yet, in the order in which the merge reaches them.
    waiting: VecDeque<Waiting>,
    open: Vec<Option<Open>>,
    /// The next item of each open input but the lent one.
    heads: BinaryHeap<Reverse<(Second, usize)>>,
    /// The input whose item was given last.
    lent: Option<usize>,
    open_count: usize,
    open_max: usize,
    is_single: bool,
    has_told_limit: bool,
}

#[derive(Debug)]
struct Waiting {
    at: Second,
    order: usize,
    name: Arc<str>,
    input: Input,
    /// Already open, because it can be read only once.
    reader: Option<Box<Open>>,
}

struct Open {
    reader: Reader<Source>,
    head: Option<Head>,
    at: Second,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Open").field("name", self.reader.name()).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Open {
    /// Goes on to the next item. What has no time of its own takes the place of what came before it.
    fn advance(&mut self, want_time: bool) -> bool {
        self.head = self.reader.advance();
        if want_time
            && let Some(Head::Record { place, .. }) = &self.head
            && let Some(at) = time_of(self.reader.bytes(place))
        {
            self.at = at;
        }
        self.head.is_some()
    }
}

/// The event time of a record.
fn time_of(record: &[u8]) -> Option<Second> {
    prefilter::peek(record)
        .map(|peek| peek.time)
        .or_else(|| decode::decode(record).ok().map(|activity| activity.time()))
}

impl Merge {
    /// The records of `inputs`. `notes`, such as those of `walk`, come first.
    #[must_use]
    pub fn new(inputs: Vec<Input>, notes: Vec<Note>) -> Self {
        let is_single = inputs.len() == 1;
        let all_remote = inputs.iter().all(|input| matches!(input.kind, Kind::Remote(_)));
        let mut merge = Self {
            notes: notes.into(),
            waiting: VecDeque::new(),
            open: Vec::new(),
            heads: BinaryHeap::new(),
            lent: None,
            open_count: 0,
            open_max: if all_remote { OPEN_REMOTE_MAX } else { OPEN_INPUTS_MAX },
            is_single,
            has_told_limit: false,
        };
        let mut waiting: Vec<Waiting> =
            inputs.into_iter().enumerate().filter_map(|(order, input)| merge.look_at(order, input)).collect();
        waiting.sort_by_key(|waiting| (waiting.at, waiting.order));
        merge.open.resize_with(waiting.iter().map(|waiting| waiting.order + 1).max().unwrap_or(0), || None);
        merge.waiting = waiting.into();
        merge
    }

    /// Finds out when an input begins.
    fn look_at(&mut self, order: usize, input: Input) -> Option<Waiting> {
        let name = Arc::clone(&input.name);
        let mut waiting = Waiting { at: Second::MIN, order, name, input, reader: None };
        if self.is_single {
            return Some(waiting);
        }
        if let Kind::Remote(remote) = &waiting.input.kind
            && let Some(at) = remote.not_before()
        {
            waiting.at = at;
            return Some(waiting);
        }
        if matches!(waiting.input.kind, Kind::Stream(_) | Kind::Stdin) {
            let mut open = self.open_input(&waiting)?;
            open.advance(true);
            waiting.at = open.at;
            waiting.reader = Some(Box::new(open));
            return Some(waiting);
        }
        let source = self.open_source(&waiting)?;
        let mut reader = Reader::with_chunks(Arc::clone(&waiting.name), source, FIRST_CHUNK_BYTES);
        for _ in 0..FIRST_ITEMS_MAX {
            match reader.advance() {
                None => break,
                Some(Head::Record { place, .. }) => {
                    if let Some(at) = time_of(reader.bytes(&place)) {
                        waiting.at = at;
                        break;
                    }
                }
                Some(Head::Rejected(_) | Head::Note(_)) => {}
            }
        }
        Some(waiting)
    }

    fn open_source(&mut self, waiting: &Waiting) -> Option<Source> {
        match waiting.input.open() {
            Ok(source) => Some(source),
            Err(error) => {
                let (input, text) = (Arc::clone(&waiting.name), format!("cannot open: {error}"));
                self.notes.push_back(Note { input, is_failure: true, text });
                None
            }
        }
    }

    fn open_input(&mut self, waiting: &Waiting) -> Option<Open> {
        let source = self.open_source(waiting)?;
        let name = Arc::clone(&waiting.name);
        let reader =
            if self.is_single { Reader::new(name, source) } else { Reader::with_chunks(name, source, CHUNK_BYTES) };
        Some(Open { reader, head: None, at: waiting.at })
    }

    /// Opens every input whose first record is not later than the next one.
    fn open_reached(&mut self) {
        while let Some(first) = self.waiting.front() {
            let is_reached = self.heads.peek().is_none_or(|Reverse((at, _))| first.at <= *at);
            if !is_reached {
                return;
            }
            if self.open_count >= self.open_max {
                self.tell_limit();
                return;
            }
            let Some(mut waiting) = self.waiting.pop_front() else { return };
            let open = match waiting.reader.take() {
                Some(open) => Some(*open),
                None => self.open_input(&waiting).and_then(|mut open| open.advance(!self.is_single).then_some(open)),
            };
            if let Some(open) = open.filter(|open| open.head.is_some()) {
                self.heads.push(Reverse((open.at, waiting.order)));
                self.open_count += 1;
                if let Some(slot) = self.open.get_mut(waiting.order) {
                    *slot = Some(open);
                }
            }
        }
    }

    fn tell_limit(&mut self) {
        if !self.has_told_limit {
            self.has_told_limit = true;
            let text = format!(
                "more than {} inputs overlap in time: from here on records may come late; use --sort to put them in order",
                self.open_max
            );
            self.notes.push_back(Note { input: "merge".into(), is_failure: false, text });
        }
    }

    /// Takes the input that was lent last a step on.
    fn take_back(&mut self) {
        let is_single = self.is_single;
        let Some(order) = self.lent.take() else { return };
        let Some(slot) = self.open.get_mut(order) else { return };
        if let Some(open) = slot
            && open.advance(!is_single)
        {
            self.heads.push(Reverse((open.at, order)));
        } else {
            *slot = None;
            self.open_count -= 1;
        }
    }
}

impl Records for Merge {
    fn next(&mut self) -> Option<Item<'_>> {
        self.take_back();
        self.open_reached();
        if let Some(note) = self.notes.pop_front() {
            return Some(Item::Note(note));
        }
        let Reverse((_, order)) = self.heads.pop()?;
        self.lent = Some(order);
        let open = self.open.get_mut(order)?.as_mut()?;
        let head = open.head.take()?;
        Some(open.reader.lend(head))
    }
}
