//! What the tests of authorization share: users with the privileges that a line of text names, and verdicts as text.

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::rawdoc;

use super::Refused;
use super::cursors::Cursors;
use super::grants::Held;
use super::principal::Principal;
use super::privileges::Privileges;
use super::request::{Request, Sequences};
use super::rules::Granted;
use super::table::canonical_name;
use crate::names::UserName;
use crate::wire::command::{Command, Protocol};

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

/// Judges a command and says `ok`, `13`, or code and text of mongod's error.
pub(crate) fn verdict(user: &Principal, database: &str, body: &RawDocumentBuf) -> String {
    let name = body.iter().next().unwrap().unwrap().0;
    let command = Command { name: name.as_str(), database, body, protocol: Protocol::Message, exhaust_allowed: false };
    let canonical_name = canonical_name(command.name);
    let request = Request { command, canonical_name, sequences: Sequences::None };
    match super::judge_held(&request, Held::new(user, &Cursors::default())) {
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
