//! A day of a principal, packed.

use crate::{
    bedrock::Outcome,
    bytes::{Reader, Writer},
    order::EventId,
    time::DAY_S,
};

use super::{
    super::{
        actor::StoredActor,
        day::{Day, Peak, Tally, Used},
    },
    OUTCOMES, before, bit_if,
};

/// Which parts a day has besides its tallies, whose outcomes are the lower four bits.
const HAS_PEAK: u8 = 1 << 4;
const HAS_ERROR_CODES: u8 = 1 << 5;
const HAS_REFUSED_MODELS: u8 = 1 << 6;

/// What a tally is like, as bits.
const HAS_ACTOR: u8 = 1;
const ALL_UUIDS: u8 = 1 << 1;

pub(super) fn write_day(writer: &mut Writer, day: &Day, newest: u32) {
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

pub(super) fn read_day(reader: &mut Reader<'_>, newest: u32) -> Option<Day> {
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
