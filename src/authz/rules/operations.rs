//! Commands on running operations.
//!
//! Everybody may kill their own operations. Whose an operation is only the upstream can tell, by the user of its logical session, so
//! the rule alone refuses and the caller asks the upstream, see [`crate::authz::facts`]. An operation outside any
//! logical session is nobody's: drivers give each command one. Source: fact sheet "Authentication and authorization semantics",
//! section 9 (`command-actions.json`); a mongod 6.0.5.

use super::{Granted, need};
use crate::authz::Refused;
use crate::authz::action::Action;
use crate::authz::grants::Grants;
use crate::authz::request::Request;
use crate::authz::resource::Resource;
use crate::wire::element::{Element, Elements, kind};

/// `killOp`.
pub(crate) fn kill_op(_request: &Request<'_>, grants: &mut dyn Grants) -> Result<Granted, Refused> {
    need(grants, Resource::Cluster, &[Action::KillOp])?;
    Ok(Granted::AsIs)
}

/// The operation that a `killOp` names; `None` if that can not be read, or is said twice.
pub(crate) fn operation(body: &[u8]) -> Option<i64> {
    let mut named = Elements::of(body).filter(|element| element.name == b"op");
    let (operation, None) = (named.next()?, named.next()) else { return None };
    integer(&operation)
}

/// A number without a fraction.
pub(crate) fn integer(element: &Element<'_>) -> Option<i64> {
    match element.kind {
        kind::INT => element.value.first_chunk().map(|bytes| i64::from(i32::from_le_bytes(*bytes))),
        kind::LONG => element.value.first_chunk().map(|bytes| i64::from_le_bytes(*bytes)),
        kind::DOUBLE => {
            let number = f64::from_le_bytes(*element.value.first_chunk()?);
            let is_integer = number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX);
            #[expect(clippy::cast_possible_truncation, reason = "it is an integer within the range of an i32")]
            is_integer.then_some(number as i64)
        }
        _ => None,
    }
}

/// Whether what the upstream says of an operation, `{opid, lsid: {id, uid}}`, is that it is this one and this user's.
pub(crate) fn is_own(reported: &[u8], operation: i64, digest: &[u8; 32]) -> bool {
    let id = Elements::of(reported).named(b"opid").as_ref().and_then(integer);
    let session = Elements::of(reported).named(b"lsid").and_then(|session| session.children());
    let uid = session.and_then(|session| session.clone().named(b"uid")).filter(|uid| uid.kind == kind::BINARY);
    id == Some(operation) && uid.and_then(|uid| uid.value.get(5..)) == Some(&digest[..])
}

#[cfg(test)]
mod tests {
    use bson::{Binary, rawdoc, spec::BinarySubtype};

    use super::*;

    #[test]
    fn an_operation_is_read_from_any_number_without_a_fraction_but_not_from_two() {
        assert_eq!(operation(rawdoc! { "killOp": 1, "op": 7 }.as_bytes()), Some(7));
        assert_eq!(operation(rawdoc! { "killOp": 1, "op": 7_i64 }.as_bytes()), Some(7));
        assert_eq!(operation(rawdoc! { "killOp": 1, "op": 7.0 }.as_bytes()), Some(7));
        assert_eq!(operation(rawdoc! { "killOp": 1, "op": 7.5 }.as_bytes()), None);
        assert_eq!(operation(rawdoc! { "killOp": 1, "op": "7" }.as_bytes()), None);
        assert_eq!(operation(rawdoc! { "killOp": 1 }.as_bytes()), None);
        assert_eq!(operation(rawdoc! { "killOp": 1, "op": 7, "op": 8 }.as_bytes()), None);
    }

    #[test]
    fn only_the_very_operation_of_the_very_user_is_ones_own() {
        let reported = |digest: [u8; 32]| {
            let uid = Binary { subtype: BinarySubtype::Generic, bytes: digest.to_vec() };
            rawdoc! { "opid": 7, "lsid": { "id": 1, "uid": uid } }
        };
        assert!(is_own(reported([1; 32]).as_bytes(), 7, &[1; 32]));
        assert!(!is_own(reported([1; 32]).as_bytes(), 8, &[1; 32]));
        assert!(!is_own(reported([1; 32]).as_bytes(), 7, &[2; 32]));
        assert!(!is_own(rawdoc! { "opid": 7 }.as_bytes(), 7, &[1; 32]));
    }
}
