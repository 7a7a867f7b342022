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
mod document;
pub mod facts;
pub mod grants;
mod metadata;
mod name_hasher;
pub(crate) mod namespace;
pub mod needs;
pub mod principal;
pub mod privileges;
mod refused;
pub mod request;
pub mod resource;
pub mod rewrite;
pub mod rules;
mod sessions;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod text;

use std::sync::{Arc, LazyLock};

use bson::raw::{RawDocument, RawDocumentBuf};

use self::action::Action;
use self::cursors::{Cursors, Opened};
use self::grants::{Grants, Held};
use self::namespace::Target;
use self::principal::Principal;
use self::privileges::Privileges;
pub use self::refused::Refused;
use self::request::Request;
use self::resource::Resource;
pub use self::rewrite::Rewrite;
use self::rules::Granted;
pub use self::rules::complaints::complaint;
use self::table::{Needs, Row};
use crate::error::ErrorCode;
use crate::wire::{MAX_DOCUMENT_SIZE, MAX_MESSAGE_SIZE};

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

/// A command that was judged and may be forwarded.
#[derive(Debug)]
#[must_use = "an allowed command has to be forwarded"]
pub struct Allowed {
    subject: Subject,
    rewrite: Rewrite,
}

impl Allowed {
    /// Whether a message of `size` bytes with this body may be sent with what is changed of it.
    #[must_use]
    pub fn fits(&self, body: &RawDocument, size: usize) -> bool {
        let before = body.as_bytes().len();
        let after = match &self.rewrite {
            Rewrite::None => return true,
            Rewrite::Session(_) => before.saturating_add(rewrite::Splice::LEN),
            Rewrite::Body(body) => body.as_bytes().len(),
        };
        are_legal(after, size.saturating_sub(before).saturating_add(after))
    }

    /// Makes such a message fit, should it not. A message that a driver filled up to the limit may be too long by the user's digest
    /// alone, and gives up what the upstream can do without: where nothing is enforced, the digest in the end. `None` if there is no
    /// such thing.
    #[must_use]
    pub fn fitted(self, body: &RawDocument, size: usize) -> Option<Self> {
        if self.fits(body, size) {
            return Some(self);
        }
        let is_free = matches!(self.subject, Subject::Unrestricted(_));
        match self.lighter(body, size, is_free) {
            Some(lighter) => Some(Self { rewrite: Rewrite::Body(lighter), ..self }),
            // What it opens is nobody's then.
            None if is_free => Some(Self { rewrite: Rewrite::None, subject: Subject::Unrestricted(None) }),
            None => None,
        }
    }

    fn lighter(&self, body: &RawDocument, size: usize, keeps_session: bool) -> Option<RawDocumentBuf> {
        let before = body.as_bytes().len();
        let lighter = sessions::lighter(&self.rewrite.apply(body.as_bytes(), self.digest()?)?, keeps_session)?;
        let after = lighter.as_bytes().len();
        are_legal(after, size.saturating_sub(before).saturating_add(after)).then_some(lighter)
    }

    /// The digest of the user that is authenticated.
    #[must_use]
    pub fn digest(&self) -> Option<&[u8; 32]> {
        match &self.subject {
            Subject::Unrestricted(principal) => principal.as_deref().map(Principal::digest),
            Subject::Authenticated(principal) => Some(principal.digest()),
            Subject::LocalhostException => None,
        }
    }

