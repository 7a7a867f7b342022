//! The client's half of an exchange: doorward logging in to a mongod. [`AwaitServerFirst`] -> [`AwaitServerFinal`] -> done.
//!
//! Never believes a server: the nonce, the iteration count and the server's signature are checked, so that a server that does not
//! know the password learns nothing to use and is not taken for the right one.
//!
//! Source: RFC 5802 sections 3 and 5, fact sheet section 2.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::base64;
use super::credential::{client_key, server_key};
use super::mechanism::{Mechanism, xor};
use crate::secret::Secret;

/// Fewer iterations would help whoever listens to guess the password (RFC 7677 section 4); more would keep a thread busy for
/// seconds at the wish of a server that has not proved itself.
const ITERATION_COUNTS: RangeInclusive<u32> = 4096..=10_000_000;

/// Why logging in failed on this side. The server's own refusals are command errors and do not come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The message is not what RFC 5802 says.
    #[error("the server's SCRAM message is malformed")]
    Malformed,
    /// The server's nonce does not begin with ours, or adds nothing to it.
    #[error("the server's SCRAM nonce does not continue ours")]
    Nonce,
    /// The iteration count is not in 4096..=10000000.
    #[error("the server's SCRAM iteration count {0} is out of range")]
    IterationCount(u32),
    /// The server does not know the password.
    #[error("the server's SCRAM signature is wrong: it does not know the password")]
    ServerSignature,
    /// The server reported an error in its last message.
    #[error("the server refused the SCRAM proof")]
    Refused,
}

/// Where an exchange begins.
pub struct Client;

impl Client {
    /// Starts an exchange, and gives the first payload.
    ///
    /// `prepared_password` comes from [`prepare_password`](super::prepare_password) for the same mechanism and user; a keyfile's
    /// key is one as it is. `nonce` is random and used once.
    pub fn start<'p>(
        mechanism: Mechanism,
        user: &str,
        prepared_password: &'p Secret,
        nonce: [u8; 24],
    ) -> (AwaitServerFirst<'p>, Vec<u8>) {
        Self::start_with(mechanism, user, prepared_password, base64::encode(&nonce))
    }

    /// [`start`](Self::start) with the nonce as text.
    pub(super) fn start_with<'p>(
        mechanism: Mechanism,
        user: &str,
        prepared_password: &'p Secret,
        nonce: String,
    ) -> (AwaitServerFirst<'p>, Vec<u8>) {
        let bare = format!("n={},r={nonce}", user.replace('=', "=3D").replace(',', "=2C"));
        let payload = format!("{GS2_HEADER}{bare}").into_bytes();
        (AwaitServerFirst { mechanism, prepared_password, nonce, bare }, payload)
    }
}

/// No channel binding, no other identity; base64 in [`AwaitServerFirst::respond`].
const GS2_HEADER: &str = "n,,";

/// The keys that a password gives with one salt. They cost as much as the server's iteration count says and are the same as long
/// as the server's salt is, so keep them: see [`AwaitServerFirst::step_with`].
pub struct ClientKeys {
    mechanism: Mechanism,
    salt: Vec<u8>,
    iteration_count: u32,
    client_key: Secret,
    stored_key: Secret,
    server_key: Secret,
}

impl ClientKeys {
    fn derive(mechanism: Mechanism, prepared_password: &Secret, challenge: &Challenge<'_>) -> Self {
        let Challenge { ref salt, iteration_count, .. } = *challenge;
        let salted_password = mechanism.salted_password(prepared_password.expose(), salt, iteration_count);
        let client_key = client_key(mechanism, &salted_password);
        Self {
            mechanism,
            salt: salt.clone(),
            iteration_count,
            stored_key: Secret::new(mechanism.hash(client_key.expose())),
            client_key,
            server_key: server_key(mechanism, &salted_password),
        }
    }

    fn fits(&self, mechanism: Mechanism, challenge: &Challenge<'_>) -> bool {
        self.mechanism == mechanism && self.salt == challenge.salt && self.iteration_count == challenge.iteration_count
    }
}

