//! Logical sessions belong to users.
//!
//! mongod keeps its sessions by `lsid.id` and `lsid.uid`, the SHA-256 of `user@db`, and names the user itself. One without access
//! control takes the name from the client, so doorward names the user: each command of an authenticated user whose `lsid` has no
//! `uid` gets that of the user on its way. Transactions, retryable writes, cursors and `killSessions` then belong to their users at
//! the upstream, and doorward keeps nothing of them. A `uid` that a client sent is its own, or needs `impersonate` on the cluster.
//!
//! A name that occurs twice is refused before one of the two is judged; a field of a wrong type is left to the upstream, which
//! reads it with the parser that was measured and refuses it. Source: fact sheet "Authentication and authorization semantics",
//! section 8.5; a mongod 6.0.5, with and without access control.

use base64::Engine as _;
use bson::raw::RawDocumentBuf;

use super::document::Writer;
use super::principal::Principal;
use super::refused::{duplicate, error};
use super::rewrite::{Rewrite, Splice};
use super::{Refused, document};
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// From how many bytes of `user@db` on a user can not have logical sessions.
const TOO_LONG: usize = 10_000;

/// The logical session of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// It has none, or none that the upstream will take.
    None,
    /// It names its user.
    Named {
        /// The session's document.
        session: &'a [u8],
        /// The user's digest.
        uid: &'a [u8],
    },
    /// It does not, or says `null`.
    Unnamed {
        /// The session's document.
        session: &'a [u8],
        /// Where it begins in the body.
        at: usize,
        /// Whether there is a `uid` that is `null`.
        null: bool,
    },
}

/// Finds the logical session of a body.
///
/// # Errors
/// mongod's own for a name that occurs twice and for a `uid` of a wrong length; `WholeMessage` for a body that is malformed.
pub(super) fn find(body: &[u8]) -> Result<Found<'_>, Refused> {
    let mut elements = Elements::of(body);
    let mut found = None;
    while let Some(element) = elements.next() {
        if element.name == b"lsid" {
            if found.is_some() {
                return Err(duplicate("APIParametersFromClient", b"lsid"));
            }
            let end = body.len().saturating_sub(elements.left());
            found = Some((element, end.saturating_sub(element.value.len())));
        }
    }
    if !elements.is_at_end() {
        return Err(Refused::WholeMessage);
    }
    let Some((Element { kind: kind::OBJECT, value: session, .. }, at)) = found else { return Ok(Found::None) };
    Ok(match user_of(session, "OperationSessionInfo.lsid")? {
        User::Missing { null } => Found::Unnamed { session, at, null },
        User::Digest(uid) => Found::Named { session, uid },
        User::Unreadable => Found::None,
    })
}

/// The `uid` of a logical session.
pub(super) enum User<'a> {
    Missing { null: bool },
    Digest(&'a [u8]),
    Unreadable,
}

/// Reads the `uid` of a logical session; `path` is what mongod calls the session in its errors.
pub(super) fn user_of<'a>(session: &'a [u8], path: &str) -> Result<User<'a>, Refused> {
    let mut elements = Elements::of(session);
    let mut user = None;
    let mut ids = 0_u8;
    for element in elements.by_ref() {
        match element.name {
            b"id" => ids = ids.saturating_add(1),
            b"uid" if user.is_some() => return Err(duplicate(path, b"uid")),
            b"uid" => user = Some(element),
            _ => {}
        }
    }
    if ids > 1 {
        return Err(duplicate(path, b"id"));
    }
    if !elements.is_at_end() {
        return Ok(User::Unreadable);
    }
    match user {
        None => Ok(User::Missing { null: false }),
        Some(Element { kind: kind::NULL, .. }) => Ok(User::Missing { null: true }),
        Some(Element { kind: kind::BINARY, value, .. }) => match value.split_at_checked(5) {
            Some(([_, _, _, _, 0], digest)) if digest.len() == 32 => Ok(User::Digest(digest)),
            Some(([_, _, _, _, 0], digest)) => Err(wrong_length(digest.len())),
            _ => Ok(User::Unreadable),
        },
        Some(_) => Ok(User::Unreadable),
    }
}

