//! The log lines themselves: mongod's ids, texts and attributes where mongod has the line, ids from 9,000,000 where the line is
//! doorward's own. One function an event, so that a line is found by its name and written alike everywhere.

use bson::raw::RawDocument;
use serde_json::{Map, Value, json};

use super::log::{Component, Line, Log, Severity};
use crate::config::error::Warning;
use crate::error::{CommandError, ErrorCode};

/// The mechanism that has log lines of its own.
const MONGODB_X509: &str = "MONGODB-X509";

/// Writes lines of one connection: it knows `conn42` and where the client comes from.
#[derive(Clone)]
pub struct ConnectionLog {
    log: Log,
    context: String,
    remote: String,
    id: i32,
}

impl ConnectionLog {
    /// For the connection `id` from `remote`.
    #[must_use]
    pub fn new(log: Log, id: i32, remote: String) -> Self {
        Self { log, context: format!("conn{id}"), remote, id }
    }

    /// Where the client comes from.
    #[must_use]
    pub fn remote(&self) -> &str {
        &self.remote
    }

    fn line(&self, severity: Severity, component: Component, id: u32, message: &'static str, attributes: Value) {
        self.log.write(Line { severity, component, id, context: &self.context, message, attributes });
    }

    /// A client came.
    pub fn accepted(&self, open: usize) {
        if !self.log.is_quiet() {
            let attributes = json!({ "remote": self.remote, "connectionId": self.id, "connectionCount": open });
            let line = Line {
                severity: Severity::Info,
                component: Component::Network,
                id: 22943,
                context: "listener",
                message: "Connection accepted",
                attributes,
            };
            self.log.write(line);
        }
    }

    /// A client is gone; `summary` says what it was and did.
    pub fn ended(&self, open: usize, summary: &Value) {
        if !self.log.is_quiet() {
            let attributes =
                json!({ "remote": self.remote, "connectionId": self.id, "connectionCount": open, "doorward": summary });
            self.line(Severity::Info, Component::Network, 22944, "Connection ended", attributes);
        }
    }

    /// The connection is broken off; `code` is the one that mongod logs.
    pub fn broken_off(&self, code: ErrorCode, reason: &str) {
        let error = json!({ "code": code.code(), "codeName": code.name(), "errmsg": reason });
        let attributes = json!({ "error": error, "remote": self.remote, "connectionId": self.id });
        let text = "Error receiving request from client. Ending connection from remote";
        self.line(Severity::Info, Component::Network, 22988, text, attributes);
    }

    /// What the client says of itself.
    pub fn client_metadata(&self, document: &RawDocument) {
        let attributes = json!({ "remote": self.remote, "client": self.context, "doc": as_json(document, 0) });
        self.line(Severity::Info, Component::Network, 51800, "client metadata", attributes);
    }

    /// A certificate was not asked to be there and is not, or is not accepted.
    pub fn certificate(&self, severity: Severity, id: u32, message: &'static str, attributes: Value) {
        self.line(severity, Component::Network, id, message, attributes);
    }

    /// The client's certificate expires soon.
    pub fn certificate_expires(&self, subject: &str, days: i64) {
        let attributes = json!({ "peerSubjectName": subject, "daysDays": days });
        self.line(Severity::Warning, Component::Network, 23222, "Peer certificate expiration information", attributes);
    }

    /// The client came without TLS although TLS is preferred.
    pub fn not_tls(&self) {
        let text = "SSL mode is set to 'preferred' and connection to remote is not using SSL.";
        self.line(Severity::Info, Component::Network, 23838, text, json!({ "connectionId": self.id }));
    }

    /// Somebody authenticated. mongod has one line for SCRAM and another for X.509, and leaves both out when it is quiet.
    pub fn authenticated(&self, login: &Login<'_>, member: bool) {
        if self.log.is_quiet() {
            return;
        }
        let (id, message) = if login.mechanism == MONGODB_X509 {
            (20429, "Successfully authenticated")
        } else {
            (20250, "Authentication succeeded")
        };
        let mut attributes = login.attributes(&self.remote);
        attributes.insert("clusterMember".into(), member.into());
        self.line(Severity::Info, Component::Access, id, message, attributes.into());
    }

    /// Somebody failed to authenticate; `reason` is for the operator alone, `error` is what the client got.
    pub fn not_authenticated(&self, login: &Login<'_>, error: &CommandError, reason: &str) {
        let (id, message) =
            if login.mechanism == MONGODB_X509 { (20428, "Failed to authenticate") } else { (20249, "Authentication failed") };
        let mut attributes = login.attributes(&self.remote);
        attributes.insert("error".into(), reason.into());
        attributes.insert("answer".into(), error.to_string().into());
        self.line(Severity::Info, Component::Access, id, message, attributes.into());
    }

    /// Any other line of the `ACCESS` component.
    pub fn access(&self, severity: Severity, id: u32, message: &'static str, attributes: Value) {
        self.line(severity, Component::Access, id, message, attributes);
    }

    /// Any other line of the `NETWORK` component.
    pub fn network(&self, severity: Severity, id: u32, message: &'static str, attributes: Value) {
        self.line(severity, Component::Network, id, message, attributes);
    }
}

