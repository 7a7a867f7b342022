//! The checksum of an `OP_MSG`: CRC-32C (Castagnoli) of the whole message before it, header included.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", section 1.5.

/// The size of a checksum in bytes.
pub const CHECKSUM_LEN: usize = 4;

/// A running CRC-32C, for messages that are seen in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(u32);

impl Checksum {
    /// The checksum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    /// The checksum of everything added so far; it stands little-endian behind the message.
    #[must_use]
    pub const fn finish(self) -> u32 {
        self.0
    }

    /// The checksum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> u32 {
        crc32c::crc32c(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32c_comes_out() {
        assert_eq!(Checksum::of(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn pieces_give_the_checksum_of_the_whole() {
        for split in 0..=9 {
            let (front, back) = b"123456789".split_at(split);
            let mut checksum = Checksum::new();
            checksum.update(front);
            checksum.update(back);
            assert_eq!(checksum.finish(), 0xe306_9283, "split at {split}");
        }
    }
}