    /// Whether the logical session is given its user.
    #[must_use]
    pub const fn names_user(&self) -> bool {
        matches!(self.subject, Subject::Authenticated(_) | Subject::Unrestricted(Some(_)))
    }

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

fn are_legal(body: usize, message: usize) -> bool {
    let within = |size: usize, most: u32| u32::try_from(size).is_ok_and(|size| size <= most);
    within(body, MAX_DOCUMENT_SIZE) && within(message, MAX_MESSAGE_SIZE)
}

/// Judges one command, at `now_ms` milliseconds since 1970.
///
/// # Errors
/// [`Refused`], when it must not be forwarded.
pub fn authorize(permit: Permit, request: &Request<'_>, cursors: &Cursors, now_ms: i64) -> Result<Allowed, Refused> {
    let held = |principal| Held::new(principal, cursors).until(metadata::newest_time(now_ms));
    let rewrite = match &permit.subject {
        Subject::Unrestricted(principal) => unrestricted(principal.as_deref(), request, cursors),
        Subject::Authenticated(principal) => {
            for_user(principal, request, cursors, || held(principal), |held| judge_held(request, held))?
        }
        // mongod pays no attention to logical sessions here.
        Subject::LocalhostException if request.canonical_name == "startSession" => {
            return Err(refused::error(ErrorCode::Unauthorized, "there are no users authenticated"));
        }
        Subject::LocalhostException if request.canonical_name == "getMore" => return Err(Refused::NotAuthorized),
        Subject::LocalhostException => {
            let held = Held::nameless(&LOCALHOST_EXCEPTION, cursors).until(metadata::newest_time(now_ms));
            match judge_held(request, held)? {
                Granted::AsIs => Rewrite::None,
                Granted::Rewritten(body) => Rewrite::Body(body),
            }
        }
    };
    Ok(Allowed { subject: permit.subject, rewrite })
}

/// Whether what is known of users may be wrong after this command: those that administer users, and those that write to the
/// collections in which they are, as `mongorestore` may.
#[must_use]
pub fn changes_users(request: &Request<'_>) -> bool {
    if table::changes_users(request.canonical_name) {
        return true;
    }
    if request.database() != "admin" || !table::writes_collections(request.canonical_name) {
        return false;
    }
    // A whole database has no collection; of one that is named otherwise, or gets another name, it is not known which it is.
    let collection = namespace::first(request).and_then(|first| first.string());
    request.canonical_name == "renameCollection" || collection.is_none_or(|name| name.starts_with(b"system."))
}

/// What is changed of a command of a user, when it may be forwarded: its logical session, which is that user's, and what `judge`
/// changes.
fn for_user<'h>(
    principal: &Principal,
    request: &Request<'_>,
    cursors: &Cursors,
    held: impl Fn() -> Held<'h>,
    judge: impl FnOnce(Held<'h>) -> Result<Granted, Refused>,
) -> Result<Rewrite, Refused> {
    let body = request.body().as_bytes();
    let session = sessions::find(body)?;
    sessions::check(session, principal, || held().has(Resource::Cluster, Action::Impersonate))?;
    let granted = judge(held())?;
    let names_user = opened(request, cursors).is_none_or(|opened| opened.digest().is_some());
    match granted {
        Granted::AsIs if names_user => sessions::name_user(body, session, principal.digest()),
        Granted::AsIs => Ok(Rewrite::None),
        Granted::Rewritten(body) => sessions::name_user_in(body, principal.digest()).map(Rewrite::Body),
    }
}

/// The cursor that a `getMore` continues.
fn opened(request: &Request<'_>, cursors: &Cursors) -> Option<Arc<Opened>> {
    (request.canonical_name == "getMore")
        .then(|| rules::cursors::id(request.body().as_bytes()))
        .flatten()
        .and_then(|id| cursors.opened(id))
}

/// Where nothing is enforced a logical session is its user's all the same: a transaction, and a retryable write that is sent again,
/// are the same ones before and after a reload that begins or ends the enforcement, here or at another member. A cursor is continued
/// as it was opened, by whomever: nobody is kept from that. What can not be read is left to the upstream.
fn unrestricted(principal: Option<&Principal>, request: &Request<'_>, cursors: &Cursors) -> Rewrite {
    let opened = opened(request, cursors);
    if let Some(opened) = opened.filter(|opened| opened.digest() != principal.map(Principal::digest)) {
        let named = opened.digest().and_then(|digest| sessions::name_user_in(request.body().to_owned(), digest).ok());
        return named.map_or(Rewrite::None, Rewrite::Body);
    }
    let Some(principal) = principal else { return Rewrite::None };
    let body = request.body().as_bytes();
    let named = match rules::sessions::named(request, principal) {
        Ok(Granted::Rewritten(body)) => sessions::name_user_in(body, principal.digest()).map(Rewrite::Body),
        Ok(Granted::AsIs) => sessions::find(body).and_then(|session| sessions::name_user(body, session, principal.digest())),
        Err(refused) => Err(refused),
    };
    named.unwrap_or(Rewrite::None)
}

static LOCALHOST_EXCEPTION: LazyLock<Privileges> = LazyLock::new(Privileges::localhost_exception);

/// Judges one command for somebody who holds something; those who may do everything pass at once, where only privileges count.
///
/// # Errors
/// [`Refused`], when it must not be run.
pub fn judge_held(request: &Request<'_>, mut held: Held<'_>) -> Result<Granted, Refused> {
    let metadata = metadata::check(request.body(), &mut held)?;
    let row = table::find(request.canonical_name);
    let granted = if held.is_everything() && !row.is_some_and(|row| row.asked_of_everybody) {
        Granted::AsIs
    } else {
        judge_row(row, request, &mut held)?
    };
    metadata.withheld(held.newest_time(), &mut held).from(request.body(), granted)
}

/// Judges one command for whoever answers for `grants`.
///
/// # Errors
/// [`Refused`], when it must not be run.
pub fn judge(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    judge_row(table::find(request.canonical_name), request, grants)
}

/// Judges one command as [`authorize`] does for a user, and lets nothing through: for the would-deny record. Whose a logical session
/// is does not count here: no driver names another user's.
///
/// # Errors
/// [`Refused`], when it would not be run.
pub fn rehearse(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    metadata::check(request.body(), grants)?;
    judge(request, grants)
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
