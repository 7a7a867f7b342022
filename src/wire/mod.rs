//! The MongoDB wire protocol: bytes to messages and back, without I/O.
//!
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1 and 3.

pub mod command;

use crate::error::CommandError;

/// The largest message in bytes, header included (`maxMessageSizeBytes`).
pub const MAX_MESSAGE_SIZE: u32 = 48_000_000;

/// What is wrong with a message, and so what the client gets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The connection is closed without a reply; the text is for the log.
    #[error("{0}")]
    Close(String),
    /// The client gets this reply and the connection goes on.
    #[error(transparent)]
    Reply(#[from] CommandError),
}
