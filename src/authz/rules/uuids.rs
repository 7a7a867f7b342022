//! Collections that are given by their UUID. Which one it is only the server behind knows, see [`crate::authz::facts`].

use bson::raw::RawDocumentBuf;

use super::read;
use crate::authz::namespace::{first, is_uuid};
use crate::authz::request::Request;
use crate::authz::{Refused, document};
use crate::wire::element::kind;

/// The UUID by which a command, or the command that it explains, names its collection.
pub(crate) fn find<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    let element = match request.canonical_name {
        "find" | "count" | "distinct" | "listIndexes" => first(request)?,
        "explain" => return find(&read::explained(request, &first(request)?).ok()?),
        _ => return None,
    };
    element.value.get(5..).filter(|_| is_uuid(&element))
}

/// The body of a command with the name of its collection in the place of the UUID.
///
/// # Errors
/// `NotAuthorized` when that makes no document.
pub(crate) fn with_name(request: &Request<'_>, collection: &str) -> Result<RawDocumentBuf, Refused> {
    let body = request.body().as_bytes();
    match first(request) {
        Some(inner) if request.canonical_name == "explain" => {
            let inner = named(inner.value, collection)?;
            document::with_first_value(body, kind::OBJECT, inner.as_bytes())
        }
        _ => named(body, collection),
    }
}

fn named(body: &[u8], collection: &str) -> Result<RawDocumentBuf, Refused> {
    let length = collection.len().checked_add(1).and_then(|length| i32::try_from(length).ok()).ok_or(Refused::NotAuthorized)?;
    let value = [&length.to_le_bytes(), collection.as_bytes(), &[0]].concat();
    document::with_first_value(body, kind::STRING, &value)
}