/// Judges the logical session of a command that `principal` sends. `may_name_others` is asked when it names somebody else.
///
/// # Errors
/// mongod's own.
pub(super) fn check(found: Found<'_>, principal: &Principal, may_name_others: impl FnOnce() -> bool) -> Result<(), Refused> {
    if found == Found::None {
        return Ok(());
    }
    check_name_length(principal)?;
    match found {
        Found::Named { uid, .. } if uid != principal.digest() && !may_name_others() => Err(not_theirs()),
        _ => Ok(()),
    }
}

/// Refuses users whose name is too long for logical sessions.
pub(super) fn check_name_length(principal: &Principal) -> Result<(), Refused> {
    let name = principal.name();
    if name.name.len().saturating_add(1).saturating_add(name.database.len()) < TOO_LONG {
        return Ok(());
    }
    Err(error(ErrorCode::BadValue, "Username too long to use with logical sessions"))
}

/// The change that names the user of `digest` in a body as it is.
pub(super) fn name_user(body: &[u8], found: Found<'_>, digest: &[u8; 32]) -> Result<Rewrite, Refused> {
    match found {
        Found::Unnamed { session, at, null: false } => {
            let end = at.saturating_add(session.len()).saturating_sub(1);
            Splice::new(at, end).map(Rewrite::Session).ok_or(Refused::NotAuthorized)
        }
        Found::Unnamed { session, null: true, .. } => {
            let named = with_user(session, digest)?;
            document::with_field(body, b"lsid", kind::OBJECT, named.as_bytes()).map(Rewrite::Body)
        }
        Found::None | Found::Named { .. } => Ok(Rewrite::None),
    }
}

/// The same for a body that was made anew.
pub(super) fn name_user_in(body: RawDocumentBuf, digest: &[u8; 32]) -> Result<RawDocumentBuf, Refused> {
    let rewrite = name_user(body.as_bytes(), find(body.as_bytes())?, digest)?;
    match rewrite.apply(body.as_bytes(), digest) {
        None => Ok(body),
        Some(bytes) => RawDocumentBuf::from_bytes(bytes).map_err(|_| Refused::NotAuthorized),
    }
}

/// A logical session with this user, whatever it said before.
pub(super) fn with_user(session: &[u8], digest: &[u8; 32]) -> Result<RawDocumentBuf, Refused> {
    let mut named = Writer::with_room_for(session);
    Elements::of(session).filter(|element| element.name != b"uid").for_each(|element| named.copy(&element));
    named.push(kind::BINARY, b"uid", &[&32_u32.to_le_bytes()[..], &[0], digest].concat());
    named.finish()
}

/// A body that is shorter and asks the same: without `$clusterTime`, which the upstream knows better, or, where no transaction or
/// retryable write needs it, without its logical session, unless that is to be kept. For messages that naming the user would make too
/// long for the wire.
pub(super) fn lighter(body: &[u8], keeps_session: bool) -> Option<RawDocumentBuf> {
    let has = |name: &[u8]| Elements::of(body).any(|element| element.name == name);
    let dispensable: &[u8] = match () {
        () if has(b"$clusterTime") => b"$clusterTime",
        () if !keeps_session && has(b"lsid") && !has(b"txnNumber") => b"lsid",
        () => return None,
    };
    document::without(body, |name| name == dispensable).ok()
}

/// A logical session as mongod compares and prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionId {
    id: Vec<u8>,
    uid: Vec<u8>,
    transaction_number: Option<i64>,
    transaction_id: Option<Vec<u8>>,
}

