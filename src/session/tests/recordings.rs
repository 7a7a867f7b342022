//! Replays of what a real mongod 6.0.5 answered.

use super::*;

const HANDSHAKES: &str = include_str!("../../../tests/data/handshake-cases.jsonl");

/// Compares a reply with a recorded one: fields, their order and their types; what varies need only be there.
fn assert_equal(recorded: &Value, reply: &RawDocument, what: &str) {
    let keys: Vec<_> = reply.iter().map(|element| element.unwrap().0.as_str().to_owned()).collect();
    let recorded_keys: Vec<_> = recorded.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, recorded_keys, "{what}");
    for (key, value) in recorded.as_object().unwrap() {
        if value != "<varies>" {
            let expected = bson(value);
            let found = RawBson::from(reply.get(key).unwrap().unwrap());
            assert_eq!(found, expected, "{what}: {key}");
        }
    }
}

#[test]
fn every_recorded_handshake_is_answered_as_mongod_answered_it() {
    let mut rows = 0;
    for line in HANDSHAKES.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (name, server) = (row["name"].as_str().unwrap(), row["server"].as_str().unwrap());
        let enforces = server.starts_with("access control on");
        let mut client = Client::new(if enforces { keyfile_policy() } else { open_policy() });
        for exchange in row["exchanges"].as_array().unwrap() {
            let sent = &exchange["send"];
            let body = document(sent);
            let what = format!("{name} ({server})");
            match client.effect(&body, sent["$db"].as_str().unwrap(), false) {
                Effect::Reply { body, .. } => assert_equal(&exchange["reply"], &body, &what),
                Effect::Forward(_) => {
                    let command = sent.as_object().unwrap().keys().next().unwrap();
                    assert!(!enforces && ["ping", "_isSelf"].contains(&command.as_str()), "{what}: {command} was forwarded");
                }
                Effect::AwaitTopology(_) => panic!("{what}: waits for ever"),
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 156);
}

fn assert_recorded(expected: &Value, reply: &RawDocument, what: &str) {
    if expected["result"] == "ok" {
        assert_eq!(outcome(reply), "ok", "{what}");
    } else {
        let recorded = format!("{} {}", expected["code"], expected["errmsg"].as_str().unwrap());
        assert_eq!(outcome(reply), recorded, "{what}");
        assert_eq!(reply.get_str("codeName").unwrap(), expected["codeName"].as_str().unwrap(), "{what}");
    }
}

/// The arguments with which the commands that answer were recorded.
fn arguments(name: &str) -> RawDocumentBuf {
    match name {
        "authenticate" => rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 },
        "saslStart" => rawdoc! {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256",
            "payload": Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: b"n,,n=root,r=abcdabcd".to_vec() },
        },
        "saslContinue" => rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": "" },
        "waitForFailPoint" => rawdoc! { "waitForFailPoint": "x", "timesEntered": 1, "maxTimeMS": 1 },
        other => bare(other),
    }
}

fn bare(name: &str) -> RawDocumentBuf {
    let mut body = RawDocumentBuf::new();
    body.append(CString::try_from(name).unwrap(), 1);
    body
}

#[test]
fn every_command_of_a_client_that_is_not_authenticated_gets_mongods_verdict() {
    let recorded: Value = serde_json::from_str(PREAUTH).unwrap();
    let commands = recorded["commands"].as_object().unwrap();
    assert_eq!(commands.len(), 243);
    for (name, expected) in commands {
        let database = expected["db_used"].as_str().unwrap();
        let reply = Client::new(keyfile_policy()).send_to(&arguments(name), database);
        assert_recorded(expected, &reply, name);
        if expected["bare_args"]["codeName"] != "skipped" {
            let reply = Client::new(keyfile_policy()).send_to(&bare(name), database);
            assert_recorded(&expected["bare_args"], &reply, &format!("{name}, bare"));
        }
        if let Some(expected) = expected.get("on_non_admin_db") {
            let reply = Client::new(keyfile_policy()).send_to(&arguments(name), "app");
            assert_recorded(expected, &reply, &format!("{name}, not on admin"));
        }
    }
}

#[test]
fn aliases_are_known_and_other_spellings_are_not() {
    let recorded: Value = serde_json::from_str(PREAUTH).unwrap();
    for alias in recorded["aliases_accepted"].as_array().unwrap() {
        let reply = Client::new(keyfile_policy()).send(&bare(alias.as_str().unwrap()));
        assert_ne!(reply.get_i32("code").ok(), Some(59), "{alias}");
    }
    for name in recorded["aliases_rejected"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let reply = Client::new(keyfile_policy()).send(&bare(name));
        assert_eq!(outcome(&reply), format!("59 no such command: '{name}'"));
    }
    let reply = Client::new(keyfile_policy()).send(&bare("findandmodify"));
    assert_eq!(outcome(&reply), "13 command findAndModify requires authentication");
}

/// A recorded second message with the nonce of this exchange in it.
fn with_nonce(message: &str, challenge: &RawDocument) -> String {
    let challenge = challenge.get_binary("payload").unwrap().bytes.to_vec();
    let challenge = String::from_utf8(challenge).unwrap();
    let nonce = challenge.split(',').next().unwrap();
    let parts: Vec<_> = message.split(',').map(|part| if part.starts_with("r=") { nonce } else { part }).collect();
    parts.join(",")
}

#[test]
fn every_recorded_scram_message_is_answered_as_mongod_answered_it() {
    let payload = |bytes: Vec<u8>| Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
    let mut rows = 0;
    for line in include_str!("../../../tests/data/scram-cases.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let mut client = Client::new(keyfile_policy());
        client.knows(user("we,ird=u", "admin"));
        client.knows(user("ünï", "admin"));
        let (what, expected) = (row["text"].as_str().unwrap(), &row["reply"]);
        let is_first = row["step"] == "first";
        let reply = if is_first {
            let bytes = STANDARD.decode(row["payload_b64"].as_str().unwrap()).unwrap();
            client.send(&rawdoc! { "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": payload(bytes) })
        } else {
            let challenge = client.send(&arguments("saslStart"));
            // What was refused with 18 is refused whatever the nonce; other errors come after the nonce was found right.
            let message = if expected["code"] == 18 { what.to_owned() } else { with_nonce(what, &challenge) };
            client.send(&rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": payload(message.into_bytes()) })
        };
        // A proof that was right is not right here: salt and nonce are others. Right ones are in `authentication`.
        let code = expected["code"].as_i64().or(if is_first { None } else { Some(18) });
        assert_eq!(reply.get_i32("code").ok().map(i64::from), code, "{what}");
        if let Some(errmsg) = expected["errmsg"].as_str() {
            assert_eq!(reply.get_str("errmsg").unwrap(), errmsg, "{what}");
        }
        if code.is_some() {
            let Some(Event::AuthenticationFailed { reason, .. }) = client.events.last() else { panic!("{what}: no event") };
            if let (true, Some(logged)) = (is_first, row["server_log_error"].as_str()) {
                assert_eq!(reason, logged, "{what}");
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 62);
}
