//! `find`, `count`, `distinct`, `explain`, `filemd5`, `mapReduce`.

use bson::raw::{RawBson, RawDocumentBuf};
use bson::{rawbson, rawdoc};

use crate::authz::request::Sequences;
use crate::authz::testing::{assert_verdicts, judged, twice, user};

#[test]
fn what_names_no_collection_gets_the_error_of_reads() {
    let cases: &[(RawBson, &str)] = &[
        (rawbson!(1), "73 Failed to parse namespace element"),
        (RawBson::Null, "73 Failed to parse namespace element"),
        (rawbson!(""), "73 Invalid namespace specified 'app.'"),
        (rawbson!(".x"), "73 Collection names cannot start with '.': .x"),
        (rawbson!("$cmd"), "73 Invalid collection name specified 'app.$cmd"),
    ];
    for (value, said) in cases {
        for body in [rawdoc! { "find": value.clone() }, rawdoc! { "count": value.clone() }, rawdoc! { "distinct": value.clone() }]
        {
            assert_verdicts("app", &body, &[("", said), ("find@app", said)]);
        }
    }
}

#[test]
fn a_read_is_not_changed_by_document_sequences_which_mongod_does_not_read_there() {
    let body = rawdoc! { "find": "t" };
    assert!(judged(&user("find@app"), "app", &body, Sequences::Unread).is_ok());
}

#[test]
fn a_term_of_any_kind_is_for_members() {
    for term in [rawbson!(1), rawbson!(false), RawBson::Null] {
        let body = rawdoc! { "find": "t", "term": term };
        assert_verdicts("app", &body, &[("find@app", "13"), ("find@app internal@cluster", "ok")]);
    }
}

fn explain(inner: RawDocumentBuf) -> RawDocumentBuf {
    twice(&rawdoc! { "explain": inner })
}

#[test]
fn explain_needs_what_the_explained_command_needs_and_refuses_what_mongod_refuses() {
    let held = |said: &'static str| [("find@app update@app", said)];
    assert_verdicts("app", &explain(rawdoc! { "find": "t" }), &held("ok"));
    assert_verdicts("app", &explain(rawdoc! { "find": "t", "$db": "app" }), &held("ok"));
    assert_verdicts("app", &explain(rawdoc! { "insert": "t", "documents": [] }), &held("13"));
    assert_verdicts("app", &explain(rawdoc! { "findandmodify": "t", "update": {} }), &held("ok"));
    assert_verdicts("app", &explain(rawdoc! { "findandmodify": "t", "remove": true }), &held("13"));
    let said = "73 Mismatched $db in explain command. Expected app but got other";
    assert_verdicts("app", &explain(rawdoc! { "find": "t", "$db": "other" }), &held(said));
    assert_verdicts("app", &explain(rawdoc! { "explain": { "find": "t" } }), &held("20 Explain cannot explain itself."));
    assert_verdicts("app", &explain(rawdoc! { "foo": 1 }), &held("59 Explain failed due to unknown command: foo"));
    assert_verdicts("app", &explain(rawdoc! {}), &held("59 Explain failed due to unknown command: "));
    let said = "14 BSON field 'explain.explain' is the wrong type 'int', expected type 'object'";
    assert_verdicts("app", &rawdoc! { "explain": 1 }, &held(said));
    let body = twice(&rawdoc! { "explain": { "find": "t" }, "explain#": { "find": "other" } });
    assert_verdicts("app", &body, &held("40413 BSON field 'APIParametersFromClient.explain' is a duplicate field"));
}

#[test]
fn explain_of_a_pipeline_that_is_narrowed_is_narrowed_too() {
    let body = explain(rawdoc! { "aggregate": 1, "pipeline": [{ "$currentOp": {} }], "cursor": {} });
    assert_verdicts("admin", &body, &[("", "rewritten"), ("anyAction@any", "rewritten")]);
}

#[test]
fn filemd5_reads_the_chunks_of_its_bucket() {
    let body = |root: RawBson| rawdoc! { "filemd5": 1, "root": root };
    assert_verdicts("app", &rawdoc! { "filemd5": 1 }, &[("find@app.fs.chunks", "ok"), ("find@app.fs", "13")]);
    assert_verdicts("app", &body("".into()), &[("find@app.fs.chunks", "ok"), ("find@app.x.chunks", "13")]);
    assert_verdicts("app", &body("x".into()), &[("find@app.fs.chunks", "13"), ("find@app.x.chunks", "ok")]);
    assert_verdicts("app", &body(1.into()), &[("find@app", "73 'root' must be of type String")]);
    let body = twice(&rawdoc! { "filemd5": 1, "root": "fs", "root#": "x" });
    let said = "40413 BSON field 'APIParametersFromClient.root' is a duplicate field";
    assert_verdicts("app", &body, &[("find@app", said)]);
}

#[test]
fn map_reduce_needs_what_its_output_needs() {
    let body = |out: RawBson| twice(&rawdoc! { "mapReduce": "src", "out": out });
    let replace = &[("find@app.src insert@app.x remove@app.x", "ok"), ("find@app.src insert@app.x update@app.x", "13")];
    assert_verdicts("app", &body("x".into()), replace);
    assert_verdicts("app", &body(rawbson!({ "replace": "x", "nonAtomic": true })), replace);
    let merge = &[("find@app.src insert@app.x remove@app.x", "13"), ("find@app.src insert@app.x update@app.x", "ok")];
    assert_verdicts("app", &body(rawbson!({ "merge": "x" })), merge);
    assert_verdicts("app", &body(rawbson!({ "reduce": "x" })), merge);
    for (out, said) in [
        (rawbson!({ "replace": "x", "replace#": "y" }), "40413 BSON field 'mapReduce.out.replace' is a duplicate field"),
        (rawbson!({ "replace": "x", "merge": "y" }), "13"),
        (rawbson!({ "inline": 1, "replace": "y" }), "13"),
        (rawbson!({}), "13522 please specify one of [replace|merge|reduce|inline] in 'out' object"),
        (rawbson!({ "replace": 1 }), "13111 wrong type for field (replace) int != string"),
        (rawbson!({ "replace": "x", "db": 1 }), "13111 wrong type for field (db) int != string"),
        (rawbson!({ "replace": "" }), "73 Invalid 'out' namespace: app."),
        (rawbson!(1), "13606 'out' has to be a string or an object"),
    ] {
        assert_verdicts("app", &body(out), &[("find@app insert@app update@app remove@app", said)]);
    }
}