impl SessionId {
    /// The session of a body whose user, if it names none, is that of `digest`; `None` without a session that can be read.
    pub(super) fn of(body: &[u8], digest: Option<&[u8; 32]>) -> Option<Self> {
        let (session, uid) = match find(body).ok()? {
            Found::None => return None,
            Found::Named { session, uid } => (session, uid),
            Found::Unnamed { session, .. } => (session, digest.map_or(&[][..], |digest| &digest[..])),
        };
        let uuid = |name: &[u8]| {
            let element = Elements::of(session).named(name).filter(|element| element.kind == kind::BINARY)?;
            element.value.get(5..).filter(|bytes| bytes.len() == 16).map(<[u8]>::to_vec)
        };
        let number = Elements::of(session).named(b"txnNumber").filter(|element| element.kind == kind::LONG);
        let transaction_number = number.and_then(|element| element.value.first_chunk().copied()).map(i64::from_le_bytes);
        Some(Self { id: uuid(b"id")?, uid: uid.to_vec(), transaction_number, transaction_id: uuid(b"txnUUID") })
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_uuid(formatter, &self.id)?;
        write!(formatter, " - {} - ", base64::engine::general_purpose::STANDARD.encode(&self.uid))?;
        if let Some(number) = self.transaction_number {
            write!(formatter, "{number}")?;
        }
        formatter.write_str(" - ")?;
        self.transaction_id.as_ref().map_or(Ok(()), |id| write_uuid(formatter, id))
    }
}

fn write_uuid(formatter: &mut std::fmt::Formatter<'_>, bytes: &[u8]) -> std::fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            formatter.write_str("-")?;
        }
        write!(formatter, "{byte:02x}")?;
    }
    Ok(())
}

/// mongod's refusal of somebody else's session.
pub(super) fn not_theirs() -> Refused {
    error(ErrorCode::Unauthorized, "Unauthorized to set user digest in LogicalSessionId")
}

fn wrong_length(length: usize) -> Refused {
    error(ErrorCode::UnsupportedFormat, format!("Unsupported SHA256Block hash length: {length}"))
}

#[cfg(test)]
mod tests {
    use bson::{Binary, rawdoc, spec::BinarySubtype};

    use super::super::{Permit, Subject, authorize, cursors::Cursors, request::Sequences, testing};
    use super::*;

    fn uid(byte: u8) -> Binary {
        Binary { subtype: BinarySubtype::Generic, bytes: vec![byte; 32] }
    }

