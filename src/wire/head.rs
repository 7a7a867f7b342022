//! Judging a message by its beginning, so that the rest can be passed on unread.
//!
//! This is the hot path: nothing is allocated, and one walk over the top level of the body, up to `$db`, finds all there is to find.
//! Whatever looks odd is left to [`parse`], which then needs the whole message: so both always give the same answer, but for damage that
//! only a look at the whole message shows, which the mongod behind finds. A head is therefore enough for a command that is passed on;
//! a command that doorward answers itself has to go through [`parse`].
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.2 and 1.4.

use bson::raw::RawDocument;

use super::bytes::{i32_at, length, size};
use super::checksum::CHECKSUM_LEN;
use super::command::{Command, Protocol};
use super::element::Elements;
use super::header::Header;
use super::op_msg::{BODY, CHECKSUM_PRESENT, DOCUMENT_SEQUENCE, MAX_SEQUENCES, SECTIONS, envelope, flags};
use super::request::{Envelope, Kind, Request, kind, parse};
use super::{CloseReason, MAX_DOCUMENT_SIZE};

/// What the beginning of a message tells.
#[derive(Clone, Debug, PartialEq)]
pub enum HeadState<'a> {
    /// More of the message has to be there.
    NeedMore {
        /// How many bytes, counted from the message's start; never more than the message has.
        total: usize,
    },
    /// The request is known.
    Ready {
        /// The request.
        request: Request<'a>,
        /// How many bytes of the message were looked at, counted from its start. The rest may be passed on unread.
        consumed: usize,
    },
}

/// Looks at the first bytes of an uncompressed message, from its header on. Bytes behind the message's end are not looked at.
///
/// # Errors
/// The reason to close the connection; the same as of [`parse`], but known as early as the bytes tell.
pub fn peek<'a>(header: &Header, bytes: &'a [u8]) -> Result<HeadState<'a>, CloseReason> {
    let total = size(header.message_length);
    let message = bytes.get(..total).unwrap_or(bytes);
    if kind(header)? != Kind::Message {
        return whole(message, total);
    }
    let Some(flags) = flags(message)? else {
        return if total < SECTIONS { whole(message, total) } else { Ok(HeadState::NeedMore { total: SECTIONS }) };
    };
    let envelope = envelope(header, flags);
    let end = if envelope.checksum { total.saturating_sub(CHECKSUM_LEN) } else { total };
    match find_body(message, end) {
        Body::NeedMore(needed) => Ok(HeadState::NeedMore { total: needed }),
        Body::Odd => whole(message, total),
        Body::At { start, end } => match command(message.get(start..end), &envelope) {
            Some(command) => Ok(HeadState::Ready { request: Request { envelope, command: Ok(command) }, consumed: end }),
            None => whole(message, total),
        },
    }
}

/// Leaves the message to [`parse`], once it is all there.
fn whole(message: &[u8], total: usize) -> Result<HeadState<'_>, CloseReason> {
    if message.len() < total {
        return Ok(HeadState::NeedMore { total });
    }
    Ok(HeadState::Ready { request: parse(message)?, consumed: total })
}

/// Where the body of an `OP_MSG` is.
enum Body {
    NeedMore(usize),
    At { start: usize, end: usize },
    Odd,
}

/// Where the body of an `OP_MSG` of `total` bytes is, in bytes from its beginning, if so much of it is there.
pub fn body_range(message: &[u8], total: usize) -> Option<std::ops::Range<usize>> {
    let checksum = flags(message).ok()?? & CHECKSUM_PRESENT != 0;
    let limit = if checksum { total.saturating_sub(CHECKSUM_LEN) } else { total };
    match find_body(message, limit) {
        Body::At { start, end } => Some(start..end),
        Body::NeedMore(_) | Body::Odd => None,
    }
}

/// Looks for the body among the sections, which end at `limit`.
fn find_body(message: &[u8], limit: usize) -> Body {
    let mut position = SECTIONS;
    let mut sequences = 0_usize;
    loop {
        // The kind and the length that every section starts with.
        let Some((content, fixed)) = position.checked_add(1).and_then(|content| Some((content, content.checked_add(4)?))) else {
            return Body::Odd;
        };
        if fixed > limit {
            return Body::Odd;
        }
        let (Some(&kind), Some(declared)) = (message.get(position), i32_at(message, content)) else {
            return Body::NeedMore(fixed);
        };
        let end = length(declared).and_then(|declared| content.checked_add(declared));
        let Some(end) = end.filter(|&end| end >= fixed && end <= limit) else { return Body::Odd };
        match kind {
            BODY if end.saturating_sub(content) > size(MAX_DOCUMENT_SIZE) => return Body::Odd,
            BODY if message.len() < end => return Body::NeedMore(end),
            BODY => return Body::At { start: content, end },
            // More sequences are no request, and a walk over very many would be repeated for each piece that arrives.
            DOCUMENT_SEQUENCE if sequences >= MAX_SEQUENCES => return Body::Odd,
            DOCUMENT_SEQUENCE => {
                sequences = sequences.saturating_add(1);
                position = end;
            }
            _ => return Body::Odd,
        }
    }
}

/// The command of a body; `None` when something about it is odd.
#[inline]
fn command<'a>(body: Option<&'a [u8]>, envelope: &Envelope) -> Option<Command<'a>> {
    let body = RawDocument::from_bytes(body?).ok()?;
    let mut elements = Elements::of(body.as_bytes());
    let first = elements.clone().next()?;
    let database = elements.find(|element| element.name == b"$db")?.string()?;
    Some(Command {
        name: std::str::from_utf8(first.name).ok()?,
        database: std::str::from_utf8(database).ok()?,
        body,
        protocol: Protocol::Message,
        exhaust_allowed: envelope.exhaust_allowed,
    })
}
