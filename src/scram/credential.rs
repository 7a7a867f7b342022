//! Stored credentials: what a server keeps instead of a password.
//!
//! A credential proves passwords but is not one. Its keys are never printed, cloned or compared with `==`.
//! Source: RFC 5802 section 3, fact sheet section 2.5.

use bson::raw::{RawBsonRef, RawDocument};

use super::base64;
use super::mechanism::{Mechanism, xor};
use crate::secret::Secret;

/// A user's credential for one mechanism.
pub struct Credential {
    mechanism: Mechanism,
    salt: Vec<u8>,
    iteration_count: u32,
    stored_key: Secret,
    server_key: Secret,
    /// Set for [`decoy`](super::decoy) credentials: no proof is right, whatever the keys say.
    never: bool,
}

/// Why a user document's credentials can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredCredentialError {
    /// A field is missing or of the wrong type.
    #[error("stored {0} credentials: field '{1}' is missing or of the wrong type")]
    Field(&'static str, &'static str),
    /// A field is not base64.
    #[error("stored {0} credentials: field '{1}' is not base64")]
    NotBase64(&'static str, &'static str),
    /// A key has the wrong length for its mechanism.
    #[error("stored {mechanism} credentials: field '{field}' has {length} bytes, expected {expected}")]
    KeyLength {
        /// The mechanism's name.
        mechanism: &'static str,
        /// `storedKey` or `serverKey`.
        field: &'static str,
        /// Bytes found.
        length: usize,
        /// Bytes that the mechanism needs.
        expected: usize,
    },
    /// `iterationCount` is not in 1..=2147483647.
    #[error("stored {0} credentials: iterationCount {1} is out of range")]
    IterationCount(&'static str, i64),
}

impl Credential {
    /// From a password prepared by [`prepare_password`](super::prepare_password).
    ///
    /// `iteration_count` is at least 1 (0 counts as 1); each iteration costs about 0.15 microseconds, so that this is work for a
    /// thread that may block.
    #[must_use]
    pub fn derive(mechanism: Mechanism, prepared_password: &[u8], salt: Vec<u8>, iteration_count: u32) -> Self {
        let salted_password = mechanism.salted_password(prepared_password, &salt, iteration_count);
        let client_key = client_key(mechanism, &salted_password);
        Self {
            mechanism,
            salt,
            iteration_count,
            stored_key: Secret::new(mechanism.hash(client_key.expose())),
            server_key: server_key(mechanism, &salted_password),
            never: false,
        }
    }

    /// From the sub-document `{iterationCount, salt, storedKey, serverKey}` of `credentials` in `usersInfo`.
    ///
    /// # Errors
    /// [`StoredCredentialError`] if a field is missing, of the wrong type, not base64 or of the wrong length.
    pub fn from_stored(mechanism: Mechanism, document: &RawDocument) -> Result<Self, StoredCredentialError> {
        let stored = Stored { mechanism, document };
        Ok(Self {
            mechanism,
            salt: stored.bytes("salt")?,
            iteration_count: stored.iteration_count()?,
            stored_key: stored.key("storedKey")?,
            server_key: stored.key("serverKey")?,
            never: false,
        })
    }

    /// A credential that no proof fits; `keys` yields bytes for the salt and for both keys.
    pub(super) fn never(
        mechanism: Mechanism,
        salt: Vec<u8>,
        iteration_count: u32,
        stored_key: Secret,
        server_key: Secret,
    ) -> Self {
        Self { mechanism, salt, iteration_count, stored_key, server_key, never: true }
    }

    /// The mechanism that it belongs to.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The salt, as bytes: 16 for SCRAM-SHA-1 and 28 for SCRAM-SHA-256 if mongod made it.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The PBKDF2 iterations that a client has to do.
    #[must_use]
    pub const fn iteration_count(&self) -> u32 {
        self.iteration_count
    }

    /// Whether `proof` was made by someone who knows the password, in constant time.
    pub(super) fn verifies(&self, auth_message: &[u8], proof: &[u8]) -> bool {
        let client_signature = Secret::new(self.mechanism.hmac(self.stored_key.expose(), &[auth_message]));
        let client_key = Secret::new(xor(proof, client_signature.expose()));
        let right = self.stored_key.matches(&self.mechanism.hash(client_key.expose()));
        // A shorter proof gives a shorter client key; it was refused before, and must not pass here either.
        right & (proof.len() == self.mechanism.key_length()) & !self.never
    }

    /// RFC 5802's `ServerSignature`, by which a client knows the server.
    pub(super) fn server_signature(&self, auth_message: &[u8]) -> Vec<u8> {
        self.mechanism.hmac(self.server_key.expose(), &[auth_message])
    }
}

