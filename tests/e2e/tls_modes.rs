//! Who gets a connection: every `net.tls.mode` with and without TLS, every policy for certificates with every kind of
//! certificate. A verdict falls after the handshake: the rejected client sees a finished handshake and a close.

use bson::doc;

use super::support::connection::{Connection, code};
use super::support::pki::pki;
use super::support::servers::{Server, flags, tls_flags};
use super::support::tls::Client;
use super::support::{assert_no_failures, check_all};

/// "Error receiving request from client. Ending connection from remote".
const ENDING_CONNECTION: i64 = 22988;

/// What a client meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// No TLS handshake is completed, or a plaintext connection is closed without a byte.
    Refused,
    /// The handshake completes, then the connection is closed.
    Closed,
    /// The connection serves; MONGODB-X509 is answered with this code, 0 for a login.
    Serves(i32),
}

use Outcome::{Closed, Refused, Serves};

fn meet(port: u16, certificate: Option<&str>) -> Outcome {
    let client = certificate.map_or_else(Client::anonymous, |name| Client::showing(pki().identity(name)));
    let Ok(mut connection) = Connection::tls(port, &client) else { return Refused };
    log_in(&mut connection).map_or(Closed, Serves)
}

fn meet_plain(port: u16) -> Outcome {
    log_in(&mut Connection::plain(port)).map_or(Refused, Serves)
}

fn log_in(connection: &mut Connection) -> Option<i32> {
    let reply = connection.run(&doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"}).ok()?;
    Some(code(&reply))
}

#[test]
fn each_mode_serves_plaintext_or_tls_or_both() {
    let modes = [
        ("disabled", Serves(18), Refused),
        ("allowTLS", Serves(18), Serves(0)),
        ("preferTLS", Serves(18), Serves(0)),
        ("requireTLS", Refused, Serves(0)),
    ];
    let check = |(mode, plaintext, over_tls): &(&str, Outcome, Outcome)| {
        let files = if *mode == "disabled" { flags("--tlsMode disabled") } else { tls_flags(mode) };
        let server = Server::start(&[files, flags("--auth")].concat()).expect("a server");
        let found = (meet_plain(server.port), meet(server.port, Some("alice")));
        if found.0 == Refused || found.1 == Refused {
            server.process.wait_for_log_where(ENDING_CONNECTION, |line| line["attr"]["error"]["code"] == 141)?;
        }
        if found == (*plaintext, *over_tls) { Ok(()) } else { Err(format!("{mode}: {found:?}")) }
    };
    assert_no_failures("modes", modes.len(), &check_all(&modes, check));
}

/// For each policy: the outcome for each certificate, `""` for a client without one.
type Policies = &'static [(&'static str, &'static [(&'static str, Outcome)])];

const REQUIRED: &[(&str, Outcome)] = &[
    ("", Closed),
    ("alice", Serves(0)),
    ("root", Serves(0)),
    ("nobody", Serves(11)),
    ("no extended key usage", Serves(0)),
    ("revoked", Serves(0)),
    ("member", Serves(18)),
    ("with roles", Serves(0)),
    ("server only", Closed),
    ("expired", Closed),
    ("future", Closed),
    ("foreign", Closed),
    ("self-signed", Closed),
];

const POLICIES: Policies = &[
    ("--tlsCAFile CA", REQUIRED),
    (
        "--tlsCAFile CA --tlsAllowConnectionsWithoutCertificates",
        &[("", Serves(18)), ("alice", Serves(0)), ("expired", Closed), ("foreign", Closed), ("server only", Closed)],
    ),
    (
        "--tlsCAFile CA --tlsAllowInvalidCertificates",
        &[
            ("", Closed),
            ("alice", Serves(0)),
            ("server only", Serves(18)),
            ("expired", Serves(18)),
            ("future", Serves(18)),
            ("foreign", Serves(18)),
            ("self-signed", Serves(18)),
        ],
    ),
    ("", &[("", Serves(18)), ("alice", Serves(18)), ("expired", Serves(18)), ("foreign", Serves(18))]),
    ("--tlsCAFile CA --tlsCRLFile CRL", &[("alice", Serves(0)), ("revoked", Closed)]),
    ("--tlsCAFile CA --tlsCRLFile CRL --tlsAllowInvalidCertificates", &[("alice", Serves(0)), ("revoked", Serves(18))]),
    ("--tlsCAFile CA --tlsCRLFile EMPTY-CRL", &[("alice", Serves(0)), ("revoked", Serves(0))]),
    ("--tlsCAFile CA --tlsCRLFile STALE-CRL", &[("alice", Closed), ("revoked", Closed)]),
    ("--tlsCAFile CA --setParameter allowRolesFromX509Certificates=false", &[("with roles", Serves(11))]),
];

