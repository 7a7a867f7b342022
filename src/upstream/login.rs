//! doorward's own login at the upstream, as `proxy.upstream.authentication` says.
//!
//! Source: fact sheet sections 5.3 and 6.2 (what a mongod sends to a peer).

use std::sync::{Arc, Mutex, PoisonError};

use bson::raw::RawDocumentBuf;
use bson::spec::BinarySubtype;
use bson::{Binary, RawBsonRef, rawdoc};

use super::UpstreamError;
use super::connection::Connection;
use crate::error::{CommandError, ErrorCode};
use crate::keyfile::KeyFile;
use crate::names::SYSTEM_USER;
use crate::scram::{Client, ClientKeys, Mechanism};
use crate::secret::Secret;

/// How doorward proves itself to the upstream.
pub enum Login {
    /// Not at all: the upstream runs without access control.
    None,
    /// As `__system` with the keyfile: the first key, then the second.
    KeyFile {
        /// The keys.
        keys: Arc<KeyFile>,
        /// What was derived from each key at an earlier login: deriving costs milliseconds, and the upstream's salt stays the same.
        derived: DerivedKeys,
        /// Under `transitionToAuth` a refusal is tolerated.
        tolerant: bool,
    },
    /// As `__system` with doorward's certificate, which TLS has shown.
    X509 {
        /// Under `transitionToAuth` a refusal is tolerated.
        tolerant: bool,
    },
}

/// What a login that did not fail made of a connection.
#[derive(Debug)]
#[must_use = "a login that did not fail may have authenticated nobody"]
pub enum Standing {
    /// doorward is a member there.
    Member,
    /// Nobody is authenticated: there is nothing to log in with.
    NotSent,
    /// Nobody is authenticated: the other side refused this, and under `transitionToAuth` that is tolerated.
    Tolerated(UpstreamError),
}

impl Standing {
    fn of(outcome: Result<(), UpstreamError>, tolerant: bool) -> Result<Self, UpstreamError> {
        match outcome {
            Ok(()) => Ok(Self::Member),
            Err(refused @ UpstreamError::Refused { .. }) if tolerant => Ok(Self::Tolerated(refused)),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody is authenticated.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        matches!(self, Self::Member)
    }
}

/// The derived keys of each key of a keyfile.
#[derive(Default)]
pub struct DerivedKeys([Mutex<Option<Arc<ClientKeys>>>; 2]);

impl Login {
    /// Authenticates a fresh connection.
    ///
    /// # Errors
    /// The upstream refuses, and that is not tolerated; or the connection breaks.
    pub async fn perform(&self, connection: &mut Connection) -> Result<Standing, UpstreamError> {
        match self {
            Self::None => Ok(Standing::NotSent),
            Self::KeyFile { keys, derived, tolerant } => Standing::of(by_keyfile(connection, keys, derived).await, *tolerant),
            Self::X509 { tolerant } => Standing::of(by_certificate(connection).await, *tolerant),
        }
    }

    /// Whether there is something to log in with.
    #[must_use]
    pub const fn sends_something(&self) -> bool {
        !matches!(self, Self::None)
    }
}

async fn by_certificate(connection: &mut Connection) -> Result<(), UpstreamError> {
    let request = rawdoc! { "authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external" };
    connection.command("authenticate", &request).await.map(drop)
}

async fn by_keyfile(connection: &mut Connection, keys: &KeyFile, derived: &DerivedKeys) -> Result<(), UpstreamError> {
    let mut outcome = Err(refused("saslStart", "the keyfile holds no key"));
    for (key, derived) in keys.keys().zip(&derived.0) {
        outcome = scram(connection, key, derived).await;
        if !matches!(outcome, Err(UpstreamError::Refused { .. })) {
            break;
        }
    }
    outcome
}

async fn scram(connection: &mut Connection, key: &Secret, derived: &Mutex<Option<Arc<ClientKeys>>>) -> Result<(), UpstreamError> {
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).map_err(|error| UpstreamError::Io(std::io::Error::other(error)))?;
    let (client, first) = Client::start(Mechanism::ScramSha256, SYSTEM_USER, key, nonce);
    let start = rawdoc! {
        "saslStart": 1, "mechanism": Mechanism::ScramSha256.name(), "payload": binary(first),
        "options": { "skipEmptyExchange": true }, "$db": "local",
    };
    let reply = connection.command("saslStart", &start).await?;
    let known = derived.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (client, last, keys) =
        client.step_with(payload(&reply)?, known).map_err(|error| refused("saslStart", &error.to_string()))?;
    *derived.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    let proceed = rawdoc! { "saslContinue": 1, "conversationId": conversation(&reply), "payload": binary(last), "$db": "local" };
    let reply = connection.command("saslContinue", &proceed).await?;
    client.finish(payload(&reply)?).map_err(|error| refused("saslContinue", &error.to_string()))
}

const fn binary(bytes: Vec<u8>) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes }
}

fn payload(reply: &RawDocumentBuf) -> Result<&[u8], UpstreamError> {
    match reply.get("payload") {
        Ok(Some(RawBsonRef::Binary(binary))) => Ok(binary.bytes),
        _ => Err(UpstreamError::Protocol("a SASL reply without payload".into())),
    }
}

fn conversation(reply: &RawDocumentBuf) -> i32 {
    reply.get_i32("conversationId").unwrap_or(1)
}

fn refused(command: &'static str, text: &str) -> UpstreamError {
    UpstreamError::Refused { command, error: CommandError::new(ErrorCode::AuthenticationFailed, text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_login_that_succeeded_authenticates_and_only_a_refusal_is_tolerated() {
        let wrong_key = || Err(refused("saslStart", "wrong key"));
        let standing = |outcome, tolerant| Standing::of(outcome, tolerant).ok().map(|standing| standing.is_authenticated());
        for tolerant in [false, true] {
            assert_eq!(standing(Ok(()), tolerant), Some(true));
            assert_eq!(standing(Err(UpstreamError::Closed), tolerant), None);
        }
        assert_eq!(standing(wrong_key(), false), None);
        assert_eq!(standing(wrong_key(), true), Some(false));
        assert!(!Standing::NotSent.is_authenticated());
    }
}
