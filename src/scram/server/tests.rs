//! The server's half against the answers of mongod 6.0.5, message by message.

use std::str::from_utf8;

use serde_json::Value;

use super::*;
use crate::scram::credential::client_key;
use crate::scram::tests::rows;

const SALT: &[u8] = b"twenty-eight bytes of salt..";
const ITERATIONS: u32 = 4096;

/// A user and a client that knows the password, so that a test can sign any message.
struct Exchange {
    mechanism: Mechanism,
    credential: Arc<Credential>,
    password: Vec<u8>,
    first: Vec<u8>,
    server_nonce: Vec<u8>,
}

impl Exchange {
    fn new(mechanism: Mechanism, first: &[u8], server_nonce: &[u8]) -> Self {
        let password = b"password".to_vec();
        let credential = Arc::new(Credential::derive(mechanism, &password, SALT.to_vec(), ITERATIONS));
        Self { mechanism, credential, password, first: first.to_vec(), server_nonce: server_nonce.to_vec() }
    }

    fn start(&self) -> (AwaitClientFinal, Vec<u8>) {
        ClientFirst::parse(&self.first).unwrap().challenge_with(vec![Arc::clone(&self.credential)], &self.server_nonce)
    }

    /// The full nonce.
    fn nonce(&self) -> String {
        let (state, _) = self.start();
        String::from_utf8(state.nonce).unwrap()
    }

    /// A right proof over `signed`, in base64.
    fn proof(&self, signed: &[u8]) -> String {
        let (state, _) = self.start();
        let auth_message = [&state.auth_message, signed].concat();
        let salted = self.mechanism.salted_password(&self.password, SALT, ITERATIONS);
        let client_key = client_key(self.mechanism, &salted);
        let stored_key = self.mechanism.hash(client_key.expose());
        let signature = self.mechanism.hmac(&stored_key, &[&auth_message]);
        base64::encode(&super::super::mechanism::xor(client_key.expose(), &signature))
    }

    fn step(&self, payload: &[u8]) -> Result<(Proof, Vec<u8>), ScramError> {
        self.start().0.step(payload)
    }

    /// Sends `signed` with a right proof.
    fn step_signed(&self, signed: &str) -> Result<(Proof, Vec<u8>), ScramError> {
        self.step(format!("{signed},p={}", self.proof(signed.as_bytes())).as_bytes())
    }
}

fn assert_answered_as_by_mongod(error: &ScramError, row: &Value) {
    let (answer, reply, text) = (error.to_command_error(), &row["reply"], &row["text"]);
    assert_eq!(Some(i64::from(answer.code().code())), reply["code"].as_i64(), "{text}");
    assert_eq!(answer.code().name(), reply["codeName"].as_str().unwrap(), "{text}");
    assert_eq!(answer.errmsg(), reply["errmsg"].as_str().unwrap(), "{text}");
    if let Some(reason) = row["server_log_error"].as_str() {
        assert_eq!(error.to_string(), reason, "{text}");
    }
}

#[test]
fn every_first_message_of_the_corpus_is_answered_as_by_mongod() {
    let users = ["root", "we,ird=u", "\u{fc}n\u{ef}"];
    let (rows, credential) = (rows("scram-cases.jsonl"), Credential::derive(Mechanism::ScramSha256, b"x", SALT.to_vec(), 1));
    assert_eq!(rows.len(), 62);
    let credential = Arc::new(credential);
    for row in rows.iter().filter(|row| row["step"] == "first") {
        let payload = base64::decode(row["payload_b64"].as_str().unwrap().as_bytes()).unwrap();
        let parsed = ClientFirst::parse(&payload).and_then(|first| match first.user_name() {
            Some(name) if users.contains(&name) => Ok(first),
            _ => Err(ScramError::user_not_found(first.user(), "admin")),
        });
        match parsed {
            Ok(first) => {
                let (_, challenge) = first.challenge(vec![Arc::clone(&credential)], [0; 24]);
                let start = row["reply"]["payload_starts"].as_str().unwrap_or_else(|| panic!("{} was refused", row["text"]));
                assert!(String::from_utf8_lossy(&challenge).starts_with(start), "{}", row["text"]);
            }
            Err(error) => assert_answered_as_by_mongod(&error, row),
        }
    }
}

