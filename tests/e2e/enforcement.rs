//! `proxy.enforcement`: in transition authentication is enforced for some already, by rules that a reload changes and undoes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use bson::{Document, doc};
use serde_json::{Value, json};

use super::support::PATIENCE;
use super::support::clients::Client;
use super::support::connection::{Connection, Received, code};
use super::support::mongod::Mongod;
use super::support::process::Process;
use super::support::run;
use super::support::scram::must_log_in;
use super::support::servers::{config_file, doorward, doorward_from, flags, key_file, shared_backend, upstream};
use super::support::wire::{EXHAUST_ALLOWED, MORE_TO_COME, Message};

/// Doorward in transition, with rules that change.
struct Gradual {
    backend: Arc<Mongod>,
    process: Process,
    file: PathBuf,
    port: u16,
    admin: u16,
    generation: AtomicI64,
}

fn config(backend: u16, admin: u16, rules: &str) -> String {
    let more = format!("  enforcement: {rules}\n  admin:\n    bindIp: 127.0.0.1\n    port: {admin}\n");
    upstream(backend) + &more + &format!("security:\n  keyFile: {}\n  transitionToAuth: true\n", key_file())
}

impl Gradual {
    fn start(rules: &str) -> Self {
        let (backend, admin) = (shared_backend(), run::free_port());
        let file = config_file(&config(backend.port, admin, rules));
        let (process, port) = doorward_from(&file, &flags("--nounixsocket")).expect("doorward");
        Self { backend, process, file, port, admin, generation: AtomicI64::new(1) }
    }

    /// Puts other rules in force.
    fn reload(&self, rules: &str) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        run::write_private(&self.file, config(self.backend.port, self.admin, rules));
        self.process.signal("HUP");
        let is_done = |line: &Value| line["attr"]["generation"] == generation;
        self.process.wait_for_log_where(4_913_400, is_done).expect("a reload");
    }

    /// An open connection of an application.
    fn connect(&self, application: &str) -> Connection {
        let mut connection = Connection::plain(self.port);
        let driver = doc! {"name": "d", "version": "1"};
        connection
            .must(doc! {"hello": 1, "client": {"application": {"name": application}, "driver": driver, "os": {"type": "Linux"}}});
        connection
    }

    /// What a driver's application comes to: who it is, or an error code.
    fn run(&self, client: Client, application: &str, credentials: &str) -> Value {
        let uri = format!(
            "mongodb://{credentials}localhost:{}/?directConnection=true&authSource=admin&appName={application}",
            self.port
        );
        let outcome = client.run(&[json!({"name": application, "uri": uri, "collection": "enforcement"})]).remove(0);
        if outcome["ok"] == true { outcome["user"].clone() } else { outcome["code"].clone() }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).expect("the admin port");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    fn readiness(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        let output = command.arg("readiness").arg("--config").arg(&self.file).args(words).output().expect("doorward readiness");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    }
}

fn find(connection: &mut Connection) -> i32 {
    code(&connection.run(&doc! {"find": "seed", "$db": "app"}).expect("a reply"))
}

fn insert(connection: &mut Connection) -> i32 {
    code(&connection.run(&doc! {"insert": "enforcement", "documents": [{"a": 1}], "$db": "app"}).expect("a reply"))
}

#[test]
fn drivers_of_one_application_are_refused_the_others_served_and_a_reload_undoes_it() {
    let it = Gradual::start("[]");
    for client in [Client::Python, Client::Node] {
        assert_eq!(it.run(client, "billing", ""), "", "{client:?}: nothing is enforced yet");
    }
    it.reload("[{application: billing}]");
    for client in [Client::Python, Client::Node] {
        assert_eq!(it.run(client, "billing", ""), 13, "{client:?}");
        assert_eq!(it.run(client, "billing", "alice:wonderland@"), "alice@admin", "{client:?}");
        assert_eq!(it.run(client, "shop", ""), "", "{client:?}: another application");
    }
    it.reload("[]");
    for client in [Client::Python, Client::Node] {
        assert_eq!(it.run(client, "billing", ""), "", "{client:?}: undone");
    }
}

