//! Every row of `handshake-cases.jsonl`: arguments of hello and its like, the whole reply compared, order of fields included.

use serde_json::Value;

use super::support::servers::{Server, flags, key_file};
use super::support::{assert_no_failures, check_all, json};

const CASES: &str = include_str!("../data/handshake-cases.jsonl");

#[test]
fn handshakes_are_answered_as_recorded_without_access_control() {
    replay("no access control", "--noauth");
}

#[test]
fn handshakes_are_answered_as_recorded_before_authentication() {
    replay("access control on, client not authenticated", &format!("--keyFile {}", key_file()));
}

fn replay(server: &str, flag: &str) {
    let cases: Vec<Value> = json::lines(CASES).into_iter().filter(|case| case["server"] == server).collect();
    let under_test = Server::start(&flags(flag)).expect("a server");
    let check = |case: &Value| check(&under_test, case).map_err(|text| format!("{}: {text}", case["name"]));
    assert_no_failures("handshake", cases.len(), &check_all(&cases, check));
}

fn check(server: &Server, case: &Value) -> Result<(), String> {
    let mut connection = server.connect();
    for (index, exchange) in case["exchanges"].as_array().ok_or("no exchanges")?.iter().enumerate() {
        let reply = connection.run(&json::document(&exchange["send"])).map_err(|_| format!("closed at {exchange}"))?;
        if let Some(text) = json::difference(&exchange["reply"], &json::json(&reply), &format!("reply {index}")) {
            return Err(text);
        }
    }
    Ok(())
}
