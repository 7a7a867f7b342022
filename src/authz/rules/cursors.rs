//! Commands on open cursors.
//!
//! The order of the checks is mongod's: the arguments, `term`, whether the cursor is there, its logical session, its user, and
//! whether that user may still do what opened it. The namespace is left to the upstream, which knows it and gives the same refusal
//! with and without access control. Source: fact sheet "Authentication and authorization semantics", section 8.4; a mongod 6.0.5.

use bson::raw::{RawArrayBuf, RawDocumentBuf};

use super::fields::{duplicate, error, missing, wrong_type};
use super::{Granted, need};
use crate::authz::action::Action;
use crate::authz::cursors::{CursorOwner, Opened};
use crate::authz::grants::Grants;
use crate::authz::namespace;
use crate::authz::principal::Principal;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::authz::sessions::SessionId;
use crate::authz::{self, Refused, document};
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

fn long(element: &Element<'_>) -> Option<i64> {
    element.value.first_chunk().filter(|_| element.kind == kind::LONG).map(|bytes| i64::from_le_bytes(*bytes))
}

/// The cursor that the body of a `getMore` names.
pub(crate) fn id(body: &[u8]) -> Option<i64> {
    Elements::of(body).next().as_ref().and_then(long)
}

/// `getMore`.
pub(crate) fn get_more(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let body = request.body().as_bytes();
    let first = namespace::first(request).ok_or(Refused::NotAuthorized)?;
    let id = long(&first).ok_or_else(|| wrong_type("getMore", "getMore", &first, "type 'long'"))?;
    check_collection(request)?;
    if Elements::of(body).any(|element| element.name == b"term" && element.kind != kind::NULL) {
        need(grants, Resource::Cluster, &[Action::Internal])?;
    }
    let Some(opened) = grants.opened(id) else {
        return Err(error(ErrorCode::CursorNotFound, format!("cursor id {id} not found")));
    };
    check_session(body, &opened, grants)?;
    if grants.cursor(id) != CursorOwner::Asker {
        return Err(error(ErrorCode::Unauthorized, format!("cursor id {id} was not created by the authenticated user")));
    }
    if !may_still_open(&opened, grants) {
        return Err(error(ErrorCode::Unauthorized, format!("not authorized for getMore with cursor id {id}")));
    }
    Ok(Granted::AsIs)
}

fn check_collection(request: &Request<'_>) -> Result<(), Refused> {
    let collection = Elements::of(request.body().as_bytes()).named(b"collection");
    let collection = collection.filter(|element| element.kind != kind::NULL).ok_or_else(|| missing("getMore", "collection"))?;
    let Some(name) = collection.string() else { return Err(wrong_type("getMore", "collection", &collection, "type 'string'")) };
    if name.is_empty() {
        return Err(error(ErrorCode::InvalidNamespace, "Collection names cannot be empty"));
    }
    namespace::checked(request.database(), namespace::string(&collection)?).map(|_| ())
}

/// Both are in the same logical session, or in none. Who may impersonate is left to the upstream, which has another refusal.
fn check_session(body: &[u8], opened: &Opened, grants: &mut dyn Grants) -> Result<(), Refused> {
    let origin = opened.request().ok_or(Refused::NotAuthorized)?;
    let theirs = SessionId::of(origin.body().as_bytes(), opened.digest());
    let asker = grants.principal().map(Principal::digest).filter(|_| opened.digest().is_some());
    let own = SessionId::of(body, asker);
    if theirs == own || grants.has(Resource::Cluster, Action::Impersonate) {
        return Ok(());
    }
    let text = |session: Option<SessionId>| session.map_or_else(|| "none".to_owned(), |session| session.to_string());
    let (theirs, own) = (text(theirs), text(own));
    let text = format!("Cursor session id ({theirs}) is not the same as the operation context's session id ({own})");
    Err(error(ErrorCode::Unauthorized, text))
}

/// Whether the asker may do what opened the cursor. As long as nothing about the user has changed, it may.
fn may_still_open(opened: &Opened, grants: &mut dyn Grants) -> bool {
    if let (Some(owner), Some(asker)) = (opened.owner(), grants.principal())
        && std::ptr::eq(owner, asker)
    {
        return true;
    }
    opened.request().is_some_and(|origin| origin.canonical_name != "getMore" && authz::judge(&origin, grants).is_ok())
}