#[test]
fn open_connections_are_on_the_other_side_at_their_next_command() {
    let it = Gradual::start("[]");
    let (mut billing, mut shop, mut nameless) = (it.connect("billing"), it.connect("shop"), Connection::plain(it.port));
    let mut all = || [find(&mut billing), find(&mut shop), find(&mut nameless)];
    assert_eq!(all(), [0, 0, 0]);
    for (rules, expected) in [
        ("[{application: billing}]", [13, 0, 0]),
        ("[]", [0, 0, 0]),
        ("[{source: 127.0.0.0/8}]", [13, 13, 13]),
        ("[{source: 10.0.0.0/8}, {application: shop}]", [0, 13, 0]),
        ("[{source: 10.0.0.0/8, application: shop}]", [0, 0, 0]),
        ("[{percentage: 100}]", [13, 13, 13]),
        ("[{percentage: 0}]", [0, 0, 0]),
    ] {
        it.reload(rules);
        assert_eq!(all(), expected, "{rules}");
    }
}

#[test]
fn a_greater_percentage_only_adds_clients() {
    let it = Gradual::start("[]");
    let mut connections: Vec<_> = (0..24).map(|number| it.connect(&format!("application {number}"))).collect();
    let mut before = vec![0; connections.len()];
    for percentage in [10, 40, 80, 100] {
        it.reload(&format!("[{{percentage: {percentage}}}]"));
        let now: Vec<i32> = connections.iter_mut().map(find).collect();
        assert!(before.iter().zip(&now).all(|(before, now)| now >= before), "{percentage}: {before:?} {now:?}");
        before = now;
    }
    assert!(before.iter().all(|code| *code == 13));
    it.reload("[{percentage: 40}]");
    let now: Vec<i32> = connections.iter_mut().map(find).collect();
    assert!(now.contains(&0) && now.contains(&13), "{now:?}");
}

#[test]
fn a_users_commands_are_authorized_while_it_is_logged_in() {
    let it = Gradual::start("[{user: zz@admin}]");
    let mut connection = it.connect("reports");
    assert_eq!(insert(&mut connection), 0, "nobody is not that user");
    must_log_in(&mut connection, "zz", "admin", "zz");
    let refused = connection.run(&doc! {"insert": "enforcement", "documents": [{"a": 1}], "$db": "app"}).expect("a reply");
    assert_eq!(code(&refused), 13);
    assert!(
        refused.get_str("errmsg").is_ok_and(|text| text.starts_with("not authorized on app to execute command")),
        "{refused}"
    );
    connection.must(doc! {"logout": 1, "$db": "admin"});
    assert_eq!(insert(&mut connection), 0);
    let mut other = it.connect("reports");
    must_log_in(&mut other, "alice", "admin", "wonderland");
    assert_eq!(insert(&mut other), 0);
}

/// Without what differs from connection to connection.
fn comparable(reply: Document) -> Document {
    reply.into_iter().filter(|(key, _)| !["localTime", "connectionId", "cursor"].contains(&key.as_str())).collect()
}

#[test]
fn who_is_enforced_gets_the_answers_that_everybody_gets_after_the_transition() {
    let it = Gradual::start("[{source: 127.0.0.1}]");
    let (_process, port) = doorward(&upstream(it.backend.port), &flags(&format!("--keyFile {}", key_file())))
        .expect("doorward without a transition");
    let commands = [
        doc! {"hello": 1},
        doc! {"ping": 1},
        doc! {"buildInfo": 1},
        doc! {"connectionStatus": 1, "showPrivileges": true},
        doc! {"find": "seed", "$db": "app"},
        doc! {"insert": "enforcement", "documents": [{"a": 1}], "$db": "app"},
        doc! {"aggregate": 1, "pipeline": [{"$currentOp": {}}], "cursor": {}},
        doc! {"usersInfo": 1},
        doc! {"getMore": 7_i64, "collection": "seed", "$db": "app"},
        doc! {"shutdown": 1},
        doc! {"nosuch": 1},
        doc! {"find": "seed", "lsid": {"id": bson::Uuid::new(), "uid": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![7; 32] }}, "$db": "app"},
    ];
    for user in [None, Some("zz")] {
        let [mut early, mut late] = [it.port, port].map(Connection::plain);
        for connection in [&mut early, &mut late] {
            if let Some(user) = user {
                must_log_in(connection, user, "admin", user);
            }
        }
        for command in &commands {
            let [early, late] = [&mut early, &mut late].map(|connection| comparable(connection.run(command).expect("a reply")));
            assert_eq!(early, late, "{user:?} {command}");
        }
    }
}

