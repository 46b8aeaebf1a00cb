//! Alert ids: the same history gives the same id, on any worker, before and after a crash.

use sha2::{Digest, Sha256};

/// The id of an alert: 128 bits of SHA-256 over what identifies it, as 32 hexadecimal digits.
#[must_use]
pub(crate) fn alert_id(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = String::with_capacity(32);
    for byte in hasher.finalize().into_iter().take(16) {
        let halves = [byte >> 4, byte & 15].into_iter();
        digits.extend(halves.filter_map(|half| DIGITS.get(usize::from(half)).copied().map(char::from)));
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::alert_id;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(alert_id(&["ab", "c"]), alert_id(&["a", "bc"]));
        assert_eq!(alert_id(&["a", "bc"]), alert_id(&["a", "bc"]));
        assert_eq!(alert_id(&[]).len(), 32);
    }
}
