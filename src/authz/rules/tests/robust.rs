//! No rule panics, whatever a body holds.

use bson::raw::{CString, RawArrayBuf, RawBson, RawDocument, RawDocumentBuf};
use proptest::prelude::*;

use crate::authz::request::Sequences;
use crate::authz::table::{Needs, TABLE};
use crate::authz::testing::{judged, user};

const HELD: &[&str] = &[
    "",
    "find@app insert@app.x update@app",
    "applyOps@cluster inprog@cluster useUUID@cluster",
    "anyAction@any",
    "anyAction@ anyAction@cluster",
];

/// Names and values that rules look for.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "pipeline", "bypassDocumentValidation", "updates", "upsert", "remove", "capped", "viewOn", "out", "to", "dropTarget", "filter",
    "nameOnly", "authorizedCollections", "authorizedDatabases", "$ownOps", "lsid.uid", "root", "term", "$db", "op", "ns", "o", "ui",
    "$lookup", "$graphLookup", "$unionWith", "$facet", "$out", "$merge", "$changeStream", "$currentOp", "$listLocalSessions",
    "$listSessions", "$documents", "$match", "from", "coll", "db", "into", "whenMatched", "whenNotMatched", "allUsers", "users",
    "user", "find", "aggregate", "explain", "create", "applyOps", "slowms", "toCollection",
];

fn value() -> impl Strategy<Value = RawBson> {
    let leaf = prop_oneof![
        Just(RawBson::Null),
        any::<bool>().prop_map(RawBson::Boolean),
        (-2..3).prop_map(RawBson::Int32),
        any::<f64>().prop_map(RawBson::Double),
        any::<i64>().prop_map(RawBson::Int64),
        prop::sample::select(&["", "x", "app.x", "system.js", "insert", "fail", "i", "c", "admin", "\0", ".", "a."][..])
            .prop_map(|text| RawBson::String(text.to_owned())),
        prop::sample::select(NAMES).prop_map(|text| RawBson::String(text.to_owned())),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec((prop::sample::select(NAMES), inner.clone()), 0..4)
                .prop_map(|fields| RawBson::Document(document(fields))),
            prop::collection::vec(inner, 0..4).prop_map(|values| RawBson::Array(values.into_iter().collect::<RawArrayBuf>())),
        ]
    })
}

fn document(fields: Vec<(&'static str, RawBson)>) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    for (name, value) in fields {
        document.append(CString::try_from(name).unwrap(), value);
    }
    document
}

fn ruled() -> Vec<&'static str> {
    TABLE.iter().filter(|row| matches!(row.needs, Needs::By(_))).map(|row| row.name).collect()
}

fn judge(body: &RawDocument, sections: &[u8]) {
    for held in HELD {
        for sequences in [Sequences::None, Sequences::Unread, Sequences::Read(sections)] {
            for database in ["app", "admin", "config"] {
                let _ = judged(&user(held), database, body, sequences);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_arguments_make_a_rule_panic(
        name in prop::sample::select(ruled()),
        first in value(),
        fields in prop::collection::vec((prop::sample::select(NAMES), value()), 0..5),
        sections in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut body = document(vec![(name, first)]);
        for (name, value) in fields {
            body.append(CString::try_from(name).unwrap(), value);
        }
        judge(&body, &sections);
    }

    #[test]
    fn no_bytes_make_a_rule_panic(
        name in prop::sample::select(ruled()),
        kind in any::<u8>(),
        noise in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut bytes = vec![0; 4];
        bytes.push(kind);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&noise);
        bytes.push(0);
        let length = i32::try_from(bytes.len()).unwrap().to_le_bytes();
        bytes[..4].copy_from_slice(&length);
        judge(RawDocument::from_bytes(&bytes).unwrap(), &noise);
    }
}

#[test]
fn pipelines_deep_inside_each_other_are_refused_and_do_no_harm() {
    let mut pipeline = RawArrayBuf::new();
    for _ in 0..2000 {
        let mut around = RawArrayBuf::new();
        around.push(bson::rawdoc! { "$unionWith": { "coll": "src", "pipeline": pipeline } });
        pipeline = around;
    }
    let body = bson::rawdoc! { "aggregate": "src", "pipeline": pipeline };
    assert!(judged(&user("find@app"), "app", &body, Sequences::None).is_err());
    let mut ops = RawArrayBuf::new();
    for _ in 0..2000 {
        let mut around = RawArrayBuf::new();
        around.push(bson::rawdoc! { "op": "c", "ns": "app.$cmd", "o": { "applyOps": ops } });
        ops = around;
    }
    let body = bson::rawdoc! { "applyOps": ops };
    assert!(judged(&user("applyOps@cluster"), "admin", &body, Sequences::None).is_err());
}
