//! The conversations of `conversations.jsonl`, run against a real mongod and against doorward with the same flags: what comes
//! back must be the same.

use std::sync::Arc;

use serde_json::Value;

use super::conversation::{self, Conversation};
use super::support::mongod::Mongod;
use super::support::servers::{Server, Target, flags, key_file, target, tls_flags};
use super::support::{assert_no_failures, json, run};

/// Runs every conversation of the table for these servers.
fn compare(servers: &str, flags: &[String]) {
    let mongod = Server::start_alone(Target::Mongod, flags).expect("a mongod");
    let under_test = Server::start_alone(target(), flags).expect("a server");
    let tls_is_required = flags.iter().any(|flag| flag == "requireTLS");
    compare_servers(servers, tls_is_required, &mongod, &under_test);
}

fn compare_servers(servers: &str, tls_is_required: bool, mongod: &Server, under_test: &Server) {
    let conversations: Vec<_> =
        conversation::all().into_iter().filter(|it| it.servers.iter().any(|name| name == servers)).collect();
    let failures: Vec<String> = conversations
        .iter()
        .filter_map(|it| {
            let expected = it.trace(mongod.port, tls_is_required);
            difference(it, &expected, &it.trace(under_test.port, tls_is_required))
        })
        .collect();
    assert_no_failures(servers, conversations.len(), &failures);
}

fn difference(conversation: &Conversation, expected: &[(String, Value)], found: &[(String, Value)]) -> Option<String> {
    expected.iter().zip(found).find_map(|((step, expected), (_, found))| {
        let text = json::difference(expected, found, "reply")?;
        Some(format!("{}: at {step}: {text}", conversation.name))
    })
}

fn with(base: Vec<String>, more: &str) -> Vec<String> {
    [base, flags(more)].concat()
}

#[test]
fn without_access_control() {
    compare("open", &flags("--noauth"));
}

#[test]
fn with_passwords() {
    compare("scram", &flags("--auth"));
}

#[test]
fn with_one_scram_mechanism() {
    compare("mechanisms", &flags("--auth --setParameter authenticationMechanisms=SCRAM-SHA-256"));
}

#[test]
fn with_a_keyfile() {
    compare("keyfile", &flags(&format!("--keyFile {}", key_file())));
}

#[test]
fn in_transition_to_authentication() {
    compare("transition", &flags(&format!("--transitionToAuth --keyFile {}", key_file())));
}

#[test]
fn with_tls_and_optional_certificates() {
    compare("tls", &with(tls_flags("requireTLS"), "--auth --tlsAllowConnectionsWithoutCertificates"));
}

#[test]
fn with_tls_and_required_certificates() {
    compare("mutual", &with(tls_flags("requireTLS"), "--auth"));
}

#[test]
fn with_certificates_as_the_only_mechanism() {
    compare("mechanisms-x509", &with(tls_flags("requireTLS"), "--auth --setParameter authenticationMechanisms=MONGODB-X509"));
}

#[test]
fn with_tls_and_passwords_alone() {
    compare("mechanisms-tls", &with(tls_flags("requireTLS"), "--auth --setParameter authenticationMechanisms=SCRAM-SHA-256"));
}

#[test]
fn with_members_by_key_or_certificate() {
    let more = format!("--clusterAuthMode sendX509 --keyFile {} --tlsAllowConnectionsWithoutCertificates", key_file());
    compare("sendx509", &with(tls_flags("preferTLS"), &more));
}

#[test]
fn with_members_by_certificate() {
    compare("x509", &with(tls_flags("requireTLS"), "--clusterAuthMode x509 --tlsAllowConnectionsWithoutCertificates"));
}

#[test]
fn with_members_names_for_users() {
    let more = "--auth --tlsAllowConnectionsWithoutCertificates --setParameter enforceUserClusterSeparation=false";
    compare("no separation", &with(tls_flags("requireTLS"), more));
}

#[test]
fn before_the_first_user() {
    compare_empty("no users", &flags("--auth"));
}

#[test]
fn before_the_first_user_without_the_localhost_exception() {
    compare_empty("no bypass", &flags("--auth --setParameter enableLocalhostAuthBypass=false"));
}

/// Runs every conversation of the table for servers without users or data.
fn compare_empty(servers: &str, flags: &[String]) {
    let empty = || run::folder("empty");
    let start_mongod = || {
        let Mongod { process, port, .. } = Mongod::start_in(&empty(), flags).expect("a mongod");
        Server { process, port, backend: None }
    };
    let under_test = match target() {
        Target::Mongod => start_mongod(),
        Target::Doorward => {
            let backend = Mongod::start_in(&empty(), &["--noauth".to_owned()]).expect("a backend");
            Server::doorward(&Arc::new(backend), flags).expect("doorward")
        }
    };
    compare_servers(servers, false, &start_mongod(), &under_test);
}

#[test]
fn every_conversation_is_run_by_a_test_here() {
    let run = [
        "open",
        "scram",
        "mechanisms",
        "keyfile",
        "transition",
        "tls",
        "mutual",
        "mechanisms-x509",
        "mechanisms-tls",
        "sendx509",
        "x509",
        "no separation",
        "no users",
        "no bypass",
    ];
    let conversations = conversation::all();
    for conversation in &conversations {
        let unknown: Vec<_> = conversation.servers.iter().filter(|name| !run.contains(&name.as_str())).collect();
        assert!(unknown.is_empty() && !conversation.servers.is_empty(), "{}: no test for {unknown:?}", conversation.name);
    }
    assert!(conversations.len() >= 60);
}
