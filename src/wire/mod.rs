//! The MongoDB wire protocol: bytes to messages and back, without I/O.
//!
//! Nothing here waits, reads a clock or trusts a length: every number of a message is checked against the bytes that are there, and
//! nothing is allocated by a size that a message declares before that size is capped.
//! Source: fact sheet "The MongoDB wire protocol and driver behaviour", sections 1 and 3, and a real mongod 6.0.5.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions))]

mod bytes;
pub mod checksum;
mod close;
pub mod command;
pub mod compressed;
pub(crate) mod element;
pub mod head;
pub mod header;
pub mod message;
mod op_msg;
mod op_query;
pub mod proxy_header;
mod reply;
pub mod reply_cursor;
pub mod request;
pub(crate) mod text;
mod validate;

#[cfg(test)]
mod tests;

pub use close::CloseReason;
#[cfg(feature = "server")]
pub(crate) use op_msg::SECTIONS;

/// The largest message in bytes, header included (`maxMessageSizeBytes`).
pub const MAX_MESSAGE_SIZE: u32 = 48_000_000;

/// The largest document in bytes that a message may carry (16 MiB and 16 KiB for the command around a stored document).
pub const MAX_DOCUMENT_SIZE: u32 = 16 * 1024 * 1024 + 16 * 1024;
