//! SCRAM through `saslStart`, `saslContinue` and `speculativeAuthenticate`: users, members, decoys, second authentication, logout.

mod changes;
mod members;

use std::net::IpAddr;

use super::*;
use crate::scram;

const SHA_1: Mechanism = Mechanism::ScramSha1;
pub(super) const SHA_256: Mechanism = Mechanism::ScramSha256;

fn binary(bytes: Vec<u8>) -> Binary {
    Binary { subtype: bson::spec::BinarySubtype::Generic, bytes }
}

fn start(mechanism: &str, payload: &[u8], skip_empty_exchange: bool) -> RawDocumentBuf {
    let options = rawdoc! { "skipEmptyExchange": skip_empty_exchange };
    rawdoc! { "saslStart": 1, "mechanism": mechanism, "payload": binary(payload.to_vec()), "options": options }
}

fn proceed(payload: Vec<u8>) -> RawDocumentBuf {
    rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": binary(payload) }
}

/// Logs in as an ordinary client does and gives the last reply.
pub(super) fn log_in(client: &mut Client, mechanism: Mechanism, user: &str, database: &str, password: &str) -> RawDocumentBuf {
    log_in_with(client, mechanism, user, database, password, &rawdoc! {})
}

fn log_in_with(
    client: &mut Client,
    mechanism: Mechanism,
    user: &str,
    database: &str,
    password: &str,
    more: &RawDocument,
) -> RawDocumentBuf {
    let password = prepare_password(mechanism, user, password).unwrap();
    let (exchange, first) = scram::Client::start(mechanism, user, &password, [9; 24]);
    let challenge = client.send_to(&start(mechanism.name(), &first, true), database);
    if outcome(&challenge) != "ok" {
        return challenge;
    }
    let (_, last) = exchange.step(challenge.get_binary("payload").unwrap().bytes).unwrap();
    let mut command = proceed(last);
    for element in more.iter() {
        let (key, value) = element.unwrap();
        command.append(key, RawBson::from(value));
    }
    client.send_to(&command, database)
}

pub(super) fn system(client: &mut Client, key: &str) -> String {
    let key = Secret::new(key.as_bytes().to_vec());
    let (exchange, first) = scram::Client::start(SHA_256, "__system", &key, [9; 24]);
    let challenge = client.send_to(&start("SCRAM-SHA-256", &first, true), "local");
    if outcome(&challenge) != "ok" {
        return outcome(&challenge);
    }
    let (_, last) = exchange.step(challenge.get_binary("payload").unwrap().bytes).unwrap();
    outcome(&client.send_to(&proceed(last), "local"))
}

fn who(client: &Client) -> String {
    client.session.state().user().map_or_else(|| "nobody".to_owned(), ToString::to_string)
}

#[test]
fn a_user_logs_in_by_either_mechanism_and_may_then_forward() {
    for mechanism in [SHA_1, SHA_256] {
        let mut client = Client::new(keyfile_policy());
        assert!(!client.may_forward());
        let reply = log_in(&mut client, mechanism, "root", "admin", "pw");
        assert_eq!(outcome(&reply), "ok");
        assert!(reply.get_bool("done").unwrap());
        assert_eq!(who(&client), "root@admin");
        assert!(client.may_forward());
        assert!(matches!(client.events.last(), Some(Event::AuthenticationSucceeded { speculative: false, cluster: false, .. })));
    }
}

#[test]
fn a_wrong_password_an_unknown_user_and_a_user_of_another_database_stay_outside() {
    for (user, database, password) in [("root", "admin", "no"), ("nobody", "admin", "pw"), ("root", "app", "pw")] {
        let mut client = Client::new(keyfile_policy());
        let reply = log_in(&mut client, SHA_256, user, database, password);
        assert_eq!(outcome(&reply), "18 Authentication failed.");
        assert_eq!(who(&client), "nobody");
        assert!(!client.may_forward());
    }
}

#[test]
fn without_skip_empty_exchange_a_user_is_authenticated_only_after_a_third_message() {
    let mut client = Client::new(keyfile_policy());
    let password = prepare_password(SHA_256, "root", "pw").unwrap();
    let (exchange, first) = scram::Client::start(SHA_256, "root", &password, [9; 24]);
    let challenge = client.send(&start("SCRAM-SHA-256", &first, false));
    let (exchange, last) = exchange.step(challenge.get_binary("payload").unwrap().bytes).unwrap();
    let reply = client.send(&proceed(last));
    assert!(!reply.get_bool("done").unwrap());
    exchange.finish(reply.get_binary("payload").unwrap().bytes).unwrap();
    assert!(!client.may_forward());

    let reply = client.send(&proceed(b"anything".to_vec()));
    assert!(reply.get_bool("done").unwrap());
    assert!(reply.get_binary("payload").unwrap().bytes.is_empty());
    assert!(client.may_forward());
    assert_eq!(outcome(&client.send(&proceed(Vec::new()))), "17 No SASL session state found");
}

