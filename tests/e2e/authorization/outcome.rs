//! What of a reply is compared.

use bson::{Bson, Document};
use serde_json::{Value, json};

use crate::support::connection::is_ok;
use crate::support::json;

/// The identifier of the session that the cases use.
const CHOSEN_SESSION: &str = "AgICAgICQgKCAgICAgICAg==";

/// A reply without what differs between any two servers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// 0 for success.
    pub(crate) code: i32,
    code_name: String,
    /// The text of an Unauthorized, numbers that name a cursor left out.
    text: String,
    write_errors: Vec<i32>,
    output: Option<Value>,
}

impl Outcome {
    /// Of a reply, with this output.
    pub(crate) fn of(reply: &Document, output: Option<&str>) -> Self {
        let succeeded = is_ok(reply);
        let code = if succeeded { 0 } else { reply.get_i32("code").unwrap_or(-1) };
        let text = if code == 13 { without_long_numbers(reply.get_str("errmsg").unwrap_or_default()) } else { String::new() };
        let write_errors =
            reply.get_array("writeErrors").into_iter().flatten().filter_map(|error| error.as_document()?.get_i32("code").ok());
        Self {
            code,
            code_name: reply.get_str("codeName").unwrap_or_default().to_owned(),
            text,
            write_errors: write_errors.collect(),
            output: output.filter(|_| succeeded).map(|what| extract(reply, what)),
        }
    }

    /// Of a connection that was closed instead.
    pub(crate) fn closed() -> Self {
        Self { code: -1, code_name: "closed".to_owned(), text: String::new(), write_errors: Vec::new(), output: None }
    }

    /// A line for people, with the output left out when that of the other is the same.
    pub(crate) fn line(&self, other: &Self) -> String {
        let mut line = if self.code == 0 { "ok".to_owned() } else { format!("{} {}", self.code, self.code_name) };
        if self.text != other.text || self.code == 13 {
            line += &format!(" {:?}", self.text);
        }
        if !self.write_errors.is_empty() {
            line += &format!(" writeErrors {:?}", self.write_errors);
        }
        if let Some(output) = self.output.as_ref().filter(|_| self.output != other.output) {
            line += &format!(" output {output}");
        }
        line
    }
}

/// Cursors have names of ten digits and more, and nothing else in these commands has.
fn without_long_numbers(text: &str) -> String {
    let mut masked = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        masked += if digits.len() >= 10 { "#" } else { &digits };
        digits.clear();
        masked.push(character);
    }
    masked.trim_end_matches('\0').to_owned()
}

/// The part of a reply with this name.
fn extract(reply: &Document, what: &str) -> Value {
    let all = |field: &str| reply.get_array(field).cloned().unwrap_or_default();
    let batch = || reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).cloned().unwrap_or_default();
    let value = match what {
        "databases" => names(&all("databases")),
        "collections" => names(&batch()),
        "users" => documents(&all("users"), &["userId", "credentials"]),
        "roles" => documents(&all("roles"), &[]),
        "status" => json::json(reply.get_document("authInfo").expect("authInfo")),
        "operations" => operations(&if reply.contains_key("inprog") { all("inprog") } else { batch() }),
        "sessions" => sessions(&batch()).0,
        "chosen sessions" => json!(sessions(&batch()).1),
        "killed" => ["cursorsKilled", "cursorsNotFound", "cursorsAlive", "cursorsUnknown"]
            .map(|field| format!("{field}: {}", all(field).len()))
            .into_iter()
            .collect(),
        other => panic!("no output {other}"),
    };
    sorted(value)
}

fn names(items: &[Bson]) -> Value {
    items.iter().filter_map(|item| item.as_document()?.get_str("name").ok()).collect()
}

fn documents(items: &[Bson], without: &[&str]) -> Value {
    let one = |item: &Bson| {
        let mut document = item.as_document().cloned().unwrap_or_default();
        without.iter().for_each(|field| drop(document.remove(field)));
        json::json(&document)
    };
    items.iter().map(one).collect()
}

/// The sessions whose identifiers the cases chose, and how many have one of the server's.
fn sessions(items: &[Bson]) -> (Value, usize) {
    let sessions = documents(items, &["lastUse"]);
    let sessions: Vec<&Value> = sessions.as_array().into_iter().flatten().collect();
    let (chosen, others): (Vec<_>, Vec<_>) =
        sessions.into_iter().partition(|session| session["_id"]["id"]["$binary"]["base64"] == CHOSEN_SESSION);
    (chosen.into_iter().cloned().collect(), others.len())
}

/// The commands that run.
fn operations(items: &[Bson]) -> Value {
    let one = |item: &Bson| {
        let operation = item.as_document()?;
        let command = operation.get_document("command").ok()?.keys().next()?.clone();
        Some(json!([command, operation.get_str("ns").unwrap_or_default()]))
    };
    items.iter().filter_map(one).collect()
}

/// The value with its arrays sorted: the server lists roles, privileges and names in no order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect()),
        other => other,
    }
}
