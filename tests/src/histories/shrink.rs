//! Makes a failing history small enough to read.

use serde_json::Value;

/// How often a shrunk history is tried: what is left after that is small enough.
const TRIES_MAX: u32 = 250;

/// Drops records while `fails` still holds, in ever smaller pieces.
pub fn shrink(records: &[Value], mut fails: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
    let mut kept = records.to_vec();
    let mut piece = kept.len().div_ceil(2);
    let mut tries = 0;
    loop {
        let mut dropped = false;
        let mut from = 0;
        while from < kept.len() && tries < TRIES_MAX {
            tries += 1;
            let mut fewer = kept.clone();
            fewer.drain(from..(from + piece).min(kept.len()));
            if fails(&fewer) {
                kept = fewer;
                dropped = true;
            } else {
                from += piece;
            }
        }
        if tries >= TRIES_MAX || (piece <= 1 && !dropped) {
            return kept;
        }
        piece = piece.div_ceil(2);
    }
}
