//! The command `aggregate`.

use super::{Granted, everything_only};
use crate::authz::Refused;
use crate::authz::grants::Grants;
use crate::authz::request::Request;

/// `aggregate`.
pub(crate) fn aggregate(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}
