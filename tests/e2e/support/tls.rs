//! The TLS side of a test client.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use super::pki::{Identity, pki};

/// How a client speaks TLS: it trusts the CA of these tests and shows a certificate or none.
#[derive(Clone)]
pub(crate) struct Client(Arc<ClientConfig>);

impl Client {
    /// A client without a certificate.
    pub(crate) fn anonymous() -> Self {
        Self::with(None, &[&rustls::version::TLS12, &rustls::version::TLS13])
    }

    /// A client with a certificate.
    pub(crate) fn showing(identity: &Identity) -> Self {
        Self::with(Some(identity), &[&rustls::version::TLS12, &rustls::version::TLS13])
    }

    /// A client that speaks only these versions.
    pub(crate) fn with(identity: Option<&Identity>, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(pki().authority_der()).expect("a CA certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_auth_cert(identity.chain(), identity.key()).expect("a certificate"),
        };
        Self(Arc::new(config))
    }

    /// A new connection to the server of this name; an address is no name, and is not sent.
    pub(crate) fn connection(&self, name: &'static str) -> ClientConnection {
        let name = ServerName::try_from(name).expect("a name");
        ClientConnection::new(Arc::clone(&self.0), name).expect("a connection")
    }
}
