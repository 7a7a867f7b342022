//! `insert`, `update`, `delete`, `findAndModify`, `create`, `collMod`, `profile`, `renameCollection`, `applyOps`.

use bson::raw::{RawBson, RawDocumentBuf};
use bson::{rawbson, rawdoc};

use crate::authz::Refused;
use crate::authz::request::Sequences;
use crate::authz::rules::Granted;
use crate::authz::testing::{assert_verdicts, twice, user, verdict};

fn decimal(low: u8) -> RawBson {
    let mut bytes = [0; 16];
    (bytes[0], bytes[14], bytes[15]) = (low, 0x40, 0x30);
    RawBson::Decimal128(bson::Decimal128::from_bytes(bytes))
}

/// A decimal of these upper eight bytes.
fn odd_decimal(upper: u64) -> RawBson {
    RawBson::Decimal128(bson::Decimal128::from_bytes((u128::from(upper) << 64 | 1).to_le_bytes()))
}

/// Values that mongod takes for true where it takes bools and numbers, and values that it takes for false.
fn lenient() -> ([RawBson; 10], [RawBson; 9]) {
    let long = RawBson::Int64(1);
    (
        [
            rawbson!(true),
            rawbson!(1),
            rawbson!(2.0),
            long,
            decimal(1),
            rawbson!(f64::NAN),
            rawbson!(-1),
            // Infinity, NaN, and the largest coefficient.
            odd_decimal(0x7800_0000_0000_0000),
            odd_decimal(0xfc00_0000_0000_0000),
            odd_decimal(0x3041_ed09_bead_87bf),
        ],
        [
            rawbson!(false),
            rawbson!(0),
            rawbson!(0.0),
            RawBson::Int64(0),
            decimal(0),
            RawBson::Null,
            // Too large a coefficient in the one form, in the other, and the largest that either can hold.
            odd_decimal(0x3041_ed09_bead_87c1),
            odd_decimal(0x6000_0000_0000_0000),
            odd_decimal(0xefff_ffff_ffff_ffff),
        ],
    )
}

#[test]
fn who_may_only_remove_does_not_update_with_a_flag_that_mongod_takes_for_false() {
    let (yes, no) = lenient();
    for (flags, said) in [(yes.as_slice(), "ok"), (no.as_slice(), "13")] {
        for flag in flags {
            let body = rawdoc! { "findAndModify": "t", "update": {}, "remove": flag.clone() };
            assert_verdicts("app", &body, &[("find@app remove@app", said)]);
        }
    }
}

#[test]
fn the_flags_that_may_be_numbers_count_as_mongod_counts_them() {
    type Make = fn(RawBson) -> RawDocumentBuf;
    let cases: &[(&str, &str, Make)] = &[
        ("insert.bypassDocumentValidation", "insert@app", |flag| {
            rawdoc! { "insert": "t", "documents": [], "bypassDocumentValidation": flag }
        }),
        ("update.bypassDocumentValidation", "update@app", |flag| {
            rawdoc! { "update": "t", "updates": [], "bypassDocumentValidation": flag }
        }),
        ("delete.bypassDocumentValidation", "remove@app", |flag| {
            rawdoc! { "delete": "t", "deletes": [], "bypassDocumentValidation": flag }
        }),
        ("findAndModify.upsert", "find@app update@app", |flag| rawdoc! { "findAndModify": "t", "update": {}, "upsert": flag }),
        ("findAndModify.remove", "find@app update@app", |flag| rawdoc! { "findAndModify": "t", "remove": flag }),
        ("aggregate.bypassDocumentValidation", "find@app insert@app remove@app", |flag| {
            rawdoc! { "aggregate": "t", "pipeline": [{ "$out": "x" }], "bypassDocumentValidation": flag }
        }),
        ("create.capped", "createCollection@app", |flag| rawdoc! { "create": "t", "capped": flag }),
    ];
    let (yes, no) = lenient();
    for (field, held, make) in cases {
        for flag in &yes {
            assert_verdicts("app", &make(flag.clone()), &[(held, "13")]);
        }
        for flag in &no {
            assert_verdicts("app", &make(flag.clone()), &[(held, "ok")]);
        }
        let said =
            format!("14 BSON field '{field}' is the wrong type 'string', expected types '[bool, long, int, decimal, double']");
        assert_verdicts("app", &make("".into()), &[(held, &said)]);
    }
}

#[test]
fn a_field_that_stands_twice_is_refused_before_one_of_them_is_judged() {
    let held = "insert@app update@app find@app bypassDocumentValidation@app";
    let said = |name: &str| format!("40413 BSON field '{name}' is a duplicate field");
    let body = rawdoc! { "insert": "t", "bypassDocumentValidation": false, "bypassDocumentValidation#": true };
    assert_verdicts("app", &twice(&body), &[(held, &said("APIParametersFromClient.bypassDocumentValidation"))]);
    let body = rawdoc! { "insert": "t", "insert#": "u" };
    assert_verdicts("app", &twice(&body), &[(held, &said("APIParametersFromClient.insert"))]);
    let body = rawdoc! { "update": "t", "updates": [{ "q": {}, "u": {}, "upsert": false, "upsert#": true }] };
    assert_verdicts("app", &twice(&body), &[("update@app", &said("update.updates.upsert"))]);
}

