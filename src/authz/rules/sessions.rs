//! Commands on logical sessions: each session that they list is the user's own, unless they name another and may.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 8.5; a mongod 6.0.5 with and without access control.

use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::authz::sessions::{self, Document, User};
use crate::error::{CommandError, ErrorCode};
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
    let pattern = sessions::with_user(&[], principal.digest());
    let mut patterns = Document::default();
    patterns.append(&Element { kind: kind::OBJECT, name: b"0", value: &pattern });
    let mut rebuilt = Document::default();
    rebuilt.append(&Element { kind: kind::ARRAY, name: b"killAllSessionsByPattern", value: &patterns.finish() });
    Elements::of(body).skip(1).for_each(|element| rebuilt.append(&element));
    bson::raw::RawDocumentBuf::from_bytes(rebuilt.finish()).map(Granted::Rewritten).map_err(|_| Refused::NotAuthorized)
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
        let text = "Not authorized to impersonate in killAllSessionsByPattern";
        return Err(Refused::Error(CommandError::new(ErrorCode::Unauthorized, text)));
    }
    Ok(Granted::AsIs)
}

fn may(grants: &mut dyn Grants, any_of: &[Action]) -> bool {
    any_of.iter().any(|action| grants.has(Resource::Cluster, *action))
}

/// The command with the user's digest in each session that names nobody. A list that mongod can not read is left to the upstream,
/// whose parser is the same one. `path` is what mongod calls the list; who holds `any_of` may name others.
fn of_user(request: &Request<'_>, grants: &mut dyn Grants, path: &str, any_of: &[Action]) -> Result<Granted, Refused> {
    let body = request.body().as_bytes();
    let list = Elements::of(body).next().ok_or(Refused::NotAuthorized)?;
    if list.kind != kind::ARRAY {
        return Ok(Granted::AsIs);
    }
    let principal = grants.principal().ok_or(Refused::NotAuthorized)?;
    let digest = *principal.digest();
    let mut named = Document::default();
    let mut names_others = false;
    for element in Elements::of(list.value) {
        match element.kind {
            kind::OBJECT => {}
            kind::NULL => {
                named.append(&element);
                continue;
            }
            _ => return Ok(Granted::AsIs),
        }
        sessions::check_name_length(principal)?;
        match sessions::user_of(element.value, path)? {
            User::Missing { .. } => {
                let session = sessions::with_user(element.value, &digest);
                named.append(&Element { value: &session, ..element });
            }
            User::Digest(uid) => {
                names_others |= uid != digest;
                named.append(&element);
            }
            User::Unreadable => return Ok(Granted::AsIs),
        }
    }
    if names_others && !may(grants, any_of) {
        return Err(sessions::not_theirs());
    }
    let value = named.finish();
    let mut first = true;
    sessions::rebuilt(body, |_| std::mem::take(&mut first).then(|| (kind::ARRAY, value.clone()))).map(Granted::Rewritten)
}
