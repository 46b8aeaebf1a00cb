//! Finds the way back after broken bytes.

use memchr::{memchr, memmem};

use super::{Splitter, State, Step, line::BEGINNING_OF_RECORD};

/// What is being passed over, and so what can come next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lost {
    /// The rest of a value that broke off. The next one begins a line, at most this deep in it: what stands deeper
    /// belongs to the broken one.
    Value { indent: usize },
    /// A line that is no JSON. Every further line of the kind is rejected by itself.
    Garbage,
}

impl Splitter {
    /// Gives up the rest of this line.
    pub(super) fn reject_line(&mut self, reason: &str) -> Step {
        let (line, offset) = (self.line, self.offset);
        self.indent = None;
        self.state = State::Lost(Lost::Garbage);
        Step::Rejected { line, offset, reason: reason.to_owned() }
    }

    /// Searches for the next place where a value can begin.
    pub(super) fn lost(&mut self, lost: Lost) -> Option<Step> {
        loop {
            if self.indent.is_some() {
                self.skip_space();
                let indent = self.indent.unwrap_or_default();
                let begins_value = match (self.rest().first(), lost) {
                    (None, _) => return Some(self.nothing_more()),
                    (Some(_), Lost::Garbage) => true,
                    (Some(b'{' | b'['), Lost::Value { indent: indent_max }) => indent <= indent_max,
                    (Some(_), Lost::Value { .. }) => false,
                };
                if begins_value {
                    self.state = State::Between;
                    return None;
                }
                self.indent = None;
            }
            let rest = self.rest();
            let end_of_line = memchr(b'\n', rest);
            let searched = rest.get(..end_of_line.unwrap_or(rest.len())).unwrap_or_default();
            if !self.containers.is_empty()
                && let Some(at) = memmem::find(searched, BEGINNING_OF_RECORD)
            {
                self.advance(at);
                self.state = State::Between;
                return None;
            }
            match end_of_line {
                Some(at) => {
                    self.advance(at);
                    self.indent = Some(0);
                }
                None => {
                    // The beginning of a record may lie across the end of what was fed.
                    let kept = if self.has_ended { 0 } else { BEGINNING_OF_RECORD.len() - 1 };
                    self.advance(searched.len().saturating_sub(kept));
                    return Some(self.nothing_more());
                }
            }
        }
    }
}
