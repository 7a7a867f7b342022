//! Why TLS material can not be used: at start and at a reload.
//!
//! Each error names the option, the path, what is wrong and what to do. It never holds a key or a password.
//! Source: fact sheet section 5.1 for mongod's texts.

use std::path::{Path, PathBuf};

/// A file that can not be used.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {}: {problem}", path.display())]
pub struct TlsError {
    /// The option as it is written in the configuration file.
    pub option: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It can not be read.
    #[error("the file can not be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The option that names the file is missing.
    #[error("the option is needed when TLS is on")]
    Missing,
    /// No certificate in it.
    #[error("there is no certificate in this file; it must hold one in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// No private key in it.
    #[error(
        "there is no private key in this file; append it to the certificate (cat tls.crt tls.key), or name it with proxy.tls.keyFile"
    )]
    NoKey,
    /// No revocation list in it.
    #[error("there is no revocation list in this file; it must hold one in PEM (-----BEGIN X509 CRL-----)")]
    NoRevocationList,
    /// A PEM section that does not end, or whose base64 is wrong.
    #[error("the PEM section {0} is damaged; copy the file again")]
    DamagedPem(String),
    /// A certificate or a list that can not be decoded.
    #[error("section number {0} can not be decoded; `openssl x509 -noout -text` or `openssl crl -noout -text` says more")]
    Undecodable(usize),
    /// OpenSSL's own format for a certificate with trust settings.
    #[error("TRUSTED CERTIFICATE is OpenSSL's own format; write a plain one with `openssl x509 -in FILE -out NEW`")]
    TrustedCertificate,
    /// The old encryption of PEM files.
    #[error(
        "the key is encrypted in the old PEM way (DEK-Info), which derives its key from a single MD5; \
         convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW`"
    )]
    LegacyEncryption,
    /// An encrypted key and no password.
    #[error("the key is encrypted and there is no password; give certificateKeyFilePassword")]
    PasswordNeeded,
    /// An encrypted key that the password does not open.
    #[error(
        "the key can not be decrypted: the password is wrong, or the encryption is not PBES2 \
         (then convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW`)"
    )]
    NotDecrypted,
    /// A key of a kind that is not supported.
    #[error(
        "the private key is damaged or of a kind that is not supported; use RSA (from 2048 bits), EC P-256, P-384 or P-521, or Ed25519"
    )]
    UnsupportedKey,
    /// No certificate belongs to the key.
    #[error("no certificate here belongs to the private key; compare `openssl x509 -pubkey` with `openssl pkey -pubout`")]
    KeyMismatch,
    /// The own certificate is not within its dates, here in seconds since 1970.
    #[error("the certificate is expired or not yet valid (from {} to {}); renew it, or set the clock", mongod_time(*.not_before), mongod_time(*.not_after))]
    NotCurrent {
        /// From when it holds.
        not_before: i64,
        /// When it ends.
        not_after: i64,
    },
    /// The TLS library refuses the settings.
    #[error("TLS can not be set up: {0}")]
    Library(#[source] rustls::Error),
}

impl TlsError {
    pub(crate) fn new(option: &'static str, path: &Path, problem: Problem) -> Self {
        Self { option, path: path.to_owned(), problem }
    }

    /// What mongod says in `errmsg` of an `InvalidSSLConfiguration` (140) for this. The part behind `error:` in mongod's text comes
    /// from OpenSSL; here it is our own explanation.
    #[must_use]
    pub fn mongod_text(&self) -> String {
        let path = self.path.display();
        match &self.problem {
            Problem::Missing => "need tlsCertificateKeyFile or certificateSelector when TLS is enabled".to_owned(),
            Problem::NotCurrent { not_before, not_after } => format!(
                "ssl client initialization problem for certificate: {path} :: caused by :: The provided SSL certificate is expired or \
                 not yet valid. notBefore {}, notAfter {}",
                mongod_time(*not_before),
                mongod_time(*not_after)
            ),
            problem if self.option.ends_with("CAFile") => {
                format!("cannot read certificate authority file: {path} error:{problem}")
            }
            _ if self.option.ends_with("CRLFile") => "Can not set up CRL file.".to_owned(),
            _ => "Can not set up PEM key file.".to_owned(),
        }
    }

    /// mongod's log id for it: the line before the failure of the start.
    #[must_use]
    pub fn log_id(&self) -> u32 {
        match &self.problem {
            _ if self.option.ends_with("CRLFile") => 23254,
            Problem::KeyMismatch => 23252,
            Problem::NoKey
            | Problem::LegacyEncryption
            | Problem::PasswordNeeded
            | Problem::NotDecrypted
            | Problem::UnsupportedKey => 23251,
            Problem::NotCurrent { .. } | Problem::Library(_) | Problem::Missing => 20574,
            _ if self.option.ends_with("CAFile") => 20574,
            _ => 23248,
        }
    }
}

/// A time as mongod prints it: `2019-01-01T00:00:00.000+00:00`.
pub(crate) fn mongod_time(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years begin in March here; an era has 400 years.
    let shifted = day.saturating_add(719_468);
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = era * 400 + year;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000+00:00", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_mongod_prints_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000+00:00"),
            (1_546_300_800, "2019-01-01T00:00:00.000+00:00"),
            (1_709_208_001, "2024-02-29T12:00:01.000+00:00"),
            (253_402_300_799, "9999-12-31T23:59:59.000+00:00"),
            (-1, "1969-12-31T23:59:59.000+00:00"),
        ] {
            assert_eq!(mongod_time(seconds), text);
        }
    }

    #[test]
    fn mongods_texts_are_at_hand() {
        let error = |option, problem| TlsError::new(option, Path::new("/a.pem"), problem);
        assert_eq!(error("net.tls.certificateKeyFile", Problem::NoKey).mongod_text(), "Can not set up PEM key file.");
        assert_eq!(error("net.tls.CRLFile", Problem::NoRevocationList).mongod_text(), "Can not set up CRL file.");
        assert!(
            error("net.tls.CAFile", Problem::NoCertificate)
                .mongod_text()
                .starts_with("cannot read certificate authority file: /a.pem error:")
        );
        assert_eq!(
            error("net.tls.certificateKeyFile", Problem::NotCurrent { not_before: 1_546_300_800, not_after: 1_577_836_800 })
                .mongod_text(),
            "ssl client initialization problem for certificate: /a.pem :: caused by :: The provided SSL certificate is expired or not \
             yet valid. notBefore 2019-01-01T00:00:00.000+00:00, notAfter 2020-01-01T00:00:00.000+00:00"
        );
    }
}
