//! What OpenSSL knows of a certificate when it judges a chain: names, dates, key, and the extensions that matter to it.
//!
//! A wrong extension does not make a certificate unreadable: it is marked `invalid`, and such a certificate has no issuer.
//! Source: RFC 5280 section 4, OpenSSL 3.0 as measured by `tests/certificates`.

use super::der::{BIT_STRING, BOOLEAN, Element, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE};
use super::name::Name;
use super::signature::{Family, PublicKey, fits, signature_family};
use crate::x509;

/// Bits of the key usage extension, first byte low.
pub(crate) const DIGITAL_SIGNATURE: u16 = 0x80;
pub(crate) const KEY_ENCIPHERMENT: u16 = 0x20;
pub(crate) const KEY_AGREEMENT: u16 = 0x08;
pub(crate) const KEY_CERT_SIGN: u16 = 0x04;
pub(crate) const CRL_SIGN: u16 = 0x02;
/// Bits of the Netscape certificate type.
const NETSCAPE_CLIENT: u8 = 0x80;
const NETSCAPE_SERVER: u8 = 0x40;

const ID_CE: [u8; 2] = [0x55, 0x1d];
const ID_PE: [u8; 7] = [0x2b, 6, 1, 5, 5, 7, 1];
const ID_KP: [u8; 7] = [0x2b, 6, 1, 5, 5, 7, 3];
const OCSP_NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5];
const NETSCAPE_TYPE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1];

/// For what the peer uses its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It connects to us.
    Client,
    /// We connect to it.
    Server,
}

/// How far a certificate is one of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Not at all.
    No,
    /// Its basic constraints say so.
    Yes,
    /// Only at the top of a chain: a self-signed version 1 certificate, or key usage without basic constraints.
    AtTheTop,
}

/// One entry of a subject alternative name or of a name constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GeneralName {
    Email(Vec<u8>),
    Dns(Vec<u8>),
    Uri(Vec<u8>),
    Ip(Vec<u8>),
    Directory(Name),
    /// Anything else, by its tag.
    Other(u8),
}

/// An authority key identifier.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthorityKey {
    key: Option<Vec<u8>>,
    issuer: Option<Name>,
    serial: Option<Vec<u8>>,
}

/// A certificate as the verdict needs it.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    tbs: Vec<u8>,
    /// Content of the algorithm identifier.
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) key: PublicKey,
    version_1: bool,
    /// Some extension that matters is malformed or there twice.
    pub(crate) invalid: bool,
    pub(crate) unknown_critical: bool,
    pub(crate) proxy: bool,
    basic_constraints: Option<bool>,
    pub(crate) path_length: Option<u32>,
    pub(crate) key_usage: Option<u16>,
    /// Whether client and server are among the extended key usages.
    extended_key_usage: Option<(bool, bool)>,
    netscape_type: Option<u8>,
    subject_key: Option<Vec<u8>>,
    authority_key: Option<AuthorityKey>,
    pub(crate) alternative_names: Vec<GeneralName>,
    /// The content of the name constraints extension.
    pub(crate) name_constraints: Option<Vec<u8>>,
    /// Some distribution point is for certain reasons or from another issuer.
    pub(crate) partial_distribution_point: bool,
    pub(crate) self_issued: bool,
    pub(crate) self_signed: bool,
}

