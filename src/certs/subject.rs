//! Subjects as text, most specific first, the way MongoDB prints user names; in a certificate they stand the other way round.
//!
//! Only what a certificate of ours can carry is taken; the rest is refused, never changed. Source: RFC 4514, section 2 and 3.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier};
use pkcs8::der::{Decode, Reader, SliceReader, Tag, Tagged};
use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString};
use rcgen::{DistinguishedName, DnType, DnValue};

use super::{CertificateError, NOT_READ};

/// The name that `text` spells, for example `CN=app,OU=clients,O=example`.
///
/// # Errors
/// [`CertificateError::Subject`] for what is no subject, and for what rcgen can not write: several values in one place, and two
/// of one type.
pub(super) fn parse(text: &str) -> Result<DistinguishedName, CertificateError> {
    let refuse = |why: String| CertificateError::Subject { text: text.to_owned(), why };
    let mut name = DistinguishedName::new();
    for part in split(text).map_err(refuse)?.iter().rev() {
        let (kind, value) = part;
        let (kind, value) = attribute(kind, value).ok_or_else(|| refuse(format!("{kind}={value} is not understood")))?;
        if name.get(&kind).is_some() {
            return Err(refuse("an attribute stands there twice".into()));
        }
        name.push(kind, value);
    }
    Ok(name)
}

/// The name of a CA as its certificate has it, to be written into others.
///
/// # Errors
/// It is none, or one that rcgen can not write.
pub(super) fn from_der(name: &[u8]) -> Result<DistinguishedName, CertificateError> {
    let parts = relative_names(name).map_err(|_| NOT_READ)?;
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        let kind = DnType::from_oid(&kind.arcs().map(u64::from).collect::<Vec<_>>());
        let text = || str::from_utf8(value.value()).map_err(|_| NOT_READ);
        let value = match value.tag() {
            Tag::Utf8String => DnValue::Utf8String(text()?.to_owned()),
            Tag::PrintableString => DnValue::PrintableString(PrintableString::try_from(text()?)?),
            Tag::Ia5String => DnValue::Ia5String(Ia5String::try_from(text()?)?),
            Tag::TeletexString => DnValue::TeletexString(TeletexString::try_from(text()?)?),
            Tag::BmpString => DnValue::BmpString(BmpString::from_utf16be(value.value().to_vec())?),
            _ => return Err(NOT_READ.into()),
        };
        if name.get(&kind).is_some() {
            return Err(NOT_READ.into());
        }
        name.push(kind, value);
    }
    Ok(name)
}

/// The types and values of a Name that has one in each place.
fn relative_names(name: &[u8]) -> pkcs8::der::Result<Vec<(ObjectIdentifier, AnyRef<'_>)>> {
    let mut parts = Vec::new();
    let name = AnyRef::from_der(name)?;
    name.tag().assert_eq(Tag::Sequence)?;
    let mut names = SliceReader::new(name.value())?;
    while !names.is_finished() {
        let set = AnyRef::decode(&mut names)?;
        set.tag().assert_eq(Tag::Set)?;
        let attribute = AnyRef::from_der(set.value())?;
        attribute.tag().assert_eq(Tag::Sequence)?;
        let mut attribute = SliceReader::new(attribute.value())?;
        parts.push((ObjectIdentifier::decode(&mut attribute)?, AnyRef::decode(&mut attribute)?));
    }
    Ok(parts)
}

/// The types and values of `text` with their escapes resolved.
fn split(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut parts = Vec::new();
    let mut rest = text.chars().peekable();
    while rest.peek().is_some() {
        let kind: String = rest.by_ref().take_while(|c| *c != '=').collect();
        let mut value = String::new();
        let mut ended = true;
        while let Some(next) = rest.next() {
            match next {
                ',' => {
                    ended = false;
                    break;
                }
                '+' => return Err("several values in one place (+) can not be written".into()),
                '\\' => value.push(rest.next().ok_or("it ends with a backslash")?),
                other => value.push(other),
            }
        }
        if kind.trim().is_empty() || value.is_empty() || (!ended && rest.peek().is_none()) {
            return Err("it wants the form CN=app,OU=clients,O=example".into());
        }
        parts.push((kind.trim().to_owned(), value));
    }
    if parts.is_empty() { Err("it is empty".into()) } else { Ok(parts) }
}

fn attribute(kind: &str, value: &str) -> Option<(DnType, DnValue)> {
    let text = || DnValue::Utf8String(value.to_owned());
    Some(match kind.to_ascii_uppercase().as_str() {
        "CN" => (DnType::CommonName, text()),
        "OU" => (DnType::OrganizationalUnitName, text()),
        "O" => (DnType::OrganizationName, text()),
        "L" => (DnType::LocalityName, text()),
        "ST" => (DnType::StateOrProvinceName, text()),
        "C" => (DnType::CountryName, DnValue::PrintableString(PrintableString::try_from(value).ok()?)),
        "DC" => (object_identifier("0.9.2342.19200300.100.1.25")?, DnValue::Ia5String(Ia5String::try_from(value).ok()?)),
        "UID" => (object_identifier("0.9.2342.19200300.100.1.1")?, text()),
        "EMAILADDRESS" => (object_identifier("1.2.840.113549.1.9.1")?, DnValue::Ia5String(Ia5String::try_from(value).ok()?)),
        dotted => (object_identifier(dotted)?, text()),
    })
}

fn object_identifier(dotted: &str) -> Option<DnType> {
    let arcs: Vec<u64> = dotted.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let valid = arcs.len() > 2 && arcs.first().is_some_and(|arc| *arc < 3) && arcs.get(1).is_some_and(|arc| *arc < 40);
    valid.then(|| DnType::from_oid(&arcs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_part_stands_last_in_the_certificate() {
        let name = parse(r"CN=a\, b,OU=clients,DC=example,2.5.4.5=7").unwrap();
        let types: Vec<_> = name.iter().map(|(kind, _)| kind.clone()).collect();
        let domain = DnType::from_oid(&[0, 9, 2342, 19_200_300, 100, 1, 25]);
        assert_eq!(types, [DnType::from_oid(&[2, 5, 4, 5]), domain, DnType::OrganizationalUnitName, DnType::CommonName]);
        assert_eq!(name.get(&DnType::CommonName), Some(&DnValue::Utf8String("a, b".into())));
    }

    #[test]
    fn the_name_of_a_certificate_is_read_as_it_was_written() {
        let key = rcgen::KeyPair::generate().unwrap();
        for text in ["CN=CA", "CN=\u{fc},OU=a b,O=example,C=DE", "2.5.4.5=7,UID=u,emailAddress=a@b,DC=example"] {
            let name = parse(text).unwrap();
            let mut parameters = rcgen::CertificateParams::default();
            parameters.distinguished_name = name.clone();
            let certificate = parameters.self_signed(&key).unwrap();
            let read = crate::x509::certificate::Certificate::parse(certificate.der()).unwrap();
            assert_eq!(from_der(read.subject_der()).unwrap(), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_read() {
        for bytes in [&[][..], &[0x30, 2, 0x31, 0], &[0x30, 5, 0x31, 3, 0x30, 1, 6], &[5, 0]] {
            assert!(from_der(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_can_not_be_written_is_refused() {
        for text in ["", "app", "CN=", "CN=a,", "CN=a+OU=b", "OU=a,OU=b", "XX=a", "9.9=a", "2.99.3=a", r"CN=a\", "=a"] {
            assert!(matches!(parse(text), Err(CertificateError::Subject { .. })), "{text}");
        }
    }
}
