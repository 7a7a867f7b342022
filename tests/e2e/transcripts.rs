//! What drivers once sent to a mongod, sent again: the bytes of `tests/data/transcripts` as they are, only the proofs of SCRAM
//! made anew for this server's nonce. Every reply must have the form of the recorded one: opcode, flags, fields, types, codes.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::{Document, doc};
use serde_json::Value;

use super::support::connection::{Connection, Received};
use super::support::mongod::Mongod;
use super::support::scram::{Exchange, Mechanism, binary, payload};
use super::support::servers::{Server, Target, flags, target, tls_flags};
use super::support::wire::{MORE_TO_COME, Message};
use super::support::{PATIENCE, assert_no_failures, json};

/// Reads every transcript whose mechanism is wanted.
fn transcripts(wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<Value>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let files = std::fs::read_dir(folder).expect("transcripts").map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let lines = json::lines(&std::fs::read_to_string(&path).expect("a file"));
        (path.file_stem().expect("a name").to_string_lossy().into_owned(), lines)
    };
    let mut all: Vec<_> =
        files.map(read).filter(|(_, lines)| wanted(lines[0]["mechanism"].as_str().unwrap_or_default())).collect();
    all.sort_by(|left, right| left.0.cmp(&right.0));
    all
}

#[test]
fn drivers_without_credentials_on_an_open_server() {
    replay(&flags("--noauth"), false, |mechanism| mechanism.starts_with("none"));
}

#[test]
fn drivers_with_passwords_right_wrong_and_missing() {
    replay(&flags("--auth"), false, |mechanism| mechanism.starts_with("scram") || mechanism == "no-credentials");
}

#[test]
fn drivers_with_certificates() {
    replay(&[tls_flags("requireTLS"), flags("--auth")].concat(), true, |mechanism| mechanism == "x509");
}

fn replay(flags: &[String], tls: bool, wanted: impl Fn(&str) -> bool) {
    let transcripts = transcripts(wanted);
    let server = match target() {
        Target::Doorward => Server::doorward(&Arc::new(Mongod::backend()), flags).expect("doorward"),
        Target::Mongod => Server::start(flags).expect("a mongod"),
    };
    let mut failures = Vec::new();
    for (name, lines) in &transcripts {
        empty_databases(&server, tls, lines);
        let mut replay =
            Replay { server: &server, tls, password: lines[0]["password"].as_str().unwrap_or_default(), talks: HashMap::new() };
        let failed = lines
            .iter()
            .skip(1)
            .find_map(|line| replay.take(line).err().map(|text| format!("{name}, line {}: {text}", line["n"])));
        failures.extend(failed);
    }
    assert_no_failures("transcripts", transcripts.len(), &failures);
}

/// Drops what the transcript writes, so that it finds what it found when it was recorded.
fn empty_databases(server: &Server, tls: bool, lines: &[Value]) {
    let names: HashSet<&str> = lines.iter().filter_map(|line| line["sections"][0]["doc"]["$db"].as_str()).collect();
    let mut connection = match &server.backend {
        Some(backend) => Connection::plain(backend.port),
        None if tls => server.connect_as("root"),
        None => server.connect(),
    };
    if server.backend.is_none() && tls {
        connection.must(doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"});
    } else if server.backend.is_none() {
        super::support::scram::must_log_in(&mut connection, "root", "admin", "secret");
    }
    for name in names.into_iter().filter(|name| !["admin", "local", "config", "$external"].contains(name)) {
        connection.must(doc! {"dropDatabase": 1, "$db": name});
    }
}

/// One recorded connection, made again.
struct Talk {
    connection: Connection,
    exchange: Option<Exchange>,
    server_first: String,
    /// A stream of replies that comes by the clock is not waited for.
    streaming: bool,
}

struct Replay<'a> {
    server: &'a Server,
    tls: bool,
    password: &'a str,
    talks: HashMap<i64, Talk>,
}

impl Replay<'_> {
    fn take(&mut self, line: &Value) -> Result<(), String> {
        let id = line["conn"].as_i64().unwrap_or_default();
        match line["dir"].as_str() {
            Some("open") => {
                let connection = if self.tls { self.server.connect_as("recorded") } else { self.server.connect() };
                self.talks.insert(id, Talk { connection, exchange: None, server_first: String::new(), streaming: false });
                Ok(())
            }
            Some("close") => {
                self.talks.remove(&id);
                Ok(())
            }
            Some("c2s") => self.talks.get_mut(&id).map_or(Ok(()), |talk| talk.send(line, self.password)),
            Some("s2c") => self.talks.get_mut(&id).map_or(Ok(()), |talk| talk.receive(line)),
            _ => Ok(()),
        }
    }
}

