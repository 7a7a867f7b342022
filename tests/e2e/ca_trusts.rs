//! `tlsCATrusts`: whose certificates may bring roles. The CA is the one at which the chain ends, not the one that signed.

use bson::doc;

use super::support::assert_no_failures;
use super::support::pki::pki;
use super::support::servers::{Server, Target, target, tls_flags};

/// Who logs in, and whom each row of the table may let in.
const CERTIFICATES: [&str; 3] = ["with roles", "with roles, from below", "alice"];

/// The roles with which each certificate logs in, or that its connection is closed.
fn outcomes(target: Target, trusts: &str) -> Vec<String> {
    let parameter = ["--setParameter".to_owned(), format!("tlsCATrusts={trusts}")];
    let flags = [tls_flags("requireTLS"), parameter.to_vec(), vec!["--auth".to_owned()]].concat();
    let server = Server::start_as(target, &flags).expect("a server");
    CERTIFICATES.iter().map(|certificate| outcome(&server, certificate)).collect()
}

fn outcome(server: &Server, certificate: &str) -> String {
    let mut connection = server.connect_as(certificate);
    let authenticate = doc! { "authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external" };
    if connection.run(&authenticate).is_err() {
        return "closed".to_owned();
    }
    let status = connection.run(&doc! { "connectionStatus": 1, "$db": "admin" }).expect("an answer");
    let roles = status.get_document("authInfo").and_then(|info| info.get_array("authenticatedUserRoles")).cloned();
    format!("{:?}", roles.unwrap_or_default())
}

#[test]
fn the_anchor_of_the_chain_decides_which_roles_a_certificate_brings() {
    let anchor = sha256(&pki().authority_der());
    let intermediate = sha256(&pki().intermediate_der());
    let trust = |ca: &str, roles: &str| format!("[{{sha256:\"{ca}\",roles:[{roles}]}}]");
    let any = "{role:\"\",db:\"\"}";
    let table = [
        (trust(&anchor, any), [true, true]),
        (trust(&anchor, "{role:\"read\",db:\"app\"}"), [true, true]),
        (trust(&anchor, "{role:\"read\",db:\"other\"}"), [false, false]),
        (trust(&intermediate, any), [false, false]),
        ("[]".to_owned(), [false, false]),
    ];
    let mut failures = Vec::new();
    for (trusts, expected) in &table {
        let found = outcomes(target(), trusts);
        let let_in: Vec<bool> = found.iter().map(|outcome| outcome != "closed").collect();
        let mongods = outcomes(Target::Mongod, trusts);
        if found != mongods || let_in.get(..2) != Some(expected.as_slice()) || let_in.get(2) != Some(&true) {
            failures.push(format!("{trusts}: {found:?}, mongod {mongods:?}"));
        }
    }
    assert_no_failures("tlsCATrusts", table.len(), &failures);
}

fn sha256(der: &[u8]) -> String {
    doorward::x509::ca_trusts::sha256_hex(der)
}
