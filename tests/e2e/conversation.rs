//! Conversations as data: the steps of `conversations.jsonl` and the trace that a server leaves when they are run.
//!
//! A step is a text or a command:
//!
//! | step | what it does |
//! |---|---|
//! | `plain`, `tls`, `tls as NAME`, `tls12 as NAME` | opens a connection, over TLS with the certificate of this name |
//! | `on NAME` | goes on with another connection of this conversation |
//! | `scram MECHANISM USER [password=P] [database=D] [skip] [speculative]` | a whole login, by default with the user's own password and database |
//! | `system KEY [speculative]` | a whole login as `__system` with `key0`, `key1` or `wrong` |
//! | `{"command": …}` | a command on `admin`, or on its own `$db` |
//! | `{"$silent": C}` | the command `C` with `moreToCome`: no answer is waited for |
//! | `{"$legacy": C}`, `{"$compressed": C}`, `{"$checksum": C}` | the command `C` as OP_QUERY, inside OP_COMPRESSED, with a checksum |
//!
//! A connection that no step opens is opened at its first use: over TLS without a certificate when the server wants TLS, else plain.

use std::collections::HashMap;

use bson::Document;
use serde_json::{Value, json};

use super::support::connection::{Closed, Connection};
use super::support::pki::pki;
use super::support::scram::{Login, Mechanism};
use super::support::servers::{KEY, SECOND_KEY};
use super::support::wire::{MORE_TO_COME, Message};
use super::support::{json as extended, tls, users};

/// One line of the table.
pub(crate) struct Conversation {
    pub(crate) name: String,
    pub(crate) servers: Vec<String>,
    steps: Vec<Value>,
}

/// The whole table.
pub(crate) fn all() -> Vec<Conversation> {
    let texts = |value: &Value| {
        let items = value.as_array().expect("an array").iter();
        items.map(|item| item.as_str().expect("a text").to_owned()).collect()
    };
    let lines = extended::lines(include_str!("../data/conversations.jsonl")).into_iter();
    let conversation = |line: Value| Conversation {
        name: line["name"].as_str().expect("a name").to_owned(),
        servers: texts(&line["servers"]),
        steps: line["steps"].as_array().expect("steps").clone(),
    };
    lines.map(conversation).collect()
}

impl Conversation {
    /// Runs the steps with the server on this port and returns what each left: the step and what came back.
    pub(crate) fn trace(&self, port: u16, tls_is_required: bool) -> Vec<(String, Value)> {
        let mut talk = Talk { port, tls_is_required, connections: HashMap::new(), current: "a".to_owned() };
        self.steps.iter().map(|step| (step.to_string(), talk.take(step))).collect()
    }
}

/// A conversation going on.
struct Talk {
    port: u16,
    tls_is_required: bool,
    connections: HashMap<String, Connection>,
    current: String,
}

