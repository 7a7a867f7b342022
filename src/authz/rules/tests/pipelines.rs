//! `aggregate`: stages and the pipelines inside them.

use bson::raw::{RawBson, RawDocumentBuf, cstr};
use bson::{rawbson, rawdoc};

use crate::authz::testing::{assert_verdicts, twice, user, verdict};

fn aggregate(stages: RawBson) -> RawDocumentBuf {
    twice(&rawdoc! { "aggregate": "src", "pipeline": stages, "cursor": {} })
}

const ALL: &str = "find@app insert@app update@app remove@app bypassDocumentValidation@app";

#[track_caller]
fn needs(stages: RawBson, held: &str) {
    let body = aggregate(stages);
    let held: Vec<_> = held.split_whitespace().collect();
    assert_eq!(verdict(&user(&held.join(" ")), "app", &body), "ok", "{body:?}");
    for missing in &held {
        let less: Vec<_> = held.iter().filter(|other| *other != missing).copied().collect();
        assert_eq!(verdict(&user(&less.join(" ")), "app", &body), "13", "{body:?} without {missing}");
    }
}

#[test]
fn every_collection_that_is_read_is_judged() {
    needs(rawbson!([{ "$lookup": { "from": "other", "as": "x" } }]), "find@app.src find@app.other");
    needs(rawbson!([{ "$unionWith": "other" }]), "find@app.src find@app.other");
    needs(rawbson!([{ "$graphLookup": { "from": "other" } }]), "find@app.src find@app.other");
    needs(
        rawbson!([{ "$facet": { "a": [{ "$lookup": { "from": "b", "pipeline": [{ "$unionWith": { "coll": "c" } }] } }], "d": [] } }]),
        "find@app.src find@app.b find@app.c",
    );
    needs(
        rawbson!([{ "$unionWith": { "coll": "b", "pipeline": [{ "$unionWith": "system.js" }] } }]),
        "find@app.src find@app.b find@app.system.js",
    );
    needs(rawbson!([{ "$lookup": { "from": { "db": "local", "coll": "oplog.rs" } } }]), "find@app.src find@local.oplog.rs");
    needs(
        rawbson!([{ "$lookup": { "from": { "db": "config", "coll": "cache.chunks.x" } } }]),
        "find@app.src find@config.cache.chunks.x",
    );
    needs(rawbson!([{ "$lookup": { "from": "b", "pipeline": [{ "$collStats": {} }] } }]), "find@app.src collStats@app.b");
    needs(rawbson!([{ "$match": {} }, { "$collStats": {} }]), "find@app.src collStats@app.src");
    needs(rawbson!([{ "$lookup": { "pipeline": [{ "$documents": [] }] } }]), "find@app");
}

#[test]
fn the_collection_that_stands_for_a_whole_database_is_judged_as_that() {
    let everything = "listCollections@any listIndexes@any listDatabases@cluster";
    let on_admin = "find@admin listCollections@admin listIndexes@admin";
    let catalog = || rawbson!([{ "$listCatalog": {} }]);
    for stage in [
        rawbson!({ "$lookup": { "from": "$cmd.aggregate", "pipeline": catalog(), "as": "x" } }),
        rawbson!({ "$unionWith": { "coll": "$cmd.aggregate", "pipeline": catalog() } }),
        rawbson!({ "$facet": { "a": [{ "$unionWith": { "coll": "$cmd.aggregate", "pipeline": catalog() } }] } }),
    ] {
        let body = aggregate(rawbson!([stage]));
        assert_verdicts("admin", &body, &[(on_admin, "13"), (&format!("{on_admin} {everything}"), "ok")]);
    }
    let held = format!("{on_admin} createCollection@admin collMod@admin");
    for name in ["create", "collMod"] {
        let mut body = RawDocumentBuf::new();
        body.append(bson::raw::CString::try_from(name).unwrap(), "v");
        body.append(cstr!("viewOn"), "$cmd.aggregate");
        body.append(cstr!("pipeline"), catalog());
        assert_verdicts("admin", &body, &[(&held, "13"), (&format!("{held} {everything}"), "ok")]);
    }
    for stage in [rawbson!({ "$currentOp": {} }), rawbson!({ "$listLocalSessions": {} })] {
        let body = aggregate(rawbson!([{ "$unionWith": { "coll": "$cmd.aggregate", "pipeline": [stage] } }]));
        assert_verdicts("admin", &body, &[("find@admin", "13"), ("find@admin inprog@cluster listSessions@cluster", "ok")]);
    }
    needs(rawbson!([{ "$unionWith": "$cmd.aggregate" }]), "find@app");
}

