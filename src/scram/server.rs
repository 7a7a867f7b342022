//! The server's half of an exchange, as types: [`ClientFirst`] -> [`AwaitClientFinal`] -> [`Proof`].
//!
//! What comes in was sent by someone who has not logged in. What mongod accepts beyond the RFCs is accepted here: empty parts,
//! unsigned-for channel binding data, nonces of any bytes. Never compares keys in a time that depends on them.
//!
//! Source: fact sheet sections 2.3 and 2.4, and further messages tried on mongod 6.0.5: parts are split as C strings are, so that
//! a NUL byte ends what is looked at, while the proof still signs all of it.

use std::sync::Arc;

use super::base64::{self, DecodeError};
use super::credential::Credential;
use super::error::{Quote, ScramError};
use super::mechanism::Mechanism;

/// Bytes of a nonce below which mongod refuses a client.
const SHORTEST_NONCE: usize = 4;

/// A client's first message: who wants to log in.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFirst {
    user: Vec<u8>,
    nonce: Vec<u8>,
    /// The message without its first two parts, byte by byte: it is signed later.
    bare: Vec<u8>,
}

impl ClientFirst {
    /// Reads `n|y,[a=identity],n=user,r=nonce[,extensions]`.
    ///
    /// # Errors
    /// [`ScramError`] with mongod's reason for whichever part mongod complains about first.
    pub fn parse(payload: &[u8]) -> Result<Self, ScramError> {
        let (flag, rest) = split_at_comma(payload).ok_or(ScramError::FirstMessageParts(1))?;
        if flag.starts_with(b"p=") {
            return Err(ScramError::ChannelBinding);
        }
        if !matches!(flag, b"n" | b"y") {
            return Err(ScramError::Prefix(Quote::new(flag)));
        }
        let (identity, bare) = split_at_comma(rest).ok_or(ScramError::FirstMessageParts(2))?;
        let identity = match identity.strip_prefix(b"a=") {
            Some(identity) => identity,
            None if identity.is_empty() => identity,
            None => return Err(ScramError::AuthorizationIdentity(Quote::new(identity))),
        };
        if bare.starts_with(b"m=") {
            return Err(ScramError::MandatoryExtension);
        }

        // The two parts before are not among these; mongod adds them to its count.
        let (name, nonce) = match FirstParts::of(bare) {
            FirstParts::None => return Err(ScramError::FirstMessageParts(2)),
            FirstParts::One => return Err(ScramError::FirstMessageParts(3)),
            FirstParts::Two(name, nonce) => (name, nonce),
        };
        let user = value(name, b"n=", 1).ok_or_else(|| ScramError::User(Quote::new(name)))?;
        let user = decode_user(user);
        if !identity.is_empty() && identity != user {
            return Err(ScramError::OtherAuthorizationIdentity { user: Quote::new(&user), identity: Quote::new(identity) });
        }
        let nonce = value(nonce, b"r=", SHORTEST_NONCE).ok_or_else(|| ScramError::ClientNonce(Quote::new(nonce)))?;
        Ok(Self { user, nonce: nonce.to_vec(), bare: bare.to_vec() })
    }

    /// The user's name, decoded. It is the user whose stored name has exactly these bytes: nothing is folded or normalized.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// The user's name as text; `None` if it is not UTF-8, and then no user has it.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        std::str::from_utf8(&self.user).ok()
    }

    /// Answers with salt and iteration count, as the payload of the reply.
    ///
    /// `credentials` is one, or two for `__system` with a keyfile of two keys: they share mechanism, salt and iteration count, and
    /// the proof is tried against each. The first one's are sent. Without any credential the exchange goes on and then fails.
    /// `server_nonce` is random and used once.
    pub fn challenge(self, credentials: Vec<Arc<Credential>>, server_nonce: [u8; 24]) -> (AwaitClientFinal, Vec<u8>) {
        self.challenge_with(credentials, base64::encode(&server_nonce).as_bytes())
    }

    /// [`challenge`](Self::challenge) with the server's nonce as text.
    pub(super) fn challenge_with(self, credentials: Vec<Arc<Credential>>, server_nonce: &[u8]) -> (AwaitClientFinal, Vec<u8>) {
        let mut nonce = self.nonce;
        nonce.extend_from_slice(server_nonce);
        let (salt, iteration_count) =
            credentials.first().map_or((&[][..], 1), |credential| (credential.salt(), credential.iteration_count()));

        let mut payload = Vec::new();
        payload.extend_from_slice(b"r=");
        payload.extend_from_slice(&nonce);
        payload.extend_from_slice(format!(",s={},i={iteration_count}", base64::encode(salt)).as_bytes());

        let mut auth_message = self.bare;
        auth_message.push(b',');
        auth_message.extend_from_slice(&payload);
        auth_message.push(b',');
        (AwaitClientFinal { user: self.user, credentials, nonce, auth_message }, payload)
    }
}

/// The challenge is sent, the proof is awaited.
#[must_use = "the exchange is not finished"]
pub struct AwaitClientFinal {
    user: Vec<u8>,
    credentials: Vec<Arc<Credential>>,
    /// The client's and the server's nonce.
    nonce: Vec<u8>,
    /// What both sides sign, as far as it is known.
    auth_message: Vec<u8>,
}

