//! Every measured command whose needs depend on its arguments: what was accepted is granted, everything less is denied.

use bson::raw::{CString, RawArrayBuf, RawBson, RawDocumentBuf};
use serde_json::Value;

use crate::authz::testing::{user, verdict};

const UUID: &str = "/TYixal5Tt25uQvwur/KvA==";

/// Cases in which doorward is stricter on purpose: a UUID may be that of any collection, and `$mergeCursors` reads anybody's cursors.
const STRICTER: &[&str] = &["find by uuid", "count uuid", "listIndexes uuid", "agg $mergeCursors"];

/// Commands that are answered with an error before privileges matter.
const ERRORS: &[(&str, &str)] = &[
    (
        "agg $listCachedAndActiveUsers",
        "224 $listCachedAndActiveUsers is not allowed with the current configuration. You may need to enable the corresponding \
         feature flag",
    ),
    ("agg $_internalListCollections", "40324 Unrecognized pipeline stage name: '$_internalListCollections'"),
    ("agg $search", "40324 Unrecognized pipeline stage name: '$search'"),
    ("agg $backupCursor", "40324 Unrecognized pipeline stage name: '$backupCursor'"),
    ("find app.$cmd.x", "73 Invalid collection name specified 'app.$cmd.x"),
    ("find $external.x", "73 Invalid collection name specified '$external.x"),
];

fn bson(value: &Value) -> RawBson {
    match value {
        Value::Null => RawBson::Null,
        Value::Bool(value) => RawBson::Boolean(*value),
        Value::Number(value) => {
            value.as_i64().map_or_else(|| value.as_f64().unwrap().into(), |value| i32::try_from(value).unwrap().into())
        }
        Value::String(text) if text == UUID => {
            RawBson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![1; 16] })
        }
        Value::String(text) => RawBson::String(text.clone()),
        Value::Array(values) => RawBson::Array(values.iter().map(bson).collect::<RawArrayBuf>()),
        Value::Object(_) => RawBson::Document(document(value)),
    }
}

fn document(value: &Value) -> RawDocumentBuf {
    let mut result = RawDocumentBuf::new();
    for (name, value) in value.as_object().unwrap() {
        result.append(CString::try_from(name.as_str()).unwrap(), bson(value));
    }
    result
}

/// A pattern of the measurements as the tests write it.
fn pattern(text: &str) -> String {
    match text {
        "cluster" => text.to_owned(),
        "anyResource only" => "any".to_owned(),
        _ => {
            let (database, collection) = text.split_once('.').unwrap();
            format!("{}.{}", database.replace('*', ""), collection.replace('*', ""))
        }
    }
}

/// All patterns that any case accepts.
const PATTERNS: &[&str] = &[
    "app.src",
    "app.",
    ".src",
    ".",
    "other.",
    "local.",
    "config.",
    "admin.",
    "cluster",
    "app.other",
    "app.outc",
    "app.x",
    ".system.js",
    "app.system.js",
    "app.view1",
    "local.oplog.rs",
];

fn passes(held: &str, database: &str, body: &RawDocumentBuf) -> bool {
    matches!(verdict(&user(held), database, body).as_str(), "ok" | "rewritten")
}

/// The needs of a set: an action, and the patterns that do.
fn needs(set: &Value) -> Vec<(String, Vec<String>)> {
    let needs = set.as_array().unwrap().iter();
    needs
        .map(|need| {
            let patterns = need["accepted_resource_patterns"].as_array().unwrap();
            let patterns = patterns.iter().map(|text| pattern(text.as_str().unwrap())).collect();
            (need["action"].as_str().unwrap().to_owned(), patterns)
        })
        .collect()
}

fn held(needs: &[(String, Vec<String>)], but: Option<(usize, &str)>) -> String {
    let one = |(index, (action, patterns)): (usize, &(String, Vec<String>))| match but {
        Some((other, pattern)) if other == index => format!("{action}@{pattern} "),
        _ => format!("{action}@{} ", patterns[0]),
    };
    needs.iter().enumerate().map(one).collect()
}

fn check(label: &str, database: &str, body: &RawDocumentBuf, sets: &[Vec<(String, Vec<String>)>]) {
    let allowed = |held: &str| passes(held, database, body);
    assert!(sets.iter().any(Vec::is_empty) || !allowed(""), "{label} without privileges");
    for needs in sets {
        assert!(allowed(&held(needs, None)), "{label} with {}", held(needs, None));
        for (index, (action, patterns)) in needs.iter().enumerate() {
            for pattern in patterns {
                let held = held(needs, Some((index, pattern)));
                assert!(allowed(&held), "{label} with {held}");
            }
            // Patterns that were not accepted do not do, whatever else is held, if this is the only set.
            for pattern in PATTERNS.iter().filter(|pattern| !patterns.iter().any(|accepted| accepted == *pattern)) {
                let same_elsewhere = needs.iter().enumerate().any(|(other, need)| {
                    other != index && need.0 == *action && need.1.iter().any(|accepted| accepted == pattern)
                });
                let held = held(needs, Some((index, pattern)));
                assert!(sets.len() > 1 || same_elsewhere || !allowed(&held), "{label} with {held}");
            }
        }
    }
}

#[test]
fn what_was_accepted_is_granted_and_everything_less_is_denied() {
    let measured: Value = serde_json::from_str(include_str!("../../../../tests/data/command-actions.json")).unwrap();
    let mut checked = 0;
    for case in measured["argument_dependent"].as_array().unwrap() {
        let label = case["label"].as_str().unwrap();
        let database = case["db"].as_str().unwrap();
        let mut command: Value = serde_json::from_str(case["command"].as_str().unwrap()).unwrap();
        command["$db"] = database.into();
        let body = document(&command);
        if let Some((_, said)) = ERRORS.iter().find(|(known, _)| *known == label) {
            assert_eq!(verdict(&user("find@app"), database, &body), *said, "{label}");
        } else if STRICTER.contains(&label) {
            assert_eq!(verdict(&user("find@app listIndexes@app useUUID@cluster"), database, &body), "13", "{label}");
        } else if let Some(sets) = case["alternatives"].as_array().filter(|sets| sets.iter().all(Value::is_array)) {
            check(label, database, &body, &sets.iter().map(needs).collect::<Vec<_>>());
        } else {
            assert_eq!(label, "listCollections nameOnly+authorizedCollections");
            for held in ["insert@app", "find@app.nosuch", "killCursors@.x"] {
                assert!(passes(held, database, &body), "{held}");
            }
            assert!(!passes("find@other anyAction@cluster", database, &body));
        }
        checked += 1;
    }
    assert_eq!(checked, 183);
}
