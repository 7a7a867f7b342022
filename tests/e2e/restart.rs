//! The backend is restarted under load. Drivers retry once and wait for a server that says it is there, so when doorward shows
//! the outage on hello first, no operation of theirs fails.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::doc;
use serde_json::Value;

use super::support::PATIENCE;
use super::support::clients;
use super::support::connection::{Connection, Received, is_ok};
use super::support::gate::{Gate, New};
use super::support::load::Load;
use super::support::mongod::Mongod;
use super::support::scram::must_log_in;
use super::support::servers::{Server, Target, flags, key_file, target};

/// A one-member replica set: only on those do writes have a second try.
pub(super) struct ReplicaSet {
    pub(super) mongod: Mongod,
    flags: Vec<String>,
}

impl ReplicaSet {
    pub(super) fn start(more: &str) -> Self {
        let flags = flags(&format!("--replSet rs {more}"));
        let mongod = Mongod::start(&flags).expect("a mongod");
        let mut connection = log_in_if_needed(mongod.port, more);
        let member = doc! {"_id": 0, "host": format!("127.0.0.1:{}", mongod.port)};
        connection.must(doc! {"replSetInitiate": {"_id": "rs", "members": [member]}});
        let set = Self { mongod, flags };
        set.wait_until_primary();
        set
    }

    fn wait_until_primary(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = Connection::plain(self.mongod.port);
        while !connection.must(doc! {"hello": 1}).get_bool("isWritablePrimary").unwrap_or_default() {
            assert!(Instant::now() < deadline, "no primary");
        }
    }

    /// Ends the mongod, leaves it away for a while, and starts it again on the same data and port.
    fn restart(&mut self, away: Duration) {
        self.mongod.stop();
        std::thread::sleep(away); // The outage itself.
        self.mongod = Mongod::start_on(self.mongod.port, &self.mongod.folder, &self.flags).expect("a restart");
        self.wait_until_primary();
    }
}

fn log_in_if_needed(port: u16, more: &str) -> Connection {
    let mut connection = Connection::plain(port);
    if !more.is_empty() {
        must_log_in(&mut connection, "root", "admin", "secret");
    }
    connection
}

/// At most so many operations fail over a restart. A driver tries an operation once more; where the first try was refused by a mongod
/// that steps down, and the second meets its end, there is none left.
fn hardly_any_operation_fails(client: impl Fn() -> Command, collection: &str, most: usize) {
    let keyfile = format!("--keyFile {}", key_file());
    let mut backend = ReplicaSet::start(if target() == Target::Mongod { &keyfile } else { "" });
    let front = match target() {
        Target::Mongod => None,
        Target::Doorward => Some(doorward_before(backend.mongod.port)),
    };
    let port = front.as_ref().map_or(backend.mongod.port, |front| front.1);
    let uri = format!("mongodb://alice:wonderland@localhost:{port}/?authSource=admin&directConnection=true");
    let load = Load::start(client(), &uri, collection);
    load.wait_for(20);
    backend.restart(Duration::from_secs(1));
    load.wait_for(20);
    let outcomes = load.stop();
    let errors: Vec<&Value> = outcomes.iter().filter(|outcome| outcome["error"].is_string()).collect();
    let said = front.as_ref().map(|front| front.0.printed()).unwrap_or_default();
    assert!(errors.len() <= most, "{} of {} operations failed: {errors:?}\n{said}", errors.len(), outcomes.len());
    let longest = outcomes.iter().filter_map(|outcome| outcome["milliseconds"].as_i64()).max().expect("operations");
    assert!(longest < 9_000, "an operation waited {longest} ms: the outage was not seen on hello");
}

pub(super) fn doorward_before(port: u16) -> (super::support::process::Process, u16) {
    use super::support::servers::{doorward, upstream};
    doorward(&upstream(port), &flags("--auth")).expect("doorward")
}

#[test]
fn pymongo_sees_no_error_when_the_backend_is_restarted() {
    hardly_any_operation_fails(|| clients::python("python/load.py"), "pymongo_load", 0);
}

/// With a mongod alone one run of fifty had an error, with doorward one of some sixty: the second try of one operation.
#[test]
fn the_node_driver_sees_hardly_an_error_when_the_backend_is_restarted() {
    hardly_any_operation_fails(|| clients::node("node/load.js"), "node_load", 1);
}

