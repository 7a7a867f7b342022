use serde_json::json;

use super::*;

fn sample() -> Value {
    json!({
        "transition": true, "since": "2026-01-01T00:00:00.000+00:00", "until": null,
        "wouldBreak": ["billing", "reports"], "ready": ["shop"],
        "applications": [
            {
                "application": "billing", "ready": false,
                "operations": { "allowed": 0, "unauthenticated": 3, "missingPrivilege": 0 }, "users": [],
                "denied": [{ "command": "find", "user": null, "namespace": "app.orders", "driver": "nodejs 6", "address": "10.0.0.7",
                    "why": "unauthenticated", "count": 3, "firstSeen": "a", "lastSeen": "b" }],
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
                "users": ["shop@admin"], "denied": [], "allowed": [], "failedLogins": [], "overflow": { "denied": 0 },
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
        "find 3x, for example on app.orders; from 10.0.0.7 with nodejs 6, last b",
        "1 operation without the privilege",
        "insert 1x: r@admin lacks insert on app.totals; from a unix socket, last b",
        "2 failed logins as r@admin by SCRAM-SHA-256; from 10.0.0.8, last b",
        "the roles that this tells: doorward readiness -f x --roles billing",
        "\"shop\": 9 operations as shop@admin",
        "4 operations would be refused, 0 allowed, 1 login failed.",
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
    assert!(!keep_only(&mut value, "billing"));
}

#[test]
fn what_was_mended_before_a_time_is_left_out_and_who_was_not_seen_since_is_named() {
    let line = |last: &str, count: u64, more: Value| {
        let mut line = json!({ "command": "find", "user": null, "why": "unauthenticated", "count": count, "lastSeen": last });
        more.as_object().into_iter().flatten().for_each(|(name, value)| line[name] = value.clone());
        line
    };
    let (old, new) = ("2026-01-01T00:00:00.999+00:00", "2026-01-01T00:00:01.000+00:00");
    let none = json!({ "denied": 0, "failedLogins": 0 });
    let application = |name: &str, denied: Value, allowed: Value, logins: Value, overflow: &Value| {
        json!({ "application": name, "ready": false, "denied": denied, "allowed": allowed, "failedLogins": logins,
                "overflow": overflow, "users": [], "operations": { "allowed": 0, "unauthenticated": 9, "missingPrivilege": 9 } })
    };
    let login = |last| line(last, 1, json!({ "succeededLater": false }));
    let mut value = json!({ "since": old, "applications": [
        application("mended", json!([line(old, 3, json!({}))]), json!([line(new, 2, json!({}))]), json!([login(old)]), &none),
        application("broken", json!([line(old, 3, json!({})), line(new, 4, json!({}))]), json!([]), json!([]), &none),
        application("locked out", json!([]), json!([]), json!([login(new)]), &none),
        application("away", json!([line(old, 3, json!({}))]), json!([]), json!([]), &none),
        application("uncounted", json!([]), json!([]), json!([]), &json!({ "denied": 1, "failedLogins": 0 })),
    ] });
    since::keep_since(&mut value, since::parse("2026-01-01T01:00:01+01:00").expect("a time"));
    assert_eq!(value["wouldBreak"], json!(["broken", "locked out", "uncounted"]));
    assert_eq!((&value["ready"], &value["notSeen"]), (&json!(["mended"]), &json!(["away"])));
    let counts = json!({ "allowed": 0, "unauthenticated": 4, "missingPrivilege": 0 });
    assert_eq!(value["applications"][1]["operations"], counts);
    assert!(told(&value).contains("nothing is known of: \"away\"\n"), "{}", told(&value));
    assert!(since::parse("yesterday").is_none());
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
