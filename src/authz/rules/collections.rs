//! Commands that make and change collections.

use super::{Granted, everything_only};
use crate::authz::Refused;
use crate::authz::grants::Grants;
use crate::authz::request::Request;

/// `cloneCollectionAsCapped`.
pub(crate) fn clone_collection_as_capped(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `collMod`.
pub(crate) fn coll_mod(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `create`.
pub(crate) fn create(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `profile`.
pub(crate) fn profile(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}

/// `renameCollection`.
pub(crate) fn rename_collection(request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    everything_only(request, grants)
}
