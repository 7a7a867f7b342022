//! Both halves together: the RFCs' examples, what drivers and members really sent, and properties of every exchange.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::keyfile::KeyFile;
use crate::secret::Secret;

pub(super) fn rows(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An example of an RFC: user `user`, password `pencil`, 4096 iterations.
struct Example {
    mechanism: Mechanism,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    proof: &'static str,
    signature: &'static str,
}

/// RFC 5802 section 5 and RFC 7677 section 3.
const EXAMPLES: [Example; 2] = [
    Example {
        mechanism: Mechanism::ScramSha1,
        client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        signature: "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    },
    Example {
        mechanism: Mechanism::ScramSha256,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    },
];

#[test]
fn the_examples_of_the_rfcs_come_out_byte_by_byte() {
    for example in EXAMPLES {
        let Example { mechanism, client_nonce, server_nonce, salt, proof, signature } = example;
        let password = Secret::new(b"pencil".to_vec());
        let credential = Credential::derive(mechanism, password.expose(), base64::decode(salt.as_bytes()).unwrap(), 4096);

        let (client, first) = Client::start_with(mechanism, "user", &password, client_nonce.to_owned());
        assert_eq!(first, format!("n,,n=user,r={client_nonce}").into_bytes());
        let (server, challenge) =
            ClientFirst::parse(&first).unwrap().challenge_with(vec![Arc::new(credential)], server_nonce.as_bytes());
        assert_eq!(challenge, format!("r={client_nonce}{server_nonce},s={salt},i=4096").into_bytes());
        let (client, last) = client.step(&challenge).unwrap();
        assert_eq!(last, format!("c=biws,r={client_nonce}{server_nonce},p={proof}").into_bytes());
        let (_, answer) = server.step(&last).unwrap();
        assert_eq!(answer, format!("v={signature}").into_bytes());
        assert_eq!(client.finish(&answer), Ok(()));
    }
}

// --- What drivers and members really sent, recorded with a real mongod. -------------------------------------------------------

/// A request's SASL step, and mongod's answer to it.
struct Step {
    connection: i64,
    /// Which member of a replica set is the server.
    member: usize,
    mechanism: Option<Mechanism>,
    payload: Vec<u8>,
    /// `Err` holds the code.
    answer: Result<Vec<u8>, i64>,
}

/// The bytes of a document's `payload`.
fn payload(document: &Value) -> Option<Vec<u8>> {
    base64::decode(document.get("payload")?["$binary"]["base64"].as_str()?.as_bytes()).ok()
}

/// The documents of a recorded message, compressed or not.
fn documents(message: &Value) -> Vec<&Value> {
    let message = message.get("inner").unwrap_or(message);
    let sections = message["sections"].as_array().into_iter().flatten().filter_map(|section| section.get("doc"));
    sections.chain(message["docs"].as_array().into_iter().flatten()).collect()
}

/// A number, plain or in extended JSON.
fn number(value: &Value) -> Option<i64> {
    let text = value.as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
    value.as_i64().or_else(|| text?.parse().ok())
}

fn steps(rows: &[Value]) -> Vec<Step> {
    let ports = &rows[0]["relayPorts"];
    let mut members = HashMap::new();
    let mut pending = HashMap::new();
    let mut steps = Vec::new();
    for row in rows {
        let connection = row["conn"].as_i64().unwrap_or(0);
        if let Some(port) = row["to"].as_str() {
            members.insert(connection, usize::from(ports[port] == "member 1"));
        }
        for document in documents(row) {
            if row["dir"] == "c2s" {
                let sasl = document.get("speculativeAuthenticate").unwrap_or(document);
                if sasl.get("saslStart").is_some() || sasl.get("saslContinue").is_some() {
                    let mechanism = sasl["mechanism"].as_str().and_then(Mechanism::from_name);
                    let is_start = sasl.get("saslStart").is_some();
                    if !is_start || mechanism.is_some() {
                        pending.insert((connection, row["requestId"].as_i64()), (mechanism, payload(sasl).unwrap()));
                    }
                }
            } else if let Some((mechanism, sent)) = pending.remove(&(connection, row["responseTo"].as_i64())) {
                let sasl = document.get("speculativeAuthenticate").unwrap_or(document);
                let answer = payload(sasl).ok_or_else(|| document.get("code").and_then(number).unwrap_or(0));
                steps.push(Step { connection, member: members[&connection], mechanism, payload: sent, answer });
            }
        }
    }
    steps
}

/// What the server of a recording knows, and the password that the client used.
enum Knowledge {
    User(String, Value),
    /// The keyfiles of both members.
    Keys([String; 2]),
    Nothing,
}

impl Knowledge {
    fn of(header: &Value) -> Self {
        let text = |name| header.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(zero), Some(one)) = (text("keyFileMember0"), text("keyFileMember1")) {
            return Self::Keys([zero, one]);
        }
        if let Some(keys) = text("keyfile") {
            return Self::Keys([keys.clone(), keys]);
        }
        match header["userDocument"].get("credentials") {
            Some(credentials) => Self::User(header["password"].as_str().unwrap().to_owned(), credentials.clone()),
            None => Self::Nothing,
        }
    }

    fn credentials(&self, member: usize, mechanism: Mechanism, challenge: &str) -> Vec<Arc<Credential>> {
        match self {
            Self::User(_, credentials) => {
                let stored = &credentials[mechanism.name()];
                let document = bson::rawdoc! {
                    "iterationCount": i32::try_from(number(&stored["iterationCount"]).unwrap()).unwrap(),
                    "salt": stored["salt"].as_str().unwrap(),
                    "storedKey": stored["storedKey"].as_str().unwrap(),
                    "serverKey": stored["serverKey"].as_str().unwrap(),
                };
                vec![Arc::new(Credential::from_stored(mechanism, &document).unwrap())]
            }
            Self::Keys(texts) => {
                let part = |name| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
                let salt = base64::decode(part("s=").as_bytes()).unwrap().try_into().unwrap();
                KeyFile::parse(texts[member].as_bytes(), "keyfile").unwrap().credentials(salt, part("i=").parse().unwrap())
            }
            Self::Nothing => Vec::new(),
        }
    }

    /// The prepared passwords that the client may have used.
    fn passwords(&self, mechanism: Mechanism, user: &str) -> Vec<Secret> {
        match self {
            Self::User(password, _) => vec![prepare_password(mechanism, user, password).unwrap()],
            Self::Keys(texts) => {
                let keys = |text: &String| KeyFile::parse(text.as_bytes(), "keyfile").unwrap();
                let copy = |key: &Secret| Secret::new(key.expose().to_vec());
                texts.iter().map(keys).flat_map(|keys| keys.keys().map(copy).collect::<Vec<_>>()).collect()
            }
            Self::Nothing => Vec::new(),
        }
    }
}

/// Replays one recording through the server's states and compares every answer; also lets our client give the same proofs.
/// Returns how many exchanges succeeded and how many failed.
fn replay(name: &str) -> (usize, usize) {
    let rows = rows(&format!("transcripts/{name}"));
    // This recording does not say its keyfile; it is the one of the other recordings.
    let header = if name == "mongod-sendkeyfile.jsonl" {
        self::rows("transcripts/mongod-keyfile.jsonl")[0].clone()
    } else {
        rows[0].clone()
    };
    let knowledge = Knowledge::of(&header);
    let mut exchanges: HashMap<i64, (AwaitClientFinal, Mechanism, Vec<u8>, Vec<u8>)> = HashMap::new();
    let (mut succeeded, mut failed) = (0, 0);
    for step in steps(&rows) {
        if let Some(mechanism) = step.mechanism {
            let first = ClientFirst::parse(&step.payload).unwrap();
            let Ok(challenge) = step.answer else {
                // Refused before the proof: no such user, or no credential of this kind for `__system`.
                exchanges.remove(&step.connection);
                failed += 1;
                continue;
            };
            let text = String::from_utf8(challenge.clone()).unwrap();
            let nonce = text.strip_prefix("r=").and_then(|rest| rest.split(',').next()).unwrap();
            let server_nonce = base64::decode(&nonce.as_bytes()[nonce.len() - 32..]).unwrap().try_into().unwrap();
            let (state, ours) = first.challenge(knowledge.credentials(step.member, mechanism, &text), server_nonce);
            assert_eq!(ours, challenge, "{name}");
            exchanges.insert(step.connection, (state, mechanism, step.payload, challenge));
        } else if let Some((state, mechanism, first, challenge)) = exchanges.remove(&step.connection) {
            let user = String::from_utf8(state.user().to_vec()).unwrap();
            let ours = state.step(&step.payload).map(|(_, payload)| payload);
            match step.answer {
                Ok(answer) => {
                    assert_eq!(ours, Ok(answer.clone()), "{name}");
                    assert_a_client_of_ours_does_the_same(
                        &knowledge,
                        mechanism,
                        &user,
                        [&first, &challenge, &step.payload, &answer],
                    );
                    succeeded += 1;
                }
                Err(code) => {
                    let error = ours.unwrap_err();
                    assert_eq!((i64::from(error.to_command_error().code().code()), error), (code, ScramError::StoredKeyMismatch));
                    failed += 1;
                }
            }
        }
        // Else it is the empty last step of a client without skipEmptyExchange.
    }
    (succeeded, failed)
}

fn assert_a_client_of_ours_does_the_same(knowledge: &Knowledge, mechanism: Mechanism, user: &str, recorded: [&[u8]; 4]) {
    let [first, challenge, last, answer] = recorded;
    let nonce = String::from_utf8(first.to_vec()).unwrap().split_once(",r=").unwrap().1.to_owned();
    let found = knowledge.passwords(mechanism, user).iter().any(|password| {
        let (client, ours) = Client::start_with(mechanism, user, password, nonce.clone());
        assert_eq!(ours, first);
        let (client, ours) = client.step(challenge).unwrap();
        ours == last && client.finish(answer).is_ok()
    });
    assert!(found, "no password gives the proof of {user}");
}

/// Members that log in to each other by keyfile.
const KEYFILE_RECORDINGS: [&str; 5] = [
    "mongod-keyfile.jsonl",
    "mongod-keyfile-rotation.jsonl",
    "mongod-keyfile-vs-noauth.jsonl",
    "mongod-sendkeyfile.jsonl",
    "mongod-transitiontoauth.jsonl",
];

#[test]
fn every_recorded_exchange_is_answered_byte_by_byte_as_by_mongod() {
    let folder = format!("{}/tests/data/transcripts", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.contains("-scram-") || KEYFILE_RECORDINGS.contains(&name.as_str()));
    names.sort();
    let (mut succeeded, mut failed) = (0, 0);
    for name in &names {
        let counts = replay(name);
        // An old Ruby driver does not know SCRAM-SHA-256 and sends something else instead.
        assert!(counts != (0, 0) || name == "ruby-scram-sha-256.jsonl", "nothing was replayed from {name}");
        let is_refusal = ["wrong-password", "no-such-user"].iter().any(|word| name.contains(word));
        assert!(is_refusal == (counts.0 == 0) || name == "ruby-scram-sha-256.jsonl", "{name}: {counts:?}");
        succeeded += counts.0;
        failed += counts.1;
    }
    assert_eq!((names.len(), succeeded, failed), (46, 72, 61));
}

// --- Properties. --------------------------------------------------------------------------------------------------------------

/// Logs a client in to a server, both ours.
fn log_in(mechanism: Mechanism, user: &str, client: &Secret, server: &Secret, salt: Vec<u8>) -> Result<Proof, ScramError> {
    let credential = Credential::derive(mechanism, server.expose(), salt, 4096);
    let (client, first) = Client::start(mechanism, user, client, [1; 24]);
    let first = ClientFirst::parse(&first).unwrap();
    assert_eq!(first.user_name(), Some(user));
    let (server, challenge) = first.challenge(vec![Arc::new(credential)], [2; 24]);
    let (client, last) = client.step(&challenge).unwrap();
    let (proof, answer) = server.step(&last)?;
    assert_eq!(client.finish(&answer), Ok(()));
    Ok(proof)
}

fn mechanisms() -> impl Strategy<Value = Mechanism> {
    proptest::sample::select(&Mechanism::ALL[..])
}

proptest! {
    #[test]
    fn no_message_makes_the_server_panic(
        first in proptest::collection::vec(any::<u8>(), 0..80),
        last in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let _ = ClientFirst::parse(&first);
        let (state, _) = ClientFirst::parse(b"n,,n=user,r=abcd").unwrap().challenge(Vec::new(), [0; 24]);
        prop_assert!(state.step(&last).is_err());
    }

    #[test]
    fn no_nearly_right_message_makes_the_server_panic(first in "[ny]?,?(a=)?,?n?=?[a,=23CD\u{0}]{0,8},?r=[a,=\u{0}]{0,8}", last in "(c=)?[a,=]{0,6},?(r=)?[abcd,]{0,6}(,p=)?[A=]{0,8}") {
        if let Ok(message) = ClientFirst::parse(first.as_bytes()) {
            prop_assert!(!message.user().is_empty());
        }
        let (state, _) = ClientFirst::parse(b"n,,n=user,r=abcd").unwrap().challenge(Vec::new(), [0; 24]);
        prop_assert!(state.step(last.as_bytes()).is_err());
    }

    #[test]
    fn no_message_makes_the_client_panic(
        challenge in "(r=)?(AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB)?[a,]{0,3}(,s=)?[A=!]{0,6}(,i=)?[0-9+]{0,3}",
        answer in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let password = Secret::new(b"password".to_vec());
        let (state, _) = Client::start(Mechanism::ScramSha1, "user", &password, [1; 24]);
        prop_assert!(state.step(challenge.as_bytes()).is_err());
        let (state, first) = Client::start(Mechanism::ScramSha1, "user", &password, [1; 24]);
        let nonce = first.strip_prefix(b"n,,n=user,").unwrap();
        let (state, _) = state.step(&[nonce, b"x,s=c2FsdA==,i=4096"].concat()).unwrap();
        prop_assert!(state.finish(&answer).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_right_password_always_passes(
        mechanism in mechanisms(),
        user in "[a-z,=23CD\u{e9}\u{1f600}]{1,12}",
        password in "[ -~]{0,20}",
        salt in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let prepared = || prepare_password(mechanism, &user, &password).unwrap();
        let proof = log_in(mechanism, &user, &prepared(), &prepared(), salt).unwrap();
        prop_assert_eq!((proof.user(), proof.mechanism(), proof.credential()), (user.as_bytes(), mechanism, 0));
    }

    #[test]
    fn a_password_with_one_wrong_bit_never_passes(
        mechanism in mechanisms(),
        password in proptest::collection::vec(any::<u8>(), 1..20),
        position in any::<proptest::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut wrong = password.clone();
        wrong[position.index(password.len())] ^= 1 << bit;
        let (right, wrong) = (Secret::new(password), Secret::new(wrong));
        prop_assert_eq!(log_in(mechanism, "user", &wrong, &right, vec![7; 16]), Err(ScramError::StoredKeyMismatch));
    }

    #[test]
    fn a_second_message_with_one_wrong_bit_never_passes(
        mechanism in mechanisms(),
        position in any::<proptest::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let password = Secret::new(b"password".to_vec());
        let credential = Arc::new(Credential::derive(mechanism, password.expose(), vec![7; 16], 4096));
        let (client, first) = Client::start(mechanism, "user", &password, [1; 24]);
        let (server, challenge) = ClientFirst::parse(&first).unwrap().challenge(vec![credential], [2; 24]);
        let (_, mut last) = client.step(&challenge).unwrap();
        // The last character before the padding has bits that nobody reads.
        let position = position.index(last.len() - 2);
        last[position] ^= 1 << bit;
        prop_assert!(server.step(&last).is_err());
    }
}
