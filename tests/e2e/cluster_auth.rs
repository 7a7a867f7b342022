//! Who is `__system`: every `security.clusterAuthMode` with every credential that a peer may come with.

use bson::{Document, doc};

use super::support::connection::{Connection, code, is_ok};
use super::support::pki::pki;
use super::support::scram::{Login, Mechanism};
use super::support::servers::{KEY, SECOND_KEY, Server, flags, key_file, tls_flags};
use super::support::tls::Client;
use super::support::{assert_no_failures, check_all};

/// Who a peer is after its login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// `__system`.
    Member,
    /// The user that the certificate names.
    User,
    /// Refused with this code.
    Refused(i32),
}

use Outcome::{Member, Refused, User};

/// How a peer comes.
#[derive(Clone, Copy, Debug)]
enum Credential {
    Key(&'static str),
    Certificate(&'static str),
}

use Credential::{Certificate, Key};

const CREDENTIALS: [Credential; 7] = [
    Key(KEY),
    Key(SECOND_KEY),
    Key("doorwardWrongKey"),
    Certificate("member"),
    Certificate("server"),
    Certificate("other member"),
    Certificate("alice"),
];

const NO: Outcome = Refused(18);

/// The outcome for each credential, in their order.
const MODES: &[(&str, [Outcome; 7])] = &[
    ("--auth", [NO, NO, NO, NO, NO, Refused(11), User]),
    ("--keyFile KEY", [Member, Member, NO, NO, NO, Refused(11), User]),
    ("--keyFile KEY --clusterAuthMode keyFile", [Member, Member, NO, NO, NO, Refused(11), User]),
    ("--keyFile KEY --clusterAuthMode sendKeyFile", [Member, Member, NO, Member, Member, Refused(11), User]),
    ("--keyFile KEY --clusterAuthMode sendX509", [Member, Member, NO, Member, Member, Refused(11), User]),
    ("--keyFile KEY --clusterAuthMode x509", [NO, NO, NO, Member, Member, Refused(11), User]),
    ("--clusterAuthMode x509", [NO, NO, NO, Member, Member, Refused(11), User]),
    ("--keyFile KEY --transitionToAuth", [Member, Member, NO, NO, NO, Refused(11), User]),
    ("--clusterAuthMode x509 --transitionToAuth", [NO, NO, NO, Member, Member, Refused(11), User]),
    (
        "--keyFile KEY --setParameter enforceUserClusterSeparation=false",
        [Member, Member, NO, Refused(11), Refused(11), Refused(11), User],
    ),
    (
        "--clusterAuthMode x509 --setParameter tlsX509ClusterAuthDNOverride=OU=cluster,O=elsewhere",
        [NO, NO, NO, Member, Member, Member, User],
    ),
    ("--keyFile KEY --setParameter authenticationMechanisms=SCRAM-SHA-1", [Member, Member, NO, NO, NO, Refused(2), Refused(2)]),
    (
        "--clusterAuthMode x509 --setParameter authenticationMechanisms=SCRAM-SHA-1",
        [NO, NO, NO, Member, Member, Refused(2), Refused(2)],
    ),
    (
        "--keyFile KEY --clusterAuthMode sendX509 --clusterIpSourceAllowlist 10.9.8.7",
        [NO, NO, NO, Member, Member, Refused(11), User],
    ),
    (
        "--keyFile KEY --clusterAuthMode sendX509 --clusterIpSourceAllowlist 127.0.0.0/8",
        [Member, Member, NO, Member, Member, Refused(11), User],
    ),
];

#[test]
fn each_mode_takes_its_credentials_and_no_others() {
    let check = |(mode, expected): &(&str, [Outcome; 7])| {
        let more = flags(&format!("{mode} --tlsAllowConnectionsWithoutCertificates").replace("KEY", &key_file()));
        let server = Server::start(&[tls_flags("preferTLS"), more].concat()).expect("a server");
        let found = CREDENTIALS.map(|credential| outcome(&server, credential));
        if found == *expected { Ok(()) } else { Err(format!("{mode}: {expected:?} expected, {found:?} found")) }
    };
    assert_no_failures("cluster authentication", MODES.len() * CREDENTIALS.len(), &check_all(MODES, check));
}

fn outcome(server: &Server, credential: Credential) -> Outcome {
    let (mut connection, reply) = match credential {
        Key(password) => {
            let mut connection = server.connect();
            let reply = log_in_by_key(&mut connection, password);
            (connection, reply)
        }
        Certificate(name) => {
            let client = Client::showing(pki().identity(name));
            let mut connection = Connection::tls(server.port, &client).expect("a handshake");
            let reply =
                connection.run(&doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"}).expect("a reply");
            (connection, reply)
        }
    };
    if !is_ok(&reply) {
        return Refused(code(&reply));
    }
    let status = connection.must(doc! {"connectionStatus": 1});
    let users = status.get_document("authInfo").and_then(|info| info.get_array("authenticatedUsers")).expect("users");
    let user = users[0].as_document().expect("a user");
    if *user == doc! {"user": "__system", "db": "local"} { Member } else { User }
}

fn log_in_by_key(connection: &mut Connection, password: &str) -> Document {
    let mechanism = Mechanism::Sha256;
    let login = Login { mechanism, user: "__system", database: "local", password, skip_empty_exchange: true, speculative: false };
    login.run(connection).expect("an open connection").pop().expect("a reply")
}
