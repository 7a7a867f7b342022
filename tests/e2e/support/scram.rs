//! The client's side of SCRAM, written apart from the product's own so that one checks the other.

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;

use super::connection::{Closed, Connection, is_ok};

/// SCRAM-SHA-1 or SCRAM-SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Sha1,
    Sha256,
}

impl Mechanism {
    /// The mechanism of this name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "SCRAM-SHA-1" => Self::Sha1,
            "SCRAM-SHA-256" => Self::Sha256,
            other => panic!("no mechanism {other}"),
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<sha1::Sha1>>(key, message),
            Self::Sha256 => mac::<Hmac<sha2::Sha256>>(key, message),
        }
    }

    fn hash(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1::Sha1::digest(message).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(message).to_vec(),
        }
    }

    fn salted_password(self, user: &str, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                let digest = md5::Md5::digest(format!("{user}:mongo:{password}"));
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                pbkdf2::pbkdf2_hmac_array::<sha1::Sha1, 20>(hex.as_bytes(), salt, iterations).to_vec()
            }
            Self::Sha256 => {
                let prepared = stringprep::saslprep(password).expect("a password");
                pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(prepared.as_bytes(), salt, iterations).to_vec()
            }
        }
    }
}

/// One exchange, step by step. The fields may be changed to make it a wrong one.
pub(crate) struct Exchange {
    pub(crate) mechanism: Mechanism,
    pub(crate) user: String,
    pub(crate) password: String,
    /// `n,,` unless a case wants another.
    pub(crate) gs2_header: String,
    pub(crate) client_nonce: String,
    server_signature: String,
}

impl Exchange {
    /// An exchange for this user.
    pub(crate) fn new(mechanism: Mechanism, user: &str, password: &str) -> Self {
        let mut random = [0; 18];
        getrandom::fill(&mut random).expect("random bytes");
        let (user, password, gs2_header) = (user.to_owned(), password.to_owned(), "n,,".to_owned());
        Self { mechanism, user, password, gs2_header, client_nonce: STANDARD.encode(random), server_signature: String::new() }
    }

    fn first_bare(&self) -> String {
        let name = self.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={name},r={}", self.client_nonce)
    }

    /// The payload of saslStart.
    pub(crate) fn first(&self) -> String {
        format!("{}{}", self.gs2_header, self.first_bare())
    }

    /// The payload of saslContinue for the server's answer.
    pub(crate) fn second(&mut self, server_first: &str) -> String {
        let nonce = field(server_first, "r=");
        let binding = STANDARD.encode(&self.gs2_header);
        self.second_saying(server_first, &format!("c={binding},r={nonce}"))
    }

    /// The payload of saslContinue with this text before the proof, and a proof for it.
    pub(crate) fn second_saying(&mut self, server_first: &str, without_proof: &str) -> String {
        let proof = self.proof(server_first, without_proof);
        format!("{without_proof},p={}", STANDARD.encode(proof))
    }

    /// The proof that signs `without_proof`.
    pub(crate) fn proof(&mut self, server_first: &str, without_proof: &str) -> Vec<u8> {
        let salt = STANDARD.decode(field(server_first, "s=")).expect("a salt");
        let iterations = field(server_first, "i=").parse().expect("a count");
        let salted = self.mechanism.salted_password(&self.user, &self.password, &salt, iterations);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let client_key = self.mechanism.hmac(&salted, b"Client Key");
        let signature = self.mechanism.hmac(&self.mechanism.hash(&client_key), auth_message.as_bytes());
        let server_key = self.mechanism.hmac(&salted, b"Server Key");
        self.server_signature = STANDARD.encode(self.mechanism.hmac(&server_key, auth_message.as_bytes()));
        client_key.iter().zip(signature).map(|(left, right)| left ^ right).collect()
    }

    /// Whether the server's last message proves that it knows the credential.
    pub(crate) fn is_proof_of_the_server(&self, server_final: &str) -> bool {
        server_final == format!("v={}", self.server_signature)
    }
}

/// A login by SCRAM.
pub(crate) struct Login<'a> {
    pub(crate) mechanism: Mechanism,
    pub(crate) user: &'a str,
    pub(crate) database: &'a str,
    pub(crate) password: &'a str,
    pub(crate) skip_empty_exchange: bool,
    /// Start inside `hello`.
    pub(crate) speculative: bool,
}

impl Login<'_> {
    /// Runs the login and returns every reply; the last one tells whether it succeeded.
    pub(crate) fn run(&self, connection: &mut Connection) -> Result<Vec<Document>, Closed> {
        let mut exchange = Exchange::new(self.mechanism, self.user, self.password);
        let mut replies = vec![self.start(connection, &exchange)?];
        let Some(server_first) = started(&replies[0]) else { return Ok(replies) };
        let second = exchange.second(&server_first);
        replies.push(self.go_on(connection, second.as_bytes())?);
        if !is_ok(&replies[1]) {
            return Ok(replies);
        }
        let server_final = payload(&replies[1]);
        assert!(exchange.is_proof_of_the_server(&server_final), "the server's signature {server_final}");
        if replies[1].get_bool("done").is_ok_and(|done| !done) {
            replies.push(self.go_on(connection, b"")?);
        }
        Ok(replies)
    }

    fn start(&self, connection: &mut Connection, exchange: &Exchange) -> Result<Document, Closed> {
        let mut start = doc! {"saslStart": 1, "mechanism": self.mechanism.name(), "payload": binary(exchange.first().as_bytes())};
        if self.skip_empty_exchange {
            start.insert("options", doc! {"skipEmptyExchange": true});
        }
        if self.speculative {
            start.insert("db", self.database);
            return connection.run(&doc! {"hello": 1, "speculativeAuthenticate": start, "$db": "admin"});
        }
        start.insert("$db", self.database);
        connection.run(&start)
    }

    fn go_on(&self, connection: &mut Connection, payload: &[u8]) -> Result<Document, Closed> {
        connection.run(&doc! {"saslContinue": 1, "conversationId": 1, "payload": binary(payload), "$db": self.database})
    }
}

/// Logs in by SCRAM-SHA-256; the login must succeed.
pub(crate) fn must_log_in(connection: &mut Connection, user: &str, database: &str, password: &str) {
    let login = Login { mechanism: Mechanism::Sha256, user, database, password, skip_empty_exchange: true, speculative: false };
    let replies = login.run(connection).expect("an open connection");
    assert!(replies.last().is_some_and(is_ok), "{user} can not log in: {replies:?}");
}

/// The server's first message in a reply of saslStart or a speculative hello.
fn started(reply: &Document) -> Option<String> {
    if reply.contains_key("saslStart") || reply.contains_key("payload") {
        return Some(payload(reply));
    }
    reply.get_document("speculativeAuthenticate").ok().map(payload)
}

/// The payload of a reply as text.
pub(crate) fn payload(reply: &Document) -> String {
    reply.get_binary_generic("payload").map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// A payload of saslStart or saslContinue.
pub(crate) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

fn field<'a>(message: &'a str, name: &str) -> &'a str {
    message.split(',').find_map(|part| part.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {message}"))
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any key length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