#[test]
fn a_backend_that_is_away_is_no_server_and_one_that_comes_is() {
    let mut backend = Mongod::backend();
    backend.stop();
    let (_process, port) = doorward_before(backend.port);
    let mut connection = Connection::plain(port);
    assert!(connection.run(&doc! {"hello": 1, "$db": "admin"}).is_err(), "hello must not be answered from memory");
    let _back = Mongod::start_on(backend.port, &backend.folder, &flags("--noauth")).expect("a restart");
    let deadline = Instant::now() + PATIENCE;
    let answered = || Connection::plain(port).run(&doc! {"hello": 1, "$db": "admin"}).is_ok_and(|reply| is_ok(&reply));
    while !answered() {
        assert!(Instant::now() < deadline, "the backend is back and doorward does not see it");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_client_is_cut_off_when_the_backend_goes() {
    let backend = Arc::new(Mongod::backend());
    let server = Server::doorward(&backend, &flags("--auth")).expect("doorward");
    let mut monitor = server.connect();
    monitor.must(doc! {"hello": 1});
    let mut user = server.connect();
    must_log_in(&mut user, "alice", "admin", "wonderland");
    user.must(doc! {"find": "seed", "$db": "app"});
    backend.process.signal("KILL");
    for connection in [&mut monitor, &mut user] {
        assert!(matches!(connection.receive(PATIENCE), Received::Closed));
    }
}

/// Doorward before a gate, and a user who has read something through both. The first connection through the gate is the monitor's;
/// the user's own is from `user_from` on.
struct Guarded {
    gate: Gate,
    process: super::support::process::Process,
    port: u16,
    user: Connection,
    user_from: usize,
    _backend: Mongod,
}

impl Guarded {
    fn start() -> Self {
        let backend = Mongod::backend();
        let gate = Gate::before(backend.port);
        let (process, port) = doorward_before(gate.port);
        process.wait_for_log(UPSTREAM_IS_REACHABLE).expect("the backend is seen");
        let mut user = Connection::plain(port);
        must_log_in(&mut user, "alice", "admin", "wonderland");
        let user_from = gate.count();
        user.must(doc! {"find": "seed", "$db": "app"});
        Self { gate, process, port, user, user_from, _backend: backend }
    }

    fn hello(&self) -> bool {
        Connection::plain(self.port).run(&doc! {"hello": 1, "$db": "admin"}).is_ok_and(|reply| is_ok(&reply))
    }

    fn upstream_was_lost(&self) -> bool {
        self.process.log().iter().any(|line| line["id"] == UPSTREAM_IS_LOST)
    }
}

const UPSTREAM_IS_REACHABLE: i64 = 9_000_020;
const UPSTREAM_IS_LOST: i64 = 9_000_021;

#[test]
fn a_client_that_lost_its_backend_connection_sees_an_outage_on_its_next_hello() {
    let mut guarded = Guarded::start();
    // The backend ends; the socket of the monitor is the last to close.
    guarded.gate.set_new(New::Refuse);
    guarded.gate.cut_from(1);
    assert!(matches!(guarded.user.receive(PATIENCE), Received::Closed));
    assert!(!guarded.hello(), "hello is answered for a backend that is lost:\n{}", guarded.process.printed());
}

#[test]
fn a_client_that_can_not_reach_the_backend_sees_an_outage_on_its_next_hello() {
    let guarded = Guarded::start();
    let mut other = Connection::plain(guarded.port);
    must_log_in(&mut other, "alice", "admin", "wonderland");
    guarded.gate.set_new(New::Refuse);
    assert!(other.run(&doc! {"find": "seed", "$db": "app"}).is_err());
    assert!(!guarded.hello(), "hello is answered for a backend that is lost:\n{}", guarded.process.printed());
}

#[test]
fn a_connection_that_the_backend_closes_while_it_is_there_disturbs_nobody_else() {
    let mut guarded = Guarded::start();
    let mut other = Connection::plain(guarded.port);
    must_log_in(&mut other, "alice", "admin", "wonderland");
    let others = guarded.gate.count();
    other.must(doc! {"find": "seed", "$db": "app"});
    guarded.gate.cut_from(others);
    assert!(matches!(other.receive(PATIENCE), Received::Closed));
    assert!(guarded.hello());
    guarded.user.must(doc! {"find": "seed", "$db": "app"});
    assert!(!guarded.upstream_was_lost());
}

#[test]
fn a_backend_that_takes_no_more_connections_serves_those_that_it_has() {
    let mut guarded = Guarded::start();
    let mut other = Connection::plain(guarded.port);
    must_log_in(&mut other, "alice", "admin", "wonderland");
    guarded.gate.set_new(New::Close);
    assert!(other.run(&doc! {"find": "seed", "$db": "app"}).is_err());
    assert!(guarded.hello());
    guarded.user.must(doc! {"find": "seed", "$db": "app"});
    assert!(!guarded.upstream_was_lost());
    assert!(guarded.gate.count() > guarded.user_from);
}
