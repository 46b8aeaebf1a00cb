//! The decoder against its oracle, and the prefilter against the decoder, on random records.
//!
//! The seeds are the numbers from 0 on; a failure prints its own.

#[cfg(test)]
mod records;

use bedrock_watch_engine::{
    Activity,
    decode::{decode, decode_by_the_book},
    prefilter::peek,
};
use records::{Random, Strangeness};

const RECORDS: u64 = 20_000;

const KINDS: [Strangeness; 4] = [
    Strangeness { fields: 0, escapes: 0, damage: 0 },
    Strangeness { fields: 0, escapes: 20, damage: 0 },
    Strangeness { fields: 8, escapes: 5, damage: 0 },
    Strangeness { fields: 2, escapes: 10, damage: 60 },
];

#[cfg(test)]
fn for_each_record(mut check: impl FnMut(u64, &[u8])) {
    for seed in 0..RECORDS {
        let kind = KINDS[usize::try_from(seed % 4).unwrap()];
        check(seed, &records::record(&mut Random::new(seed), kind));
    }
}

#[test]
fn sonic_and_serde_json_agree() {
    let mut valid = 0;
    for_each_record(|seed, bytes| {
        let shown = String::from_utf8_lossy(bytes);
        let (quick, slow) = (decode(bytes), decode_by_the_book(bytes));
        valid += u64::from(quick.is_ok());
        match (quick, slow) {
            (Ok(quick), Ok(slow)) => assert_eq!(format!("{quick:?}"), format!("{slow:?}"), "seed {seed}: {shown}"),
            (Err(quick), Err(slow)) => assert_eq!(quick, slow, "seed {seed}: {shown}"),
            // The one accepted difference, see `decode/json.rs`.
            (Ok(_), Err(_)) if has_bad_escape(&shown) => {}
            (quick, slow) => panic!("seed {seed}: {quick:?} but by the book {slow:?}: {shown}"),
        }
    });
    assert!(valid > RECORDS / 3, "only {valid} valid records");
}

/// Whether a `\u` is followed by something else than four hexadecimal digits, or a surrogate stands alone.
fn has_bad_escape(text: &str) -> bool {
    text.match_indices("\\u").any(|(at, _)| {
        let digits = text.get(at + 2..at + 6).unwrap_or_default();
        u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).is_none()
    })
}

#[test]
fn what_peek_sees_decoding_sees() {
    let mut seen = 0;
    for_each_record(|seed, bytes| {
        let Some(peeked) = peek(bytes) else { return };
        let Ok(Activity::Call(call)) = decode(bytes) else { return };
        seen += 1;
        let decoded = (call.time, call.account.as_ref(), call.source.as_bytes(), call.name.as_bytes());
        let shown = String::from_utf8_lossy(bytes);
        let peeked = (peeked.time, peeked.account, peeked.source, peeked.name);
        assert_eq!(peeked, decoded, "seed {seed}: {shown}");
    });
    assert!(seen > RECORDS / 30, "only {seen} records were peeked at");
}
