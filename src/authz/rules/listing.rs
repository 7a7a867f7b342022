//! Commands that list things; what they list depends on who asks.

use super::{Granted, everything_only};
use crate::authz::Refused;
use crate::authz::grants::Grants;
use crate::authz::request::Request;

/// `listCollections`.
pub(crate) fn list_collections(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `listDatabases`.
pub(crate) fn list_databases(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `currentOp`.
pub(crate) fn current_op(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}
