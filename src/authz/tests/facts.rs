//! What is judged with the help of the server behind.

use std::sync::Arc;

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Binary, rawdoc, spec::BinarySubtype};

use crate::authz::cursors::Cursors;
use crate::authz::facts::{Question, authorize, question};
use crate::authz::request::{Request, Sequences};
use crate::authz::testing::user;
use crate::authz::{Permit, Refused, Rewrite, Subject, table};
use crate::wire::command::{Command, Protocol};

fn request(body: &RawDocument) -> Request<'_> {
    let name = body.iter().next().unwrap().unwrap().0.as_str();
    let command = Command { name, database: "app", body, protocol: Protocol::Message, exhaust_allowed: false };
    Request { command, canonical_name: table::canonical_name(name), sequences: Sequences::None }
}

fn permit(privileges: &str) -> Permit {
    Permit { subject: Subject::Authenticated(Arc::new(user(privileges))) }
}

fn uuid() -> Binary {
    Binary { subtype: BinarySubtype::Uuid, bytes: vec![1; 16] }
}

fn reply(namespace: &str) -> RawDocumentBuf {
    rawdoc! { "cursor": { "id": 0_i64, "ns": namespace, "firstBatch": [] }, "ok": 1.0 }
}

/// `ok`, `13`, or code and text of an error.
fn verdict(privileges: &str, body: &RawDocument, reply: &RawDocument) -> String {
    match authorize(permit(privileges), &request(body), &Cursors::default(), reply, 0) {
        Ok(_) => "ok".to_owned(),
        Err(Refused::Error(error)) => format!("{} {}", error.code().code(), error.errmsg()),
        Err(_) => "13".to_owned(),
    }
}

fn by_uuid() -> [RawDocumentBuf; 5] {
    [
        rawdoc! { "find": uuid() },
        rawdoc! { "count": uuid() },
        rawdoc! { "distinct": uuid(), "key": "a" },
        rawdoc! { "explain": { "find": uuid() } },
        rawdoc! { "explain": { "distinct": uuid(), "key": "a" } },
    ]
}

#[test]
fn whoever_may_use_uuids_is_judged_by_the_name_that_the_server_tells() {
    for body in by_uuid() {
        assert_eq!(verdict("useUUID@cluster find@app.t", &body, &reply("app.t")), "ok", "{body:?}");
        assert_eq!(verdict("useUUID@cluster find@app.t", &body, &reply("app.other")), "13", "{body:?}");
        assert_eq!(verdict("useUUID@cluster find@app", &body, &reply("app.system.js")), "13", "{body:?}");
        assert_eq!(verdict("useUUID@cluster", &body, &reply("app.t")), "13", "{body:?}");
    }
    let body = rawdoc! { "listIndexes": uuid() };
    assert_eq!(verdict("useUUID@cluster listIndexes@app.t", &body, &reply("app.t")), "ok");
    assert_eq!(verdict("useUUID@cluster find@app.t", &body, &reply("app.t")), "13");
    let body = rawdoc! { "find": uuid(), "term": 1 };
    assert_eq!(verdict("useUUID@cluster find@app.t", &body, &reply("app.t")), "13");
}

#[test]
fn the_server_is_asked_for_a_uuid_only_if_the_user_may_use_one() {
    for body in by_uuid() {
        assert!(question(&permit("find@app"), &request(&body)).is_none(), "{body:?}");
        assert_eq!(verdict("find@app", &body, &reply("app.t")), "13", "{body:?}");
        let permit = permit("useUUID@cluster");
        let asked = question(&permit, &request(&body)).map(|question| question.command());
        let command = rawdoc! { "listIndexes": uuid(), "$db": "app", "$readPreference": { "mode": "secondaryPreferred" } };
        assert_eq!(asked, Some(command), "{body:?}");
    }
}

