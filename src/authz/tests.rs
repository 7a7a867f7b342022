//! How a verdict comes about, for all commands alike; and that it is the one that the measurements give.

mod continued;
mod facts;
mod reference;

use bson::raw::{CString, RawBson, RawDocumentBuf};
use bson::rawdoc;

use super::testing::{assert_verdicts, request, user, verdict};
use super::*;

#[test]
fn a_command_without_a_row_needs_every_action_on_every_resource() {
    let body = rawdoc! { "nosuch": 1 };
    let root = "anyAction@ anyAction@cluster anyAction@local anyAction@config find@any insert@any";
    assert_verdicts("app", &body, &[("", "13"), (root, "13"), ("anyAction@any", "ok")]);
}

#[test]
fn who_may_do_everything_is_not_asked_what_a_command_needs() {
    for row in table::TABLE.iter().filter(|row| !row.asked_of_everybody) {
        let mut body = RawDocumentBuf::new();
        body.append(CString::try_from(row.name).unwrap(), 1);
        assert_eq!(verdict(&user("anyAction@any"), "app", &body), "ok", "{}", row.name);
    }
}

#[test]
fn nobody_without_privileges_may_do_more_than_was_measured() {
    for row in table::TABLE {
        let mut body = RawDocumentBuf::new();
        body.append(CString::try_from(row.name).unwrap(), "t");
        let needs_nothing = matches!(row.needs, Needs::Nothing | Needs::By(_));
        assert!(needs_nothing || verdict(&user(""), "app", &body) != "ok", "{}", row.name);
    }
}

#[test]
fn somebody_without_a_name_is_judged_by_the_localhost_exception() {
    let permit = || Permit { subject: Subject::LocalhostException };
    let judged = |database: &str, body: &RawDocumentBuf| {
        authorize(permit(), &request(database, body, request::Sequences::None), &Cursors::default(), 0).is_ok()
    };
    let create = rawdoc! { "createUser": "root", "pwd": "p", "roles": ["root"] };
    assert!(judged("admin", &create));
    assert!(!judged("app", &create));
    assert!(judged("$external", &rawdoc! { "createUser": "root", "roles": [{ "role": "root", "db": "admin" }] }));
    assert!(!judged("$external", &rawdoc! { "createUser": "root", "roles": ["root"] }), "grantRole is on admin alone");
    assert!(judged("admin", &rawdoc! { "replSetInitiate": {} }));
    assert!(judged("admin", &rawdoc! { "availableQueryOptions": 1 }));
    assert!(!judged("admin", &rawdoc! { "serverStatus": 1 }));
    assert!(!judged("app", &rawdoc! { "drop": "t" }));
    assert!(!judged("admin", &rawdoc! { "usersInfo": 1 }));
}

#[test]
fn what_names_no_collection_gets_mongods_error() {
    let uuid = || bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] };
    let cases: &[(RawBson, &str)] = &[
        (bson::rawbson!(1), "2 collection name has invalid type int"),
        (RawBson::Null, "2 collection name has invalid type null"),
        (bson::rawbson!({ "a": 1 }), "2 collection name has invalid type object"),
        (bson::rawbson!(uuid()), "2 Collection name must be provided. UUID is not valid in this context"),
        (bson::rawbson!(""), "73 Invalid namespace specified 'app.'"),
        (bson::rawbson!(".x"), "73 Collection names cannot start with '.': .x"),
        (bson::rawbson!("x\0y"), "73 namespaces cannot have embedded null characters"),
    ];
    for (value, said) in cases {
        assert_verdicts("app", &rawdoc! { "drop": value.clone() }, &[("", said), ("dropCollection@app", said)]);
    }
    for (value, said) in [
        (bson::rawbson!(1), "2 collection name has invalid type int"),
        (bson::rawbson!(uuid()), "2 collection name has invalid type binData"),
        (bson::rawbson!(""), "73 Invalid namespace specified ''"),
        (bson::rawbson!("app"), "73 Invalid namespace specified 'app'"),
        (bson::rawbson!(".t"), "73 Invalid namespace specified '.t'"),
        (bson::rawbson!("app."), "73 Invalid namespace specified 'app.'"),
        (bson::rawbson!("app..t"), "73 Collection names cannot start with '.': .t"),
    ] {
        assert_verdicts("app", &rawdoc! { "splitVector": value }, &[("", said), ("splitVector@any", said)]);
    }
}

#[test]
fn the_older_commands_ask_for_the_whole_database_where_no_collection_is_named() {
    let body = rawdoc! { "collStats": 1 };
    assert_verdicts("app", &body, &[("", "13"), ("collStats@app.t", "13"), ("collStats@app", "ok"), ("collStats@", "ok")]);
}

#[test]
fn a_namespace_is_judged_by_its_own_database() {
    let body = rawdoc! { "dataSize": "other.t.u" };
    assert_verdicts("app", &body, &[("find@app", "13"), ("find@other", "ok"), ("find@other.t.u", "ok"), ("find@other.t", "13")]);
}

#[test]
fn a_collection_given_by_its_uuid_may_be_any_and_needs_the_action_on_everything() {
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] };
    let body = rawdoc! { "listIndexes": uuid };
    assert_verdicts(
        "app",
        &body,
        &[("listIndexes@any", "13"), ("useUUID@cluster", "13"), ("useUUID@cluster listIndexes@any", "ok")],
    );
    assert_verdicts("app", &body, &[("useUUID@cluster listIndexes@app", "13"), ("useUUID@cluster listIndexes@", "13")]);
}

#[test]
fn what_writes_to_the_collections_of_users_counts_as_administration_of_users() {
    let changes = |body: &RawDocument, database: &str| changes_users(&request(database, body, request::Sequences::Unread));
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] };
    for (body, database, expected) in [
        (rawdoc! { "createUser": "x" }, "app", true),
        (rawdoc! { "insert": "system.users" }, "admin", true),
        (rawdoc! { "update": "system.roles" }, "admin", true),
        (rawdoc! { "delete": "system.users" }, "admin", true),
        (rawdoc! { "delete": uuid }, "admin", true),
        (rawdoc! { "findAndModify": "system.users" }, "admin", true),
        (rawdoc! { "drop": "system.users" }, "admin", true),
        (rawdoc! { "dropDatabase": 1 }, "admin", true),
        (rawdoc! { "renameCollection": "app.x", "to": "admin.system.users" }, "admin", true),
        (rawdoc! { "insert": "t" }, "admin", false),
        (rawdoc! { "find": "system.users" }, "admin", false),
        (rawdoc! { "insert": "system.users" }, "app", false),
        (rawdoc! { "dropDatabase": 1 }, "app", false),
    ] {
        assert_eq!(changes(&body, database), expected, "{body:?} on {database}");
    }
}

#[test]
fn the_localhost_exception_has_neither_sessions_nor_cursors() {
    let refused = |body: &RawDocument| {
        let request = request("admin", body, request::Sequences::None);
        authorize(Permit { subject: Subject::LocalhostException }, &request, &Cursors::default(), 0).unwrap_err()
    };
    assert!(matches!(refused(&rawdoc! { "getMore": 5_i64, "collection": "t" }), Refused::NotAuthorized));
    let Refused::Error(error) = refused(&rawdoc! { "startSession": 1 }) else { panic!("no error") };
    assert_eq!(error.to_string(), "Unauthorized: there are no users authenticated");
}
