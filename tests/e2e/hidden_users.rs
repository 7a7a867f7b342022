//! `proxy.hideUnknownUsers`: nothing that an unknown user is answered, and no time that it takes, tells it from a known one with
//! a wrong password.

use std::time::{Duration, Instant};

use bson::{Document, doc};

use super::support::connection::{Connection, code};
use super::support::scram::{Exchange, Mechanism, binary, payload};
use super::support::servers::{Server, Target, flags};

/// A user that exists with both mechanisms, and one that does not exist.
const NAMES: [&str; 2] = ["alice", "nosuch"];

/// Every answer to a question about a user takes at least this long.
const LOOK_UP_TIME: Duration = Duration::from_millis(20);

fn hiding() -> Server {
    Server::start_as(Target::Doorward, &flags("--auth --proxyHideUnknownUsers")).expect("doorward")
}

/// What an attempt with a wrong password shows: the form of the challenge, the salt, and the answer to the proof.
fn attempt(server: &Server, mechanism: Mechanism, user: &str) -> ((usize, String), String, Document) {
    let mut connection = server.connect();
    let mut exchange = Exchange::new(mechanism, user, "wrong");
    let start =
        doc! {"saslStart": 1, "mechanism": mechanism.name(), "payload": binary(exchange.first().as_bytes()), "$db": "admin"};
    let asked = Instant::now();
    let challenge = connection.run(&start).expect("a reply");
    assert!(asked.elapsed() >= LOOK_UP_TIME, "{user} is answered after {:?}", asked.elapsed());
    let challenge = payload(&challenge);
    let field = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).expect("a field").to_owned();
    let proof = exchange.second(&challenge);
    let answer = connection
        .run(&doc! {"saslContinue": 1, "conversationId": 1, "payload": binary(proof.as_bytes()), "$db": "admin"})
        .expect("a reply");
    ((challenge.len(), field("i=")), field("s="), answer)
}

#[test]
fn an_unknown_user_is_challenged_and_refused_as_a_known_one_is() {
    let server = hiding();
    for mechanism in [Mechanism::Sha1, Mechanism::Sha256] {
        let [(known, known_salt, refused), (unknown, salt, answer)] = NAMES.map(|user| attempt(&server, mechanism, user));
        assert_eq!(known, unknown);
        assert_eq!((code(&answer), &answer), (18, &refused));
        assert_ne!(known_salt, salt);
        assert_eq!(attempt(&server, mechanism, NAMES[1]).1, salt, "a user's salt is always the same");
        assert_ne!(attempt(&server, mechanism, "nobody").1, salt, "and another user's another one");
    }
}

#[test]
fn an_unknown_user_has_the_mechanisms_of_a_known_one() {
    let server = hiding();
    let mechanisms = NAMES.map(|user| {
        let asked = Instant::now();
        let reply = server.connect().must(doc! {"hello": 1, "saslSupportedMechs": format!("admin.{user}")});
        assert!(asked.elapsed() >= LOOK_UP_TIME, "{user} is answered after {:?}", asked.elapsed());
        reply.get("saslSupportedMechs").cloned()
    });
    assert!(mechanisms[0].is_some());
    assert_eq!(mechanisms[0], mechanisms[1]);
}

#[test]
fn without_the_option_an_unknown_user_is_refused_at_once_as_by_mongod() {
    let server = Server::start_as(Target::Doorward, &flags("--auth")).expect("doorward");
    let exchange = Exchange::new(Mechanism::Sha256, NAMES[1], "wrong");
    let start =
        doc! {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(exchange.first().as_bytes()), "$db": "admin"};
    let mut connection: Connection = server.connect();
    assert_eq!(code(&connection.run(&start).expect("a reply")), 18);
}
