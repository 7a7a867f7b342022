//! The localhost exception, and what is told to those who may not run a command.

use super::*;
use crate::authz::Refused;

/// A client while there are no users.
fn first() -> Client {
    let mut client = Client::new(keyfile_policy());
    client.no_users = true;
    client
}

fn is_excepted(client: &mut Client, body: &RawDocument, database: &str) -> bool {
    match client.effect(body, database, false) {
        Effect::Forward(permit) => {
            assert!(matches!(permit.subject(), Subject::LocalhostException));
            true
        }
        _ => false,
    }
}

#[test]
fn a_client_on_this_host_is_judged_by_the_exception_while_there_are_no_users() {
    let create = rawdoc! { "createUser": "first", "pwd": "x", "roles": ["root"] };
    assert!(is_excepted(&mut first(), &create, "admin"));
    for address in ["[::1]:5", "[::ffff:127.0.0.1]:5", "127.3.2.1:5"] {
        let mut client = first();
        client.address = ClientAddress::Tcp(address.parse().unwrap());
        assert!(is_excepted(&mut client, &create, "admin"), "{address}");
    }
    let mut client = first();
    client.address = ClientAddress::Unix;
    assert!(is_excepted(&mut client, &create, "admin"));
}

#[test]
fn there_is_no_exception_from_elsewhere_with_users_or_when_it_is_switched_off() {
    let far = {
        let mut client = first();
        client.address = ClientAddress::Tcp("192.0.2.1:5".parse().unwrap());
        client
    };
    let off = {
        let mut client = Client::new(Policy { localhost_exception: false, ..keyfile_policy() });
        client.no_users = true;
        client
    };
    for mut client in [far, off, Client::new(keyfile_policy())] {
        let reply = client.send(&rawdoc! { "createUser": "first", "pwd": "x", "roles": ["root"] });
        assert_eq!(outcome(&reply), "13 command createUser requires authentication");
    }
}

#[test]
fn what_doorward_answers_itself_it_answers_under_the_exception_too() {
    for body in [rawdoc! { "ping": 1 }, rawdoc! { "logout": 1 }, rawdoc! { "connectionStatus": 1 }, rawdoc! { "buildInfo": 1 }] {
        assert_eq!(outcome(&first().send(&body)), "ok", "{body:?}");
    }
    assert_eq!(outcome(&first().send(&rawdoc! { "nosuch": 1 })), "59 no such command: 'nosuch'");
    let reply = first().send_to(&rawdoc! { "replSetGetStatus": 1 }, "app");
    assert_eq!(outcome(&reply), "13 replSetGetStatus may only be run against the admin database.");
}

fn refusal(body: &RawDocument, database: &str, refused: Refused) -> String {
    let name = body.iter_elements().next().unwrap().unwrap().key().as_str();
    let command = Command { name, database, body, protocol: Protocol::Message, exhaust_allowed: false };
    let (policy, picture) = (keyfile_policy(), picture(true));
    let nonce = || [1; 24];
    let context = Context {
        policy: &policy,
        picture: &picture,
        peer: None,
        tls: false,
        client_address: ClientAddress::Unix,
        server_address: None,
        connection_id: 1,
        now_ms: 1,
        nonce: &nonce,
        users: &[],
        no_users: false,
    };
    let reply = Session::new().refusal(&command, refused, &context);
    assert!(reply.get("operationTime").unwrap().is_some(), "a replica set member ends every reply");
    outcome(&reply)
}

