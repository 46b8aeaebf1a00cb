//! The idle form of a principal: everything remembered about it, in as few bytes as can be read again quickly.
//!
//! Seconds are kept as differences, and what follows from the recent calls is left out and found again. The baseline
//! last computed does not follow: minutes that it was computed from may have been forgotten since. A principal with
//! findings or enabled models is rare; those parts are kept as `postcard` writes them.

mod calls;
mod day;
mod sightings;
#[cfg(test)]
mod tests;

use crate::{
    bedrock::Outcome,
    bytes::{Reader, Writer},
    time::MINUTE_S,
};

use super::{
    names::ShortName,
    principal::{CachedBaseline, Principal, RegionSeen},
};
use calls::{read_calls, read_minutes, write_calls, write_minutes};
use day::{read_day, write_day};
use sightings::{read_sightings, write_sightings};

/// The outcomes by their numbers.
const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Throttled, Outcome::ServiceFailure, Outcome::Refused];

/// A principal as bytes: its name, what tells how much it is worth, and the rest.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    bytes: Box<[u8]>,
}

/// Which parts a principal has, as bits.
const HAS_REFUSED: u8 = 1;
const HAS_MINUTES: u8 = 1 << 1;
const HAS_OLDER_REGIONS: u8 = 1 << 2;
const HAS_OLDER_SUCCESS: u8 = 1 << 3;
const HAS_FINDINGS: u8 = 1 << 4;
const HAS_BASELINE: u8 = 1 << 5;
const HAS_BASELINE_VALUE: u8 = 1 << 6;
const HAS_SIGHTINGS: u8 = 1 << 7;

impl Packed {
    /// The idle form of a principal; `None` if it has none, which no principal is known for.
    pub(super) fn new(name: ShortName<'_>, principal: &Principal, writer: &mut Writer) -> Option<Self> {
        writer.clear();
        writer.byte(name.beginning);
        writer.counted(name.rest);
        writer.raw(&principal.newest.to_le_bytes());
        writer.number(principal.worth());
        write_principal(writer, principal)?;
        Some(Self { bytes: writer.written().into() })
    }

    /// What [`Self::as_bytes`] gave; `None` if it is damaged.
    pub(super) fn from_bytes(bytes: Box<[u8]>) -> Option<Self> {
        let packed = Self { bytes };
        packed.read()?;
        Some(packed)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The principal's name.
    pub(super) fn name(&self) -> ShortName<'_> {
        read_name(&mut Reader::new(&self.bytes)).unwrap_or(ShortName { beginning: 0, rest: &[] })
    }

    /// What the principal is worth, and its newest second.
    pub(super) fn worth_and_newest(&self) -> (u32, u32) {
        self.head().map_or((0, 0), |(worth, newest, _)| (worth, newest))
    }

    /// The principal. What was made by [`Self::new`] or looked at by [`Self::from_bytes`] can always be read; should it
    /// ever not, the principal starts afresh.
    pub(super) fn unpack(&self) -> Principal {
        let principal = self.read();
        debug_assert!(principal.is_some(), "a principal that cannot be read: {self:?}");
        principal.unwrap_or_default()
    }

    fn read(&self) -> Option<Principal> {
        let (_, newest, mut reader) = self.head()?;
        read_principal(&mut reader, newest)
    }

    fn head(&self) -> Option<(u32, u32, Reader<'_>)> {
        let mut reader = Reader::new(&self.bytes);
        read_name(&mut reader)?;
        let newest = u32::from_le_bytes(reader.array()?);
        let worth = reader.number()?;
        Some((worth, newest, reader))
    }
}

fn read_name<'a>(reader: &mut Reader<'a>) -> Option<ShortName<'a>> {
    Some(ShortName { beginning: reader.byte()?, rest: reader.counted()? })
}

/// The number that lies as far before `from` as the reader says.
fn before(reader: &mut Reader<'_>, from: u32) -> Option<u32> {
    Some(from.wrapping_sub(reader.number()?))
}

/// `bit` if `is_there`.
const fn bit_if(is_there: bool, bit: u8) -> u8 {
    if is_there { bit } else { 0 }
}

