//! What is listed is narrowed to what the asker may see; expectations from a mongod with access control.

use bson::raw::{RawBson, RawDocumentBuf, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, Regex, rawbson, rawdoc};

use crate::authz::testing::{assert_verdicts, rewritten, twice, user};

fn filter(held: &str, database: &str, body: &RawDocumentBuf) -> RawDocumentBuf {
    let body = rewritten(&user(held), database, body).unwrap();
    body.get_document("filter").unwrap().to_owned()
}

fn named(names: &[&str]) -> RawDocumentBuf {
    let names: bson::raw::RawArrayBuf = names.iter().copied().collect();
    rawdoc! { "name": { "$in": names } }
}

fn regex(pattern: &bson::raw::CStr) -> Regex {
    Regex { pattern: pattern.to_owned(), options: cstr!("").to_owned() }
}

#[test]
fn databases_are_shown_to_who_may_do_anything_there() {
    let body = rawdoc! { "listDatabases": 1, "$db": "admin" };
    let normal = || rawdoc! { "name": { "$nin": ["local", "config"] } };
    for (held, expected) in [
        ("", rawdoc! { "$or": [named(&[])] }),
        ("find@cluster", rawdoc! { "$or": [named(&[])] }),
        ("find@app.src insert@other find@app", rawdoc! { "$or": [named(&["app", "other"])] }),
        ("find@ find@local.x", rawdoc! { "$or": [named(&["local"]), normal()] }),
    ] {
        assert_eq!(filter(held, "admin", &body), expected, "{held}");
    }
    for held in ["find@any", "find@.src", "listDatabases@cluster"] {
        assert_verdicts("admin", &body, &[(held, "ok")]);
    }
}

#[test]
fn who_asks_for_authorized_databases_gets_no_more_for_the_cluster_action() {
    let body = |authorized: RawBson| rawdoc! { "listDatabases": 1, "authorizedDatabases": authorized };
    let all = "listDatabases@cluster";
    assert_verdicts("admin", &body(true.into()), &[(all, "rewritten"), ("find@any", "ok")]);
    let said = "13 Insufficient permissions to list all databases";
    assert_verdicts("admin", &body(false.into()), &[(all, "ok"), ("find@app", said), ("find@any", said)]);
    assert_verdicts("admin", &body(RawBson::Null), &[(all, "ok"), ("find@app", "rewritten")]);
    let said = "14 BSON field 'listDatabases.authorizedDatabases' is the wrong type 'int', expected type 'bool'";
    assert_verdicts("admin", &body(1.into()), &[(all, said)]);
}

#[test]
fn a_filter_of_the_client_is_kept_behind_what_is_seen_and_everything_else_in_its_order() {
    let body = rawdoc! { "listDatabases": 1, "filter": { "name": "x" }, "nameOnly": true, "$db": "admin" };
    let expected = rawdoc! {
        "listDatabases": 1,
        "filter": { "$and": [{ "$or": [named(&["app"])] }, { "name": "x" }] },
        "nameOnly": true,
        "$db": "admin",
    };
    assert_eq!(rewritten(&user("find@app"), "admin", &body), Some(expected));
    let said = "14 BSON field 'listDatabases.filter' is the wrong type 'int', expected type 'object'";
    assert_verdicts("admin", &rawdoc! { "listDatabases": 1, "filter": 1 }, &[("find@app", said)]);
    let said = "40413 BSON field 'APIParametersFromClient.filter' is a duplicate field";
    assert_verdicts("admin", &twice(&rawdoc! { "listDatabases": 1, "filter": {}, "filter#": {} }), &[("find@app", said)]);
}

