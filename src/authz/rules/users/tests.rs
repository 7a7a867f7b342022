//! What a mongod 6.0.5 answered to the user `me`@`app` with exactly these privileges.

use bson::raw::RawBson;
use bson::rawdoc;

use crate::authz::testing::assert_verdicts;

const NO_NAME: &str = "2 Role name must be either a document or string";

#[test]
fn create_user_needs_the_right_to_grant_each_role_on_the_roles_own_database() {
    let body = |roles: RawBson| rawdoc! { "createUser": "new", "pwd": "p", "roles": roles };
    let elsewhere = || rawdoc! { "role": "read", "db": "other" };
    assert_verdicts(
        "app",
        &body(rawdoc! {}.into()),
        &[("", "14 BSON field 'createUser.roles' is the wrong type 'object', expected type 'array'")],
    );
    let cases: &[(RawBson, &[(&str, &str)])] = &[
        (
            bson::rawbson!([]),
            &[
                ("", "13"),
                ("createUser@app", "ok"),
                ("createUser@other", "13"),
                ("createUser@app.x", "13"),
                ("createUser@", "ok"),
            ],
        ),
        (
            bson::rawbson!(["read"]),
            &[
                ("createUser@app", "13"),
                ("grantRole@app", "13"),
                ("createUser@app grantRole@app", "ok"),
                ("createUser@app grantRole@admin", "13"),
            ],
        ),
        (
            bson::rawbson!([elsewhere()]),
            &[("createUser@app grantRole@app", "13"), ("createUser@app grantRole@other", "ok"), ("createUser@ grantRole@", "ok")],
        ),
        (
            bson::rawbson!([elsewhere(), "read"]),
            &[
                ("createUser@app grantRole@app", "13"),
                ("createUser@app grantRole@other", "13"),
                ("createUser@app grantRole@app grantRole@other", "ok"),
            ],
        ),
        (
            bson::rawbson!([{ "role": "read", "db": "" }]),
            &[("createUser@app grantRole@app grantRole@admin", "13"), ("createUser@app grantRole@", "ok")],
        ),
        (bson::rawbson!([{ "role": "read", "db": "app", "more": 1 }]), &[("", "13"), ("createUser@app grantRole@app", "ok")]),
        (bson::rawbson!([1]), &[("", NO_NAME), ("createUser@ grantRole@", NO_NAME)]),
        (bson::rawbson!([null]), &[("", NO_NAME)]),
        (bson::rawbson!([{ "role": "read" }]), &[("", "2 RoleName must contain a field named: db")]),
        (bson::rawbson!([{ "db": "app" }]), &[("", "2 RoleName must contain a field named: role")]),
        (
            bson::rawbson!([{ "role": 1, "db": "app" }]),
            &[("", "2 RoleName must contain a string field named: role. But, has type int")],
        ),
        (
            bson::rawbson!([{ "role": "read", "db": 1 }]),
            &[("", "2 RoleName must contain a string field named: db. But, has type int")],
        ),
        (bson::rawbson!(null), &[("", "10065 invalid parameter: expected an object (roles)")]),
        (bson::rawbson!("read"), &[("", "14 BSON field 'createUser.roles' is the wrong type 'string', expected type 'array'")]),
    ];
    for (roles, expected) in cases {
        assert_verdicts("app", &body(roles.clone()), expected);
    }
    let missing = "40414 BSON field 'createUser.roles' is missing but a required field";
    assert_verdicts("app", &rawdoc! { "createUser": "new", "pwd": "p" }, &[("", missing), ("createUser@app", missing)]);
}

#[test]
fn restrictions_of_a_user_need_an_action_of_their_own_even_if_empty() {
    for restrictions in [bson::rawbson!([]), bson::rawbson!([{ "clientSource": ["127.0.0.1"] }])] {
        let body = rawdoc! { "createUser": "new", "pwd": "p", "roles": [], "authenticationRestrictions": restrictions.clone() };
        assert_verdicts("app", &body, &[("createUser@app", "13"), ("createUser@app setAuthenticationRestriction@app", "ok")]);
        let body = rawdoc! { "updateUser": "you", "authenticationRestrictions": restrictions };
        assert_verdicts("app", &body, &[("updateUser@app", "13"), ("setAuthenticationRestriction@app", "ok")]);
    }
}

#[test]
fn what_names_a_role_or_the_roles_twice_is_refused() {
    let all = "createUser@ grantRole@";
    let body = rawdoc! { "createUser": "new", "roles": [{ "role": "read", "db": "app", "db": "admin" }] };
    assert_verdicts("app", &body, &[(all, "13")]);
    let body = rawdoc! { "createUser": "new", "roles": [{ "role": "read", "role": "root", "db": "app" }] };
    assert_verdicts("app", &body, &[(all, "13")]);
    let body = rawdoc! { "createUser": "new", "roles": [], "roles": ["root"] };
    assert_verdicts("app", &body, &[(all, "40413 BSON field 'APIParametersFromClient.roles' is a duplicate field")]);
    let body = rawdoc! { "usersInfo": { "user": "me", "db": "app", "user": "you" } };
    assert_verdicts("app", &body, &[("", "13")]);
}