#[test]
fn nothing_is_asked_where_the_answer_would_change_nothing() {
    let bodies = [
        rawdoc! { "find": "t" },
        rawdoc! { "find": 1 },
        rawdoc! { "find": Binary { subtype: BinarySubtype::Generic, bytes: vec![1; 16] } },
        rawdoc! { "insert": uuid() },
        rawdoc! { "aggregate": uuid() },
        rawdoc! { "explain": { "explain": { "find": uuid() } } },
        rawdoc! { "explain": { "find": "t" } },
        rawdoc! { "explain": 1 },
        rawdoc! { "killOp": 1 },
    ];
    for body in bodies {
        assert!(question(&permit("useUUID@cluster"), &request(&body)).is_none(), "{body:?}");
        assert_eq!(verdict("useUUID@cluster find@app", &body, &reply("app.t")), "13", "{body:?}");
    }
    let unrestricted = Permit { subject: Subject::Unrestricted(None) };
    assert!(question(&unrestricted, &request(&rawdoc! { "find": uuid() })).is_none());
}

#[test]
fn what_a_uuid_does_not_name_is_told_in_the_words_of_the_server() {
    let body = rawdoc! { "find": uuid() };
    let held = "useUUID@cluster find@app";
    for code in [26, 207] {
        let reply = rawdoc! { "ok": 0.0, "errmsg": "some text", "code": code, "codeName": "x" };
        assert_eq!(verdict(held, &body, &reply), format!("{code} some text"));
    }
    let unknown = [
        rawdoc! { "ok": 0.0, "errmsg": "some text", "code": 13435, "codeName": "x" },
        rawdoc! { "ok": 0.0 },
        rawdoc! {},
        rawdoc! { "cursor": { "ns": 1 } },
        reply("app"),
        reply("app."),
        reply("other.t"),
    ];
    for reply in unknown {
        assert_eq!(verdict(held, &body, &reply), "13", "{reply:?}");
    }
}

#[test]
fn what_was_judged_by_name_is_forwarded_as_it_came_and_remembered_by_name() {
    let body = rawdoc! { "explain": { "find": uuid(), "filter": { "a": 1 } }, "verbosity": "queryPlanner" };
    let known = authorize(permit("useUUID@cluster find@app"), &request(&body), &Cursors::default(), &reply("app.t"), 0).unwrap();
    let named = rawdoc! { "explain": { "find": "t", "filter": { "a": 1 } }, "verbosity": "queryPlanner" };
    assert!(matches!(known.allowed.rewrite(), Rewrite::None));
    assert_eq!(known.judged_as, Some(named));
}

#[test]
fn a_uuid_does_not_lift_the_other_rules() {
    let body = rawdoc! { "find": uuid(), "lsid": { "id": uuid(), "uid": Binary { subtype: BinarySubtype::Generic, bytes: vec![2; 32] } } };
    assert_ne!(verdict("useUUID@cluster find@app", &body, &reply("app.t")), "ok");
    let body = rawdoc! { "find": uuid(), "find2": 1, "lsid": { "id": uuid() } };
    let known = authorize(permit("useUUID@cluster find@app"), &request(&body), &Cursors::default(), &reply("app.t"), 0).unwrap();
    assert!(matches!(known.allowed.rewrite(), Rewrite::Session(_)), "the session is given its user");
}

#[test]
fn ones_own_operation_may_be_killed_and_no_other() {
    let body = rawdoc! { "killOp": 1, "op": 7 };
    let digest = *user("").digest();
    let running = |operation: i32, digest: [u8; 32]| {
        let uid = Binary { subtype: BinarySubtype::Generic, bytes: digest.to_vec() };
        rawdoc! { "cursor": { "firstBatch": [{ "opid": operation, "lsid": { "id": 1, "uid": uid } }] }, "ok": 1.0 }
    };
    assert_eq!(verdict("", &body, &running(7, digest)), "ok");
    assert_eq!(verdict("", &body, &running(8, digest)), "13");
    assert_eq!(verdict("", &body, &running(7, [2; 32])), "13");
    assert_eq!(verdict("", &body, &rawdoc! { "cursor": { "firstBatch": [] }, "ok": 1.0 }), "13");
    assert_eq!(verdict("", &body, &reply("app.t")), "13");
    let permit = permit("");
    assert!(matches!(question(&permit, &request(&body)), Some(Question::Operation { operation: 7, .. })));
}