#[test]
fn who_is_enforced_may_send_nothing_large_before_it_logs_in() {
    let it = Gradual::start("[{source: 127.0.0.1}]");
    let large = doc! {"insert": "enforcement", "documents": [{"text": "x".repeat(20_000)}], "$db": "app"};
    let mut connection = Connection::plain(it.port);
    connection.send(&Message::command(7, 0, &large)).expect("an open connection");
    assert!(matches!(connection.receive(PATIENCE), Received::Closed));
    it.process.wait_for_log(9_000_030).expect("a line that tells of it");
    let report: Value = serde_json::from_str(&it.readiness(&["--json"]).1).expect("JSON");
    let line = &report["applications"][0]["denied"][0];
    assert_eq!((&line["why"], &line["enforced"]), (&json!("unauthenticated"), &json!(true)), "{report}");
    it.reload("[]");
    Connection::plain(it.port).must(large);
}

/// Begins a stream of replies that has no end.
fn begin_stream(connection: &mut Connection, collection: &str) {
    let found = connection.must(doc! {"find": collection, "tailable": true, "awaitData": true, "$db": "app"});
    let id = found.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("an id");
    let get_more = doc! {"getMore": id, "collection": collection, "maxTimeMS": 50, "$db": "app"};
    connection.send(&Message::command(9, EXHAUST_ALLOWED, &get_more)).expect("an open connection");
    let first = connection.reply().expect("a reply");
    assert_eq!((code(&first.document), first.flags & MORE_TO_COME), (0, MORE_TO_COME), "{first:?}");
}

/// Waits until no reply of it comes any more.
fn stream_ends(connection: &mut Connection) {
    let deadline = Instant::now() + PATIENCE;
    while let Ok(reply) = connection.reply() {
        if reply.flags & MORE_TO_COME == 0 {
            return assert_eq!(code(&reply.document), 13, "{reply:?}");
        }
        assert!(Instant::now() < deadline, "the stream goes on");
    }
}

#[test]
fn a_stream_of_replies_ends_when_its_user_is_dropped_and_when_its_client_comes_under_a_rule() {
    let it = Gradual::start("[{application: billing}]");
    let mut direct = Connection::plain(it.backend.port);
    let _ = direct.run(&doc! {"drop": "enforced_stream", "$db": "app"});
    direct.must(doc! {"create": "enforced_stream", "capped": true, "size": 4096, "$db": "app"});
    direct.must(doc! {"insert": "enforced_stream", "documents": [{"_id": 1}], "$db": "app"});
    let mut root = it.connect("shop");
    must_log_in(&mut root, "root", "admin", "secret");
    root.must(doc! {"createUser": "streaming", "pwd": "streaming", "roles": ["readWriteAnyDatabase"], "$db": "admin"});
    let mut billing = it.connect("billing");
    must_log_in(&mut billing, "streaming", "admin", "streaming");
    begin_stream(&mut billing, "enforced_stream");
    root.must(doc! {"dropUser": "streaming", "$db": "admin"});
    stream_ends(&mut billing);

    let mut nobody = it.connect("shop");
    begin_stream(&mut nobody, "enforced_stream");
    it.reload("[{application: shop}]");
    stream_ends(&mut nobody);
}

