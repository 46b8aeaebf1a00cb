//! What a principal's log records of one UTC day say together: what its alerts rest on.

use serde::{Deserialize, Serialize};

use crate::principals::{Tally, insert_sorted};

use super::ledger::Amount;

/// How many different error codes a day names.
const ERROR_CODES_MAX: usize = 32;

/// One UTC day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsageDay {
    /// Counted from 1970-01-01.
    pub(crate) day: u32,
    pub(crate) amount: Amount,
    /// What an alert of the day says besides; dropped once no alert of it can change.
    pub(crate) details: Option<Box<UsageDetails>>,
}

/// Names, and numbers nobody compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsageDetails {
    /// The log records, by request id.
    pub(crate) tally: Tally,
    /// In tokens.
    pub(crate) cache_read_tokens: u64,
    /// In tokens.
    pub(crate) cache_write_tokens: u64,
    pub(crate) images: u64,
    /// Numbers of the models.
    pub(crate) models: Vec<u16>,
    /// Those whose price is not known.
    pub(crate) unpriced: Vec<u16>,
    /// Sorted, at most [`ERROR_CODES_MAX`].
    pub(crate) error_codes: Vec<Box<str>>,
}

impl UsageDay {
    pub(super) fn new(day: u32) -> Self {
        Self { day, ..Self::default() }
    }

    /// How many log records there were.
    pub(crate) fn records(&self) -> u32 {
        self.details.as_ref().map_or(0, |details| details.tally.count)
    }
}

impl UsageDetails {
    /// Notes the model of a record and whether its price is known.
    pub(crate) fn note_model(&mut self, model: u16, is_priced: bool) {
        insert_sorted(&mut self.models, model);
        if !is_priced {
            insert_sorted(&mut self.unpriced, model);
        }
    }

    /// Notes an error code.
    pub(crate) fn note_error(&mut self, code: &str) {
        if self.error_codes.len() < ERROR_CODES_MAX
            && let Err(place) = self.error_codes.binary_search_by(|known| (**known).cmp(code))
        {
            self.error_codes.insert(place, code.into());
        }
    }
}
