//! The few fields of a certificate that we need, borrowed from its DER.
//!
//! As tolerant of BER as OpenSSL is, and strict about lengths: nothing may be left over at any level. Parsing says nothing about
//! trust; a self-made certificate parses as well as a signed one.
//!
//! Source: RFC 5280, section 4.1; fact sheet section 3.3, step 3.

use super::attribute_type;
use super::der::{BIT_STRING, BOOLEAN, CONTEXT, DerError, Element, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, UNIVERSAL};
use super::time;

/// Why bytes are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The structure is broken.
    #[error("the certificate is malformed: {0}")]
    Der(#[from] DerError),
    /// The signed part names another signature algorithm than the signature itself.
    #[error("the certificate names two signature algorithms")]
    SignatureAlgorithms,
}

/// One extension of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The content octets of the OID.
    pub oid: &'a [u8],
    /// Whether who does not understand it must refuse the certificate.
    pub critical: bool,
    /// The content of the OCTET STRING.
    pub value: &'a [u8],
}

/// A parsed certificate; it borrows from the bytes it was parsed from.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    version: u8,
    serial: &'a [u8],
    tbs_der: &'a [u8],
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
    issuer_der: &'a [u8],
    subject_der: &'a [u8],
    not_before: i64,
    not_after: i64,
    subject_public_key_info: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

impl<'a> Certificate<'a> {
    /// Reads a whole certificate.
    ///
    /// # Errors
    /// [`CertificateError`] if the structure is broken or bytes are left over. The names are not judged here, see
    /// [`DistinguishedName::from_der`](super::DistinguishedName::from_der).
    pub fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Reader::new(der);
        let certificate = outer.sequence()?;
        outer.end()?;
        let mut fields = certificate.children();
        let signed = fields.sequence()?;
        let signature_algorithm = fields.sequence()?.content();
        let signature = whole_bytes(&fields.expect(UNIVERSAL, BIT_STRING)?)?;
        fields.end()?;

        let mut fields = signed.children();
        let version = version(&mut fields)?;
        let serial = fields.expect(UNIVERSAL, INTEGER)?.primitive()?;
        if fields.sequence()?.content() != signature_algorithm {
            return Err(CertificateError::SignatureAlgorithms);
        }
        let issuer_der = fields.sequence()?.whole();
        let (not_before, not_after) = validity(&fields.sequence()?)?;
        let subject_der = fields.sequence()?.whole();
        let subject_public_key_info = fields.sequence()?.whole();
        // The unique identifiers of version 2, of no use to anyone.
        for tag in [1, 2] {
            fields.optional(CONTEXT, tag)?;
        }
        let extensions = extensions(&mut fields)?;
        fields.end()?;
        Ok(Self {
            version,
            serial,
            tbs_der: signed.whole(),
            signature_algorithm,
            signature,
            issuer_der,
            subject_der,
            not_before,
            not_after,
            subject_public_key_info,
            extensions,
        })
    }

    /// 1, 2 or 3 in every sensible certificate.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The content octets of the serial number, big-endian, two's complement.
    #[must_use]
    pub fn serial(&self) -> &'a [u8] {
        self.serial
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn tbs_der(&self) -> &'a [u8] {
        self.tbs_der
    }

    /// The content of the AlgorithmIdentifier: OID and parameters.
    #[must_use]
    pub fn signature_algorithm(&self) -> &'a [u8] {
        self.signature_algorithm
    }

    /// The bytes of the signature.
    #[must_use]
    pub fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// The issuer, the whole Name element.
    #[must_use]
    pub fn issuer_der(&self) -> &'a [u8] {
        self.issuer_der
    }

    /// The subject, the whole Name element.
    #[must_use]
    pub fn subject_der(&self) -> &'a [u8] {
        self.subject_der
    }

    /// The first second of validity, in seconds since 1970 began.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// The last second of validity, in seconds since 1970 began.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The public key, the whole SubjectPublicKeyInfo element.
    #[must_use]
    pub fn subject_public_key_info(&self) -> &'a [u8] {
        self.subject_public_key_info
    }

    /// The extensions in their order; the same OID may come twice.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> {
        self.extensions.iter().copied()
    }

    /// The value of the first extension with this OID (content octets).
    #[must_use]
    pub fn extension_value(&self, oid: &[u8]) -> Option<&'a [u8]> {
        self.extensions().find(|extension| extension.oid == oid).map(|extension| extension.value)
    }
}