#[test]
fn a_cursor_lives_on_on_both_sides() {
    let it = Gradual::start("[]");
    let mut connection = it.connect("shop");
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    connection
        .must(doc! {"insert": "enforced_cursor", "documents": (0..9).map(|a| doc! {"a": a}).collect::<Vec<_>>(), "$db": "app"});
    let lsid = doc! {"id": bson::Uuid::new()};
    let open = |connection: &mut Connection| {
        let reply = connection.must(doc! {"find": "enforced_cursor", "batchSize": 1, "lsid": lsid.clone(), "$db": "app"});
        reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("a cursor")
    };
    let more = |connection: &mut Connection, id: i64| {
        connection
            .must(doc! {"getMore": id, "collection": "enforced_cursor", "batchSize": 1, "lsid": lsid.clone(), "$db": "app"});
    };
    let before = open(&mut connection);
    it.reload("[{application: shop}]");
    more(&mut connection, before);
    let during = open(&mut connection);
    more(&mut connection, during);
    it.reload("[]");
    more(&mut connection, before);
    more(&mut connection, during);
}

#[test]
fn what_is_refused_is_told_by_log_metrics_and_readiness_and_not_as_what_would_be() {
    let it = Gradual::start("[{application: billing}]");
    let mut billing = it.connect("billing");
    assert_eq!([find(&mut billing), find(&mut billing)], [13, 13]);
    let line = it.process.wait_for_log(9_000_030).expect("a line that tells of it");
    assert_eq!((&line["attr"]["applicationName"], &line["attr"]["command"]), (&json!("billing"), &json!("find")), "{line}");
    assert_eq!(it.process.log().iter().filter(|line| line["id"] == 9_000_030).count(), 1, "once a connection");
    must_log_in(&mut billing, "zz", "admin", "zz");
    assert_eq!((find(&mut billing), insert(&mut billing)), (13, 13));
    let metrics = it.metrics();
    for expected in [
        "doorward_enforced_refusals_total{reason=\"unauthenticated\"} 2",
        "doorward_enforced_refusals_total{reason=\"missing_privilege\"} 2",
        "doorward_would_deny_total{reason=\"unauthenticated\"} 0",
        "doorward_would_deny_total{reason=\"missing_privilege\"} 0",
    ] {
        assert!(metrics.contains(expected), "{expected} is missing in\n{metrics}");
    }
    let (status, text) = it.readiness(&[]);
    assert_eq!(status, Some(1));
    assert!(text.contains("lacks insert on app.enforcement; refused already, by proxy.enforcement; from 127.0.0.1"), "{text}");
    let report: Value = serde_json::from_str(&it.readiness(&["--json"]).1).expect("JSON");
    let lines = report["applications"][0]["denied"].as_array().expect("a list");
    assert!(!lines.is_empty() && lines.iter().all(|line| line["enforced"] == true), "{report}");
    assert_eq!(report["applications"][0]["allowed"], json!([]));

    // Whoever works as a user that may do all of it stands in the way no longer, though what is allowed to it is not recorded.
    drop(billing);
    let mut alice = it.connect("billing");
    must_log_in(&mut alice, "alice", "admin", "wonderland");
    let report: Value = serde_json::from_str(&it.readiness(&["--json"]).1).expect("JSON");
    let lines = report["applications"][0]["denied"].as_array().expect("a list");
    let without_login = lines.iter().find(|line| line["why"] == "unauthenticated").expect("the line");
    assert_eq!(without_login["resolved"], true, "{report}");
}

#[test]
fn without_a_transition_the_rules_are_warned_of() {
    let (backend, admin) = (shared_backend(), run::free_port());
    let config = config(backend.port, admin, "[{percentage: 5}]").replace("transitionToAuth: true", "transitionToAuth: false");
    let (process, port) = doorward(&config, &[]).expect("doorward");
    assert!(
        process.printed().contains("proxy.enforcement has no effect without security.transitionToAuth"),
        "{}",
        process.printed()
    );
    assert_eq!(find(&mut Connection::plain(port)), 13);
}