impl Talk {
    fn take(&mut self, step: &Value) -> Value {
        let Some(text) = step.as_str() else { return self.command(step) };
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "plain" | "tls" | "tls12" => self.connect(verb, rest),
            "on" => {
                self.current = rest.to_owned();
                Value::Null
            }
            "scram" => self.scram(rest),
            "system" => self.system(rest),
            other => panic!("no step {other}"),
        }
    }

    fn connect(&mut self, verb: &str, rest: &str) -> Value {
        let identity = rest.strip_prefix("as ").map(|name| pki().identity(name));
        let connection = match verb {
            "plain" => Ok(Connection::plain(self.port)),
            "tls" => Connection::tls(self.port, &tls::Client::with(identity, rustls::ALL_VERSIONS)),
            _ => Connection::tls(self.port, &tls::Client::with(identity, &[&rustls::version::TLS12])),
        };
        let Ok(connection) = connection else { return json!("handshake failed") };
        self.connections.insert(self.current.clone(), connection);
        json!("connected")
    }

    fn connection(&mut self) -> &mut Connection {
        if !self.connections.contains_key(&self.current) {
            self.connect(if self.tls_is_required { "tls" } else { "plain" }, "");
        }
        self.connections.get_mut(&self.current).expect("an open connection")
    }

    fn command(&mut self, step: &Value) -> Value {
        let (wrapping, command) = match step.as_object().and_then(|object| object.iter().next()) {
            Some((key, inner)) if ["$legacy", "$compressed", "$checksum", "$silent"].contains(&key.as_str()) => {
                (key.as_str(), inner)
            }
            _ => ("", step),
        };
        let mut document = extended::document(command);
        if wrapping != "$legacy" && !document.contains_key("$db") {
            document.insert("$db", "admin");
        }
        let connection = self.connection();
        let id = connection.request_id();
        let message = match wrapping {
            "$legacy" => Message::query(id, "admin", &document),
            "$compressed" => Message::command(id, 0, &document).compressed(2),
            "$checksum" => Message::command(id, 0, &document).with_checksum(),
            "$silent" => {
                let sent = connection.send(&Message::command(id, MORE_TO_COME, &document));
                return json!(if sent.is_ok() { "sent" } else { "closed" });
            }
            _ => Message::command(id, 0, &document),
        };
        match connection.exchange(&message) {
            Err(Closed) => json!("closed"),
            Ok(reply) if wrapping.is_empty() => normalised(&reply.document),
            Ok(reply) => json!([reply.opcode, reply.flags, reply.compressor, normalised(&reply.document)]),
        }
    }

    fn scram(&mut self, rest: &str) -> Value {
        let mut words = rest.split(' ');
        let mechanism = Mechanism::named(words.next().expect("a mechanism"));
        let name = words.next().expect("a user").replace('\u{a0}', " ");
        let known = users::USERS.iter().find(|user| user.name == name);
        let mut password = known.map_or("", |user| user.password);
        let mut database = known.map_or("admin", |user| user.database);
        let (mut skip_empty_exchange, mut speculative) = (false, false);
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("password", value) => password = value,
                ("database", value) => database = value,
                ("skip", "") => skip_empty_exchange = true,
                ("speculative", "") => speculative = true,
                _ => panic!("no option {word}"),
            }
        }
        self.log_in(&Login { mechanism, user: &name, database, password, skip_empty_exchange, speculative })
    }

    fn system(&mut self, rest: &str) -> Value {
        let (key, option) = rest.split_once(' ').unwrap_or((rest, ""));
        let password = match key {
            "key0" => KEY,
            "key1" => SECOND_KEY,
            "wrong" => "doorwardWrongKey",
            other => panic!("no key {other}"),
        };
        let speculative = option == "speculative";
        let mechanism = Mechanism::Sha256;
        self.log_in(&Login { mechanism, user: "__system", database: "local", password, skip_empty_exchange: false, speculative })
    }

    fn log_in(&mut self, login: &Login<'_>) -> Value {
        match login.run(self.connection()) {
            Err(Closed) => json!("closed"),
            Ok(replies) => replies.iter().map(normalised).collect(),
        }
    }
}

/// Fields whose values differ from run to run.
const VARYING: &[&str] = &[
    "localTime",
    "topologyVersion",
    "connectionId",
    "nonce",
    "you",
    "id",
    "$clusterTime",
    "operationTime",
    "userId",
    "versionArray",
];

/// The reply without what differs from run to run. Of a SCRAM payload its parts and the iteration count are kept.
fn normalised(reply: &Document) -> Value {
    let mut value = extended::json(reply);
    normalise(&mut value);
    value
}

fn normalise(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if VARYING.contains(&name.as_str()) {
                    *value = json!("<varies>");
                } else if name == "saslSupportedMechs" {
                    sort_texts(value); // mongod's order differs from process to process.
                } else if name == "authenticatedUserPrivileges" || name == "inheritedPrivileges" {
                    normalise(value);
                    sort_texts(value); // So does this.
                } else if name == "payload" {
                    *value = json!(payload(value));
                } else {
                    normalise(value);
                }
            }
        }
        _ => {}
    }
}

fn sort_texts(value: &mut Value) {
    if let Value::Array(items) = value {
        items.sort_by_key(ToString::to_string);
    }
}

/// The type of a payload and its parts, values cut off except the iteration count.
fn payload(value: &Value) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let (kind, text) = match value.as_str() {
        Some(text) => ("text", text),
        None => ("binary", value["$binary"]["base64"].as_str().unwrap_or_default()),
    };
    let decoded = STANDARD.decode(text).unwrap_or_default();
    let decoded = String::from_utf8_lossy(&decoded).into_owned();
    let part = |part: &str| if part.starts_with("i=") { part.to_owned() } else { part.chars().take(2).collect() };
    format!("{kind} {}", decoded.split(',').map(part).collect::<Vec<String>>().join(","))
}