/// RFC 5802's `ClientKey`.
pub(super) fn client_key(mechanism: Mechanism, salted_password: &Secret) -> Secret {
    Secret::new(mechanism.hmac(salted_password.expose(), &[b"Client Key"]))
}

/// RFC 5802's `ServerKey`.
pub(super) fn server_key(mechanism: Mechanism, salted_password: &Secret) -> Secret {
    Secret::new(mechanism.hmac(salted_password.expose(), &[b"Server Key"]))
}

/// A sub-document of `credentials`, read field by field.
struct Stored<'d> {
    mechanism: Mechanism,
    document: &'d RawDocument,
}

impl Stored<'_> {
    fn field(&self, field: &'static str) -> Result<RawBsonRef<'_>, StoredCredentialError> {
        self.document.get(field).ok().flatten().ok_or_else(|| StoredCredentialError::Field(self.mechanism.name(), field))
    }

    fn bytes(&self, field: &'static str) -> Result<Vec<u8>, StoredCredentialError> {
        let RawBsonRef::String(text) = self.field(field)? else {
            return Err(StoredCredentialError::Field(self.mechanism.name(), field));
        };
        base64::decode(text.as_bytes()).map_err(|_| StoredCredentialError::NotBase64(self.mechanism.name(), field))
    }

    fn key(&self, field: &'static str) -> Result<Secret, StoredCredentialError> {
        let key = Secret::new(self.bytes(field)?);
        let (length, expected) = (key.expose().len(), self.mechanism.key_length());
        if length != expected {
            return Err(StoredCredentialError::KeyLength { mechanism: self.mechanism.name(), field, length, expected });
        }
        Ok(key)
    }

    fn iteration_count(&self) -> Result<u32, StoredCredentialError> {
        let count = match self.field("iterationCount")? {
            RawBsonRef::Int32(count) => i64::from(count),
            RawBsonRef::Int64(count) => count,
            _ => return Err(StoredCredentialError::Field(self.mechanism.name(), "iterationCount")),
        };
        u32::try_from(count)
            .ok()
            .filter(|count| (1..=i32::MAX.unsigned_abs()).contains(count))
            .ok_or_else(|| StoredCredentialError::IterationCount(self.mechanism.name(), count))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    const KEY: &str = "7cmXKxA1WjNcDagTbo4HNLl01xIeTAfrV3now+BDr9I=";

    #[test]
    fn a_credential_is_read_from_a_user_document() {
        let document = rawdoc! { "iterationCount": 15000, "salt": "c2FsdA==", "storedKey": KEY, "serverKey": KEY };
        let credential = Credential::from_stored(Mechanism::ScramSha256, &document).unwrap();
        assert_eq!((credential.salt(), credential.iteration_count()), (b"salt".as_slice(), 15000));
        assert_eq!(credential.mechanism(), Mechanism::ScramSha256);
    }

    #[test]
    fn a_broken_user_document_is_named() {
        let name = "SCRAM-SHA-256";
        let cases = [
            (
                rawdoc! { "salt": "c2FsdA==", "storedKey": KEY, "serverKey": KEY },
                StoredCredentialError::Field(name, "iterationCount"),
            ),
            (
                rawdoc! { "iterationCount": "15000", "salt": "c2FsdA==", "storedKey": KEY, "serverKey": KEY },
                StoredCredentialError::Field(name, "iterationCount"),
            ),
            (
                rawdoc! { "iterationCount": 0, "salt": "c2FsdA==", "storedKey": KEY, "serverKey": KEY },
                StoredCredentialError::IterationCount(name, 0),
            ),
            (
                rawdoc! { "iterationCount": 1_i64 << 32, "salt": "c2FsdA==", "storedKey": KEY, "serverKey": KEY },
                StoredCredentialError::IterationCount(name, 1 << 32),
            ),
            (
                rawdoc! { "iterationCount": 1, "salt": 5, "storedKey": KEY, "serverKey": KEY },
                StoredCredentialError::Field(name, "salt"),
            ),
            (
                rawdoc! { "iterationCount": 1, "salt": "!", "storedKey": KEY, "serverKey": KEY },
                StoredCredentialError::NotBase64(name, "salt"),
            ),
            (
                rawdoc! { "iterationCount": 1, "salt": "c2FsdA==", "storedKey": "c2FsdA==", "serverKey": KEY },
                StoredCredentialError::KeyLength { mechanism: name, field: "storedKey", length: 4, expected: 32 },
            ),
            (
                rawdoc! { "iterationCount": 1, "salt": "c2FsdA==", "storedKey": KEY },
                StoredCredentialError::Field(name, "serverKey"),
            ),
        ];
        for (document, expected) in cases {
            assert_eq!(Credential::from_stored(Mechanism::ScramSha256, &document).err(), Some(expected), "{document:?}");
        }
    }
}