/// The document of a recorded message that is not compressed.
fn recorded_document(line: &Value) -> Option<Document> {
    let inner = if line["inner"].is_object() { &line["inner"] } else { line };
    let of_message = inner["sections"].as_array().and_then(|sections| sections.iter().find(|section| section["kind"] == 0));
    let document = of_message.map_or(&inner["docs"][0], |section| &section["doc"]);
    document.is_object().then(|| json::document(document))
}

impl Talk {
    fn send(&mut self, line: &Value, password: &str) -> Result<(), String> {
        let mut bytes = STANDARD.decode(line["raw"].as_str().ok_or("no raw bytes")?).map_err(|error| error.to_string())?;
        if let Some(document) = recorded_document(line) {
            self.streaming |= document.contains_key("topologyVersion");
            self.watch_for_scram(&document, password);
            if let Some(document) = self.with_new_proof(&document) {
                let id = i32::try_from(line["requestId"].as_i64().ok_or("no requestId")?).map_err(|error| error.to_string())?;
                bytes = Message::command(id, 0, &document).bytes();
            }
        }
        self.connection.send_bytes(&bytes).map_err(|_| "closed".to_owned())
    }

    /// Remembers the first message of a SCRAM exchange, also of a speculative one.
    fn watch_for_scram(&mut self, document: &Document, password: &str) {
        let start = document.get_document("speculativeAuthenticate").unwrap_or(document);
        let Ok(mechanism) = start.get_str("mechanism").map(str::to_owned) else { return };
        let first = payload(start);
        let (Some((_, user_and_more)), true) = (first.split_once("n="), mechanism.starts_with("SCRAM")) else { return };
        let (user, nonce) = user_and_more.split_once(",r=").expect("a nonce");
        let mut exchange = Exchange::new(Mechanism::named(&mechanism), user, password);
        exchange.client_nonce = nonce.to_owned();
        self.exchange = Some(exchange);
    }

    fn with_new_proof(&mut self, document: &Document) -> Option<Document> {
        let is_second = document.contains_key("saslContinue") && payload(document).starts_with("c=");
        let exchange = self.exchange.as_mut().filter(|_| is_second && !self.server_first.is_empty())?;
        let mut document = document.clone();
        document.insert("payload", binary(exchange.second(&self.server_first).as_bytes()));
        Some(document)
    }

    fn receive(&mut self, line: &Value) -> Result<(), String> {
        if self.streaming {
            return Ok(());
        }
        let reply = match self.connection.receive(PATIENCE) {
            Received::Message(message) => message.reply(),
            other => return Err(format!("{other:?} instead of {line}")),
        };
        let start = reply.document.get_document("speculativeAuthenticate").unwrap_or(&reply.document);
        if payload(start).starts_with("r=") {
            self.server_first = payload(start);
        }
        let expected = recorded_document(line).ok_or("no recorded document")?;
        let recorded = |name: &str| line[name].as_i64();
        let flags = recorded("flags").or_else(|| line["inner"]["flags"].as_i64()).unwrap_or_default();
        let same = recorded("opcode") == Some(i64::from(reply.opcode))
            && recorded("responseTo") == Some(i64::from(reply.response_to))
            && flags == i64::from(reply.flags)
            && recorded("compressorId") == reply.compressor.map(i64::from);
        if !same {
            return Err(format!("{line} expected, {reply:?} found"));
        }
        self.streaming |= flags & i64::from(MORE_TO_COME) != 0 && expected.contains_key("topologyVersion");
        let (expected, found) = (form(&json::json(&expected)), form(&json::json(&reply.document)));
        json::difference(&expected, &found, "reply").map_or(Ok(()), Err)
    }
}

/// A document with its values replaced by their types, except the outcome.
fn form(value: &Value) -> Value {
    match value {
        Value::Object(fields)
            if fields.keys().next().is_some_and(|key| key.starts_with('$') && key.len() > 3 && !key.contains("luster")) =>
        {
            Value::String(fields.keys().next().cloned().unwrap_or_default())
        }
        Value::Object(fields) => {
            let kept = |name: &str| ["ok", "code", "codeName", "errmsg", "n"].contains(&name);
            let of_field =
                |(name, value): (&String, &Value)| (name.clone(), if kept(name) { value.clone() } else { form(value) });
            Value::Object(fields.iter().map(of_field).collect())
        }
        Value::Array(items) => Value::Array(items.iter().take(1).map(form).collect()),
        Value::String(_) => Value::String("text".to_owned()),
        Value::Bool(_) => Value::String("boolean".to_owned()),
        other => other.clone(),
    }
}
