//! Administration of roles.

use super::{Granted, everything_only};
use crate::authz::Refused;
use crate::authz::grants::Grants;
use crate::authz::request::Request;

/// `createRole`.
pub(crate) fn create_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `updateRole`.
pub(crate) fn update_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `rolesInfo`.
pub(crate) fn roles_info(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `grantRolesToRole`.
pub(crate) fn grant_roles_to_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `revokeRolesFromRole`.
pub(crate) fn revoke_roles_from_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `grantPrivilegesToRole`.
pub(crate) fn grant_privileges_to_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `revokePrivilegesFromRole`.
pub(crate) fn revoke_privileges_from_role(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}
