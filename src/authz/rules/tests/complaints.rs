//! What is told of the arguments of a command that is refused.

use bson::raw::{CString, RawBson, RawDocument, RawDocumentBuf};
use bson::{rawbson, rawdoc};

use crate::authz::complaint;
use crate::authz::request::{Request, Sequences};
use crate::authz::table::canonical_name;
use crate::authz::testing::twice;
use crate::wire::command::{Command, Protocol};

fn told(body: &RawDocument, sequences: Sequences<'_>) -> String {
    let name = body.iter().next().unwrap().unwrap().0.as_str();
    let command = Command { name, database: "app", body, protocol: Protocol::Message, exhaust_allowed: false };
    let request = Request { command, canonical_name: canonical_name(name), sequences };
    complaint(&request).map_or_else(String::new, |error| format!("{} {}", error.code().code(), error.errmsg()))
}

#[track_caller]
fn assert_told(cases: &[(RawDocumentBuf, &str)]) {
    for (body, expected) in cases {
        assert_eq!(told(body, Sequences::None), *expected, "{body:?}");
    }
}

#[test]
fn writes_are_read_as_a_whole() {
    let update = |statement: RawDocumentBuf| rawdoc! { "update": "t", "updates": [{ "q": {}, "u": {} }, statement] };
    let size = "16 Write batch sizes must be between 1 and 100000. Got 0 operations.";
    assert_told(&[
        (rawdoc! { "insert": "t" }, "40414 BSON field 'insert.documents' is missing but a required field"),
        (rawdoc! { "insert": "t", "documents": [] }, size),
        (
            rawdoc! { "insert": "t", "documents": {} },
            "14 BSON field 'insert.documents' is the wrong type 'object', expected type 'array'",
        ),
        (rawdoc! { "insert": "t", "documents": [{ "nosuch": 1 }] }, ""),
        (
            rawdoc! { "insert": "t", "documents": [{}], "ordered": 1 },
            "14 BSON field 'insert.ordered' is the wrong type 'int', expected type 'bool'",
        ),
        (rawdoc! { "insert": "t", "documents": [{}], "ordered": RawBson::Null }, ""),
        (rawdoc! { "insert": "t", "documents": [{}], "let": {} }, "40415 BSON field 'insert.let' is an unknown field."),
        (rawdoc! { "insert": "t", "documents": [{}], "$db": "app", "lsid": {}, "writeConcern": {}, "stmtId": 1 }, ""),
        (rawdoc! { "update": "t" }, "40414 BSON field 'update.updates' is missing but a required field"),
        (
            rawdoc! { "update": "t", "updates": [1] },
            "14 BSON field 'update.updates.0' is the wrong type 'int', expected type 'object'",
        ),
        (
            update(
                rawdoc! { "q": {}, "u": [], "upsert": false, "multi": true, "hint": "a", "collation": {}, "arrayFilters": [] },
            ),
            "",
        ),
        (update(rawdoc! { "q": {} }), "40414 BSON field 'update.updates.u' is missing but a required field"),
        (update(rawdoc! { "q": RawBson::Null, "u": {} }), "40414 BSON field 'update.updates.q' is missing but a required field"),
        (
            update(rawdoc! { "q": {}, "u": {}, "upsert": 1 }),
            "14 BSON field 'update.updates.upsert' is the wrong type 'int', expected type 'bool'",
        ),
        (update(rawdoc! { "q": {}, "u": {}, "nosuch": 1 }), "40415 BSON field 'update.updates.nosuch' is an unknown field."),
        (update(rawdoc! { "q": {}, "u": {}, "lsid": 1 }), ""),
        (update(rawdoc! { "q": {}, "u": 1 }), "9 Update argument must be either an object or an array"),
        (update(rawdoc! { "q": {}, "u": RawBson::Null }), "9 Update argument must be either an object or an array"),
        (update(rawdoc! { "q": {}, "u": {}, "hint": 1 }), "9 Hint must be a string or an object"),
        (
            update(twice(&rawdoc! { "q": {}, "u": {}, "multi": true, "multi#": false })),
            "40413 BSON field 'update.updates.multi' is a duplicate field",
        ),
        (
            rawdoc! { "delete": "t", "deletes": [{ "q": {} }] },
            "40414 BSON field 'delete.deletes.limit' is missing but a required field",
        ),
        (rawdoc! { "delete": "t", "deletes": [{ "q": {}, "limit": 1 }] }, ""),
        (rawdoc! { "findandmodify": "t", "nosuch": 1 }, "40415 BSON field 'findAndModify.nosuch' is an unknown field."),
        (
            rawdoc! { "findAndModify": "t", "new": "a" },
            "14 BSON field 'findAndModify.new' is the wrong type 'string', expected types '[bool, long, int, decimal, double']",
        ),
        (rawdoc! { "findAndModify": "t", "new": 1, "update": {} }, ""),
    ]);
}