#[test]
fn a_user_that_is_dropped_in_the_middle_of_its_login_stays_outside() {
    for skip_empty_exchange in [true, false] {
        let mut client = Client::new(keyfile_policy());
        let password = prepare_password(SHA_256, "root", "pw").unwrap();
        let (exchange, first) = scram::Client::start(SHA_256, "root", &password, [9; 24]);
        let challenge = client.send(&start("SCRAM-SHA-256", &first, skip_empty_exchange));
        let (_, last) = exchange.step(challenge.get_binary("payload").unwrap().bytes).unwrap();
        if !skip_empty_exchange {
            assert_eq!(outcome(&client.send(&proceed(last.clone()))), "ok");
        }
        client.users.clear();
        let reply = client.send(&proceed(if skip_empty_exchange { last } else { Vec::new() }));
        assert_eq!(outcome(&reply), "11 Could not find user \"root\" for db \"admin\"");
        assert!(!client.may_forward());
    }
}

#[test]
fn a_payload_of_text_is_answered_with_text() {
    let mut client = Client::new(keyfile_policy());
    let reply =
        client.send(&rawdoc! { "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": STANDARD.encode("n,,n=root,r=abcd") });
    let payload = STANDARD.decode(reply.get_str("payload").unwrap()).unwrap();
    assert!(payload.starts_with(b"r=abcd"));
}

#[test]
fn arguments_of_sasl_commands_are_refused_with_mongods_words() {
    let good = || start("SCRAM-SHA-256", b"n,,n=root,r=abcd", true);
    let with = |name: &str, value: RawBson| {
        let mut body = RawDocumentBuf::new();
        for element in good().iter().filter(|element| element.as_ref().unwrap().0.as_str() != name) {
            let (key, value) = element.unwrap();
            body.append(key, RawBson::from(value));
        }
        body.append(CString::try_from(name).unwrap(), value);
        body
    };
    let md5 = RawBson::Binary(Binary { subtype: bson::spec::BinarySubtype::Md5, bytes: Vec::new() });
    let text = |text: &str| RawBson::String(text.to_owned());
    let cases = [
        (
            with("mechanism", RawBson::Int32(1)),
            "14 BSON field 'saslStart.mechanism' is the wrong type 'int', expected type 'string'",
        ),
        (with("mechanism", RawBson::Null), "40414 BSON field 'saslStart.mechanism' is missing but a required field"),
        (with("mechanism", text("X")), "334 Received authentication for mechanism X which is not enabled"),
        (with("mechanism", text("scram-sha-1")), "334 Received authentication for mechanism scram-sha-1 which is not enabled"),
        (with("mechanism", text("MONGODB-X509")), "334 Unsupported mechanism 'MONGODB-X509' on authentication database 'admin'"),
        (with("payload", RawBson::Int32(1)), "2 Invalid SASLPayload type. Expected Base64 or BinData, got: int"),
        (with("payload", RawBson::Null), "2 Invalid SASLPayload type. Expected Base64 or BinData, got: null"),
        (with("payload", md5), "2 Invalid SASLPayload subtype. Expected BinDataGeneral, got: MD5"),
        (with("payload", text("!!!!")), "40537 Failed decoding SASL payload: Invalid base64 character"),
        (with("payload", text("abc")), "10270 Failed decoding SASL payload: invalid base64"),
        (with("foo", RawBson::Int32(1)), "40415 BSON field 'saslStart.foo' is an unknown field."),
        (with("options", RawBson::Int32(1)), "14 BSON field 'saslStart.options' is the wrong type 'int', expected type 'object'"),
        (with("options", RawBson::Document(rawdoc! { "skipEmptyExchange": 1 })), "2 skipEmptyExchange must be boolean"),
        (with("options", RawBson::Document(rawdoc! { "unknown": 1 })), "ok"),
        (
            with("autoAuthorize", text("x")),
            "14 BSON field 'saslStart.autoAuthorize' is the wrong type 'string', expected types '[bool, long, int, decimal, double']",
        ),
        (with("autoAuthorize", RawBson::Double(1.5)), "ok"),
        (with("writeConcern", RawBson::Int32(1)), "72 Command does not support writeConcern"),
        (with("comment", RawBson::Int32(1)), "ok"),
    ];
    for (body, expected) in cases {
        assert_eq!(outcome(&Client::new(keyfile_policy()).send(&body)), expected, "{}", show(&body));
    }
    let reply = Client::new(keyfile_policy()).send_to(&good(), "$external");
    assert_eq!(outcome(&reply), "334 Unsupported mechanism 'SCRAM-SHA-256' on authentication database '$external'");
}

