//! What a mongod 6.0.5 answered to the user `me`@`app` with exactly these privileges.

use bson::raw::{RawBson, RawDocumentBuf};
use bson::rawdoc;

use crate::authz::testing::assert_verdicts;

#[test]
fn features_needs_a_privilege_only_to_reset() {
    assert_verdicts("app", &rawdoc! { "features": 1 }, &[("", "ok")]);
    for value in [bson::rawbson!(false), bson::rawbson!(0), bson::rawbson!(0.0), RawBson::Null] {
        assert_verdicts("app", &rawdoc! { "features": 1, "oidReset": value }, &[("", "ok")]);
    }
    for value in [bson::rawbson!(true), bson::rawbson!(1), bson::rawbson!(0.5), bson::rawbson!(-1_i64)] {
        assert_verdicts(
            "app",
            &rawdoc! { "features": 1, "oidReset": value },
            &[("", "13"), ("oidReset@app", "13"), ("oidReset@cluster", "ok")],
        );
    }
    let twice = rawdoc! { "features": 1, "oidReset": false, "oidReset": true };
    assert_verdicts("app", &twice, &[("", "40413 BSON field 'APIParametersFromClient.oidReset' is a duplicate field")]);
}

#[test]
fn kill_operations_answers_those_who_are_not_internal_with_its_own_error() {
    let body = rawdoc! { "_killOperations": 1, "operationKeys": [] };
    let not_internal = "20 _killOperations is only to be used by internal users";
    assert_verdicts("admin", &body, &[("", not_internal), ("killop@cluster", not_internal)]);
    assert_verdicts("admin", &body, &[("internal@cluster", "13"), ("internal@cluster killop@cluster", "ok")]);
}

#[test]
fn diagnostic_data_needs_what_its_three_parts_need() {
    let body = rawdoc! { "getDiagnosticData": 1 };
    let with = |resource: &str| format!("serverStatus@cluster replSetGetStatus@cluster collStats@{resource}");
    assert_verdicts("admin", &body, &[("", "13"), ("serverStatus@cluster replSetGetStatus@cluster", "13")]);
    assert_verdicts("admin", &body, &[(&with("local.oplog.rs"), "ok"), (&with("local"), "ok"), (&with(""), "13")]);
}

#[test]
fn one_database_or_all_are_validated() {
    let body = |more: RawBson| -> RawDocumentBuf {
        rawdoc! { "validateDBMetadata": 1, "apiParameters": { "version": "1" }, "db": more }
    };
    let all = [("", "13"), ("validate@app", "13"), ("validate@admin", "13"), ("validate@", "ok")];
    assert_verdicts("admin", &rawdoc! { "validateDBMetadata": 1, "collection": "src" }, &all);
    assert_verdicts("admin", &body(RawBson::Null), &all);
    assert_verdicts(
        "admin",
        &body(bson::rawbson!("app")),
        &[("validate@app", "ok"), ("validate@admin", "13"), ("validate@app.src", "13"), ("validate@", "ok")],
    );
    assert_verdicts(
        "admin",
        &body(bson::rawbson!(1)),
        &[("", "14 BSON field 'validateDBMetadata.db' is the wrong type 'int', expected type 'string'")],
    );
}
