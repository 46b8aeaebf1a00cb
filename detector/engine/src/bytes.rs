//! Numbers and texts in few bytes, for what is kept by the million.
//!
//! Deliberately no format of its own: what is written in which order is the affair of who writes.

/// Writes into a buffer that is used again and again.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// With room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// What was written, for keeps.
    pub(crate) fn into_written(self) -> Vec<u8> {
        self.bytes
    }

    /// Forgets what was written, but keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// What was written.
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// One byte.
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Bytes whose number the reader knows.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A number, in the fewer bytes the smaller it is: seven bits in each.
    pub(crate) fn number(&mut self, number: u32) {
        let mut left = number;
        while left >= 0x80 {
            let [low, ..] = left.to_le_bytes();
            self.bytes.push(low | 0x80);
            left >>= 7;
        }
        let [low, ..] = left.to_le_bytes();
        self.bytes.push(low);
    }

    /// How many of something follow.
    pub(crate) fn length(&mut self, length: usize) {
        self.number(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// `to - from`, which may also be negative, but is small only when it is not.
    pub(crate) fn difference(&mut self, from: u32, to: u32) {
        self.number(to.wrapping_sub(from));
    }

    /// Bytes with their number.
    pub(crate) fn counted(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }
}

/// Reads what a [`Writer`] wrote. Everything is `None` once the bytes are used up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (&array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(array)
    }

    pub(crate) fn raw(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        let mut number: u32 = 0;
        for shift in [0_u32, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                break;
            }
        }
        Some(number)
    }

    /// A length, at most the bytes that are left: each of what follows takes one at least.
    pub(crate) fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= self.rest.len()).then_some(length)
    }

    /// The number to which [`Writer::difference`] wrote the way from `from`.
    pub(crate) fn after(&mut self, from: u32) -> Option<u32> {
        Some(from.wrapping_add(self.number()?))
    }

    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.raw(length)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.counted()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, 1 << 21, (1 << 28) - 1, 1 << 28, u32::MAX];
        let mut writer = Writer::default();
        for number in numbers {
            writer.number(number);
            writer.difference(number, 1_000);
        }
        writer.counted("text".as_bytes());
        let mut reader = Reader::new(writer.written());
        for number in numbers {
            assert_eq!(reader.number(), Some(number));
            assert_eq!(reader.after(number), Some(1_000));
        }
        assert_eq!(reader.text(), Some("text"));
        assert_eq!((reader.byte(), reader.number(), reader.length(), reader.raw(1)), (None, None, None, None));
        assert_eq!(Reader::new(&[200, 1, 7]).counted(), None, "a length beyond what is there");
    }
}
