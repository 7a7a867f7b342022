//! The would-deny record as JSON, for `/api/readiness` and `/api/readiness/roles`.
//!
//! Names are what clients call themselves; whoever prints them must escape them. Field names are part of doorward's outward contract.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::log::timestamp;
use crate::authz::action::Action;
use crate::authz::needs::Need;
use crate::authz::resource::OwnedResource;
use crate::names::UserName;
use crate::readiness::MEMBERS;
use crate::readiness::report::{ApplicationReport, Connections, FailedLogin, LineReport, Overflow, Place, Report, Tally, Why};
use crate::readiness::roles::Recommendation;
use crate::readiness::verdict::{self, Obstacle};

/// Why there is no recommendation.
#[derive(Debug, thiserror::Error)]
pub enum RolesError {
    /// The record has no such application.
    #[error("no application of this name has done anything that needs a privilege; /api/readiness lists those that have")]
    UnknownApplication,
    /// The upstream, which defines the roles, can not be asked.
    #[error("the upstream can not be asked for its roles: {0}")]
    Upstream(String),
}

/// The whole report with its verdict. With `last_ms` only so many milliseconds count.
#[must_use]
pub fn report(mut report: Report, now_ms: i64, last_ms: Option<i64>) -> Value {
    if let Some(last_ms) = last_ms {
        report.forget_before(now_ms.saturating_sub(last_ms));
    }
    let obstacles = verdict::obstacles(&report, now_ms, last_ms);
    let since_ms = verdict::counts_from(&report, now_ms, last_ms);
    let names = |ready: bool| -> Vec<&str> {
        report.applications.iter().filter(|one| one.is_ready() == ready).map(|one| one.name.as_str()).collect()
    };
    json!({
        "transition": report.since_ms.is_some() && report.ended_ms.is_none(),
        "since": report.since_ms.map(time),
        "until": report.ended_ms.map(time),
        "verdict": if obstacles.is_empty() { "ready to enforce" } else { "not ready to enforce" },
        "obstacles": obstacles.iter().map(obstacle).collect::<Vec<_>>(),
        "wouldBreak": names(false),
        "ready": names(true),
        "applications": report.applications.iter().map(|one| application(one, since_ms)).collect::<Vec<_>>(),
        "overflow": overflow(report.overflow),
    })
}

/// What stands in the way: a word for programs, a text for people, and the application that it is about, if it is about one.
fn obstacle(obstacle: &Obstacle) -> Value {
    json!({ "kind": obstacle.kind(), "application": obstacle.application(), "text": obstacle.to_string() })
}

/// `since_ms` is from when on it has to have worked to count as seen.
fn application(report: &ApplicationReport, since_ms: i64) -> Value {
    let (allowed, unauthenticated, missing_privilege) = report.counts();
    let lines =
        |allowed: bool| -> Vec<Value> { report.lines.iter().filter(|one| one.line.why.is_none() == allowed).map(line).collect() };
    json!({
        "application": report.name,
        "members": report.name == MEMBERS,
        "ready": report.is_ready(),
        "seen": report.has_worked_since(since_ms),
        "operations": { "allowed": allowed, "unauthenticated": unauthenticated, "missingPrivilege": missing_privilege },
        "connections": report.connections.iter().map(connections).collect::<Vec<_>>(),
        "users": users(report).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "denied": lines(false),
        "allowed": lines(true),
        "failedLogins": report.failed_logins.iter().map(failed_login).collect::<Vec<_>>(),
        "needs": report.needs.iter().map(|(one, lacking)| {
            let mut object = need(one);
            object.insert("missing".into(), (*lacking).into());
            Value::from(object)
        }).collect::<Vec<_>>(),
        "overflow": overflow(report.overflow),
    })
}

fn connections(connections: &Connections) -> Value {
    let Connections { place: Place { driver, address, deployment, user }, open, total, last_ms } = connections;
    json!({
        "driver": driver, "address": address, "deployment": deployment, "authenticated": user.is_some(), "user": user.as_ref().map(ToString::to_string),
        "open": open, "total": total, "lastSeen": time(*last_ms),
    })
}

fn line(LineReport { line, tally, namespace, is_resolved }: &LineReport) -> Value {
    let mut object = Map::new();
    object.insert("command".into(), line.command.as_str().into());
    object.insert("user".into(), line.user.as_ref().map(ToString::to_string).into());
    object.insert("namespace".into(), namespace.as_str().into());
    if let Some(why) = &line.why {
        object.insert("driver".into(), line.driver.as_str().into());
        object.insert("address".into(), line.address.as_str().into());
        object.insert("deployment".into(), line.deployment.as_str().into());
        object.insert("enforced".into(), line.is_enforced.into());
        object.insert("resolved".into(), (*is_resolved).into());
        match why {
            Why::Unauthenticated => object.insert("why".into(), "unauthenticated".into()),
            Why::MissingPrivilege(missing) => {
                object.insert("why".into(), "missing privilege".into());
                object.insert("missing".into(), missing.iter().map(need).collect::<Vec<_>>().into())
            }
        };
    }
    tallied(&mut object, *tally);
    object.into()
}

