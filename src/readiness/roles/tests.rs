use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::rawdoc;

use super::*;

fn role(name: &str, database: &str, privileges: &[(RawDocumentBuf, &[&str])]) -> RawDocumentBuf {
    let mut list = RawArrayBuf::new();
    for (resource, actions) in privileges {
        let mut names = RawArrayBuf::new();
        actions.iter().for_each(|action| names.push(*action));
        list.push(rawdoc! { "resource": resource.clone(), "actions": names });
    }
    rawdoc! { "role": name, "db": database, "isBuiltin": true, "inheritedPrivileges": list }
}

/// A few roles in the shape of the built-in ones.
fn definitions() -> Vec<Definition> {
    let mut roles = RawArrayBuf::new();
    for database in ["app", "shop", "admin"] {
        let whole = rawdoc! { "db": database, "collection": "" };
        let js = rawdoc! { "db": database, "collection": "system.js" };
        let write: &[&str] = &["find", "listCollections", "insert", "update", "remove"];
        roles.push(role("read", database, &[(whole.clone(), &["find", "listCollections"]), (js, &["find"])]));
        roles.push(role("readWrite", database, &[(whole.clone(), write)]));
        roles.push(role("dbAdmin", database, &[(whole.clone(), &["listCollections", "dropDatabase"])]));
        let owner: &[&str] = &["find", "listCollections", "insert", "update", "remove", "dropDatabase", "createUser"];
        roles.push(role("dbOwner", database, &[(whole, owner)]));
    }
    let everywhere = || rawdoc! { "db": "", "collection": "" };
    let cluster = || rawdoc! { "cluster": true };
    roles.push(role(
        "readAnyDatabase",
        "admin",
        &[(everywhere(), &["find", "listCollections"]), (cluster(), &["listDatabases"])],
    ));
    roles.push(role("clusterMonitor", "admin", &[(cluster(), &["serverStatus", "listDatabases", "inprog"])]));
    roles.push(role("root", "admin", &[(everywhere(), &["find", "insert"]), (cluster(), &["serverStatus", "shutdown"])]));
    roles.push(role("__system", "admin", &[(rawdoc! { "anyResource": true }, &["anyAction"])]));
    roles.push(rawdoc! { "role": "mine", "db": "app", "isBuiltin": false, "inheritedPrivileges": [] });
    Definition::from_roles_info(&rawdoc! { "roles": roles, "ok": 1.0 })
}

fn on(database: &str, collection: &str, action: Action) -> Need {
    Need { resource: OwnedResource::Collection { database: database.into(), collection: collection.into() }, action }
}

fn cluster(action: Action) -> Need {
    Need { resource: OwnedResource::Cluster, action }
}

fn names(needs: &[Need]) -> Vec<String> {
    let recommendation = recommend(needs, &definitions());
    recommendation.roles.iter().map(|role| format!("{}@{}", role.role, role.database)).collect()
}

#[test]
fn the_smallest_roles_are_those_that_grant_least() {
    let drop = || Need { resource: OwnedResource::Database("app".into()), action: Action::DropDatabase };
    let cases: [(&[Need], &[&str]); 8] = [
        (&[], &[]),
        (&[on("app", "orders", Action::Find)], &["read@app"]),
        (&[on("app", "orders", Action::Find), on("app", "orders", Action::Insert)], &["readWrite@app"]),
        // Two roles on two databases, and not one on all.
        (&[on("app", "orders", Action::Find), on("shop", "carts", Action::Find)], &["read@app", "read@shop"]),
        (&[on("app", "orders", Action::Find), cluster(Action::ServerStatus)], &["clusterMonitor@admin", "read@app"]),
        // Two roles that together grant less than one.
        (&[on("app", "orders", Action::Insert), drop()], &["dbAdmin@app", "readWrite@app"]),
        // A system collection, which a privilege on the database does not reach.
        (&[on("app", "system.js", Action::Find)], &["read@app"]),
        (&[cluster(Action::ListDatabases)], &["clusterMonitor@admin"]),
    ];
    for (needs, expected) in cases {
        assert_eq!(names(needs), expected, "{needs:?}");
    }
}

#[test]
fn root_is_recommended_only_for_what_nothing_else_covers_and_the_role_of_members_never() {
    assert_eq!(names(&[cluster(Action::Shutdown)]), ["root@admin"]);
    // `root` may find and insert everywhere too, but what is narrower is narrower.
    assert_eq!(names(&[on("other", "c", Action::Find)]), ["readAnyDatabase@admin"]);
}

#[test]
fn what_no_role_covers_is_listed_and_the_rest_is_still_covered() {
    let needs = [cluster(Action::Impersonate), on("app", "orders", Action::Find)];
    let recommendation = recommend(&needs, &definitions());
    assert_eq!(recommendation.uncovered, [cluster(Action::Impersonate)]);
    assert_eq!(recommendation.roles.len(), 1);
}

#[test]
fn the_privileges_are_exactly_the_needs_by_resource() {
    let needs = [on("app", "orders", Action::Insert), cluster(Action::InProg), on("app", "orders", Action::Find)];
    let expected = [
        (OwnedResource::Collection { database: "app".into(), collection: "orders".into() }, vec![Action::Find, Action::Insert]),
        (OwnedResource::Cluster, vec![Action::InProg]),
    ];
    assert_eq!(recommend(&needs, &definitions()).privileges, expected);
}

#[test]
fn roles_that_are_not_built_in_are_left_out() {
    assert!(definitions().iter().all(|role| role.name.role != "mine"));
    assert!(Definition::from_roles_info(&rawdoc! { "ok": 1.0 }).is_empty());
}

#[test]
fn very_many_databases_end_with_an_answer() {
    let mut roles = RawArrayBuf::new();
    let mut needs = Vec::new();
    for number in 0..40 {
        let database = format!("db{number}");
        let whole = rawdoc! { "db": database.as_str(), "collection": "" };
        roles.push(role("read", &database, &[(whole.clone(), &["find"])]));
        roles.push(role("dbAdmin", &database, &[(whole.clone(), &["collMod"])]));
        roles.push(role("dbOwner", &database, &[(whole, &["find", "collMod", "dropDatabase"])]));
        needs.extend([on(&database, "c", Action::Find), on(&database, "c", Action::CollMod)]);
    }
    let definitions = Definition::from_roles_info(&rawdoc! { "roles": roles });
    let recommendation = recommend(&needs, &definitions);
    assert_eq!(recommendation.roles.len(), 80);
    assert!(recommendation.roles.iter().all(|role| role.role != "dbOwner"));
}

proptest::proptest! {
    #[test]
    fn the_recommended_roles_cover_every_need_that_can_be_covered(picks in proptest::collection::vec((0_usize..4, 0_usize..6), 0..12)) {
        let definitions = definitions();
        let databases = ["app", "shop", "admin", "elsewhere"];
        let actions = [Action::Find, Action::Insert, Action::DropDatabase, Action::CreateUser, Action::CollMod, Action::ListCollections];
        let needs: Vec<Need> = picks.iter().map(|&(database, action)| on(databases[database], "c", actions[action])).collect();
        let recommendation = recommend(&needs, &definitions);
        for need in needs {
            let is_covered = definitions.iter().any(|role| recommendation.roles.contains(&role.name) && role.covers(&need));
            proptest::prop_assert!(is_covered != recommendation.uncovered.contains(&need));
        }
    }
}
