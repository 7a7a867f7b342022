//! `OP_QUERY`, of which only the handshake is left, and `OP_GET_MORE`, of which nothing is.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1.2 and 1.3; the order of checks was measured.

use bson::raw::RawDocument;

use super::bytes::{i32_at, take_cstring, take_i32};
use super::command::{Command, Protocol};
use super::element::{Element, Elements, kind};
use super::header::{HEADER_LEN, Header};
use super::request::{Envelope, Refusal, Request, database};
use super::{CloseReason, text, validate};
use crate::error::{CommandError, ErrorCode};

/// The only commands that `OP_QUERY` may still carry.
const ALLOWED: [&str; 9] =
    ["hello", "isMaster", "ismaster", "buildInfo", "buildinfo", "authenticate", "saslStart", "saslContinue", "_isSelf"];

/// The flag that asks for more than one reply.
const EXHAUST: i32 = 1 << 6;
/// The flag that lets a secondary answer; mongod makes a `$readPreference` of it.
const SECONDARY_OK: i32 = 1 << 2;

const READ_PREFERENCE: &[u8] = b"$readPreference";
const QUERY_OPTIONS: &[u8] = b"$queryOptions";

/// Parses a whole `OP_QUERY`.
pub(super) fn parse<'a>(header: &Header, message: &'a [u8]) -> Result<Request<'a>, CloseReason> {
    let (namespace, rest) = namespace(message)?;
    let flags = i32_at(message, HEADER_LEN).unwrap_or_default();
    let command = match command_database(namespace) {
        Some(database) => command(flags, namespace, database, rest).map_err(Refusal::Command),
        None => Err(Refusal::LegacyOpcode { name: "OP_QUERY" }),
    };
    Ok(Request { envelope: envelope(header), command })
}

/// Parses a whole `OP_GET_MORE`, which is always refused.
pub(super) fn parse_get_more<'a>(header: &Header, message: &'a [u8]) -> Result<Request<'a>, CloseReason> {
    namespace(message)?;
    Ok(Request { envelope: envelope(header), command: Err(Refusal::LegacyOpcode { name: "OP_GET_MORE" }) })
}

const fn envelope(header: &Header) -> Envelope {
    Envelope {
        request_id: header.request_id,
        protocol: Protocol::Query,
        checksum: false,
        more_to_come: false,
        exhaust_allowed: false,
        compressor: None,
    }
}

/// The namespace, and what is behind it. Before it stand four bytes: flags, or zero.
fn namespace(message: &[u8]) -> Result<(&[u8], &[u8]), CloseReason> {
    let start = HEADER_LEN.saturating_add(4);
    let mut rest = message.get(start..).ok_or(CloseReason::NotEnoughData)?;
    let namespace = take_cstring(&mut rest).ok_or(CloseReason::NamespaceString)?;
    Ok((namespace, rest))
}

/// The database of `<database>.$cmd`; `None` for any other namespace.
fn command_database(namespace: &[u8]) -> Option<&[u8]> {
    let mut parts = namespace.splitn(2, |&byte| byte == b'.');
    let database = parts.next()?;
    (parts.next()? == b"$cmd").then_some(database)
}

fn command<'a>(flags: i32, namespace: &[u8], database_name: &'a [u8], mut rest: &'a [u8]) -> Result<Command<'a>, CommandError> {
    let too_short = || location(18634, "Not enough data to read");
    let _skip = take_i32(&mut rest).ok_or_else(too_short)?;
    let number_to_return = take_i32(&mut rest).ok_or_else(too_short)?;
    let (query, behind) = document(rest)?;
    if !behind.is_empty() {
        document(behind)?;
    }
    if flags & EXHAUST != 0 {
        let (namespace, query) = (String::from_utf8_lossy(namespace), text::document(query.as_bytes()));
        return Err(location(18527, format!("The 'exhaust' OP_QUERY flag is invalid for commands: {namespace} {query}")));
    }
    if !matches!(number_to_return, 1 | -1) {
        let errmsg = format!("Bad numberToReturn ({number_to_return}) for $cmd type ns - can only be 1 or -1");
        return Err(location(16979, errmsg));
    }
    let unwrapped = unwrap(query)?;
    if Elements::of(unwrapped.body.as_bytes()).named(b"$db").is_some() {
        return Err(location(40621, "$db is not allowed in OP_QUERY requests"));
    }
    let name = unwrapped.name(flags);
    let Some(name) = std::str::from_utf8(name).ok().filter(|name| unwrapped.starts_with(name) && ALLOWED.contains(name)) else {
        return Err(unsupported(&String::from_utf8_lossy(name)));
    };
    let body = unwrapped.body;
    Ok(Command { name, database: database(database_name)?, body, protocol: Protocol::Query, exhaust_allowed: false })
}

