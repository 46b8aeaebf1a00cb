//! Makes a failing history small enough to read.

use serde_json::Value;

/// Drops records while `fails` still holds, in ever smaller pieces.
pub fn shrink(records: &[Value], mut fails: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
    let mut kept = records.to_vec();
    let mut piece = kept.len().div_ceil(2);
    loop {
        let mut dropped = false;
        let mut from = 0;
        while from < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(from..(from + piece).min(kept.len()));
            if fails(&fewer) {
                kept = fewer;
                dropped = true;
            } else {
                from += piece;
            }
        }
        if piece == 1 && !dropped {
            return kept;
        }
        piece = if dropped { piece } else { piece.div_ceil(2) };
        if kept.is_empty() {
            return kept;
        }
    }
}
