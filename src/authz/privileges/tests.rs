use bson::{RawArrayBuf, rawdoc};

use bson::raw::RawDocumentBuf;

use super::*;
use crate::authz::resource::Resource::{Any, AnyNormal, Cluster, Collection, Database};

/// The privileges of one resource with these actions.
fn held(resource: RawDocumentBuf, actions: &[&str]) -> Privileges {
    let mut list = RawArrayBuf::new();
    list.push(rawdoc! { "resource": resource, "actions": RawArrayBuf::from_iter(actions.iter().copied()) });
    Privileges::from_inherited(&list)
}

fn collection<'a>(database: &'a str, collection: &'a str) -> Resource<'a> {
    Collection { database, collection }
}

/// What is asked about in these tests.
fn targets() -> Vec<Resource<'static>> {
    vec![
        Any,
        Cluster,
        AnyNormal,
        Database("app"),
        Database("other"),
        Database("local"),
        Database("config"),
        collection("app", "t"),
        collection("app", "u"),
        collection("other", "t"),
        collection("local", "t"),
        collection("config", "t"),
        collection("app", "system.js"),
        collection("other", "system.js"),
        collection("app", "replset.x"),
        collection("local", "replset.x"),
        collection("app", "system.buckets.t"),
        collection("app", "system.buckets.u"),
        collection("other", "system.buckets.t"),
        collection("local", "system.buckets.t"),
        collection("app", "system.buckets."),
    ]
}

#[test]
fn a_resource_reaches_what_mongod_lets_it_reach() {
    let cases: Vec<(RawDocumentBuf, Vec<Resource<'_>>)> = vec![
        (rawdoc! { "anyResource": true }, targets()),
        (rawdoc! { "cluster": true }, vec![Cluster]),
        (
            rawdoc! { "db": "", "collection": "" },
            vec![
                AnyNormal,
                Database("app"),
                Database("other"),
                collection("app", "t"),
                collection("app", "u"),
                collection("other", "t"),
                collection("app", "replset.x"),
            ],
        ),
        (
            rawdoc! { "db": "app", "collection": "" },
            vec![Database("app"), collection("app", "t"), collection("app", "u"), collection("app", "replset.x")],
        ),
        (rawdoc! { "db": "local", "collection": "" }, vec![Database("local"), collection("local", "t")]),
        (
            rawdoc! { "db": "", "collection": "t" },
            vec![collection("app", "t"), collection("other", "t"), collection("local", "t"), collection("config", "t")],
        ),
        (rawdoc! { "db": "", "collection": "system.js" }, vec![collection("app", "system.js"), collection("other", "system.js")]),
        (rawdoc! { "db": "app", "collection": "t" }, vec![collection("app", "t")]),
        (rawdoc! { "collection": "t", "db": "app" }, vec![collection("app", "t")]),
        (rawdoc! { "db": "app", "collection": "system.js" }, vec![collection("app", "system.js")]),
        (rawdoc! { "db": "local", "collection": "replset.x" }, vec![collection("local", "replset.x")]),
        (
            rawdoc! { "system_buckets": "" },
            vec![
                collection("app", "system.buckets.t"),
                collection("app", "system.buckets.u"),
                collection("other", "system.buckets.t"),
                collection("local", "system.buckets.t"),
            ],
        ),
        (
            rawdoc! { "system_buckets": "t" },
            vec![
                collection("app", "system.buckets.t"),
                collection("other", "system.buckets.t"),
                collection("local", "system.buckets.t"),
            ],
        ),
        (
            rawdoc! { "system_buckets": "", "db": "app" },
            vec![collection("app", "system.buckets.t"), collection("app", "system.buckets.u")],
        ),
        (rawdoc! { "db": "app", "system_buckets": "t" }, vec![collection("app", "system.buckets.t")]),
    ];
    for (resource, reached) in cases {
        let privileges = held(resource.clone(), &["find"]);
        for target in targets() {
            assert_eq!(privileges.holds(target, Action::Find), reached.contains(&target), "{resource:?} and {target:?}");
            assert!(!privileges.holds(target, Action::Insert), "{resource:?} and {target:?}");
        }
    }
}

