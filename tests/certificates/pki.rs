//! Certificates and revocation lists of every kind, also of kinds that no ordinary tool makes.
//!
//! Written as DER by hand, so that a version 1 certificate or a wrong extension is one field away; keys come from `rcgen`.

use std::sync::Arc;

use base64::Engine as _;
use rustls::SignatureScheme;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;

pub(crate) const DAY: i64 = 86_400;

/// A kind of key, with the signature that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
    /// An RSA key that signs with PSS.
    RsaPss,
}

/// A key pair.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) signer: Arc<dyn SigningKey>,
    kind: Kind,
}

impl Key {
    pub(crate) fn new(kind: Kind) -> Self {
        let algorithm = match kind {
            Kind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Kind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Kind::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Kind::Ed25519 => &rcgen::PKCS_ED25519,
            Kind::Rsa | Kind::RsaPss => &rcgen::PKCS_RSA_SHA256,
        };
        let pkcs8 = rcgen::KeyPair::generate_for(algorithm).unwrap().serialize_der();
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.clone()));
        let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der).unwrap();
        let spki = signer.public_key().unwrap().as_ref().to_vec();
        Self { pkcs8, spki, signer, kind }
    }

    fn algorithm(&self) -> Vec<u8> {
        use rustls::pki_types::alg_id;
        let id = match self.kind {
            Kind::P256 => alg_id::ECDSA_SHA256,
            Kind::P384 => alg_id::ECDSA_SHA384,
            Kind::P521 => alg_id::ECDSA_SHA512,
            Kind::Ed25519 => alg_id::ED25519,
            Kind::Rsa => alg_id::RSA_PKCS1_SHA256,
            Kind::RsaPss => alg_id::RSA_PSS_SHA256,
        };
        tlv(0x30, id.as_ref())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let scheme = match self.kind {
            Kind::P256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            Kind::P384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            Kind::P521 => SignatureScheme::ECDSA_NISTP521_SHA512,
            Kind::Ed25519 => SignatureScheme::ED25519,
            Kind::Rsa => SignatureScheme::RSA_PKCS1_SHA256,
            Kind::RsaPss => SignatureScheme::RSA_PSS_SHA256,
        };
        self.signer.choose_scheme(&[scheme]).unwrap().sign(message).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }
}

/// What a certificate says.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) version_1: bool,
    pub(crate) serial: u32,
    /// Common name; empty for a name without any attribute.
    pub(crate) subject: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Template {
    /// A version 3 certificate without extensions, from yesterday to ten days from `now`.
    pub(crate) fn new(subject: &str, now: i64) -> Self {
        Self {
            version_1: false,
            serial: 7,
            subject: subject.to_owned(),
            not_before: now - DAY,
            not_after: now + 10 * DAY,
            extensions: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn version_1(mut self) -> Self {
        self.version_1 = true;
        self
    }

    pub(crate) fn serial(mut self, serial: u32) -> Self {
        self.serial = serial;
        self
    }

    pub(crate) fn dates(mut self, not_before: i64, not_after: i64) -> Self {
        (self.not_before, self.not_after) = (not_before, not_after);
        self
    }

    /// The certificate for `spki`, signed by `key` in the name of `issuer`.
    pub(crate) fn issue(&self, spki: &[u8], issuer: &str, key: &Key) -> Vec<u8> {
        let mut tbs = Vec::new();
        if !self.version_1 {
            tbs.extend(tlv(0xa0, &tlv(0x02, &[2])));
        }
        tbs.extend(integer(self.serial));
        tbs.extend(key.algorithm());
        tbs.extend(name(issuer));
        tbs.extend(tlv(0x30, &[time(self.not_before), time(self.not_after)].concat()));
        tbs.extend(name(&self.subject));
        tbs.extend(spki);
        if !self.extensions.is_empty() {
            tbs.extend(tlv(0xa3, &tlv(0x30, &self.extensions.concat())));
        }
        signed(&tbs, key)
    }
}

/// An authority: certificate, name and key.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    pub(crate) name: String,
    pub(crate) key: Key,
}

impl Authority {
    /// Self-signed from a template.
    pub(crate) fn root(template: &Template, key: Key) -> Self {
        let der = template.issue(&key.spki, &template.subject, &key);
        Self { der, name: template.subject.clone(), key }
    }

    /// An ordinary root: basic constraints, nothing else.
    pub(crate) fn ordinary(name: &str, kind: Kind, now: i64) -> Self {
        Self::root(&Template::new(name, now).with(ca(None)), Key::new(kind))
    }

    /// An authority below this one.
    pub(crate) fn intermediate(&self, template: &Template, key: Key) -> Self {
        Self { der: self.issue(template, &key), name: template.subject.clone(), key }
    }

    pub(crate) fn issue(&self, template: &Template, key: &Key) -> Vec<u8> {
        template.issue(&key.spki, &self.name, &self.key)
    }
}

/// A revocation list.
pub(crate) struct ListTemplate {
    pub(crate) revoked: Vec<u32>,
    pub(crate) this_update: i64,
    pub(crate) next_update: i64,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl ListTemplate {
    /// From yesterday to tomorrow.
    pub(crate) fn new(revoked: &[u32], now: i64) -> Self {
        Self { revoked: revoked.to_vec(), this_update: now - DAY, next_update: now + DAY, extensions: Vec::new() }
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn dates(mut self, this_update: i64, next_update: i64) -> Self {
        (self.this_update, self.next_update) = (this_update, next_update);
        self
    }

    pub(crate) fn issue(&self, issuer: &str, key: &Key) -> Vec<u8> {
        let mut tbs = integer(1);
        tbs.extend(key.algorithm());
        tbs.extend(name(issuer));
        tbs.extend(time(self.this_update));
        tbs.extend(time(self.next_update));
        let entries: Vec<Vec<u8>> =
            self.revoked.iter().map(|serial| tlv(0x30, &[integer(*serial), time(self.this_update)].concat())).collect();
        if !entries.is_empty() {
            tbs.extend(tlv(0x30, &entries.concat()));
        }
        if !self.extensions.is_empty() {
            tbs.extend(tlv(0xa0, &tlv(0x30, &self.extensions.concat())));
        }
        signed(&tbs, key)
    }
}

fn signed(tbs: &[u8], key: &Key) -> Vec<u8> {
    let tbs = tlv(0x30, tbs);
    let signature = [vec![0], key.sign(&tbs)].concat();
    tlv(0x30, &[tbs, key.algorithm(), tlv(0x03, &signature)].concat())
}

/// Tag, length, content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    der.extend_from_slice(content);
    der
}

pub(crate) fn integer(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let leading = bytes.iter().take_while(|byte| **byte == 0).count().min(3);
    let mut content = bytes[leading..].to_vec();
    if content[0] >= 0x80 {
        content.insert(0, 0);
    }
    tlv(0x02, &content)
}

/// A name of one common name, or of nothing.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    if common_name.is_empty() {
        return tlv(0x30, &[]);
    }
    let attribute = tlv(0x30, &[vec![0x06, 3, 0x55, 4, 3], tlv(0x0c, common_name.as_bytes())].concat());
    tlv(0x30, &tlv(0x31, &attribute))
}

