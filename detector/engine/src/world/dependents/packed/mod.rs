//! The form in which dependents are kept: all that is known of one as bytes, without the texts it shares with others.
//!
//! A live job that nothing happens to is looked at when it begins and when it ends, so unpacking costs little. What only
//! knowledge bases, agents and deployed models have is kept as `postcard` writes it.

mod read;
mod write;

use crate::{bytes::Writer, time::Second};

use self::{read::Unpacker, write::Packer};
use super::{
    super::dependent::{Dependent, Kind},
    texts::Texts,
};

/// A dependent as bytes.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    bytes: Box<[u8]>,
}

/// What is read without unpacking the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) kind: Kind,
    pub(super) account: &'a str,
    pub(super) role_arn: Option<&'a str>,
    pub(super) started: Option<Second>,
    pub(super) ended: Option<Second>,
    /// Whether it is a part of something.
    pub(super) is_part: bool,
    /// Whether updates exchanged its role, its key or its name.
    pub(super) has_exchanges: bool,
}

/// What else a dependent has, as bits.
const HAS_STARTED: u8 = 1;
const HAS_ENDED: u8 = 1 << 1;
const IS_STOPPING: u8 = 1 << 2;
const IS_PART: u8 = 1 << 3;
const HAS_NEEDS: u8 = 1 << 4;
const HAS_EXCHANGES: u8 = 1 << 5;

/// How many texts, besides the status it ended with, sets of texts and sets of pairs there are.
const TEXTS: usize = 13;
const SETS: usize = 3;
const PAIRS: usize = 3;

impl Packed {
    /// Packs `one`. It uses texts until [`Self::release`].
    pub(super) fn new(one: &Dependent, texts: &mut Texts, bytes: &mut Writer) -> Self {
        bytes.clear();
        Packer { bytes, texts }.write(one);
        Self { bytes: bytes.written().into() }
    }

    /// What [`Self::as_bytes`] gave; `None` if it is damaged.
    pub(super) fn from_bytes(bytes: &[u8], texts: &Texts) -> Option<Self> {
        Unpacker::new(bytes, texts).walk(|_| {})?;
        Some(Self { bytes: bytes.into() })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The dependent. What was made by [`Self::new`] or looked at by [`Self::from_bytes`] can always be read.
    pub(super) fn unpack(&self, texts: &Texts) -> Option<Dependent> {
        Unpacker::new(&self.bytes, texts).read()
    }

    /// What tells how much it is worth.
    pub(super) fn head<'a>(&'a self, texts: &'a Texts) -> Option<Head<'a>> {
        Unpacker::new(&self.bytes, texts).head()
    }

    /// Uses its texts no longer.
    pub(super) fn release(&self, texts: &mut Texts) {
        let mut used: Vec<u32> = Vec::new();
        Unpacker::new(&self.bytes, texts).walk(|number| used.push(number));
        used.into_iter().for_each(|number| texts.release(number));
    }
}