#[test]
fn a_resource_that_is_not_mongods_grants_nothing() {
    let odd = [
        rawdoc! {},
        rawdoc! { "cluster": false },
        rawdoc! { "cluster": 1 },
        rawdoc! { "cluster": "true" },
        rawdoc! { "anyResource": false },
        rawdoc! { "anyResource": 1 },
        rawdoc! { "anyResource": true, "cluster": true },
        rawdoc! { "cluster": true, "db": "app", "collection": "t" },
        rawdoc! { "anyResource": true, "db": "app", "collection": "t" },
        rawdoc! { "db": "app" },
        rawdoc! { "collection": "t" },
        rawdoc! { "db": "app", "collection": 1 },
        rawdoc! { "db": 1, "collection": "t" },
        rawdoc! { "db": bson::raw::RawBson::Null, "collection": "" },
        rawdoc! { "db": "app", "collection": "t", "more": 1 },
        rawdoc! { "db": "app", "collection": "t", "system_buckets": "t" },
        rawdoc! { "db": "app", "db": "app" },
        rawdoc! { "system_buckets": 1 },
        rawdoc! { "system_buckets": "", "cluster": true },
        rawdoc! { "tenant": "t" },
        rawdoc! { "Cluster": true },
    ];
    for resource in odd {
        let privileges = held(resource.clone(), &["anyAction", "find"]);
        for target in targets() {
            assert!(Action::ALL.iter().all(|action| !privileges.holds(target, *action)), "{resource:?} and {target:?}");
        }
        assert!(!privileges.is_everything());
    }
}

#[test]
fn what_is_no_privilege_grants_nothing_and_spoils_no_other() {
    let mut list = RawArrayBuf::new();
    list.push("find");
    list.push(rawdoc! { "resource": { "db": "app", "collection": "" } });
    list.push(rawdoc! { "actions": ["find"] });
    list.push(rawdoc! { "resource": 1, "actions": ["find"] });
    list.push(rawdoc! { "resource": { "db": "app", "collection": "" }, "actions": "find" });
    list.push(rawdoc! { "resource": { "db": "app", "collection": "" }, "actions": [1, "nosuch", "Find", "find "] });
    let none = Privileges::from_inherited(&list);
    assert!(targets().iter().all(|target| Action::ALL.iter().all(|action| !none.holds(*target, *action))));
    list.push(rawdoc! { "resource": { "db": "app", "collection": "" }, "actions": ["nosuch", "find"] });
    assert!(Privileges::from_inherited(&list).holds(Database("app"), Action::Find));
}

#[test]
fn actions_on_one_resource_may_come_from_several_privileges() {
    let mut list = RawArrayBuf::new();
    list.push(rawdoc! { "resource": { "db": "app", "collection": "t" }, "actions": ["find"] });
    list.push(rawdoc! { "resource": { "db": "app", "collection": "t" }, "actions": ["insert"] });
    list.push(rawdoc! { "resource": { "db": "app", "collection": "" }, "actions": ["update"] });
    let privileges = Privileges::from_inherited(&list);
    for action in [Action::Find, Action::Insert, Action::Update] {
        assert!(privileges.holds(collection("app", "t"), action));
    }
    assert!(!privileges.holds(collection("app", "t"), Action::Remove));
}

#[test]
fn only_every_action_on_every_resource_is_everything() {
    assert!(held(rawdoc! { "anyResource": true }, &["anyAction"]).is_everything());
    assert!(Privileges::everything().is_everything());
    assert!(!held(rawdoc! { "anyResource": true }, &["find", "insert"]).is_everything());
    assert!(!held(rawdoc! { "db": "", "collection": "" }, &["anyAction"]).is_everything());
    assert!(!held(rawdoc! { "cluster": true }, &["anyAction"]).is_everything());
    assert!(!Privileges::localhost_exception().is_everything());
}

#[test]
fn the_localhost_exception_holds_six_privileges_and_no_more() {
    let privileges = Privileges::localhost_exception();
    let mut found = Vec::new();
    for target in [Cluster, Any, AnyNormal, Database("admin"), Database("$external"), Database("app"), collection("admin", "t")] {
        found
            .extend(Action::ALL.iter().filter(|action| privileges.holds(target, **action)).map(|action| (target, action.name())));
    }
    let expected = [
        (Cluster, "addShard"),
        (Cluster, "replSetConfigure"),
        (Cluster, "replSetGetStatus"),
        (Database("admin"), "createUser"),
        (Database("admin"), "grantRole"),
        (Database("$external"), "createUser"),
        (collection("admin", "t"), "createUser"),
        (collection("admin", "t"), "grantRole"),
    ];
    assert_eq!(found, expected);
}
