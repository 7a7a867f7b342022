use std::sync::Arc;

use bson::raw::RawArrayBuf;
use bson::rawdoc;

use super::super::record::{Limits, Login, Operation, Record};
use super::super::{Client, MEMBERS};
use super::*;
use crate::authz::action::Action;
use crate::authz::needs::Need;
use crate::authz::principal::Principal;
use crate::authz::privileges::Privileges;
use crate::authz::resource::OwnedResource;
use crate::names::UserName;

const SHOP: &str = "shop";

fn client(address: &str) -> Client {
    Client { application: SHOP.into(), driver: "d 1".into(), address: address.into(), ..Client::default() }
}

fn user(actions: &[&str]) -> Arc<Principal> {
    let mut privileges = RawArrayBuf::new();
    let actions: RawArrayBuf = actions.iter().copied().collect();
    privileges.push(rawdoc! { "resource": { "db": "app", "collection": "" }, "actions": actions });
    Arc::new(Principal::new(UserName::new("ann", "app"), Vec::new(), Privileges::from_inherited(&privileges)))
}

fn need(action: Action) -> Need {
    Need { resource: OwnedResource::Collection { database: "app".into(), collection: "orders".into() }, action }
}

fn in_transition() -> Record {
    let record = Record::default();
    record.set_transition(true, 0);
    record
}

/// A command that needs this, by a user or by nobody.
fn work(record: &Record, client: &Client, principal: Option<&Arc<Principal>>, action: Action, now_ms: i64) {
    let needs = [need(action)];
    let is_held = |principal: &Arc<Principal>| {
        needs.iter().all(|need| principal.privileges().holds(need.resource.as_resource(), need.action))
    };
    let why = match principal {
        None => Some(Why::Unauthenticated),
        Some(principal) if is_held(principal) => None,
        Some(_) => Some(Why::MissingPrivilege(needs.to_vec())),
    };
    let user = principal.map(|principal| principal.name());
    let operation =
        Operation { client, user, command: "c", namespace: "app.orders", why: why.as_ref(), is_enforced: false, needs: &needs };
    record.operation(&operation, now_ms);
}

fn kinds(record: &Record, now_ms: i64, last_ms: Option<i64>) -> Vec<&'static str> {
    let mut report = record.report();
    if let Some(last_ms) = last_ms {
        report.forget_before(now_ms - last_ms);
    }
    obstacles(&report, now_ms, last_ms).iter().map(Obstacle::kind).collect()
}

#[test]
fn without_a_transition_or_without_anything_seen_nothing_is_ready() {
    let record = Record::default();
    assert_eq!(kinds(&record, 1, None), ["noTransition"]);
    record.set_transition(true, 1);
    assert_eq!(kinds(&record, 2, None), ["nothingSeen"]);
    work(&record, &client("a"), Some(&user(&["find"])), Action::Find, 3);
    assert!(kinds(&record, 4, None).is_empty());
    record.set_transition(false, 5);
    assert_eq!(kinds(&record, 6, None), ["transitionEnded"]);
    record.set_transition(true, 7);
    assert_eq!(kinds(&record, 8, None), ["nothingSeen"], "in this transition nobody has worked yet");
    work(&record, &client("a"), Some(&user(&["find"])), Action::Find, 9);
    assert!(kinds(&record, 10, None).is_empty());
}

#[test]
fn who_has_logged_in_was_seen_even_before_the_first_command() {
    let record = in_transition();
    let _presence = record.arrive(&client("a"), Some(&user(&[])), 1);
    assert!(kinds(&record, 2, None).is_empty());
}

#[test]
fn a_period_that_is_asked_for_has_to_be_seen_whole() {
    let record = in_transition();
    work(&record, &client("a"), Some(&user(&["find"])), Action::Find, 1000);
    assert_eq!(kinds(&record, 2000, Some(3000)), ["tooShort"]);
    assert!(kinds(&record, 2000, Some(1500)).is_empty());
    assert_eq!(kinds(&record, 2000, Some(500)), ["nothingSeen"]);
    record.set_transition(false, 2000);
    record.set_transition(true, 3000);
    assert_eq!(kinds(&record, 4000, Some(3500)), ["tooShort"], "a gap in the transition is not seen");
}

#[test]
fn what_is_older_than_asked_for_does_not_count() {
    let record = in_transition();
    work(&record, &client("a"), None, Action::Find, 1000);
    work(&record, &client("b"), Some(&user(&["find"])), Action::Find, 5000);
    record.login_failed(&Login { client: &client("a"), user: None, mechanism: "SCRAM-SHA-256" }, 1000);
    assert_eq!(kinds(&record, 6000, None), ["application"]);
    assert_eq!(kinds(&record, 6000, Some(5500)), ["application"]);
    assert!(kinds(&record, 6000, Some(2000)).is_empty());
}

#[test]
fn what_was_done_without_a_login_counts_whatever_its_age_while_the_connection_is_open() {
    let record = in_transition();
    work(&record, &client("a"), None, Action::Find, 1000);
    let idle = record.arrive(&client("a"), None, 1000);
    work(&record, &client("b"), Some(&user(&["find"])), Action::Find, 5000);
    assert_eq!(kinds(&record, 6000, Some(2000)), ["application"]);
    drop(idle);
    assert!(kinds(&record, 6000, Some(2000)).is_empty());
}