#[test]
fn every_collection_that_is_written_is_judged() {
    needs(rawbson!([{ "$out": "x" }]), "find@app.src insert@app.x remove@app.x");
    needs(rawbson!([{ "$out": { "db": "b", "coll": "x" } }]), "find@app.src insert@b.x remove@b.x");
    needs(rawbson!([{ "$merge": "x" }]), "find@app.src insert@app.x update@app.x");
    needs(rawbson!([{ "$merge": { "into": { "coll": "x" } } }]), "find@app.src insert@app.x update@app.x");
    needs(rawbson!([{ "$merge": { "into": { "db": "b", "coll": "x" }, "whenMatched": "fail" } }]), "find@app.src insert@b.x");
    needs(rawbson!([{ "$merge": { "into": "x", "whenMatched": [], "whenNotMatched": "discard" } }]), "find@app.src update@app.x");
    // Where mongod takes neither, what is inside is judged all the same.
    needs(rawbson!([{ "$facet": { "a": [{ "$out": "x" }] } }]), "find@app.src insert@app.x remove@app.x");
    needs(rawbson!([{ "$out": "x" }, { "$match": {} }]), "find@app.src insert@app.x remove@app.x");
}

#[test]
fn a_change_stream_of_everything_needs_everything() {
    let body = rawdoc! { "aggregate": 1, "pipeline": [{ "$changeStream": {} }], "cursor": {} };
    let (one, all) = ("find@admin changeStream@admin", "find@ changeStream@");
    assert_verdicts("admin", &body, &[(one, "13"), (all, "ok")]);
    assert_verdicts("app", &body, &[("find@app changeStream@app", "ok"), ("find@app", "13")]);
}

#[test]
fn an_unknown_stage_is_refused_with_the_words_of_a_mongod_that_does_not_know_it() {
    for stages in [
        rawbson!([{ "$foo": 1 }]),
        rawbson!([{ "$match": {} }, { "$foo": {} }]),
        rawbson!([{ "$lookup": { "from": "b", "pipeline": [{ "$foo": 1 }] } }]),
        rawbson!([{ "$facet": { "a": [{ "$foo": 1 }] } }]),
    ] {
        let said = "40324 Unrecognized pipeline stage name: '$foo'";
        assert_verdicts("app", &aggregate(stages), &[("", said), (ALL, said), ("anyAction@any", "ok")]);
    }
}

#[test]
fn stages_that_mongod_runs_for_no_client_are_refused_once_everything_else_is_held() {
    let said = "5491300 $queue' is not allowed in user requests";
    assert_verdicts("app", &aggregate(rawbson!([{ "$queue": [] }])), &[("", "13"), ("find@app", said), ("anyAction@any", "ok")]);
    let body = aggregate(rawbson!([{ "$_internalChangeStreamTransform": {} }]));
    let said = "5491300 $_internalChangeStreamTransform' is not allowed in user requests";
    assert_verdicts("app", &body, &[("find@app", "13"), ("find@app internal@cluster", said)]);
    assert_verdicts("app", &aggregate(rawbson!([{ "$mergeCursors": {} }])), &[("find@any internal@cluster", "13")]);
}

