//! TLS toward clients: everything that `net.tls` names, loaded at one moment, immutable afterwards.
//!
//! A reload loads a new one; what the old one remembered is forgotten, and its tickets are worth nothing with the new one. A resumed
//! session still carries the certificate of its first handshake, so that it is judged again at each connection.
//! Source: fact sheet sections 5.1, 7.2 and 7.4; manual, `net.tls`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;

use super::certificate::GeneralName;
use super::error::{Problem, TlsError};
use super::files::{self, Identity};
use super::known::KnownChains;
use super::material::Material;
use super::revocation::RevocationLists;
use super::verdict::{Anchors, InvalidCertificate, Trust, Valid};
use super::verifier::PossessionVerifier;
use super::{Purpose, provider, tickets, versions};
use crate::config::settings::{Password, Tls};
use crate::x509::peer::PeerIdentity;

pub(super) const CERTIFICATE_KEY_FILE: &str = "net.tls.certificateKeyFile";
/// The option of certificates that single deployments have.
pub(crate) const DEPLOYMENTS: &str = "proxy.deployments";
pub(super) const CLUSTER_FILE: &str = "net.tls.clusterFile";
pub(super) const CA_FILE: &str = "net.tls.CAFile";
const CLUSTER_CA_FILE: &str = "net.tls.clusterCAFile";
pub(crate) const CRL_FILE: &str = "net.tls.CRLFile";

/// What the TLS options and their files come to.
#[derive(Debug)]
pub struct ServerTls {
    /// For the library's acceptor.
    pub config: Arc<ServerConfig>,
    provider: Arc<CryptoProvider>,
    certificate: CertificateDer<'static>,
    has_alternative_name: bool,
    /// Against what clients are judged; without it they are not asked for a certificate.
    anchors: Option<Anchors>,
    revocation_lists: Option<RevocationLists>,
    allow_connections_without_certificates: bool,
    allow_invalid_certificates: bool,
    materials: Vec<Material>,
    known: KnownChains,
}

/// What becomes of a connection whose handshake is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It goes on, with the certificate that may be believed, if there is one.
    Accept {
        /// The client's own certificate.
        verified: Option<Verified>,
    },
    /// It goes on because of `allowInvalidCertificates`, as if it had no certificate. mongod logs 23235 (W) with the reason.
    AcceptUnverified {
        /// What is wrong with the certificate.
        reason: InvalidCertificate,
    },
    /// It is closed.
    Reject {
        /// Why; mongod logs it with its own id and again as 22988.
        reason: Rejection,
    },
}

/// A certificate that may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The client's own.
    pub certificate: CertificateDer<'static>,
    /// The authority at which its chain ends: the CA that `tlsCATrusts` speaks of.
    pub anchor: CertificateDer<'static>,
    /// When it may be believed, seconds since 1970.
    pub holds: Range<i64>,
}

/// Why a client is turned away after the handshake. The text is `errmsg` of mongod's `SSLHandshakeFailed` (141).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It has no certificate and needs one.
    #[error("no SSL certificate provided by peer; connection rejected")]
    NoCertificate,
    /// Its certificate does not hold.
    #[error("SSL peer certificate validation failed: {0}")]
    Invalid(InvalidCertificate),
}

impl Rejection {
    /// mongod's log id.
    #[must_use]
    pub fn log_id(&self) -> u32 {
        match self {
            Self::NoCertificate => 23255,
            Self::Invalid(_) => 23256,
        }
    }
}

impl ServerTls {
    /// Reads every file that the options name. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The first file that can not be used, also an own certificate that is not within its dates.
    pub fn load(tls: &Tls, now: i64) -> Result<Self, TlsError> {
        let path = tls.certificate_key_file.as_deref();
        let path = path.ok_or_else(|| TlsError::new(CERTIFICATE_KEY_FILE, Path::new(""), Problem::Missing))?;
        Self::load_with(tls, (CERTIFICATE_KEY_FILE, path, tls.key_file.as_deref()), now)
    }

