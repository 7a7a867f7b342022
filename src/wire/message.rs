//! Messages that doorward builds, and replies that it reads when it is the client itself.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.3 to 1.6.

use bson::raw::RawDocument;

use super::CloseReason;
use super::bytes::{i32_at, take, take_byte, u32_at};
use super::checksum::{CHECKSUM_LEN, Checksum};
use super::header::{HEADER_LEN, Header, opcode};
use super::op_msg::{BODY, CHECKSUM_PRESENT, MORE_TO_COME, SECTIONS};

/// Where the document of an `OP_REPLY` starts: behind flags, cursor, start and count.
const OP_REPLY_DOCUMENT: usize = HEADER_LEN + 20;

/// A request: an `OP_MSG` with `flags` (see the fact sheet; the checksum flag adds a checksum) and one body.
#[must_use]
pub fn op_msg(request_id: i32, flags: u32, body: &RawDocument) -> Vec<u8> {
    build_op_msg(request_id, 0, flags, body)
}

/// A request of old: an `OP_QUERY` without flags for one document of `namespace`. A NUL in the namespace ends it.
#[must_use]
pub fn op_query(request_id: i32, namespace: &str, query: &RawDocument) -> Vec<u8> {
    let namespace = namespace.split('\0').next().unwrap_or_default();
    let parts: [&[u8]; 6] =
        [&0_i32.to_le_bytes(), namespace.as_bytes(), &[0], &0_i32.to_le_bytes(), &(-1_i32).to_le_bytes(), query.as_bytes()];
    build(request_id, 0, opcode::QUERY, &parts, 0)
}

/// The flags of an `OP_MSG` reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) checksum: bool,
    pub(super) more_to_come: bool,
}

pub(super) fn op_msg_reply(request_id: i32, response_to: i32, flags: Flags, body: &RawDocument) -> Vec<u8> {
    let checksum = if flags.checksum { CHECKSUM_PRESENT } else { 0 };
    let more_to_come = if flags.more_to_come { MORE_TO_COME } else { 0 };
    build_op_msg(request_id, response_to, checksum | more_to_come, body)
}

pub(super) fn op_reply(request_id: i32, response_to: i32, flags: i32, body: &RawDocument) -> Vec<u8> {
    let (cursor, start, count) = (0_i64, 0_i32, 1_i32);
    let parts: [&[u8]; 5] =
        [&flags.to_le_bytes(), &cursor.to_le_bytes(), &start.to_le_bytes(), &count.to_le_bytes(), body.as_bytes()];
    build(request_id, response_to, opcode::REPLY, &parts, 0)
}

fn build_op_msg(request_id: i32, response_to: i32, flags: u32, body: &RawDocument) -> Vec<u8> {
    let checksum = if flags & CHECKSUM_PRESENT == 0 { 0 } else { CHECKSUM_LEN };
    let parts: [&[u8]; 3] = [&flags.to_le_bytes(), &[BODY], body.as_bytes()];
    let mut message = build(request_id, response_to, opcode::MSG, &parts, checksum);
    if checksum > 0 {
        let sum = Checksum::of(&message);
        message.extend_from_slice(&sum.to_le_bytes());
    }
    message
}

/// A message of these parts, with room for (and a length that counts) `behind` more bytes.
pub(super) fn build(request_id: i32, response_to: i32, opcode: i32, parts: &[&[u8]], behind: usize) -> Vec<u8> {
    let length = parts.iter().fold(HEADER_LEN.saturating_add(behind), |sum, part| sum.saturating_add(part.len()));
    // Documents are far smaller than this type's range, so that the length of a message of ours always fits.
    let message_length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(&Header { message_length, request_id, response_to, opcode }.to_bytes());
    for part in parts {
        message.extend_from_slice(part);
    }
    message
}

/// A reply that doorward got as a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplyMessage<'a> {
    /// The flags: those of an `OP_MSG`, or those of an `OP_REPLY`.
    pub flags: u32,
    /// The document.
    pub body: &'a RawDocument,
    /// Which request it answers.
    pub response_to: i32,
    /// The reply's own number.
    pub request_id: i32,
}

