//! The command `renameCollection`.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9, and measured on a mongod 6.0.5.

use super::fields::{error, of_body, truthy};
use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace;
use crate::authz::request::Request;
use crate::authz::resource::{Resource, is_system_collection};
use crate::error::ErrorCode;
use crate::wire::element::kind;

/// `renameCollection`: within a database there is an action for it; between databases, and for system collections, whatever else
/// would do the same is needed.
pub(crate) fn rename_collection(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let [to, drop_target] = of_body(request, [b"to", b"dropTarget"])?;
    let source = namespace::namespace(request)?;
    let to = match to {
        Some(to) if to.kind == kind::STRING => namespace::string(&to)?,
        _ => return Err(error(ErrorCode::TypeMismatch, "'to' must be of type String")),
    };
    if to.split_once('.').is_none_or(|(database, collection)| database.is_empty() || collection.is_empty()) {
        return Err(error(ErrorCode::InvalidNamespace, format!("Invalid target namespace: {to}")));
    }
    let target = namespace::split(to)?;
    // A bool or, to name the one to be dropped, its UUID; mongod refuses what else is here.
    let drop_target = truthy(drop_target);
    if within_database(grants, source, target, drop_target) {
        return Ok(Granted::AsIs);
    }
    need(grants, resource(source), &[Action::Find, Action::DropCollection])?;
    need(grants, resource(target), &[Action::Insert, Action::CreateIndex])?;
    if drop_target {
        need(grants, resource(target), &[Action::DropCollection])?;
    }
    Ok(Granted::AsIs)
}

fn resource<'a>((database, collection): (&'a str, &'a str)) -> Resource<'a> {
    Resource::Collection { database, collection }
}

/// Whether the action for renaming within a database does. Nobody must be able to read by the new name what they can not read by
/// the old one.
fn within_database(grants: &mut dyn Grants, source: (&str, &str), target: (&str, &str), drop_target: bool) -> bool {
    source.0 == target.0
        && !is_system_collection(source.0, source.1)
        && !is_system_collection(target.0, target.1)
        && grants.has(Resource::Database(source.0), Action::RenameCollectionSameDB)
        && (!drop_target || grants.has(resource(target), Action::DropCollection))
        && (grants.has(resource(source), Action::Find) || !grants.has(resource(target), Action::Find))
}
