//! The gate: nobody forwards who has not proved who they are.

use proptest::prelude::*;

use super::*;

/// Commands of all kinds, with arguments that make some of them succeed, but never with a right proof or a certificate.
fn commands() -> Vec<(RawDocumentBuf, &'static str)> {
    let first =
        |user: &str| Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: format!("n,,n={user},r=abcd").into_bytes() };
    let payload = |text: &str| Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: text.as_bytes().to_vec() };
    let start = |user: &str| {
        rawdoc! {
            "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": first(user), "options": { "skipEmptyExchange": true },
        }
    };
    let speculative = rawdoc! { "saslStart": 1, "mechanism": "SCRAM-SHA-1", "payload": first("root"), "db": "admin" };
    let proof = "c=biws,r=abcdAgICAgICAgICAgICAgICAgICAgICAgIC,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    vec![
        (rawdoc! { "hello": 1 }, "admin"),
        (rawdoc! { "hello": 1, "saslSupportedMechs": "admin.root" }, "admin"),
        (rawdoc! { "hello": 1, "speculativeAuthenticate": speculative }, "admin"),
        (rawdoc! { "hello": 1, "internalClient": { "minWireVersion": 17, "maxWireVersion": 17 } }, "admin"),
        (rawdoc! { "isMaster": 1, "speculativeAuthenticate": { "authenticate": "1", "mechanism": MONGODB_X509 } }, "admin"),
        (start("root"), "admin"),
        (start("nobody"), "admin"),
        (start("__system"), "local"),
        (rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": payload(proof) }, "admin"),
        (rawdoc! { "saslContinue": 1, "conversationId": 1, "payload": payload("") }, "admin"),
        (rawdoc! { "saslContinue": 1, "conversationId": 2, "payload": payload("") }, "admin"),
        (rawdoc! { "authenticate": 1, "mechanism": MONGODB_X509, "user": "CN=alice" }, "$external"),
        (rawdoc! { "authenticate": 1, "mechanism": "SCRAM-SHA-256", "user": "root" }, "admin"),
        (rawdoc! { "logout": 1 }, "admin"),
        (rawdoc! { "connectionStatus": 1, "showPrivileges": true }, "admin"),
        (rawdoc! { "ping": 1 }, "admin"),
        (rawdoc! { "find": "x", "filter": {} }, "app"),
        (rawdoc! { "shutdown": 1 }, "admin"),
        (rawdoc! { "createUser": "eve", "pwd": "x", "roles": ["root"] }, "admin"),
        (rawdoc! { "listCommands": 1 }, "admin"),
        (rawdoc! { "nosuch": 1 }, "admin"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_sequence_of_commands_without_a_proof_is_ever_forwarded(
        choices in proptest::collection::vec(0..21_usize, 1..30),
        hides in any::<bool>(),
        query in any::<bool>(),
        exhaust in any::<bool>(),
    ) {
        let commands = commands();
        let policy = if hides { hiding(keyfile_policy()) } else { keyfile_policy() };
        let mut client = Client::new(policy);
        client.protocol = if query { Protocol::Query } else { Protocol::Message };
        for choice in choices {
            let (body, database) = &commands[choice];
            let effect = client.effect(body, database, exhaust);
            prop_assert!(!matches!(effect, Effect::Forward(_)), "{}", show(body));
            prop_assert!(!client.session.state().is_authenticated());
        }
        prop_assert!(!client.may_forward());
    }

    #[test]
    fn no_body_makes_the_session_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), name in 0..21_usize) {
        // The name and one field of any type with any content behind it.
        let (body, database) = &commands()[name];
        let mut raw = body.as_bytes()[..body.as_bytes().len() - 1].to_vec();
        raw.extend_from_slice(&bytes);
        raw.push(0);
        let length = i32::try_from(raw.len()).unwrap();
        raw[..4].copy_from_slice(&length.to_le_bytes());
        let broken = RawDocumentBuf::from_bytes(raw).unwrap();
        let mut client = Client::new(keyfile_policy());
        prop_assert!(!matches!(client.effect(&broken, database, false), Effect::Forward(_)));
    }
}

#[test]
fn every_command_but_those_about_the_connection_is_forwarded_once_nothing_is_enforced() {
    let local = [
        "hello",
        "isMaster",
        "saslStart",
        "saslContinue",
        "authenticate",
        "logout",
        "connectionStatus",
        "whatsmyuri",
        "getnonce",
    ];
    for policy in [open_policy(), Policy { transition_to_auth: true, ..keyfile_policy() }] {
        let session = Session::new();
        for element in list_commands().get_document("commands").unwrap().iter() {
            let name = element.unwrap().0.as_str();
            assert_eq!(session.permit(name, &policy).is_none(), local.contains(&name), "{name}");
        }
        assert!(session.permit("ismaster", &policy).is_none());
        assert!(session.permit("nosuch", &policy).is_some());
    }
}

#[test]
fn everything_is_answered_locally_for_a_client_that_is_not_authenticated() {
    let session = Session::new();
    for name in ["find", "ping", "hello", "nosuch", ""] {
        assert!(session.permit(name, &keyfile_policy()).is_none());
        assert!(session.permit(name, &keyfile_policy()).is_none());
    }
}

#[test]
fn only_the_session_issues_permits() {
    fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let wanted = concat!("Permit", "::issue(");
    let issuers: Vec<_> = found
        .iter()
        .filter(|path| std::fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(wanted)))
        .collect();
    assert_eq!(issuers, [&root.join("session").join("mod.rs")]);
}