impl Certificate {
    /// Reads the DER of a certificate.
    ///
    /// # Errors
    /// [`Malformed`] if it is no certificate; wrong extensions only set `invalid`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Malformed> {
        // The same reader as for the user name, so that what is judged is what is believed.
        let fields = x509::Certificate::parse(der).map_err(|_| Malformed)?;
        let issuer = Name::parse(fields.issuer_der())?;
        let subject = Name::parse(fields.subject_der())?;
        let mut certificate = Self {
            der: der.to_vec(),
            serial: unsigned(fields.serial()),
            tbs: fields.tbs_der().to_vec(),
            algorithm: fields.signature_algorithm().to_vec(),
            signature: fields.signature().to_vec(),
            not_before: fields.not_before(),
            not_after: fields.not_after(),
            key: PublicKey::parse(fields.subject_public_key_info())?,
            version_1: fields.version() == 1,
            invalid: false,
            unknown_critical: false,
            proxy: false,
            basic_constraints: None,
            path_length: None,
            key_usage: None,
            extended_key_usage: None,
            netscape_type: None,
            subject_key: None,
            authority_key: None,
            alternative_names: Vec::new(),
            name_constraints: None,
            partial_distribution_point: false,
            self_issued: issuer == subject,
            self_signed: false,
            issuer,
            subject,
        };
        certificate.read_extensions(&fields);
        certificate.self_signed = certificate.self_issued
            && certificate.is_named_by(certificate.authority_key.as_ref())
            && certificate.key_fits(&certificate.algorithm);
        Ok(certificate)
    }

    fn read_extensions(&mut self, fields: &x509::Certificate<'_>) {
        let mut seen: Vec<&[u8]> = Vec::new();
        for extension in fields.extensions() {
            self.invalid |= seen.contains(&extension.oid);
            seen.push(extension.oid);
            match self.read_extension(extension.oid, extension.value) {
                Ok(handled) => self.unknown_critical |= extension.critical && !handled,
                Err(Malformed) => self.invalid = true,
            }
        }
    }

    /// Whether the extension, were it critical, is one that is handled.
    fn read_extension(&mut self, identifier: &[u8], value: &[u8]) -> Result<bool, Malformed> {
        if let Some(kind) = identifier.strip_prefix(&ID_CE) {
            return self.read_standard_extension(kind, value);
        }
        if let Some(kind) = identifier.strip_prefix(&ID_PE) {
            match kind {
                // Address and AS number blocks: OpenSSL compares them along the chain, here they are simply refused.
                [7 | 8] => self.unknown_critical = true,
                [14] => self.proxy = true,
                _ => return Ok(false),
            }
            return Ok(true);
        }
        if identifier == NETSCAPE_TYPE {
            self.netscape_type = Some(flags(value)?.to_le_bytes()[0]);
            return Ok(true);
        }
        Ok(identifier == OCSP_NO_CHECK)
    }

    fn read_standard_extension(&mut self, kind: &[u8], value: &[u8]) -> Result<bool, Malformed> {
        match kind {
            [14] => {
                self.subject_key = Some(Reader::only(value, OCTET_STRING)?.content.to_vec());
                // Read, but refused when it is critical, as RFC 5280 never has it so.
                return Ok(false);
            }
            [15] => {
                let usage = flags(value)?;
                self.invalid |= usage == 0;
                self.key_usage = Some(usage);
            }
            [17] => self.alternative_names = general_names(Reader::only(value, SEQUENCE)?.content)?,
            [19] => {
                let mut constraints = Reader::only(value, SEQUENCE)?.inside();
                let authority = constraints.optional(BOOLEAN)?.map_or(Ok(false), |authority| authority.boolean())?;
                self.path_length = constraints.optional(INTEGER)?.map(|length| length.small_integer()).transpose()?;
                constraints.finish()?;
                self.basic_constraints = Some(authority);
            }
            [30] => {
                super::constraints::Constraints::parse(value)?;
                self.name_constraints = Some(value.to_vec());
            }
            [31] => self.partial_distribution_point = has_partial_distribution_point(value)?,
            [35] => {
                self.authority_key = Some(AuthorityKey::parse(value)?);
                return Ok(false);
            }
            [37] => {
                let mut usages = Reader::only(value, SEQUENCE)?.inside();
                let (mut client, mut server) = (false, false);
                while !usages.is_empty() {
                    let usage = usages.read(OBJECT_IDENTIFIER)?.content.strip_prefix(&ID_KP);
                    server |= usage == Some(&[1]);
                    client |= usage == Some(&[2]);
                }
                self.extended_key_usage = Some((client, server));
            }
            // Policies and their constraints and mappings: known and not evaluated, because mongod does not ask for it.
            [32 | 33 | 36 | 54] => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the authority key identifier of something issued, if it has one, points to this certificate.
    pub(crate) fn is_named_by(&self, authority_key: Option<&AuthorityKey>) -> bool {
        let Some(authority_key) = authority_key else { return true };
        let differs = |ours: Option<&Vec<u8>>, theirs: Option<&Vec<u8>>| ours.is_some() && theirs.is_some() && ours != theirs;
        !differs(self.subject_key.as_ref(), authority_key.key.as_ref())
            && !differs(Some(&self.serial), authority_key.serial.as_ref())
            && authority_key.issuer.as_ref().is_none_or(|issuer| *issuer == self.issuer)
    }

    fn key_fits(&self, algorithm: &[u8]) -> bool {
        match (self.key.family(), signature_family(algorithm)) {
            (Some(key), Some((signature, _))) => fits(key, signature),
            _ => false,
        }
    }

    /// Whether this certificate looks like the issuer of `subject`; the signature is not looked at.
    pub(crate) fn likely_issued(&self, subject: &Self) -> bool {
        self.subject == subject.issuer
            && !self.invalid
            && !subject.invalid
            && self.is_named_by(subject.authority_key.as_ref())
            && self.key_fits(&subject.algorithm)
    }

    /// Whether this certificate's key made the signature of `subject`.
    pub(crate) fn signed(&self, subject: &Self, algorithms: &super::signature::Algorithms) -> bool {
        self.key.verifies(algorithms, &subject.algorithm, &subject.tbs, &subject.signature)
    }

    /// Whether the digest in this certificate's signature is strong enough.
    pub(crate) fn has_strong_digest(&self) -> bool {
        signature_family(&self.algorithm).is_some_and(|(_, strong): (Family, bool)| strong)
    }

    /// Whether the key usage is absent or has one of these bits.
    pub(crate) fn key_usage_allows(&self, bits: u16) -> bool {
        self.key_usage.is_none_or(|usage| usage & bits != 0)
    }

    pub(crate) fn authority(&self) -> Authority {
        if self.invalid || !self.key_usage_allows(KEY_CERT_SIGN) {
            return Authority::No;
        }
        match self.basic_constraints {
            Some(true) => Authority::Yes,
            Some(false) => Authority::No,
            None if (self.version_1 && self.self_signed) || self.key_usage.is_some() => Authority::AtTheTop,
            None => Authority::No,
        }
    }

    /// Whether the certificate may be used for `purpose`; `as_authority` for every certificate but the first of a chain.
    pub(crate) fn suits(&self, purpose: Purpose, as_authority: bool) -> bool {
        let (usages, netscape, extended) = match purpose {
            Purpose::Client => (DIGITAL_SIGNATURE | KEY_AGREEMENT, NETSCAPE_CLIENT, self.extended_key_usage.map(|usage| usage.0)),
            Purpose::Server => (
                DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT,
                NETSCAPE_SERVER,
                self.extended_key_usage.map(|usage| usage.1),
            ),
        };
        if extended == Some(false) {
            return false;
        }
        if as_authority {
            return self.authority() != Authority::No;
        }
        self.key_usage_allows(usages) && self.netscape_type.is_none_or(|kind| kind & netscape != 0)
    }

    /// Whether the certificate is within its dates; both ends as OpenSSL has them.
    pub(crate) fn is_current(&self, now: i64) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

impl AuthorityKey {
    pub(crate) fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::only(value, SEQUENCE)?.inside();
        let key = reader.optional(0x80)?.map(|key| key.content.to_vec());
        let issuer = match reader.optional(0xa1)? {
            Some(names) => general_names(names.content)?.into_iter().find_map(|name| match name {
                GeneralName::Directory(name) => Some(name),
                _ => None,
            }),
            None => None,
        };
        let serial = reader.optional(0x82)?.map(|serial| unsigned(serial.content));
        reader.finish()?;
        Ok(Self { key, issuer, serial })
    }
}

/// The content of an `INTEGER` without needless leading zeros, so that serial numbers can be compared as bytes.
pub(crate) fn unsigned(mut content: &[u8]) -> Vec<u8> {
    while let [0, next, ..] = content
        && *next < 0x80
    {
        content = content.get(1..).unwrap_or_default();
    }
    content.to_vec()
}

/// The first two bytes of a `BIT STRING`, first byte low, without its unused bits.
pub(crate) fn flags(value: &[u8]) -> Result<u16, Malformed> {
    let (unused, bits) = Reader::only(value, BIT_STRING)?.content.split_first().ok_or(Malformed)?;
    let mut bits = bits.to_vec();
    match bits.last_mut() {
        Some(last) if *unused < 8 => *last &= 0xff_u8 << unused,
        None if *unused == 0 => {}
        _ => return Err(Malformed),
    }
    let byte = |index: usize| u16::from(bits.get(index).copied().unwrap_or(0));
    Ok(byte(0) | byte(1) << 8)
}

/// Entries of a `GeneralNames`.
pub(crate) fn general_names(content: &[u8]) -> Result<Vec<GeneralName>, Malformed> {
    let mut reader = Reader(content);
    let mut names = Vec::new();
    while !reader.is_empty() {
        names.push(general_name(&reader.any()?)?);
    }
    Ok(names)
}

pub(crate) fn general_name(element: &Element<'_>) -> Result<GeneralName, Malformed> {
    let content = element.content.to_vec();
    Ok(match element.tag {
        0x81 => GeneralName::Email(content),
        0x82 => GeneralName::Dns(content),
        0x86 => GeneralName::Uri(content),
        0x87 => GeneralName::Ip(content),
        0xa4 => GeneralName::Directory(Name::parse(&content)?),
        tag @ (0xa0 | 0xa3 | 0xa5 | 0x88) => GeneralName::Other(tag),
        _ => return Err(Malformed),
    })
}

fn has_partial_distribution_point(value: &[u8]) -> Result<bool, Malformed> {
    let mut points = Reader::only(value, SEQUENCE)?.inside();
    let mut partial = false;
    while !points.is_empty() {
        let mut point = points.read(SEQUENCE)?.inside();
        while !point.is_empty() {
            partial |= point.any()?.tag != 0xa0;
        }
    }
    Ok(partial)
}