#[test]
fn every_second_message_of_the_corpus_is_answered_as_by_mongod() {
    for row in rows("scram-cases.jsonl").iter().filter(|row| row["step"] == "second") {
        let (name, text) = (row["name"].as_str().unwrap(), row["text"].as_str().unwrap());
        // The nonce that mongod expected is in its complaint, or it was sent back as it was.
        let reason = row["server_log_error"].as_str().unwrap_or_default();
        let expected = reason.split_once("expected ").and_then(|(_, rest)| rest.split_once(" but")).map(|(nonce, _)| nonce);
        let sent = text.split(',').find_map(|part| part.strip_prefix("r="));
        let nonce = expected.or(sent).unwrap_or("abcdefgh12345678901234567890123456789012");
        let (client_nonce, server_nonce) = nonce.split_at(nonce.len() - 32);
        let gs2_header = match name {
            "valid gs2 y" => "y,,",
            "valid authzid" => "n,a=root,",
            _ => "n,,",
        };
        let first = format!("{gs2_header}n=root,r={client_nonce}");
        let exchange = Exchange::new(Mechanism::ScramSha256, first.as_bytes(), server_nonce.as_bytes());
        if row["reply"]["ok"] == 1 {
            let (signed, _) = text.rsplit_once(',').unwrap();
            let (_, payload) = exchange.step_signed(signed).unwrap();
            assert!(payload.starts_with(b"v="), "{name}");
        } else {
            assert_answered_as_by_mongod(&exchange.step(text.as_bytes()).unwrap_err(), row);
        }
    }
}

#[test]
fn a_first_message_is_read_as_mongod_reads_it() {
    // Tried on mongod 6.0.5 beyond the corpus.
    let accepted: [(&[u8], &[u8], &[u8]); 7] = [
        (b"n,,n=root,r=abcd\0efgh", b"root", b"abcd"),
        (b"n,,n=root,r=abcdefgh\0,x", b"root", b"abcdefgh"),
        (b"n,,n=root,r=abcdefgh,", b"root", b"abcdefgh"),
        (b"n,,n==2,r=abcdefgh", b"=2", b"abcdefgh"),
        (b"n,,n==2C=3D2C,r=abcdefgh", b",=2C", b"abcdefgh"),
        (b"n,,n==3D2C,r=abcdefgh", b"=2C", b"abcdefgh"),
        (b"n,,n=\xff\xfe,r=abcdefgh", b"\xff\xfe", b"abcdefgh"),
    ];
    for (payload, user, nonce) in accepted {
        let first = ClientFirst::parse(payload).unwrap();
        assert_eq!((first.user(), first.nonce.as_slice()), (user, nonce), "{}", payload.escape_ascii());
        assert_eq!(first.user_name(), from_utf8(user).ok());
    }
    let parts = "BadValue: Incorrect number of arguments for first SCRAM client message, got";
    let refused: [(&[u8], &str); 12] = [
        (b"n,,n=ro\0ot,r=abcdefgh", &format!("{parts} 3 expected at least 3")),
        (b"n,,,", &format!("{parts} 3 expected at least 3")),
        (b"n,,n=root,,", &format!("{parts} 3 expected at least 3")),
        (b"n,,n", &format!("{parts} 3 expected at least 3")),
        (b"y", &format!("{parts} 1 expected at least 3")),
        (b"p=x", &format!("{parts} 1 expected at least 3")),
        (b"n,,,,n=root,r=abcdefgh", "BadValue: Invalid SCRAM user name: "),
        (b"n,,n=,r=abcd", "BadValue: Invalid SCRAM user name: n="),
        (b"n,,m=", "BadValue: SCRAM mandatory extensions are not supported"),
        (b"n,b=root,m=x", "BadValue: Incorrect SCRAM authzid: b=root"),
        (b"n,a=we=2Cird=3Du,n=we=2Cird=3Du,r=abcdefgh", "BadValue: SCRAM user name we,ird=u does not match authzid we=2Cird=3Du"),
        (b"n,a=,n=,r=abcdefgh", "BadValue: Invalid SCRAM user name: n="),
    ];
    for (payload, reason) in refused {
        assert_eq!(ClientFirst::parse(payload).unwrap_err().to_string(), reason, "{}", payload.escape_ascii());
    }
}

