//! The certificates of a run, and what a client does with them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use doorward::certs::{Authority, Purpose, Request};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// A CA, whose certificate and that of the servers lie in a folder.
pub(crate) struct Pki {
    authority: Authority,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Pki {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let (authority, ca) = Authority::create(&request("CN=bench CA", &[]))?;
        let server = authority.sign(&request("CN=localhost", &["localhost", "127.0.0.1"]), Purpose::Server)?;
        fs::write(folder.join("ca.pem"), &ca.certificate)?;
        fs::write(folder.join("server.pem"), server.joined())?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.certificate.as_bytes())?)?;
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384];
        Ok(Self { authority, roots: Arc::new(roots), provider: Arc::new(provider) })
    }

    /// A client with a certificate of its own. It pins version, group and cipher, so that every server does the same work.
    pub(crate) fn client(&self, subject: &str) -> Result<Arc<ClientConfig>> {
        let client = self.authority.sign(&request(subject, &[]), Purpose::Client)?;
        let mut tls = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(client.certificate.as_bytes())?],
                PrivateKeyDer::from_pem_slice(client.key.as_bytes())?,
            )?;
        tls.resumption = Resumption::disabled();
        Ok(Arc::new(tls))
    }
}

fn request(subject: &str, names: &[&str]) -> Request {
    Request { subject: subject.into(), names: names.iter().map(ToString::to_string).collect(), days: 30 }
}
