//! Reads what [`super::write`] wrote: all of it, its head, or only which texts it shares.

use std::collections::{BTreeMap, BTreeSet};

use crate::{bytes::Reader, time::Second};

use super::{
    super::{
        super::dependent::{Dependent, Kind},
        texts::Texts,
    },
    HAS_ENDED, HAS_EXCHANGES, HAS_NEEDS, HAS_STARTED, Head, IS_PART, IS_STOPPING, PAIRS, SETS, TEXTS,
};

/// What comes before the first text.
struct Start {
    kind: Kind,
    has: u8,
    started: Option<Second>,
    ended: Option<Second>,
}

/// Reads what a [`Packer`] wrote.
pub(super) struct Unpacker<'a> {
    bytes: Reader<'a>,
    texts: &'a Texts,
}

impl<'a> Unpacker<'a> {
    pub(super) const fn new(bytes: &'a [u8], texts: &'a Texts) -> Self {
        Self { bytes: Reader::new(bytes), texts }
    }

    fn start(&mut self) -> Option<Start> {
        let kind = Kind::of_number(self.bytes.byte()?)?;
        let has = self.bytes.byte()?;
        let started = if has & HAS_STARTED != 0 { Some(self.second()?) } else { None };
        let ended = if has & HAS_ENDED != 0 { Some(self.second()?) } else { None };
        Some(Start { kind, has, started, ended })
    }

    pub(super) fn head(&mut self) -> Option<Head<'a>> {
        let Start { kind, has, started, ended } = self.start()?;
        let (account, _) = self.pieces(|_| {})??;
        let role_arn = self.pieces(|_| {})?.map(|(role, _)| role);
        let (is_part, has_exchanges) = (has & IS_PART != 0, has & HAS_EXCHANGES != 0);
        Some(Head { kind, account, role_arn, started, ended, is_part, has_exchanges })
    }

    /// Goes through all that [`Self::read`] reads, and says which shared texts that are.
    pub(super) fn walk(&mut self, mut shared: impl FnMut(u32)) -> Option<()> {
        let Start { has, .. } = self.start()?;
        for _ in 0..TEXTS.saturating_add(usize::from(has & HAS_ENDED != 0)) {
            self.pieces(&mut shared)?;
        }
        for texts in [1; SETS].into_iter().chain([2; PAIRS]) {
            for _ in 0..self.bytes.length()?.saturating_mul(texts) {
                self.pieces(&mut shared)?;
            }
        }
        for _ in 0..(has & (HAS_NEEDS | HAS_EXCHANGES)).count_ones() {
            self.bytes.counted()?;
        }
        Some(())
    }

    pub(super) fn read(&mut self) -> Option<Dependent> {
        let Start { kind, has, started, ended } = self.start()?;
        let mut one = Dependent {
            kind,
            started,
            account: self.option()??,
            role_arn: self.option()?,
            ended: if let Some(at) = ended { Some((at, self.option()??)) } else { None },
            region: self.option()??,
            stopping: has & IS_STOPPING != 0,
            arn: self.option()?,
            name: self.option()?,
            parent: self.option()?,
            kms_key: self.option()?,
            output_model: self.option()?,
            output_model_arn: self.option()?,
            training_uri: self.option()?,
            output_uri: self.option()?,
            base_model: self.option()?,
            customization_type: self.option()?,
            security_groups: self.set()?,
            subnets: self.set()?,
            validation_uris: self.set()?,
            hyper_parameters: self.pairs()?,
            job_tags: self.pairs()?,
            model_tags: self.pairs()?,
            ..Dependent::default()
        };
        if has & HAS_NEEDS != 0 {
            one.needs = postcard::from_bytes(self.bytes.counted()?).ok()?;
        }
        if has & HAS_EXCHANGES != 0 {
            (one.named, one.exchanged) = postcard::from_bytes(self.bytes.counted()?).ok()?;
        }
        Some(one)
    }

    fn second(&mut self) -> Option<Second> {
        Some(Second(u32::from_le_bytes(self.bytes.array()?)))
    }

    fn set(&mut self) -> Option<BTreeSet<Box<str>>> {
        let mut set = BTreeSet::new();
        for _ in 0..self.bytes.length()? {
            set.insert(self.option()??);
        }
        Some(set)
    }

    fn pairs(&mut self) -> Option<BTreeMap<Box<str>, Box<str>>> {
        let mut pairs = BTreeMap::new();
        for _ in 0..self.bytes.length()? {
            pairs.insert(self.option()??, self.option()??);
        }
        Some(pairs)
    }

    fn option(&mut self) -> Option<Option<Box<str>>> {
        Some(match self.pieces(|_| {})? {
            Some((shared, "")) => Some(shared.into()),
            Some((shared, rest)) => Some([shared, rest].concat().into()),
            None => None,
        })
    }

    /// What others share of a text, and the rest.
    fn pieces(&mut self, mut shared_by: impl FnMut(u32)) -> Option<Option<(&'a str, &'a str)>> {
        let Some(code) = self.bytes.number()?.checked_sub(1) else { return Some(None) };
        let shared = match (code >> 1).checked_sub(1) {
            Some(number) => {
                shared_by(number);
                self.texts.get(number)?
            }
            None => "",
        };
        let rest = if code & 1 == 0 { "" } else { self.bytes.text()? };
        Some(Some((shared, rest)))
    }
}
