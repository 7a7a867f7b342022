//! A certificate as people are told of it: what it says and what it may be used for.
//!
//! Nothing here is a verdict: who believes a description believes whoever wrote the certificate.
//! Source: RFC 5280 section 4; fact sheet sections 3.3 and 7.3.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;

use super::certificate::{Authority, Certificate, GeneralName, Purpose};
use super::der::{OBJECT_IDENTIFIER, Reader, SEQUENCE};
use super::error::{Problem, TlsError};
use super::files;
use crate::x509::dn::DnError;
use crate::x509::{self, DistinguishedName};

/// Content of the object identifier of `extKeyUsage`.
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// The bits of the key usage extension from the first on.
const KEY_USAGES: [(u16, &str); 9] = [
    (0x80, "digitalSignature"),
    (0x40, "nonRepudiation"),
    (0x20, "keyEncipherment"),
    (0x10, "dataEncipherment"),
    (0x08, "keyAgreement"),
    (0x04, "keyCertSign"),
    (0x02, "cRLSign"),
    (0x01, "encipherOnly"),
    (0x8000, "decipherOnly"),
];

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Description {
    /// 1, 2 or 3.
    pub version: u8,
    /// The subject, or why it has no text: mongod closes the connection of such a client.
    pub subject: Result<DistinguishedName, DnError>,
    /// The issuer.
    pub issuer: Result<DistinguishedName, DnError>,
    /// The first second of validity, in seconds since 1970.
    pub not_before: i64,
    /// The end of validity, in seconds since 1970.
    pub not_after: i64,
    /// The alternative names, each with its kind: `DNS:localhost`.
    pub alternative_names: Vec<String>,
    /// Whether the certificate is one of a certificate authority.
    pub is_authority: bool,
    /// Whether it is its own issuer.
    pub is_self_signed: bool,
    /// The names of the key usages; `None` without the extension.
    pub key_usage: Option<Vec<&'static str>>,
    /// The names of the extended key usages; `None` without the extension.
    pub extended_key_usage: Option<Vec<String>>,
    /// Whether mongod lets a client use it.
    pub suits_client: bool,
    /// Whether mongod lets a server use it.
    pub suits_server: bool,
    /// Whether a critical extension is one that mongod does not know.
    pub has_unknown_critical_extension: bool,
    /// Whether an extension is malformed or there twice.
    pub has_broken_extension: bool,
}

impl Description {
    /// Reads the DER of a certificate; `None` if it is none.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let fields = x509::Certificate::parse(der).ok()?;
        let certificate = Certificate::parse(der).ok()?;
        let key_usage = certificate
            .key_usage
            .map(|bits| KEY_USAGES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect());
        Some(Self {
            version: fields.version(),
            subject: DistinguishedName::from_der(fields.subject_der()),
            issuer: DistinguishedName::from_der(fields.issuer_der()),
            not_before: fields.not_before(),
            not_after: fields.not_after(),
            alternative_names: certificate.alternative_names.iter().map(name_text).collect(),
            is_authority: certificate.authority() != Authority::No,
            is_self_signed: certificate.self_signed,
            key_usage,
            extended_key_usage: fields.extension_value(EXTENDED_KEY_USAGE).map(extended_key_usages),
            suits_client: certificate.suits(Purpose::Client, false),
            suits_server: certificate.suits(Purpose::Server, false),
            has_unknown_critical_extension: certificate.unknown_critical,
            has_broken_extension: certificate.invalid,
        })
    }
}

/// Reads the certificates of a PEM file, in their order; there is at least one. `option` is for the error's text.
///
/// # Errors
/// The file can not be read or holds no certificate.
pub fn read_certificates(option: &'static str, path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    files::load(option, path, |bytes| {
        let certificates = files::certificates(bytes)?;
        if certificates.is_empty() {
            return Err(Problem::NoCertificate);
        }
        Ok(certificates.into_iter().map(|certificate| CertificateDer::from(certificate.der)).collect())
    })
}

fn extended_key_usages(value: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(list) = Reader::only(value, SEQUENCE) else { return names };
    let mut usages = list.inside();
    while let Ok(usage) = usages.read(OBJECT_IDENTIFIER) {
        names.extend(x509::object_identifier_text(usage.content).map(std::borrow::Cow::into_owned));
    }
    names
}

fn name_text(name: &GeneralName) -> String {
    let text = |kind: &str, content: &[u8]| format!("{kind}:{}", String::from_utf8_lossy(content));
    match name {
        GeneralName::Email(content) => text("email", content),
        GeneralName::Dns(content) => text("DNS", content),
        GeneralName::Uri(content) => text("URI", content),
        GeneralName::Ip(content) => match (<[u8; 4]>::try_from(content.as_slice()), <[u8; 16]>::try_from(content.as_slice())) {
            (Ok(v4), _) => format!("IP:{}", IpAddr::from(v4)),
            (_, Ok(v6)) => format!("IP:{}", IpAddr::from(v6)),
            _ => "IP:(malformed)".to_owned(),
        },
        GeneralName::Directory(_) => "a directory name".to_owned(),
        GeneralName::Other(_) => "another kind of name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pki::{Authority, Key, Kind, Template};
    use super::super::testing::NOW;
    use super::*;

    #[test]
    fn what_is_no_certificate_has_no_description() {
        assert!(Description::of(b"").is_none());
        assert!(Description::of(b"\x30\x00").is_none());
    }

    #[test]
    fn a_version_1_certificate_has_neither_usages_nor_names() {
        let root = Authority::ordinary("root", Kind::P256, NOW);
        let der = root.issue(&Template::new("alice", NOW).version_1(), &Key::new(Kind::P256));
        let description = Description::of(&der).unwrap();
        assert_eq!((description.version, description.key_usage, description.extended_key_usage), (1, None, None));
        assert_eq!((description.alternative_names, description.is_self_signed), (vec![], false));
        assert_eq!(description.subject.unwrap().as_str(), "CN=alice");
        assert!(description.suits_client && description.suits_server);
        let root = Description::of(&root.der).unwrap();
        assert!(root.is_authority && root.is_self_signed);
    }
}
