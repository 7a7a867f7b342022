//! A request as a whole: what it asks, and how the answer has to look.
//!
//! [`parse`] makes every check that mongod makes before it looks for the command: a request that passes has a name and a database,
//! both text. Whether the command exists, whether a field is there twice and whether the database's name is a legal one is judged by
//! the session. Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.2 to 1.5.

use super::command::{Command, Protocol};
use super::compressed::Compressor;
use super::header::{Header, opcode};
use super::{CloseReason, op_msg, op_query};
use crate::error::{CommandError, ErrorCode};

/// How the reply to a request has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The request's number, which the reply names in `responseTo`.
    pub request_id: i32,
    /// Which opcode the request had.
    pub protocol: Protocol,
    /// Whether the request had a CRC-32C. The reply has one too, but never over TLS.
    pub checksum: bool,
    /// Whether the client awaits no reply at all, whatever happens. Nothing may be sent then.
    pub more_to_come: bool,
    /// Whether the client takes more than one reply.
    pub exhaust_allowed: bool,
    /// What the request was compressed with. [`parse`] gives `None`: who unwrapped the message sets it.
    pub compressor: Option<Compressor>,
}

/// A request, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// How to answer it.
    pub envelope: Envelope,
    /// What it asks, or the answer it gets at once.
    pub command: Result<Command<'a>, Refusal>,
}

/// A message that is answered with an error, and the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An error in the shape of a command's reply.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A removed opcode that had replies: the error has the shape that its clients knew.
    #[error("{name} is no longer supported")]
    LegacyOpcode {
        /// mongod's name of the opcode.
        name: &'static str,
    },
}

/// Parses one whole, uncompressed message, header included.
///
/// The checks and their order are mongod's, up to `$db` being there and a string. Two things are ours: a command's name that is no UTF-8
/// is answered "no such command", and a database's name that is no UTF-8 "Invalid database name" (mongod would take such a database).
///
/// # Errors
/// The reason to close the connection without a reply. An answer that is an error is no `Err`: it is in [`Request::command`].
pub fn parse(message: &[u8]) -> Result<Request<'_>, CloseReason> {
    let header = Header::peek(message, u32::MAX)?.ok_or(CloseReason::NotEnoughData)?;
    match kind(&header)? {
        Kind::Message => op_msg::parse(&header, message),
        Kind::Query => op_query::parse(&header, message),
        Kind::GetMore => op_query::parse_get_more(&header, message),
    }
}

/// What a client may send, compression taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Query,
    GetMore,
}

/// What a header alone decides.
pub(super) const fn kind(header: &Header) -> Result<Kind, CloseReason> {
    if header.response_to != 0 {
        return Err(CloseReason::ResponseTo(header.response_to));
    }
    match header.opcode {
        opcode::MSG => Ok(Kind::Message),
        opcode::QUERY => Ok(Kind::Query),
        opcode::GET_MORE => Ok(Kind::GetMore),
        opcode::UPDATE => Err(CloseReason::RemovedOpcode("OP_UPDATE")),
        opcode::INSERT => Err(CloseReason::RemovedOpcode("OP_INSERT")),
        opcode::DELETE => Err(CloseReason::RemovedOpcode("OP_DELETE")),
        opcode::KILL_CURSORS => Err(CloseReason::RemovedOpcode("OP_KILL_CURSORS")),
        other => Err(CloseReason::UnknownOpcode(other)),
    }
}

/// The database's name as text.
pub(super) fn database(name: &[u8]) -> Result<&str, CommandError> {
    std::str::from_utf8(name).map_err(|_| {
        let errmsg = format!("Invalid database name: '{}'", String::from_utf8_lossy(name));
        CommandError::new(ErrorCode::InvalidNamespace, errmsg)
    })
}

/// The command's name as text.
pub(super) fn command_name(name: &[u8]) -> Result<&str, CommandError> {
    std::str::from_utf8(name).map_err(|_| {
        let errmsg = format!("no such command: '{}'", String::from_utf8_lossy(name));
        CommandError::new(ErrorCode::CommandNotFound, errmsg)
    })
}
