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
/// What the client says the cluster's time is.
const CLUSTER_TIME: &[u8] = b"$clusterTime";
/// A name for the operation, by which a server finds it again to kill it.
const OPERATION_KEY: &[u8] = b"clientOperationKey";

/// How far a client's cluster time may be ahead of this host's clock, in seconds: room for clocks that differ.
const MOST_AHEAD: u32 = 60;

/// The newest cluster time, in seconds, that is believed at this time of day.
///
/// A mongod with access control believes a time that a member has signed. One without signs none and believes what it is told, so that
/// anybody could set the clock of the whole replica set a year ahead, for good. A true cluster time is never ahead of the clocks.
#[must_use]
pub(super) fn newest_time(now_ms: i64) -> u32 {
    u32::try_from(now_ms / 1000).unwrap_or(if now_ms < 0 { 0 } else { u32::MAX }).saturating_add(MOST_AHEAD)
}

/// Which of these arguments a command has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Somebody else is named for whom it is run.
    pub(super) impersonates: bool,
    has_key: bool,
    /// The latest cluster time, in seconds.
    time: Option<u32>,
}

impl Found {
    /// Which of them the upstream must not be given. mongod passes over a key from a client; a time that is not believed it refuses,
    /// but with drivers that send the latest they were told, that would shut out who was told one by a host whose clock is wrong.
    pub(super) fn withheld(self, newest_time: u32, grants: &mut dyn Grants) -> Withheld {
        let mut lacks = |action| !grants.has(Resource::Cluster, action);
        Withheld {
            impersonation: self.impersonates,
            key: self.has_key && lacks(Action::Internal),
            time: self.time.is_some_and(|time| time > newest_time) && lacks(Action::AdvanceClusterTime),
        }
    }
}

/// The arguments that are taken away on the way: the upstream would believe them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Withheld {
    /// Who may impersonate is believed here, and the upstream judges nobody.
    impersonation: bool,
    key: bool,
    time: bool,
}

impl Withheld {
    fn holds(self, name: &[u8]) -> bool {
        match name {
            IMPERSONATION => self.impersonation,
            OPERATION_KEY => self.key,
            CLUSTER_TIME => self.time,
            _ => false,
        }
    }

    /// Takes them away.
    ///
    /// # Errors
    /// `NotAuthorized`, should what is left be no document.
    pub(super) fn from(self, body: &RawDocument, granted: Granted) -> Result<Granted, Refused> {
        if self == Self::default() {
            return Ok(granted);
        }
        let body = match &granted {
            Granted::AsIs => body,
            Granted::Rewritten(rewritten) => rewritten,
        };
        document::without(body.as_bytes(), |name| self.holds(name)).map(Granted::Rewritten)
    }
}