fn version(fields: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(tagged) = fields.optional(CONTEXT, 0)? else { return Ok(1) };
    let mut inside = tagged.children();
    let number = inside.expect(UNIVERSAL, INTEGER)?.primitive()?;
    inside.end()?;
    match number {
        [number] => number.checked_add(1).ok_or(DerError::Content),
        _ => Err(DerError::Content),
    }
}

fn validity(element: &Element<'_>) -> Result<(i64, i64), DerError> {
    let mut dates = element.children();
    let not_before = time::unix_seconds(&dates.next()?.ok_or(DerError::Truncated)?)?;
    let not_after = time::unix_seconds(&dates.next()?.ok_or(DerError::Truncated)?)?;
    dates.end()?;
    Ok((not_before, not_after))
}

/// A BIT STRING whose length is a whole number of bytes.
fn whole_bytes<'a>(element: &Element<'a>) -> Result<&'a [u8], DerError> {
    match element.primitive()?.split_first() {
        Some((0, bytes)) => Ok(bytes),
        _ => Err(DerError::Content),
    }
}

fn extensions<'a>(fields: &mut Reader<'a>) -> Result<Vec<Extension<'a>>, DerError> {
    let Some(tagged) = fields.optional(CONTEXT, 3)? else { return Ok(Vec::new()) };
    let mut inside = tagged.children();
    let mut list = inside.sequence()?.children();
    inside.end()?;
    let mut extensions = Vec::new();
    while let Some(element) = list.next()? {
        extensions.push(extension(&element)?);
    }
    Ok(extensions)
}

fn extension<'a>(element: &Element<'a>) -> Result<Extension<'a>, DerError> {
    let mut fields = Reader::new(element.whole()).sequence()?.children();
    let oid = fields.expect(UNIVERSAL, OBJECT_IDENTIFIER)?.primitive()?;
    if !attribute_type::is_valid(oid) {
        return Err(DerError::Content);
    }
    let critical = match fields.optional(UNIVERSAL, BOOLEAN)? {
        None => false,
        Some(boolean) => match boolean.primitive()? {
            [value] => *value != 0,
            _ => return Err(DerError::Content),
        },
    };
    let value = fields.expect(UNIVERSAL, OCTET_STRING)?.primitive()?;
    fields.end()?;
    Ok(Extension { oid, critical, value })
}

#[cfg(test)]
mod tests {
    use super::super::test_data;
    use super::*;

    #[test]
    fn the_fields_are_as_openssl_prints_them() {
        let der = test_data::certificate("cn-only");
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.version(), 3);
        assert_eq!(certificate.serial(), [0x21, 0xc2, 0x21, 0xaa, 0x67, 0x30, 0xad, 0xd3]);
        assert_eq!(certificate.signature_algorithm(), b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
        assert_eq!(certificate.tbs_der(), &der[4..4 + 3 + 0xf8]);
        assert_eq!(certificate.subject_der(), b"\x30\x10\x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05alice");
        assert_eq!(certificate.subject_public_key_info()[..2], [0x30, 0x59]);
        assert_eq!(certificate.signature()[0], 0x30);
        assert_eq!((certificate.not_before(), certificate.not_after()), (1_795_214_237, 1_826_836_637));
        let extensions: Vec<_> = certificate.extensions().collect();
        assert_eq!(extensions.len(), 2);
        assert_eq!(extensions[0], Extension { oid: b"\x55\x1d\x0f", critical: true, value: b"\x03\x02\x07\x80" });
        assert!(!extensions[1].critical);
    }

    #[test]
    fn a_version_1_certificate_has_no_version_field() {
        let der = test_data::certificate("cert-v1");
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!((certificate.version(), certificate.extensions().count()), (1, 0));
    }

    #[test]
    fn nothing_may_follow_and_nothing_may_miss() {
        let mut der = test_data::certificate("cn-only");
        for length in 0..der.len() {
            assert!(Certificate::parse(&der[..length]).is_err(), "{length}");
        }
        der.push(0);
        assert_eq!(Certificate::parse(&der).unwrap_err(), CertificateError::Der(DerError::TrailingBytes));
    }

    #[test]
    fn two_signature_algorithms_are_refused() {
        let mut der = test_data::certificate("cn-only");
        let inner = der.windows(8).position(|window| window == b"\x2a\x86\x48\xce\x3d\x04\x03\x02").unwrap();
        der[inner + 7] = 3;
        assert_eq!(Certificate::parse(&der).unwrap_err(), CertificateError::SignatureAlgorithms);
    }
}
