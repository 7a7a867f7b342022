//! Random users and commands: the verdict is the one that the measurements give, both ways.
//!
//! The reference below knows nothing of the table, of compiled privileges or of rules. It reads what a mongod 6.0.5 demanded
//! (`command-actions.json`) and matches resources as that file's `resource_matching` says, by listing every pattern that reaches a
//! target and looking for it among the privileges.

use std::sync::LazyLock;

use bson::raw::{CString, RawArrayBuf, RawBson, RawDocumentBuf};
use bson::rawdoc;
use proptest::prelude::*;
use serde_json::Value;

use crate::authz::principal::Principal;
use crate::authz::privileges::Privileges;
use crate::authz::table::{Needs, find};
use crate::authz::testing::{resource, verdict};
use crate::names::UserName;

static MEASURED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../tests/data/command-actions.json")).unwrap());

const DATABASES: &[&str] = &["app", "other", "admin", "local", "config"];
const COLLECTIONS: &[&str] =
    &["t", "src", "a.b", "system.js", "system.users", "oplog.rs", "replset.minvalid", "system.buckets.ts"];
const NOISE: &[&str] = &["find", "insert", "update", "remove", "anyAction", "listCollections", "internal", "serverStatus"];

/// What has to be held somewhere: an action, and every pattern of a resource that would do.
#[derive(Debug)]
struct Demand {
    action: String,
    patterns: Vec<String>,
}

/// A privilege as text: a pattern as [`resource`] reads it, and actions.
type Held = (String, Vec<String>);

/// A command with what it demands: one of the sets.
#[derive(Debug)]
struct Case {
    database: String,
    body: RawDocumentBuf,
    alternatives: Vec<Vec<Demand>>,
}

fn is_system(database: &str, collection: &str) -> bool {
    collection.starts_with("system.") || (database == "local" && collection.starts_with("replset."))
}

fn is_normal(database: &str) -> bool {
    database != "local" && database != "config"
}

fn reaching_collection(database: &str, collection: &str) -> Vec<String> {
    let mut patterns = vec!["any".to_owned(), format!("{database}.{collection}"), format!(".{collection}")];
    if !is_system(database, collection) {
        patterns.push(format!("{database}."));
        if is_normal(database) {
            patterns.push(".".to_owned());
        }
    }
    patterns
}

fn reaching_database(database: &str) -> Vec<String> {
    let mut patterns = vec!["any".to_owned(), format!("{database}.")];
    if is_normal(database) {
        patterns.push(".".to_owned());
    }
    patterns
}

fn on(action: &str, patterns: Vec<String>) -> Demand {
    Demand { action: action.to_owned(), patterns }
}

/// The reference: every demand of one set is met by some privilege.
fn allows(held: &[Held], alternatives: &[Vec<Demand>]) -> bool {
    let meets = |demand: &Demand| {
        held.iter().any(|(pattern, actions)| {
            demand.patterns.contains(pattern) && actions.iter().any(|action| *action == demand.action || action == "anyAction")
        })
    };
    alternatives.iter().any(|set| set.iter().all(meets))
}

fn body(name: &str, value: RawBson) -> RawDocumentBuf {
    let mut body = RawDocumentBuf::new();
    body.append(CString::try_from(name).unwrap(), value);
    body
}

/// The commands whose demands do not depend on arguments.
fn simple_commands() -> Vec<&'static str> {
    let all = MEASURED["commands"].as_object().unwrap().keys().map(String::as_str);
    all.filter(|name| !matches!(find(name).unwrap().needs, Needs::By(_))).collect()
}

fn simple_case(name: &str, database: &str, collection: &str) -> Case {
    let command = &MEASURED["commands"][name];
    // What was sent is kept as text, and cut where it is long.
    let sent = command["measured_with"]["command"].as_str().unwrap_or_default();
    let is_namespace = sent.starts_with(&format!("{{\"{name}\": \"app."));
    // A whole namespace is of its own database; the command's is another.
    let (own, value) =
        if is_namespace { ("nowhere", format!("{database}.{collection}")) } else { (database, collection.to_owned()) };
    let demand = |need: &Value| {
        let patterns = match need["resource"].as_str().unwrap() {
            "cluster" => vec!["any".to_owned(), "cluster".to_owned()],
            "collection" => reaching_collection(database, collection),
            "db" => reaching_database(own),
            "any_normal" => vec!["any".to_owned(), ".".to_owned()],
            "anyResource" => vec!["any".to_owned()],
            other => panic!("{other}"),
        };
        on(need["action"].as_str().unwrap(), patterns)
    };
    let alternatives = command["alternatives"].as_array().unwrap();
    let alternatives = alternatives.iter().map(|set| set.as_array().unwrap().iter().map(demand).collect()).collect();
    Case { database: own.to_owned(), body: body(name, value.into()), alternatives }
}

fn role_list(databases: &[&str]) -> RawArrayBuf {
    databases.iter().map(|database| rawdoc! { "role": "r", "db": *database }).collect()
}

