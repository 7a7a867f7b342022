//! Why a command is not forwarded, and the errors of mongod that several rules have in common.

use bson::raw::RawDocumentBuf;

use crate::error::{CommandError, ErrorCode};
use crate::wire::element::{Element, kind};

/// Why a command is not forwarded.
#[derive(Debug)]
pub enum Refused {
    /// A privilege is missing: mongod's "not authorized on … to execute command …", see [`super::text`].
    NotAuthorized,
    /// mongod's own error for it.
    Error(CommandError),
    /// It is not forwarded, but it is no error either: this is the whole reply, without what a replica set member appends.
    Answered(RawDocumentBuf),
    /// The document sequences have to be read first; to be asked again with [`super::request::Sequences::Read`].
    WholeMessage,
}

/// mongod's own error.
pub(super) fn error(code: ErrorCode, text: impl Into<std::borrow::Cow<'static, str>>) -> Refused {
    Refused::Error(CommandError::new(code, text))
}

/// `BSON field '…' is the wrong type '…', expected …`.
pub(super) fn wrong_type(owner: &str, name: &str, element: &Element<'_>, expected: &str) -> Refused {
    let kind = kind::name(element.kind);
    error(ErrorCode::TypeMismatch, format!("BSON field '{owner}.{name}' is the wrong type '{kind}', expected {expected}"))
}

/// `BSON field '…' is missing but a required field`.
pub(super) fn missing(owner: &str, name: &str) -> Refused {
    error(ErrorCode::Location(40414), format!("BSON field '{owner}.{name}' is missing but a required field"))
}

/// `BSON field '…' is a duplicate field`.
pub(super) fn duplicate(owner: &str, name: &[u8]) -> Refused {
    let name = String::from_utf8_lossy(name);
    error(ErrorCode::Location(40413), format!("BSON field '{owner}.{name}' is a duplicate field"))
}
