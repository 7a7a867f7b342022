//! `OP_MSG`: flags, sections, checksum.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.4 and 1.5; the order of checks was measured.

use bson::raw::RawDocument;

use super::bytes::{i32_at, take, take_byte, take_cstring, u32_at};
use super::checksum::{CHECKSUM_LEN, Checksum};
use super::command::{Command, Protocol};
use super::element::{Elements, kind};
use super::header::{HEADER_LEN, Header};
use super::request::{Envelope, Refusal, Request, command_name, database};
use super::{CloseReason, validate};
use crate::error::{CommandError, ErrorCode};

/// A CRC-32C stands behind the sections.
pub(super) const CHECKSUM_PRESENT: u32 = 1;
/// No reply is awaited; in a reply: another one follows.
pub(super) const MORE_TO_COME: u32 = 1 << 1;
/// More than one reply is welcome.
pub(super) const EXHAUST_ALLOWED: u32 = 1 << 16;
/// The flags that a receiver has to know.
const REQUIRED: u32 = 0xffff;

/// Where the sections start.
pub(crate) const SECTIONS: usize = HEADER_LEN + 4;

/// The kind byte of a section that is the body.
pub(super) const BODY: u8 = 0;
/// The kind byte of a section that is a sequence of documents.
pub(super) const DOCUMENT_SEQUENCE: u8 = 1;
const SECURITY_TOKEN: u8 = 2;

/// As many document sequences as mongod takes.
pub(super) const MAX_SEQUENCES: usize = 2;

/// The flags of an `OP_MSG`; `None` when its first 20 bytes are not there.
///
/// # Errors
/// `IllegalFlags`.
pub(super) fn flags(message: &[u8]) -> Result<Option<u32>, CloseReason> {
    let Some(flags) = u32_at(message, HEADER_LEN) else { return Ok(None) };
    if flags & REQUIRED & !(CHECKSUM_PRESENT | MORE_TO_COME) != 0 {
        return Err(CloseReason::IllegalFlags(flags));
    }
    Ok(Some(flags))
}

/// How to answer an `OP_MSG` with these flags.
pub(super) const fn envelope(header: &Header, flags: u32) -> Envelope {
    Envelope {
        request_id: header.request_id,
        protocol: Protocol::Message,
        checksum: flags & CHECKSUM_PRESENT != 0,
        more_to_come: flags & MORE_TO_COME != 0,
        exhaust_allowed: flags & EXHAUST_ALLOWED != 0,
        compressor: None,
    }
}

/// Parses a whole `OP_MSG`.
pub(super) fn parse<'a>(header: &Header, message: &'a [u8]) -> Result<Request<'a>, CloseReason> {
    let flags = flags(message)?.ok_or(CloseReason::NotEnoughData)?;
    let envelope = envelope(header, flags);
    let command = match body(message, envelope.checksum) {
        Ok(body) => command(body, envelope.exhaust_allowed).map_err(Refusal::Command),
        Err(Stop::Close(reason)) => return Err(reason),
        Err(Stop::Refuse(error)) => Err(Refusal::Command(error)),
    };
    Ok(Request { envelope, command })
}

/// Why the sections were not read to the end.
enum Stop {
    Close(CloseReason),
    Refuse(CommandError),
}

impl From<CommandError> for Stop {
    fn from(error: CommandError) -> Self {
        Self::Refuse(error)
    }
}

/// Judges all sections and the checksum, and gives the body.
fn body(message: &[u8], checksum: bool) -> Result<&RawDocument, Stop> {
    let sections = message.get(SECTIONS..).unwrap_or_default();
    if !checksum {
        return read_sections(sections);
    }
    let Some((rest, sum)) = sections.split_last_chunk::<CHECKSUM_LEN>().filter(|(rest, _)| !rest.is_empty()) else {
        return Err(location(51252, "Invalid message size for an OpMsg containing a checksum").into());
    };
    let body = read_sections(rest)?;
    let summed = message.len().checked_sub(CHECKSUM_LEN).and_then(|end| message.get(..end)).unwrap_or_default();
    if Checksum::of(summed) != u32::from_le_bytes(*sum) {
        return Err(Stop::Close(CloseReason::ChecksumMismatch));
    }
    Ok(body)
}