#[test]
fn what_a_client_does_at_one_deployment_resolves_nothing_at_another() {
    let [one, two] = ["one", "two"].map(|name| Client { deployment: name.into(), ..client("here") });
    let record = in_transition();
    work(&record, &one, None, Action::Find, 1);
    let _there = record.arrive(&two, Some(&user(&["find"])), 2);
    assert_eq!(kinds(&record, 3, None), ["application"]);
    let login = |client| Login { client, user: None, mechanism: "SCRAM-SHA-256" };
    record.login_failed(&login(&one), 4);
    record.login_succeeded(&login(&two), 5);
    let _here = record.arrive(&one, Some(&user(&["find"])), 6);
    assert_eq!(kinds(&record, 7, None), ["application"], "the login");
    record.login_succeeded(&login(&one), 8);
    assert!(kinds(&record, 9, None).is_empty());
}

#[test]
fn credentials_resolve_what_was_done_without_when_they_are_enough_for_it() {
    let cases: [(&str, &[&str], bool); 4] =
        [("here", &["find"], true), ("here", &["insert"], false), ("elsewhere", &["find"], false), ("here", &[], false)];
    for (address, actions, expected) in cases {
        let record = in_transition();
        work(&record, &client("here"), None, Action::Find, 1);
        assert_eq!(kinds(&record, 2, None), ["application"]);
        let _presence = record.arrive(&client(address), Some(&user(actions)), 3);
        assert_eq!(kinds(&record, 4, None).is_empty(), expected, "{address} {actions:?}");
    }
}

#[test]
fn nothing_is_resolved_as_long_as_a_connection_works_without_credentials() {
    let record = in_transition();
    let here = client("here");
    let without = record.arrive(&here, None, 1);
    work(&record, &here, None, Action::Find, 1);
    let _with = record.arrive(&here, Some(&user(&["find"])), 2);
    assert_eq!(kinds(&record, 3, None), ["application"]);
    drop(without);
    assert!(kinds(&record, 4, None).is_empty());
    work(&record, &here, None, Action::Find, 5);
    assert_eq!(kinds(&record, 6, None), ["application"], "it came again without");
}

#[test]
fn members_of_the_set_are_one_application_and_a_login_from_their_address_resolves_what_they_did() {
    let record = in_transition();
    let member = |address: &str| Client::member(address.parse().ok(), "");
    assert_eq!(member("10.0.0.1").application, MEMBERS);
    let open = record.arrive(&member("10.0.0.1"), None, 1);
    work(&record, &member("10.0.0.1"), None, Action::Internal, 2);
    let system = Arc::new(Principal::member());
    let elsewhere = record.arrive(&member("10.0.0.2"), Some(&system), 3);
    assert_eq!(kinds(&record, 4, None), ["application"], "another member's login is no use");
    let here = record.arrive(&member("10.0.0.1"), Some(&system), 5);
    assert_eq!(kinds(&record, 6, None), ["application"], "one of its connections goes on without");
    drop(open);
    assert!(kinds(&record, 7, None).is_empty());
    work(&record, &member("10.0.0.1"), None, Action::Internal, 8);
    assert_eq!(kinds(&record, 9, None), ["application"], "it came without again");
    drop((elsewhere, here));
}

#[test]
fn a_grant_resolves_what_was_lacking_once_the_user_was_seen_with_it() {
    let record = in_transition();
    let (here, before, after) = (client("here"), user(&["find"]), user(&["find", "insert"]));
    let presence = record.arrive(&here, Some(&before), 1);
    work(&record, &here, Some(&before), Action::Insert, 1);
    presence.touch(2);
    assert_eq!(kinds(&record, 3, None), ["application"]);
    presence.refresh(Some(&after), 4);
    assert!(kinds(&record, 5, None).is_empty());
}

#[test]
fn what_the_record_has_no_room_for_stands_in_the_way_unless_it_was_allowed() {
    let full = Limits { applications: 1, entries_an_application: 2, ..Limits::DEFAULT };
    let other = Client { application: "other".into(), ..client("here") };
    for (principal, expected) in [(Some(user(&["find"])), &[][..]), (None, &["overflow"])] {
        let record = Record::new(full);
        record.set_transition(true, 0);
        work(&record, &client("here"), Some(&user(&["find"])), Action::Find, 1);
        work(&record, &other, principal.as_ref(), Action::Find, 1);
        assert_eq!(kinds(&record, 2, None), expected);
    }
}

#[test]
fn an_obstacle_says_in_words_what_it_is() {
    let record = in_transition();
    work(&record, &client("a"), None, Action::Find, 1);
    work(&record, &client("a"), Some(&user(&[])), Action::Find, 1);
    record.login_failed(&Login { client: &client("a"), user: None, mechanism: "SCRAM-SHA-256" }, 1);
    let texts: Vec<_> = obstacles(&record.report(), 2, None).iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["shop would break: 1x without credentials, 1x without the privilege, 1x failed to log in"]);
}
