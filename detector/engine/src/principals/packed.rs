//! The idle form of a principal: everything remembered about it, in as few bytes as can be read again quickly.
//!
//! Seconds are kept as differences, and what follows from the recent calls is left out and found again. A principal
//! with findings or enabled models is rare; those parts are kept as `postcard` writes them.

use crate::{
    bedrock::Outcome,
    order::EventId,
    time::{DAY_S, MINUTE_S},
};

use super::{
    actor::StoredActor,
    bytes::{Reader, Writer},
    calls::{CallKind, Calls, NO_MODEL, Run},
    day::{Day, Peak, Tally, Used},
    names::ShortName,
    principal::{Principal, RegionSeen},
};

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

/// Which parts a day has besides its tallies, whose outcomes are the lower four bits.
const HAS_PEAK: u8 = 1 << 4;
const HAS_ERROR_CODES: u8 = 1 << 5;
const HAS_REFUSED_MODELS: u8 = 1 << 6;

/// What a tally is like, as bits.
const HAS_ACTOR: u8 = 1;
const ALL_UUIDS: u8 = 1 << 1;

/// The lower two bits of a run's description are its outcome, the upper three its region if that fits.
const OUTCOMES: [Outcome; 4] = [Outcome::Success, Outcome::Throttled, Outcome::ServiceFailure, Outcome::Refused];
const OUTCOME_BITS: u8 = 3;
const LONG_LIVED: u8 = 1 << 2;
const LIMIT_PROBE: u8 = 1 << 3;
const SEVERAL_CALLS: u8 = 1 << 4;
const REGION_SHIFT: u32 = 5;
const REGION_FOLLOWS: u8 = 7;

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
        packed.head()?;
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

    /// The principal. Bytes made by [`Self::new`] can always be read; should they ever not, it starts afresh.
    pub(super) fn unpack(&self) -> Principal {
        let principal = self.head().and_then(|(_, newest, mut reader)| read_principal(&mut reader, newest));
        debug_assert!(principal.is_some(), "a principal that cannot be read: {self:?}");
        principal.unwrap_or_default()
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
        baseline: _,
        window: _,
    } = principal;
    let newest = *newest;
    let older_regions = regions.iter().filter(|seen| seen.older != 0);
    let has_findings = !enablements.is_empty() || !verdicts.is_empty();
    writer.byte(
        bit_if(!refused.all().is_empty(), HAS_REFUSED)
            | bit_if(!minutes.is_empty(), HAS_MINUTES)
            | bit_if(older_regions.clone().next().is_some(), HAS_OLDER_REGIONS)
            | bit_if(*older_success != 0, HAS_OLDER_SUCCESS)
            | bit_if(has_findings, HAS_FINDINGS),
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
    if has & HAS_FINDINGS != 0 {
        (principal.enablements, principal.verdicts) = postcard::from_bytes(reader.counted()?).ok()?;
    }
    principal.find_models_and_regions();
    Some(principal)
}

/// The number that lies as far before `from` as the reader says.
fn before(reader: &mut Reader<'_>, from: u32) -> Option<u32> {
    Some(from.wrapping_sub(reader.number()?))
}

fn write_calls(writer: &mut Writer, calls: &Calls, newest: u32) {
    writer.length(calls.all().len());
    let mut previous = None;
    for run in calls.all() {
        match previous {
            None => writer.difference(run.second, newest),
            Some(previous) => writer.difference(previous, run.second),
        }
        previous = Some(run.second);
        let Run { kind: CallKind { model, region, outcome, long_lived, limit_probe }, count, .. } = *run;
        let short_region = region.min(REGION_FOLLOWS);
        writer.byte(
            outcome as u8
                | bit_if(long_lived, LONG_LIVED)
                | bit_if(limit_probe, LIMIT_PROBE)
                | bit_if(count != 1, SEVERAL_CALLS)
                | short_region.wrapping_shl(REGION_SHIFT),
        );
        if short_region == REGION_FOLLOWS {
            writer.byte(region);
        }
        // So that "no model" takes one byte, too.
        writer.number(u32::from(model.wrapping_sub(NO_MODEL)));
        if count != 1 {
            writer.number(count);
        }
    }
}

