//! TLS toward the upstream: the configuration of the connector, with mongod's own rules for a server's certificate.
//!
//! The chain is judged by the same code as clients' chains, with the other purpose; the host name as mongod does it. Both may be
//! waived by the options that mongod has for it. The proof that the server holds its key is never waived.
//! Source: fact sheet section 4.5; manual, `net.tls.allowInvalidHostnames`, `net.tls.allowInvalidCertificates`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::certificate::Certificate;
use super::error::{Problem, TlsError};
use super::material::Material;
use super::revocation::RevocationLists;
use super::verdict::{Anchors, InvalidCertificate, Trust, Verdict};
use super::verifier::{checked_key, verify_tls12_possession};
use super::{Purpose, files, host, provider, server, versions};
use crate::config::settings::{Password, Tls, UpstreamTls};

const CA_FILE: &str = "proxy.upstream.tls.CAFile";
const CERTIFICATE_KEY_FILE: &str = "proxy.upstream.tls.certificateKeyFile";

/// What `proxy.upstream.tls` and its files come to.
#[derive(Debug)]
pub struct ClientTls {
    /// For the library's connector.
    pub config: Arc<ClientConfig>,
    certificate: Option<CertificateDer<'static>>,
    materials: Vec<Material>,
}

/// Why the upstream's certificate was refused. Found inside of the library's error by [`UpstreamCertificateError::of`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamCertificateError {
    /// The certificate does not hold.
    #[error("SSL peer certificate validation failed: {0}")]
    Invalid(InvalidCertificate),
    /// It is for another host; mongod's text.
    #[error("{0}")]
    Host(String),
}

impl UpstreamCertificateError {
    /// The reason inside of an error of the library.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => reason.downcast_ref(),
            _ => None,
        }
    }
}

impl From<UpstreamCertificateError> for Error {
    fn from(reason: UpstreamCertificateError) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
    }
}

impl ClientTls {
    /// Reads the files that the options name. `now` is in seconds since 1970. Without `CAFile` no upstream is believed, unless
    /// `allowInvalidCertificates` is set.
    ///
    /// # Errors
    /// The first file that can not be used, also a client certificate that is not within its dates.
    pub fn load(tls: &UpstreamTls, now: i64) -> Result<Self, TlsError> {
        let own = tls.certificate_key_file.as_deref().map(|path| {
            let password = tls.certificate_key_file_password.as_ref();
            Own { option: CERTIFICATE_KEY_FILE, path, key_path: None, password }
        });
        Sources {
            authorities: (CA_FILE, tls.ca_file.as_deref()),
            own,
            revocation_lists: None,
            versions: (true, true),
            allow_invalid_hostnames: tls.allow_invalid_hostnames,
            allow_invalid_certificates: tls.allow_invalid_certificates,
        }
        .load(now)
    }

    /// The same toward the other members, by `net.tls` as mongod uses it there: `clusterFile` or else `certificateKeyFile` is shown,
    /// unless it is to be withheld.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for_members(tls: &Tls, withhold_certificate: bool, now: i64) -> Result<Self, TlsError> {
        let cluster = tls.cluster_file.as_deref().map(|path| {
            let password = tls.cluster_password.as_ref();
            Own { option: server::CLUSTER_FILE, path, key_path: None, password }
        });
        let own = || {
            let (password, key_path) = (tls.certificate_key_file_password.as_ref(), tls.key_file.as_deref());
            Some(Own { option: server::CERTIFICATE_KEY_FILE, path: tls.certificate_key_file.as_deref()?, key_path, password })
        };
        Sources {
            authorities: (server::CA_FILE, tls.ca_file.as_deref()),
            own: cluster.or_else(own).filter(|_| !withhold_certificate),
            revocation_lists: tls.crl_file.as_deref(),
            versions: (tls.tls12, tls.tls13),
            allow_invalid_hostnames: tls.allow_invalid_hostnames,
            allow_invalid_certificates: tls.allow_invalid_certificates,
        }
        .load(now)
    }

    /// How connections are made.
    #[must_use]
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// The client certificate (DER) that is shown to the upstream.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.as_ref()
    }

    /// Every certificate in use.
    #[must_use]
    pub fn materials(&self) -> &[Material] {
        &self.materials
    }
}

