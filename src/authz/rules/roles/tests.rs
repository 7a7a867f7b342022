//! What a mongod 6.0.5 answered to the user `me`@`app` with exactly these privileges.

use bson::raw::{CString, RawBson, RawDocumentBuf, cstr};
use bson::rawdoc;

use crate::authz::principal::Principal;
use crate::authz::privileges::Privileges;
use crate::authz::testing::{assert_verdicts, verdict};
use crate::names::{RoleName, UserName};

const FORM: &str = "9 resource must have exactly db and collection set, or have only cluster set  or have only anyResource set";

fn create_role(privileges: RawBson, roles: RawBson) -> RawDocumentBuf {
    rawdoc! { "createRole": "new", "privileges": privileges, "roles": roles }
}

fn on(resource: RawBson) -> RawBson {
    bson::rawbson!([{ "resource": resource, "actions": ["find"] }])
}

#[test]
fn a_privilege_is_granted_on_the_database_of_its_resource_or_else_on_admin() {
    let of_app = [
        ("createRole@app", "13"),
        ("createRole@app grantRole@admin", "13"),
        ("createRole@app grantRole@app", "ok"),
        ("grantRole@app", "13"),
    ];
    let of_admin = [
        ("createRole@app", "13"),
        ("createRole@app grantRole@app", "13"),
        ("createRole@app grantRole@admin", "ok"),
        ("createRole@ grantRole@", "ok"),
    ];
    for resource in [
        bson::rawbson!({ "db": "app", "collection": "" }),
        bson::rawbson!({ "db": "app", "collection": "c" }),
        bson::rawbson!({ "db": "app", "collection": "c", "more": 1 }),
    ] {
        assert_verdicts("app", &create_role(on(resource), bson::rawbson!([])), &of_app);
    }
    for resource in [
        bson::rawbson!({ "db": "", "collection": "" }),
        bson::rawbson!({ "db": "", "collection": "c" }),
        bson::rawbson!({ "cluster": true }),
        bson::rawbson!({ "anyResource": true }),
        bson::rawbson!({ "db": "app", "system_buckets": "c" }),
        bson::rawbson!({ "system_buckets": "" }),
    ] {
        assert_verdicts("app", &create_role(on(resource), bson::rawbson!([])), &of_admin);
    }
}

#[test]
fn what_is_no_privilege_is_mongods_error() {
    let all = "createRole@ grantRole@";
    for resource in [
        bson::rawbson!({}),
        bson::rawbson!({ "cluster": false }),
        bson::rawbson!({ "anyResource": true, "cluster": true }),
        bson::rawbson!({ "cluster": false, "db": "app", "collection": "c" }),
        bson::rawbson!({ "cluster": true, "db": "app", "collection": "c" }),
        bson::rawbson!({ "db": "app" }),
        bson::rawbson!({ "collection": "c" }),
        bson::rawbson!({ "db": "app", "db": "admin", "collection": "c" }),
    ] {
        assert_verdicts("app", &create_role(on(resource), bson::rawbson!([])), &[("", FORM), (all, FORM)]);
    }
    let list = |privileges: RawBson| create_role(privileges, bson::rawbson!([]));
    assert_verdicts("app", &list(bson::rawbson!([{ "actions": ["find"] }])), &[(all, "9 missing resource field")]);
    assert_verdicts("app", &list(bson::rawbson!([{ "resource": { "cluster": true } }])), &[(all, "9 missing actions field")]);
    assert_verdicts(
        "app",
        &list(bson::rawbson!([{ "resource": { "cluster": true }, "actions": [] }])),
        &[(all, "9 missing actions field")],
    );
    let text = "14 BSON field 'createRole.privileges.0' is the wrong type 'int', expected type 'object'";
    assert_verdicts("app", &list(bson::rawbson!([1])), &[("", text), (all, text)]);
    let text = "40414 BSON field 'createRole.privileges' is missing but a required field";
    assert_verdicts("app", &rawdoc! { "createRole": "new", "roles": [] }, &[("", text)]);
}

#[test]
fn a_bucket_name_that_stops_a_mongod_is_refused() {
    let body = create_role(on(bson::rawbson!({ "db": "app", "system_buckets": "system.buckets.c" })), bson::rawbson!([]));
    assert_verdicts("app", &body, &[("createRole@ grantRole@", "13")]);
}

#[test]
fn create_role_needs_the_right_to_grant_what_the_role_inherits() {
    let body = create_role(bson::rawbson!([]), bson::rawbson!(["read"]));
    assert_verdicts("app", &body, &[("createRole@app", "13"), ("grantRole@app", "13"), ("createRole@app grantRole@app", "ok")]);
    let body = rawdoc! { "createRole": "new", "privileges": [], "roles": [], "authenticationRestrictions": [] };
    assert_verdicts("app", &body, &[("createRole@app", "13"), ("createRole@app setAuthenticationRestriction@app", "ok")]);
}