#[test]
fn ones_own_password_and_custom_data_may_be_changed_with_less() {
    let own = rawdoc! { "updateUser": "me", "pwd": "p" };
    assert_verdicts(
        "app",
        &own,
        &[("", "13"), ("changeOwnPassword@app", "ok"), ("changePassword@app", "ok"), ("changeOwnPassword@", "ok")],
    );
    assert_verdicts(
        "app",
        &own,
        &[("changeOwnPassword@cluster", "13"), ("changeOwnPassword@other", "13"), ("changeOwnCustomData@app", "13")],
    );
    // Of another database: somebody else of the same name.
    assert_verdicts(
        "other",
        &own,
        &[("changeOwnPassword@other", "13"), ("changeOwnPassword@", "13"), ("changePassword@other", "ok")],
    );
    let other = rawdoc! { "updateUser": "you", "pwd": "p" };
    assert_verdicts("app", &other, &[("changeOwnPassword@app", "13"), ("changePassword@app", "ok")]);
    let own = rawdoc! { "updateUser": "me", "customData": { "a": 1 } };
    assert_verdicts(
        "app",
        &own,
        &[("", "13"), ("changeOwnCustomData@app", "ok"), ("changeCustomData@app", "ok"), ("changeOwnCustomData@", "ok")],
    );
    let both = rawdoc! { "updateUser": "you", "pwd": "p", "customData": {} };
    assert_verdicts("app", &both, &[("changePassword@app", "13"), ("changePassword@app changeCustomData@app", "ok")]);
}

#[test]
fn the_roles_of_a_user_need_the_right_to_revoke_everywhere() {
    let none = rawdoc! { "updateUser": "you", "roles": [] };
    assert_verdicts("app", &none, &[("", "13"), ("revokeRole@app", "13"), ("revokeRole@", "ok")]);
    let body = rawdoc! { "updateUser": "me", "roles": ["read"] };
    assert_verdicts(
        "app",
        &body,
        &[("revokeRole@", "13"), ("revokeRole@ grantRole@app", "ok"), ("revokeRole@app grantRole@app", "13")],
    );
}

#[test]
fn an_update_of_a_user_that_changes_nothing_or_is_malformed_is_mongods_error() {
    let nothing = "2 Must specify at least one field to update in updateUser";
    assert_verdicts("app", &rawdoc! { "updateUser": "you" }, &[("", nothing), ("changePassword@app", nothing)]);
    assert_verdicts("app", &rawdoc! { "updateUser": "you", "digestPassword": true }, &[("", nothing)]);
    assert_verdicts("app", &rawdoc! { "updateUser": "you", "pwd": RawBson::Null, "customData": RawBson::Null }, &[("", nothing)]);
    let body = rawdoc! { "updateUser": "you", "pwd": 1 };
    assert_verdicts(
        "app",
        &body,
        &[("changePassword@app", "14 BSON field 'updateUser.pwd' is the wrong type 'int', expected type 'string'")],
    );
    let body = rawdoc! { "updateUser": "you", "customData": 1 };
    assert_verdicts(
        "app",
        &body,
        &[("", "14 BSON field 'updateUser.customData' is the wrong type 'int', expected type 'object'")],
    );
    let body = rawdoc! { "updateUser": 1, "pwd": "p" };
    assert_verdicts(
        "app",
        &body,
        &[("", "14 BSON field 'updateUser.updateUser' is the wrong type 'int', expected type 'string'")],
    );
}

#[test]
fn mechanisms_alone_are_ones_own_to_change_and_those_of_others_part_of_the_password_which_is_stricter_than_mongod() {
    let body = rawdoc! { "updateUser": "you", "mechanisms": ["SCRAM-SHA-256"] };
    assert_verdicts("app", &body, &[("", "13"), ("changePassword@app", "ok")]);
    let own = rawdoc! { "updateUser": "me", "mechanisms": ["SCRAM-SHA-256"] };
    assert_verdicts("app", &own, &[("", "ok")]);
    assert_verdicts("other", &own, &[("", "13")]);
    let password = rawdoc! { "updateUser": "me", "mechanisms": ["SCRAM-SHA-256"], "pwd": "p" };
    assert_verdicts("app", &password, &[("", "13"), ("changeOwnPassword@app", "ok")]);
}

