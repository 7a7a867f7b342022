//! Every row of `scram-cases.jsonl`: odd first and second SCRAM messages, the reply, and the reason that only the log tells.

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::{Document, doc};
use serde_json::Value;

use super::support::connection::Connection;
use super::support::scram::{Exchange, Mechanism, binary, payload};
use super::support::servers::{Server, flags};
use super::support::{assert_no_failures, check_all, json, users};

const CASES: &str = include_str!("../data/scram-cases.jsonl");

/// "Authentication failed".
const AUTHENTICATION_FAILED: i64 = 20249;

#[test]
fn odd_first_messages_are_answered_as_recorded() {
    replay("first", |connection, case| {
        let payload = STANDARD.decode(case["payload_b64"].as_str().expect("base64")).expect("base64");
        start(connection, &payload)
    });
}

#[test]
fn odd_second_messages_are_answered_as_recorded() {
    replay("second", |connection, case| {
        let mut exchange = Exchange::new(Mechanism::Sha256, "root", users::user("root").password);
        let name = case["name"].as_str().expect("a name");
        match name {
            "valid gs2 y" => exchange.gs2_header = "y,,".to_owned(),
            "valid authzid" => exchange.gs2_header = "n,a=root,".to_owned(),
            "wrong password" => exchange.password = "wrong".to_owned(),
            _ => {}
        }
        let server_first = payload(&start(connection, exchange.first().as_bytes())?);
        let second = second(name, &mut exchange, &server_first);
        connection
            .run(&doc! {"saslContinue": 1, "conversationId": 1, "payload": binary(&second), "$db": "admin"})
            .map_err(|_| closed())
    });
}

/// The second message of this case, as it was when the answers were recorded.
fn second(name: &str, exchange: &mut Exchange, server_first: &str) -> Vec<u8> {
    let right = exchange.second(server_first);
    let (without_proof, proof) = right.split_once(",p=").expect("a proof");
    let nonce = without_proof.split_once("r=").expect("a nonce").1.to_owned();
    let with_proof = |proof: &str| format!("{without_proof},p={proof}");
    let text = match name {
        "nonce changed" => exchange.second_saying(server_first, &format!("c=biws,r=X{nonce}")),
        "nonce truncated" => exchange.second_saying(server_first, &format!("c=biws,r={}", &nonce[..nonce.len() - 1])),
        "c= differs from gs2 (proof over original)" => right.replace("c=biws", "c=eSws"),
        "c= empty" => exchange.second_saying(server_first, &format!("c=,r={nonce}")),
        "no c=" => exchange.second_saying(server_first, &format!("r={nonce}")),
        "order r,c" => exchange.second_saying(server_first, &format!("r={nonce},c=biws")),
        "extension before proof (not signed)" => format!("{without_proof},x=1,p={proof}"),
        "data after proof" => format!("{right},x=1"),
        "no proof" => without_proof.to_owned(),
        "proof empty" => with_proof(""),
        "proof not base64" => with_proof("!!!!"),
        "proof bad padding" => with_proof(proof.trim_end_matches('=')),
        "proof 31 bytes" => with_proof(&STANDARD.encode([b'a'; 31])),
        "proof 33 bytes" => with_proof(&STANDARD.encode([b'a'; 33])),
        "proof 20 bytes" => with_proof(&STANDARD.encode([b'a'; 20])),
        "proof 32 zero bytes" => with_proof(&STANDARD.encode([0; 32])),
        "empty" => String::new(),
        "single comma" => ",".to_owned(),
        "garbage" => "garbage".to_owned(),
        "e= message" => "e=other-error".to_owned(),
        "valid" | "valid gs2 y" | "valid authzid" | "wrong password" => right,
        other => panic!("the table has a new case: {other}"),
    };
    text.into_bytes()
}

fn start(connection: &mut Connection, payload: &[u8]) -> Result<Document, String> {
    let start = doc! {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(payload), "$db": "admin"};
    connection.run(&start).map_err(|_| closed())
}

fn closed() -> String {
    "closed".to_owned()
}

fn replay(step: &str, run: impl Fn(&mut Connection, &Value) -> Result<Document, String> + Sync) {
    let cases: Vec<Value> = json::lines(CASES).into_iter().filter(|case| case["step"] == step).collect();
    let server = Server::start(&flags("--auth")).expect("a server");
    let check = |case: &Value| {
        let mut connection = server.connect();
        let reply = run(&mut connection, case);
        let found = reply.and_then(|reply| compare(&case["reply"], &reply));
        let logged = found.and_then(|()| compare_log(&server, &connection.local_address(), case));
        logged.map_err(|text| format!("{} {}: {text}", case["text"], case["name"]))
    };
    let failures = check_all(&cases, check);
    assert_no_failures(step, cases.len(), &failures);
}

fn compare(expected: &Value, reply: &Document) -> Result<(), String> {
    let found = json::json(reply);
    let same = reply.get_f64("ok").ok() == expected["ok"].as_f64()
        && reply.get_i32("code").ok().map(i64::from) == expected["code"].as_i64()
        && ["codeName", "errmsg", "done"].iter().all(|name| expected[*name].is_null() || expected[*name] == found[*name])
        && expected["payload_starts"].as_str().is_none_or(|start| payload(reply).starts_with(&start[..2]));
    if same { Ok(()) } else { Err(format!("{expected} expected, {found} found")) }
}

/// The log names the reason that the client is not told. Nonces differ from run to run, so the part before them is compared.
fn compare_log(server: &Server, client: &str, case: &Value) -> Result<(), String> {
    let Some(expected) = case["server_log_error"].as_str() else { return Ok(()) };
    let is_stable = |word: &&str| word.len() < 24;
    let length: usize = expected.split_inclusive([' ', '=']).take_while(is_stable).map(str::len).sum();
    let of_client = |line: &Value| line["attr"]["remote"] == client;
    let line = server.process.wait_for_log_where(AUTHENTICATION_FAILED, of_client)?;
    let found = line["attr"]["error"].as_str().unwrap_or_default();
    if found.starts_with(&expected[..length]) { Ok(()) } else { Err(format!("the log says {line}, expected {expected}")) }
}