#[test]
fn update_role_needs_the_right_to_revoke_everywhere_whatever_it_changes() {
    let privilege = on(bson::rawbson!({ "db": "other", "collection": "c" }));
    let cases: Vec<(RawDocumentBuf, &[(&str, &str)])> = vec![
        (rawdoc! { "updateRole": "r" }, &[("", "13"), ("revokeRole@", "ok")]),
        (rawdoc! { "updateRole": "r", "privileges": [] }, &[("", "13"), ("revokeRole@app", "13"), ("revokeRole@", "ok")]),
        (
            rawdoc! { "updateRole": "r", "privileges": privilege },
            &[
                ("revokeRole@", "13"),
                ("revokeRole@ grantRole@app", "13"),
                ("revokeRole@ grantRole@other", "ok"),
                ("revokeRole@ grantRole@", "ok"),
            ],
        ),
        (
            rawdoc! { "updateRole": "r", "roles": ["read"] },
            &[("revokeRole@", "13"), ("revokeRole@ grantRole@app", "ok"), ("revokeRole@app grantRole@app", "13")],
        ),
        (
            rawdoc! { "updateRole": "r", "authenticationRestrictions": [] },
            &[
                ("revokeRole@", "13"),
                ("setAuthenticationRestriction@app", "13"),
                ("revokeRole@ setAuthenticationRestriction@app", "ok"),
            ],
        ),
    ];
    for (body, expected) in cases {
        assert_verdicts("app", &body, expected);
    }
}

#[test]
fn roles_and_privileges_of_roles_are_granted_and_revoked_where_they_belong() {
    let privileges = || {
        bson::rawbson!([
            { "resource": { "db": "other", "collection": "c" }, "actions": ["find"] },
            { "resource": { "cluster": true }, "actions": ["serverStatus"] },
        ])
    };
    let roles = || bson::rawbson!([{ "role": "r", "db": "admin" }, { "role": "r", "db": "other" }]);
    for (command, list, value, action) in [
        ("grantPrivilegesToRole", "privileges", privileges(), "grantRole"),
        ("revokePrivilegesFromRole", "privileges", privileges(), "revokeRole"),
        ("grantRolesToRole", "roles", roles(), "grantRole"),
        ("revokeRolesFromRole", "roles", roles(), "revokeRole"),
    ] {
        let body = |value: RawBson| {
            let mut body = RawDocumentBuf::new();
            body.append(CString::try_from(command).unwrap(), "r");
            body.append(CString::try_from(list).unwrap(), value);
            body.append(cstr!("$db"), "app");
            body
        };
        let (one, two) = (format!("{action}@other {action}@app"), format!("{action}@other {action}@admin"));
        assert_verdicts("app", &body(value), &[("", "13"), (&one, "13"), (&two, "ok"), (&format!("{action}@"), "ok")]);
        let empty = format!("2 {command} command requires a non-empty \"{list}\" array");
        assert_verdicts("app", &body(bson::rawbson!([])), &[("", &empty)]);
        let null = format!("10065 invalid parameter: expected an object ({list})");
        assert_verdicts("app", &body(RawBson::Null), &[("", &null)]);
    }
}

#[test]
fn a_user_may_see_the_roles_it_was_granted_itself() {
    let role = |role: &str, database: &str| RoleName { role: role.into(), database: database.into() };
    let all = vec![role("direct", "admin"), role("inherited", "admin")];
    let me = Principal::new(UserName::new("me", "app"), all, Privileges::default()).with_granted(vec![role("direct", "admin")]);
    for (of, said) in [
        (bson::rawbson!({ "role": "direct", "db": "admin" }), "ok"),
        (bson::rawbson!([{ "role": "direct", "db": "admin" }]), "ok"),
        (bson::rawbson!({ "role": "inherited", "db": "admin" }), "13"),
        (bson::rawbson!("direct"), "13"),
        (bson::rawbson!([{ "role": "direct", "db": "admin" }, "other"]), "13"),
        (bson::rawbson!({ "role": "direct", "role": "other", "db": "admin" }), "13"),
    ] {
        assert_eq!(verdict(&me, "app", &rawdoc! { "rolesInfo": of.clone() }), said, "{of:?}");
    }
}

#[test]
fn other_roles_need_view_role_on_their_database() {
    let at_app = [("", "13"), ("viewRole@app", "ok"), ("viewRole@admin", "13"), ("viewRole@cluster", "13"), ("viewRole@", "ok")];
    let not_a_name = [
        ("", "2 RoleName must be either a string or an object"),
        ("viewRole@app", "2 RoleName must be either a string or an object"),
    ];
    let cases: Vec<(RawBson, &[(&str, &str)])> = vec![
        (bson::rawbson!("r"), &at_app),
        (bson::rawbson!({ "role": "r", "db": "app" }), &at_app),
        (bson::rawbson!(["r"]), &at_app),
        (bson::rawbson!(1), &at_app),
        (bson::rawbson!([]), &[("", "ok")]),
        (bson::rawbson!({ "role": "r", "db": "other" }), &[("viewRole@app", "13"), ("viewRole@other", "ok")]),
        (bson::rawbson!({ "forAllDBs": true }), &[("viewRole@cluster", "2 RoleName must contain a field named: role")]),
        (bson::rawbson!({ "role": "r" }), &[("", "2 RoleName must contain a field named: db")]),
        (bson::rawbson!(true), &not_a_name),
        (bson::rawbson!([1]), &not_a_name),
    ];
    for (of, expected) in cases {
        assert_verdicts("app", &rawdoc! { "rolesInfo": of, "showPrivileges": true }, expected);
    }
}
