//! How doorward stands toward its backend: logins by keyfile and certificate, TLS with host name checks, unix sockets, and what
//! the backend sees of the clients.

use std::sync::Arc;

use bson::doc;

use super::support::connection::{Connection, Received, code};
use super::support::mongod::Mongod;
use super::support::pki::pki;
use super::support::process::Process;
use super::support::scram::{Login, Mechanism, must_log_in};
use super::support::servers::{Server, config_file, doorward, doorward_from, flags, key_file, tls_flags};
use super::support::wire::Message;
use super::support::{PATIENCE, run};

/// "Connection accepted" and "client metadata".
const CONNECTION_ACCEPTED: i64 = 22943;
const CLIENT_METADATA: i64 = 51800;
/// "Upstream is reachable".
const UPSTREAM_REACHED: i64 = 9_000_020;

fn config(address: &str, more: &str) -> String {
    format!("proxy:\n  upstream:\n    address: \"{address}\"\n    {more}\n")
}

/// Whether a user can log in and read through doorward.
fn serves(port: u16) -> Result<(), String> {
    let mut connection = Connection::plain(port);
    let hello = connection.run(&doc! {"hello": 1, "$db": "admin"}).map_err(|_| "hello: closed".to_owned())?;
    if code(&hello) != 0 {
        return Err(hello.to_string());
    }
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    let reply = connection.run(&doc! {"find": "seed", "$db": "app"}).map_err(|_| "find: closed".to_owned())?;
    if code(&reply) == 0 { Ok(()) } else { Err(reply.to_string()) }
}

fn start(config: &str, more: &str) -> (Process, u16) {
    doorward(config, &flags(more)).expect("doorward")
}

#[test]
fn a_backend_with_a_keyfile_is_logged_in_to_with_the_same_key() {
    let key = key_file();
    let backend = Mongod::start(&flags(&format!("--keyFile {key}"))).expect("a backend");
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: keyFile");
    let (_process, port) = start(&config, &format!("--keyFile {key}"));
    serves(port).expect("a login through doorward");
}

#[test]
fn a_backend_with_another_key_serves_nobody() {
    let backend = Mongod::start(&flags(&format!("--keyFile {}", key_file()))).expect("a backend");
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: keyFile");
    let other = run::private_file("keyfile", "aKeyThatTheBackendDoesNotHave");
    let (process, port) = start(&config, &format!("--keyFile {}", other.display()));
    let mut connection = Connection::plain(port);
    let refused = connection
        .run(&doc! {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "biwsbj1hbGljZSxyPWFiY2Q=", "$db": "admin"});
    assert!(refused.is_err(), "a login that is impossible for an internal reason ends the connection: {refused:?}");
    assert!(process.printed().to_lowercase().contains("authenticat"), "{}", process.printed());
}

#[test]
fn in_transition_a_backend_without_access_control_is_used_without_a_login() {
    let backend = Mongod::backend();
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: keyFile");
    let (_process, port) = start(&config, &format!("--keyFile {} --transitionToAuth", key_file()));
    serves(port).expect("a login through doorward");
}

#[test]
fn a_backend_that_takes_members_by_certificate_is_shown_one() {
    let backend = Mongod::start(&[tls_flags("requireTLS"), flags("--clusterAuthMode x509")].concat()).expect("a backend");
    let tls = format!("tls: {{mode: requireTLS, CAFile: {}, certificateKeyFile: {}}}", pki().ca_file(), pki().file("member"));
    let config = config(&format!("localhost:{}", backend.port), &format!("authentication: x509\n    {tls}"));
    let (_process, port) = start(&config, "--auth");
    serves(port).expect("a login through doorward");
}

#[test]
fn the_name_in_the_backends_certificate_is_checked_unless_waived() {
    let flags = [tls_flags("requireTLS"), flags("--noauth --tlsAllowConnectionsWithoutCertificates --bind_ip_all")].concat();
    let backend = Mongod::start(&flags).expect("a backend");
    let cases = [
        ("localhost", "", true),
        ("127.0.0.1", "", true),
        ("127.0.0.2", "", false),
        ("127.0.0.2", ", allowInvalidHostnames: true", true),
    ];
    for (host, more, works) in cases {
        let tls = format!("tls: {{mode: requireTLS, CAFile: {}{more}}}", pki().ca_file());
        let (_process, port) = start(&config(&format!("{host}:{}", backend.port), &tls), "--auth");
        assert_eq!(serves(port).is_ok(), works, "{host}{more}: {:?}", serves(port));
    }
}