#[test]
fn names_of_collections_are_shown_to_who_may_do_anything_with_them() {
    let body = rawdoc! { "listCollections": 1, "nameOnly": true, "authorizedCollections": true };
    let normal = || rawdoc! { "name": { "$not": regex(cstr!(r"^system\.")) } };
    for (held, expected) in [
        ("find@app.src insert@app.nosuch find@other.x", rawdoc! { "$or": [named(&["nosuch", "src"])] }),
        ("find@.src", rawdoc! { "$or": [named(&["src"])] }),
        ("find@app find@app.system.js", rawdoc! { "$or": [named(&["system.js"]), normal()] }),
        ("listCollections@", rawdoc! { "$or": [named(&[]), normal()] }),
    ] {
        assert_eq!(filter(held, "app", &body), expected, "{held}");
    }
    let local = rawdoc! { "name": { "$not": regex(cstr!(r"^(system|replset)\.")) } };
    assert_eq!(filter("find@local", "local", &body), rawdoc! { "$or": [named(&[]), local] });
    assert_verdicts("app", &body, &[("find@any", "ok"), ("find@other.src", "13"), ("find@cluster", "13")]);
    for database in ["local", "config"] {
        assert_verdicts(database, &body, &[("find@", "13")]);
    }
}

#[test]
fn collections_are_listed_as_they_are_to_who_does_not_ask_for_the_authorized_ones() {
    for body in [
        rawdoc! { "listCollections": 1 },
        rawdoc! { "listCollections": 1, "nameOnly": true, "authorizedCollections": RawBson::Null },
    ] {
        assert_verdicts("app", &body, &[("find@app", "13"), ("listCollections@app", "ok")]);
    }
    let body = rawdoc! { "listCollections": 1, "nameOnly": false, "authorizedCollections": true };
    assert_verdicts("app", &body, &[("find@app", "13"), ("listCollections@app", "rewritten"), ("listCollections@any", "ok")]);
    let said = "14 BSON field 'listCollections.nameOnly' is the wrong type 'int', expected type 'bool'";
    assert_verdicts("app", &rawdoc! { "listCollections": 1, "nameOnly": 1 }, &[("listCollections@app", said)]);
}

fn digest() -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: user("").digest().to_vec() }
}

#[test]
fn own_operations_need_nothing_and_are_known_by_their_sessions() {
    for own in [rawbson!(true), rawbson!(1), rawbson!(""), rawbson!({})] {
        let body = rawdoc! { "currentOp": 1, "$ownOps": own.clone(), "secs_running": { "$gt": 1 }, "$db": "admin" };
        let expected = rawdoc! {
            "currentOp": 1, "lsid.uid": digest(), "$ownOps": own, "secs_running": { "$gt": 1 }, "$db": "admin",
        };
        for held in ["", "inprog@cluster", "anyAction@any"] {
            assert_eq!(rewritten(&user(held), "admin", &body).as_ref(), Some(&expected));
        }
    }
    for own in [rawbson!(false), rawbson!(0), RawBson::Null] {
        assert_verdicts("admin", &rawdoc! { "currentOp": 1, "$ownOps": own }, &[("", "13"), ("inprog@cluster", "ok")]);
    }
    let body = rawdoc! { "currentOp": 1, "$ownOps": true, "lsid.uid": 1 };
    assert_verdicts("admin", &body, &[("", "40413 BSON field 'currentOp.lsid.uid' is a duplicate field")]);
}

