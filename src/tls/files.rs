//! TLS material from files: certificate, chain and key; authorities; revocation lists.
//!
//! The functions over bytes are pure; one thin reader below does the reading. Keys never leave as bytes: what comes out is a key
//! that can sign. Kubernetes' three files and mongod's one are both taken, in any order.
//! Source: fact sheet section 5.1; manual, `net.tls.certificateKeyFile`, `net.tls.CAFile`, `net.tls.CRLFile`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::encrypted_key;
use super::error::{Problem, TlsError};
use super::pem::{Section, sections};
use super::revocation::RevocationLists;
use super::verdict::{Anchors, LONGEST_CHAIN};
use crate::config::settings::Password;

/// A certificate with its chain and its key.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The certificate that belongs to the key.
    pub(crate) leaf: Certificate,
    /// The others of the file, nearest issuer first.
    chain: Vec<Certificate>,
    key: Arc<dyn SigningKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("not_after", &self.leaf.not_after).finish_non_exhaustive()
    }
}

impl Identity {
    /// What is sent to the peer. As OpenSSL does for mongod, a file without a chain is completed from the authorities.
    pub(crate) fn certified_key(&self, anchors: &Anchors, now: i64) -> Arc<CertifiedKey> {
        let mut chain = vec![&self.leaf];
        if self.chain.is_empty() {
            let path = super::path::build(&self.leaf, &[], anchors, now);
            chain.extend(path.chain.into_iter().skip(1).take(LONGEST_CHAIN));
        } else {
            chain.extend(&self.chain);
        }
        let chain = chain.into_iter().map(|certificate| CertificateDer::from(certificate.der.clone())).collect();
        Arc::new(CertifiedKey::new(chain, Arc::clone(&self.key)))
    }

    /// Refuses a certificate that is not within its dates.
    ///
    /// # Errors
    /// [`Problem::NotCurrent`].
    pub(crate) fn check_dates(&self, now: i64) -> Result<(), Problem> {
        if self.leaf.is_current(now) {
            return Ok(());
        }
        Err(Problem::NotCurrent { not_before: self.leaf.not_before, not_after: self.leaf.not_after })
    }

    /// Every certificate of the file.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.leaf).chain(&self.chain)
    }
}

/// Reads certificate, chain and key from one PEM file, or the key from its own file. The first key counts; the certificate that
/// belongs to it is found wherever it stands.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn identity(
    file: &[u8],
    key_file: Option<&[u8]>,
    password: Option<&Password>,
    provider: &CryptoProvider,
) -> Result<Identity, Problem> {
    let file_sections = sections(file)?;
    let certificates = parse_certificates(&file_sections)?;
    if certificates.is_empty() {
        return Err(Problem::NoCertificate);
    }
    let key_sections = key_file.map(sections).transpose()?;
    let key = key_sections.as_ref().unwrap_or(&file_sections).iter().find(|section| section.label.ends_with("PRIVATE KEY"));
    let key = private_key(key.ok_or(Problem::NoKey)?, password)?;
    // The provider makes its own copy and wipes this one.
    let key = provider.key_provider.load_private_key(key).map_err(|_| Problem::UnsupportedKey)?;
    let public = key.public_key().ok_or(Problem::UnsupportedKey)?;
    let position = certificates.iter().position(|certificate| certificate.key.der == public.as_ref());
    let mut others = certificates;
    let leaf = match position {
        Some(position) => others.remove(position),
        None => return Err(Problem::KeyMismatch),
    };
    // mongod wants the chain in order behind the leaf, and sends it as it is; only another order is put right.
    let chain = if position == Some(0) { others } else { in_order(&leaf, others) };
    Ok(Identity { leaf, chain, key })
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn certificates(file: &[u8]) -> Result<Vec<Certificate>, Problem> {
    parse_certificates(&sections(file)?)
}

/// Reads the authorities of a PEM file.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn authorities(file: &[u8]) -> Result<Anchors, Problem> {
    let certificates = parse_certificates(&sections(file)?)?;
    if certificates.is_empty() { Err(Problem::NoCertificate) } else { Ok(Anchors(certificates)) }
}

/// Reads the revocation lists of a PEM file.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn revocation_lists(file: &[u8]) -> Result<RevocationLists, Problem> {
    let sections = sections(file)?;
    let lists: Vec<&[u8]> =
        sections.iter().filter(|section| section.label == "X509 CRL").map(|section| section.content.as_slice()).collect();
    if lists.is_empty() {
        return Err(Problem::NoRevocationList);
    }
    RevocationLists::new(lists).map_err(|position| Problem::Undecodable(position.saturating_add(1)))
}

/// Reads a file and hands its bytes on.
///
/// # Errors
/// With the option and the path.
pub(crate) fn load<T>(option: &'static str, path: &Path, read: impl FnOnce(&[u8]) -> Result<T, Problem>) -> Result<T, TlsError> {
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(Problem::Unreadable);
    bytes.and_then(|bytes| read(&bytes)).map_err(|problem| TlsError::new(option, path, problem))
}

fn parse_certificates(sections: &[Section]) -> Result<Vec<Certificate>, Problem> {
    let mut certificates = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        match section.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                let certificate = Certificate::parse(&section.content);
                certificates.push(certificate.map_err(|_| Problem::Undecodable(index.saturating_add(1)))?);
            }
            "TRUSTED CERTIFICATE" => return Err(Problem::TrustedCertificate),
            _ => {}
        }
    }
    Ok(certificates)
}

fn private_key(section: &Section, password: Option<&Password>) -> Result<PrivateKeyDer<'static>, Problem> {
    if section.encrypted {
        return Err(Problem::LegacyEncryption);
    }
    let content = section.content.to_vec();
    Ok(match section.label.as_str() {
        "PRIVATE KEY" => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(content)),
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(content)),
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(content)),
        "ENCRYPTED PRIVATE KEY" => {
            let password = password.ok_or(Problem::PasswordNeeded)?;
            let key = encrypted_key::open(&content, password.expose()).map_err(|_| Problem::NotDecrypted)?;
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()))
        }
        _ => return Err(Problem::UnsupportedKey),
    })
}

/// Puts the issuers of `leaf` first, each behind what it issued; the rest follows as it was.
fn in_order(leaf: &Certificate, mut others: Vec<Certificate>) -> Vec<Certificate> {
    let mut chain: Vec<Certificate> = Vec::new();
    while let Some(position) = others.iter().position(|issuer| issuer.likely_issued(chain.last().unwrap_or(leaf))) {
        chain.push(others.remove(position));
    }
    chain.append(&mut others);
    chain
}

#[cfg(test)]
mod tests;
