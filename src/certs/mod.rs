//! Certificates for development and tests: a CA, and what it signs.
//!
//! They are ECDSA P-256 and version 3. Nothing here may be taken for a production PKI: the CA's key lies beside it, unencrypted.
//! Files with keys are made with mode 0600, and no file is ever overwritten. Source: RFC 5280, section 4.2, and mongod's manual on
//! member certificates.

mod command;
mod subject;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pkcs8::der::Decode;
use pkcs8::der::asn1::OctetStringRef;
use rcgen::{
    BasicConstraints, CertificateParams, Error, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::x509::certificate::Certificate;

pub use command::main;

/// The content of the OID of the extension by which a CA's key is named in what it signs.
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];
/// What a CA is refused with that can not be read.
const NOT_READ: Error = Error::CouldNotParseCertificate;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The clocks of two machines may differ by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);
/// The greatest validity, 100 years.
pub const MAX_DAYS: u32 = 36_500;

/// Why a certificate was not made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The subject can not be written into a certificate.
    #[error("the subject {text:?} is refused: {why}")]
    Subject {
        /// The subject as given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file could not be read or made; also one that is there already.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// Key, name or CA can not be used.
    #[error("the certificate could not be made: {0}")]
    Generation(#[from] Error),
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A server's: extended key usage serverAuth.
    Server,
    /// A cluster member's, which is server and client.
    Member,
    /// A client's: extended key usage clientAuth.
    Client,
}

/// What a certificate shall say.
#[derive(Clone, Debug)]
pub struct Request {
    /// The subject as text, most specific part first, for example `CN=app,OU=clients,O=example`.
    pub subject: String,
    /// Host names and addresses (subject alternative names).
    pub names: Vec<String>,
    /// The validity from now on, in days, at most [`MAX_DAYS`].
    pub days: u32,
}

/// A certificate with its private key, both as PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS #8.
    pub key: String,
}

impl Pair {
    /// Certificate and key in one text, as `net.tls.certificateKeyFile` wants them.
    #[must_use]
    pub fn joined(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

/// A certificate authority that can sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a self-signed CA. `request.names` is not used.
    ///
    /// # Errors
    /// The subject is refused.
    pub fn create(request: &Request) -> Result<(Self, Pair), CertificateError> {
        let mut parameters = parameters(request)?;
        parameters.subject_alt_names.clear();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let pair = Pair { certificate: parameters.self_signed(&key)?.pem(), key: key.serialize_pem() };
        Ok((Self { issuer: Issuer::new(parameters, key) }, pair))
    }

    /// Takes up a CA from its PEM texts.
    ///
    /// # Errors
    /// They are not a certificate and the key of a CA.
    pub fn from_pem(pair: &Pair) -> Result<Self, CertificateError> {
        let key = KeyPair::from_pem(&pair.key)?;
        let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).map_err(|_| NOT_READ)?;
        let certificate = Certificate::parse(&der).map_err(|_| NOT_READ)?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject::from_der(certificate.subject_der())?;
        if let Some(value) = certificate.extension_value(SUBJECT_KEY_IDENTIFIER) {
            let identifier = <&OctetStringRef>::from_der(value).map_err(|_| NOT_READ)?;
            parameters.key_identifier_method = KeyIdMethod::PreSpecified(identifier.as_bytes().to_vec());
        }
        Ok(Self { issuer: Issuer::new(parameters, key) })
    }

    /// Makes a key and signs a certificate for it.
    ///
    /// # Errors
    /// The subject or a name is refused.
    pub fn sign(&self, request: &Request, purpose: Purpose) -> Result<Pair, CertificateError> {
        let mut parameters = parameters(request)?;
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = match purpose {
            Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Purpose::Member => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Pair { certificate: parameters.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

fn parameters(request: &Request) -> Result<CertificateParams, CertificateError> {
    let mut parameters = CertificateParams::new(request.names.clone())?;
    parameters.distinguished_name = subject::parse(&request.subject)?;
    let now = SystemTime::now();
    let days = DAY.saturating_mul(request.days.min(MAX_DAYS));
    parameters.not_before = now.checked_sub(CLOCK_SKEW).unwrap_or(now).into();
    parameters.not_after = now.checked_add(days).unwrap_or(now).into();
    Ok(parameters)
}

/// Writes a file that is not there yet, readable by its owner alone.
///
/// # Errors
/// The file is there, or can not be made.
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), CertificateError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(|cause| CertificateError::File { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests;
