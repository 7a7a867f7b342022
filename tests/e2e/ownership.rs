//! What belongs to a user, through a driver, on a replica set: transactions, retryable writes, change streams, cursors over many
//! batches, exhaust cursors, and messages as large as they may be. The same program runs against a mongod.

use super::restart::{ReplicaSet, doorward_before};
use super::support::servers::{Target, key_file, target};
use super::support::{clients, run};

#[test]
fn pymongo_has_its_own_sessions_and_cursors() {
    let keyfile = format!("--keyFile {}", key_file());
    let set = ReplicaSet::start(if target() == Target::Mongod { &keyfile } else { "" });
    let front = match target() {
        Target::Mongod => None,
        Target::Doorward => Some(doorward_before(set.mongod.port)),
    };
    pymongo_on(front.as_ref().map_or(set.mongod.port, |front| front.1));
}

/// Runs the program against the server on this port.
pub(super) fn pymongo_on(port: u16) {
    let uri = |user: &str| format!("mongodb://{user}@localhost:{port}/?authSource=admin&directConnection=true");
    let case = serde_json::json!({
        "alice": uri("alice:wonderland"), "bob": uri("both:pwboth"), "compressors": ["zlib", "snappy"],
    });
    let mut client = clients::python("python/ownership.py");
    let output = client.env("CASES", run::private_file("ownership.jsonl", format!("{case}\n"))).output().expect("a client");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.trim(), r#"{"ok": true}"#, "{}", String::from_utf8_lossy(&output.stderr));
}
