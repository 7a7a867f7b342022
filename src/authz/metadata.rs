//! The arguments of any command that only members, and what else holds their privileges, may use.
//!
//! The upstream has no access control and would believe each of them, whoever sends it. This is the hot path: one walk over the names
//! at the top level, nothing allocated. Two fields of one name at the top level need no thought here: the upstream refuses them.
//! Source: a mongod 6.0.5, with users who hold each of these privileges alone.

use bson::raw::RawDocument;

use super::action::Action;
use super::grants::Grants;
use super::refused::error;
use super::resource::Resource;
use super::rules::Granted;
use super::{Refused, document};
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// Says that the command is run for somebody else.
const IMPERSONATION: &[u8] = b"$audit";

/// Judges the arguments; whether the command says that it is run for somebody else.
///
/// # Errors
/// mongod's, in mongod's order.
pub(super) fn check(body: &RawDocument, grants: &mut dyn Grants) -> Result<bool, Refused> {
    let (mut bypasses, mut internal, mut impersonates) = (false, false, false);
    for element in Elements::of(body.as_bytes()) {
        match element.name {
            b"mayBypassWriteBlocking" => bypasses = true,
            b"lsid" => internal |= is_internal_session(&element),
            IMPERSONATION => impersonates |= is_impersonation(&element),
            _ => {}
        }
    }
    let mut lacks = |action| !grants.has(Resource::Cluster, action);
    if bypasses && lacks(Action::Internal) {
        let text = "Client is not properly authorized to propagate mayBypassWriteBlocking";
        return Err(error(ErrorCode::Location(6_317_500), text));
    }
    if internal && lacks(Action::Internal) {
        return Err(error(ErrorCode::InvalidOptions, "Internal sessions are only allowed for internal clients"));
    }
    if impersonates && lacks(Action::Impersonate) {
        return Err(error(ErrorCode::Unauthorized, "Unauthorized use of impersonation metadata."));
    }
    Ok(impersonates)
}

/// Takes the note away for whom a command is run: who may impersonate is believed here, and the upstream judges nobody.
pub(super) fn without_impersonation(body: &RawDocument, granted: &Granted) -> Result<Granted, Refused> {
    let body = match granted {
        Granted::AsIs => body,
        Granted::Rewritten(rewritten) => rewritten,
    };
    document::without(body.as_bytes(), IMPERSONATION).map(Granted::Rewritten)
}

/// Whether a logical session is one that a server made inside another.
fn is_internal_session(lsid: &Element<'_>) -> bool {
    let is_there = |field: &Element<'_>| !matches!(field.kind, kind::NULL | kind::UNDEFINED);
    lsid.children().into_iter().flatten().any(|field| matches!(field.name, b"txnNumber" | b"txnUUID") && is_there(&field))
}

/// Whether anybody is named. What is malformed is left to the upstream, which refuses it.
fn is_impersonation(audit: &Element<'_>) -> bool {
    audit.children().into_iter().flatten().any(|field| match field.name {
        b"$impersonatedUsers" | b"$impersonatedRoles" => field.children().is_some_and(|mut names| names.next().is_some()),
        // As newer servers have it.
        b"$impersonatedUser" => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use bson::spec::BinarySubtype;
    use bson::{Binary, rawdoc};

    use super::*;
    use crate::authz::cursors::{CursorOwner, Opened};
    use crate::authz::principal::Principal;

    struct Holding(&'static [Action]);

    impl Grants for Holding {
        fn has(&mut self, resource: Resource<'_>, action: Action) -> bool {
            resource == Resource::Cluster && self.0.contains(&action)
        }

        fn principal(&self) -> Option<&Principal> {
            None
        }

        fn cursor(&self, _id: i64) -> CursorOwner {
            CursorOwner::Unknown
        }

        fn opened(&self, _id: i64) -> Option<std::sync::Arc<Opened>> {
            None
        }
    }

    fn code(body: &RawDocument, held: &'static [Action]) -> i32 {
        match check(body, &mut Holding(held)) {
            Ok(_) => 0,
            Err(Refused::Error(error)) => error.code().code(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_of_these_arguments_needs_its_privilege() {
        let uuid = || Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] };
        let user = rawdoc! { "user": "root", "db": "admin" };
        let cases = [
            (rawdoc! { "find": "x", "mayBypassWriteBlocking": false }, 6_317_500, Action::Internal),
            (rawdoc! { "find": "x", "lsid": { "id": uuid(), "txnUUID": uuid() } }, 72, Action::Internal),
            (rawdoc! { "find": "x", "lsid": { "id": uuid(), "txnNumber": 1_i64 } }, 72, Action::Internal),
            (
                rawdoc! { "find": "x", "$audit": { "$impersonatedUsers": [user.clone()], "$impersonatedRoles": [] } },
                13,
                Action::Impersonate,
            ),
            (
                rawdoc! { "find": "x", "$audit": { "$impersonatedUsers": [], "$impersonatedRoles": [user] } },
                13,
                Action::Impersonate,
            ),
        ];
        for (body, expected, action) in cases {
            let held: &'static [Action] = if action == Action::Internal { &[Action::Internal] } else { &[Action::Impersonate] };
            let other: &'static [Action] = if action == Action::Internal { &[Action::Impersonate] } else { &[Action::Internal] };
            assert_eq!((code(&body, &[]), code(&body, other), code(&body, held)), (expected, expected, 0), "{body:?}");
        }
    }

    #[test]
    fn what_says_nothing_needs_nothing() {
        let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] };
        for body in [
            rawdoc! { "find": "x", "lsid": { "id": uuid, "txnUUID": bson::raw::RawBson::Null }, "txnNumber": 1_i64 },
            rawdoc! { "find": "x", "$audit": { "$impersonatedUsers": [], "$impersonatedRoles": [] } },
            rawdoc! { "find": "x", "$audit": 5, "filter": { "mayBypassWriteBlocking": true } },
        ] {
            assert_eq!(code(&body, &[]), 0, "{body:?}");
        }
    }

    #[test]
    fn whom_a_command_is_run_for_does_not_reach_the_upstream() {
        let body = rawdoc! { "find": "x", "$audit": { "$impersonatedUsers": [1], "$impersonatedRoles": [] }, "$db": "app" };
        let Ok(Granted::Rewritten(left)) = without_impersonation(&body, &Granted::AsIs) else { panic!("not rewritten") };
        assert_eq!(left, rawdoc! { "find": "x", "$db": "app" });
    }
}
