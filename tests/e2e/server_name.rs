//! Several deployments behind one address and port: the server name in the TLS hello tells which one a client means, and which
//! certificate it is shown. Who says no name, or one that is not known, reaches nothing.

use std::sync::{Arc, LazyLock};

use bson::doc;
use serde_json::json;

use super::restart::ReplicaSet;
use super::support::clients::{self, Client};
use super::support::connection::{Connection, code};
use super::support::mongod::{Mongod, on_free_ports};
use super::support::pki::pki;
use super::support::process::Process;
use super::support::scram::must_log_in;
use super::support::servers::{config_file, doorward_from, doorward_on, flags, shared_backend, tls_flags};
use super::support::{PATIENCE, run, tls};

/// "Error receiving request from client. Ending connection from remote".
const BROKEN_OFF: i64 = 22988;
/// "Upstream is reachable".
const UPSTREAM_REACHED: i64 = 9_000_020;

/// The second mongod, which has a collection that the first does not have.
fn other_backend() -> Arc<Mongod> {
    static OTHER: LazyLock<Arc<Mongod>> = LazyLock::new(|| {
        let mongod = Mongod::backend();
        Connection::plain(mongod.port).must(doc! {"insert": "other", "documents": [{"_id": 1}], "$db": "app"});
        Arc::new(mongod)
    });
    Arc::clone(&OTHER)
}

/// `one.gate.test` and `localhost`, with the ports of their mongods and certificates.
fn config(ports: [u16; 2], certificates: [&str; 2]) -> String {
    let files = certificates.map(|name| pki().file(name));
    format!(
        "proxy:\n  deployments:\n  - {{serverName: One.gate.test, address: \"127.0.0.1:{}\", certificateKeyFile: {}}}\n  \
         - {{serverName: localhost, address: \"127.0.0.1:{}\", certificateKeyFile: {}}}\n",
        ports[0], files[0], ports[1], files[1]
    )
}

fn ports() -> [u16; 2] {
    [shared_backend().port, other_backend().port]
}

/// Starts doorward with both deployments; without certificates of clients.
fn start(mode: &str) -> (Process, u16, std::path::PathBuf) {
    let file = config_file(&config(ports(), ["next server", "server"]));
    let more = [tls_flags(mode), flags("--auth --nounixsocket --tlsAllowConnectionsWithoutCertificates")].concat();
    let (process, port) = doorward_from(&file, &more).expect("doorward");
    (process, port, file)
}

fn connect(name: &'static str, port: u16) -> std::io::Result<Connection> {
    Connection::tls_to(name, port, &tls::Client::anonymous(), b"")
}

/// How many documents the collection has that only the second mongod has.
fn others(connection: &mut Connection) -> i32 {
    must_log_in(connection, "alice", "admin", "wonderland");
    connection.must(doc! {"count": "other", "$db": "app"}).get_i32("n").expect("a count")
}

fn shows(connection: &Connection, certificate: &str) {
    let expected = pki().identity(certificate).chain().remove(0);
    assert_eq!(connection.server_certificate(), Some(expected), "{certificate}");
}

#[test]
fn the_server_name_tells_the_mongod_and_the_certificate() {
    let (_process, port, _) = start("requireTLS");
    for (name, certificate, expected) in
        [("one.gate.test", "next server", 0), ("ONE.gate.test", "next server", 0), ("localhost", "server", 1)]
    {
        let mut connection = connect(name, port).expect("a handshake");
        shows(&connection, certificate);
        assert_eq!(others(&mut connection), expected, "{name}");
    }
}

#[test]
fn a_name_that_is_not_known_and_no_name_are_refused_in_the_handshake_and_the_log_says_why() {
    let (process, port, _) = start("requireTLS");
    for (name, reason) in [
        ("two.gate.test", "no deployment has the server name 'two.gate.test'"),
        ("127.0.0.1", "the TLS hello has no server name, which tells the deployment here"),
    ] {
        let error = connect(name, port).err().expect("no handshake");
        assert!(error.to_string().contains("UnrecognisedName"), "{name}: {error}");
        process.wait_for_log_where(BROKEN_OFF, |line| line["attr"]["error"]["errmsg"] == reason).expect("a log line");
    }
}

#[test]
fn a_connection_without_tls_is_refused_whatever_the_mode() {
    let (process, port, _) = start("preferTLS");
    let mut connection = Connection::plain(port);
    assert!(connection.run(&doc! {"hello": 1, "$db": "admin"}).is_err());
    let reason = "a connection without TLS has no server name, which tells the deployment here";
    process.wait_for_log_where(BROKEN_OFF, |line| line["attr"]["error"]["errmsg"] == reason).expect("a log line");
}

#[test]
fn a_deployment_that_is_lost_takes_its_own_clients_alone() {
    let mut lost = Mongod::backend();
    let file = config_file(&config([lost.port, other_backend().port], ["next server", "server"]));
    let more = [tls_flags("requireTLS"), flags("--auth --nounixsocket --tlsAllowConnectionsWithoutCertificates")].concat();
    let (_process, port) = doorward_from(&file, &more).expect("doorward");
    let [mut one, mut two] = ["one.gate.test", "localhost"].map(|name| connect(name, port).expect("a handshake"));
    assert!(one.answers() && two.answers());
    lost.stop();
    assert!(one.read_to_close(PATIENCE).is_some());
    assert!(connect("one.gate.test", port).map_or(true, |mut connection| !connection.answers()));
    assert!(two.answers());
}

