//! How [`super::table`] finds the name of a command.

use std::hash::Hasher;

/// Hashes the names of commands. The keys are known beforehand, so nobody can choose them to collide, and the standard hasher takes
/// several times as long for such short texts.
#[derive(Default)]
pub(super) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        // FNV-1a.
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        // The map takes its place from both ends of the number.
        self.0 ^ self.0.rotate_left(29)
    }
}
