//! Every row of `framing-cases.jsonl`: raw bytes in, the recorded answer out.
//!
//! The rows marked `doNotCopy` say what doorward must do where mongod 6.0.5 is vulnerable; they are skipped against mongod.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::support::connection::{Connection, Received, is_ok};
use super::support::servers::{Server, Target, flags, target};
use super::support::wire::{OP_MSG, OP_REPLY, Reply};
use super::support::{PATIENCE, SILENCE, assert_no_failures, check_all, json};

const CASES: &str = include_str!("../data/framing-cases.jsonl");

#[test]
fn bytes_are_answered_as_recorded_without_access_control() {
    replay("no access control", "--noauth");
}

#[test]
fn bytes_are_answered_as_recorded_before_authentication() {
    replay("access control on, client not authenticated", "--auth");
}

fn replay(server: &str, flag: &str) {
    let recorded_here = |case: &Value| case["server"] == server && (target() == Target::Doorward || case["doNotCopy"].is_null());
    let cases: Vec<Value> = json::lines(CASES).into_iter().filter(recorded_here).collect();
    let under_test = Server::start(&flags(flag)).expect("a server");
    let check = |case: &Value| check(&under_test, case).map_err(|text| format!("{} / {}: {text}", case["section"], case["name"]));
    assert_no_failures("framing", cases.len(), &check_all(&cases, check));
}

fn check(server: &Server, case: &Value) -> Result<(), String> {
    let mut connection = server.connect();
    for bytes in messages(&case["before"]) {
        let _ = connection.send_bytes(&bytes);
        connection.reply().map_err(|_| "closed before the case began".to_owned())?;
    }
    for bytes in messages(&case["send"]) {
        let _ = connection.send_bytes(&bytes);
    }
    for expected in case["expect"].as_array().ok_or("no expectation")? {
        expect(&mut connection, expected)?;
    }
    expect_afterwards(&mut connection, case["then"].as_str())
}

fn messages(value: &Value) -> Vec<Vec<u8>> {
    let texts = value.as_array().expect("an array").iter();
    texts.map(|text| STANDARD.decode(text.as_str().expect("base64")).expect("base64")).collect()
}

fn expect(connection: &mut Connection, expected: &Value) -> Result<(), String> {
    if expected["noReply"] == true {
        return Ok(()); // The ping that follows must get the next reply.
    }
    match connection.receive(PATIENCE) {
        Received::Closed if expected["closed"] == true => Ok(()),
        Received::Message(message) if expected["closed"].is_null() => compare(expected, &message.reply()),
        other => Err(format!("{expected} expected, {} found", describe(&other))),
    }
}

fn describe(received: &Received) -> String {
    match received {
        Received::Message(message) => format!("{:?}", message.reply()),
        other => format!("{other:?}"),
    }
}

fn compare(expected: &Value, reply: &Reply) -> Result<(), String> {
    let found = json::json(&reply.document);
    let number = |name: &str| expected[name].as_i64();
    let differs = number("op") != Some(i64::from(reply.opcode))
        || number("responseTo") != Some(i64::from(reply.response_to))
        || number("flags").is_some_and(|flags| flags != i64::from(reply.flags))
        || number("originalOpcode").is_some_and(|opcode| opcode != i64::from(reply.inner_opcode))
        || number("compressorId") != reply.compressor.map(i64::from)
        || expected["ok"].as_f64().is_some_and(|ok| reply.document.get_f64("ok").ok() != Some(ok))
        || number("code").is_some_and(|code| reply.document.get_i32("code").ok().map(i64::from) != Some(code))
        || ["codeName", "errmsg", "$err"].iter().any(|name| !same_text(&expected[*name], &found[*name]));
    if differs { Err(format!("{expected} expected, {reply:?} found")) } else { Ok(()) }
}

/// Whether a text is as recorded: wholly, or up to the `…` that ends a long one; what was not recorded may be anything.
fn same_text(expected: &Value, found: &Value) -> bool {
    let Some(expected) = expected.as_str() else { return true };
    let found = found.as_str().unwrap_or_default();
    expected.strip_suffix('…').map_or(found == expected, |start| found.starts_with(start))
}

fn expect_afterwards(connection: &mut Connection, then: Option<&str>) -> Result<(), String> {
    match then {
        None => Ok(()),
        Some("answers ping") => {
            let answers = connection.answers();
            if answers { Ok(()) } else { Err("does not answer a ping afterwards".to_owned()) }
        }
        Some("closed") => match connection.receive(PATIENCE) {
            Received::Closed => Ok(()),
            other => Err(format!("not closed afterwards: {other:?}")),
        },
        Some("waiting for more bytes") => match connection.receive(SILENCE) {
            Received::Nothing => Ok(()),
            other => Err(format!("not waiting afterwards: {other:?}")),
        },
        Some(other) => Err(format!("the table says {other}")),
    }
}

#[test]
fn an_http_request_is_told_that_this_is_not_http() {
    let server = Server::start(&flags("--auth")).expect("a server");
    let mut connection = server.connect();
    let _ = connection.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = connection.read_to_close(PATIENCE).expect("a close");
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        text.starts_with("HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\n"),
        "{text}"
    );
    assert!(text.ends_with("It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"), "{text}");
}

#[test]
fn a_legacy_hello_gets_a_legacy_reply_on_the_connection_that_speaks_both() {
    use super::support::wire::Message;
    let server = Server::start(&flags("--auth")).expect("a server");
    let mut connection = server.connect();
    for name in ["isMaster", "ismaster", "hello"] {
        let query = Message::query(7, "admin", &bson::doc! {name: 1});
        let reply = connection.exchange(&query).expect("a reply");
        assert_eq!((reply.opcode, reply.flags, is_ok(&reply.document)), (OP_REPLY, 8, true), "{name}");
        let command = Message::command(8, 0, &bson::doc! {name: 1, "$db": "admin"}).with_checksum();
        let reply = connection.exchange(&command).expect("a reply");
        assert_eq!((reply.opcode, reply.flags, is_ok(&reply.document)), (OP_MSG, 1, true), "{name}");
    }
}
