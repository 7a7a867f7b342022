//! The commands whose privileges depend on their arguments: one function a command, each over the raw document.
//!
//! A rule fails closed: what it can not read it denies. It never looks into documents that are only stored.
//! Source: fact sheet "Authentication and authorization semantics", sections 8.4, 8.5 and 9.

pub(super) mod aggregate;
pub(super) mod apply_ops;
mod arguments;
pub(super) mod cluster;
pub(super) mod collections;
pub(super) mod complaints;
pub(crate) mod cursors;
mod fields;
mod forms;
mod joins;
pub(super) mod listing;
pub(super) mod operations;
mod pipeline;
pub(super) mod read;
pub(super) mod rename;
pub(super) mod roles;
mod sequence;
pub(super) mod sessions;
mod stages;
pub(super) mod users;
pub(super) mod uuids;
pub(super) mod write;

use bson::raw::RawDocumentBuf;

use super::Refused;
use super::action::Action;
use super::grants::Grants;
use super::request::Request;
use super::resource::Resource;

/// How a command that may be run is passed on.
#[derive(Debug)]
pub enum Granted {
    /// As it is.
    AsIs,
    /// With this body in the place of its own.
    Rewritten(RawDocumentBuf),
}

/// Judges one command.
pub type Rule = fn(&Request<'_>, &mut dyn Grants) -> Result<Granted, Refused>;

/// Asks for all of these actions on one resource.
pub(super) fn need(grants: &mut dyn Grants, resource: Resource<'_>, actions: &[Action]) -> Result<(), Refused> {
    if actions.iter().all(|action| grants.has(resource, *action)) { Ok(()) } else { Err(Refused::NotAuthorized) }
}

/// Whether every action on every resource is held.
pub(super) fn is_everything(grants: &mut dyn Grants) -> bool {
    grants.has(Resource::Any, Action::AnyAction)
}

/// Lets only those pass who may do everything.
pub(super) fn everything_only(_request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    if is_everything(grants) { Ok(Granted::AsIs) } else { Err(Refused::NotAuthorized) }
}

/// The resource to be held where a collection is given by its UUID, which also needs `useUUID`.
///
/// Which collection it is only the server behind knows, and it may be a system collection, which a privilege on its database does
/// not reach. So the action is asked for on everything; whoever is refused is judged by the name, see [`crate::authz::facts`].
pub(super) fn by_uuid<'a>(grants: &mut dyn Grants) -> Result<Resource<'a>, Refused> {
    need(grants, Resource::Cluster, &[Action::UseUUID])?;
    Ok(Resource::Any)
}

#[cfg(test)]
mod tests;
