//! Every command of `preauth-commands.json` from a client that is not authenticated: which few are answered, how the others are
//! refused.

use bson::doc;
use serde_json::Value;

use super::support::connection::Connection;
use super::support::servers::{Server, flags};
use super::support::{assert_no_failures, check_all, json};

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