/// The first message is sent, salt and iteration count are awaited.
#[must_use = "the exchange is not finished"]
pub struct AwaitServerFirst<'p> {
    mechanism: Mechanism,
    prepared_password: &'p Secret,
    nonce: String,
    bare: String,
}

impl AwaitServerFirst<'_> {
    /// Answers the server's challenge with the proof.
    ///
    /// # Errors
    /// [`ClientError`] if the challenge is malformed, does not continue our nonce or asks for too few or too many iterations.
    pub fn step(self, server_first: &[u8]) -> Result<(AwaitServerFinal, Vec<u8>), ClientError> {
        self.step_with(server_first, None).map(|(state, payload, _)| (state, payload))
    }

    /// Like [`step`](Self::step), but takes the keys of an earlier exchange of the **same user and password** and spares the
    /// derivation if the salt is still the same. Gives the keys back for the next exchange.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_with(
        self,
        server_first: &[u8],
        keys: Option<Arc<ClientKeys>>,
    ) -> Result<(AwaitServerFinal, Vec<u8>, Arc<ClientKeys>), ClientError> {
        let challenge = Challenge::parse(server_first, &self.nonce)?;
        let keys = keys
            .filter(|keys| keys.fits(self.mechanism, &challenge))
            .unwrap_or_else(|| Arc::new(ClientKeys::derive(self.mechanism, self.prepared_password, &challenge)));
        let without_proof = format!("c={},r={}", base64::encode(GS2_HEADER.as_bytes()), challenge.nonce);
        let auth_message = [self.bare.as_bytes(), b",", server_first, b",", without_proof.as_bytes()];
        let client_signature = Secret::new(self.mechanism.hmac(keys.stored_key.expose(), &auth_message));
        let proof = xor(keys.client_key.expose(), client_signature.expose());
        let server_signature = Secret::new(self.mechanism.hmac(keys.server_key.expose(), &auth_message));
        let payload = format!("{without_proof},p={}", base64::encode(&proof)).into_bytes();
        Ok((AwaitServerFinal { server_signature }, payload, keys))
    }
}

/// The proof is sent, the server's signature is awaited.
#[must_use = "the server is not known yet"]
pub struct AwaitServerFinal {
    server_signature: Secret,
}

impl AwaitServerFinal {
    /// Checks that the server knows the password too.
    ///
    /// # Errors
    /// [`ClientError::ServerSignature`] if it does not: whoever answered is not the server that we know.
    pub fn finish(self, server_final: &[u8]) -> Result<(), ClientError> {
        let text = std::str::from_utf8(server_final).map_err(|_| ClientError::Malformed)?;
        if text.starts_with("e=") {
            return Err(ClientError::Refused);
        }
        let verifier = text.split(',').next().and_then(|part| part.strip_prefix("v=")).ok_or(ClientError::Malformed)?;
        let verifier = base64::decode(verifier.as_bytes()).map_err(|_| ClientError::Malformed)?;
        if self.server_signature.matches(&verifier) { Ok(()) } else { Err(ClientError::ServerSignature) }
    }
}

/// A server's first message.
struct Challenge<'m> {
    nonce: &'m str,
    salt: Vec<u8>,
    iteration_count: u32,
}