/// An attempt to authenticate, for its log line.
pub struct Login<'a> {
    /// The mechanism as the client named it.
    pub mechanism: &'a str,
    /// Who, as far as it is known.
    pub user: &'a str,
    /// The user's database.
    pub database: &'a str,
    /// Whether it came inside a hello.
    pub speculative: bool,
}

impl Login<'_> {
    fn attributes(&self, remote: &str) -> Map<String, Value> {
        let (user, database, client) = if self.mechanism == MONGODB_X509 {
            ("user", "db", "client")
        } else {
            ("principalName", "authenticationDatabase", "remote")
        };
        let mut attributes = Map::new();
        attributes.insert("mechanism".into(), self.mechanism.into());
        attributes.insert("speculative".into(), self.speculative.into());
        attributes.insert(user.into(), self.user.into());
        attributes.insert(database.into(), self.database.into());
        attributes.insert(client.into(), remote.into());
        attributes
    }
}

/// Writes a line of start, reload or stop.
pub fn control(log: &Log, severity: Severity, id: u32, message: &'static str, attributes: Value) {
    log.write(Line { severity, component: Component::Control, id, context: "main", message, attributes });
}

/// Writes a warning that follows from the options alone.
pub fn configuration_warning(log: &Log, warning: &Warning) {
    let component = match warning.component {
        "NETWORK" => Component::Network,
        "ACCESS" => Component::Access,
        _ => Component::Control,
    };
    let attributes: Map<_, _> =
        warning.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let attributes = if attributes.is_empty() { Value::Null } else { attributes.into() };
    let id = warning.id.unwrap_or(9_000_007);
    log.write(Line { severity: Severity::Warning, component, id, context: "main", message: &warning.message, attributes });
}

/// Writes a line of the listener or the upstream's monitor.
pub fn network(log: &Log, context: &'static str, severity: Severity, id: u32, message: &'static str, attributes: Value) {
    log.write(Line { severity, component: Component::Network, id, context, message, attributes });
}

/// A document for a log line: strings, numbers, booleans and what holds them, to a small depth. It was bounded when it was read.
fn as_json(document: &RawDocument, depth: usize) -> Value {
    let mut object = Map::new();
    for (key, value) in document.iter().flatten() {
        let value = match value {
            bson::RawBsonRef::String(text) => Value::from(text),
            bson::RawBsonRef::Int32(number) => Value::from(number),
            bson::RawBsonRef::Int64(number) => Value::from(number),
            bson::RawBsonRef::Double(number) => Value::from(number),
            bson::RawBsonRef::Boolean(value) => Value::from(value),
            bson::RawBsonRef::Document(inner) if depth < 4 => as_json(inner, depth.saturating_add(1)),
            other => Value::from(format!("{:?}", other.element_type())),
        };
        object.insert(key.to_string(), value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::SystemLog;

    #[test]
    fn the_metadata_of_a_client_is_logged_as_mongod_logs_it() {
        let log = Log::in_memory();
        let document = bson::rawdoc! { "driver": { "name": "PyMongo", "version": "4" }, "os": { "type": "Linux" } };
        ConnectionLog::new(log.clone(), 7, "127.0.0.1:5".into()).client_metadata(&document);
        let line: Value = serde_json::from_str(&log.text()).unwrap();
        assert_eq!(line["id"], 51800);
        assert_eq!(line["ctx"], "conn7");
        assert_eq!(line["attr"]["doc"]["driver"]["name"], "PyMongo");
    }

    #[test]
    fn when_it_is_quiet_who_came_left_and_logged_in_is_not_logged_and_who_failed_is() {
        for (quiet, ids) in [(false, [22943, 20250, 20429, 20249, 20428, 22944].as_slice()), (true, &[20249, 20428])] {
            let log = Log::in_memory();
            log.adjust(&SystemLog { path: None, append: false, verbosity: 0, quiet });
            let connection = ConnectionLog::new(log.clone(), 7, "127.0.0.1:5".into());
            let login = |mechanism| Login { mechanism, user: "alice", database: "admin", speculative: false };
            let error = CommandError::new(ErrorCode::AuthenticationFailed, "Authentication failed.");
            connection.accepted(1);
            for mechanism in ["SCRAM-SHA-256", MONGODB_X509] {
                connection.authenticated(&login(mechanism), false);
            }
            for mechanism in ["SCRAM-SHA-256", MONGODB_X509] {
                connection.not_authenticated(&login(mechanism), &error, "a wrong password");
            }
            connection.ended(0, &json!({}));
            let text = log.text();
            let logged: Vec<Value> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].take()).collect();
            assert_eq!(logged, ids);
        }
    }

    #[test]
    fn a_warning_of_the_configuration_has_mongods_id_component_and_text() {
        let log = Log::in_memory();
        let warning =
            Warning { id: Some(22133), component: "NETWORK", message: "No CA".into(), attributes: vec![("file", "x".into())] };
        configuration_warning(&log, &warning);
        let line: Value = serde_json::from_str(&log.text()).unwrap();
        assert_eq!((&line["id"], &line["s"], &line["c"]), (&json!(22133), &json!("W"), &json!("NETWORK")));
        assert_eq!((&line["msg"], &line["attr"]), (&json!("No CA"), &json!({ "file": "x" })));
    }
}