fn read_sections(mut sections: &[u8]) -> Result<&RawDocument, Stop> {
    let mut body = None;
    let mut sequences: Vec<&[u8]> = Vec::new();
    while let Some(kind) = take_byte(&mut sections) {
        match kind {
            BODY if body.is_some() => return Err(location(40430, "Multiple body sections in message").into()),
            BODY => {
                let (document, rest) = validate::document(sections)?;
                body = Some(document);
                sections = rest;
            }
            DOCUMENT_SEQUENCE if sequences.len() >= MAX_SEQUENCES => {
                return Err(Stop::Close(CloseReason::TooManyDocumentSequences));
            }
            DOCUMENT_SEQUENCE => sequences.push(read_sequence(&mut sections, &sequences)?),
            SECURITY_TOKEN => {
                return Err(CommandError::new(ErrorCode::Unauthorized, "Unsupported Security Token provided").into());
            }
            other => return Err(location(40432, format!("Unknown section kind {other}")).into()),
        }
    }
    let body = body.ok_or_else(|| location(40587, "OP_MSG messages must have a body"))?;
    for name in sequences {
        if holds_path(Elements::of(body.as_bytes()), name) {
            let name = String::from_utf8_lossy(name);
            return Err(location(40433, format!("Duplicate field between body and document sequence {name}")).into());
        }
    }
    Ok(body)
}

/// Judges one document sequence, its kind byte taken, and gives its identifier.
fn read_sequence<'a>(sections: &mut &'a [u8], others: &[&[u8]]) -> Result<&'a [u8], CommandError> {
    let available = sections.len();
    let declared = take(sections, 4)
        .and_then(|bytes| i32_at(bytes, 0))
        .ok_or_else(|| overflow(format!("buffer size too small to read (4) bytes out of buffer[{available}] at offset: 0")))?;
    let advance = declared.cast_unsigned().wrapping_sub(4);
    let available = sections.len();
    let sequence = usize::try_from(advance).ok().and_then(|count| take(sections, count));
    let mut sequence =
        sequence.ok_or_else(|| overflow(format!("Invalid advance ({advance}) past end of buffer[{available}] at offset: 0")))?;
    let length = sequence.len();
    let name = take_cstring(&mut sequence)
        .ok_or_else(|| overflow(format!("couldn't locate terminal char (\\u0000) in buffer[{length}] at offset: 0")))?;
    if others.contains(&name) {
        return Err(location(40431, format!("Duplicate document sequence: {}", String::from_utf8_lossy(name))));
    }
    while !sequence.is_empty() {
        (_, sequence) = validate::document(sequence)?;
    }
    Ok(name)
}

/// Whether a dotted path leads to a field, or to an array on its way.
fn holds_path(elements: Elements<'_>, path: &[u8]) -> bool {
    let mut parts = path.splitn(2, |&byte| byte == b'.');
    let (Some(first), rest) = (parts.next(), parts.next()) else { return false };
    let Some(element) = elements.named(first) else { return false };
    match rest {
        None | Some([]) => true,
        Some(_) if element.kind == kind::ARRAY => true,
        Some(rest) => element.children().is_some_and(|children| holds_path(children, rest)),
    }
}

/// The command of a body whose sections are judged.
fn command(body: &RawDocument, exhaust_allowed: bool) -> Result<Command<'_>, CommandError> {
    let mut elements = Elements::of(body.as_bytes());
    let missing = || location(40571, "OP_MSG requests require a $db argument");
    let first = elements.clone().next().ok_or_else(missing)?;
    let db = elements.find(|element| element.name == b"$db").ok_or_else(missing)?;
    let name =
        db.string().ok_or_else(|| location(13111, format!("wrong type for field ($db) {} != string", kind::name(db.kind))))?;
    Ok(Command { name: command_name(first.name)?, database: database(name)?, body, protocol: Protocol::Message, exhaust_allowed })
}

fn location(code: i32, errmsg: impl Into<std::borrow::Cow<'static, str>>) -> CommandError {
    CommandError::new(ErrorCode::Location(code), errmsg)
}

fn overflow(errmsg: String) -> CommandError {
    CommandError::new(ErrorCode::Overflow, errmsg)
}
