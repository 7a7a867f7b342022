//! The 16 bytes in front of every message, and the rule for its length.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", section 1.1.

use super::CloseReason;
use super::bytes;

/// The size of a header in bytes.
pub const HEADER_LEN: usize = 16;

/// The smallest `messageLength`: a header alone.
pub(super) const MIN_MESSAGE_SIZE: u32 = 16;

/// The numbers that say what kind a message is.
pub mod opcode {
    /// `OP_REPLY`, the answer to `OP_QUERY`.
    pub const REPLY: i32 = 1;
    /// `OP_UPDATE`, removed.
    pub const UPDATE: i32 = 2001;
    /// `OP_INSERT`, removed.
    pub const INSERT: i32 = 2002;
    /// `OP_QUERY`, left for the handshake only.
    pub const QUERY: i32 = 2004;
    /// `OP_GET_MORE`, removed.
    pub const GET_MORE: i32 = 2005;
    /// `OP_DELETE`, removed.
    pub const DELETE: i32 = 2006;
    /// `OP_KILL_CURSORS`, removed.
    pub const KILL_CURSORS: i32 = 2007;
    /// `OP_COMPRESSED`, which wraps another message.
    pub const COMPRESSED: i32 = 2012;
    /// `OP_MSG`.
    pub const MSG: i32 = 2013;
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The whole message in bytes, this header included.
    pub message_length: u32,
    /// The sender's number for this message.
    pub request_id: i32,
    /// The `request_id` that this message answers; 0 in a request.
    pub response_to: i32,
    /// What kind of message it is, see [`opcode`].
    pub opcode: i32,
}

impl Header {
    /// Reads a header from the front of `bytes`. `None` asks for [`HEADER_LEN`] bytes.
    ///
    /// # Errors
    /// `MessageLength` when the length is outside `16..=max`.
    pub fn peek(bytes: &[u8], max: u32) -> Result<Option<Self>, CloseReason> {
        let mut bytes = bytes;
        let Some(length) = bytes::i32_at(bytes, 0) else { return Ok(None) };
        let Some(header) = bytes::take(&mut bytes, HEADER_LEN) else { return Ok(None) };
        match u32::try_from(length) {
            Ok(message_length) if (MIN_MESSAGE_SIZE..=max).contains(&message_length) => Ok(Self::read(message_length, header)),
            _ => Err(CloseReason::MessageLength { length, max }),
        }
    }

    fn read(message_length: u32, header: &[u8]) -> Option<Self> {
        Some(Self {
            message_length,
            request_id: bytes::i32_at(header, 4)?,
            response_to: bytes::i32_at(header, 8)?,
            opcode: bytes::i32_at(header, 12)?,
        })
    }

    /// Gives the message that begins with this header, of which at least that is there, another number.
    pub fn renumber(&mut self, message: &mut [u8], request_id: i32) {
        self.request_id = request_id;
        self.write_to(message);
    }

    /// Lets the message that begins with this header, of which at least that is there, answer another one.
    pub fn redirect(&mut self, message: &mut [u8], response_to: i32) {
        self.response_to = response_to;
        self.write_to(message);
    }

    fn write_to(self, message: &mut [u8]) {
        if let Some(front) = message.first_chunk_mut() {
            *front = self.to_bytes();
        }
    }

    /// The header as it stands in front of a message.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [l0, l1, l2, l3] = self.message_length.to_le_bytes();
        let [i0, i1, i2, i3] = self.request_id.to_le_bytes();
        let [r0, r1, r2, r3] = self.response_to.to_le_bytes();
        let [o0, o1, o2, o3] = self.opcode.to_le_bytes();
        [l0, l1, l2, l3, i0, i1, i2, i3, r0, r1, r2, r3, o0, o1, o2, o3]
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_MESSAGE_SIZE;
    use super::*;

    fn with_length(length: i32) -> Vec<u8> {
        [length, 7, 0, opcode::MSG].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn a_header_is_judged_once_all_16_bytes_are_there() {
        let bytes = with_length(0);
        for count in 0..HEADER_LEN {
            assert_eq!(Header::peek(&bytes[..count], MAX_MESSAGE_SIZE), Ok(None), "{count} bytes");
        }
        assert!(Header::peek(&bytes, MAX_MESSAGE_SIZE).is_err());
    }

    #[test]
    fn a_length_outside_16_to_the_maximum_closes_with_mongods_log_text() {
        let cases = [
            (0, "recv(): message msgLen 0 is invalid. Min 16 Max: 48000000"),
            (15, "recv(): message msgLen 15 is invalid. Min 16 Max: 48000000"),
            (-1, "recv(): message msgLen 18446744073709551615 is invalid. Min 16 Max: 48000000"),
            (48_000_001, "recv(): message msgLen 48000001 is invalid. Min 16 Max: 48000000"),
        ];
        for (length, text) in cases {
            assert_eq!(Header::peek(&with_length(length), MAX_MESSAGE_SIZE).unwrap_err().to_string(), text);
        }
        for length in [16, 48_000_000] {
            assert!(Header::peek(&with_length(length), MAX_MESSAGE_SIZE).unwrap().is_some(), "{length}");
        }
        assert!(Header::peek(&with_length(16_385), 16_384).is_err(), "a smaller maximum counts");
    }

    #[test]
    fn a_message_gets_other_numbers_and_is_the_same_otherwise() {
        let mut message = [with_length(20), vec![1, 2, 3, 4]].concat();
        let mut header = Header::peek(&message, MAX_MESSAGE_SIZE).unwrap().unwrap();
        header.renumber(&mut message, -5);
        header.redirect(&mut message, 6);
        let expected = Header { message_length: 20, request_id: -5, response_to: 6, opcode: opcode::MSG };
        assert_eq!(header, expected);
        assert_eq!(message, [&expected.to_bytes()[..], &[1, 2, 3, 4]].concat());
    }

    #[test]
    fn a_header_is_written_as_it_was_read() {
        let bytes = with_length(100);
        assert_eq!(Header::peek(&bytes, MAX_MESSAGE_SIZE).unwrap().unwrap().to_bytes(), *bytes);
    }
}
