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

use super::Refused;
use super::principal::Principal;
use super::rewrite::{Rewrite, Splice};
use crate::error::{CommandError, ErrorCode};
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
                return Err(duplicate("APIParametersFromClient.lsid"));
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
            b"uid" if user.is_some() => return Err(duplicate(&format!("{path}.uid"))),
            b"uid" => user = Some(element),
            _ => {}
        }
    }
    if ids > 1 {
        return Err(duplicate(&format!("{path}.id")));
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
    Err(Refused::Error(CommandError::new(ErrorCode::BadValue, "Username too long to use with logical sessions")))
}

/// The change that names the user of `digest` in a body as it is.
pub(super) fn name_user(body: &[u8], found: Found<'_>, digest: &[u8; 32]) -> Result<Rewrite, Refused> {
    match found {
        Found::Unnamed { session, at, null: false } => {
            let end = at.saturating_add(session.len()).saturating_sub(1);
            Splice::new(at, end).map(Rewrite::Session).ok_or(Refused::NotAuthorized)
        }
        Found::Unnamed { session, null: true, .. } => {
            let named = with_user(session, digest);
            rebuilt(body, |element| (element.name == b"lsid").then(|| (kind::OBJECT, named.clone()))).map(Rewrite::Body)
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
pub(super) fn with_user(session: &[u8], digest: &[u8; 32]) -> Vec<u8> {
    let mut named = Document::default();
    Elements::of(session).filter(|element| element.name != b"uid").for_each(|element| named.append(&element));
    let value = [&32_u32.to_le_bytes()[..], &[0], digest].concat();
    named.append(&Element { kind: kind::BINARY, name: b"uid", value: &value });
    named.finish()
}

/// A body with some elements replaced: `replace` gives type and value of those.
pub(super) fn rebuilt(
    body: &[u8],
    mut replace: impl FnMut(&Element<'_>) -> Option<(u8, Vec<u8>)>,
) -> Result<RawDocumentBuf, Refused> {
    let mut rebuilt = Document::default();
    for element in Elements::of(body) {
        match replace(&element) {
            Some((kind, value)) => rebuilt.append(&Element { kind, name: element.name, value: &value }),
            None => rebuilt.append(&element),
        }
    }
    RawDocumentBuf::from_bytes(rebuilt.finish()).map_err(|_| Refused::NotAuthorized)
}

/// A body that is shorter and asks the same: without `$clusterTime`, which the upstream knows better, or, where no transaction or
/// retryable write needs it, without its logical session. For messages that naming the user would make too long for the wire.
pub(super) fn lighter(body: &[u8]) -> Option<RawDocumentBuf> {
    let has = |name: &[u8]| Elements::of(body).any(|element| element.name == name);
    let dispensable: &[u8] = match () {
        () if has(b"$clusterTime") => b"$clusterTime",
        () if has(b"lsid") && !has(b"txnNumber") => b"lsid",
        () => return None,
    };
    let mut lighter = Document::default();
    Elements::of(body).filter(|element| element.name != dispensable).for_each(|element| lighter.append(&element));
    RawDocumentBuf::from_bytes(lighter.finish()).ok()
}

/// A document in the making.
#[derive(Default)]
pub(super) struct Document(Vec<u8>);

impl Document {
    pub(super) fn append(&mut self, element: &Element<'_>) {
        self.0.push(element.kind);
        self.0.extend_from_slice(element.name);
        self.0.push(0);
        self.0.extend_from_slice(element.value);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let length = u32::try_from(self.0.len().saturating_add(5)).unwrap_or(u32::MAX);
        [&length.to_le_bytes()[..], &self.0, &[0]].concat()
    }
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

/// mongod's refusal of a name that occurs twice.
pub(super) fn duplicate(path: &str) -> Refused {
    let text = format!("BSON field '{path}' is a duplicate field");
    Refused::Error(CommandError::new(ErrorCode::Location(40413), text))
}

/// mongod's refusal of somebody else's session.
pub(super) fn not_theirs() -> Refused {
    let text = "Unauthorized to set user digest in LogicalSessionId";
    Refused::Error(CommandError::new(ErrorCode::Unauthorized, text))
}

fn wrong_length(length: usize) -> Refused {
    let text = format!("Unsupported SHA256Block hash length: {length}");
    Refused::Error(CommandError::new(ErrorCode::UnsupportedFormat, text))
}