#[test]
fn the_stage_shows_own_operations_unless_all_are_asked_for() {
    let body = |stage: RawDocumentBuf| {
        twice(&rawdoc! { "aggregate": 1, "pipeline": [stage, { "$limit": 1 }], "cursor": {}, "$db": "admin" })
    };
    let own = rawdoc! { "$currentOp": { "allUsers": false, "idleSessions": true } };
    let expected = rawdoc! {
        "aggregate": 1,
        "pipeline": [own.clone(), { "$match": { "lsid.uid": digest() } }, { "$limit": 1 }],
        "cursor": {},
        "$db": "admin",
    };
    for held in ["", "inprog@cluster", "anyAction@any"] {
        assert_eq!(rewritten(&user(held), "admin", &body(own.clone())).as_ref(), Some(&expected));
    }
    let all = |said: &'static str| [("", said), ("inprog@cluster", "ok")];
    assert_verdicts("admin", &body(rawdoc! { "$currentOp": { "allUsers": true } }), &all("13"));
    assert_verdicts("admin", &body(rawdoc! { "$currentOp": { "allUsers": false, "allUsers#": true } }), &all("13"));
    assert_verdicts("admin", &body(rawdoc! { "$currentOp": { "allUsers": true, "allUsers#": false } }), &all("13"));
    let said = "14 The 'allUsers' parameter of the $currentOp stage must be a boolean value, but found: int";
    assert_verdicts("admin", &body(rawdoc! { "$currentOp": { "allUsers": 1 } }), &[("", said)]);
    let said = "14 $currentOp options must be specified in an object, but found: int";
    assert_verdicts("admin", &body(rawdoc! { "$currentOp": 1 }), &[("", said)]);
    let said = "73 $currentOp must be run against the 'admin' database with {aggregate: 1}";
    assert_verdicts("app", &body(own), &[("", said), ("inprog@cluster", said)]);
}

#[test]
fn own_sessions_are_asked_for_by_name() {
    let me = || rawdoc! { "user": "me", "db": "app" };
    let stage = |options: RawBson| rawdoc! { "aggregate": 1, "pipeline": [{ "$listLocalSessions": options }], "cursor": {} };
    let expected = rawdoc! {
        "aggregate": 1,
        "pipeline": [{ "$listLocalSessions": { "users": [me()] } }, { "$addFields": { "user": { "$literal": "me@app" } } }],
        "cursor": {},
    };
    for options in [
        rawbson!({}),
        rawbson!({ "allUsers": false }),
        rawbson!({ "allUsers": RawBson::Null, "users": [] }),
        rawbson!({ "users": [me()] }),
        rawbson!({ "users": [{ "db": "app", "user": "me" }] }),
    ] {
        assert_eq!(rewritten(&user(""), "app", &stage(options)).as_ref(), Some(&expected));
    }
    for options in [
        rawbson!({ "allUsers": true }),
        rawbson!({ "users": [me(), { "user": "you", "db": "app" }] }),
        rawbson!({ "users": [{ "user": "me", "db": "admin" }] }),
        rawbson!({ "users": [1] }),
    ] {
        assert_verdicts("app", &stage(options), &[("", "13"), ("listSessions@cluster", "ok")]);
    }
    let body = |collection: &str| rawdoc! { "aggregate": collection, "pipeline": [{ "$listSessions": {} }], "cursor": {} };
    let expected = rawdoc! {
        "aggregate": "system.sessions",
        "pipeline": [
            { "$listSessions": { "users": [me()] } },
            { "$addFields": { "user": { "$literal": { "name": "me@app" } } } },
        ],
        "cursor": {},
    };
    assert_eq!(rewritten(&user(""), "config", &body("system.sessions")), Some(expected));
    assert_verdicts("config", &body("x"), &[("", "73 $listSessions may only be run against config.system.sessions")]);
    let said = "73 $listLocalSessions must be run against the database with {aggregate: 1}, not a collection";
    let body = rawdoc! { "aggregate": "t", "pipeline": [{ "$listLocalSessions": {} }], "cursor": {} };
    assert_verdicts("app", &body, &[("", said)]);
}

#[test]
fn what_shows_ones_own_inside_another_pipeline_needs_the_right_to_everybodys() {
    let body = rawdoc! {
        "aggregate": "system.sessions",
        "pipeline": [{ "$unionWith": { "coll": "system.sessions", "pipeline": [{ "$listSessions": {} }] } }],
        "cursor": {},
    };
    let held = "find@config.system.sessions listSessions@cluster";
    assert_verdicts("config", &body, &[("find@config.system.sessions", "13"), (held, "ok")]);
}