    /// The same with the certificate and key of one of `proxy.deployments`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_for_deployment(tls: &Tls, path: &Path, now: i64) -> Result<Self, TlsError> {
        Self::load_with(tls, (DEPLOYMENTS, path, None), now)
    }

    /// `own` is the option and the file of the own certificate, and the file of its key if that is another.
    fn load_with(tls: &Tls, own: (&'static str, &Path, Option<&Path>), now: i64) -> Result<Self, TlsError> {
        let provider = provider();
        let (option, path, key_file) = own;
        let password = tls.certificate_key_file_password.as_ref();
        let own = load_identity(option, path, key_file, password, now, &provider)?;
        let mut materials = Material::of(option, path, own.certificates());
        if let Some(path) = &tls.cluster_file {
            let cluster = load_identity(CLUSTER_FILE, path, None, tls.cluster_password.as_ref(), now, &provider)?;
            materials.extend(Material::of(CLUSTER_FILE, path, cluster.certificates()));
        }
        let mut load_authorities = |option, path: Option<&PathBuf>| -> Result<Option<Anchors>, TlsError> {
            let Some(path) = path else { return Ok(None) };
            let anchors = files::load(option, path, files::authorities)?;
            materials.extend(Material::of(option, path, &anchors.0));
            Ok(Some(anchors))
        };
        let authorities = load_authorities(CA_FILE, tls.ca_file.as_ref())?;
        let anchors = load_authorities(CLUSTER_CA_FILE, tls.cluster_ca_file.as_ref())?.or(authorities);
        let revocation_lists = match &tls.crl_file {
            Some(path) => {
                let lists = files::load(CRL_FILE, path, files::revocation_lists)?;
                materials.extend(lists.next_updates().map(|end| Material::list(CRL_FILE, path, end)));
                Some(lists)
            }
            None => None,
        };
        let config = server_config(tls, &own, anchors.as_ref(), now, &provider)
            .map_err(|error| TlsError::new(option, path, Problem::Library(error)))?;
        Ok(Self {
            config: Arc::new(config),
            provider,
            has_alternative_name: own
                .leaf
                .alternative_names
                .iter()
                .any(|name| matches!(name, GeneralName::Dns(_) | GeneralName::Ip(_))),
            certificate: CertificateDer::from(own.leaf.der),
            anchors,
            revocation_lists,
            allow_connections_without_certificates: tls.allow_connections_without_certificates,
            allow_invalid_certificates: tls.allow_invalid_certificates,
            materials,
            known: KnownChains::default(),
        })
    }

    /// Judges what a client sent in its handshake, its own certificate first, at `now` in seconds since 1970. To be asked for each
    /// connection, also for a resumed one.
    #[must_use]
    pub fn judge(&self, peer: Option<&[CertificateDer<'_>]>, now: i64) -> Judgement {
        // Without authorities nobody is asked for a certificate, and nobody could be believed.
        let Some(anchors) = &self.anchors else { return Judgement::Accept { verified: None } };
        let Some(sent @ [leaf, ..]) = peer else {
            return if self.allow_connections_without_certificates {
                Judgement::Accept { verified: None }
            } else {
                Judgement::Reject { reason: Rejection::NoCertificate }
            };
        };
        let trust = Trust {
            anchors,
            revocation_lists: self.revocation_lists.as_ref(),
            purpose: Purpose::Client,
            algorithms: self.provider.signature_verification_algorithms.all,
        };
        match trust.verify(sent, now) {
            Ok(Valid { anchor, holds }) => {
                Judgement::Accept { verified: Some(Verified { certificate: leaf.clone().into_owned(), anchor, holds }) }
            }
            Err(reason) if self.allow_invalid_certificates => Judgement::AcceptUnverified { reason },
            Err(reason) => Judgement::Reject { reason: Rejection::Invalid(reason) },
        }
    }

    /// Whom a client stands for that sent just this before and was believed, if it still may be at `now`. Who is not known has to be
    /// [judged](Self::judge).
    #[must_use]
    pub fn known(&self, peer: Option<&[CertificateDer<'_>]>, now: i64) -> Option<Arc<PeerIdentity>> {
        self.known.get(peer?, now)
    }

    /// Keeps in mind whom a client stands for that was believed.
    pub fn remember(&self, peer: Option<&[CertificateDer<'_>]>, verified: &Verified, identity: &Arc<PeerIdentity>) {
        if let Some(sent) = peer {
            self.known.insert(sent, verified.holds.clone(), identity);
        }
    }

    /// The own certificate (DER), whose subject decides who is a member.
    #[must_use]
    pub fn subject(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Whether the own certificate names a host or an address in its alternative names; if not, mongod warns at start (551190).
    #[must_use]
    pub fn has_alternative_name(&self) -> bool {
        self.has_alternative_name
    }

    /// Whether clients are judged against authorities (`SSLServerHasCertificateAuthority`).
    #[must_use]
    pub fn has_authority(&self) -> bool {
        self.anchors.is_some()
    }

    /// Every certificate and revocation list in use. The first is the own certificate.
    #[must_use]
    pub fn materials(&self) -> &[Material] {
        &self.materials
    }
}

/// Loads a certificate with its key and refuses one that is not within its dates.
pub(super) fn load_identity(
    option: &'static str,
    path: &Path,
    key_path: Option<&Path>,
    password: Option<&Password>,
    now: i64,
    provider: &CryptoProvider,
) -> Result<Identity, TlsError> {
    let key_file = match key_path {
        Some(key_path) => Some(files::load("proxy.tls.keyFile", key_path, |bytes| Ok(zeroize::Zeroizing::new(bytes.to_vec())))?),
        None => None,
    };
    files::load(option, path, |file| {
        let identity = files::identity(file, key_file.as_ref().map(|bytes| bytes.as_slice()), password, provider)?;
        identity.check_dates(now)?;
        Ok(identity)
    })
}

fn server_config(
    tls: &Tls,
    own: &Identity,
    anchors: Option<&Anchors>,
    now: i64,
    provider: &Arc<CryptoProvider>,
) -> Result<ServerConfig, rustls::Error> {
    let verifier: Arc<dyn ClientCertVerifier> = match anchors {
        Some(anchors) => Arc::new(PossessionVerifier::new(anchors, provider.signature_verification_algorithms)),
        None => Arc::new(NoClientAuth),
    };
    let nobody = Anchors::default();
    let certified_key = own.certified_key(anchors.unwrap_or(&nobody), now);
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&versions(tls.tls12, tls.tls13))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified_key)));
    config.ticketer = tickets::keys()?;
    Ok(config)
}

#[cfg(test)]
mod tests;
