//! What the tests of authorization share: users with the privileges that a line of text names, and verdicts as text.

use std::sync::Arc;

use bson::raw::{RawArrayBuf, RawDocument, RawDocumentBuf};
use bson::rawdoc;

use super::cursors::Cursors;
use super::document::Writer;
use super::grants::Held;
use super::principal::Principal;
use super::privileges::Privileges;
use super::request::{Request, Sequences};
use super::rules::Granted;
use super::table::canonical_name;
use super::{Permit, Refused, Subject};
use crate::names::UserName;
use crate::wire::command::Command;
use crate::wire::element::{Elements, kind};

/// A resource from its text: `any`, `cluster`, or `db.collection`, where each part may be empty.
pub(crate) fn resource(text: &str) -> RawDocumentBuf {
    match text {
        "any" => rawdoc! { "anyResource": true },
        "cluster" => rawdoc! { "cluster": true },
        _ => {
            let (database, collection) = text.split_once('.').unwrap_or((text, ""));
            rawdoc! { "db": database, "collection": collection }
        }
    }
}

/// Privileges from their text: `action@resource`, with blanks between them.
pub(crate) fn privileges(text: &str) -> Privileges {
    let mut list = RawArrayBuf::new();
    for privilege in text.split_whitespace() {
        let (action, on) = privilege.split_once('@').unwrap();
        list.push(rawdoc! { "resource": resource(on), "actions": [action] });
    }
    Privileges::from_inherited(&list)
}

/// The user `me`@`app` with privileges from their text.
pub(crate) fn user(text: &str) -> Principal {
    Principal::new(UserName::new("me", "app"), Vec::new(), privileges(text))
}

/// The permit of a cluster member.
pub(crate) fn member() -> Permit {
    Permit { subject: Subject::Authenticated(Arc::new(Principal::member())) }
}

/// A command as rules see it; its first field names it.
pub(crate) fn request<'a>(database: &'a str, body: &'a RawDocument, sequences: Sequences<'a>) -> Request<'a> {
    let name = body.iter().next().and_then(Result::ok).map_or("", |(name, _)| name.as_str());
    Request { command: Command::new(name, database, body), canonical_name: canonical_name(name), sequences }
}

/// Judges a command and says `ok`, `13`, or code and text of mongod's error.
pub(crate) fn verdict(user: &Principal, database: &str, body: &RawDocumentBuf) -> String {
    match judged(user, database, body, Sequences::None) {
        Ok(Granted::AsIs) => "ok".to_owned(),
        Ok(Granted::Rewritten(_)) => "rewritten".to_owned(),
        Err(Refused::NotAuthorized) => "13".to_owned(),
        Err(Refused::Error(error)) => format!("{} {}", error.code().code(), error.errmsg()),
        Err(Refused::Answered(_)) => "answered".to_owned(),
        Err(Refused::WholeMessage) => "whole message".to_owned(),
    }
}

/// Compares verdicts with what a mongod said: for each set of privileges, one.
#[track_caller]
pub(crate) fn assert_verdicts(database: &str, body: &RawDocumentBuf, expected: &[(&str, &str)]) {
    for (privileges, said) in expected {
        assert_eq!(verdict(&user(privileges), database, body), *said, "{body:?} on {database} with {privileges:?}");
    }
}

/// What a command becomes on its way; `None` when it is not allowed or not changed.
pub(crate) fn rewritten(user: &Principal, database: &str, body: &RawDocumentBuf) -> Option<RawDocumentBuf> {
    match judged(user, database, body, Sequences::None) {
        Ok(Granted::Rewritten(body)) => Some(body),
        _ => None,
    }
}

/// Judges a command with its document sequences.
pub(crate) fn judged(user: &Principal, database: &str, body: &RawDocument, sequences: Sequences<'_>) -> Result<Granted, Refused> {
    super::judge_held(&request(database, body, sequences), Held::new(user, &Cursors::default()))
}

/// A document from text in which fields may stand twice: a name ends at its `#`.
pub(crate) fn twice(document: &RawDocument) -> RawDocumentBuf {
    let mut writer = Writer::with_room_for(document.as_bytes());
    for element in Elements::of(document.as_bytes()) {
        let name = element.name.split(|byte| *byte == b'#').next().unwrap();
        if matches!(element.kind, kind::OBJECT | kind::ARRAY) {
            let inner = twice(RawDocument::from_bytes(element.value).unwrap());
            writer.push(element.kind, name, inner.as_bytes());
        } else {
            writer.push(element.kind, name, element.value);
        }
    }
    writer.finish().unwrap()
}
