//! Facts that only the server behind knows and that a verdict may need: whose a running operation is, which collection has a UUID.
//!
//! Judging does no I/O. A command that [`super::authorize`] refuses for want of such a fact has a [`question`]; whoever can ask the
//! server judges the command once more with its reply. What the reply does not say stays refused. Source: a mongod 6.0.5.

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Binary, rawdoc, spec::BinarySubtype};

use super::action::Action;
use super::cursors::Cursors;
use super::grants::Held;
use super::request::Request;
use super::resource::Resource;
use super::rules::{Granted, operations, uuids};
use super::{Allowed, Permit, Refused, Subject, for_user, judge, metadata, namespace};
use crate::error::{CommandError, ErrorCode};
use crate::wire::command::Command;

/// What the server behind has to be asked.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// Whether this operation is the asker's own: everybody may kill those.
    Operation {
        /// Its number.
        operation: i64,
        /// The digest of the asker.
        digest: [u8; 32],
    },
    /// Which collection has this UUID, or what else stands there as a binary value of its kind.
    Collection {
        /// The command's database.
        database: &'a str,
        /// The bytes.
        uuid: &'a [u8],
    },
}

/// A command that may be forwarded after all.
#[derive(Debug)]
pub struct Known {
    /// The proof of it.
    pub allowed: Allowed,
    /// The command as it was judged, with the name of the collection where it was sent with the UUID.
    pub judged_as: Option<RawDocumentBuf>,
}

/// What has to be asked to judge this command, which was refused; `None` if nothing would change that.
#[must_use]
pub fn question<'a>(permit: &Permit, request: &Request<'a>) -> Option<Question<'a>> {
    let Subject::Authenticated(principal) = permit.subject() else { return None };
    if request.canonical_name == "killOp" {
        let operation = operations::operation(request.body().as_bytes())?;
        return Some(Question::Operation { operation, digest: *principal.digest() });
    }
    let uuid = uuids::find(request)?;
    let may_ask = principal.privileges().holds(Resource::Cluster, Action::UseUUID);
    may_ask.then_some(Question::Collection { database: request.database(), uuid })
}

impl Question<'_> {
    /// The command that asks it.
    #[must_use]
    pub fn command(&self) -> RawDocumentBuf {
        match self {
            Self::Operation { operation, digest } => {
                let uid = Binary { subtype: BinarySubtype::Generic, bytes: digest.to_vec() };
                rawdoc! {
                    "aggregate": 1,
                    "pipeline": [
                        { "$currentOp": { "allUsers": true } },
                        { "$match": { "opid": *operation, "lsid.uid": uid } },
                        { "$limit": 1 },
                    ],
                    "cursor": {},
                    "$db": "admin",
                }
            }
            // Its reply names the collection, and where there is none it says so in the words of any other command.
            Self::Collection { database, uuid } => rawdoc! {
                "listIndexes": Binary { subtype: BinarySubtype::Uuid, bytes: uuid.to_vec() },
                "$db": *database,
                "$readPreference": { "mode": "secondaryPreferred" },
            },
        }
    }
}

/// Judges a command that [`super::authorize`] refused, by what the server behind answered to its [`question`].
///
/// # Errors
/// [`Refused`], when it must not be forwarded.
pub fn authorize(
    permit: Permit,
    request: &Request<'_>,
    cursors: &Cursors,
    reply: &RawDocument,
    now_ms: i64,
) -> Result<Known, Refused> {
    let Subject::Authenticated(principal) = permit.subject() else { return Err(Refused::NotAuthorized) };
    let held = || Held::new(principal, cursors).until(metadata::newest_time(now_ms));
    let (rewrite, judged_as) = match question(&permit, request).ok_or(Refused::NotAuthorized)? {
        Question::Operation { operation, digest } => {
            let is_own = operation_in(reply).is_some_and(|found| operations::is_own(found.as_bytes(), operation, &digest));
            let rewrite = for_user(principal, request, cursors, held, |mut held| {
                let found = metadata::check(request.body(), &mut held)?;
                // A cluster member that speaks for somebody else has no operations of its own.
                if !is_own || found.impersonates {
                    return Err(Refused::NotAuthorized);
                }
                found.withheld(held.newest_time(), &mut held).from(request.body(), Granted::AsIs)
            })?;
            (rewrite, None)
        }
        Question::Collection { database, .. } => {
            let body = uuids::with_name(request, collection_in(reply, database)?)?;
            let named = Request { command: Command { body: &body, ..request.command }, ..*request };
            let rewrite = for_user(principal, request, cursors, held, |mut held| {
                let found = metadata::check(request.body(), &mut held)?;
                // What is sent is the command with the UUID: nothing but what its name alone decides may be allowed.
                let Granted::AsIs = judge(&named, &mut held)? else { return Err(Refused::NotAuthorized) };
                found.withheld(held.newest_time(), &mut held).from(request.body(), Granted::AsIs)
            })?;
            (rewrite, Some(body))
        }
    };
    Ok(Known { allowed: Allowed { subject: permit.subject, rewrite }, judged_as })
}

/// The operation that a reply reports.
fn operation_in(reply: &RawDocument) -> Option<&RawDocument> {
    reply.get_document("cursor").ok()?.get_array("firstBatch").ok()?.into_iter().next()?.ok()?.as_document()
}

/// The collection of this database that a reply is about.
///
/// # Errors
/// What the server says of a UUID that no collection of the database has, and of what is no UUID; else `NotAuthorized`.
fn collection_in<'r>(reply: &'r RawDocument, database: &str) -> Result<&'r str, Refused> {
    if let Ok(code) = reply.get_i32("code") {
        let code = [ErrorCode::NamespaceNotFound, ErrorCode::InvalidUUID].into_iter().find(|known| known.code() == code);
        let text = reply.get_str("errmsg").unwrap_or_default().to_owned();
        return Err(code.map_or(Refused::NotAuthorized, |code| Refused::Error(CommandError::new(code, text))));
    }
    let cursor = reply.get_document("cursor").map_err(|_| Refused::NotAuthorized)?;
    let namespace = cursor.get_str("ns").ok().and_then(|namespace| namespace::split(namespace).ok());
    namespace.filter(|(found, _)| *found == database).map(|(_, collection)| collection).ok_or(Refused::NotAuthorized)
}