/// Commands that administer users and roles, with what the notes of the measurements say of them.
fn administration_case(which: usize, database: &str, databases: &[&str]) -> Case {
    let at = |action: &str, database: &str| on(action, reaching_database(database));
    let each = |action: &str| databases.iter().map(|database| at(action, database)).collect::<Vec<_>>();
    let with = |mut demands: Vec<Demand>, more: Demand| {
        demands.push(more);
        demands
    };
    let roles = role_list(databases);
    let privileges: RawArrayBuf = databases
        .iter()
        .map(|database| rawdoc! { "resource": { "db": *database, "collection": "t" }, "actions": ["find"] })
        .collect();
    let users: RawArrayBuf = databases.iter().map(|database| rawdoc! { "user": "you", "db": *database }).collect();
    let revoke = || on("revokeRole", vec!["any".to_owned(), ".".to_owned()]);
    let (body, demands) = match which {
        0 => (rawdoc! { "createUser": "u", "roles": roles }, with(each("grantRole"), at("createUser", database))),
        1 => (rawdoc! { "updateUser": "u", "roles": roles }, with(each("grantRole"), revoke())),
        2 => (rawdoc! { "grantRolesToUser": "u", "roles": roles }, each("grantRole")),
        3 => (rawdoc! { "revokeRolesFromUser": "u", "roles": roles }, each("revokeRole")),
        4 => (
            rawdoc! { "createRole": "r", "roles": [], "privileges": privileges },
            with(each("grantRole"), at("createRole", database)),
        ),
        5 => (rawdoc! { "updateRole": "r", "privileges": privileges }, with(each("grantRole"), revoke())),
        6 => (rawdoc! { "grantPrivilegesToRole": "r", "privileges": privileges }, each("grantRole")),
        7 => (rawdoc! { "revokePrivilegesFromRole": "r", "privileges": privileges }, each("revokeRole")),
        8 => (rawdoc! { "usersInfo": users }, each("viewUser")),
        9 => (rawdoc! { "rolesInfo": roles }, each("viewRole")),
        10 => (
            rawdoc! { "updateUser": "u", "pwd": "p", "customData": {} },
            vec![at("changePassword", database), at("changeCustomData", database)],
        ),
        11 => {
            (rawdoc! { "usersInfo": { "forAllDBs": true } }, vec![on("viewUser", vec!["any".to_owned(), "cluster".to_owned()])])
        }
        _ => (rawdoc! { "usersInfo": 1 }, vec![at("viewUser", database)]),
    };
    Case { database: database.to_owned(), body, alternatives: vec![demands] }
}

fn case() -> impl Strategy<Value = Case> {
    let simple = (prop::sample::select(simple_commands()), prop::sample::select(DATABASES), prop::sample::select(COLLECTIONS));
    let databases = prop::collection::vec(prop::sample::select(DATABASES), 1..4);
    let administration = (0..13_usize, prop::sample::select(DATABASES), databases);
    prop_oneof![
        3 => simple.prop_map(|(name, database, collection)| simple_case(name, database, collection)),
        2 => administration.prop_map(|(which, database, databases)| administration_case(which, database, &databases)),
        1 => prop::sample::select(DATABASES).prop_map(|database| Case {
            database: database.to_owned(),
            body: body("nosuch", RawBson::Int32(1)),
            alternatives: vec![vec![on("anyAction", vec!["any".to_owned()])]],
        }),
    ]
}

/// Privileges that are near to what the case demands: some of its actions, on patterns that reach it or nearly do.
fn held(case: &Case, picks: &[(usize, usize, bool)]) -> Vec<Held> {
    let demands: Vec<_> = case.alternatives.iter().flatten().collect();
    let mut patterns: Vec<_> = demands.iter().flat_map(|demand| demand.patterns.clone()).collect();
    patterns.extend(
        ["cluster", ".", "app.", "local.", "config.", "admin.", ".t", "app.t", "app.src", ".system.js"].map(str::to_owned),
    );
    let mut actions: Vec<_> = demands.iter().map(|demand| demand.action.clone()).collect();
    let near = actions.len().max(1);
    actions.extend(NOISE.iter().map(|action| (*action).to_owned()));
    let pick = |&(pattern, action, is_near): &(usize, usize, bool)| {
        let action = if is_near { action % near } else { action % actions.len() };
        (patterns[pattern % patterns.len()].clone(), vec![actions[action].clone()])
    };
    picks.iter().map(pick).collect()
}

fn principal(held: &[Held]) -> Principal {
    let mut list = RawArrayBuf::new();
    for (pattern, actions) in held {
        list.push(
            rawdoc! { "resource": resource(pattern), "actions": RawArrayBuf::from_iter(actions.iter().map(String::as_str)) },
        );
    }
    Principal::new(UserName::new("me", "nowhere"), Vec::new(), Privileges::from_inherited(&list))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_user_may_do_more_or_less_than_the_measurements_say(
        cases in prop::collection::vec(case(), 1..6),
        users in prop::collection::vec(prop::collection::vec((any::<usize>(), any::<usize>(), prop::bool::weighted(0.8)), 0..7), 1..4),
    ) {
        for case in &cases {
            for picks in &users {
                let held = held(case, picks);
                let said = verdict(&principal(&held), &case.database, &case.body);
                let expected = allows(&held, &case.alternatives);
                prop_assert_eq!(said == "ok", expected, "{}: {:?} on {} with {:?}", said, case.body, case.database, held);
            }
        }
    }
}

#[test]
fn the_reference_itself_allows_and_denies() {
    let case = simple_case("drop", "app", "t");
    let with = |pattern: &str, action: &str| vec![(pattern.to_owned(), vec![action.to_owned()])];
    assert!(allows(&with("app.", "dropCollection"), &case.alternatives));
    assert!(allows(&with(".t", "anyAction"), &case.alternatives));
    assert!(!allows(&with("other.", "dropCollection"), &case.alternatives));
    assert!(!allows(&with("app.", "find"), &case.alternatives));
    assert!(!allows(&with(".", "dropCollection"), &simple_case("drop", "app", "system.js").alternatives));
}