#[test]
fn a_backend_of_another_ca_is_not_trusted() {
    let flags = [tls_flags("requireTLS"), flags("--noauth --tlsAllowConnectionsWithoutCertificates")].concat();
    let backend = Mongod::start(&flags).expect("a backend");
    let other_ca = pki().file("self-signed");
    let tls = format!("tls: {{mode: requireTLS, CAFile: {other_ca}}}");
    let (_process, port) = start(&config(&format!("localhost:{}", backend.port), &tls), "--auth");
    assert!(serves(port).is_err());
}

#[test]
fn a_backend_on_a_unix_socket_is_reached() {
    let folder = run::folder("backend-socket");
    let backend = Mongod::start(&flags(&format!("--noauth --unixSocketPrefix {}", folder.display()))).expect("a backend");
    let path = folder.join(format!("mongodb-{}.sock", backend.port));
    let (_process, port) = start(&config(&format!("unix:{}", path.display()), "authentication: none"), "--auth");
    serves(port).expect("a login through doorward");
}

#[test]
fn clients_that_do_not_log_in_cost_the_backend_nothing() {
    let backend = Arc::new(Mongod::backend());
    let server = Server::doorward(&backend, &flags("--auth")).expect("doorward");
    server.connect().must(doc! {"hello": 1});
    let accepted = || backend.process.log().iter().filter(|line| line["id"] == CONNECTION_ACCEPTED).count();
    let requests = || {
        let status = Connection::plain(backend.port).must(doc! {"serverStatus": 1});
        status.get_document("opcounters").and_then(|counters| counters.get_i64("command")).expect("a counter")
    };
    let (accepted_before, requests_before) = (accepted(), requests());
    for _ in 0..200 {
        let mut connection = server.connect();
        connection.must(doc! {"hello": 1});
        connection.must(doc! {"ping": 1});
        assert_eq!(code(&connection.run(&doc! {"find": "seed", "$db": "app"}).expect("a reply")), 13);
    }
    assert!(requests() - requests_before < 20, "the backend was asked {} times", requests() - requests_before);
    assert!(accepted() - accepted_before < 10, "the backend was connected to {} times", accepted() - accepted_before);
}

#[test]
fn the_backend_sees_the_clients_own_metadata() {
    let backend = Arc::new(Mongod::backend());
    let server = Server::doorward(&backend, &flags("--auth")).expect("doorward");
    let mut connection = server.connect();
    let client = doc! {
        "application": {"name": "the application"}, "driver": {"name": "the driver", "version": "1.2"}, "os": {"type": "Linux"}
    };
    connection.must(doc! {"hello": 1, "client": client});
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    connection.must(doc! {"find": "seed", "$db": "app"});
    let named = |line: &serde_json::Value| line["attr"]["doc"]["application"]["name"] == "the application";
    let line = backend.process.wait_for_log_where(CLIENT_METADATA, named).expect("the metadata in the backend's log");
    assert_eq!(line["attr"]["doc"]["driver"]["name"], "the driver");
}

#[test]
fn one_client_is_one_upstream_connection_that_ends_with_it() {
    let backend = Arc::new(Mongod::backend());
    let server = Server::doorward(&backend, &flags("--auth")).expect("doorward");
    let client = doc! {"application": {"name": "short-lived"}, "driver": {"name": "d", "version": "1"}, "os": {"type": "Linux"}};
    let mut connection = server.connect();
    connection.must(doc! {"hello": 1, "client": client});
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    connection.must(doc! {"find": "seed", "$db": "app"});
    connection.must(doc! {"find": "seed", "$db": "app"});
    let metadata =
        backend.process.wait_for_log_where(CLIENT_METADATA, |line| line.to_string().contains("short-lived")).expect("metadata");
    let context = metadata["ctx"].clone();
    drop(connection);
    let ended = backend.process.wait_for_log_where(22944, |line| line["ctx"] == context);
    ended.expect("the upstream connection ends with the client's");
    let count = backend.process.log().iter().filter(|line| line.to_string().contains("short-lived")).count();
    assert_eq!(count, 1, "connections of this client");
}

#[test]
fn a_user_that_is_dropped_at_the_backend_can_do_nothing_more_through_an_open_connection() {
    let backend = Mongod::backend();
    let mut at_backend = Connection::plain(backend.port);
    at_backend.must(doc! {"createUser": "fleeting", "pwd": "secret", "roles": ["root"]});
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: none\n  userCacheSeconds: 1");
    let (_process, port) = start(&config, "--auth");
    let mut connection = Connection::plain(port);
    must_log_in(&mut connection, "fleeting", "admin", "secret");
    connection.must(doc! {"listDatabases": 1});
    at_backend.must(doc! {"dropUser": "fleeting"});
    let refused = until(&mut connection, &doc! {"listDatabases": 1, "$db": "admin"}, 13);
    assert_eq!(refused.get_str("errmsg").expect("a text"), "command listDatabases requires authentication");
}

