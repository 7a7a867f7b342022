use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// What a mongod 6.0.5 demanded of each command.
fn measured() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/command-actions.json")).unwrap()
}

/// One set of needed privileges, written as `action@resource`.
fn written(alternative: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    alternative.as_array().unwrap().iter().map(|need| format!("{}@{}", text(&need["action"]), text(&need["resource"]))).collect()
}

/// The same of a row; `None` where a rule decides.
fn needed(row: &Row) -> Option<BTreeSet<String>> {
    let (actions, resource) = match row.needs {
        By(_) => return None,
        Nothing => return Some(BTreeSet::new()),
        Cluster(action) => return Some(BTreeSet::from([format!("{}@cluster", action.name())])),
        Collection(actions) | CollectionOrUuid(actions) | CollectionOrDatabase(actions) | Namespace(actions) => {
            (actions, "collection")
        }
        Database(actions) => (actions, "db"),
        AnyNormal(actions) => (actions, "any_normal"),
        AnyResource(actions) => (actions, "anyResource"),
    };
    Some(actions.iter().map(|action| format!("{}@{resource}", action.name())).collect())
}

#[test]
fn every_measured_command_has_a_row_and_no_row_is_beyond_them() {
    let measured = measured();
    let commands: Vec<_> = measured["commands"].as_object().unwrap().keys().map(String::as_str).collect();
    let rows: Vec<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(rows, commands);
    assert!(rows.is_sorted(), "the table is searched by halves");
    assert_eq!(rows.len(), 243);
}

#[test]
fn every_row_without_a_rule_needs_what_was_measured() {
    let measured = measured();
    let mut compared = 0;
    for row in TABLE {
        let Some(needed) = needed(row) else { continue };
        let alternatives: Vec<_> =
            measured["commands"][row.name]["alternatives"].as_array().unwrap().iter().map(written).collect();
        assert_eq!(alternatives, [needed], "{}", row.name);
        compared += 1;
    }
    assert!(compared > 190, "only {compared}");
}

#[test]
fn a_command_is_found_by_its_canonical_name_alone() {
    for row in TABLE {
        assert_eq!(find(row.name).map(|found| found.name), Some(row.name));
    }
    for name in ["", "Find", "findx", "find ", "nosuch", "zzz", "ismaster"] {
        assert!(find(name).is_none(), "{name}");
    }
    for (alias, canonical) in ALIASES {
        assert_eq!(canonical_name(alias), *canonical);
        assert!(find(canonical).is_some(), "{canonical}");
    }
}

#[test]
fn an_unknown_command_may_open_a_cursor_but_is_not_taken_for_administration_of_users() {
    assert!(opens_cursor("nosuch") && opens_cursor("find") && !opens_cursor("insert"));
    assert!(!changes_users("nosuch") && changes_users("updateUser") && !changes_users("usersInfo"));
}
