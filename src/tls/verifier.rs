//! Asks clients for a certificate and checks that they hold its key; whether the certificate is any good is judged later.
//!
//! mongod finishes every handshake and judges then, so that the client sees a finished handshake and the log says why; so does this
//! verifier. What it must never do is let a client through that does not hold the key of the certificate that it shows: both
//! signature checks below are the proof of possession, made with the raw public key so that a version 1 certificate works too.
//! Source: fact sheet section 7.2; RFC 8446 section 4.4.3, RFC 5246 section 7.4.8.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};
use webpki::RawPublicKeyEntity;

use super::certificate::Certificate;
use super::verdict::Anchors;
use crate::x509;

/// Requests a certificate, checks possession of its key, judges nothing.
#[derive(Debug)]
pub(crate) struct PossessionVerifier {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PossessionVerifier {
    /// `anchors` are only named to the client, as mongod names them.
    pub(crate) fn new(anchors: &Anchors, algorithms: WebPkiSupportedAlgorithms) -> Self {
        let mut names: Vec<&[u8]> = Vec::new();
        for anchor in &anchors.0 {
            if !names.contains(&anchor.subject.der.as_slice()) {
                names.push(&anchor.subject.der);
            }
        }
        Self { hints: names.into_iter().map(|name| DistinguishedName::from(name.to_vec())).collect(), algorithms }
    }
}

impl ClientCertVerifier for PossessionVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        for certificate in std::iter::once(end_entity).chain(intermediates) {
            public_key(certificate)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_possession(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(message, &checked_key(cert)?, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The public key of a certificate of any version.
///
/// # Errors
/// A certificate that can not be decoded breaks the handshake, as with mongod.
pub(crate) fn public_key(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let certificate = Certificate::parse(certificate).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(SubjectPublicKeyInfoDer::from(certificate.key.der))
}

/// The public key of a certificate of which [`public_key`] was taken before: the names are not read again.
///
/// # Errors
/// As [`public_key`].
pub(crate) fn checked_key<'a>(certificate: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, Error> {
    let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    x509::Certificate::parse(certificate).map(|fields| fields.subject_public_key_info().into()).map_err(bad)
}

/// Checks the signature of a TLS 1.2 handshake with the public key of `certificate`.
///
/// The scheme names a hash but not a curve there, so each routine of the scheme that fits the key is tried; a routine for another
/// kind of key is no failure yet, a wrong signature is.
///
/// # Errors
/// A scheme that was not offered, a key that fits no routine, a wrong signature.
pub(crate) fn verify_tls12_possession(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    if matches!(dss.scheme, SignatureScheme::ML_DSA_44 | SignatureScheme::ML_DSA_65 | SignatureScheme::ML_DSA_87) {
        // These exist only in TLS 1.3.
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let key = checked_key(certificate)?;
    let entity = RawPublicKeyEntity::try_from(&key).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let routines = algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme).map(|(_, routines)| *routines);
    let routines = routines.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    for routine in routines {
        match entity.verify_signature(*routine, message, dss.signature()) {
            Ok(()) => return Ok(HandshakeSignatureValid::assertion()),
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => break,
        }
    }
    Err(Error::InvalidCertificate(CertificateError::BadSignature))
}