#[test]
fn a_refused_command_is_answered_in_mongods_order_of_checks() {
    let find = |more: &RawDocument| {
        let mut body = rawdoc! { "find": "x" };
        for element in more.iter() {
            let (key, value) = element.unwrap();
            body.append(key, RawBson::from(value));
        }
        refusal(&body, "app", Refused::NotAuthorized)
    };
    assert_eq!(find(&rawdoc! {}), "13 not authorized on app to execute command { find: \"x\" }");
    assert_eq!(find(&rawdoc! { "$readPreference": 5 }), "14 $readPreference has incorrect type: expected object but got int");
    assert!(find(&rawdoc! { "apiVersion": "2" }).starts_with("322 "));
    assert!(find(&rawdoc! { "lsid": 5 }).starts_with("14 BSON field 'OperationSessionInfo.lsid'"));
    assert!(find(&rawdoc! { "a": 1, "a": 2 }).starts_with("40413 "));
    let transaction = rawdoc! { "txnNumber": 1_i64, "autocommit": false, "startTransaction": true };
    assert!(find(&transaction).starts_with("13 not authorized"));

    let nosuch = refusal(&rawdoc! { "nosuch": 1, "apiVersion": "2" }, "app", Refused::NotAuthorized);
    assert_eq!(nosuch, "59 no such command: 'nosuch'");
    let dotted = refusal(&rawdoc! { "nosuch": 1 }, "a.b", Refused::NotAuthorized);
    assert_eq!(dotted, "73 '.' is an invalid character in the database name: a.b");
    let odd = refusal(&rawdoc! { "find": "x" }, "a b", Refused::NotAuthorized);
    assert_eq!(odd, "73 Invalid database name: 'a b'");
    let elsewhere = refusal(&rawdoc! { "replSetGetStatus": 1 }, "app", Refused::NotAuthorized);
    assert_eq!(elsewhere, "13 replSetGetStatus may only be run against the admin database.");
}

#[test]
fn an_argument_of_the_command_comes_before_what_any_command_has_and_a_privilege_behind_it() {
    let body = rawdoc! { "find": "x", "$readPreference": 5 };
    let argument = CommandError::new(ErrorCode::BadValue, "an argument");
    assert_eq!(refusal(&body, "app", Refused::Error(argument)), "2 an argument");
    let privilege = CommandError::new(ErrorCode::Unauthorized, "a privilege");
    assert!(refusal(&body, "app", Refused::Error(privilege.clone())).starts_with("14 "));
    assert_eq!(refusal(&rawdoc! { "find": "x" }, "app", Refused::Error(privilege)), "13 a privilege");
    let answered = Refused::Answered(rawdoc! { "cursorsKilled": [], "ok": 1.0 });
    assert_eq!(refusal(&rawdoc! { "killCursors": "x" }, "app", answered), "ok");
}

#[test]
fn no_user_is_made_with_the_name_of_a_member() {
    let member = crate::x509::membership::MembershipRule::by_attributes("O=doorward,OU=cluster").unwrap();
    let rules =
        |separation| Policy { membership: Some(member.clone()), enforce_user_cluster_separation: separation, ..keyfile_policy() };
    let outcome = |body: RawDocumentBuf, database: &str, policy: &Policy| {
        let command = Command { name: "createUser", database, body: &body, protocol: Protocol::Message, exhaust_allowed: false };
        match check_user_name(&command, policy) {
            Ok(()) => "ok".to_owned(),
            Err(Refused::Error(error)) => error.errmsg().to_owned(),
            Err(other) => panic!("{other:?}"),
        }
    };
    let name = "CN=m, OU=cluster, O=doorward";
    let reserved = "Cannot create an x.509 user with a subjectname that would be recognized as an internal cluster member";
    assert_eq!(outcome(rawdoc! { "createUser": name, "roles": [] }, "$external", &rules(true)), reserved);
    let password = outcome(rawdoc! { "createUser": name, "pwd": "x", "roles": [] }, "$external", &rules(true));
    assert_eq!(password, "Cannot set the password for users defined on the '$external' database");
    assert_eq!(outcome(rawdoc! { "createUser": name, "roles": [] }, "$external", &rules(false)), "ok");
    assert_eq!(outcome(rawdoc! { "createUser": name, "roles": [] }, "admin", &rules(true)), "ok");
    assert_eq!(outcome(rawdoc! { "createUser": "CN=m,O=doorward", "roles": [] }, "$external", &rules(true)), "ok");
    assert_eq!(outcome(rawdoc! { "createUser": "no name of that kind", "roles": [] }, "$external", &rules(true)), "ok");
}
