//! Commands on the server and the cluster as a whole.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9.

use super::arguments::field;
use super::fields::{error, truthy, wrong_type};
use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::namespace::string;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::error::ErrorCode;
use crate::wire::element::kind;

/// `features`: nothing, but `oidReset` where it is asked for.
pub(crate) fn features(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    if truthy(field(request, "oidReset")?) {
        need(grants, Resource::Cluster, &[Action::OidReset])?;
    }
    Ok(Granted::AsIs)
}

/// `_killOperations`, which answers whoever is not internal with an error of its own.
pub(crate) fn kill_operations(_request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    if !grants.has(Resource::Cluster, Action::Internal) {
        return Err(error(ErrorCode::IllegalOperation, "_killOperations is only to be used by internal users"));
    }
    need(grants, Resource::Cluster, &[Action::KillOp])?;
    Ok(Granted::AsIs)
}

/// `getDiagnosticData`: what it gathers is the output of three commands.
pub(crate) fn get_diagnostic_data(_request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    need(grants, Resource::Cluster, &[Action::ServerStatus, Action::ReplSetGetStatus])?;
    need(grants, Resource::Collection { database: "local", collection: "oplog.rs" }, &[Action::CollStats])?;
    Ok(Granted::AsIs)
}

/// `validateDBMetadata`: of one database, or of all.
pub(crate) fn validate_db_metadata(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    let resource = match field(request, "db")? {
        Some(element) if element.kind == kind::STRING => Resource::Database(string(&element)?),
        Some(element) if !matches!(element.kind, kind::NULL | kind::UNDEFINED) => {
            return Err(wrong_type(request.canonical_name, "db", &element, "type 'string'"));
        }
        _ => Resource::AnyNormal,
    };
    need(grants, resource, &[Action::Validate])?;
    Ok(Granted::AsIs)
}

#[cfg(test)]
mod tests;
