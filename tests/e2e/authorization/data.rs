//! The tables in `tests/data/authorization`: users, roles, what both servers hold, and the commands.

use std::path::Path;

use bson::Document;
use serde_json::Value;

use crate::support::json;

/// Who runs a step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The user whose turn it is.
    Same,
    /// The user of this name.
    User(String),
}

/// A command that belongs to a case but is not compared.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) who: Who,
    pub(crate) database: String,
    pub(crate) command: Document,
}

/// One command that every user runs on both servers.
///
/// In its values `<user>`, `<userDatabase>` and `<digest>` stand for the user's, `<cursor>` for the cursor that the last step before
/// it opened. A field whose name ends with `#2` is sent without that: it is how a document gets two fields of one name.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) command: Document,
    pub(crate) sequence: Option<(String, Vec<Document>)>,
    /// Run first, by each user.
    pub(crate) before: Vec<Step>,
    /// Run when the command succeeded, to take back what it did.
    pub(crate) reset: Vec<Step>,
    /// The server refuses the command once it is judged.
    pub(crate) judged_only: bool,
    /// The command ends the user's login.
    pub(crate) reconnect: bool,
    /// What of a successful reply is compared, see `outcome`.
    pub(crate) output: Option<String>,
}

/// A user of both servers.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) roles: Vec<Document>,
}

impl User {
    /// Whether this is the cluster member, who is in no database.
    pub(crate) fn is_member(&self) -> bool {
        self.name == "__system"
    }
}

/// A custom role of both servers.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) privileges: Vec<Document>,
    pub(crate) roles: Vec<Document>,
}

/// Cases in which the servers differ for a reason.
#[derive(Clone, Debug)]
pub(crate) struct Explained {
    pub(crate) cases: Vec<String>,
    pub(crate) reason: String,
}

/// All cases, in the order in which they run.
pub(crate) fn cases() -> Vec<Case> {
    let tables = ["commands", "reads", "writes", "users-and-roles", "others", "outputs"];
    tables.iter().flat_map(|table| rows(table)).map(|row| case(&row)).collect()
}

/// Commands that end a mongod with access control, so that they are compared with none.
pub(crate) fn harmful() -> Vec<Case> {
    rows("harmful").iter().map(case).collect()
}

/// The commands of the first table, which has one row for each.
pub(crate) fn command_names() -> Vec<String> {
    rows("commands").iter().map(|row| text(row, "name")).collect()
}

/// The users, cluster member included.
pub(crate) fn users() -> Vec<User> {
    let rows = rows("users");
    rows.iter().map(|row| User { name: text(row, "user"), database: text(row, "db"), roles: documents(row, "roles") }).collect()
}

/// The custom roles, each after those that it inherits.
pub(crate) fn roles() -> Vec<Role> {
    let role = |row: &Value| Role {
        name: text(row, "role"),
        database: text(row, "db"),
        privileges: documents(row, "privileges"),
        roles: documents(row, "roles"),
    };
    rows("roles").iter().map(role).collect()
}

/// The commands that fill a server.
pub(crate) fn setup() -> Vec<Step> {
    rows("setup").iter().map(step).collect()
}

/// The differences that have a reason.
pub(crate) fn explained() -> Vec<Explained> {
    let row = |row: &Value| Explained {
        cases: row["cases"].as_array().expect("cases").iter().map(|case| case.as_str().expect("a name").to_owned()).collect(),
        reason: text(row, "reason"),
    };
    rows("explained").iter().map(row).collect()
}

fn rows(table: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/authorization").join(format!("{table}.jsonl"));
    json::lines(&std::fs::read_to_string(path).expect("a table"))
}

fn case(row: &Value) -> Case {
    let mut command = json::document(&row["command"]);
    if row["judged_only"] == true {
        // None of these takes a read concern, and mongod says so only after it has judged the command and before it runs it.
        command.insert("readConcern", json::document(&serde_json::json!({"level": "majority"})));
    }
    let sequence =
        row["sequence"].is_object().then(|| (text(&row["sequence"], "identifier"), documents(&row["sequence"], "documents")));
    let steps = |field: &str| row[field].as_array().into_iter().flatten().map(step).collect();
    Case {
        name: text(row, "name"),
        database: text(row, "db"),
        command,
        sequence,
        before: steps("before"),
        reset: steps("reset"),
        judged_only: row["judged_only"] == true,
        reconnect: row["reconnect"] == true,
        output: row["output"].as_str().map(str::to_owned),
    }
}

fn step(row: &Value) -> Step {
    let who = match row["as"].as_str() {
        Some("<self>") => Who::Same,
        other => Who::User(other.unwrap_or("__system").to_owned()),
    };
    Step { who, database: text(row, "db"), command: json::document(&row["command"]) }
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_else(|| panic!("no {field} in {row}")).to_owned()
}

fn documents(row: &Value, field: &str) -> Vec<Document> {
    row[field].as_array().unwrap_or_else(|| panic!("no {field} in {row}")).iter().map(json::document).collect()
}
