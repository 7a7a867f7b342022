//! Private keys under a password: PKCS #8 with PBES2, as `openssl pkcs8 -topk8` writes them. AES and PBKDF2 are the TLS library's.
//! Source: RFC 8018, section 6.2 and appendix A; RFC 7914, section 7.

use std::num::NonZeroU32;

use ::pbkdf2::pbkdf2_hmac;
use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme as Scheme;
use pkcs8::pkcs5::pbes2::{EncryptionScheme, Kdf, Pbkdf2Prf};
use zeroize::Zeroizing;

/// Not decrypted: another scheme, or another password.
#[derive(Debug)]
pub(super) struct Unopened;

/// The PKCS #8 inside.
///
/// # Errors
/// The password is another one, or the key is encrypted in a way that is not known.
pub(super) fn open(encrypted: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(encrypted).map_err(|_| Unopened)?;
    let Scheme::Pbes2(parameters) = &encrypted.encryption_algorithm else { return Err(Unopened) };
    let (algorithm, iv) = match parameters.encryption {
        EncryptionScheme::Aes128Cbc { iv } => (&AES_128, iv),
        EncryptionScheme::Aes192Cbc { iv } => (&AES_192, iv),
        EncryptionScheme::Aes256Cbc { iv } => (&AES_256, iv),
        _ => return Err(Unopened),
    };
    let key = derive(&parameters.kdf, password, parameters.encryption.key_size())?;
    let key = UnboundCipherKey::new(algorithm, &key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7).map_err(|_| Unopened)?;
    let mut content = Zeroizing::new(encrypted.encrypted_data.as_bytes().to_vec());
    let opened = key.decrypt(&mut content, DecryptionContext::Iv128(FixedLength::from(iv))).map_err(|_| Unopened)?.len();
    content.truncate(opened);
    Ok(content)
}

fn derive(function: &Kdf, password: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    if function.key_length().is_some_and(|said| usize::from(said) != length) {
        return Err(Unopened);
    }
    let mut key = Zeroizing::new(vec![0; length]);
    match function {
        Kdf::Pbkdf2(parameters) => {
            let (salt, rounds) = (parameters.salt.as_ref(), parameters.iteration_count);
            let algorithm = match parameters.prf {
                // The library has no such one.
                Pbkdf2Prf::HmacWithSha224 => {
                    pbkdf2_hmac::<sha2::Sha224>(password, salt, rounds, &mut key);
                    return Ok(key);
                }
                Pbkdf2Prf::HmacWithSha256 => PBKDF2_HMAC_SHA256,
                Pbkdf2Prf::HmacWithSha384 => PBKDF2_HMAC_SHA384,
                Pbkdf2Prf::HmacWithSha512 => PBKDF2_HMAC_SHA512,
                _ => return Err(Unopened),
            };
            pbkdf2::derive(algorithm, NonZeroU32::new(rounds).ok_or(Unopened)?, salt, password, &mut key);
        }
        Kdf::Scrypt(parameters) => {
            let cost = parameters.cost_parameter;
            let (block, lanes) = (parameters.block_size.into(), parameters.parallelization.into());
            let cost = cost.checked_ilog2().filter(|_| cost.is_power_of_two()).and_then(|log| u8::try_from(log).ok());
            let cost = cost.and_then(|log| scrypt::Params::new(log, block, lanes).ok()).ok_or(Unopened)?;
            scrypt::scrypt(password, parameters.salt.as_ref(), &cost, &mut key).map_err(|_| Unopened)?;
        }
        _ => return Err(Unopened),
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What OpenSSL writes with these options of `pkcs8`, and what it wrote it from; `None` without an `openssl`.
    fn written(options: &[&str]) -> Option<(Vec<u8>, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let plain = rcgen::KeyPair::generate().unwrap().serialize_der();
        std::fs::write(path("plain"), &plain).unwrap();
        let (from, to) = (path("plain"), path("encrypted"));
        let words =
            ["pkcs8", "-topk8", "-inform", "DER", "-outform", "DER", "-in", &from, "-out", &to, "-passout", "pass:geheim"];
        let done = Command::new("openssl").args(words).args(options).stderr(Stdio::null()).status().ok()?;
        done.success().then(|| (std::fs::read(&to).unwrap(), plain))
    }

    #[test]
    fn what_openssl_encrypts_is_opened_by_its_password_alone() {
        let mut opened = 0;
        for options in [
            &[][..],
            &["-v2", "aes-128-cbc"],
            &["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA224"],
            &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"],
            &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"],
            &["-scrypt"],
        ] {
            let Some((encrypted, plain)) = written(options) else { continue };
            assert_eq!(*open(&encrypted, b"geheim").unwrap(), plain, "{options:?}");
            assert!(open(&encrypted, b"Geheim").is_err(), "{options:?}");
            opened += 1;
        }
        let has_openssl = Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok();
        assert_eq!(opened > 0, has_openssl, "{opened}");
    }

    #[test]
    fn what_is_no_such_key_is_not_opened() {
        for bytes in [&[][..], &[0x30, 0], &[0x30, 0x80], b"geheim"] {
            assert!(open(bytes, b"geheim").is_err(), "{bytes:?}");
        }
    }
}
