//! Every command of `preauth-commands.json` from a client that is not authenticated: which few are answered, how the others are
//! refused.

use bson::doc;
use serde_json::Value;

use super::support::connection::{Connection, Received};
use super::support::scram::must_log_in;
use super::support::servers::{Server, doorward, flags, shared_backend, upstream};
use super::support::wire::Message;
use super::support::{PATIENCE, assert_no_failures, check_all, json};

const COMMANDS: &str = include_str!("../data/preauth-commands.json");

fn commands() -> Vec<(String, Value)> {
    let file: Value = serde_json::from_str(COMMANDS).expect("JSON");
    let commands = file["commands"].as_object().expect("an object");
    commands.iter().map(|(name, case)| (name.clone(), case.clone())).collect()
}

#[test]
fn bare_commands_are_answered_before_authentication_as_recorded() {
    let cases = commands();
    let server = Server::start(&flags("--auth")).expect("a server");
    let check = |(name, case): &(String, Value)| {
        let expected = &case["bare_args"];
        if expected["codeName"] == "skipped" {
            return Ok(());
        }
        let database = case["db_used"].as_str().unwrap_or("admin");
        check(&mut server.connect(), name, database, expected)
    };
    assert_no_failures("bare commands", cases.len(), &check_all(&cases, check));
}

#[test]
fn admin_commands_on_other_databases_are_refused_before_authentication_as_recorded() {
    let cases: Vec<_> = commands().into_iter().filter(|(_, case)| case["on_non_admin_db"].is_object()).collect();
    let server = Server::start(&flags("--auth")).expect("a server");
    let check = |(name, case): &(String, Value)| check(&mut server.connect(), name, "app", &case["on_non_admin_db"]);
    assert_no_failures("admin commands elsewhere", cases.len(), &check_all(&cases, check));
}

#[test]
fn aliases_are_known_or_unknown_as_recorded() {
    let file: Value = serde_json::from_str(COMMANDS).expect("JSON");
    let names = |list: &str, known: bool| {
        let names = file[list].as_array().expect("an array").iter();
        names.map(|name| (name.as_str().expect("a name").to_owned(), known)).collect::<Vec<_>>()
    };
    let cases = [names("aliases_accepted", true), names("aliases_rejected", false)].concat();
    let server = Server::start(&flags("--auth")).expect("a server");
    let check = |(name, known): &(String, bool)| {
        let reply = server.connect().run(&doc! {name: 1, "$db": "admin"}).map_err(|_| format!("{name}: closed"))?;
        let unknown = reply.get_str("codeName").is_ok_and(|code| code == "CommandNotFound");
        if unknown == *known { Err(format!("{name}: {reply}")) } else { Ok(()) }
    };
    assert_no_failures("aliases", cases.len(), &check_all(&cases, check));
}

fn check(connection: &mut Connection, name: &str, database: &str, expected: &Value) -> Result<(), String> {
    let reply = connection.run(&doc! {name: 1, "$db": database}).map_err(|_| format!("{name}: closed"))?;
    let found = json::json(&reply);
    let ok = reply.get_f64("ok").ok() == Some(1.0);
    let code = reply.get_i32("code").map(i64::from).ok();
    let same = if expected["result"] == "ok" {
        ok
    } else {
        !ok && code == expected["code"].as_i64()
            && ["codeName", "errmsg"].iter().all(|field| expected[*field].is_null() || expected[*field] == found[*field])
    };
    if same { Ok(()) } else { Err(format!("{name}: {expected} expected, {found} found")) }
}

#[test]
fn a_message_of_more_than_16_kib_ends_a_connection_that_is_not_authenticated_and_no_other() {
    let (_process, port) = doorward(&upstream(shared_backend().port), &flags("--auth")).expect("doorward");
    let large = doc! {"ping": 1, "comment": "x".repeat(17_000), "$db": "admin"};
    let compressed = || Message::command(3, 0, &large).compressed(2);
    let mut connection = Connection::plain(port);
    connection.send_bytes(&[20_000_i32, 1, 0, 2013].map(i32::to_le_bytes).concat()).expect("an open connection");
    assert!(matches!(connection.receive(PATIENCE), Received::Closed), "the header alone tells that it is too large");
    let mut connection = Connection::plain(port);
    assert!(connection.answers());
    assert!(connection.run(&large).is_err(), "a message that is larger");
    assert!(Connection::plain(port).exchange(&compressed()).is_err(), "a small message that stands for a larger one");
    let mut connection = Connection::plain(port);
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    connection.must(large.clone());
    assert!(connection.exchange(&compressed()).is_ok());
}
