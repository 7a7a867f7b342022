//! Commands on running operations.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 9.

use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::request::Request;
use crate::authz::resource::Resource;

/// `killOp`: killop on the cluster. mongod also lets a user kill operations of its own; whose an operation is on the upstream is not
/// known here.
pub(crate) fn kill_op(_request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    need(grants, Resource::Cluster, &[Action::KillOp])?;
    Ok(Granted::AsIs)
}
