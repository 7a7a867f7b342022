//! Commands that write documents.
//!
//! Only `update` has to look into its statements, and only for a user who may update but not insert.
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use super::fields::{array, duplicate, lenient, missing, of_body, strict, wrong_type};
use super::{Granted, need, sequence};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace;
use crate::authz::request::{Request, Sequences};
use crate::authz::resource::Resource;
use crate::wire::element::{Element, Elements, kind};

const BYPASS: &str = "bypassDocumentValidation";

/// `insert`.
pub(crate) fn insert(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    simple(request, grants, Action::Insert)
}

/// `delete`.
pub(crate) fn delete(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    simple(request, grants, Action::Remove)
}

fn simple(request: &Request<'_>, grants: &mut dyn Grants, action: Action) -> Result<Granted, Refused> {
    let [bypass] = of_body(request, [BYPASS.as_bytes()])?;
    write(request, grants, &[action], bypass)?;
    Ok(Granted::AsIs)
}

/// Asks for the actions on the collection that the first field names.
fn write<'a>(
    request: &Request<'a>,
    grants: &mut dyn Grants,
    actions: &[Action],
    bypass: Option<Element<'a>>,
) -> Result<Resource<'a>, Refused> {
    let resource = Resource::Collection { database: request.database(), collection: namespace::collection(request)? };
    let bypass = lenient(request.canonical_name, BYPASS, bypass)?;
    need(grants, resource, actions)?;
    if bypass {
        need(grants, resource, &[Action::BypassDocumentValidation])?;
    }
    Ok(resource)
}

/// `update`: statements with `upsert: true` need `insert` too.
pub(crate) fn update(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [bypass, updates] = of_body(request, [BYPASS.as_bytes(), b"updates"])?;
    let resource = write(request, grants, &[Action::Update], bypass)?;
    if !grants.has(resource, Action::Insert) && upserts(request, updates)? {
        return Err(Refused::NotAuthorized);
    }
    Ok(Granted::AsIs)
}

/// Whether one of the statements may insert. mongod refuses statements in the body and in a sequence at once.
fn upserts(request: &Request<'_>, updates: Option<Element<'_>>) -> Result<bool, Refused> {
    let mut any = false;
    if let Some(updates) = updates {
        for statement in array("update", "updates", &updates)? {
            any |= upsert(statement.value, statement.kind)?;
        }
    }
    match request.sequences {
        Sequences::None if updates.is_none() => Err(missing("update", "updates")),
        Sequences::None => Ok(any),
        Sequences::Unread => Err(Refused::WholeMessage),
        Sequences::Read(sections) => {
            for statement in sequence::all(sections).flat_map(|(_, statements)| statements) {
                any |= upsert(statement.ok_or(Refused::NotAuthorized)?, kind::OBJECT)?;
            }
            Ok(any)
        }
    }
}

fn upsert(statement: &[u8], kind: u8) -> Result<bool, Refused> {
    if kind != kind::OBJECT {
        let element = Element { kind, name: b"", value: statement };
        return Err(wrong_type("update.updates", "0", &element, "type 'object'"));
    }
    let mut upsert = None;
    for element in Elements::of(statement) {
        if element.name == b"upsert" && upsert.replace(element).is_some() {
            return Err(duplicate("update.updates", b"upsert"));
        }
    }
    strict("update.updates", "upsert", upsert)
}

/// `findAndModify`.
pub(crate) fn find_and_modify(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [bypass, upsert, remove, update] = of_body(request, [BYPASS.as_bytes(), b"upsert", b"remove", b"update"])?;
    let upsert = lenient(request.canonical_name, "upsert", upsert)?;
    let remove = lenient(request.canonical_name, "remove", remove)?;
    let actions: &[Action] = match update {
        _ if remove => &[Action::Find, Action::Remove],
        Some(_) => &[Action::Find, Action::Update],
        // mongod refuses what neither updates nor removes, once it has judged it.
        None => &[Action::Find],
    };
    let resource = write(request, grants, actions, bypass)?;
    if upsert {
        need(grants, resource, &[Action::Insert])?;
    }
    Ok(Granted::AsIs)
}