impl AwaitClientFinal {
    /// The name of the user who is logging in, as in [`ClientFirst::user`].
    #[must_use]
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// Reads `c=binding,r=nonce[,extensions],p=proof` and checks the proof. Returns the server's signature as a payload too.
    ///
    /// Takes `self`: a proof is tried once, and a failed exchange is gone.
    ///
    /// # Errors
    /// [`ScramError`] with mongod's reason; a wrong password is [`ScramError::StoredKeyMismatch`].
    pub fn step(mut self, payload: &[u8]) -> Result<(Proof, Vec<u8>), ScramError> {
        let (signed, proof) = split_at_last_comma(payload).ok_or(ScramError::SecondMessageParts(1))?;
        let proof = value(proof, b"p=", 1).ok_or_else(|| ScramError::ClientProof(Quote::new(proof)))?;
        let (binding, nonce) = match FirstParts::of(signed) {
            FirstParts::None => return Err(ScramError::SecondMessageParts(1)),
            FirstParts::One => return Err(ScramError::SecondMessageParts(2)),
            FirstParts::Two(binding, nonce) => (binding, nonce),
        };
        // mongod does not look at what the client binds to; the proof signs it.
        if value(binding, b"c=", 1).is_none() {
            return Err(ScramError::ChannelBindingData(Quote::new(binding)));
        }
        let nonce = value(nonce, b"r=", SHORTEST_NONCE).ok_or_else(|| ScramError::Nonce(Quote::new(nonce)))?;
        if nonce != self.nonce {
            return Err(ScramError::UnmatchedNonce { expected: Quote::new(&self.nonce), received: Quote::new(nonce) });
        }
        self.auth_message.extend_from_slice(signed);
        self.verify(proof)
    }

    fn verify(self, proof: &[u8]) -> Result<(Proof, Vec<u8>), ScramError> {
        let proof = base64::decode(proof).map_err(|error| match error {
            DecodeError::Character => ScramError::ProofCharacter,
            DecodeError::Length => ScramError::ProofTextLength,
        })?;
        let first = self.credentials.first().ok_or(ScramError::StoredKeyMismatch)?;
        let mechanism = first.mechanism();
        if proof.len() != mechanism.key_length() {
            return Err(ScramError::ProofLength { mechanism, length: proof.len() });
        }
        // Every credential is tried, also after a match, so that the time does not tell which key it was.
        let mut matched = None;
        for (index, credential) in self.credentials.iter().enumerate() {
            let right = credential.mechanism() == mechanism && credential.verifies(&self.auth_message, &proof);
            if right && matched.is_none() {
                matched = Some((index, credential));
            }
        }
        let (credential, matching) = matched.ok_or(ScramError::StoredKeyMismatch)?;
        let signature = matching.server_signature(&self.auth_message);
        let payload = format!("v={}", base64::encode(&signature)).into_bytes();
        Ok((Proof { user: self.user, mechanism, credential }, payload))
    }
}

/// Evidence that someone proved to know a user's password. Only this module makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a proof lets a user in"]
pub struct Proof {
    user: Vec<u8>,
    mechanism: Mechanism,
    credential: usize,
}

impl Proof {
    /// The name of the user whose password it was, as in [`ClientFirst::user`].
    #[must_use]
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// The mechanism by which it was proved.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Which of the credentials given to [`ClientFirst::challenge`] it was, from 0.
    #[must_use]
    pub const fn credential(&self) -> usize {
        self.credential
    }
}

/// The parts of a message that are looked at. Empty parts do not count, except in the first place.
enum FirstParts<'m> {
    None,
    One,
    Two(&'m [u8], &'m [u8]),
}

impl<'m> FirstParts<'m> {
    fn of(message: &'m [u8]) -> Self {
        let visible = message.split(|&byte| byte == 0).next().unwrap_or_default();
        if visible.is_empty() {
            return Self::None;
        }
        let mut parts = visible.split(|&byte| byte == b',');
        let first = parts.next().unwrap_or_default();
        parts.find(|part| !part.is_empty()).map_or(Self::One, |second| Self::Two(first, second))
    }
}

/// What follows `name`, if it has at least `shortest` bytes.
fn value<'p>(part: &'p [u8], name: &[u8], shortest: usize) -> Option<&'p [u8]> {
    part.strip_prefix(name).filter(|value| value.len() >= shortest)
}

fn split_at_comma(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = text.iter().position(|&byte| byte == b',')?;
    let (before, after) = text.split_at_checked(comma)?;
    Some((before, after.strip_prefix(b",")?))
}

fn split_at_last_comma(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = text.iter().rposition(|&byte| byte == b',')?;
    let (before, after) = text.split_at_checked(comma)?;
    Some((before, after.strip_prefix(b",")?))
}

/// `=2C` is a comma and `=3D` an equals sign; any other `=xx` stands for itself.
fn decode_user(mut encoded: &[u8]) -> Vec<u8> {
    let mut user = Vec::with_capacity(encoded.len());
    while let Some((&first, rest)) = encoded.split_first() {
        let (byte, remaining) = match rest {
            [b'2', b'C', rest @ ..] if first == b'=' => (b',', rest),
            [b'3', b'D', rest @ ..] if first == b'=' => (b'=', rest),
            _ => (first, rest),
        };
        user.push(byte);
        encoded = remaining;
    }
    user
}

#[cfg(test)]
mod tests;
