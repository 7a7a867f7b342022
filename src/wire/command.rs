//! A command: what a message asks, whichever opcode carried it.

use bson::raw::RawDocument;

/// Which opcode carried a command; the reply uses the matching one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `OP_MSG`.
    Message,
    /// `OP_QUERY` on `<database>.$cmd`, answered with `OP_REPLY`.
    Query,
}

/// A command: its name as typed, its database, its body. It borrows and decodes nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command<'a> {
    /// The first key of the body.
    pub name: &'a str,
    /// `$db`, or the database part of an `OP_QUERY` namespace. Not yet judged to be a valid name.
    pub database: &'a str,
    /// The whole body (section kind 0, or the unwrapped query document).
    pub body: &'a RawDocument,
    /// Which opcode carried it.
    pub protocol: Protocol,
    /// `exhaustAllowed` (bit 16 of the flags of an `OP_MSG`).
    pub exhaust_allowed: bool,
}

impl<'a> Command<'a> {
    /// The ordinary one: an `OP_MSG` that wants a single reply.
    #[must_use]
    pub const fn new(name: &'a str, database: &'a str, body: &'a RawDocument) -> Self {
        Self { name, database, body, protocol: Protocol::Message, exhaust_allowed: false }
    }
}

/// Whether this is an argument that any command may have.
#[must_use]
pub fn is_generic_argument(name: &[u8]) -> bool {
    GENERIC_ARGUMENTS.iter().any(|generic| generic.as_bytes() == name)
}

const GENERIC_ARGUMENTS: &[&str] = &[
    "$db",
    "apiVersion",
    "apiStrict",
    "apiDeprecationErrors",
    "$queryOptions",
    "$readPreference",
    "comment",
    "lsid",
    "txnNumber",
    "autocommit",
    "startTransaction",
    "coordinator",
    "readConcern",
    "writeConcern",
    "maxTimeMS",
    "maxTimeMSOpOnly",
    "$audit",
    "$client",
    "$clusterTime",
    "$configServerState",
    "$configTime",
    "$topologyTime",
    "$replData",
    "$oplogQueryData",
    "allowImplicitCollectionCreation",
    "databaseVersion",
    "shardVersion",
    "tracking_info",
    "clientOperationKey",
    "mayBypassWriteBlocking",
    "stmtId",
];
