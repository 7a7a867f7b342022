//! Forwarding: one request to the upstream, its replies back, then it is the client's turn again.
//!
//! A message is streamed: what was read is written on before more is read, so that neither direction ever holds a large message
//! whole, and a slow reader slows its writer. Only two kinds are held whole: compressed ones, because their compressors know no
//! streams, and they are bounded by the largest message. Nothing is sent to the upstream without an [`Allowed`].
//! A forward that fails half-way ends the connection on both sides: the upstream stands inside a message and can not be told.
//!
//! Checksums are a matter of one hop: doorward checks the client's, sends none on, and adds one to the reply where mongod would
//! (wire sheet section 1.5).

mod aside;
mod copy;
mod head;
mod replies;
mod request;

pub(crate) use aside::aside;
pub use replies::{Arrived, Asked, Observer, reply};
pub use request::{Rest, finish, forward, forward_whole};

use std::io;

use crate::wire::compressed::Compressor;

/// Why a turn could not be finished. Both connections are closed then.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The client went away or could not be written to.
    #[error("the client's connection ended: {0}")]
    Client(io::Error),
    /// The upstream went away or could not be written to.
    #[error("the upstream's connection ended: {0}")]
    Upstream(io::Error),
    /// The upstream sent something that is no reply.
    #[error("the upstream sent something that is no reply: {0}")]
    Protocol(String),
    /// The client's message does not match its checksum.
    #[error("OP_MSG checksum does not match contents")]
    Checksum,
}

/// How the client wants its replies.
#[derive(Clone, Copy, Debug)]
pub struct ReplyForm {
    /// The compressor of the request, which is also the reply's.
    pub compressor: Option<Compressor>,
    /// Whether the replies carry a checksum: the request had one and came without TLS.
    pub checksum: bool,
}

/// How many bytes went each way in a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// To the upstream.
    pub requests: u64,
    /// To the client.
    pub replies: u64,
}