#[test]
fn only_a_user_who_may_not_insert_has_its_updates_looked_at() {
    let body = rawdoc! { "update": "t" };
    fn judged(held: &str, sequences: Sequences<'_>) -> Result<Granted, Refused> {
        crate::authz::testing::judged(&user(held), "app", &rawdoc! { "update": "t" }, sequences)
    }
    assert!(judged("update@app insert@app", Sequences::Unread).is_ok());
    assert!(matches!(judged("update@app", Sequences::Unread), Err(Refused::WholeMessage)));
    assert!(matches!(judged("insert@app", Sequences::Unread), Err(Refused::NotAuthorized)));
    let section = |upsert: RawBson| {
        let statement = rawdoc! { "q": {}, "u": {}, "upsert": upsert };
        let mut content = b"updates\0".to_vec();
        content.extend_from_slice(rawdoc! { "q": {}, "u": {} }.as_bytes());
        content.extend_from_slice(statement.as_bytes());
        let mut sections = vec![0];
        sections.extend_from_slice(body.as_bytes());
        sections.push(1);
        sections.extend_from_slice(&i32::try_from(content.len() + 4).unwrap().to_le_bytes());
        sections.extend_from_slice(&content);
        sections
    };
    assert!(judged("update@app", Sequences::Read(&section(false.into()))).is_ok());
    assert!(matches!(judged("update@app", Sequences::Read(&section(true.into()))), Err(Refused::NotAuthorized)));
    assert!(matches!(judged("update@app", Sequences::Read(&section(1.into()))), Err(Refused::Error(_))));
    let whole = section(false.into());
    assert!(judged("update@app", Sequences::Read(&whole[..whole.len() - 1])).is_err(), "cut short");
}

#[test]
fn find_and_modify_needs_the_action_of_what_it_does() {
    assert_verdicts("app", &rawdoc! { "findAndModify": "t" }, &[("update@app", "13"), ("find@app", "ok")]);
    let body = rawdoc! { "findAndModify": "t", "update": {} };
    assert_verdicts("app", &body, &[("find@app", "13"), ("find@app remove@app", "13"), ("find@app update@app", "ok")]);
    let body = rawdoc! { "findAndModify": "t", "remove": true, "upsert": true };
    assert_verdicts("app", &body, &[("find@app remove@app", "13"), ("find@app remove@app insert@app", "ok")]);
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] };
    let said = "2 Collection name must be provided. UUID is not valid in this context";
    assert_verdicts("app", &rawdoc! { "findAndModify": uuid }, &[("find@app update@app", said)]);
}

#[test]
fn who_may_read_a_view_must_be_able_to_read_what_it_shows() {
    let join = rawbson!([{ "$lookup": { "from": "other", "pipeline": [], "as": "x" } }]);
    let plain = rawdoc! { "create": "v", "viewOn": "src" };
    let joined = rawdoc! { "create": "v", "viewOn": "src", "pipeline": join.clone() };
    let (make, read) = ("createCollection@app.v", "createCollection@app.v find@app.v");
    assert_verdicts("app", &plain, &[(make, "ok"), ("insert@app.v", "13"), (read, "13")]);
    let (one, both) = (format!("{read} find@app.src"), format!("{read} find@app.src find@app.other"));
    assert_verdicts("app", &plain, &[(&one, "ok"), (&both, "ok")]);
    assert_verdicts("app", &joined, &[(make, "ok"), (&one, "13"), (&both, "ok")]);
    let unknown = rawdoc! { "create": "v", "viewOn": "src", "pipeline": [{ "$foo": 1 }] };
    assert_verdicts("app", &unknown, &[(read, "40324 Unrecognized pipeline stage name: '$foo'")]);
    let changed = rawdoc! { "collMod": "v", "viewOn": "src", "pipeline": join };
    assert_verdicts("app", &changed, &[("collMod@app.v", "ok"), ("collMod@app.v find@app.v find@app.src", "13")]);
    for half in [rawdoc! { "collMod": "v", "viewOn": "src" }, rawdoc! { "collMod": "v", "pipeline": [] }] {
        let said = "72 Must specify both 'viewOn' and 'pipeline' when modifying a view and auth is enabled";
        assert_verdicts("app", &half, &[("collMod@app.v", said), ("", "13")]);
    }
    let empty = rawdoc! { "create": "v", "viewOn": "" };
    assert_verdicts("app", &empty, &[("insert@app.v", "2 'viewOn' cannot be empty")]);
    assert_verdicts("app", &rawdoc! { "create": "v", "viewOn": RawBson::Null }, &[("insert@app.v", "ok")]);
}

