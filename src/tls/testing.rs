//! For the tests of this folder: files, settings, and handshakes in memory.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::pki::{Authority, Key, Kind, Template, pem};
use super::provider;
use super::test_client::{Always, Anyone};
use crate::config::settings::{Password, Tls, TlsMode};
use crate::secret::Secret;

/// The moment at which these tests play, in seconds since 1970.
pub(super) const NOW: i64 = 1_800_000_000;

/// A folder of files, gone at the end.
pub(super) struct Files(tempfile::TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn missing(&self) -> PathBuf {
        self.0.path().join("missing.pem")
    }
}

pub(super) fn password(text: &str) -> Password {
    Password(Arc::new(Secret::new(text.as_bytes().to_vec())))
}

/// A server with its own certificate and nothing else.
pub(super) fn settings(files: &Files) -> Tls {
    let key = Key::new(Kind::P256);
    let own = Authority::root(&Template::new("localhost", NOW), key.clone());
    Tls {
        mode: TlsMode::RequireTls,
        certificate_key_file: Some(files.write("own.pem", &(pem("CERTIFICATE", &own.der) + &key.pem()))),
        key_file: None,
        certificate_key_file_password: None,
        cluster_file: None,
        cluster_password: None,
        ca_file: None,
        cluster_ca_file: None,
        crl_file: None,
        allow_connections_without_certificates: false,
        allow_invalid_certificates: false,
        allow_invalid_hostnames: false,
        tls12: true,
        tls13: true,
        cluster_auth_x509_attributes: None,
        cluster_auth_x509_extension_value: None,
    }
}

/// A chain and the key that signs for it.
pub(super) type Shown<'a> = (&'a [Vec<u8>], Arc<dyn SigningKey>);

/// A client that believes every server and shows this certificate, signing with this key, which need not belong to it.
pub(super) fn client(shown: Option<Shown<'_>>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let schemes = provider().signature_verification_algorithms.supported_schemes();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(schemes)));
    Arc::new(match shown {
        Some((chain, key)) => {
            let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
            config.with_client_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(chain, key)))))
        }
        None => config.with_no_client_auth(),
    })
}

/// A handshake in memory, until both have nothing more to say.
pub(super) fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    host: &str,
) -> (ClientConnection, ServerConnection, Result<(), Error>) {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut result = Ok(());
    while result.is_ok() && (client.wants_write() || server.wants_write()) {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while result.is_ok() && !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            result = server.process_new_packets().map(drop);
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while result.is_ok() && !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            result = client.process_new_packets().map(drop);
        }
    }
    (client, server, result)
}