#[test]
fn certificates_are_judged_after_the_handshake_by_the_policy() {
    let cases: usize = POLICIES.iter().map(|(_, outcomes)| outcomes.len()).sum();
    let check = |(policy, outcomes): &(&str, &[(&str, Outcome)])| {
        let server = Server::start(&policy_flags(policy)).expect("a server");
        let wrong = outcomes.iter().filter_map(|(certificate, expected)| {
            let found = meet(server.port, Some(*certificate).filter(|name| !name.is_empty()));
            (found != *expected).then(|| format!("{policy}: `{certificate}`: {expected:?} expected, {found:?} found"))
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    };
    assert_no_failures("policies", cases, &check_all(POLICIES, check));
}

fn policy_flags(policy: &str) -> Vec<String> {
    let pki = pki();
    let mut text = format!("--auth --tlsMode requireTLS --tlsCertificateKeyFile {} {policy}", pki.file("server"));
    for (word, file) in [
        (" EMPTY-CRL", pki.empty_crl_file()),
        (" STALE-CRL", pki.stale_crl_file()),
        (" CRL", pki.crl_file()),
        (" CA", pki.ca_file()),
    ] {
        text = text.replace(word, &format!(" {file}"));
    }
    flags(&text)
}

#[test]
fn the_log_tells_why_a_certificate_was_rejected() {
    let reasons = [
        ("expired", "certificate has expired"),
        ("future", "certificate is not yet valid"),
        ("foreign", "unable to verify the first certificate"),
        ("self-signed", "self-signed certificate"),
        ("server only", "unsuitable certificate purpose"),
        ("revoked", "certificate revoked"),
        ("", "no SSL certificate provided by peer; connection rejected"),
    ];
    let with_list = Server::start(&policy_flags("--tlsCAFile CA --tlsCRLFile CRL")).expect("a server");
    let without = Server::start(&policy_flags("--tlsCAFile CA")).expect("a server");
    let check = |(certificate, reason): &(&str, &str)| {
        let server = if *certificate == "revoked" { &with_list } else { &without };
        meet(server.port, Some(*certificate).filter(|name| !name.is_empty()));
        let named = |line: &serde_json::Value| line["attr"]["error"]["errmsg"].as_str().is_some_and(|text| text.contains(reason));
        server.process.wait_for_log_where(ENDING_CONNECTION, named).map(drop).map_err(|log| format!("{certificate}: {log}"))
    };
    assert_no_failures("reasons", reasons.len(), &check_all(&reasons, check));
}

#[test]
fn only_the_protocols_that_are_left_are_spoken() {
    let versions = [("TLS1_2", false, true), ("TLS1_3", true, false), ("none", true, true), ("TLS1_0,TLS1_1", true, true)];
    let check = |(disabled, tls12, tls13): &(&str, bool, bool)| {
        let more = flags(&format!("--auth --tlsDisabledProtocols {disabled}"));
        let server = Server::start(&[tls_flags("requireTLS"), more].concat()).expect("a server");
        let speaks = |version| {
            let client = Client::with(Some(pki().identity("alice")), &[version]);
            Connection::tls(server.port, &client).is_ok_and(|mut connection| connection.answers())
        };
        let found = (speaks(&rustls::version::TLS12), speaks(&rustls::version::TLS13));
        if found == (*tls12, *tls13) { Ok(()) } else { Err(format!("{disabled}: {found:?}")) }
    };
    assert_no_failures("protocols", versions.len(), &check_all(&versions, check));
}
