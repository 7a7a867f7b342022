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
pub(crate) mod namespace;
pub mod needs;
pub mod principal;
pub mod privileges;
pub mod request;
pub mod resource;
pub mod rules;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod text;

use std::sync::{Arc, LazyLock};

use bson::raw::RawDocumentBuf;

use self::cursors::Cursors;
use self::grants::{Grants, Held};
use self::namespace::Target;
use self::principal::Principal;
use self::privileges::Privileges;
use self::request::Request;
use self::resource::Resource;
use self::rules::Granted;
use self::table::{Needs, Row};
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
pub fn authorize(permit: Permit, request: &Request<'_>, cursors: &Cursors) -> Result<Allowed, Refused> {
    let granted = match &permit.subject {
        Subject::Unrestricted(_) => Granted::AsIs,
        Subject::Authenticated(principal) => judge_held(request, Held::new(principal, cursors))?,
        Subject::LocalhostException => judge_held(request, Held::nameless(&LOCALHOST_EXCEPTION, cursors))?,
    };
    let rewrite = match granted {
        Granted::AsIs => Rewrite::None,
        Granted::Rewritten(body) => Rewrite::Body(body),
    };
    Ok(Allowed { subject: permit.subject, rewrite })
}

static LOCALHOST_EXCEPTION: LazyLock<Privileges> = LazyLock::new(Privileges::localhost_exception);

/// Judges one command for somebody who holds something; those who may do everything pass at once, where only privileges count.
///
/// # Errors
/// [`Refused`], when it must not be run.
pub fn judge_held(request: &Request<'_>, mut held: Held<'_>) -> Result<Granted, Refused> {
    let row = table::find(request.canonical_name);
    if held.is_everything() && !row.is_some_and(|row| row.asked_of_everybody) {
        return Ok(Granted::AsIs);
    }
    judge_row(row, request, &mut held)
}

/// Judges one command for whoever answers for `grants`.
///
/// # Errors
/// [`Refused`], when it must not be run.
pub fn judge(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    judge_row(table::find(request.canonical_name), request, grants)
}

fn judge_row(row: Option<&Row>, request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let Some(row) = row else { return rules::everything_only(request, grants) };
    let database = request.database();
    let on = |collection| Resource::Collection { database, collection };
    let (resource, actions) = match row.needs {
        Needs::By(rule) => return rule(request, grants),
        Needs::Nothing => return Ok(Granted::AsIs),
        Needs::Cluster(action) => {
            rules::need(grants, Resource::Cluster, &[action])?;
            return Ok(Granted::AsIs);
        }
        Needs::Collection(actions) => (on(namespace::collection(request)?), actions),
        Needs::CollectionOrUuid(actions) => match namespace::collection_or_uuid(request)? {
            Target::Collection(collection) => (on(collection), actions),
            Target::Uuid => (rules::by_uuid(grants)?, actions),
        },
        Needs::CollectionOrDatabase(actions) => match namespace::collection_or_database(request)? {
            Some(collection) => (on(collection), actions),
            None => (Resource::Database(database), actions),
        },
        Needs::Namespace(actions) => {
            let (database, collection) = namespace::namespace(request)?;
            (Resource::Collection { database, collection }, actions)
        }
        Needs::Database(actions) => (Resource::Database(database), actions),
        Needs::AnyNormal(actions) => (Resource::AnyNormal, actions),
        Needs::AnyResource(actions) => (Resource::Any, actions),
    };
    rules::need(grants, resource, actions)?;
    Ok(Granted::AsIs)
}