#[test]
fn only_some_mistakes_end_a_conversation() {
    let begun = |body: RawDocumentBuf| {
        let mut client = Client::new(keyfile_policy());
        assert_eq!(outcome(&client.send(&start("SCRAM-SHA-256", b"n,,n=root,r=abcd", true))), "ok");
        let database = if body.get("authenticate").unwrap().is_some() { "$external" } else { "admin" };
        client.send_to(&body, database);
        outcome(&client.send(&proceed(b"garbage".to_vec())))
    };
    let (goes_on, ended, expected) =
        ("18 Authentication failed.", "17 No SASL session state found", "17 saslContinue must follow saslStart");
    let x509 = || rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509 };
    let cases = [
        (rawdoc! { "saslContinue": 1, "conversationId": 2, "payload": "" }, ended),
        (rawdoc! { "saslContinue": 1, "conversationId": 1_i64, "payload": "" }, goes_on),
        (rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": 1 }, goes_on),
        (rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": "", "writeConcern": 1 }, goes_on),
        (rawdoc! { "saslStart": 1 }, goes_on),
        (rawdoc! { "saslStart": 1, "mechanism": "X", "payload": "" }, ended),
        (x509(), ended),
        (rawdoc! { "authenticate": 1, "mechanism": "X", "foo": 1 }, goes_on),
        (rawdoc! { "ping": 1 }, goes_on),
        (rawdoc! { "find": 1 }, goes_on),
        (rawdoc! { "logout": 1 }, goes_on),
        (rawdoc! { "hello": 1 }, goes_on),
        (rawdoc! { "hello": 1, "saslSupportedMechs": "admin.nobody" }, expected),
        (rawdoc! { "hello": 1, "speculativeAuthenticate": { "saslStart": 1 } }, goes_on),
        (rawdoc! { "hello": 1, "speculativeAuthenticate": x509() }, ended),
    ];
    for (body, outcome) in cases {
        assert_eq!(begun(body.clone()), outcome, "{}", show(&body));
    }
}

#[test]
fn a_hello_may_begin_the_conversation() {
    let mut client = Client::new(keyfile_policy());
    let password = prepare_password(SHA_256, "ann", "pw").unwrap();
    let (exchange, first) = scram::Client::start(SHA_256, "ann", &password, [9; 24]);
    let reply = client.send(&rawdoc! {
        "hello": 1, "saslSupportedMechs": "app.ann",
        "speculativeAuthenticate": {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(first), "db": "app", "options": { "skipEmptyExchange": true },
        },
    });
    let mechanisms: Vec<_> =
        reply.get_array("saslSupportedMechs").unwrap().into_iter().map(|name| name.unwrap().as_str().unwrap()).collect();
    assert_eq!(mechanisms, ["SCRAM-SHA-256", "SCRAM-SHA-1"]);
    let answer = reply.get_document("speculativeAuthenticate").unwrap();
    assert!(answer.get("ok").unwrap().is_none());
    let (_, last) = exchange.step(answer.get_binary("payload").unwrap().bytes).unwrap();
    assert_eq!(outcome(&client.send(&proceed(last))), "ok");
    assert_eq!(who(&client), "ann@app");
    assert!(matches!(client.events.last(), Some(Event::AuthenticationSucceeded { speculative: true, .. })));
}

#[test]
fn a_connection_is_authenticated_once() {
    let (root, ann) = (("root", "admin"), ("ann", "app"));
    let elsewhere = "5626701 Each client connection may only be authenticated once. Previously authenticated as: root@admin";
    let same = "5626702 Client has attempted to authenticate on multiple databases.Already authenticated as: root@admin";
    for (user, password, expected) in [
        (root, "pw", "ok"),
        (root, "no", "18 Authentication failed."),
        (ann, "pw", elsewhere),
        (ann, "no", "18 Authentication failed."),
        (("bob", "admin"), "pw", same),
    ] {
        let mut client = Client::new(keyfile_policy());
        client.knows(super::user("bob", "admin"));
        log_in(&mut client, SHA_256, "root", "admin", "pw");
        assert_eq!(outcome(&log_in(&mut client, SHA_256, user.0, user.1, password)), expected);
        assert_eq!(who(&client), "root@admin");
        assert!(client.may_forward());
    }
    let mut client = Client::new(keyfile_policy());
    log_in(&mut client, SHA_256, "root", "admin", "pw");
    let strict = rawdoc! { "apiVersion": "1", "apiStrict": true };
    let reply = log_in_with(&mut client, SHA_256, "root", "admin", "pw", &strict);
    assert_eq!(outcome(&reply), "5626703 Each client connection may only be authenticated once");
    assert_eq!(system(&mut client, KEY), elsewhere);
}

#[test]
fn a_logout_needs_a_user_and_its_database() {
    let mut client = Client::new(keyfile_policy());
    let refused = "13 command logout requires authentication";
    assert_eq!(outcome(&client.send(&rawdoc! { "logout": 1 })), refused);
    log_in(&mut client, SHA_256, "root", "admin", "pw");
    assert_eq!(outcome(&client.send_to(&rawdoc! { "logout": 1 }, "app")), "ok");
    assert!(client.may_forward());
    assert_eq!(outcome(&client.send(&rawdoc! { "logout": 1, "foo": 1 })), "40415 BSON field 'logout.foo' is an unknown field.");
    assert_eq!(outcome(&client.send(&rawdoc! { "logout": 1 })), "ok");
    assert!(!client.may_forward());
    assert_eq!(outcome(&client.send(&rawdoc! { "logout": 1 })), refused);
    assert_eq!(outcome(&log_in(&mut client, SHA_256, "ann", "app", "pw")), "ok");
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password_when_users_are_hidden() {
    let mut half = user("half", "admin");
    half.sha1 = None;
    for (name, mechanism) in [("root", SHA_256), ("nobody", SHA_256), ("nobody", SHA_1), ("half", SHA_1)] {
        let mut client = Client::new(hiding(keyfile_policy()));
        client.knows(half.clone());
        let first = format!("n,,n={name},r=abcd");
        let mut challenges = Vec::new();
        for _ in 0..2 {
            let reply = client.send(&start(mechanism.name(), first.as_bytes(), true));
            let payload = String::from_utf8(reply.get_binary("payload").unwrap().bytes.to_vec()).unwrap();
            challenges.push(payload.split_once(",s=").unwrap().1.to_owned());
        }
        assert_eq!(challenges[0], challenges[1], "the salt of {name} varies");
        assert_eq!(outcome(&log_in(&mut client, mechanism, name, "admin", "no")), "18 Authentication failed.");
        assert!(!client.may_forward());
    }
    let mut client = Client::new(hiding(keyfile_policy()));
    let mechanisms = |reply: RawDocumentBuf| reply.get_array("saslSupportedMechs").unwrap().into_iter().count();
    assert_eq!(mechanisms(client.send(&rawdoc! { "hello": 1, "saslSupportedMechs": "admin.nobody" })), 2);
    assert_eq!(mechanisms(client.send(&rawdoc! { "hello": 1, "saslSupportedMechs": "$external.CN=nobody" })), 0);
}

#[test]
fn in_transition_authentication_is_real_and_nothing_is_enforced() {
    let mut client = Client::new(Policy { transition_to_auth: true, ..keyfile_policy() });
    assert!(client.may_forward());
    assert_eq!(outcome(&log_in(&mut client, SHA_256, "root", "admin", "no")), "18 Authentication failed.");
    assert!(client.may_forward());
    assert_eq!(outcome(&client.send(&rawdoc! { "logout": 1 })), "ok");
    assert_eq!(outcome(&log_in(&mut client, SHA_256, "root", "admin", "pw")), "ok");
    assert_eq!(who(&client), "root@admin");
}

#[test]
fn connection_status_shows_the_user_as_the_store_has_it_now() {
    let ask = rawdoc! { "connectionStatus": 1, "showPrivileges": true };
    let empty = rawdoc! { "authenticatedUsers": [], "authenticatedUserRoles": [], "authenticatedUserPrivileges": [] };
    let mut client = Client::new(keyfile_policy());
    assert_eq!(client.send(&ask), rawdoc! { "authInfo": empty.clone(), "ok": 1.0 });

    log_in(&mut client, SHA_256, "root", "admin", "pw");
    let filled = rawdoc! {
        "authenticatedUsers": [{ "user": "root", "db": "admin" }],
        "authenticatedUserRoles": [{ "role": "root", "db": "admin" }],
        "authenticatedUserPrivileges": [{ "resource": { "cluster": true }, "actions": ["top"] }],
    };
    assert_eq!(client.send(&ask), rawdoc! { "authInfo": filled, "ok": 1.0 });

    client.users.retain(|(request, _)| request.name.name != "root");
    client.users.push((UserName::new("root", "admin").into(), UserLookup::NotFound));
    assert_eq!(client.send(&ask), rawdoc! { "authInfo": empty, "ok": 1.0 });
    assert!(!client.may_forward());

    let mut client = Client::new(keyfile_policy());
    assert_eq!(system(&mut client, KEY), "ok");
    let member = rawdoc! {
        "authenticatedUsers": [{ "user": "__system", "db": "local" }],
        "authenticatedUserRoles": [],
        "authenticatedUserPrivileges": [{ "resource": { "anyResource": true }, "actions": ["anyAction"] }],
    };
    assert_eq!(client.send(&ask), rawdoc! { "authInfo": member, "ok": 1.0 });
}
