//! Texts as they look inside base64, worked out when the rule is compiled.
//!
//! Follows pySigma: of an encoded piece only those characters count that do not depend on what stands before or after.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::modifier::Wide;

/// The bytes of `text`.
pub(super) fn bytes(text: &str, wide: Option<Wide>) -> Vec<u8> {
    let units = || text.encode_utf16();
    match wide {
        None => text.as_bytes().to_vec(),
        Some(Wide::LittleEndian) => units().flat_map(u16::to_le_bytes).collect(),
        Some(Wide::BigEndian) => units().flat_map(u16::to_be_bytes).collect(),
        Some(Wide::Marked) => [0xFF, 0xFE].into_iter().chain(units().flat_map(u16::to_le_bytes)).collect(),
    }
}

/// `bytes` in base64.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// What `bytes` look like inside a longer base64 text, for each of the three places they can begin at.
pub(super) fn base64_offsets(bytes: &[u8]) -> Vec<String> {
    [(0_usize, 0_usize), (1, 2), (2, 3)]
        .into_iter()
        .filter_map(|(offset, skipped)| {
            let mut padded = vec![b' '; offset];
            padded.extend_from_slice(bytes);
            let encoded = STANDARD.encode(&padded);
            let unstable = match padded.len() % 3 {
                0 => 0,
                1 => 3,
                _ => 2,
            };
            let end = encoded.len().checked_sub(unstable)?;
            encoded.get(skipped..end).filter(|piece| !piece.is_empty()).map(str::to_owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_pysigma_writes_them() {
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64_offsets(b"foobar"), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
        assert_eq!(bytes("a\u{e9}", Some(Wide::LittleEndian)), [0x61, 0, 0xe9, 0]);
        assert_eq!(bytes("a", Some(Wide::BigEndian)), [0, 0x61]);
        assert_eq!(bytes("a", Some(Wide::Marked)), [0xFF, 0xFE, 0x61, 0]);
    }

    #[test]
    fn offsets_are_found_in_every_place() {
        for before in 0..6 {
            for after in 0..6 {
                let text = format!("{}secret{}", "<".repeat(before), ">".repeat(after));
                let encoded = base64(text.as_bytes());
                assert!(base64_offsets(b"secret").iter().any(|piece| encoded.contains(piece)), "{text}");
            }
        }
    }
}
