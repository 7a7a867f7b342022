//! Commands on logical sessions: each session that they list is the user's own, unless they name another and may.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 8.5; a mongod 6.0.5 with and without access control.

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::rawdoc;

use super::fields::error;
use super::{Granted, need};
use crate::authz::action::Action;
use crate::authz::document::Writer;
use crate::authz::grants::Grants;
use crate::authz::principal::Principal;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::authz::sessions::{self, User};
use crate::authz::{Refused, document};
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// `endSessions`.
pub(crate) fn end_sessions(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    of_user(request, grants, "endSessions.endSessionsFromClient", &[Action::Impersonate])
}

/// `refreshSessions`.
pub(crate) fn refresh_sessions(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    of_user(request, grants, "refreshSessions.refreshSessionsFromClient", &[Action::Impersonate])
}

/// `killSessions`. An empty list means all sessions of the user; an upstream without access control, which knows no user, would kill
/// everybody's, so it is told whose by another command.
pub(crate) fn kill_sessions(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let body = request.body().as_bytes();
    let list = Elements::of(body).next().ok_or(Refused::NotAuthorized)?;
    let is_empty = list.children().is_some_and(|mut children| children.all(|child| child.kind == kind::NULL));
    if list.kind != kind::ARRAY || !is_empty {
        return of_user(request, grants, "KillSessionsCmd.killSessions", &[Action::KillAnySession, Action::Impersonate]);
    }
    let principal = grants.principal().ok_or(Refused::NotAuthorized)?;
    let mut patterns = RawArrayBuf::new();
    patterns.push(rawdoc! { "uid": principal.uid() });
    document::with_command(body, b"killAllSessionsByPattern", kind::ARRAY, patterns.as_bytes()).map(Granted::Rewritten)
}

/// `killAllSessionsByPattern`.
pub(crate) fn kill_all_sessions_by_pattern(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    need(grants, Resource::Cluster, &[Action::KillAnySession])?;
    let list = Elements::of(request.body().as_bytes()).next().ok_or(Refused::NotAuthorized)?;
    let names_users = |pattern: Element<'_>| {
        let mut fields = pattern.children().into_iter().flatten();
        fields.any(|field| matches!(field.name, b"users" | b"roles") && field.kind == kind::ARRAY)
    };
    if list.children().is_some_and(|mut patterns| patterns.any(names_users)) && !may(grants, &[Action::Impersonate]) {
        return Err(error(ErrorCode::Unauthorized, "Not authorized to impersonate in killAllSessionsByPattern"));
    }
    Ok(Granted::AsIs)
}

fn may(grants: &mut dyn Grants, any_of: &[Action]) -> bool {
    any_of.iter().any(|action| grants.has(Resource::Cluster, *action))
}

/// The command with the user's digest in each session that names nobody; who holds `any_of` may name others.
fn of_user(request: &Request<'_>, grants: &mut dyn Grants, path: &str, any_of: &[Action]) -> Result<Granted, Refused> {
    let principal = grants.principal().ok_or(Refused::NotAuthorized)?;
    let Some(Named { body, names_others }) = name_listed(request, principal, path)? else { return Ok(Granted::AsIs) };
    if names_others && !may(grants, any_of) {
        return Err(sessions::not_theirs());
    }
    Ok(Granted::Rewritten(body))
}

/// The same where nothing is enforced: whoever names others may. An empty `killSessions` stays everybody's, as on a mongod without
/// access control.
///
/// # Errors
/// What the upstream refuses as well.
pub(in crate::authz) fn named(request: &Request<'_>, principal: &Principal) -> Result<Granted, Refused> {
    if !matches!(request.canonical_name, "endSessions" | "killSessions" | "refreshSessions") {
        return Ok(Granted::AsIs);
    }
    let named = name_listed(request, principal, request.canonical_name)?;
    Ok(named.map_or(Granted::AsIs, |named| Granted::Rewritten(named.body)))
}

/// A command whose sessions all name a user.
struct Named {
    body: RawDocumentBuf,
    names_others: bool,
}

/// Names the user in each session of the list that names nobody. `None` for a list that mongod can not read: it is left to the
/// upstream, whose parser is the same one. `path` is what mongod calls the list.
fn name_listed(request: &Request<'_>, principal: &Principal, path: &str) -> Result<Option<Named>, Refused> {
    let body = request.body().as_bytes();
    let list = Elements::of(body).next().ok_or(Refused::NotAuthorized)?;
    if list.kind != kind::ARRAY {
        return Ok(None);
    }
    let digest = *principal.digest();
    let mut named = Writer::with_room_for(list.value);
    let mut names_others = false;
    for element in Elements::of(list.value) {
        match element.kind {
            kind::OBJECT => {}
            kind::NULL => {
                named.copy(&element);
                continue;
            }
            _ => return Ok(None),
        }
        sessions::check_name_length(principal)?;
        match sessions::user_of(element.value, path)? {
            User::Missing { .. } => {
                let session = sessions::with_user(element.value, &digest)?;
                named.push(element.kind, element.name, session.as_bytes());
            }
            User::Digest(uid) => {
                names_others |= uid != digest;
                named.copy(&element);
            }
            User::Unreadable => return Ok(None),
        }
    }
    let body = document::with_first_value(body, kind::ARRAY, named.finish()?.as_bytes())?;
    Ok(Some(Named { body, names_others }))
}
