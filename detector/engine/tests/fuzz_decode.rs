//! Any bytes: decoding and peeking never panic, and both parsers come to the same answer.
//!
//! Quick as a test; `BOLERO_RANDOM_TEST_TIME_MS` or `BOLERO_RANDOM_ITERATIONS` make it longer, `cargo bolero` fuzzes.

#[cfg(test)]
mod records;

use bedrock_watch_engine::{
    decode::{decode, decode_by_the_book},
    prefilter::peek,
};
use records::{Random, Strangeness};

#[cfg(test)]
fn check(bytes: &[u8]) {
    let (quick, slow) = (decode(bytes), decode_by_the_book(bytes));
    assert!(peek(bytes).is_none() || bytes.trim_ascii().starts_with(b"{"));
    match (quick, slow) {
        (Ok(quick), Ok(slow)) => assert_eq!(format!("{quick:?}"), format!("{slow:?}")),
        (Err(quick), Err(slow)) => assert_eq!(quick, slow),
        // Escapes nobody reads are not checked by the fast parser, see `decode/json.rs`.
        (Ok(_), Err(_)) if bytes.windows(2).any(|pair| pair == b"\\u") => {}
        (quick, slow) => panic!("{quick:?} but by the book {slow:?}"),
    }
}

#[test]
fn any_bytes() {
    bolero::check!().for_each(check);
}

/// Bytes that are mostly JSON come further: the fuzzer chooses the record and what happens to it.
#[test]
fn any_damage() {
    bolero::check!().with_type::<(u64, u8, u8)>().for_each(|(seed, fields, damage)| {
        let percent = |byte: &u8| usize::from(*byte) % 101;
        let strange = Strangeness { fields: percent(fields) / 4, escapes: percent(fields), damage: percent(damage) };
        check(&records::record(&mut Random::new(*seed), strange));
    });
}
