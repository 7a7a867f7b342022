//! `--since TIME`: the record counts from its beginning, so what was mended meanwhile stays in it. Here is left what was seen since a
//! moment. What is counted without a time (for want of room) stays: it may have happened since then.

use bson::DateTime;
use serde_json::{Value, json};

use super::{list, number, text_at};

/// A time as the report prints it, or any other of RFC 3339.
pub(super) fn parse(time: &str) -> Option<DateTime> {
    DateTime::parse_rfc3339_str(time).ok()
}

/// Leaves in a report what was seen at `time` or later. Applications of which nothing is left are listed under `notSeen`.
pub(super) fn keep_since(report: &mut Value, time: DateTime) {
    let Some(applications) = report.get_mut("applications").and_then(Value::as_array_mut) else { return };
    let mut not_seen = Vec::new();
    applications.retain_mut(|application| {
        let is_left = narrow(application, time);
        if !is_left {
            not_seen.push(text_at(application, "application").to_owned());
        }
        is_left
    });
    let names = |ready: bool| -> Vec<String> {
        let found = applications.iter().filter(|one| one.get("ready") == Some(&Value::Bool(ready)));
        found.map(|one| text_at(one, "application").to_owned()).collect()
    };
    let (would_break, ready) = (names(false), names(true));
    let Some(report) = report.as_object_mut() else { return };
    report.insert("wouldBreak".into(), would_break.into());
    report.insert("ready".into(), ready.into());
    report.insert("notSeen".into(), not_seen.into());
}

/// Narrows one application; `false` when nothing is left.
fn narrow(application: &mut Value, time: DateTime) -> bool {
    for name in ["denied", "allowed", "failedLogins"] {
        if let Some(lines) = application.get_mut(name).and_then(Value::as_array_mut) {
            // A line without a time that can be read stays.
            lines.retain(|line| parse(text_at(line, "lastSeen")).is_none_or(|last| last >= time));
        }
    }
    let because = |why: &str| sum(list(application, "denied").iter().filter(|line| text_at(line, "why") == why));
    let (unauthenticated, missing) = (because("unauthenticated"), because("missing privilege"));
    let allowed = sum(list(application, "allowed").iter());
    let is_locked_out = |line: &Value| line.get("succeededLater") == Some(&Value::Bool(false));
    let uncounted = number(application, "/overflow/denied") > 0 || number(application, "/overflow/failedLogins") > 0;
    let denied = !list(application, "denied").is_empty() || uncounted;
    let ready = !denied && !list(application, "failedLogins").iter().any(is_locked_out);
    let is_left = denied || !list(application, "allowed").is_empty() || !list(application, "failedLogins").is_empty();
    if let Some(application) = application.as_object_mut() {
        let operations = json!({ "allowed": allowed, "unauthenticated": unauthenticated, "missingPrivilege": missing });
        application.insert("operations".into(), operations);
        application.insert("ready".into(), ready.into());
    }
    is_left
}

fn sum<'a>(lines: impl Iterator<Item = &'a Value>) -> u64 {
    lines.map(|line| number(line, "/count")).fold(0, u64::saturating_add)
}
