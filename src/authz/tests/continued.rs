//! Where nothing is enforced a cursor is continued as it was opened, whoever does so.

use std::sync::Arc;

use bson::raw::RawDocumentBuf;
use bson::{Binary, rawdoc, spec::BinarySubtype};

use crate::authz::cursors::{Cursors, Opened};
use crate::authz::principal::Principal;
use crate::authz::privileges::Privileges;
use crate::authz::request::Sequences;
use crate::authz::{Permit, Subject, authorize, testing};
use crate::names::UserName;
use crate::wire::command::Command;

const CURSOR: i64 = 7;

fn principal(name: &str) -> Arc<Principal> {
    let name = UserName { name: name.to_owned(), database: "admin".to_owned() };
    Arc::new(Principal::new(name, Vec::new(), Privileges::default()))
}

fn get_more(owner: Option<&Principal>) -> RawDocumentBuf {
    let mut session = rawdoc! { "id": 1 };
    if let Some(owner) = owner {
        let uid = Binary { subtype: BinarySubtype::Generic, bytes: owner.digest().to_vec() };
        session.append(bson::raw::cstr!("uid"), uid);
    }
    rawdoc! { "getMore": CURSOR, "collection": "t", "lsid": session, "$db": "app" }
}

#[test]
fn a_cursor_is_continued_in_the_session_that_it_was_opened_in() {
    let (alice, bob) = (principal("alice"), principal("bob"));
    let find = rawdoc! { "find": "t", "lsid": { "id": 1 }, "$db": "app" };
    for opener in [None, Some(&alice)] {
        let cursors = Cursors::default();
        cursors.remember(CURSOR, Opened::new(opener.cloned(), true, &Command::new("find", "app", &find)));
        for asker in [None, Some(&alice), Some(&bob)] {
            let permit = Permit { subject: Subject::Unrestricted(asker.cloned()) };
            let body = get_more(None);
            let allowed = authorize(permit, &testing::request("app", &body, Sequences::None), &cursors, 0).unwrap();
            let digest = allowed.digest().copied().unwrap_or_default();
            let sent = allowed.rewrite().apply(body.as_bytes(), &digest).unwrap_or_else(|| body.as_bytes().to_vec());
            assert_eq!(RawDocumentBuf::from_bytes(sent).unwrap(), get_more(opener.map(AsRef::as_ref)));
        }
    }
}
