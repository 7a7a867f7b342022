use serde_json::json;

use super::*;

fn sample() -> Value {
    json!({
        "transition": true, "since": "2026-01-01T00:00:00.000+00:00", "until": null,
        "verdict": "not ready to enforce",
        "obstacles": [
            { "kind": "application", "application": "billing", "text": "billing would break: 3x without credentials" },
            { "kind": "application", "application": "reports", "text": "reports would break: 1x without the privilege" },
        ],
        "wouldBreak": ["billing", "reports"], "ready": ["shop"],
        "applications": [
            {
                "application": "billing", "ready": false,
                "operations": { "allowed": 0, "unauthenticated": 3, "missingPrivilege": 0 }, "users": [],
                "denied": [{ "command": "find", "user": null, "namespace": "app.orders", "driver": "nodejs 6", "address": "10.0.0.7",
                    "why": "unauthenticated", "enforced": true, "count": 3, "firstSeen": "a", "lastSeen": "b" }],
                "allowed": [], "failedLogins": [], "overflow": { "denied": 0 },
            },
            {
                "application": "reports", "ready": false,
                "operations": { "allowed": 1, "unauthenticated": 0, "missingPrivilege": 1 }, "users": ["r@admin"],
                "denied": [{ "command": "insert", "user": "r@admin", "namespace": "app.totals", "driver": "", "address": "",
                    "why": "missing privilege", "missing": [{ "resource": { "db": "app", "collection": "totals" }, "action": "insert" }],
                    "count": 1, "firstSeen": "a", "lastSeen": "b" }],
                "allowed": [],
                "failedLogins": [{ "user": "r@admin", "mechanism": "SCRAM-SHA-256", "driver": "", "address": "10.0.0.8",
                    "succeededLater": false, "count": 2, "firstSeen": "a", "lastSeen": "b" }],
                "overflow": { "denied": 0 },
            },
            {
                "application": "shop", "ready": true, "operations": { "allowed": 9, "unauthenticated": 0, "missingPrivilege": 0 },
                "users": ["shop@admin"], "allowed": [],
                "denied": [{ "command": "find", "user": null, "namespace": "app.orders", "driver": "nodejs 6", "address": "10.0.0.7",
                    "why": "unauthenticated", "resolved": true, "count": 3, "firstSeen": "a", "lastSeen": "b" }],
                "connections": [
                    { "driver": "nodejs 6", "address": "10.0.0.7", "authenticated": true, "user": "shop@admin", "open": 2,
                      "total": 5, "lastSeen": "c" },
                    { "driver": "nodejs 6", "address": "10.0.0.7", "authenticated": false, "user": null, "open": 0,
                      "total": 1, "lastSeen": "b" },
                ], "failedLogins": [], "overflow": { "denied": 0 },
            },
        ],
        "overflow": { "allowed": 0, "denied": 4, "failedLogins": 1, "needs": 0 },
    })
}

fn told(value: &Value) -> String {
    report(value, "doorward readiness -f x")
}

