//! Unmodified clients: pymongo, the Node driver, mongosh and the Rust driver log in every way there is, write, read, and ask who
//! they are. They get the same outcome as from a mongod.
//!
//! A program of `tests/drivers` reads one line for each session, `{"name", "uri", "collection"}`, and prints one line for each,
//! `{"name", "ok": true, "user"}` or `{"name", "ok": false, "code", "message"}`.

use serde_json::{Value, json};

use super::support::assert_no_failures;
use super::support::clients::Client;
use super::support::pki::pki;
use super::support::servers::{Server, flags, tls_flags};

/// Who the client is in the end, or the error code it sees.
#[derive(Clone, Copy)]
enum Outcome {
    User(&'static str),
    Code(i32),
}

use Outcome::{Code, User};

struct Session {
    name: &'static str,
    /// `user:password@`, or nothing.
    credentials: &'static str,
    options: &'static str,
    tls: bool,
    outcome: Outcome,
}

const fn session(name: &'static str, credentials: &'static str, options: &'static str, outcome: Outcome) -> Session {
    Session { name, credentials, options, tls: false, outcome }
}

const ALICE: Outcome = User("alice@admin");
const CERTIFICATE: Outcome = User("CN=alice,OU=clients,O=doorward@$external");

const SESSIONS: &[Session] = &[
    session("SCRAM-SHA-1", "alice:wonderland@", "authMechanism=SCRAM-SHA-1&authSource=admin", ALICE),
    session("SCRAM-SHA-256", "alice:wonderland@", "authMechanism=SCRAM-SHA-256&authSource=admin", ALICE),
    session("the default mechanism", "alice:wonderland@", "authSource=admin", ALICE),
    session("the default mechanism of a user with SCRAM-SHA-1 alone", "sha1:one@", "authSource=admin", User("sha1@admin")),
    session("the database of the URI as the source", "app:app@", "", User("app@app")),
    session("a wrong password", "alice:wrong@", "authSource=admin", Code(18)),
    session("an unknown user", "nosuch:x@", "authSource=admin", Code(18)),
    session("no credentials", "", "", Code(13)),
    session("zlib", "alice:wonderland@", "authSource=admin&compressors=zlib", ALICE),
    Session { tls: true, ..session("a password over TLS", "alice:wonderland@", "authSource=admin", ALICE) },
    Session { tls: true, ..session("a certificate", "", "authMechanism=MONGODB-X509&authSource=$external", CERTIFICATE) },
    Session {
        tls: true,
        ..session("a certificate and zlib", "", "authMechanism=MONGODB-X509&authSource=$external&compressors=zlib", CERTIFICATE)
    },
    Session { tls: true, ..session("a certificate but no login", "", "", Code(13)) },
];

/// A name that the Rust driver does not escape as SCRAM wants it.
const ODD_NAME: &[Session] = &[session(
    "a name and a password that need preparation",
    "o%3Ddd%2C%20n%C3%A4me:passw%C3%B6rdIX@",
    "",
    User("o=dd, n\u{e4}me@app"),
)];

/// Compressors that the Node clients have no code for without further packages.
const MORE_COMPRESSORS: &[Session] = &[
    session("snappy", "alice:wonderland@", "authSource=admin&compressors=snappy", ALICE),
    session("zstd", "alice:wonderland@", "authSource=admin&compressors=zstd", ALICE),
    session("all compressors", "alice:wonderland@", "authSource=admin&compressors=zstd,snappy,zlib", ALICE),
];

fn uri(session: &Session, port: u16) -> String {
    let pki = pki();
    let tls = if session.tls {
        format!("&tls=true&tlsCAFile={}&tlsCertificateKeyFile={}", pki.ca_file(), pki.file("alice"))
    } else {
        String::new()
    };
    let Session { credentials, options, .. } = session;
    format!("mongodb://{credentials}localhost:{port}/app?directConnection=true&{options}{tls}")
        .replace("&&", "&")
        .trim_end_matches('&')
        .to_owned()
}

fn compare(client: Client, sessions: &[&Session]) {
    let flags = [tls_flags("preferTLS"), flags("--auth --tlsAllowConnectionsWithoutCertificates")].concat();
    let server = Server::start(&flags).expect("a server");
    let collection = format!("from_{client:?}");
    let cases: Vec<Value> = sessions
        .iter()
        .map(|session| json!({"name": session.name, "uri": uri(session, server.port), "collection": collection}))
        .collect();
    let outcomes = client.run(&cases);
    let failures: Vec<String> = sessions
        .iter()
        .zip(&outcomes)
        .filter(|(session, found)| !same(session.outcome, found))
        .map(|(session, found)| format!("{}: {found}", session.name))
        .collect();
    assert_no_failures(&collection, sessions.len(), &failures);
}

fn same(expected: Outcome, found: &Value) -> bool {
    match expected {
        User(name) => found["ok"] == true && found["user"] == name,
        Code(code) => found["ok"] == false && found["code"] == code,
    }
}

#[test]
fn pymongo_logs_in_every_way() {
    compare(Client::Python, &SESSIONS.iter().chain(ODD_NAME).chain(MORE_COMPRESSORS).collect::<Vec<_>>());
}

#[test]
fn the_node_driver_logs_in_every_way() {
    compare(Client::Node, &SESSIONS.iter().chain(ODD_NAME).collect::<Vec<_>>());
}

#[test]
fn mongosh_logs_in_every_way() {
    compare(Client::Mongosh, &SESSIONS.iter().chain(ODD_NAME).collect::<Vec<_>>());
}

#[test]
fn the_rust_driver_logs_in_every_way() {
    compare(Client::Rust, &SESSIONS.iter().chain(MORE_COMPRESSORS).collect::<Vec<_>>());
}