fn read_calls(reader: &mut Reader<'_>, newest: u32) -> Option<Calls> {
    let length = reader.length()?;
    // One more, because a principal is mostly read to add a call.
    let mut runs = Vec::with_capacity(length.saturating_add(1));
    let mut previous = None;
    for _ in 0..length {
        let second = match previous {
            None => before(reader, newest)?,
            Some(previous) => reader.after(previous)?,
        };
        previous = Some(second);
        let bits = reader.byte()?;
        let region = match bits.wrapping_shr(REGION_SHIFT) {
            REGION_FOLLOWS => reader.byte()?,
            short => short,
        };
        let model = u16::try_from(reader.number()?).ok()?.wrapping_add(NO_MODEL);
        let count = if bits & SEVERAL_CALLS == 0 { 1 } else { reader.number()? };
        let kind = CallKind {
            model,
            region,
            outcome: *OUTCOMES.get(usize::from(bits & OUTCOME_BITS))?,
            long_lived: bits & LONG_LIVED != 0,
            limit_probe: bits & LIMIT_PROBE != 0,
        };
        runs.push(Run { second, kind, count });
    }
    Some(Calls::from_sorted(runs))
}

fn write_minutes(writer: &mut Writer, minutes: &[(u32, u32)], newest: u32) {
    writer.length(minutes.len());
    let mut previous = None;
    for &(minute, count) in minutes {
        match previous {
            None => writer.difference(minute, newest / MINUTE_S),
            Some(previous) => writer.difference(previous, minute),
        }
        previous = Some(minute);
        writer.number(count);
    }
}

fn read_minutes(reader: &mut Reader<'_>, newest: u32) -> Option<Vec<(u32, u32)>> {
    let length = reader.length()?;
    let mut minutes = Vec::with_capacity(length);
    let mut previous = None;
    for _ in 0..length {
        let minute = match previous {
            None => before(reader, newest / MINUTE_S)?,
            Some(previous) => reader.after(previous)?,
        };
        previous = Some(minute);
        minutes.push((minute, reader.number()?));
    }
    Some(minutes)
}

fn write_day(writer: &mut Writer, day: &Day, newest: u32) {
    let Day { day, peak, failed, outcomes, error_codes, refused_models, used } = day;
    let tallied = outcomes.iter().fold(0, |bits, (outcome, _)| bits | 1_u8.wrapping_shl(*outcome as u32));
    writer.difference(*day, newest / DAY_S);
    writer.byte(
        tallied
            | bit_if(*peak != Peak::default(), HAS_PEAK)
            | bit_if(!error_codes.is_empty(), HAS_ERROR_CODES)
            | bit_if(!refused_models.is_empty(), HAS_REFUSED_MODELS),
    );
    if *peak != Peak::default() {
        writer.number(peak.invocations);
        writer.difference(peak.second, newest);
    }
    writer.number(*failed);
    for (_, tally) in outcomes {
        write_tally(writer, tally, newest);
    }
    if !error_codes.is_empty() {
        writer.length(error_codes.len());
        error_codes.iter().for_each(|code| writer.counted(code.as_bytes()));
    }
    if !refused_models.is_empty() {
        write_models(writer, refused_models);
    }
    let Used { models, regions, sessions, access_keys, source_ips, user_agents } = used;
    write_models(writer, models);
    writer.counted(regions);
    for hashes in [sessions, access_keys, source_ips, user_agents] {
        writer.length(hashes.len());
        hashes.iter().for_each(|hash| writer.raw(&hash.to_le_bytes()));
    }
}

