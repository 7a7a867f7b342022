//! Administration of roles: `createRole`, `updateRole`, `rolesInfo`, and what roles are granted.
//!
//! A privilege is granted with `grantRole` on the database of its resource, `admin` for what is of no one database.
//! Source: fact sheet "Authentication and authorization semantics", section 9.

use super::arguments::{Named, filled_list, list, name, privilege_database, required_list};
use super::users::{on_roles, set_restrictions};
use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace::first;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::wire::element::{Element, Elements, kind};

/// `createRole`.
pub(crate) fn create_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let (privileges, roles) = (required_list(request, "privileges")?, required_list(request, "roles")?);
    let restricted = list(request, "authenticationRestrictions")?.is_some();
    on_privileges(request, grants, privileges, Action::GrantRole)?;
    on_roles(request, grants, roles, Action::GrantRole)?;
    need(grants, Resource::Database(request.database()), &[Action::CreateRole])?;
    set_restrictions(request, grants, restricted)?;
    Ok(Granted::AsIs)
}

/// `updateRole`.
pub(crate) fn update_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let (privileges, roles) = (list(request, "privileges")?, list(request, "roles")?);
    let restricted = list(request, "authenticationRestrictions")?.is_some();
    if let Some(privileges) = privileges {
        on_privileges(request, grants, privileges, Action::GrantRole)?;
    }
    if let Some(roles) = roles {
        on_roles(request, grants, roles, Action::GrantRole)?;
    }
    need(grants, Resource::AnyNormal, &[Action::RevokeRole])?;
    set_restrictions(request, grants, restricted)?;
    Ok(Granted::AsIs)
}

/// `grantRolesToRole`.
pub(crate) fn grant_roles_to_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    on_roles(request, grants, filled_list(request, "roles")?, Action::GrantRole)
}

/// `revokeRolesFromRole`.
pub(crate) fn revoke_roles_from_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    on_roles(request, grants, filled_list(request, "roles")?, Action::RevokeRole)
}

/// `grantPrivilegesToRole`.
pub(crate) fn grant_privileges_to_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    on_privileges(request, grants, filled_list(request, "privileges")?, Action::GrantRole)
}

/// `revokePrivilegesFromRole`.
pub(crate) fn revoke_privileges_from_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    on_privileges(request, grants, filled_list(request, "privileges")?, Action::RevokeRole)
}

/// `rolesInfo`: nothing for a role that one was granted itself, `viewRole` on the database of every other.
pub(crate) fn roles_info(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let element = first(request).ok_or(Refused::NotAuthorized)?;
    match element.kind {
        kind::INT | kind::LONG | kind::DOUBLE | kind::DECIMAL => {
            need(grants, Resource::Database(request.database()), &[Action::ViewRole])?;
        }
        kind::ARRAY => {
            for element in element.children().into_iter().flatten() {
                view(request, grants, &element)?;
            }
        }
        _ => view(request, grants, &element)?,
    }
    Ok(Granted::AsIs)
}

fn view(request: &Request<'_>, grants: &mut dyn Grants, element: &Element<'_>) -> Result<(), Refused> {
    let (role, database) = name(request, element, Named::Role)?;
    if grants.principal().is_some_and(|principal| principal.was_granted(role, database)) {
        return Ok(());
    }
    need(grants, Resource::Database(database), &[Action::ViewRole])
}

/// Asks for the action on the database of each privilege. Every one is read before the first is judged, as mongod does.
fn on_privileges(
    request: &Request<'_>,
    grants: &mut dyn Grants,
    privileges: Elements<'_>,
    action: Action,
) -> Result<Granted, Refused> {
    let mut allowed = true;
    for element in privileges {
        let database = privilege_database(request, "privileges", &element)?;
        allowed &= grants.has(Resource::Database(database), action);
    }
    if allowed { Ok(Granted::AsIs) } else { Err(Refused::NotAuthorized) }
}

#[cfg(test)]
mod tests;
