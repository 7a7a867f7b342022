//! The two mechanisms and the hash functions behind them.
//!
//! Source: RFC 5802 section 2.2 (`H`, `HMAC`, `Hi`), RFC 7677.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// A SCRAM mechanism that MongoDB knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `SCRAM-SHA-1`, over an MD5 digest of user name and password.
    ScramSha1,
    /// `SCRAM-SHA-256`, over the password itself.
    ScramSha256,
}

impl Mechanism {
    /// Both, in the order in which `saslSupportedMechs` lists them.
    pub const ALL: [Self; 2] = [Self::ScramSha1, Self::ScramSha256];

    /// The name, as commands and stored credentials spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }

    /// The mechanism of exactly this name; MongoDB does not fold case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Bytes in a stored key, a server key, a proof and a signature.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::ScramSha1 => 20,
            Self::ScramSha256 => 32,
        }
    }

    /// Bytes in the salts that mongod makes.
    #[must_use]
    pub const fn salt_length(self) -> usize {
        match self {
            Self::ScramSha1 => 16,
            Self::ScramSha256 => 28,
        }
    }

    /// What mongod calls a value of [`key_length`](Self::key_length) bytes in its error texts.
    pub(super) const fn block_name(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SHA1Block",
            Self::ScramSha256 => "SHA256Block",
        }
    }

    /// RFC 5802's `HMAC(key, message)`, the message given in parts.
    pub(super) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::ScramSha1 => authenticate::<Hmac<Sha1>>(key, parts),
            Self::ScramSha256 => authenticate::<Hmac<Sha256>>(key, parts),
        }
    }

    /// RFC 5802's `H(bytes)`.
    pub(super) fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::ScramSha1 => Sha1::digest(bytes).to_vec(),
            Self::ScramSha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    /// RFC 5802's `Hi(password, salt, iteration_count)`: PBKDF2. A count of 0 counts as 1.
    ///
    /// This is the expensive step: about 0.15 microseconds an iteration.
    pub(super) fn salted_password(self, password: &[u8], salt: &[u8], iteration_count: u32) -> Secret {
        let mut output = vec![0; self.key_length()];
        let done = match self {
            Self::ScramSha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, iteration_count, &mut output),
            Self::ScramSha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, iteration_count, &mut output),
        };
        debug_assert!(done.is_ok(), "HMAC takes keys of every length");
        Secret::new(output)
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length, so that its constructor can not fail")]
fn authenticate<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// `left XOR right`, as long as the shorter one.
pub(super) fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_is_found_by_its_exact_name_only() {
        assert_eq!(Mechanism::from_name("SCRAM-SHA-1"), Some(Mechanism::ScramSha1));
        assert_eq!(Mechanism::from_name("SCRAM-SHA-256"), Some(Mechanism::ScramSha256));
        for other in ["scram-sha-256", "SCRAM-SHA-512", "SCRAM-SHA-256-PLUS", "", "SCRAM-SHA-1 "] {
            assert_eq!(Mechanism::from_name(other), None, "{other}");
        }
    }

    #[test]
    fn the_lengths_are_those_of_the_hash() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.hash(b"").len(), mechanism.key_length());
            assert_eq!(mechanism.hmac(b"key", &[b"message"]).len(), mechanism.key_length());
            assert_eq!(mechanism.salted_password(b"password", b"salt", 0).expose().len(), mechanism.key_length());
        }
    }

    #[test]
    fn the_parts_of_a_message_count_as_one() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.hmac(b"key", &[b"mes", b"", b"sage"]), mechanism.hmac(b"key", &[b"message"]));
        }
    }
}