/// `killCursors`.
///
/// A cursor that is not known here may be somebody's who opened it before doorward started: it does not reach the upstream, and
/// the answer is that it was not found. If there are others beside it, the upstream is given the id 0 in its place, which no cursor
/// has; its answer then says 0 where mongod's would say the id. Who may kill any cursor is not held up.
pub(crate) fn kill_cursors(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let body = request.body().as_bytes();
    let ids = ids(body)?;
    if grants.has(Resource::Cluster, Action::KillAnyCursor) {
        return Ok(Granted::AsIs);
    }
    namespace::collection(request)?;
    let mut unknown = Vec::new();
    for id in &ids {
        match grants.cursor(*id) {
            CursorOwner::Asker => {}
            CursorOwner::Unknown => unknown.push(*id),
            CursorOwner::Other => {
                let opened = grants.opened(*id).ok_or(Refused::NotAuthorized)?;
                let origin = opened.request().ok_or(Refused::NotAuthorized)?;
                need(grants, resource(&origin), &[Action::KillAnyCursor])?;
            }
        }
    }
    if unknown.is_empty() {
        return Ok(Granted::AsIs);
    }
    if unknown.len() == ids.len() {
        return Err(Refused::Answered(none_found(&unknown)));
    }
    let mut known = RawArrayBuf::new();
    ids.iter().for_each(|id| known.push(if unknown.contains(id) { 0 } else { *id }));
    document::with_field(body, b"cursors", kind::ARRAY, known.as_bytes()).map(Granted::Rewritten)
}

/// The cursors that the body of a `killCursors` names.
///
/// # Errors
/// mongod's own.
pub(crate) fn ids(body: &[u8]) -> Result<Vec<i64>, Refused> {
    let path = "killCursors.cursors";
    let mut named = Elements::of(body).filter(|element| element.name == b"cursors");
    let cursors = named.next().ok_or_else(|| missing("killCursors", "cursors"))?;
    if named.next().is_some() {
        return Err(duplicate("APIParametersFromClient", b"cursors"));
    }
    match cursors.kind {
        kind::ARRAY => {}
        kind::NULL => {
            return Err(error(ErrorCode::Location(10065), "invalid parameter: expected an object (cursors)"));
        }
        _ => return Err(wrong_type("killCursors", "cursors", &cursors, "type 'array'")),
    }
    let mut ids = Vec::new();
    for (index, element) in Elements::of(cursors.value).enumerate() {
        check_index(path, index, element.name)?;
        if element.kind != kind::NULL {
            ids.push(long(&element).ok_or_else(|| wrong_type(path, &index.to_string(), &element, "type 'long'"))?);
        }
    }
    Ok(ids)
}

fn check_index(path: &str, index: usize, name: &[u8]) -> Result<(), Refused> {
    let expected = index.to_string();
    if name == expected.as_bytes() {
        return Ok(());
    }
    let name = String::from_utf8_lossy(name);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = format!("BSON array field '{path}' has an invalid value '{name}' for an array field name.");
        return Err(error(ErrorCode::Location(40422), text));
    }
    let text = format!(
        "BSON array field '{path}' has a non-sequential value '{name}' for an array field name, expected value '{expected}'."
    );
    Err(error(ErrorCode::Location(40423), text))
}

/// What a cursor reads, for those who would kill it: its collection; its database, if it lists collections.
fn resource<'a>(origin: &Request<'a>) -> Resource<'a> {
    let database = origin.database();
    if origin.canonical_name == "listCollections" {
        return Resource::Database(database);
    }
    match namespace::first(origin) {
        Some(first) if first.kind == kind::STRING => match namespace::string(&first) {
            Ok(collection) => Resource::Collection { database, collection },
            Err(_) => Resource::Any,
        },
        Some(first) if origin.canonical_name == "aggregate" && first.kind != kind::BINARY => {
            Resource::Collection { database, collection: "$cmd.aggregate" }
        }
        _ => Resource::Any,
    }
}

fn none_found(ids: &[i64]) -> RawDocumentBuf {
    let mut not_found = RawArrayBuf::new();
    ids.iter().for_each(|id| not_found.push(*id));
    let empty = RawArrayBuf::new;
    bson::rawdoc! {
        "cursorsKilled": empty(), "cursorsNotFound": not_found, "cursorsAlive": empty(), "cursorsUnknown": empty(), "ok": 1.0,
    }
}