#[test]
fn a_reload_changes_certificates_and_addresses_but_not_names() {
    let (process, port, file) = start("requireTLS");
    shows(&connect("one.gate.test", port).expect("a handshake"), "next server");
    // The certificate alone, in its file: as a renewal does.
    let renewed = run::private_file("renewed.pem", std::fs::read(pki().file("next server")).expect("a file"));
    let path = renewed.to_str().expect("UTF-8").to_owned();
    let [first, second] = ports();
    let written = config([first, second], ["next server", "server"]).replace(&pki().file("next server"), &path);
    run::write_private(&file, &written);
    reload(&process, &["proxy.deployments"], &[]);
    shows(&connect("one.gate.test", port).expect("a handshake"), "next server");
    run::write_private(&renewed, std::fs::read(pki().file("member")).expect("a file"));
    reload(&process, &[], &[]);
    shows(&connect("one.gate.test", port).expect("a handshake"), "member");
    shows(&connect("localhost", port).expect("a handshake"), "server");
    // A certificate that is none keeps everything as it was.
    run::write_private(&renewed, "nothing");
    process.signal("HUP");
    let refused = process.wait_for_log(9_000_005).expect("a refused reload");
    assert!(refused["attr"]["error"].to_string().contains("proxy.deployments"), "{refused}");
    shows(&connect("one.gate.test", port).expect("a handshake"), "member");
    run::write_private(&file, config([second, first], ["next server", "server"]));
    let known = process.log().len();
    reload(&process, &["proxy.deployments"], &[]);
    for port in [first, second] {
        let address = format!("127.0.0.1:{port}");
        process.wait_for_new_log(known, |line| line["id"] == UPSTREAM_REACHED && line["attr"]["address"] == address.as_str());
    }
    assert_eq!(others(&mut connect("one.gate.test", port).expect("a handshake")), 1);
    run::write_private(&file, config([second, first], ["next server", "server"]).replace("One.gate", "two.gate"));
    reload(&process, &[], &["proxy.deployments"]);
    assert!(connect("two.gate.test", port).is_err());
    assert!(connect("one.gate.test", port).expect("a handshake").answers());
}

/// Reloads, and checks what the log says of it.
fn reload(process: &Process, changed: &[&str], waits: &[&str]) {
    let known = process.log().len();
    process.signal("HUP");
    let line = process.wait_for_new_log(known, |line| line["id"] == 4_913_400);
    let attributes = &line["attr"];
    assert_eq!((&attributes["changed"], &attributes["changedButNeedARestart"]), (&json!(changed), &json!(waits)), "{line}");
}

#[test]
fn drivers_reach_the_deployment_that_they_name() {
    let (_process, port, _) = start("requireTLS");
    let uri = |host: &str| {
        format!(
            "mongodb://alice:wonderland@{host}:{port}/app?authSource=admin&directConnection=true&tls=true&tlsCAFile={}&serverSelectionTimeoutMS=2000",
            pki().ca_file()
        )
    };
    for client in [Client::Python, Client::Node, Client::Rust] {
        let collection = format!("by_name_{client:?}");
        let cases = [
            json!({"name": "known", "uri": uri("localhost"), "collection": collection}),
            json!({"name": "no name", "uri": uri("127.0.0.1"), "collection": collection}),
        ];
        let outcomes = client.run(&cases);
        assert_eq!(outcomes[0]["user"], "alice@admin", "{client:?}: {outcomes:?}");
        assert_eq!(outcomes[1]["ok"], false, "{client:?}: {outcomes:?}");
        let count = doc! {"count": &collection, "$db": "app"};
        assert!(Connection::plain(other_backend().port).must(count).get_i32("n").expect("a count") > 0, "{client:?}");
    }
}

/// Two replica sets of one member are two "members" here: what counts is that one port leads to both by name. The second entry
/// stands for another member of the same set, which this set does not have.
#[test]
fn members_of_a_replica_set_may_share_one_port() {
    let set = ReplicaSet::start("");
    let [first, second] = [set.mongod.port, other_backend().port];
    let members = |port: u16| {
        format!(
            "proxy:\n  members:\n  - {{host: \"127.0.0.1:{first}\", listen: {port}, advertise: \"a.gate.test:{port}\"}}\n  \
             - {{host: \"127.0.0.1:{second}\", listen: {port}, advertise: \"b.gate.test:{port}\"}}\n"
        )
    };
    let more = [tls_flags("requireTLS"), flags("--auth --nounixsocket --tlsAllowConnectionsWithoutCertificates")].concat();
    let start = || {
        let port = run::free_port();
        doorward_on(port, &config_file(&members(port)), &more).map(|process| (process, port))
    };
    let (_process, port) = on_free_ports(start).expect("doorward");
    let mut member = connect("a.gate.test", port).expect("a handshake");
    let hello = member.must(doc! {"hello": 1});
    assert_eq!(hello.get_str("me").ok(), Some(format!("a.gate.test:{port}").as_str()), "{hello}");
    assert_eq!(others(&mut connect("b.gate.test", port).expect("a handshake")), 1);
    assert!(connect("localhost", port).is_err());
    // A driver that resolves the names follows them.
    let uri = format!(
        "mongodb://alice:wonderland@a.gate.test:{port}/app?authSource=admin&replicaSet=rs&tls=true&tlsCAFile={}",
        pki().ca_file()
    );
    let case = json!({"name": "members", "uri": uri, "collection": "members"});
    let mut python = clients::python("python/named.py");
    let output = python.env("CASES", run::private_file("named.jsonl", format!("{case}\n"))).output().expect("a client");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.trim(), r#"{"ok": true}"#, "{}", String::from_utf8_lossy(&output.stderr));
    let reply = Connection::plain(first).must(doc! {"count": "members", "$db": "app"});
    assert_eq!((code(&reply), reply.get_i32("n").ok()), (0, Some(1)), "{reply}");
}