fn failed_login((login, tally, later): &(FailedLogin, Tally, bool)) -> Value {
    let mut object = Map::new();
    object.insert("user".into(), login.user.as_ref().map(ToString::to_string).into());
    object.insert("mechanism".into(), login.mechanism.as_str().into());
    object.insert("driver".into(), login.driver.as_str().into());
    object.insert("address".into(), login.address.as_str().into());
    object.insert("deployment".into(), login.deployment.as_str().into());
    object.insert("succeededLater".into(), (*later).into());
    tallied(&mut object, *tally);
    object.into()
}

fn tallied(object: &mut Map<String, Value>, tally: Tally) {
    object.insert("count".into(), tally.count.into());
    object.insert("firstSeen".into(), time(tally.first_ms).into());
    object.insert("lastSeen".into(), time(tally.last_ms).into());
}

fn overflow(overflow: Overflow) -> Value {
    let Overflow { allowed, denied, failed_logins, needs, connections } = overflow;
    json!({
        "allowed": allowed, "denied": denied, "failedLogins": failed_logins, "needs": needs, "connections": connections,
    })
}

/// One privilege, for JSON.
pub fn need(need: &Need) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("resource".into(), resource(&need.resource));
    object.insert("action".into(), need.action.name().into());
    object
}

/// A resource as `createRole` takes it.
fn resource(resource: &OwnedResource) -> Value {
    match resource {
        OwnedResource::Collection { database, collection } => json!({ "db": database, "collection": collection }),
        OwnedResource::Database(database) => json!({ "db": database, "collection": "" }),
        OwnedResource::AnyNormal => json!({ "db": "", "collection": "" }),
        OwnedResource::Cluster => json!({ "cluster": true }),
        OwnedResource::Any => json!({ "anyResource": true }),
    }
}

/// The users that the application authenticated as.
fn users(report: &ApplicationReport) -> Vec<UserName> {
    let worked = report.lines.iter().filter_map(|one| one.line.user.clone());
    let connected = report.connections.iter().filter_map(|one| one.place.user.clone());
    let mut users: Vec<_> = worked.chain(connected).collect();
    users.sort_unstable_by(|one, other| (&one.database, &one.name).cmp(&(&other.database, &other.name)));
    users.dedup();
    users
}

/// The roles for one application, with commands for mongosh.
#[must_use]
pub fn roles(report: &ApplicationReport, recommendation: &Recommendation) -> Value {
    let users = users(report);
    let roles: Vec<Value> = recommendation.roles.iter().map(|role| json!({ "role": role.role, "db": role.database })).collect();
    let privileges: Vec<Value> = recommendation.privileges.iter().map(|(target, actions)| privilege(target, actions)).collect();
    let role_name = format!("doorward-{}", if report.name.is_empty() { "application" } else { &report.name });
    let create_role = json!({ "createRole": role_name, "privileges": privileges, "roles": [] });
    let custom = json!([{ "role": role_name, "db": "admin" }]);
    json!({
        "application": report.name,
        "users": users.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "complete": report.overflow.needs == 0,
        "roles": roles,
        "uncovered": recommendation.uncovered.iter().map(|one| Value::from(need(one))).collect::<Vec<_>>(),
        "grantRoles": granting(&users, &report.name, &Value::from(roles)),
        "createRole": create_role,
        "createRoleCommand": format!("db.getSiblingDB(\"admin\").runCommand({create_role})"),
        "grantCreatedRole": granting(&users, &report.name, &custom),
    })
}

fn privilege(target: &OwnedResource, actions: &[Action]) -> Value {
    json!({ "resource": resource(target), "actions": actions.iter().map(|action| action.name()).collect::<Vec<_>>() })
}

/// Commands for mongosh that give these roles to these users, or to a new one. A JSON text is a JavaScript text.
fn granting(users: &[UserName], application: &str, roles: &Value) -> Vec<String> {
    let quoted = |text: &str| Value::from(text).to_string();
    if users.is_empty() {
        let name = quoted(if application.is_empty() { "application" } else { application });
        return vec![format!("db.getSiblingDB(\"admin\").createUser({{user: {name}, pwd: passwordPrompt(), roles: {roles}}})")];
    }
    let grant = |user: &UserName| {
        format!("db.getSiblingDB({}).grantRolesToUser({}, {roles})", quoted(&user.database), quoted(&user.name))
    };
    users.iter().map(grant).collect()
}

