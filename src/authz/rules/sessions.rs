//! Commands on logical sessions.

use super::{Granted, everything_only};
use crate::authz::Refused;
use crate::authz::grants::Grants;
use crate::authz::request::Request;

/// `endSessions`.
pub(crate) fn end_sessions(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `refreshSessions`.
pub(crate) fn refresh_sessions(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `killSessions`.
pub(crate) fn kill_sessions(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}