#[test]
fn the_report_says_who_why_and_what_to_do() {
    let text = told(&sample());
    for line in [
        "2 of 3 applications would break:",
        "3 operations without credentials",
        "find 3x, for example on app.orders; refused already, by proxy.enforcement; from 10.0.0.7 with nodejs 6, last b",
        "1 operation without the privilege",
        "insert 1x: r@admin lacks insert on app.totals; from a unix socket, last b",
        "2 failed logins as r@admin by SCRAM-SHA-256; from 10.0.0.8, last b",
        "the roles that this tells: doorward readiness -f x --roles billing",
        "\"shop\": 9 operations as shop@admin",
        "5 connections, 2 open, from 10.0.0.7 with nodejs 6, as shop@admin, last c",
        "1 connection, 0 open, from 10.0.0.7 with nodejs 6, not authenticated, last b",
        "4 operations would be refused, 0 allowed, 1 login failed.",
        "Verdict: not ready to enforce:\n  billing would break: 3x without credentials\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn one_application_can_be_looked_at_alone() {
    let mut value = sample();
    assert!(keep_only(&mut value, "reports"));
    let text = told(&value);
    assert!(text.contains("\"reports\"") && !text.contains("billing") && !text.contains("shop"), "{text}");
    assert!(text.contains("Verdict: not ready to enforce:\n  reports would break"), "{text}");
    assert!(!keep_only(&mut value, "billing"));
}

#[test]
fn an_application_that_nothing_stands_in_the_way_of_is_ready_alone() {
    let mut value = sample();
    assert!(keep_only(&mut value, "shop"));
    assert!(told(&value).ends_with("\nVerdict: ready to enforce.\n"), "{}", told(&value));
    value = sample();
    value["obstacles"].as_array_mut().unwrap().push(json!({ "kind": "tooShort", "application": null, "text": "too short" }));
    assert!(keep_only(&mut value, "shop"));
    assert!(told(&value).ends_with("\nVerdict: not ready to enforce:\n  too short\n"), "{}", told(&value));
}

#[test]
fn the_silence_of_an_application_does_not_make_it_ready() {
    let mut value = sample();
    value["verdict"] = json!("ready to enforce");
    value["obstacles"] = json!([]);
    value["applications"][2]["seen"] = json!(false);
    assert!(keep_only(&mut value, "shop"));
    assert!(told(&value).ends_with("\nVerdict: not ready to enforce:\n  it did nothing that needs a privilege in this time\n"));
}

#[test]
fn what_was_resolved_since_is_no_longer_complained_of() {
    let mut value = sample();
    value["applications"][0]["denied"][0]["resolved"] = json!(true);
    let text = told(&value);
    assert!(!text.contains("3 operations without credentials"), "{text}");
}

#[test]
fn a_duration_has_a_unit() {
    let cases = [("90s", Some(90)), ("30m", Some(1800)), ("24h", Some(86_400)), ("7d", Some(604_800)), ("0s", Some(0))];
    for (text, expected) in cases {
        assert_eq!(duration(text).ok(), expected.map(Duration::from_secs), "{text}");
    }
    for wrong in ["", "h", "24", "-1h", "+1h", "1.5h", "1\u{e9}", "5000000d", "24 h"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn without_a_transition_nothing_is_claimed() {
    assert!(told(&json!({ "since": null })).contains("has not run with security.transitionToAuth"));
    let nothing = json!({ "since": "2026-01-01T00:00:00.000+00:00", "applications": [] });
    assert!(told(&nothing).contains("Nothing that needs a privilege was seen yet."));
}

#[test]
fn a_name_moves_no_cursor_and_leaves_no_shell_word() {
    let mut value = sample();
    value["applications"][0]["application"] = json!("x\u{1b}[2J'; rm -rf /");
    let text = told(&value);
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains(r"--roles 'x\u{1b}[2J'\''; rm -rf /'"), "{text}");
    assert_eq!(shell_word(""), "''");
}

#[test]
fn a_name_is_encoded_for_the_query() {
    assert_eq!(encoded("a b&c=\u{e9}+"), "a%20b%26c%3D%C3%A9%2B");
}

#[test]
fn the_roles_come_with_both_ways_to_grant_them() {
    let text = roles(&json!({
        "application": "reports", "complete": false, "roles": [{ "role": "readWrite", "db": "app" }],
        "uncovered": [{ "resource": { "cluster": true }, "action": "impersonate" }],
        "grantRoles": ["grant built-in"], "createRole": { "createRole": "x", "privileges": [{}] },
        "createRoleCommand": "create", "grantCreatedRole": ["grant created"],
    }));
    for line in [
        "The smallest built-in roles for what it did: readWrite@app\n  grant built-in\n",
        "No built-in role covers: impersonate on the cluster",
        "exactly what it did:\n  create\n  grant created\n",
        "these roles may not be enough",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn members_of_the_set_are_told_of_their_key_and_not_of_users() {
    let mut value = sample();
    value["applications"][0]["members"] = true.into();
    let text = told(&value);
    assert!(text.contains("remedy: give the other members the same keyfile"), "{text}");
    assert!(!text.contains("--roles billing"), "{text}");
    // What they do once they are logged in is not counted.
    value["applications"][2]["operations"]["allowed"] = 0.into();
    assert!(told(&value).contains("\"shop\": as shop@admin"), "{}", told(&value));
}