    /// What a member's command becomes, or the text of the refusal.
    fn sent_by(permit: Permit, body: &RawDocumentBuf) -> Result<Option<RawDocumentBuf>, String> {
        match authorize(permit, &testing::request("app", body, Sequences::None), &Cursors::default(), 0) {
            Ok(allowed) => {
                let digest = *allowed.digest().unwrap();
                Ok(allowed.rewrite().apply(body.as_bytes(), &digest).map(|bytes| RawDocumentBuf::from_bytes(bytes).unwrap()))
            }
            Err(Refused::Error(error)) => Err(error.errmsg().to_owned()),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    fn sent(body: &RawDocumentBuf) -> Result<Option<RawDocumentBuf>, String> {
        sent_by(testing::member(), body)
    }

    fn own() -> Binary {
        Binary { subtype: BinarySubtype::Generic, bytes: Principal::member().digest().to_vec() }
    }

    #[test]
    fn a_session_without_a_user_gets_its_own_and_one_with_a_user_keeps_it() {
        let named = rawdoc! { "find": "t", "lsid": { "id": 1, "uid": own() }, "$db": "app" };
        for body in [
            rawdoc! { "find": "t", "lsid": { "id": 1 }, "$db": "app" },
            rawdoc! { "find": "t", "lsid": { "id": 1, "uid": null }, "$db": "app" },
            rawdoc! { "find": "t", "lsid": { "uid": null, "id": 1 }, "$db": "app" },
        ] {
            assert_eq!(sent(&body), Ok(Some(named.clone())));
        }
        assert_eq!(sent(&named), Ok(None));
        // A member may impersonate.
        assert_eq!(sent(&rawdoc! { "find": "t", "lsid": { "id": 1, "uid": uid(1) }, "$db": "app" }), Ok(None));
    }

    #[test]
    fn a_session_is_its_users_where_nothing_is_enforced_too() {
        let free = || Permit { subject: Subject::Unrestricted(Some(std::sync::Arc::new(Principal::member()))) };
        let id = || rawdoc! { "id": 1 };
        let own = || rawdoc! { "id": 1, "uid": own() };
        for (body, expected) in [
            (rawdoc! { "find": "t", "lsid": id(), "$db": "app" }, rawdoc! { "find": "t", "lsid": own(), "$db": "app" }),
            (rawdoc! { "endSessions": [id()], "$db": "admin" }, rawdoc! { "endSessions": [own()], "$db": "admin" }),
            (
                rawdoc! { "killSessions": [id()], "lsid": id(), "$db": "admin" },
                rawdoc! { "killSessions": [own()], "lsid": own(), "$db": "admin" },
            ),
            (rawdoc! { "refreshSessions": [id()], "$db": "admin" }, rawdoc! { "refreshSessions": [own()], "$db": "admin" }),
            // Everybody's, as on a mongod without access control.
            (rawdoc! { "killSessions": [], "$db": "admin" }, rawdoc! { "killSessions": [], "$db": "admin" }),
        ] {
            assert_eq!(sent_by(free(), &body).map(|changed| changed.unwrap_or(body)), Ok(expected));
        }
        // Nobody has no sessions, and what the upstream refuses is left to it.
        let nobody = Permit { subject: Subject::Unrestricted(None) };
        let body = rawdoc! { "find": "t", "lsid": id(), "$db": "app" };
        let allowed = authorize(nobody, &testing::request("app", &body, Sequences::None), &Cursors::default(), 0).unwrap();
        assert!(matches!(allowed.rewrite(), Rewrite::None));
        assert_eq!(sent_by(free(), &rawdoc! { "find": "t", "lsid": { "id": 1, "id": 1 }, "$db": "app" }), Ok(None));
    }

    #[test]
    fn where_nothing_is_enforced_a_message_without_room_goes_as_it_is() {
        let most = usize::try_from(crate::wire::MAX_MESSAGE_SIZE).unwrap();
        let permit = Permit { subject: Subject::Unrestricted(Some(std::sync::Arc::new(Principal::member()))) };
        let body = rawdoc! { "insert": "t", "lsid": { "id": 1 }, "txnNumber": 1_i64, "$db": "app" };
        let request = testing::request("app", &body, Sequences::Unread);
        let allowed = authorize(permit, &request, &Cursors::default(), 0).unwrap();
        assert!(allowed.names_user());
        let fitted = allowed.fitted(&body, most).unwrap();
        assert!(matches!(fitted.rewrite(), Rewrite::None));
        assert!(!fitted.names_user());
    }

    #[test]
    fn a_transaction_stays_its_users_as_long_as_its_message_can_give_up_something_else() {
        let most = usize::try_from(crate::wire::MAX_MESSAGE_SIZE).unwrap();
        let permit = Permit { subject: Subject::Unrestricted(Some(std::sync::Arc::new(Principal::member()))) };
        let time = rawdoc! { "clusterTime": bson::Timestamp { time: 1, increment: 1 }, "signature": { "hash": uid(0) } };
        let with = |session: RawDocumentBuf| rawdoc! { "insert": "t", "lsid": session, "txnNumber": 1_i64, "$db": "app" };
        let mut body = with(rawdoc! { "id": 1 });
        body.append(bson::raw::cstr!("$clusterTime"), time);
        let request = testing::request("app", &body, Sequences::Unread);
        let fitted = authorize(permit, &request, &Cursors::default(), 0).unwrap().fitted(&body, most).unwrap();
        assert!(fitted.names_user());
        let Rewrite::Body(sent) = fitted.rewrite() else { panic!("{:?}", fitted.rewrite()) };
        assert_eq!(*sent, with(rawdoc! { "id": 1, "uid": own() }));
    }

    #[test]
    fn what_is_said_twice_is_refused() {
        let cases = [
            (rawdoc! { "find": "t", "lsid": { "id": 1 }, "lsid": { "id": 1 } }, "APIParametersFromClient.lsid"),
            (rawdoc! { "find": "t", "lsid": { "id": 1, "id": 1 } }, "OperationSessionInfo.lsid.id"),
            (rawdoc! { "find": "t", "lsid": { "id": 1, "uid": own(), "uid": uid(1) } }, "OperationSessionInfo.lsid.uid"),
        ];
        for (body, path) in cases {
            assert_eq!(sent(&body), Err(format!("BSON field '{path}' is a duplicate field")));
        }
    }

    #[test]
    fn the_sessions_of_a_list_get_their_user_and_an_empty_killsessions_is_for_ones_own_alone() {
        let one = rawdoc! { "endSessions": [{ "id": 1 }, null, { "id": 2, "uid": uid(1) }], "$db": "app" };
        let expected = rawdoc! { "endSessions": [{ "id": 1, "uid": own() }, null, { "id": 2, "uid": uid(1) }], "$db": "app" };
        assert_eq!(sent(&one), Ok(Some(expected)));
        let expected =
            rawdoc! { "killAllSessionsByPattern": [{ "uid": own() }], "lsid": { "id": 1, "uid": own() }, "$db": "app" };
        for list in [bson::rawbson!([]), bson::rawbson!([null])] {
            let mut body = RawDocumentBuf::new();
            body.append(bson::raw::cstr!("killSessions"), list);
            body.append(bson::raw::cstr!("lsid"), rawdoc! { "id": 1 });
            body.append(bson::raw::cstr!("$db"), "app");
            assert_eq!(sent(&body), Ok(Some(expected.clone())));
        }
    }

    #[test]
    fn a_message_that_the_user_makes_too_long_gives_up_what_it_can_do_without() {
        let most = usize::try_from(crate::wire::MAX_MESSAGE_SIZE).unwrap();
        let fitted = |body: &RawDocumentBuf, size: usize| {
            let request = testing::request("app", body, Sequences::Unread);
            let allowed = authorize(testing::member(), &request, &Cursors::default(), 0).unwrap();
            let fitted = allowed.fitted(body, size)?;
            let digest = *fitted.digest().unwrap();
            fitted.rewrite().apply(body.as_bytes(), &digest).map(|bytes| RawDocumentBuf::from_bytes(bytes).unwrap())
        };
        let plain = rawdoc! { "insert": "t", "lsid": { "id": 1 }, "$db": "app" };
        let named = rawdoc! { "insert": "t", "lsid": { "id": 1, "uid": own() }, "$db": "app" };
        assert_eq!(fitted(&plain, most - Splice::LEN), Some(named));
        assert_eq!(fitted(&plain, most - Splice::LEN + 1), Some(rawdoc! { "insert": "t", "$db": "app" }));
        let time =
            rawdoc! { "clusterTime": bson::Timestamp { time: 1, increment: 1 }, "signature": { "hash": uid(0), "keyId": 0_i64 } };
        let retryable = rawdoc! { "insert": "t", "lsid": { "id": 1 }, "txnNumber": 1_i64, "$clusterTime": time, "$db": "app" };
        let kept = rawdoc! { "insert": "t", "lsid": { "id": 1, "uid": own() }, "txnNumber": 1_i64, "$db": "app" };
        assert_eq!(fitted(&retryable, most), Some(kept));
        assert_eq!(fitted(&rawdoc! { "insert": "t", "lsid": { "id": 1 }, "txnNumber": 1_i64, "$db": "app" }, most), None);
    }

    #[test]
    fn a_logical_session_is_printed_as_mongod_prints_it() {
        let id = Binary { subtype: BinarySubtype::Uuid, bytes: (0..16).collect() };
        let body = rawdoc! { "find": "t", "lsid": { "id": id }, "$db": "app" };
        let text = SessionId::of(body.as_bytes(), Some(&[0; 32])).unwrap().to_string();
        assert_eq!(text, "00010203-0405-0607-0809-0a0b0c0d0e0f - AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= -  - ");
    }
}
