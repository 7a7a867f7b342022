//! Administration of users: `createUser`, `updateUser`, `usersInfo` and the roles of users.
//!
//! Granting a role is allowed by `grantRole` on the database of the role, never on that of the user. One's own password and custom
//! data may be changed with an action of their own. Source: fact sheet "Authentication and authorization semantics", section 9.

use super::arguments::{Named, field, filled_list, list, name, required_list, role};
use super::complaints::unknown_field;
use super::fields::{error, wrong_type};
use super::forms::UPDATE_USER;
use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace::{first, string};
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// `createUser`.
pub(crate) fn create_user(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let roles = required_list(request, "roles")?;
    let restricted = list(request, "authenticationRestrictions")?.is_some();
    on_roles(request, grants, roles, Action::GrantRole)?;
    need(grants, Resource::Database(request.database()), &[Action::CreateUser])?;
    set_restrictions(request, grants, restricted)?;
    Ok(Granted::AsIs)
}

/// `updateUser`: each field that is changed needs its own action. mongod asks for none to change `mechanisms` alone, whoever the user
/// is; here one may do so with one's own, and those of others count as part of the password.
pub(crate) fn update_user(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let roles = list(request, "roles")?;
    let restricted = list(request, "authenticationRestrictions")?.is_some();
    let mechanisms = list(request, "mechanisms")?.is_some();
    let password = is_given(request, "pwd", kind::STRING)?;
    let custom_data = is_given(request, "customData", kind::OBJECT)?;
    if roles.is_none() && !restricted && !mechanisms && !password && !custom_data {
        unknown_field(request, &UPDATE_USER)?;
        return Err(error(ErrorCode::BadValue, "Must specify at least one field to update in updateUser"));
    }
    if let Some(roles) = roles {
        need(grants, Resource::AnyNormal, &[Action::RevokeRole])?;
        on_roles(request, grants, roles, Action::GrantRole)?;
    }
    if password || (mechanisms && !is_about_oneself(request, grants)) {
        change(request, grants, Action::ChangePassword, Action::ChangeOwnPassword)?;
    }
    if custom_data {
        change(request, grants, Action::ChangeCustomData, Action::ChangeOwnCustomData)?;
    }
    set_restrictions(request, grants, restricted)?;
    Ok(Granted::AsIs)
}

/// `grantRolesToUser`.
pub(crate) fn grant_roles_to_user(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    on_roles(request, grants, filled_list(request, "roles")?, Action::GrantRole)
}

/// `revokeRolesFromUser`.
pub(crate) fn revoke_roles_from_user(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    on_roles(request, grants, filled_list(request, "roles")?, Action::RevokeRole)
}

/// `usersInfo`: nothing for oneself by name, `viewUser` on the database of everybody else, on the cluster for all databases.
pub(crate) fn users_info(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let element = first(request).ok_or(Refused::NotAuthorized)?;
    match element.kind {
        kind::INT | kind::LONG | kind::DOUBLE | kind::DECIMAL => {
            need(grants, Resource::Database(request.database()), &[Action::ViewUser])?;
        }
        kind::ARRAY => {
            for element in element.children().into_iter().flatten() {
                view(request, grants, &element)?;
            }
        }
        kind::OBJECT if is_for_all_databases(&element)? => need(grants, Resource::Cluster, &[Action::ViewUser])?,
        _ => view(request, grants, &element)?,
    }
    Ok(Granted::AsIs)
}

fn view(request: &Request<'_>, grants: &mut dyn Grants, element: &Element<'_>) -> Result<(), Refused> {
    let (user, database) = name(request, element, Named::User)?;
    if is_oneself(grants, user, database) {
        return Ok(());
    }
    need(grants, Resource::Database(database), &[Action::ViewUser])
}

/// Whether a document has a `forAllDBs` that mongod takes for true, whatever stands beside it.
fn is_for_all_databases(element: &Element<'_>) -> Result<bool, Refused> {
    let mut named = element.children().into_iter().flatten().filter(|field| field.name == b"forAllDBs");
    let Some(field) = named.next() else { return Ok(false) };
    match field.kind {
        _ if named.next().is_some() => Err(Refused::NotAuthorized),
        kind::BOOL | kind::INT | kind::LONG | kind::DOUBLE => Ok(field.value.iter().any(|byte| *byte != 0)),
        _ => Err(Refused::NotAuthorized),
    }
}

/// Asks for the action on the database of each role. Every role is read before the first is judged, as mongod does.
pub(super) fn on_roles(
    request: &Request<'_>,
    grants: &mut dyn Grants,
    roles: Elements<'_>,
    action: Action,
) -> Result<Granted, Refused> {
    let mut allowed = true;
    for element in roles {
        let (_, database) = role(request, &element)?;
        allowed &= grants.has(Resource::Database(database), action);
    }
    if allowed { Ok(Granted::AsIs) } else { Err(Refused::NotAuthorized) }
}

/// Asks for what restrictions of authentication need, be their list empty or not.
pub(super) fn set_restrictions(request: &Request<'_>, grants: &mut dyn Grants, given: bool) -> Result<(), Refused> {
    if !given {
        return Ok(());
    }
    need(grants, Resource::Database(request.database()), &[Action::SetAuthenticationRestriction])
}

/// Asks for `any` on the database, or for `own` if the user to be changed is the one who asks.
fn change(request: &Request<'_>, grants: &mut dyn Grants, any: Action, own: Action) -> Result<(), Refused> {
    let database = request.database();
    if grants.has(Resource::Database(database), any) {
        return Ok(());
    }
    let element = first(request).ok_or(Refused::NotAuthorized)?;
    if element.kind != kind::STRING {
        return Err(wrong_type(request.canonical_name, request.canonical_name, &element, "type 'string'"));
    }
    if is_oneself(grants, string(&element)?, database) {
        return need(grants, Resource::Database(database), &[own]);
    }
    Err(Refused::NotAuthorized)
}

/// Whether the user that the command names is the one who asks.
fn is_about_oneself(request: &Request<'_>, grants: &dyn Grants) -> bool {
    first(request).is_some_and(|named| string(&named).is_ok_and(|name| is_oneself(grants, name, request.database())))
}

fn is_oneself(grants: &dyn Grants, user: &str, database: &str) -> bool {
    grants.principal().is_some_and(|principal| principal.is(user, database))
}

/// Whether a field is given; null counts as not given.
fn is_given(request: &Request<'_>, name: &str, wanted: u8) -> Result<bool, Refused> {
    match field(request, name)? {
        Some(element) if element.kind == wanted => Ok(true),
        Some(element) if !matches!(element.kind, kind::NULL | kind::UNDEFINED) => {
            let expected = format!("type '{}'", kind::name(wanted));
            Err(wrong_type(request.canonical_name, name, &element, &expected))
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests;