#[test]
fn update_user_tells_an_unknown_field_before_that_there_is_nothing_to_do() {
    let body = rawdoc! { "updateUser": "me", "lsid": {}, "nosuch": 1, "$db": "app" };
    assert_verdicts("app", &body, &[("", "40415 BSON field 'updateUser.nosuch' is an unknown field.")]);
}

#[test]
fn roles_of_users_are_granted_and_revoked_on_the_databases_of_the_roles() {
    for (command, action) in [("grantRolesToUser", "grantRole"), ("revokeRolesFromUser", "revokeRole")] {
        let body = |roles: RawBson| {
            let mut body = bson::RawDocumentBuf::new();
            body.append(bson::raw::CString::try_from(command).unwrap(), "you");
            body.append(bson::raw::cstr!("roles"), roles);
            body
        };
        let (one, two) = (format!("{action}@app"), format!("{action}@app {action}@other"));
        let roles = bson::rawbson!(["read", { "role": "read", "db": "other" }]);
        assert_verdicts("app", &body(roles), &[("", "13"), (&one, "13"), (&two, "ok"), (&format!("{action}@"), "ok")]);
        let empty = format!("2 {command} command requires a non-empty \"roles\" array");
        assert_verdicts("app", &body(bson::rawbson!([])), &[("", &empty), (&one, &empty)]);
        assert_verdicts("app", &body(bson::rawbson!([1])), &[("", NO_NAME)]);
    }
}

#[test]
fn a_user_may_see_itself_and_others_with_view_user() {
    let at_app = [("", "13"), ("viewUser@app", "ok"), ("viewUser@other", "13"), ("viewUser@cluster", "13"), ("viewUser@", "ok")];
    let at_other =
        [("", "13"), ("viewUser@app", "13"), ("viewUser@other", "ok"), ("viewUser@cluster", "13"), ("viewUser@", "ok")];
    let not_a_name = [
        ("", "2 UserName must be either a string or an object"),
        ("viewUser@app", "2 UserName must be either a string or an object"),
    ];
    let all = [("", "13"), ("viewUser@app", "13"), ("viewUser@", "13"), ("viewUser@admin", "13"), ("viewUser@cluster", "ok")];
    let cases: Vec<(RawBson, &[(&str, &str)])> = vec![
        (bson::rawbson!("me"), &[("", "ok")]),
        (bson::rawbson!({ "user": "me", "db": "app" }), &[("", "ok")]),
        (bson::rawbson!(["me"]), &[("", "ok")]),
        (bson::rawbson!([{ "user": "me", "db": "app" }, "me"]), &[("", "ok")]),
        (bson::rawbson!("you"), &at_app),
        (bson::rawbson!("me@app"), &at_app),
        (bson::rawbson!(""), &at_app),
        (bson::rawbson!({ "user": "you", "db": "app" }), &at_app),
        (bson::rawbson!({ "user": "me", "db": "other" }), &at_other),
        (bson::rawbson!(["me", "you"]), &at_app),
        (bson::rawbson!(["me", { "user": "x", "db": "other" }]), &at_other),
        (bson::rawbson!({ "user": "me", "db": "" }), &[("", "13"), ("viewUser@app", "13"), ("viewUser@", "ok")]),
        (bson::rawbson!(1), &at_app),
        (bson::rawbson!(1_i64), &at_app),
        (bson::rawbson!(1.5), &at_app),
        (bson::rawbson!({ "forAllDBs": true }), &all),
        (bson::rawbson!({ "forAllDBs": 1 }), &all),
        (bson::rawbson!({ "user": "me", "db": "app", "forAllDBs": true }), &all),
        (bson::rawbson!({ "forAllDBs": false }), &[("", "2 UserName contains an unknown field named: 'forAllDBs")]),
        (bson::rawbson!({ "forAllDBs": false, "forAllDBs": true }), &[("", "13"), ("viewUser@cluster", "13")]),
        (bson::rawbson!({ "user": "me" }), &[("", "2 UserName must contain a field named: db")]),
        (bson::rawbson!({}), &[("", "2 UserName must contain a field named: user")]),
        (bson::rawbson!({ "user": "me", "db": "app", "x": 1 }), &[("", "2 UserName contains an unknown field named: 'x")]),
        (
            bson::rawbson!({ "user": 1, "db": "app" }),
            &[("", "2 UserName must contain a string field named: user. But, has type int")],
        ),
        (bson::rawbson!(true), &not_a_name),
        (bson::rawbson!(null), &not_a_name),
        (bson::rawbson!([1]), &not_a_name),
        (bson::rawbson!([["me"]]), &not_a_name),
    ];
    for (of, expected) in cases {
        assert_verdicts("app", &rawdoc! { "usersInfo": of, "showCredentials": true }, expected);
    }
}