/// Why bytes are no reply. The connection they came from is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The header is none.
    #[error(transparent)]
    Header(#[from] CloseReason),
    /// There are more or fewer bytes than the header says.
    #[error("the reply has {actual} bytes, but its header says {declared}")]
    Length {
        /// What the header says, in bytes.
        declared: u32,
        /// How many bytes there are.
        actual: usize,
    },
    /// An opcode that is none of a reply (a compressed reply has to be unwrapped before).
    #[error("unexpected opcode {0} in a reply")]
    Opcode(i32),
    /// The message is not exactly one document.
    #[error("the reply does not hold exactly one document")]
    Document,
    /// The CRC-32C does not fit.
    #[error("the checksum of the reply does not match its contents")]
    Checksum,
}

/// Parses one whole, uncompressed reply.
///
/// # Errors
/// Everything that is not one document in an `OP_MSG` or an `OP_REPLY`.
pub fn parse_reply(message: &[u8]) -> Result<ReplyMessage<'_>, ReplyError> {
    let actual = message.len();
    let header = Header::peek(message, u32::MAX)?.ok_or(ReplyError::Length { declared: 0, actual })?;
    if usize::try_from(header.message_length) != Ok(actual) {
        return Err(ReplyError::Length { declared: header.message_length, actual });
    }
    let flags = u32_at(message, HEADER_LEN).ok_or(ReplyError::Document)?;
    let document = match header.opcode {
        opcode::MSG => op_msg_document(message, flags)?,
        opcode::REPLY => {
            let count = i32_at(message, OP_REPLY_DOCUMENT.saturating_sub(4));
            message.get(OP_REPLY_DOCUMENT..).filter(|_| count == Some(1)).ok_or(ReplyError::Document)?
        }
        other => return Err(ReplyError::Opcode(other)),
    };
    let body = RawDocument::from_bytes(document).map_err(|_| ReplyError::Document)?;
    Ok(ReplyMessage { flags, body, response_to: header.response_to, request_id: header.request_id })
}

fn op_msg_document(message: &[u8], flags: u32) -> Result<&[u8], ReplyError> {
    let mut content = message;
    if flags & CHECKSUM_PRESENT != 0 {
        let (summed, sum) = message.split_last_chunk::<CHECKSUM_LEN>().ok_or(ReplyError::Document)?;
        if Checksum::of(summed) != u32::from_le_bytes(*sum) {
            return Err(ReplyError::Checksum);
        }
        content = summed;
    }
    take(&mut content, SECTIONS).ok_or(ReplyError::Document)?;
    if take_byte(&mut content) != Some(BODY) {
        return Err(ReplyError::Document);
    }
    Ok(content)
}

/// What the beginning of a reply tells, for passing it on without reading the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHead {
    /// The reply's header.
    pub header: Header,
    /// The flags of an `OP_MSG`; `None` for another opcode.
    pub flags: Option<u32>,
}

impl ReplyHead {
    /// How many bytes of a reply tell everything, should it have so many.
    pub const LEN: usize = SECTIONS;

    /// Reads the head of a reply of at most `max` bytes. `None` asks for [`LEN`](Self::LEN) bytes.
    ///
    /// # Errors
    /// `MessageLength` when the length is outside `16..=max`, `NotEnoughData` for an `OP_MSG` too short for its flags.
    pub fn peek(bytes: &[u8], max: u32) -> Result<Option<Self>, CloseReason> {
        let Some(header) = Header::peek(bytes, max)? else { return Ok(None) };
        if header.opcode != opcode::MSG {
            return Ok(Some(Self { header, flags: None }));
        }
        if usize::try_from(header.message_length).is_ok_and(|length| length < SECTIONS) {
            return Err(CloseReason::NotEnoughData);
        }
        Ok(u32_at(bytes, HEADER_LEN).map(|flags| Self { header, flags: Some(flags) }))
    }

    /// Whether another reply to the same request follows this one. Not known (and `false`) of a compressed reply.
    #[must_use]
    pub const fn more_to_come(&self) -> bool {
        matches!(self.flags, Some(flags) if flags & MORE_TO_COME != 0)
    }
}
