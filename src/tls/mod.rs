//! TLS toward clients and toward the upstream: material from files, configurations of the library, the verdict on certificates.
//!
//! The library does the protocol and every signature; whether a certificate is good is decided here, as mongod (OpenSSL) decides
//! it, because the library's own verifier refuses certificates that mongod takes (version 1, an authority's own) and reports other
//! reasons. Nothing here reads a clock: times come in, in seconds since 1970.
//! Source: fact sheet sections 4.5, 5.1 and 7.

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;

mod certificate;
pub mod client;
mod constraints;
mod der;
pub mod description;
mod encrypted_key;
mod error;
mod files;
mod host;
mod known;
pub mod material;
mod name;
mod path;
mod pem;
mod revocation;
pub mod server;
mod signature;
mod tickets;
pub mod verdict;
mod verifier;

#[cfg(test)]
#[path = "../../tests/certificates/corpus.rs"]
mod corpus;
#[cfg(test)]
#[path = "../../tests/certificates/pki.rs"]
mod pki;
#[cfg(test)]
#[path = "../../tests/certificates/client.rs"]
mod test_client;
#[cfg(test)]
mod testing;

pub use certificate::Purpose;
pub(crate) use error::mongod_time;
pub use error::{Problem, TlsError};
pub use revocation::RevocationLists;

/// The one provider of cryptography. It is passed everywhere by hand and never installed for the process. Its first key exchange is
/// the hybrid one (X25519 with ML-KEM-768), its first cipher suite AES-256-GCM as mongod's.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The versions to offer.
fn versions(tls12: bool, tls13: bool) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if tls12 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}
