//! What a password becomes before it is salted.
//!
//! Only needed where doorward knows a password: when it logs in to a mongod, and in tests. A server checks proofs without it.
//! Source: fact sheet section 2.4, RFC 4013; what SASLprep refuses was compared with mongod 6.0.5.

use md5::{Digest, Md5};

use super::mechanism::Mechanism;
use crate::secret::Secret;

/// The password can not be used with SCRAM-SHA-256. Carries nothing of the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password contains characters that SASLprep (RFC 4013) does not allow")]
pub struct PreparePasswordError;

/// Prepares a password for [`super::Credential::derive`] and [`super::Client::start`].
///
/// SCRAM-SHA-1 takes the lower-case hexadecimal MD5 digest of `user:mongo:password`, SCRAM-SHA-256 the password after SASLprep.
/// User names are never prepared, only compared.
///
/// # Errors
/// [`PreparePasswordError`] for SCRAM-SHA-256 when SASLprep refuses the password: a control character, a code point that Unicode
/// 3.2 does not know, or mixed writing directions. mongod does not create such users either.
pub fn prepare_password(mechanism: Mechanism, user: &str, password: &str) -> Result<Secret, PreparePasswordError> {
    match mechanism {
        Mechanism::ScramSha1 => {
            let digest = Md5::new().chain_update(user).chain_update(":mongo:").chain_update(password).finalize();
            Ok(Secret::new(hexadecimal(&digest)))
        }
        Mechanism::ScramSha256 => {
            let prepared = stringprep::saslprep(password).map_err(|_| PreparePasswordError)?;
            Ok(Secret::new(prepared.into_owned().into_bytes()))
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(digit).collect()
}

const fn digit(nibble: u8) -> u8 {
    match nibble {
        0..10 => b'0'.wrapping_add(nibble),
        _ => b'a'.wrapping_sub(10).wrapping_add(nibble),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(password: &str) -> Result<String, PreparePasswordError> {
        prepare_password(Mechanism::ScramSha256, "user", password)
            .map(|secret| String::from_utf8(secret.expose().to_vec()).unwrap())
    }

    #[test]
    fn sha_1_digests_user_and_password_with_md5() {
        let secret = prepare_password(Mechanism::ScramSha1, "user", "pencil").unwrap();
        assert_eq!(secret.expose(), b"1c33006ec1ffd90f9cadcbcc0e118200");
    }

    #[test]
    fn sha_256_takes_the_password_as_mongod_stores_it() {
        // Each of these users was created on a mongod 6.0.5; its stored key belongs to the text on the right.
        for (password, stored) in [
            ("pencil", "pencil"),
            ("a b", "a b"),
            ("a\u{a0}b", "a b"),
            ("a\u{ad}b", "ab"),
            ("\u{2168}", "IX"),
            ("\u{2163}\u{aa}", "IVa"),
            ("a\u{200b}b", "a b"),
            ("\u{3000}", " "),
            ("e\u{301}", "\u{e9}"),
            ("\u{627}\u{628}", "\u{627}\u{628}"),
        ] {
            assert_eq!(prepared(password).as_deref(), Ok(stored), "{password:?}");
        }
    }

    #[test]
    fn sha_256_refuses_the_passwords_that_mongod_refuses() {
        for password in [
            "a\u{1}b",
            "a\u{7f}b",
            "a\0b",
            "\t",
            "\u{627}1",
            "x\u{627}",
            "\u{221}",
            "\u{378}",
            "\u{a64b}",
            "\u{1f600}",
            "\u{fffd}",
            "\u{fdd0}",
        ] {
            assert_eq!(prepared(password), Err(PreparePasswordError), "{password:?}");
        }
    }

    #[test]
    fn sha_1_refuses_no_password() {
        assert!(prepare_password(Mechanism::ScramSha1, "u\0", "a\u{1}\u{1f600}").is_ok());
    }
}
