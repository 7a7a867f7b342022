//! `security.transitionToAuth` on and off: whoever does not log in is served or refused, and whoever does is known either way.

use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};

use super::support::connection::{Connection, code};
use super::support::replica_set::ReplicaSet;
use super::support::run;
use super::support::scram::{Login, Mechanism, must_log_in};
use super::support::servers::{Server, config_file, doorward_from, flags, key_file, tls_flags, upstream};

fn with_keyfile(transition: bool) -> Server {
    let more = if transition { " --transitionToAuth" } else { "" };
    Server::start(&flags(&format!("--keyFile {}{more}", key_file()))).expect("a server")
}

fn find(connection: &mut Connection) -> i32 {
    code(&connection.run(&doc! {"find": "seed", "$db": "app"}).expect("a reply"))
}

fn wrong_password(connection: &mut Connection) -> i32 {
    let (mechanism, password) = (Mechanism::Sha256, "wrong");
    let login = Login { mechanism, user: "alice", database: "admin", password, skip_empty_exchange: true, speculative: false };
    code(login.run(connection).expect("replies").last().expect("a reply"))
}

#[test]
fn without_a_login_everything_is_allowed_in_transition_and_nothing_outside() {
    assert_eq!(find(&mut with_keyfile(true).connect()), 0);
    assert_eq!(find(&mut with_keyfile(false).connect()), 13);
}

#[test]
fn a_failed_login_fails_in_transition_too_and_leaves_the_connection_as_it_was() {
    for (transition, afterwards) in [(true, 0), (false, 13)] {
        let server = with_keyfile(transition);
        let mut connection = server.connect();
        assert_eq!(wrong_password(&mut connection), 18);
        assert_eq!(find(&mut connection), afterwards);
    }
}

#[test]
fn who_logs_in_is_known_and_who_logs_out_is_served_on_in_transition() {
    let server = with_keyfile(true);
    let mut connection = server.connect();
    must_log_in(&mut connection, "zz", "admin", "zz");
    let status = connection.must(doc! {"connectionStatus": 1});
    assert!(status.to_string().contains(r#""user": "zz""#), "{status}");
    connection.must(doc! {"insert": "by_a_reader", "documents": [{"a": 1}], "$db": "transition"});
    connection.must(doc! {"logout": 1});
    assert_eq!(find(&mut connection), 0);
    connection.must(doc! {"logout": 1});
}

#[test]
fn members_by_certificate_can_be_introduced_while_others_use_no_tls() {
    let flags =
        [tls_flags("allowTLS"), flags("--clusterAuthMode x509 --transitionToAuth --tlsAllowConnectionsWithoutCertificates")]
            .concat();
    let server = Server::start(&flags).expect("a server");
    assert_eq!(find(&mut server.connect()), 0);
    let mut member = server.connect_as("member");
    member.must(doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"});
    let status = member.must(doc! {"connectionStatus": 1});
    assert!(status.to_string().contains("__system"), "{status}");
}

#[test]
fn transition_needs_something_to_change_to() {
    for wrong in ["--transitionToAuth", "--auth --transitionToAuth"] {
        let refused = Server::start(&flags(wrong)).map(drop).expect_err("must not start");
        assert_eq!(refused.status, Some(2), "{}", refused.printed);
        assert!(
            refused.printed.contains("--transitionToAuth must be used with keyFile or x509 authentication"),
            "{}",
            refused.printed
        );
    }
}

/// What a reload puts in force, one after the other.
const SECURITY: [&str; 5] = [
    "{authorization: disabled}",
    "{keyFile: KEY, transitionToAuth: true}",
    "{keyFile: KEY}",
    "{keyFile: KEY, transitionToAuth: true}",
    "{authorization: disabled}",
];

#[test]
fn a_users_transactions_and_retryable_writes_are_the_same_ones_whatever_is_enforced() {
    let set = ReplicaSet::of(1);
    let config = |security: &str| format!("{}security: {security}\n", upstream(set.members[0].port)).replace("KEY", &key_file());
    let file = config_file(&config(SECURITY[0]));
    let (process, port) = doorward_from(&file, &flags("--nounixsocket")).expect("doorward");
    let mut alice = Connection::plain(port);
    must_log_in(&mut alice, "alice", "admin", "wonderland");
    alice.must(doc! {"create": "changes", "$db": "app"});
    let session = |id: u8| doc! {"id": Binary { subtype: BinarySubtype::Uuid, bytes: vec![id; 16] }};
    let write = |number: i64| {
        doc! {"update": "changes", "updates": [{"q": {"_id": number}, "u": {"$inc": {"count": 1}}, "upsert": true}],
        "lsid": session(1), "txnNumber": number, "$db": "app"}
    };
    let transaction = |command: Document| {
        let mut command = command;
        command.extend(doc! {"lsid": session(2), "txnNumber": 1_i64, "autocommit": false});
        command
    };
    for (stage, security) in (0_i64..).zip(SECURITY) {
        let insert = doc! {"insert": "changes", "documents": [{"_id": 100 + stage}], "$db": "app"};
        if stage == 0 {
            let mut first = transaction(insert);
            first.insert("startTransaction", true);
            alice.must(first);
        } else {
            let known = process.log().len();
            run::write_private(&file, config(security));
            process.signal("HUP");
            process.wait_for_new_log(known, |line| line["id"] == 4_913_400);
            // The driver did not get the answer, and asks again.
            alice.must(write(stage - 1));
            alice.must(transaction(insert));
        }
        alice.must(write(stage));
    }
    alice.must(transaction(doc! {"commitTransaction": 1, "$db": "admin"}));
    let sum = doc! {"aggregate": "changes", "pipeline": [{"$group": {"_id": null, "done": {"$sum": "$count"}, "all": {"$sum": 1}}}],
    "cursor": {}, "$db": "app"};
    let reply = alice.must(sum);
    let found = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("a batch");
    // Five writes, each of them done once, and five documents of the transaction.
    assert_eq!(*found, [doc! {"_id": null, "done": 5, "all": 10}.into()], "{reply}");
}