fn write_principal(writer: &mut Writer, principal: &Principal) -> Option<()> {
    // All fields by name, so that a new one is not forgotten here.
    let Principal {
        accepted,
        refused,
        newest,
        minutes,
        models: _,
        regions,
        older_success,
        enablements,
        days,
        verdicts,
        baseline,
        window: _,
        sightings,
    } = principal;
    let newest = *newest;
    let older_regions = regions.iter().filter(|seen| seen.older != 0);
    let has_findings = !enablements.is_empty() || !verdicts.is_empty();
    writer.byte(
        bit_if(!refused.all().is_empty(), HAS_REFUSED)
            | bit_if(!minutes.is_empty(), HAS_MINUTES)
            | bit_if(older_regions.clone().next().is_some(), HAS_OLDER_REGIONS)
            | bit_if(*older_success != 0, HAS_OLDER_SUCCESS)
            | bit_if(has_findings, HAS_FINDINGS)
            | bit_if(baseline.is_some(), HAS_BASELINE)
            | bit_if(baseline.is_some_and(|known| known.value.is_some()), HAS_BASELINE_VALUE)
            | bit_if(!sightings.entries().is_empty(), HAS_SIGHTINGS),
    );
    write_calls(writer, accepted, newest);
    if !refused.all().is_empty() {
        write_calls(writer, refused, newest);
    }
    if !minutes.is_empty() {
        write_minutes(writer, minutes, newest);
    }
    if older_regions.clone().next().is_some() {
        writer.length(older_regions.clone().count());
        for seen in older_regions {
            writer.byte(seen.region);
            writer.difference(seen.older, newest);
        }
    }
    if *older_success != 0 {
        writer.difference(*older_success, newest);
    }
    writer.length(days.len());
    for day in days {
        write_day(writer, day, newest);
    }
    if let Some(CachedBaseline { from_minute, to_minute, value }) = *baseline {
        writer.difference(from_minute, newest / MINUTE_S);
        writer.difference(to_minute, newest / MINUTE_S);
        value.into_iter().for_each(|value| writer.number(value));
    }
    if !sightings.entries().is_empty() {
        write_sightings(writer, sightings, newest);
    }
    if has_findings {
        writer.counted(&postcard::to_allocvec(&(enablements, verdicts)).ok()?);
    }
    Some(())
}

fn read_principal(reader: &mut Reader<'_>, newest: u32) -> Option<Principal> {
    let mut principal = Principal { newest, ..Principal::default() };
    let has = reader.byte()?;
    principal.accepted = read_calls(reader, newest)?;
    if has & HAS_REFUSED != 0 {
        principal.refused = read_calls(reader, newest)?;
    }
    if has & HAS_MINUTES != 0 {
        principal.minutes = read_minutes(reader, newest)?;
    }
    if has & HAS_OLDER_REGIONS != 0 {
        for _ in 0..reader.length()? {
            let region = reader.byte()?;
            let older = before(reader, newest)?;
            principal.regions.push(RegionSeen { region, first: u32::MAX, last: older, older });
        }
    }
    if has & HAS_OLDER_SUCCESS != 0 {
        principal.older_success = before(reader, newest)?;
    }
    let days = reader.length()?;
    principal.days.reserve_exact(days);
    for _ in 0..days {
        principal.days.push(read_day(reader, newest)?);
    }
    if has & HAS_BASELINE != 0 {
        let (from_minute, to_minute) = (before(reader, newest / MINUTE_S)?, before(reader, newest / MINUTE_S)?);
        let value = if has & HAS_BASELINE_VALUE != 0 { Some(reader.number()?) } else { None };
        principal.baseline = Some(CachedBaseline { from_minute, to_minute, value });
    }
    if has & HAS_SIGHTINGS != 0 {
        principal.sightings = read_sightings(reader, newest)?;
    }
    if has & HAS_FINDINGS != 0 {
        (principal.enablements, principal.verdicts) = postcard::from_bytes(reader.counted()?).ok()?;
    }
    principal.find_models_and_regions();
    Some(principal)
}