#[test]
fn roles_that_change_at_the_backend_count_for_an_open_connection_before_long() {
    let backend = Mongod::backend();
    let mut at_backend = Connection::plain(backend.port);
    at_backend.must(doc! {"createRole": "changing", "privileges": [], "roles": []});
    at_backend.must(doc! {"createUser": "changed", "pwd": "secret", "roles": ["changing"]});
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: none\n  userCacheSeconds: 1");
    let (_process, port) = start(&config, "--auth");
    let mut connection = Connection::plain(port);
    must_log_in(&mut connection, "changed", "admin", "secret");
    let find = doc! {"find": "seed", "$db": "app"};
    assert_eq!(code(&connection.run(&find).expect("a reply")), 13);
    at_backend.must(doc! {"grantRolesToRole": "changing", "roles": [{"role": "read", "db": "app"}]});
    until(&mut connection, &find, 0);
    at_backend.must(doc! {"updateRole": "changing", "roles": []});
    until(&mut connection, &find, 13);
}

/// Asks again and again until the answer has this code.
fn until(connection: &mut Connection, command: &bson::Document, expected: i32) -> bson::Document {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let reply = connection.run(command).expect("a reply");
        if code(&reply) == expected {
            return reply;
        }
        assert!(std::time::Instant::now() < deadline, "{reply}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_login_does_not_wait_for_ever_for_a_backend_that_hangs() {
    let backend = Mongod::backend();
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: none\n    connectTimeoutMS: 500");
    let (_process, port) = start(&config, "--auth");
    serves(port).expect("a login through doorward");
    let mut connection = Connection::plain(port);
    connection.must(doc! {"hello": 1});
    backend.process.freeze();
    let asked = std::time::Instant::now();
    let ended =
        connection.run(&doc! {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": "biwsbj1ib2Iscj1hYmNk", "$db": "admin"});
    backend.process.signal("CONT");
    assert!(ended.is_err() && asked.elapsed().as_secs() < 10, "{ended:?}");
}

#[test]
fn an_operation_that_a_hanging_backend_never_answers_ends_when_the_backend_is_given_up() {
    let backend = Mongod::backend();
    let config = config(&format!("127.0.0.1:{}", backend.port), "authentication: none");
    let (process, port) = start(&config, "--auth");
    let mut connection = Connection::plain(port);
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    connection.must(doc! {"find": "seed", "$db": "app"});
    backend.process.freeze();
    connection.send(&Message::command(9, 0, &doc! {"find": "seed", "$db": "app"})).expect("an open connection");
    let given_up = process.wait_for_log(9_000_021);
    let ended = connection.receive(std::time::Duration::from_secs(5));
    backend.process.signal("CONT");
    assert!(given_up.is_ok() && matches!(ended, Received::Closed), "{ended:?}");
}

#[test]
fn after_a_reload_that_names_another_backend_its_users_count_and_connections_to_the_old_one_are_closed() {
    let backends = ["first", "second"].map(|name| {
        let backend = Mongod::backend();
        Connection::plain(backend.port).must(doc! {"createUser": name, "pwd": name, "roles": ["root"], "$db": "admin"});
        backend
    });
    let [first, second] = backends.each_ref().map(|backend| format!("127.0.0.1:{}", backend.port));
    let file = config_file(&config(&first, ""));
    let (process, port) = doorward_from(&file, &flags("--auth --nounixsocket")).expect("doorward");
    let mut open = Connection::plain(port);
    must_log_in(&mut open, "first", "admin", "first");
    open.must(doc! {"ping": 1});
    run::write_private(&file, config(&second, ""));
    process.signal("HUP");
    process.wait_for_log_where(UPSTREAM_REACHED, |line| line["attr"]["address"] == second.as_str()).expect("the other one");
    assert!(open.read_to_close(PATIENCE).is_some());
    must_log_in(&mut Connection::plain(port), "second", "admin", "second");
    let gone = Login {
        mechanism: Mechanism::Sha256,
        user: "first",
        database: "admin",
        password: "first",
        skip_empty_exchange: true,
        speculative: false,
    };
    assert_eq!(gone.run(&mut Connection::plain(port)).expect("replies").last().map(code), Some(18));
}