fn time(milliseconds: i64) -> String {
    timestamp(UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::RoleName;
    use crate::readiness::Client;
    use crate::readiness::record::{Operation, Record};

    fn recorded(user: Option<&UserName>) -> Report {
        let record = Record::default();
        record.set_transition(true, 0);
        let client = Client {
            application: "the \"shop\"".into(),
            driver: "d 1".into(),
            address: "10.0.0.7".into(),
            deployment: "one.example.com".into(),
        };
        let resource = OwnedResource::Collection { database: "app".into(), collection: "orders".into() };
        let needs = [Need { resource, action: Action::Insert }];
        let why = if user.is_some() { Why::MissingPrivilege(needs.to_vec()) } else { Why::Unauthenticated };
        let operation = Operation {
            client: &client,
            user,
            command: "insert",
            namespace: "app.orders",
            why: Some(&why),
            is_enforced: false,
            needs: &needs,
        };
        record.operation(&operation, 1000);
        record.report()
    }

    #[test]
    fn the_report_names_who_would_break_and_why() {
        let value = report(recorded(Some(&UserName::new("ann", "app"))), 2000, None);
        assert_eq!(
            (&value["transition"], &value["wouldBreak"], &value["ready"]),
            (&json!(true), &json!(["the \"shop\""]), &json!([]))
        );
        let expected = json!([{
            "command": "insert", "user": "ann@app", "namespace": "app.orders", "driver": "d 1", "address": "10.0.0.7",
            "deployment": "one.example.com", "why": "missing privilege", "enforced": false, "resolved": false,
            "missing": [{ "resource": { "db": "app", "collection": "orders" }, "action": "insert" }],
            "count": 1, "firstSeen": "1970-01-01T00:00:01.000+00:00", "lastSeen": "1970-01-01T00:00:01.000+00:00",
        }]);
        assert_eq!(value["applications"][0]["denied"], expected);
        let obstacle = json!({
            "kind": "application", "application": "the \"shop\"",
            "text": "the \"shop\" would break: 1x without the privilege",
        });
        assert_eq!((&value["verdict"], &value["obstacles"]), (&json!("not ready to enforce"), &json!([obstacle])));
    }

    #[test]
    fn what_is_older_than_asked_for_stands_in_nobodys_way() {
        let verdict = |last_ms| report(recorded(None), 2000, Some(last_ms))["obstacles"].clone();
        assert_eq!(verdict(1500)[0]["kind"], "application");
        assert_eq!(verdict(500)[0]["kind"], "nothingSeen");
        assert_eq!(verdict(3000)[0]["kind"], "tooShort");
    }

    #[test]
    fn connections_are_told_with_who_is_authenticated() {
        let record = Record::default();
        record.set_transition(true, 0);
        let client = Client { application: "shop".into(), driver: "d 1".into(), address: "10.0.0.7".into(), ..Client::default() };
        let presence = record.arrive(&client, None, 1000);
        let told = report(record.report(), 2000, None)["applications"][0]["connections"].clone();
        let expected = json!([{
            "driver": "d 1", "address": "10.0.0.7", "deployment": "", "authenticated": false, "user": null, "open": 1, "total": 1,
            "lastSeen": "1970-01-01T00:00:01.000+00:00",
        }]);
        assert_eq!(told, expected);
        drop(presence);
        assert_eq!(report(record.report(), 2000, None)["applications"][0]["connections"][0]["open"], 0);
    }

    #[test]
    fn the_roles_come_with_commands_to_paste_whatever_names_hold() {
        let privileges = vec![(
            OwnedResource::Collection { database: "app".into(), collection: "orders".into() },
            vec![Action::Find, Action::Insert],
        )];
        let role = RoleName { role: "readWrite".into(), database: "app".into() };
        let recommendation = Recommendation { roles: vec![role], uncovered: Vec::new(), privileges };
        let of = |user: Option<&UserName>| roles(recorded(user).applications.first().unwrap(), &recommendation);
        let value = of(Some(&UserName::new("a\"nn", "app")));
        assert_eq!(
            value["createRoleCommand"],
            "db.getSiblingDB(\"admin\").runCommand({\"createRole\":\"doorward-the \\\"shop\\\"\",\"privileges\":[{\"resource\":\
             {\"db\":\"app\",\"collection\":\"orders\"},\"actions\":[\"find\",\"insert\"]}],\"roles\":[]})"
        );
        let grant = "db.getSiblingDB(\"app\").grantRolesToUser(\"a\\\"nn\", [{\"role\":\"readWrite\",\"db\":\"app\"}])";
        assert_eq!(value["grantRoles"], json!([grant]));
        assert!(
            of(None)["grantRoles"][0].as_str().unwrap().contains("createUser({user: \"the \\\"shop\\\"\", pwd: passwordPrompt()")
        );
    }
}
