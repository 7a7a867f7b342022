//! What a file of the TLS options holds, as operators are told of it: certificates and the ends of revocation lists, never keys.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use super::certificate::Certificate;

/// A certificate or a revocation list in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// The option as it is written in the configuration file.
    pub option: &'static str,
    /// The file.
    pub path: PathBuf,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
    /// The certificate; `None` for a revocation list.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Material {
    pub(super) fn of<'a>(
        option: &'static str,
        path: &Path,
        certificates: impl IntoIterator<Item = &'a Certificate>,
    ) -> Vec<Self> {
        let material = |certificate: &Certificate| Self {
            option,
            path: path.to_owned(),
            not_after: certificate.not_after,
            certificate: Some(CertificateDer::from(certificate.der.clone())),
        };
        certificates.into_iter().map(material).collect()
    }

    pub(super) fn list(option: &'static str, path: &Path, not_after: i64) -> Self {
        Self { option, path: path.to_owned(), not_after, certificate: None }
    }

    /// Whole days until it ends at `now` (seconds since 1970); negative from one day after its end.
    #[must_use]
    pub fn days_left(&self, now: i64) -> i64 {
        self.not_after.saturating_sub(now) / 86_400
    }
}
