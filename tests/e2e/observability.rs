//! What an operator sees: health, metrics, and a log that names reasons and never a secret.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use bson::doc;
use serde_json::json;

use super::support::connection::{Connection, code};
use super::support::mongod::Mongod;
use super::support::pki::pki;
use super::support::process::Process;
use super::support::scram::{Login, Mechanism, must_log_in};
use super::support::servers::{KEY, SECOND_KEY, Server, Target, doorward, flags, key_file, shared_backend, tls_flags, upstream};
use super::support::tls::Client;
use super::support::{PATIENCE, run, users};

/// Doorward with an admin port.
pub(super) struct Observed {
    process: Process,
    pub(super) port: u16,
    admin: u16,
}

fn observed(backend: u16, more: &[String]) -> Observed {
    Observed::with(&upstream(backend), more)
}

impl Observed {
    /// Doorward with this configuration, which ends in the section `proxy`.
    pub(super) fn with(config: &str, more: &[String]) -> Self {
        let admin = run::free_port();
        let config = format!("{config}  admin:\n    bindIp: 127.0.0.1\n    port: {admin}\n");
        let (process, port) = doorward(&config, more).expect("doorward");
        Self { process, port, admin }
    }

    /// The status and body of a page of the admin port.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).expect("the admin port");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        (status, text.split_once("\r\n\r\n").expect("a body").1.to_owned())
    }

    /// The sum of a metric over the lines that have all these labels.
    pub(super) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.get("/metrics");
        let lines = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn log_in(&self, password: &str) {
        let mechanism = Mechanism::Sha256;
        let login =
            Login { mechanism, user: "alice", database: "admin", password, skip_empty_exchange: true, speculative: false };
        login.run(&mut Connection::plain(self.port)).expect("replies");
    }
}

