//! Header and flags of an `OP_MSG` whose checksum is taken away or added on the way.

use crate::wire::checksum::CHECKSUM_LEN;
use crate::wire::header::{HEADER_LEN, Header};

/// The length of header and flags, in bytes.
pub(super) const HEAD_LEN: usize = HEADER_LEN + 4;
/// Bit 0 of the flags: a checksum follows.
const CHECKSUM_PRESENT: u8 = 1;

/// The head of the same message without its checksum. `flags` are the four bytes behind the header.
pub(super) fn without_checksum(header: Header, flags: &[u8]) -> Vec<u8> {
    rewritten(header.message_length.saturating_sub(checksum_length()), header, flags, |first| first & !CHECKSUM_PRESENT)
}

/// The head of the same message with a checksum.
pub(super) fn with_checksum(header: Header, flags: &[u8]) -> Vec<u8> {
    rewritten(header.message_length.saturating_add(checksum_length()), header, flags, |first| first | CHECKSUM_PRESENT)
}

fn checksum_length() -> u32 {
    u32::try_from(CHECKSUM_LEN).unwrap_or(u32::MAX)
}

fn rewritten(message_length: u32, header: Header, flags: &[u8], change: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut head = Header { message_length, ..header }.to_bytes().to_vec();
    head.extend_from_slice(flags);
    if let Some(first) = head.get_mut(HEADER_LEN) {
        *first = change(*first);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_taken_away_and_added_again_gives_the_same_head() {
        let header = Header { message_length: 100, request_id: 7, response_to: 0, opcode: 2013 };
        let bare = without_checksum(header, &[0b11, 0, 1, 0]);
        assert_eq!(bare.get(..4), Some(&96_u32.to_le_bytes()[..]));
        assert_eq!(bare.get(HEADER_LEN..), Some(&[0b10, 0, 1, 0][..]));
        let again = with_checksum(Header { message_length: 96, ..header }, &[0b10, 0, 1, 0]);
        assert_eq!(again, [&header.to_bytes()[..], &[0b11, 0, 1, 0]].concat());
    }
}
