//! What a session may do. Nothing is forwarded without an [`Allowed`] of this module.
//!
//! Two tokens, both without a public constructor: a [`Permit`] says that a session may forward at all and for whom, and only
//! [`crate::session`] issues it; an [`Allowed`] says that this very command was judged, and only this module makes it. The relay
//! takes nothing else. For now every permit is enough; the privileges of the user are judged here once that is built.

use std::sync::Arc;

use crate::error::CommandError;
use crate::names::UserName;
use crate::wire::command::Command;

/// For whom a command is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing is enforced: access control is off, or `security.transitionToAuth` is on. The name is that of the authenticated
    /// user, if there is one.
    Unrestricted(Option<Arc<UserName>>),
    /// A cluster member, `__system`@`local`: every action on every resource.
    Member,
    /// An authenticated user.
    User(Arc<UserName>),
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

/// A command that was judged and may be forwarded.
#[derive(Clone, Debug)]
#[must_use = "an allowed command has to be forwarded"]
pub struct Allowed {
    subject: Subject,
}

impl Allowed {
    /// For whom.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }
}

/// Judges one command.
///
/// # Errors
/// `Unauthorized`, once privileges are judged. For now nothing is refused.
pub fn authorize(permit: Permit, _command: &Command<'_>) -> Result<Allowed, CommandError> {
    Ok(Allowed { subject: permit.subject })
}