#[test]
fn doorward_is_healthy_at_once_and_ready_while_its_upstream_is_there() {
    let mut backend = Mongod::backend();
    let it = observed(backend.port, &flags("--auth"));
    assert_eq!(it.get("/healthz").0, 200);
    wait_until("ready", || it.get("/readyz").0 == 200);
    backend.stop();
    wait_until("not ready", || it.get("/readyz").0 == 503);
    assert_eq!(it.get("/healthz").0, 200);
    let _back = Mongod::start_on(backend.port, &backend.folder, &flags("--noauth")).expect("a restart");
    wait_until("ready again", || it.get("/readyz").0 == 200);
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn logins_are_counted_by_mechanism_and_outcome() {
    let it = observed(
        shared_backend().port,
        &[tls_flags("preferTLS"), flags("--auth --tlsAllowConnectionsWithoutCertificates")].concat(),
    );
    let scram = |code: &str| it.metric("doorward_authentications_total", &["mechanism=\"SCRAM-SHA-256\"", code]);
    it.log_in("wonderland");
    let (all, failed) = (scram(""), scram("AuthenticationFailed"));
    assert!(all > 0.0 && failed == 0.0, "{}", it.get("/metrics").1);
    it.log_in("wrong");
    assert!(scram("") > all && scram("AuthenticationFailed") > 0.0, "{}", it.get("/metrics").1);
    assert!(it.metric("doorward_connections_accepted_total", &[]) >= 2.0);
    assert!(it.metric("doorward_certificate_days_left", &["certificateKeyFile"]) > 365.0);
}

#[test]
fn what_is_relayed_is_counted() {
    let it = observed(shared_backend().port, &flags("--auth"));
    let mut connection = Connection::plain(it.port);
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    let before = it.metric("doorward_relayed_bytes_total", &["to_client"]);
    let operations = it.metric("doorward_operations_total", &["upstream"]);
    connection.must(doc! {"find": "seed", "$db": "app"});
    wait_until("bytes and operations are counted", || {
        it.metric("doorward_relayed_bytes_total", &["to_client"]) > before
            && it.metric("doorward_operations_total", &["upstream"]) > operations
    });
}

#[test]
fn who_is_not_ready_for_authentication_is_named_and_counted_in_transition() {
    let it = observed(shared_backend().port, &flags(&format!("--keyFile {} --transitionToAuth", key_file())));
    let mut connection = Connection::plain(it.port);
    let client = doc! {"application": {"name": "not ready"}, "driver": {"name": "d", "version": "1"}, "os": {"type": "Linux"}};
    connection.must(doc! {"hello": 1, "client": client});
    connection.must(doc! {"find": "seed", "$db": "app"});
    connection.must(doc! {"find": "seed", "$db": "app"});
    let address = connection.local_address();
    let named = |line: &serde_json::Value| {
        line["s"] == "W" && line.to_string().contains(&address) && line.to_string().contains("not ready")
    };
    it.process.wait_for_log_where(9_000_010, named).expect("a warning that names the client");
    assert_eq!(it.metric("doorward_transitional_operations_total", &[]) as i64, 2);
}

#[test]
fn a_command_that_is_refused_is_logged_as_mongod_logs_it_with_what_was_missing() {
    let it = observed(shared_backend().port, &flags("--auth"));
    let mut connection = Connection::plain(it.port);
    must_log_in(&mut connection, "app", "app", "app");
    let reply = connection.run(&doc! {"insert": "seed", "documents": [{"a": 1}], "$db": "elsewhere"}).expect("a reply");
    let line = it.process.wait_for_log(20436).expect("a line");
    assert_eq!((&line["c"], &line["s"], &line["msg"]), (&json!("ACCESS"), &json!("I"), &json!("Checking authorization failed")));
    let text = reply.get_str("errmsg").expect("a text");
    assert_eq!(line["attr"]["error"], json!({"code": 13, "codeName": "Unauthorized", "errmsg": text}));
    let missing = json!([{"resource": {"db": "elsewhere", "collection": "seed"}, "action": "insert"}]);
    let own = json!({"user": "app@app", "remote": connection.local_address(), "missing": missing});
    assert_eq!(line["attr"]["doorward"], own);
    assert_eq!(it.metric("doorward_unauthorized_operations_total", &[]) as i64, 1);
}

#[test]
fn a_client_that_ends_without_a_word_of_tls_has_left() {
    let server = Server::start_as(Target::Doorward, &[tls_flags("requireTLS"), flags("--auth")].concat()).expect("doorward");
    let mut client = server.connect_as("alice");
    assert!(client.answers());
    drop(client);
    let line = server.process.wait_for_log_where(22944, |line| line["attr"]["doorward"]["answered"] == 1).expect("a line");
    assert_eq!(line["attr"]["doorward"]["reason"], "the client left");
}

#[test]
fn no_secret_is_ever_logged() {
    let backend = Arc::new(Mongod::backend());
    let it = observed(backend.port, &flags(&format!("--keyFile {} -vvvvv", key_file())));
    it.log_in("wonderland");
    it.log_in("a wrong password");
    let mut other = Connection::plain(it.port);
    must_log_in(&mut other, "alice", "admin", "wonderland");
    let refused = doc! {"createUser": "secretive", "pwd": "aPasswordThatNobodyMaySee", "roles": [], "$db": "admin"};
    assert_eq!(code(&other.run(&refused).expect("a reply")), 13);
    let mut connection = Connection::plain(it.port);
    must_log_in(&mut connection, "root", "admin", "secret");
    connection.must(doc! {"createUser": "secretive", "pwd": "aPasswordThatNobodyMaySee", "roles": []});
    connection.must(doc! {"updateUser": "secretive", "pwd": "anotherPasswordThatNobodyMaySee"});
    connection.must(doc! {"dropUser": "secretive"});
    must_log_in(&mut Connection::plain(it.port), "__system", "local", KEY);
    let stored = Connection::plain(backend.port).must(doc! {"usersInfo": "alice", "showCredentials": true}).to_string();
    let printed = it.process.printed();
    let stored_keys = stored.split('"').filter(|text| text.len() >= 28 && text.ends_with('='));
    let passwords = users::USERS.iter().map(|user| user.password).filter(|password| password.len() > 8);
    let others = ["a wrong password", "aPasswordThatNobodyMaySee", "anotherPasswordThatNobodyMaySee", KEY, SECOND_KEY];
    let secrets: Vec<&str> = stored_keys.chain(passwords).chain(others).collect();
    assert!(secrets.len() > 8 && printed.len() > 1000);
    for secret in secrets {
        assert!(!printed.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn certificates_near_their_end_are_warned_of_at_start_and_on_each_connection() {
    let threshold = "--auth --setParameter tlsX509ExpirationWarningThresholdDays=100000";
    let server = Server::start_as(Target::Doorward, &[tls_flags("requireTLS"), flags(threshold)].concat()).expect("doorward");
    let own = |line: &serde_json::Value| line["attr"]["option"] == "net.tls.certificateKeyFile";
    server.process.wait_for_log_where(9_000_006, own).expect("a warning at start");
    assert!(server.connect_as("alice").answers());
    let peer = |line: &serde_json::Value| line["attr"]["peerSubjectName"] == "CN=alice,OU=clients,O=doorward";
    server.process.wait_for_log_where(23222, peer).expect("a warning for the client's certificate");
}

#[test]
fn what_is_turned_away_is_counted_by_its_reason() {
    let it = observed(shared_backend().port, &[tls_flags("requireTLS"), flags("--auth")].concat());
    let refused = |reason: &str| it.metric("doorward_connections_refused_total", &[&format!("reason=\"{reason}\"")]) as i64;
    assert!(!Connection::plain(it.port).answers());
    wait_until("a client without TLS is counted", || refused("tls_required") == 1);
    let mut rejected = Connection::tls(it.port, &Client::showing(pki().identity("expired"))).expect("a handshake");
    assert!(!rejected.answers());
    wait_until("a client with a bad certificate is counted", || refused("certificate") == 1);
    assert_eq!(it.metric("doorward_tls_handshakes_total", &["version=\"1.3\"", "rejected"]) as i64, 1);
    let mut served = Connection::tls(it.port, &Client::showing(pki().identity("alice"))).expect("a handshake");
    assert!(served.answers());
    assert_eq!(it.metric("doorward_tls_handshakes_total", &["version=\"1.3\"", "accepted"]) as i64, 1);
    assert_eq!(it.metric("doorward_connections", &["state=\"unauthenticated\""]) as i64, 1);
    served.must(doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"});
    served.must(doc! {"find": "seed", "$db": "app"});
    assert_eq!(it.metric("doorward_connections", &["state=\"user\""]) as i64, 1);
    assert_eq!(it.metric("doorward_upstream_connects_total", &["connected"]) as i64, 1);
    it.process.signal("HUP");
    wait_until("a reload is counted", || it.metric("doorward_reloads_total", &["done"]) as i64 == 1);
}