/// A certificate to show, and the option that names it.
struct Own<'a> {
    option: &'static str,
    path: &'a Path,
    key_path: Option<&'a Path>,
    password: Option<&'a Password>,
}

/// What TLS as a client is made from, whichever options say it.
struct Sources<'a> {
    authorities: (&'static str, Option<&'a Path>),
    own: Option<Own<'a>>,
    revocation_lists: Option<&'a Path>,
    /// Whether TLS 1.2 and 1.3 are offered.
    versions: (bool, bool),
    allow_invalid_hostnames: bool,
    allow_invalid_certificates: bool,
}

impl Sources<'_> {
    fn load(self, now: i64) -> Result<ClientTls, TlsError> {
        let provider = provider();
        let mut materials = Vec::new();
        let (option, path) = self.authorities;
        let anchors = match path {
            Some(path) => {
                let anchors = files::load(option, path, files::authorities)?;
                materials.extend(Material::of(option, path, &anchors.0));
                anchors
            }
            None => Anchors::default(),
        };
        let revocation_lists = match self.revocation_lists {
            Some(path) => Some(files::load(server::CRL_FILE, path, files::revocation_lists)?),
            None => None,
        };
        let (mut certificate, mut key) = (None, None);
        if let Some(Own { option, path, key_path, password }) = self.own {
            let identity = server::load_identity(option, path, key_path, password, now, &provider)?;
            materials.extend(Material::of(option, path, identity.certificates()));
            key = Some(identity.certified_key(&anchors, now));
            certificate = Some(CertificateDer::from(identity.leaf.der));
        }
        let verifier = ServerVerifier {
            anchors,
            revocation_lists,
            algorithms: provider.signature_verification_algorithms,
            allow_invalid_hostnames: self.allow_invalid_hostnames,
            allow_invalid_certificates: self.allow_invalid_certificates,
        };
        let (tls12, tls13) = self.versions;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(tls12, tls13))
            .map_err(|error| TlsError::new(option, path.unwrap_or_else(|| Path::new("")), Problem::Library(error)))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match key {
            Some(key) => config.with_client_cert_resolver(Arc::new(Always(key))),
            None => config.with_no_client_auth(),
        };
        // A resumed session is not judged again: connections to the upstream live long, and each shall be judged.
        config.resumption = Resumption::disabled();
        Ok(ClientTls { config: Arc::new(config), certificate, materials })
    }
}

/// Shows the one certificate whatever authorities the server names, as mongod does.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _sigschemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Judges the upstream's certificate as mongod judges a peer's.
#[derive(Debug)]
struct ServerVerifier {
    anchors: Anchors,
    revocation_lists: Option<RevocationLists>,
    algorithms: WebPkiSupportedAlgorithms,
    allow_invalid_hostnames: bool,
    allow_invalid_certificates: bool,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = Certificate::parse(end_entity).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if self.allow_invalid_certificates {
            return Ok(ServerCertVerified::assertion());
        }
        let trust = Trust {
            anchors: &self.anchors,
            revocation_lists: self.revocation_lists.as_ref(),
            purpose: Purpose::Server,
            algorithms: self.algorithms.all,
        };
        let sent: Vec<CertificateDer<'_>> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if let Verdict::Invalid(reason) = trust.judge(&sent, now) {
            return Err(UpstreamCertificateError::Invalid(reason).into());
        }
        if !self.allow_invalid_hostnames {
            host::check(&leaf, &server_name.to_str()).map_err(UpstreamCertificateError::Host)?;
        }
        Ok(ServerCertVerified::assertion())
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

#[cfg(test)]
mod tests;
