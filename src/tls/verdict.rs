//! The verdict on a chain of certificates: mongod's, which is OpenSSL's.
//!
//! Every check of OpenSSL's chain verification is made in OpenSSL's order and **the last failure is the one reported**, because
//! mongod lets the verification run to its end and then looks at the last error. Signatures are left to the provider. Pure: no
//! clock, no file, no socket. It must never call something valid that it could not judge.
//! Source: fact sheet sections 7.3 and 7.4; RFC 5280 section 6; `tests/certificates` compares it with a real mongod.

use std::ops::Range;

use rustls::pki_types::CertificateDer;

use super::certificate::{Authority, Certificate, Purpose};
use super::constraints::Constraints;
use super::der::Malformed;
use super::path::{self, Path};
use super::revocation::RevocationLists;
use super::signature::Algorithms;

/// The greatest number of certificates in a chain, anchor included. OpenSSL allows 101; nobody needs that, and each costs a
/// signature check that an unauthenticated client may ask for.
pub(crate) const LONGEST_CHAIN: usize = 16;

/// Whether a peer's certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does: its subject may be believed.
    Valid,
    /// It does not.
    Invalid(InvalidCertificate),
}

/// Why a certificate does not hold. The text is what mongod logs behind `SSL peer certificate validation failed: `.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each text says it")]
pub enum InvalidCertificate {
    #[error("unspecified certificate verification error")]
    Unspecified,
    #[error("unable to get issuer certificate")]
    NoIssuer,
    #[error("unable to get local issuer certificate")]
    NoLocalIssuer,
    #[error("unable to verify the first certificate")]
    NoFirstIssuer,
    #[error("self-signed certificate")]
    SelfSigned,
    #[error("self-signed certificate in certificate chain")]
    SelfSignedInChain,
    #[error("certificate chain too long")]
    ChainTooLong,
    #[error("certificate signature failure")]
    SignatureFailure,
    #[error("certificate is not yet valid")]
    NotYetValid,
    #[error("certificate has expired")]
    Expired,
    #[error("unsuitable certificate purpose")]
    UnsuitablePurpose,
    #[error("invalid CA certificate")]
    InvalidCa,
    #[error("path length constraint exceeded")]
    PathLengthExceeded,
    #[error("key usage does not include certificate signing")]
    NoCertificateSigning,
    #[error("unhandled critical extension")]
    UnhandledCriticalExtension,
    #[error("proxy certificates not allowed, please set the appropriate flag")]
    ProxyCertificate,
    #[error("EE certificate key too weak")]
    WeakKey,
    #[error("CA certificate key too weak")]
    WeakCaKey,
    #[error("CA signature digest algorithm too weak")]
    WeakDigest,
    #[error("certificate public key has explicit ECC parameters")]
    ExplicitCurve,
    #[error("permitted subtree violation")]
    PermittedViolation,
    #[error("excluded subtree violation")]
    ExcludedViolation,
    #[error("name constraints minimum and maximum not supported")]
    SubtreeMinMax,
    #[error("unsupported name constraint type")]
    UnsupportedConstraintType,
    #[error("unsupported or invalid name constraint syntax")]
    UnsupportedConstraintSyntax,
    #[error("unsupported or invalid name syntax")]
    UnsupportedNameSyntax,
    #[error("unable to get certificate CRL")]
    NoRevocationList,
    #[error("CRL signature failure")]
    RevocationListSignatureFailure,
    #[error("CRL is not yet valid")]
    RevocationListNotYetValid,
    #[error("CRL has expired")]
    RevocationListExpired,
    #[error("different CRL scope")]
    RevocationListScope,
    #[error("key usage does not include CRL signing")]
    NoRevocationListSigning,
    #[error("unable to get CRL issuer certificate")]
    NoRevocationListIssuer,
    #[error("unhandled critical CRL extension")]
    UnhandledCriticalRevocationListExtension,
    #[error("certificate revoked")]
    Revoked,
}

