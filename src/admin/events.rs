//! The log lines themselves: mongod's ids, texts and attributes where mongod has the line, ids from 9,000,000 where the line is
//! doorward's own. One function an event, so that a line is found by its name and written alike everywhere.

use bson::raw::RawDocument;
use serde_json::{Value, json};

use super::log::{Component, Line, Log, Severity};
use crate::error::CommandError;

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

    /// The connection is broken off; `code` and `name` are those that mongod logs.
    pub fn broken_off(&self, code: i32, name: &str, reason: &str) {
        let error = json!({ "code": code, "codeName": name, "errmsg": reason });
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
        let attributes = json!({ "peerSubjectName": subject, "days": days });
        self.line(Severity::Warning, Component::Network, 23222, "Peer certificate expiration information", attributes);
    }

    /// The client came without TLS although TLS is preferred.
    pub fn not_tls(&self) {
        let text = "SSL mode is set to 'preferred' and connection to remote is not using SSL.";
        self.line(Severity::Info, Component::Network, 23838, text, json!({ "connectionId": self.id }));
    }

    /// Somebody authenticated.
    pub fn authenticated(&self, mechanism: &str, user: &str, database: &str, speculative: bool, member: bool) {
        let attributes = json!({
            "mechanism": mechanism, "speculative": speculative, "clusterMember": member,
            "principalName": user, "authenticationDatabase": database, "remote": self.remote, "extraInfo": {},
        });
        self.line(Severity::Info, Component::Access, 20250, "Authentication succeeded", attributes);
    }

    /// Somebody failed to authenticate; `reason` is for the operator alone.
    pub fn not_authenticated(
        &self,
        mechanism: &str,
        user: &str,
        database: &str,
        speculative: bool,
        error: &CommandError,
        reason: &str,
    ) {
        let attributes = json!({
            "mechanism": mechanism, "speculative": speculative, "principalName": user, "authenticationDatabase": database,
            "remote": self.remote, "extraInfo": {}, "error": reason, "answer": error.to_string(),
        });
        self.line(Severity::Info, Component::Access, 20249, "Authentication failed", attributes);
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

/// Writes a line of start, reload or stop.
pub fn control(log: &Log, severity: Severity, id: u32, message: &'static str, attributes: Value) {
    log.write(Line { severity, component: Component::Control, id, context: "main", message, attributes });
}

/// Writes a line of the listener or the upstream's monitor.
pub fn network(log: &Log, context: &'static str, severity: Severity, id: u32, message: &'static str, attributes: Value) {
    log.write(Line { severity, component: Component::Network, id, context, message, attributes });
}

/// A document for a log line: strings, numbers, booleans and what holds them, to a small depth. It was bounded when it was read.
fn as_json(document: &RawDocument, depth: usize) -> Value {
    let mut object = serde_json::Map::new();
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
}