fn read_day(reader: &mut Reader<'_>, newest: u32) -> Option<Day> {
    let mut day = Day::new(before(reader, newest / DAY_S)?);
    let has = reader.byte()?;
    if has & HAS_PEAK != 0 {
        day.peak = Peak { invocations: reader.number()?, second: before(reader, newest)? };
    }
    day.failed = reader.number()?;
    let is_tallied = |outcome: &Outcome| has & 1_u8.wrapping_shl(*outcome as u32) != 0;
    day.outcomes.reserve_exact(OUTCOMES.iter().filter(|outcome| is_tallied(outcome)).count());
    for outcome in OUTCOMES.into_iter().filter(is_tallied) {
        day.outcomes.push((outcome, read_tally(reader, newest)?));
    }
    if has & HAS_ERROR_CODES != 0 {
        for _ in 0..reader.length()? {
            day.error_codes.push(reader.text()?.into());
        }
    }
    if has & HAS_REFUSED_MODELS != 0 {
        day.refused_models = read_models(reader)?;
    }
    day.used = Used {
        models: read_models(reader)?,
        regions: reader.counted()?.to_vec(),
        sessions: read_hashes(reader)?,
        access_keys: read_hashes(reader)?,
        source_ips: read_hashes(reader)?,
        user_agents: read_hashes(reader)?,
    };
    Some(day)
}

fn write_models(writer: &mut Writer, models: &[u16]) {
    writer.length(models.len());
    models.iter().for_each(|model| writer.number(u32::from(*model)));
}

fn read_models(reader: &mut Reader<'_>) -> Option<Vec<u16>> {
    let length = reader.length()?;
    (0..length).map(|_| u16::try_from(reader.number()?).ok()).collect()
}

fn read_hashes(reader: &mut Reader<'_>) -> Option<Vec<u32>> {
    let length = reader.length()?;
    let mut hashes = Vec::with_capacity(length.saturating_add(1));
    for _ in 0..length {
        hashes.push(u32::from_le_bytes(reader.array()?));
    }
    Some(hashes)
}

fn write_tally(writer: &mut Writer, tally: &Tally, newest: u32) {
    let Tally { count, last, regions, earliest, actor } = tally;
    let all_uuids = earliest.iter().all(|(_, id)| matches!(id, EventId::Uuid(_)));
    writer.byte(bit_if(actor.is_some(), HAS_ACTOR) | bit_if(all_uuids, ALL_UUIDS));
    writer.number(*count);
    writer.difference(*last, newest);
    writer.counted(regions);
    writer.length(earliest.len());
    let mut previous = None;
    for (second, id) in earliest {
        match previous {
            None => writer.difference(*second, newest),
            Some(previous) => writer.difference(previous, *second),
        }
        previous = Some(*second);
        match id {
            EventId::Uuid(bytes) if all_uuids => writer.raw(bytes),
            EventId::Uuid(bytes) => {
                writer.byte(1);
                writer.raw(bytes);
            }
            EventId::Text(text) => {
                writer.byte(0);
                writer.counted(text.as_bytes());
            }
        }
    }
    if let Some(actor) = actor {
        writer.counted(actor.as_bytes());
    }
}

fn read_tally(reader: &mut Reader<'_>, newest: u32) -> Option<Tally> {
    let has = reader.byte()?;
    let mut tally = Tally { count: reader.number()?, last: before(reader, newest)?, ..Tally::default() };
    tally.regions = reader.counted()?.to_vec();
    let length = reader.length()?;
    tally.earliest.reserve_exact(length.saturating_add(1));
    let mut previous = None;
    for _ in 0..length {
        let second = match previous {
            None => before(reader, newest)?,
            Some(previous) => reader.after(previous)?,
        };
        previous = Some(second);
        let is_uuid = has & ALL_UUIDS != 0 || reader.byte()? == 1;
        let id = if is_uuid { EventId::Uuid(reader.array()?) } else { EventId::Text(reader.text()?.into()) };
        tally.earliest.push((second, id));
    }
    if has & HAS_ACTOR != 0 {
        tally.actor = Some(StoredActor::from_bytes(reader.counted()?));
    }
    Some(tally)
}
