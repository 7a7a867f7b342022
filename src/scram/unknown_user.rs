//! A credential for a user that does not exist, so that a client can not tell.
//!
//! mongod shows it: an unknown user fails at `saslStart`, a wrong password at `saslContinue`. With `proxy.hideUnknownUsers` both
//! fail at the same step, after the same work. The salt has to be the same at every try, as a real user's is, so it is computed
//! from the name and a secret of this process.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::credential::Credential;
use super::mechanism::Mechanism;
use crate::names::UserName;
use crate::secret::Secret;

/// A credential for `user` that no proof fits: same salt at every call, same cost as a real one.
///
/// `secret` is drawn once in a process; who does not know it can not tell the salt from a random one. `iteration_count` should be
/// what real users of the mechanism have.
#[must_use]
pub fn decoy(secret: &Secret, mechanism: Mechanism, user: &UserName, iteration_count: u32) -> Credential {
    let bytes = |purpose, length| {
        let mut bytes = derived(secret, purpose, mechanism, user);
        bytes.truncate(length);
        bytes
    };
    Credential::never(
        mechanism,
        bytes("salt", mechanism.salt_length()),
        iteration_count,
        Secret::new(bytes("storedKey", mechanism.key_length())),
        Secret::new(bytes("serverKey", mechanism.key_length())),
    )
}

/// 32 bytes, as many as the longest salt and key need. Each part carries its length, so that no two users share a message.
#[expect(clippy::expect_used, reason = "HMAC takes keys of every length, so that its constructor can not fail")]
fn derived(secret: &Secret, purpose: &str, mechanism: Mechanism, user: &UserName) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes keys of every length");
    for part in [purpose, mechanism.name(), &user.database, &user.name] {
        mac.update(&part.len().to_le_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scram::{Client, ClientFirst};

    fn salt(secret: &[u8], mechanism: Mechanism, user: &str, database: &str) -> Vec<u8> {
        decoy(&Secret::new(secret.to_vec()), mechanism, &UserName::new(user, database), 1).salt().to_vec()
    }

    #[test]
    fn an_unknown_user_has_the_same_salt_at_every_try() {
        for mechanism in Mechanism::ALL {
            let first = salt(b"secret", mechanism, "nobody", "admin");
            assert_eq!(first, salt(b"secret", mechanism, "nobody", "admin"));
            assert_eq!(first.len(), mechanism.salt_length());
        }
    }

    #[test]
    fn the_salt_differs_by_user_database_mechanism_and_process() {
        let base = salt(b"secret", Mechanism::ScramSha1, "nobody", "admin");
        assert_ne!(base, salt(b"secret", Mechanism::ScramSha1, "nobodx", "admin"));
        assert_ne!(base, salt(b"secret", Mechanism::ScramSha1, "nobody", "test"));
        assert_ne!(base, salt(b"other", Mechanism::ScramSha1, "nobody", "admin"));
        assert_ne!(base.as_slice(), &salt(b"secret", Mechanism::ScramSha256, "nobody", "admin")[..16]);
        assert_ne!(salt(b"secret", Mechanism::ScramSha1, "ab", "c"), salt(b"secret", Mechanism::ScramSha1, "b", "ca"));
    }

    #[test]
    fn no_password_fits_a_decoy_not_even_one_for_its_own_keys() {
        let password = Secret::new(b"password".to_vec());
        let (salt, count) = (vec![7; 28], 4096);
        let salted = Mechanism::ScramSha256.salted_password(password.expose(), &salt, count);
        let client_key = super::super::credential::client_key(Mechanism::ScramSha256, &salted);
        let credential = Credential::never(
            Mechanism::ScramSha256,
            salt,
            count,
            Secret::new(Mechanism::ScramSha256.hash(client_key.expose())),
            super::super::credential::server_key(Mechanism::ScramSha256, &salted),
        );
        let (client, first) = Client::start(Mechanism::ScramSha256, "user", &password, [1; 24]);
        let (server, challenge) = ClientFirst::parse(&first).unwrap().challenge(vec![Arc::new(credential)], [2; 24]);
        let (_, last) = client.step(&challenge).unwrap();
        let error = server.step(&last).unwrap_err();
        assert_eq!(error.to_string(), "AuthenticationFailed: SCRAM authentication failed, storedKey mismatch");
    }
}