fn sequence(identifier: &str, documents: &[RawDocumentBuf]) -> Vec<u8> {
    let bytes: Vec<u8> = documents.iter().flat_map(|document| document.as_bytes().to_vec()).collect();
    let length = i32::try_from(bytes.len() + identifier.len() + 5).unwrap().to_le_bytes();
    [&[1][..], &length, identifier.as_bytes(), &[0], &bytes].concat()
}

#[test]
fn statements_beside_the_body_count_as_those_within() {
    let read = |name: &str, identifier: &str, documents: &[RawDocumentBuf]| {
        let body = RawDocumentBuf::from_iter([(CString::try_from(name).unwrap(), "t")]);
        told(&body, Sequences::Read(&sequence(identifier, documents)))
    };
    assert_eq!(read("insert", "documents", &[rawdoc! {}]), "");
    assert_eq!(read("insert", "documents", &[]), "16 Write batch sizes must be between 1 and 100000. Got 0 operations.");
    assert_eq!(read("insert", "other", &[rawdoc! {}]), "40415 BSON field 'insert.other' is an unknown field.");
    let said = "40414 BSON field 'update.updates.u' is missing but a required field";
    assert_eq!(read("update", "updates", &[rawdoc! { "q": {} }]), said);
    assert_eq!(told(&rawdoc! { "findAndModify": "t" }, Sequences::Read(&sequence("update", &[rawdoc! {}]))), "");
    let mut cut = sequence("documents", &[rawdoc! {}]);
    cut.pop();
    assert_eq!(told(&rawdoc! { "insert": "t" }, Sequences::Read(&cut)), "");
}

#[test]
fn reads_and_their_explanations() {
    let cursor = "9 The 'cursor' option is required, except for aggregate with the explain argument";
    assert_told(&[
        (rawdoc! { "aggregate": "t", "pipeline": [] }, cursor),
        (rawdoc! { "aggregate": "t", "pipeline": [], "explain": false }, ""),
        (rawdoc! { "aggregate": "t", "pipeline": [], "cursor": {} }, ""),
        (rawdoc! { "aggregate": "t", "pipeline": [], "cursor": RawBson::Null }, "14 cursor field must be missing or an object"),
        (rawdoc! { "aggregate": "t", "pipeline": [], "nosuch": 1 }, "40415 BSON field 'aggregate.nosuch' is an unknown field."),
        (rawdoc! { "explain": { "aggregate": "t", "pipeline": [] } }, cursor),
        (
            rawdoc! { "explain": { "find": "t" }, "verbosity": "x" },
            "2 Enumeration value 'x' for field 'explain.verbosity' is not a valid value.",
        ),
        (
            rawdoc! { "explain": { "find": "t" }, "verbosity": 1 },
            "14 BSON field 'explain.verbosity' is the wrong type 'int', expected type 'string'",
        ),
        (rawdoc! { "explain": { "find": "t" }, "verbosity": "queryPlanner" }, ""),
        (rawdoc! { "explain": { "find": "t" }, "nosuch": 1 }, "40415 BSON field 'explain.nosuch' is an unknown field."),
        (rawdoc! { "find": "t", "nosuch": 1 }, ""),
        (rawdoc! { "find": "t", "$tenant": 1 }, "72 Multitenancy not enabled, cannot set $tenant in command body"),
        (rawdoc! { "nosuch": 1 }, ""),
    ]);
}

#[test]
fn administration() {
    let role =
        |actions: RawBson| rawdoc! { "createRole": "r", "privileges": [{ "resource": { "cluster": true }, "actions": actions }] };
    assert_told(&[
        (role(rawbson!(["find", "nosuch"])), "2 Unrecognized action: nosuch"),
        (role(rawbson!(["nosuch", "find", "other"])), "2 Unrecognized actions: nosuch, other"),
        (role(rawbson!(["find"])), ""),
        (role(rawbson!(1)), ""),
        (rawdoc! { "createIndexes": "t" }, "40414 BSON field 'createIndexes.indexes' is missing but a required field"),
        (rawdoc! { "createIndexes": "t", "indexes": [{}] }, ""),
        (
            rawdoc! { "moveChunk": "a.b", "nosuch": 1 },
            "40414 BSON field '_shardsvrMoveRange.toShard' is missing but a required field",
        ),
        (rawdoc! { "applyOps": [{ "op": "n" }, 1] }, "14 Wrong type for '1'. Expected a object, got a int."),
        (rawdoc! { "applyOps": [{ "ns": "a.b" }] }, "4 Wrong type for ''. Expected a string, got a missing."),
        (rawdoc! { "applyOps": [{ "op": 1 }] }, "14 Wrong type for 'op'. Expected a string, got a int."),
        (rawdoc! { "applyOps": [{ "op": "x" }] }, ""),
    ]);
}