/// Splits a document off the front.
fn document(bytes: &[u8]) -> Result<(&RawDocument, &[u8]), CommandError> {
    if bytes.len() < 5 {
        return Err(CommandError::new(ErrorCode::InvalidBSON, "Client Error: Remaining data too small for BSON object"));
    }
    validate::document(bytes).map_err(|error| {
        if error.code() == ErrorCode::BSONObjectTooLarge {
            return error;
        }
        CommandError::new(ErrorCode::InvalidBSON, format!("Client Error: bad object in message: {}", error.errmsg()))
    })
}

/// A command without its wrapper.
struct Unwrapped<'a> {
    body: &'a RawDocument,
    /// The name of the first element that mongod moves from the wrapper (or from `$queryOptions`) to the end of the command.
    moved: Option<&'a [u8]>,
}

impl<'a> Unwrapped<'a> {
    /// What mongod takes for the command's name. An empty command is named by what mongod appends to it.
    fn name(&self, flags: i32) -> &'a [u8] {
        let first = Elements::of(self.body.as_bytes()).find(|element| element.name != QUERY_OPTIONS);
        let appended = if flags & SECONDARY_OK == 0 { b"$db" } else { READ_PREFERENCE };
        first.map(|element| element.name).or(self.moved).unwrap_or(appended)
    }

    /// Whether the first element of the body is the command. (Behind `$queryOptions`, which mongod would remove, it is not; no client
    /// does that, so that it is refused.)
    fn starts_with(&self, name: &str) -> bool {
        Elements::of(self.body.as_bytes()).next().is_some_and(|first| first.name == name.as_bytes())
    }
}

/// Takes off the wrapper of `{$query: <command>}` or `{query: <command>}`.
fn unwrap(query: &RawDocument) -> Result<Unwrapped<'_>, CommandError> {
    let elements = || Elements::of(query.as_bytes());
    let wrapper = elements().next().filter(|first| matches!(first.name, b"$query" | b"query"));
    let (body, moved) = match wrapper {
        Some(wrapper) => (object(&wrapper)?, elements().named(READ_PREFERENCE)),
        None => {
            let options = elements().named(QUERY_OPTIONS).map(|options| object(&options)).transpose()?;
            (query, options.and_then(|options| Elements::of(options.as_bytes()).next()))
        }
    };
    if moved.is_some() && Elements::of(body.as_bytes()).named(READ_PREFERENCE).is_some() {
        return Err(CommandError::new(ErrorCode::InvalidOptions, "Duplicate readPreference found in command object."));
    }
    Ok(Unwrapped { body, moved: moved.map(|element| element.name) })
}

fn object<'a>(element: &Element<'a>) -> Result<&'a RawDocument, CommandError> {
    let object = matches!(element.kind, kind::OBJECT | kind::ARRAY).then(|| RawDocument::from_bytes(element.value).ok());
    object.flatten().ok_or_else(|| {
        let name = String::from_utf8_lossy(element.name);
        location(10065, format!("invalid parameter: expected an object ({name})"))
    })
}

fn unsupported(name: &str) -> CommandError {
    let errmsg = format!(
        "Unsupported OP_QUERY command: {name}. The client driver may require an upgrade. \
         For more details see https://dochub.mongodb.org/core/legacy-opcode-removal"
    );
    CommandError::new(ErrorCode::UnsupportedOpQueryCommand, errmsg)
}

fn location(code: i32, errmsg: impl Into<std::borrow::Cow<'static, str>>) -> CommandError {
    CommandError::new(ErrorCode::Location(code), errmsg)
}