/// The certificates of an authority file: where a chain may end.
#[derive(Clone, Debug, Default)]
pub struct Anchors(pub(crate) Vec<Certificate>);

impl Anchors {
    /// Reads certificates.
    ///
    /// # Errors
    /// The position of the first that is none.
    pub fn new<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, usize> {
        let read = |(position, der): (usize, &'a [u8])| Certificate::parse(der).map_err(|Malformed| position);
        certificates.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// What a chain is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Where chains may end.
    pub anchors: &'a Anchors,
    /// With them, the first certificate of a chain must not be revoked, and every issuer of one needs a current list.
    pub revocation_lists: Option<&'a RevocationLists>,
    /// For what the peer uses the certificate.
    pub purpose: Purpose,
    /// The routines that verify signatures.
    pub algorithms: &'a Algorithms,
}

/// A chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// Where it ends: that authority, and not one below it, is the CA of the peer for mongod.
    pub anchor: CertificateDer<'static>,
    /// In this time the verdict is the same, whatever was decided on the way: seconds since 1970.
    pub holds: Range<i64>,
}

impl Trust<'_> {
    /// Judges what a peer sent, its own certificate first, at a time in seconds since 1970.
    #[must_use]
    pub fn judge(&self, sent: &[CertificateDer<'_>], now: i64) -> Verdict {
        self.verify(sent, now).map_or_else(Verdict::Invalid, |_valid| Verdict::Valid)
    }

    /// As [`judge`](Self::judge), and says where and when a valid chain ends.
    ///
    /// # Errors
    /// Why the certificate does not hold.
    pub fn verify(&self, sent: &[CertificateDer<'_>], now: i64) -> Result<Valid, InvalidCertificate> {
        let parsed: Result<Vec<Certificate>, Malformed> = sent.iter().map(|der| Certificate::parse(der)).collect();
        let Ok(all @ [leaf, intermediates @ ..]) = parsed.as_deref() else {
            return Err(InvalidCertificate::Unspecified);
        };
        let mut failures = Failures(None);
        if !leaf.key.is_strong() {
            failures.add(InvalidCertificate::WeakKey);
        }
        if leaf.invalid || leaf.key.family().is_none() {
            return Err(InvalidCertificate::Unspecified);
        }
        let path = path::build(leaf, intermediates, self.anchors, now);
        failures.0 = path.failure.or(failures.0);
        if path.chain.len() > LONGEST_CHAIN {
            return Err(InvalidCertificate::ChainTooLong);
        }
        self.check_extensions(&path, &mut failures);
        check_strength(&path, &mut failures);
        if let Some(lists) = self.revocation_lists {
            lists.check(&path.chain, now, self.algorithms, &mut failures);
        }
        self.check_signatures_and_dates(&path, now, &mut failures);
        check_name_constraints(&path, &mut failures);
        match (failures.0, path.chain.last()) {
            (None, Some(anchor)) => {
                Ok(Valid { anchor: CertificateDer::from(anchor.der.clone()), holds: self.same_verdict(all, now) })
            }
            (failure, _) => Err(failure.unwrap_or(InvalidCertificate::Unspecified)),
        }
    }

    /// The time around `now` in which nothing begins or ends that could be looked at: of every date it is only asked whether it has
    /// come.
    fn same_verdict(&self, sent: &[Certificate], now: i64) -> Range<i64> {
        let certificates =
            sent.iter().chain(&self.anchors.0).flat_map(|certificate| [certificate.not_before, certificate.not_after]);
        let lists = self.revocation_lists.into_iter().flat_map(RevocationLists::dates);
        certificates.chain(lists).fold(i64::MIN..i64::MAX, |time, date| {
            if date <= now { time.start.max(date)..time.end } else { time.start..time.end.min(date) }
        })
    }

    fn check_extensions(&self, path: &Path<'_>, failures: &mut Failures) {
        let mut length = 0_u32;
        for (depth, certificate) in path.chain.iter().enumerate() {
            failures.add_if(certificate.unknown_critical, InvalidCertificate::UnhandledCriticalExtension);
            failures.add_if(certificate.proxy, InvalidCertificate::ProxyCertificate);
            let top = depth.saturating_add(1) == path.chain.len();
            if depth > 0 {
                let authority = match certificate.authority() {
                    Authority::Yes => true,
                    Authority::AtTheTop => top,
                    Authority::No => false,
                };
                failures.add_if(!authority, InvalidCertificate::InvalidCa);
            }
            failures.add_if(path.chain.len() > 1 && certificate.key.has_explicit_parameters(), InvalidCertificate::ExplicitCurve);
            failures.add_if(!certificate.suits(self.purpose, depth > 0), InvalidCertificate::UnsuitablePurpose);
            let exceeded = certificate.path_length.is_some_and(|most| length > most);
            failures.add_if(depth > 1 && exceeded, InvalidCertificate::PathLengthExceeded);
            if depth > 0 && !certificate.self_issued {
                length = length.saturating_add(1);
            }
        }
    }

    /// From the top down: key usage of the issuer, signature, dates.
    fn check_signatures_and_dates(&self, path: &Path<'_>, now: i64, failures: &mut Failures) {
        let mut from_the_top = path.chain.iter().rev();
        let Some(top) = from_the_top.next() else { return };
        let mut issuer = top;
        if top.likely_issued(top) {
            check_dates(top, now, failures);
        } else if path.chain.len() == 1 {
            failures.add(InvalidCertificate::NoFirstIssuer);
            check_dates(top, now, failures);
        }
        for certificate in from_the_top {
            failures
                .add_if(!issuer.key_usage_allows(super::certificate::KEY_CERT_SIGN), InvalidCertificate::NoCertificateSigning);
            failures.add_if(!issuer.signed(certificate, self.algorithms), InvalidCertificate::SignatureFailure);
            check_dates(certificate, now, failures);
            issuer = certificate;
        }
    }
}

/// The failures so far: the last one counts.
#[derive(Debug)]
pub(crate) struct Failures(Option<InvalidCertificate>);

impl Failures {
    pub(crate) fn add(&mut self, failure: InvalidCertificate) {
        self.0 = Some(failure);
    }

    pub(crate) fn add_if(&mut self, failed: bool, failure: InvalidCertificate) {
        if failed {
            self.add(failure);
        }
    }
}

fn check_strength(path: &Path<'_>, failures: &mut Failures) {
    for (depth, certificate) in path.chain.iter().enumerate() {
        failures.add_if(depth > 0 && !certificate.key.is_strong(), InvalidCertificate::WeakCaKey);
        let top = depth.saturating_add(1) == path.chain.len();
        failures.add_if(!top && !certificate.has_strong_digest(), InvalidCertificate::WeakDigest);
    }
}

fn check_dates(certificate: &Certificate, now: i64, failures: &mut Failures) {
    failures.add_if(now < certificate.not_before, InvalidCertificate::NotYetValid);
    failures.add_if(certificate.not_after <= now, InvalidCertificate::Expired);
}

/// The constraints of each authority hold for all below it, except for those that carry its own name on the way.
fn check_name_constraints(path: &Path<'_>, failures: &mut Failures) {
    for (depth, certificate) in path.chain.iter().enumerate().rev() {
        if depth > 0 && certificate.self_issued {
            continue;
        }
        for authority in path.chain.iter().skip(depth.saturating_add(1)).rev() {
            let Some(constraints) = &authority.name_constraints else { continue };
            let checked = Constraints::parse(constraints)
                .map_err(|Malformed| InvalidCertificate::UnsupportedConstraintSyntax)
                .and_then(|constraints| constraints.check(certificate, depth == 0));
            if let Err(failure) = checked {
                failures.add(failure);
            }
        }
    }
}

#[cfg(test)]
mod tests;