fn time(seconds: i64) -> Vec<u8> {
    let mut days = seconds.div_euclid(DAY);
    let mut year = 1970;
    let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let mut month = 1;
    for of_month in [31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < of_month {
            break;
        }
        days -= of_month;
        month += 1;
    }
    let second = seconds.rem_euclid(DAY);
    let text = format!("{year:04}{month:02}{:02}{:02}{:02}{:02}Z", days + 1, second / 3600, second / 60 % 60, second % 60);
    if year < 2050 { tlv(0x17, &text.as_bytes()[2..]) } else { tlv(0x18, text.as_bytes()) }
}

/// An extension.
pub(crate) fn extension(identifier: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { tlv(0x01, &[0xff]) } else { Vec::new() };
    tlv(0x30, &[tlv(0x06, identifier), critical, tlv(0x04, value)].concat())
}

/// Basic constraints of an authority.
pub(crate) fn ca(path_length: Option<u32>) -> Vec<u8> {
    let length = path_length.map(integer).unwrap_or_default();
    extension(&[0x55, 0x1d, 19], true, &tlv(0x30, &[tlv(0x01, &[0xff]), length].concat()))
}

/// Basic constraints of no authority.
pub(crate) fn no_ca() -> Vec<u8> {
    extension(&[0x55, 0x1d, 19], true, &tlv(0x30, &[]))
}

/// Key usage; bits as in `certificate.rs`.
pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 15], true, &tlv(0x03, &[u8::try_from(bits.trailing_zeros()).unwrap() % 8, bits]))
}

/// Extended key usage; 1 is server, 2 is client.
pub(crate) fn extended(usages: &[u8]) -> Vec<u8> {
    let list: Vec<Vec<u8>> = usages.iter().map(|usage| tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, *usage])).collect();
    extension(&[0x55, 0x1d, 37], false, &tlv(0x30, &list.concat()))
}

pub(crate) fn any_extended() -> Vec<u8> {
    extension(&[0x55, 0x1d, 37], false, &tlv(0x30, &tlv(0x06, &[0x55, 0x1d, 37, 0])))
}

/// Subject alternative names; 0x82 is DNS, 0x86 URI, 0x87 IP.
pub(crate) fn alternative(names: &[(u8, &[u8])], critical: bool) -> Vec<u8> {
    let list: Vec<Vec<u8>> = names.iter().map(|(tag, name)| tlv(*tag, name)).collect();
    extension(&[0x55, 0x1d, 17], critical, &tlv(0x30, &list.concat()))
}

pub(crate) fn subject_key(id: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1d, 14], false, &tlv(0x04, id))
}

pub(crate) fn authority_key(id: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1d, 35], false, &tlv(0x30, &tlv(0x80, id)))
}

/// Name constraints with one permitted (0xa0) or excluded (0xa1) general name.
pub(crate) fn constraint(list: u8, general_name: &[u8]) -> Vec<u8> {
    extension(&[0x55, 0x1d, 30], true, &tlv(0x30, &tlv(list, &tlv(0x30, general_name))))
}

/// The Netscape certificate type: 0x80 is client, 0x40 is server.
pub(crate) fn netscape(bits: u8) -> Vec<u8> {
    extension(
        &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1],
        false,
        &tlv(0x03, &[u8::try_from(bits.trailing_zeros()).unwrap(), bits]),
    )
}

pub(crate) fn policies() -> Vec<u8> {
    tlv(0x30, &tlv(0x30, &tlv(0x06, &[0x2a, 3, 4, 6])))
}

pub(crate) fn critical_subject_key() -> Vec<u8> {
    extension(&[0x55, 0x1d, 14], true, &tlv(0x04, b"key"))
}

pub(crate) fn proxy() -> Vec<u8> {
    // The policy language is "inherit all".
    let policy = tlv(0x30, &tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 21, 1]));
    extension(&[0x2b, 6, 1, 5, 5, 7, 1, 14], true, &tlv(0x30, &policy))
}

/// An extension that nobody knows.
pub(crate) fn unknown(critical: bool) -> Vec<u8> {
    extension(&[0x2a, 3, 4, 5], critical, &tlv(0x0c, b"?"))
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
