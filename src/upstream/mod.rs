//! The mongod behind doorward: reaching it, watching it, asking it for users.

pub mod connection;
pub mod connector;
pub mod login;
pub mod monitor;
pub mod pool;
pub mod roles;
pub mod suspicion;
pub mod users;

use std::time::Duration;

use bson::raw::{RawDocument, RawDocumentBuf};

use crate::error::CommandError;

/// Why the upstream could not be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It can not be reached, or the connection broke.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It did not answer in time.
    #[error("no connection within {0} ms (proxy.upstream.connectTimeoutMS)")]
    Timeout(u32),
    /// It is connected and says nothing.
    #[error("no answer within {0} ms")]
    Silent(u32),
    /// Its certificate is not accepted, or TLS failed.
    #[error("TLS toward the upstream failed: {0}")]
    Tls(String),
    /// It closed the connection.
    #[error("the upstream closed the connection")]
    Closed,
    /// It sent something that is no reply.
    #[error("the upstream sent something that is no reply: {0}")]
    Protocol(String),
    /// A reload has put another one in its place.
    #[error("the configuration names another upstream now")]
    Replaced,
    /// It answered with an error.
    #[error("the upstream refused {command}: {error}")]
    Refused {
        /// Which of doorward's own commands.
        command: &'static str,
        /// Code and text of the answer.
        error: CommandError,
    },
}

impl UpstreamError {
    /// It said nothing for so long.
    fn silent(limit: Duration) -> Self {
        Self::Silent(u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))
    }
}

/// What doorward says of itself on a connection of its own.
pub(crate) fn own_metadata(application: &str) -> RawDocumentBuf {
    bson::rawdoc! {
        "application": { "name": application },
        "driver": { "name": "doorward", "version": env!("CARGO_PKG_VERSION") },
        "os": { "type": std::env::consts::OS },
    }
}

/// A question that this very member answers, also as a secondary.
pub(crate) fn of_any_member(mut question: RawDocumentBuf) -> RawDocumentBuf {
    question.append(bson::raw::cstr!("$readPreference"), bson::rawdoc! { "mode": "nearest" });
    question
}

/// Whether a reply says `ok: 1`.
fn is_ok(reply: &RawDocument) -> bool {
    match reply.get("ok") {
        Ok(Some(bson::RawBsonRef::Double(ok))) => (ok - 1.0).abs() < f64::EPSILON,
        Ok(Some(bson::RawBsonRef::Int32(ok))) => ok == 1,
        Ok(Some(bson::RawBsonRef::Int64(ok))) => ok == 1,
        Ok(Some(bson::RawBsonRef::Boolean(ok))) => ok,
        _ => false,
    }
}
