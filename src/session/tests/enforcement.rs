//! `proxy.enforcement`: in transition the rules decide for whom the session enforces.

use super::authentication::{SHA_256, log_in};
use super::*;
use crate::config::settings::EnforcementRule;

const REFUSED: &str = "13 command find requires authentication";

fn transition(rules: &[EnforcementRule]) -> Policy {
    Policy { transition_to_auth: true, enforcement: rules.to_vec(), ..keyfile_policy() }
}

fn by_source(range: &str) -> EnforcementRule {
    EnforcementRule { source: range.parse().ok(), ..EnforcementRule::default() }
}

fn by_application(name: &str) -> EnforcementRule {
    EnforcementRule { application: Some(name.into()), ..EnforcementRule::default() }
}

fn by_user(name: &str, database: &str) -> EnforcementRule {
    EnforcementRule { user: Some(UserName::new(name, database)), ..EnforcementRule::default() }
}

/// A client that has just connected.
fn connected(policy: Policy) -> Client {
    let mut client = Client::new(policy);
    client.session.ask_rules(&client.policy, client.address);
    client
}

fn hello(name: &str) -> RawDocumentBuf {
    let metadata =
        rawdoc! { "application": { "name": name }, "driver": { "name": "d", "version": "1" }, "os": { "type": "Linux" } };
    rawdoc! { "hello": 1, "client": metadata }
}

fn find(client: &mut Client) -> String {
    match client.effect(&rawdoc! { "find": "x" }, "app", false) {
        Effect::Reply { body, .. } => outcome(&body),
        Effect::Forward(permit) => match permit.subject() {
            Subject::Unrestricted(_) => "unrestricted".to_owned(),
            Subject::Authenticated(_) => "authorized".to_owned(),
            Subject::LocalhostException => "localhost exception".to_owned(),
        },
        Effect::AwaitTopology(_) => panic!("a find does not wait"),
    }
}

#[test]
fn a_source_is_enforced_from_the_first_message_on() {
    let mut client = connected(transition(&[by_source("127.0.0.0/8")]));
    assert_eq!(find(&mut client), REFUSED);
    assert_eq!(outcome(&log_in(&mut client, SHA_256, "root", "admin", "pw")), "ok");
    assert_eq!(find(&mut client), "authorized");
    assert_eq!(find(&mut connected(transition(&[by_source("10.0.0.0/8")]))), "unrestricted");
}

#[test]
fn an_application_is_enforced_once_it_has_said_its_name() {
    let mut client = connected(transition(&[by_application("shop")]));
    assert_eq!(find(&mut client), "unrestricted");
    assert_eq!(outcome(&client.send(&hello("shop"))), "ok");
    assert_eq!(find(&mut client), REFUSED);
    let mut other = connected(transition(&[by_application("shop")]));
    assert_eq!(outcome(&other.send(&hello("billing"))), "ok");
    assert_eq!(find(&mut other), "unrestricted");
}

#[test]
fn a_hello_that_waits_says_the_name_too() {
    let mut client = connected(transition(&[by_application("shop")]));
    let mut hello = hello("shop");
    hello.append(cstr!("topologyVersion"), rawdoc! { "processId": ObjectId::from_bytes([7; 12]), "counter": 6_i64 });
    hello.append(cstr!("maxAwaitTimeMS"), 1_i64);
    let _ = client.effect(&hello, "admin", false);
    assert_eq!(find(&mut client), REFUSED);
}

#[test]
fn a_user_is_enforced_as_long_as_it_is_authenticated() {
    let mut client = connected(transition(&[by_user("root", "admin")]));
    assert_eq!(find(&mut client), "unrestricted");
    log_in(&mut client, SHA_256, "root", "admin", "pw");
    assert_eq!(find(&mut client), "authorized");
    client.send(&rawdoc! { "logout": 1 });
    assert_eq!(find(&mut client), "unrestricted");
    log_in(&mut client, SHA_256, "root", "admin", "pw");
    client.session.refresh_user(&UserLookup::NotFound, (None, None));
    client.session.ask_rules(&client.policy, client.address);
    assert_eq!(find(&mut client), "unrestricted", "a user that was dropped is nobody");
    let mut other = connected(transition(&[by_user("root", "admin")]));
    log_in(&mut other, SHA_256, "ann", "app", "pw");
    assert_eq!(find(&mut other), "unrestricted");
}

#[test]
fn rules_that_change_count_at_the_next_command_and_so_does_taking_them_back() {
    let mut client = connected(transition(&[]));
    assert_eq!(outcome(&client.send(&hello("shop"))), "ok");
    for (rules, expected) in [
        (vec![], "unrestricted"),
        (vec![by_application("shop")], REFUSED),
        (vec![], "unrestricted"),
        (vec![by_source("127.0.0.1")], REFUSED),
    ] {
        client.policy = transition(&rules);
        client.session.ask_rules(&client.policy, client.address);
        assert_eq!(find(&mut client), expected, "{rules:?}");
    }
}

#[test]
fn outside_a_transition_no_rule_makes_a_difference() {
    let rules = vec![by_source("127.0.0.1")];
    let enforced = Policy { enforcement: rules.clone(), ..keyfile_policy() };
    assert_eq!(find(&mut connected(enforced)), REFUSED);
    let enforced = Policy { enforcement: vec![by_source("10.0.0.0/8")], ..keyfile_policy() };
    assert_eq!(find(&mut connected(enforced)), REFUSED);
    assert_eq!(find(&mut connected(Policy { enforcement: rules, ..open_policy() })), "unrestricted");
}

#[test]
fn who_is_enforced_is_answered_as_everybody_is_after_the_transition() {
    let commands = [
        (rawdoc! { "ping": 1 }, "admin"),
        (rawdoc! { "hello": 1 }, "admin"),
        (rawdoc! { "buildInfo": 1 }, "admin"),
        (rawdoc! { "connectionStatus": 1, "showPrivileges": true }, "admin"),
        (rawdoc! { "ping": 1, "lsid": { "id": 1 } }, "admin"),
        (rawdoc! { "ping": 1, "startTransaction": true }, "admin"),
        (rawdoc! { "ping": 1, "mayBypassWriteBlocking": true }, "admin"),
        (rawdoc! { "createUser": "eve", "pwd": "x", "roles": ["root"] }, "admin"),
        (rawdoc! { "nosuch": 1 }, "admin"),
        (rawdoc! { "find": "x" }, "app"),
    ];
    for (command, database) in commands {
        let [mut early, mut late] = [transition(&[by_source("127.0.0.1")]), keyfile_policy()].map(connected);
        assert_eq!(early.send_to(&command, database), late.send_to(&command, database), "{}", show(&command));
    }
}

#[test]
fn the_localhost_exception_counts_for_who_is_enforced() {
    let mut client = connected(transition(&[by_source("127.0.0.1")]));
    client.no_users = true;
    assert_eq!(find(&mut client), "localhost exception");
}