/// Judges the arguments and tells which of those are there that may have to be taken away.
///
/// # Errors
/// mongod's, in mongod's order.
pub(super) fn check(body: &RawDocument, grants: &mut dyn Grants) -> Result<Found, Refused> {
    let (mut bypasses, mut internal, mut found) = (false, false, Found::default());
    for element in Elements::of(body.as_bytes()) {
        match element.name {
            b"mayBypassWriteBlocking" => bypasses = true,
            b"lsid" => internal |= is_internal_session(&element),
            IMPERSONATION => found.impersonates |= is_impersonation(&element),
            CLUSTER_TIME => found.time = found.time.max(seconds(&element)),
            OPERATION_KEY => found.has_key = true,
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
    if found.impersonates && lacks(Action::Impersonate) {
        return Err(error(ErrorCode::Unauthorized, "Unauthorized use of impersonation metadata."));
    }
    Ok(found)
}

/// Whether a logical session is one that a server made inside another.
fn is_internal_session(lsid: &Element<'_>) -> bool {
    let is_there = |field: &Element<'_>| !matches!(field.kind, kind::NULL | kind::UNDEFINED);
    lsid.children().into_iter().flatten().any(|field| matches!(field.name, b"txnNumber" | b"txnUUID") && is_there(&field))
}

/// The seconds of a cluster time, the latest if it says several; `None` for what is none, which the upstream refuses.
fn seconds(cluster_time: &Element<'_>) -> Option<u32> {
    let times = cluster_time.children().into_iter().flatten().filter(|field| field.name == b"clusterTime");
    times
        .filter(|time| time.kind == kind::TIMESTAMP)
        .filter_map(|time| time.value.last_chunk().copied().map(u32::from_le_bytes))
        .max()
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
    use bson::raw::RawBson;
    use bson::raw::RawDocumentBuf;
    use bson::spec::BinarySubtype;
    use bson::{Binary, rawdoc};

    use super::*;
    use crate::authz::cursors::{CursorOwner, Opened};
    use crate::authz::principal::Principal;
    use crate::authz::testing::twice;

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
            rawdoc! { "find": "x", "lsid": { "id": uuid, "txnUUID": RawBson::Null }, "txnNumber": 1_i64 },
            rawdoc! { "find": "x", "$audit": { "$impersonatedUsers": [], "$impersonatedRoles": [] } },
            rawdoc! { "find": "x", "$audit": 5, "filter": { "mayBypassWriteBlocking": true } },
        ] {
            assert_eq!(code(&body, &[]), 0, "{body:?}");
        }
    }

    fn left(body: &RawDocumentBuf, held: &'static [Action], newest_time: u32) -> RawDocumentBuf {
        let mut held = Holding(held);
        let found = check(body, &mut held).unwrap();
        match found.withheld(newest_time, &mut held).from(body, Granted::AsIs) {
            Ok(Granted::AsIs) => body.clone(),
            Ok(Granted::Rewritten(left)) => left,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn whom_a_command_is_run_for_does_not_reach_the_upstream() {
        let body = rawdoc! { "find": "x", "$audit": { "$impersonatedUsers": [1], "$impersonatedRoles": [] }, "$db": "app" };
        assert_eq!(left(&body, &[Action::Impersonate], u32::MAX), rawdoc! { "find": "x", "$db": "app" });
    }

    #[test]
    fn a_key_of_an_operation_reaches_the_upstream_from_members_alone() {
        let body = rawdoc! { "find": "x", "clientOperationKey": 1, "$db": "app" };
        assert_eq!(left(&body, &[Action::Internal], u32::MAX), body);
        assert_eq!(left(&body, &[], u32::MAX), rawdoc! { "find": "x", "$db": "app" });
    }

    #[test]
    fn a_cluster_time_that_is_ahead_reaches_the_upstream_from_those_alone_who_may_advance_it() {
        let told =
            |time: RawBson| rawdoc! { "find": "x", "$clusterTime": { "clusterTime": time, "signature": {} }, "$db": "app" };
        let at = |time: u32| RawBson::Timestamp(bson::Timestamp { time, increment: u32::MAX });
        let without = rawdoc! { "find": "x", "$db": "app" };
        for (time, expected) in [(0, true), (1000, true), (1001, false), (u32::MAX, false)] {
            let body = told(at(time));
            assert_eq!(left(&body, &[], 1000), if expected { body.clone() } else { without.clone() }, "{time}");
            assert_eq!(left(&body, &[Action::AdvanceClusterTime], 1000), body, "{time}");
        }
        // What is no time is refused by the upstream.
        for body in [told(RawBson::Int64(i64::MAX)), rawdoc! { "find": "x", "$clusterTime": 1 }] {
            assert_eq!(left(&body, &[], 1000), body);
        }
        let twice =
            twice(&rawdoc! { "find": "x", "$clusterTime": { "clusterTime": at(1), "clusterTime#": at(2000) }, "$db": "app" });
        assert_eq!(left(&twice, &[], 1000), without);
        let both =
            self::twice(&rawdoc! { "find": "x", "$clusterTime": { "clusterTime": at(2000) }, "$clusterTime#": {}, "$db": "app" });
        assert_eq!(left(&both, &[], 1000), without);
    }

    #[test]
    fn a_cluster_time_may_be_a_minute_ahead_of_the_clock() {
        for (now_ms, newest) in [(0, 60), (1_000_999, 1060), (-5000, 60), (i64::MAX, u32::MAX)] {
            assert_eq!(newest_time(now_ms), newest);
        }
    }
}