impl<'m> Challenge<'m> {
    /// Reads `r=nonce,s=salt,i=count[,extensions]`.
    fn parse(message: &'m [u8], client_nonce: &str) -> Result<Self, ClientError> {
        let message = std::str::from_utf8(message).map_err(|_| ClientError::Malformed)?;
        let mut parts = message.split(',');
        let mut part = |name| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(ClientError::Malformed);
        let (nonce, salt, count) = (part("r=")?, part("s=")?, part("i=")?);
        if nonce.strip_prefix(client_nonce).is_none_or(str::is_empty) {
            return Err(ClientError::Nonce);
        }
        let salt = base64::decode(salt.as_bytes()).map_err(|_| ClientError::Malformed)?;
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ClientError::Malformed);
        }
        let iteration_count = count.parse().map_err(|_| ClientError::Malformed)?;
        if !ITERATION_COUNTS.contains(&iteration_count) {
            return Err(ClientError::IterationCount(iteration_count));
        }
        Ok(Self { nonce, salt, iteration_count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 24] = [1; 24];

    fn started(password: &Secret) -> (AwaitServerFirst<'_>, String) {
        let (state, first) = Client::start(Mechanism::ScramSha256, "user", password, NONCE);
        let first = String::from_utf8(first).unwrap();
        let nonce = first.strip_prefix("n,,n=user,r=").unwrap().to_owned();
        (state, nonce)
    }

    #[test]
    fn commas_and_equals_signs_of_a_user_name_are_encoded() {
        let password = Secret::new(b"pencil".to_vec());
        let (_, first) = Client::start(Mechanism::ScramSha1, "we,ird=u=2C", &password, NONCE);
        assert!(first.starts_with(b"n,,n=we=2Cird=3Du=3D2C,r="));
    }

    #[test]
    fn a_challenge_that_can_not_be_trusted_is_refused() {
        let password = Secret::new(b"pencil".to_vec());
        let refused = |challenge: &dyn Fn(&str) -> String| {
            let (state, nonce) = started(&password);
            state.step(challenge(&nonce).as_bytes()).err()
        };
        assert_eq!(refused(&|nonce| format!("r={nonce}x,s=c2FsdA==,i=4096")), None);
        assert_eq!(refused(&|nonce| format!("r={nonce}x,s=c2FsdA==,i=4096,x=1")), None);
        assert_eq!(refused(&|nonce| format!("r={nonce},s=c2FsdA==,i=4096")), Some(ClientError::Nonce));
        assert_eq!(refused(&|_| "r=another,s=c2FsdA==,i=4096".to_owned()), Some(ClientError::Nonce));
        assert_eq!(refused(&|nonce| format!("r={nonce}x,s=c2FsdA==,i=4095")), Some(ClientError::IterationCount(4095)));
        assert_eq!(refused(&|nonce| format!("r={nonce}x,s=c2FsdA==,i=10000001")), Some(ClientError::IterationCount(10_000_001)));
        for malformed in
            ["s=!,i=4096", "s=c2FsdA==,i=+4096", "s=c2FsdA==,i=", "s=c2FsdA==", "i=4096,s=c2FsdA==", "s=c2FsdA==,i=4294967296"]
        {
            assert_eq!(refused(&|nonce| format!("r={nonce}x,{malformed}")), Some(ClientError::Malformed), "{malformed}");
        }
        assert_eq!(refused(&|nonce| format!("m=1,r={nonce}x,s=c2FsdA==,i=4096")), Some(ClientError::Malformed));
    }

    #[test]
    fn a_server_without_the_password_is_not_believed() {
        let password = Secret::new(b"pencil".to_vec());
        for (answer, expected) in [
            ("v=AAAA", ClientError::ServerSignature),
            ("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ClientError::ServerSignature),
            ("v=", ClientError::ServerSignature),
            ("v=!", ClientError::Malformed),
            ("", ClientError::Malformed),
            ("e=invalid-proof", ClientError::Refused),
        ] {
            let (state, nonce) = started(&password);
            let (state, _) = state.step(format!("r={nonce}x,s=c2FsdA==,i=4096").as_bytes()).unwrap();
            assert_eq!(state.finish(answer.as_bytes()), Err(expected), "{answer}");
        }
    }

    #[test]
    fn keys_are_used_again_only_for_the_same_salt_and_count() {
        let password = Secret::new(b"pencil".to_vec());
        let step = |challenge: &str, keys| {
            let (state, nonce) = started(&password);
            state.step_with(format!("r={nonce}x,{challenge}").as_bytes(), keys).unwrap()
        };
        let (_, payload, keys) = step("s=c2FsdA==,i=4096", None);
        let (_, again, same) = step("s=c2FsdA==,i=4096", Some(Arc::clone(&keys)));
        assert!(Arc::ptr_eq(&keys, &same));
        assert_eq!(payload, again);
        for other in ["s=c2FsdB==,i=4097", "s=cGVwcGVy,i=4096"] {
            let (_, _, renewed) = step(other, Some(Arc::clone(&keys)));
            assert!(!Arc::ptr_eq(&keys, &renewed), "{other}");
        }
    }
}