#[test]
#[rustfmt::skip]
fn what_mongod_can_not_read_gets_its_error_whoever_asks() {
    for (stages, said) in [
        (rawbson!("x"), "14 'pipeline' option must be specified as an array"),
        (rawbson!(["x"]), "14 Each element of the 'pipeline' array must be an object"),
        (rawbson!([{}]), "40323 A pipeline stage specification object must contain exactly one field."),
        (rawbson!([{ "$match": {}, "$out": "x" }]), "40323 A pipeline stage specification object must contain exactly one field."),
        (rawbson!([{ "$lookup": "x" }]), "9 the $lookup stage specification must be an object, but found string"),
        (rawbson!([{ "$lookup": {} }]), "9 must specify 'pipeline' when 'from' is empty"),
        (rawbson!([{ "$lookup": { "from": "" } }]), "73 invalid $lookup namespace: app."),
        (rawbson!([{ "$lookup": { "from": 1 } }]), "9 $lookup 'from' field must be a string, but found int"),
        (rawbson!([{ "$lookup": { "from": "b", "from#": "c" } }]), "40413 BSON field '$lookup.from' is a duplicate field"),
        (rawbson!([{ "$lookup": { "from": "b", "pipeline": 1 } }]), "14 'pipeline' option must be specified as an array"),
        (rawbson!([{ "$lookup": { "from": { "db": "other", "coll": "t" } } }]),
         "9 $lookup with syntax {from: {db:<>, coll:<>},..} is not supported for db: other and coll: t"),
        (rawbson!([{ "$graphLookup": { "from": { "db": "local", "coll": "oplog.rs" } } }]),
         "9 $graphLookup with syntax {from: {db:<>, coll:<>},..} is not supported for db: local and coll: oplog.rs"),
        (rawbson!([{ "$graphLookup": { "from": "b", "from#": "c" } }]), "40413 BSON field '$graphLookup.from' is a duplicate field"),
        (rawbson!([{ "$unionWith": { "coll": "b", "db": "other" } }]), "40415 BSON field '$unionWith.db' is an unknown field."),
        (rawbson!([{ "$facet": {} }]), "40169 the $facet specification must be a non-empty object, but found: $facet: {}"),
        (rawbson!([{ "$facet": { "a": 1 } }]), "40170 arguments to $facet must be arrays, a is type int"),
        (rawbson!([{ "$out": 1 }]), "16990 $out only supports a string or object argument, but found int"),
        (rawbson!([{ "$out": "" }]), "73 Invalid $out target namespace, app."),
        (rawbson!([{ "$out": { "db": "", "coll": "x" } }]), "73 Invalid $out target namespace, .x"),
        (rawbson!([{ "$out": { "db": 1, "coll": "x" } }]), "13111 wrong type for field (db) int != string"),
        (rawbson!([{ "$out": { "db": "b", "coll": "x", "coll#": "y" } }]),
         "16994 If an object is passed to $out it must have exactly 2 fields: 'db' and 'coll'"),
        (rawbson!([{ "$merge": 1 }]), "14 $merge requires a string or object argument, but found int"),
        (rawbson!([{ "$merge": {} }]), "40414 BSON field '$merge.into' is missing but a required field"),
        (rawbson!([{ "$merge": { "into": "a", "into#": "b" } }]), "40413 BSON field '$merge.into' is a duplicate field"),
        (rawbson!([{ "$merge": { "into": 1 } }]), "51178 $merge 'into' field  must be either a string or an object, but found int"),
        (rawbson!([{ "$merge": { "into": { "db": "x" } } }]),
         "5786801 $merge 'into' field must specify a 'coll' that is not empty, null or undefined"),
        (rawbson!([{ "$merge": { "into": "x", "whenMatched": "foo" } }]), "2 Enumeration value 'foo' for field 'whenMatched' is not a valid value."),
        (rawbson!([{ "$merge": { "into": "x", "whenMatched": 1 } }]),
         "51191 $merge 'whenMatched' field  must be either a string or an array, but found int"),
        (rawbson!([{ "$merge": { "into": "x", "whenNotMatched": "foo" } }]),
         "2 Enumeration value 'foo' for field '$merge.whenNotMatched' is not a valid value."),
        (rawbson!([{ "$merge": { "into": "x", "whenMatched": "fail", "whenNotMatched": "discard" } }]),
         "51181 Combination of $merge modes 'whenMatched: fail' and 'whenNotMatched: discard' is not supported"),
    ] {
        assert_verdicts("app", &aggregate(stages), &[("", said), (ALL, said)]);
    }
}

#[test]
fn the_first_field_is_a_collection_or_one() {
    let body = |first: RawBson| rawdoc! { "aggregate": first, "pipeline": [], "cursor": {} };
    for one in [rawbson!(1), rawbson!(1.0), RawBson::Int64(1)] {
        assert_verdicts("app", &body(one), &[("find@app.src", "13"), ("find@app", "ok")]);
    }
    for (first, said) in [
        (rawbson!(2), "9 Invalid command format: the 'aggregate' field must specify a collection name or 1"),
        (rawbson!(true), "14 collection name has invalid type: bool"),
        (rawbson!(""), "73 Invalid namespace specified 'app.'"),
        (rawbson!("$cmd.aggregate"), "73 Invalid namespace specified 'app.$cmd.aggregate'"),
        (rawbson!(".x"), "73 Collection names cannot start with '.': .x"),
    ] {
        assert_verdicts("app", &body(first), &[("", said), ("find@app", said)]);
    }
    let body = rawdoc! { "aggregate": "src", "cursor": {} };
    assert_verdicts("app", &body, &[("find@app", "40414 BSON field 'aggregate.pipeline' is missing but a required field")]);
    let body = twice(&rawdoc! { "aggregate": "src", "pipeline": [], "pipeline#": [{ "$unionWith": "other" }] });
    let said = "40413 BSON field 'APIParametersFromClient.pipeline' is a duplicate field";
    assert_verdicts("app", &body, &[("find@app", said)]);
}