#[test]
fn the_profile_level_is_read_by_who_may_read_the_profile() {
    let held = "find@app.system.profile";
    for level in [rawbson!(-1), rawbson!(-1.0), rawbson!(-1.5), rawbson!(-2), RawBson::Int64(-1)] {
        assert_verdicts("app", &rawdoc! { "profile": level.clone(), "filter": "unset" }, &[(held, "ok"), ("find@app", "13")]);
        assert_verdicts("app", &rawdoc! { "profile": level, "slowms": 5 }, &[(held, "13"), ("enableProfiler@app", "ok")]);
    }
    for level in [rawbson!(0), rawbson!(1), rawbson!(-0.5)] {
        assert_verdicts("app", &rawdoc! { "profile": level }, &[(held, "13"), ("enableProfiler@app", "ok")]);
    }
}

#[test]
fn a_rename_within_a_database_must_not_make_readable_what_was_not() {
    let body = rawdoc! { "renameCollection": "app.a", "to": "app.b" };
    let rename = "renameCollectionSameDB@app";
    let set = "find@app.a dropCollection@app.a insert@app.b createIndex@app.b";
    assert_verdicts("admin", &body, &[(rename, "ok"), ("renameCollectionSameDB@app find@app.b", "13"), (set, "ok")]);
    assert_verdicts("admin", &body, &[("renameCollectionSameDB@app find@app.b find@app.a", "ok")]);
    let uuid = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] };
    for drop in [rawbson!(true), rawbson!(uuid), rawbson!(1), rawbson!("")] {
        let body = rawdoc! { "renameCollection": "app.a", "to": "app.b", "dropTarget": drop };
        assert_verdicts(
            "admin",
            &body,
            &[(rename, "13"), (set, "13"), ("renameCollectionSameDB@app dropCollection@app.b", "ok")],
        );
    }
    for body in [
        rawdoc! { "renameCollection": "app.system.a", "to": "app.b" },
        rawdoc! { "renameCollection": "app.a", "to": "app.system.b" },
    ] {
        assert_verdicts("admin", &body, &[("renameCollectionSameDB@any", "13"), ("renameCollectionSameDB@app find@app", "13")]);
    }
    for (to, said) in [
        (rawbson!("app"), "73 Invalid target namespace: app"),
        (rawbson!("app..b"), "73 Collection names cannot start with '.': .b"),
        (rawbson!(1), "14 'to' must be of type String"),
    ] {
        assert_verdicts("admin", &rawdoc! { "renameCollection": "app.a", "to": to }, &[(rename, said)]);
    }
}

#[test]
fn operations_of_the_oplog_need_what_they_do() {
    let body = |op: RawDocumentBuf| twice(&rawdoc! { "applyOps": [op] });
    let op = |kind: &str| rawdoc! { "op": kind, "ns": "app.t", "o": {} };
    let command = |object: RawDocumentBuf| body(rawdoc! { "op": "c", "ns": "app.$cmd", "o": object });
    let cases = [
        (body(op("i")), "insert@app.t"),
        (body(op("u")), "update@app.t insert@app.t"),
        (body(op("d")), "remove@app.t"),
        (body(op("n")), "appendOplogNote@cluster"),
        (command(rawdoc! { "create": "x" }), "createCollection@app.x"),
        (command(rawdoc! { "drop": "x" }), "dropCollection@app.x"),
        (command(rawdoc! { "dropDatabase": 1 }), "dropDatabase@app"),
        (command(rawdoc! { "collMod": "x" }), "collMod@app.x"),
        (command(rawdoc! { "renameCollection": "app.a", "to": "app.b" }), "renameCollectionSameDB@app"),
        (command(rawdoc! { "applyOps": [op("i")] }), "insert@app.t"),
    ];
    for (body, held) in &cases {
        let with = format!("applyOps@cluster {held}");
        assert_verdicts("admin", body, &[(held, "13"), ("applyOps@cluster", "13"), (&with, "ok"), ("anyAction@any", "ok")]);
    }
    let all = "applyOps@cluster anyAction@app anyAction@";
    for (body, said) in [
        (rawdoc! { "applyOps": [] }, "13"),
        (command(rawdoc! { "applyOps": [] }), "13"),
        (command(rawdoc! { "commitTransaction": 1 }), "13"),
        (command(rawdoc! { "foo": 1 }), "9 Unrecognized command in op"),
        (body(op("x")), "9 Unrecognized opType"),
        (body(rawdoc! { "op": "i", "ns": "app.t", "ui": 1, "o": {} }), "13"),
        (
            body(rawdoc! { "op": "i", "ns": "app.t", "ns#": "other.t", "o": {} }),
            "40413 BSON field 'OplogEntryBase.ns' is a duplicate field",
        ),
        (twice(&command(rawdoc! { "drop": "t", "drop#": "other" })), "40415 BSON field 'drop.drop' is an unknown field."),
        (rawdoc! { "applyOps": {} }, "14 Wrong type for 'applyOps'. Expected a array, got a object."),
        (rawdoc! { "applyOps": [1] }, "14 Wrong type for '0'. Expected a object, got a int."),
    ] {
        assert_eq!(verdict(&user(all), "admin", &body), said, "{body:?}");
    }
    let body = rawdoc! { "applyOps": [op("u")], "alwaysUpsert": false };
    assert_verdicts("admin", &body, &[("applyOps@cluster update@app.t", "ok")]);
}
