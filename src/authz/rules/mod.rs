//! The commands whose privileges depend on their arguments: one function a command, each over the raw document.
//!
//! A rule fails closed: what it can not read it denies. It never looks into documents that are only stored.
//! Source: fact sheet "Authentication and authorization semantics", sections 8.4, 8.5 and 9.

use bson::raw::RawDocumentBuf;

use super::Refused;
use super::grants::Grants;
use super::request::Request;

/// How a command that may be run is passed on.
#[derive(Debug)]
pub enum Granted {
    /// As it is.
    AsIs,
    /// With this body in the place of its own.
    Rewritten(RawDocumentBuf),
}

/// Judges one command.
pub type Rule = fn(&Request<'_>, &mut dyn Grants) -> Result<Granted, Refused>;