#[test]
fn a_signed_second_message_is_read_as_mongod_reads_it() {
    // Tried on mongod 6.0.5 beyond the corpus; each one carries the right proof over what stands before it.
    for mechanism in Mechanism::ALL {
        let exchange = Exchange::new(mechanism, b"n,,n=root,r=abcdefgh", b"server");
        let nonce = exchange.nonce();
        for signed in [
            format!("c=biws,r={nonce}"),
            format!("c=biws,r={nonce},x=1"),
            format!("c=biws,,r={nonce}"),
            format!("c=biws,r={nonce},"),
            format!("c=!,r={nonce}"),
            format!("c=biws,r={nonce}\0zz"),
        ] {
            let (proof, payload) = exchange.step_signed(&signed).unwrap();
            assert_eq!((proof.user(), proof.mechanism(), proof.credential()), (b"root".as_slice(), mechanism, 0));
            assert_eq!(base64::decode(payload.strip_prefix(b"v=").unwrap()).unwrap().len(), mechanism.key_length());
        }
        let parts = "BadValue: Incorrect number of arguments for second SCRAM client message, got";
        for (signed, reason) in [
            (format!(",c=biws,r={nonce}"), "BadValue: Incorrect SCRAM channel binding: ".to_owned()),
            ("c=biws,r=abc".to_owned(), "BadValue: Incorrect SCRAM client|server nonce: r=abc".to_owned()),
            (format!("c=biws,x={nonce}"), format!("BadValue: Incorrect SCRAM client|server nonce: x={nonce}")),
            ("c=biws".to_owned(), format!("{parts} 2 expected at least 3")),
            (format!("c=bi\0ws,r={nonce}"), format!("{parts} 2 expected at least 3")),
            (",".to_owned(), format!("{parts} 2 expected at least 3")),
        ] {
            assert_eq!(exchange.step_signed(&signed).unwrap_err().to_string(), reason, "{signed}");
        }
    }
}

#[test]
fn a_proof_that_can_not_be_decoded_has_an_error_of_its_own() {
    let exchange = Exchange::new(Mechanism::ScramSha1, b"n,,n=root,r=abcdefgh", b"server");
    for (proof, answer) in [
        ("YR==", "InvalidLength: Unsupported SHA1Block hash length: 1"),
        ("!!!!!", "Location10270: invalid base64"),
        ("AA=A", "Location40537: Invalid base64 character"),
    ] {
        let error = exchange.step(format!("c=biws,r={},p={proof}", exchange.nonce()).as_bytes()).unwrap_err();
        assert_eq!(error.to_command_error().to_string(), answer);
        assert_eq!(error.to_string(), answer);
    }
}

#[test]
fn unused_bits_at_the_end_of_a_proof_do_not_count() {
    let exchange = Exchange::new(Mechanism::ScramSha256, b"n,,n=root,r=abcdefgh", b"server");
    let signed = format!("c=biws,r={}", exchange.nonce());
    let mut proof = exchange.proof(signed.as_bytes()).into_bytes();
    let last = proof.len() - 2;
    // 32 bytes leave two unused bits in the last character; of a canonical text they are 0.
    proof[last] = match proof[last] {
        digit @ b'0'..=b'8' => digit + 1,
        letter => letter + 1,
    };
    let payload = [signed.as_bytes(), b",p=", &proof].concat();
    assert!(exchange.step(&payload).is_ok());
}

