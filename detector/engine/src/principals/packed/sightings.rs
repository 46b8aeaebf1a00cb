//! The idle form of what a principal was seen to do: its operations, networks and user agents.

use crate::{
    firsts::{Key, PRINCIPAL, Sightings, SightingsList},
    time::DAY_S,
};

use super::{Reader, Writer, before};

/// The day was seen and no second of it is known: nothing is earlier than the end of time.
const NEVER: u32 = u32::MAX;

/// Set in the byte of the kind when nothing is known of the day before the latest.
const ONE_DAY: u8 = 1 << 7;

pub(super) fn write_sightings(writer: &mut Writer, list: &SightingsList, newest: u32) {
    writer.length(list.entries().len());
    for (key, sightings) in list.entries() {
        let [first, of_day_before] = sightings.first;
        let is_one_day = of_day_before == NEVER;
        writer.byte(key.kind | if is_one_day { ONE_DAY } else { 0 });
        // There is only one principal.
        if key.kind != PRINCIPAL {
            writer.raw(&key.value.to_le_bytes());
        }
        writer.difference(sightings.day, newest / DAY_S);
        writer.number(sightings.days);
        writer.difference(first, newest);
        if !is_one_day {
            writer.difference(of_day_before, newest);
        }
    }
}

pub(super) fn read_sightings(reader: &mut Reader<'_>, newest: u32) -> Option<SightingsList> {
    let length = reader.length()?;
    let mut entries = Vec::with_capacity(length);
    for _ in 0..length {
        let tag = reader.byte()?;
        let kind = tag & !ONE_DAY;
        let value = if kind == PRINCIPAL { 0 } else { u32::from_le_bytes(reader.array()?) };
        let day = before(reader, newest / DAY_S)?;
        let days = reader.number()?;
        let first = before(reader, newest)?;
        let of_day_before = if tag & ONE_DAY == 0 { before(reader, newest)? } else { NEVER };
        entries.push((Key { kind, value }, Sightings { day, days, first: [first, of_day_before] }));
    }
    Some(SightingsList::from_sorted(entries))
}
