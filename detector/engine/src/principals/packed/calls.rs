//! The recent calls of a principal and its calls per minute, packed: each second as the difference to the one before.

use crate::{
    bytes::{Reader, Writer},
    time::MINUTE_S,
};

use super::{
    super::calls::{CallKind, Calls, NO_MODEL, Run},
    OUTCOMES, before, bit_if,
};

/// The lower two bits of a run's description are its outcome, the upper three its region if that fits.
const OUTCOME_BITS: u8 = 3;
const LONG_LIVED: u8 = 1 << 2;
const LIMIT_PROBE: u8 = 1 << 3;
const SEVERAL_CALLS: u8 = 1 << 4;
const REGION_SHIFT: u32 = 5;
const REGION_FOLLOWS: u8 = 7;

pub(super) fn write_calls(writer: &mut Writer, calls: &Calls, newest: u32) {
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

pub(super) fn read_calls(reader: &mut Reader<'_>, newest: u32) -> Option<Calls> {
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

pub(super) fn write_minutes(writer: &mut Writer, minutes: &[(u32, u32)], newest: u32) {
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

pub(super) fn read_minutes(reader: &mut Reader<'_>, newest: u32) -> Option<Vec<(u32, u32)>> {
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