#[test]
fn one_wrong_bit_in_the_proof_fails() {
    for mechanism in Mechanism::ALL {
        let exchange = Exchange::new(mechanism, b"n,,n=root,r=abcdefgh", b"server");
        let signed = format!("c=biws,r={}", exchange.nonce());
        let right = base64::decode(exchange.proof(signed.as_bytes()).as_bytes()).unwrap();
        for bit in 0..right.len() * 8 {
            let mut proof = right.clone();
            proof[bit / 8] ^= 1 << (bit % 8);
            let payload = format!("{signed},p={}", base64::encode(&proof));
            assert_eq!(exchange.step(payload.as_bytes()), Err(ScramError::StoredKeyMismatch), "bit {bit}");
        }
    }
}

#[test]
fn the_proof_is_tried_against_each_credential_and_says_which_it_was() {
    let exchange = Exchange::new(Mechanism::ScramSha256, b"n,,n=__system,r=abcdefgh", b"server");
    let signed = format!("c=biws,r={}", exchange.nonce());
    let payload = format!("{signed},p={}", exchange.proof(signed.as_bytes()));
    let right = Arc::clone(&exchange.credential);
    let wrong = Arc::new(Credential::derive(Mechanism::ScramSha256, b"other", SALT.to_vec(), ITERATIONS));
    for (credentials, expected) in [
        (vec![&right], Some(0)),
        (vec![&right, &wrong], Some(0)),
        (vec![&wrong, &right], Some(1)),
        (vec![&right, &right], Some(0)),
        (vec![&wrong, &wrong], None),
    ] {
        let credentials = credentials.into_iter().cloned().collect();
        let (state, _) = ClientFirst::parse(&exchange.first).unwrap().challenge_with(credentials, &exchange.server_nonce);
        let outcome = state.step(payload.as_bytes());
        assert_eq!(outcome.ok().map(|(proof, _)| proof.credential()), expected);
    }
}

#[test]
fn nobody_gets_in_without_a_credential() {
    let (state, payload) = ClientFirst::parse(b"n,,n=root,r=abcdefgh").unwrap().challenge(Vec::new(), [0; 24]);
    assert_eq!(payload, b"r=abcdefghAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,s=,i=1");
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let last = format!("c=biws,r=abcdefghAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,p={zero}");
    assert_eq!(state.step(last.as_bytes()), Err(ScramError::StoredKeyMismatch));
}

#[test]
fn a_credential_of_the_other_mechanism_never_fits() {
    let exchange = Exchange::new(Mechanism::ScramSha256, b"n,,n=root,r=abcdefgh", b"server");
    let signed = format!("c=biws,r={}", exchange.nonce());
    let other = Arc::new(Credential::derive(Mechanism::ScramSha1, b"other", SALT.to_vec(), ITERATIONS));
    let credentials = vec![other, Arc::clone(&exchange.credential)];
    let (state, _) = ClientFirst::parse(&exchange.first).unwrap().challenge_with(credentials, &exchange.server_nonce);
    let error = state.step(format!("{signed},p={}", exchange.proof(signed.as_bytes())).as_bytes()).unwrap_err();
    assert_eq!(error, ScramError::ProofLength { mechanism: Mechanism::ScramSha1, length: 32 });
}

#[test]
fn the_reasons_for_callers_that_look_up_users_are_mongods() {
    for (error, reason) in [
        (ScramError::user_not_found(b"nosuch", "admin"), "UserNotFound: Could not find user \"nosuch\" for db \"admin\""),
        (
            ScramError::NoCredential(Mechanism::ScramSha256),
            "MechanismUnavailable: Unable to use SCRAM-SHA-256 based authentication for user without any SCRAM-SHA-256 credentials \
             registered",
        ),
        (
            ScramError::NoSystemCredential,
            "AuthenticationFailed: It is not possible to authenticate as the __system user on servers started without a --keyFile \
             parameter",
        ),
        (ScramError::DisallowedForCluster, "BadValue: SCRAM-SHA-256 is disallowed for cluster authentication"),
    ] {
        assert_eq!(error.to_string(), reason);
        assert_eq!(error.to_command_error(), crate::error::CommandError::authentication_failed());
    }
}

#[test]
fn a_reason_does_not_quote_more_than_a_kilobyte() {
    let payload = [vec![b'x'; 100_000], b",".to_vec()].concat();
    assert!(ClientFirst::parse(&payload).unwrap_err().to_string().len() < 1100);
}
