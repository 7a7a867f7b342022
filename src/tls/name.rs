//! Distinguished names as OpenSSL compares them when it looks for an issuer.
//!
//! Not the text of a user name: that is `x509`'s. Two names are equal when their canonical forms are: strings become UTF-8, ASCII
//! letters become small, spaces at the ends go and runs of spaces become one; other types are compared as they are.
//! Source: RFC 5280 section 7.1, as OpenSSL does it; measured with `tests/certificates`.

use super::der::{Malformed, OBJECT_IDENTIFIER, Reader, SEQUENCE, SET};

/// Content of the object identifier of `commonName`.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// Content of the object identifier of `emailAddress`.
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

/// A name and what is needed to compare it.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// The DER of the whole name.
    pub(crate) der: Vec<u8>,
    /// Each RDN on its own complete, so that a prefix of RDNs is a prefix of the bytes.
    canonical: Vec<u8>,
    /// Texts of the common names, in order.
    pub(crate) common_names: Vec<String>,
    /// Texts of the `emailAddress` attributes, in order.
    pub(crate) email_addresses: Vec<String>,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Name {}

impl Name {
    /// Reads the DER of a whole `Name`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let mut name = Self::of_rdns(Reader::only(der, SEQUENCE)?.content)?;
        der.clone_into(&mut name.der);
        Ok(name)
    }

    fn of_rdns(rdns: &[u8]) -> Result<Self, Malformed> {
        let mut name = Self { der: Vec::new(), canonical: Vec::new(), common_names: Vec::new(), email_addresses: Vec::new() };
        let mut rdns = Reader(rdns);
        while !rdns.is_empty() {
            let mut attributes = Vec::new();
            let mut set = rdns.read(SET)?.inside();
            while !set.is_empty() {
                let mut attribute = set.read(SEQUENCE)?.inside();
                let kind = attribute.read(OBJECT_IDENTIFIER)?.content;
                let value = attribute.any()?;
                attribute.finish()?;
                let text = text(value.tag, value.content)?;
                let mut canonical = Vec::new();
                part(&mut canonical, kind);
                match &text {
                    Some(text) => part(&mut canonical, canonical_text(text).as_bytes()),
                    None => part(&mut canonical, value.whole),
                }
                canonical.push(u8::from(text.is_some()));
                attributes.push(canonical);
                if let Some(text) = text {
                    match kind {
                        COMMON_NAME => name.common_names.push(text),
                        EMAIL_ADDRESS => name.email_addresses.push(text),
                        _ => {}
                    }
                }
            }
            attributes.sort_unstable();
            part(&mut name.canonical, &attributes.concat());
        }
        Ok(name)
    }

    /// Whether there is no RDN at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    /// Whether this name begins with all RDNs of `base`.
    pub(crate) fn is_within(&self, base: &Self) -> bool {
        self.canonical.starts_with(&base.canonical)
    }
}

/// Appends `bytes` with their length before them, so that no two lists of parts look the same.
fn part(canonical: &mut Vec<u8>, bytes: &[u8]) {
    canonical.extend_from_slice(&bytes.len().to_be_bytes());
    canonical.extend_from_slice(bytes);
}

/// The text of a string type; `None` for every type that is compared as it is.
pub(crate) fn text(tag: u8, content: &[u8]) -> Result<Option<String>, Malformed> {
    let characters = |values: Option<Vec<char>>| values.map(|values| Some(values.into_iter().collect())).ok_or(Malformed);
    match tag {
        // UTF8String.
        0x0c => String::from_utf8(content.to_vec()).map(Some).map_err(|_| Malformed),
        // PrintableString, T61String, IA5String, VisibleString: one byte is one character, as OpenSSL reads them.
        0x13 | 0x14 | 0x16 | 0x1a => Ok(Some(content.iter().map(|byte| char::from(*byte)).collect())),
        // BMPString.
        0x1e if content.len().is_multiple_of(2) => characters(
            content.as_chunks::<2>().0.iter().map(|unit| char::from_u32(u32::from(u16::from_be_bytes(*unit)))).collect(),
        ),
        // UniversalString.
        0x1c if content.len().is_multiple_of(4) => {
            characters(content.as_chunks::<4>().0.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect())
        }
        0x1c | 0x1e => Err(Malformed),
        _ => Ok(None),
    }
}

fn canonical_text(text: &str) -> String {
    let words: Vec<&str> = text.split([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn attribute(tag: u8, value: &[u8]) -> Vec<u8> {
        let mut der = vec![0x06, 3, 0x55, 4, 3, tag, value.len() as u8];
        der.extend_from_slice(value);
        der.splice(0..0, [0x30, der.len() as u8]);
        der
    }

    fn name(rdns: &[&[Vec<u8>]]) -> Name {
        let mut content = Vec::new();
        for rdn in rdns {
            let set = rdn.concat();
            content.extend_from_slice(&[0x31, set.len() as u8]);
            content.extend_from_slice(&set);
        }
        content.splice(0..0, [0x30, content.len() as u8]);
        Name::parse(&content).unwrap()
    }

    #[test]
    fn case_spaces_and_string_type_do_not_matter() {
        let plain = name(&[&[attribute(0x13, b"The  CA ")]]);
        assert_eq!(plain, name(&[&[attribute(0x0c, b"the ca")]]));
        assert_eq!(plain, name(&[&[attribute(0x1e, b"\0T\0h\0e\0 \0c\0a")]]));
        assert_ne!(plain, name(&[&[attribute(0x0c, b"theca")]]));
    }

    #[test]
    fn a_type_that_is_no_string_equals_only_itself() {
        assert_ne!(name(&[&[attribute(0x12, b"1")]]), name(&[&[attribute(0x13, b"1")]]));
    }

    #[test]
    fn the_order_inside_an_rdn_does_not_matter_and_between_rdns_it_does() {
        let (a, b) = (attribute(0x0c, b"a"), attribute(0x0c, b"b"));
        assert_eq!(name(&[&[a.clone(), b.clone()]]), name(&[&[b.clone(), a.clone()]]));
        assert_ne!(name(&[from_ref(&a), from_ref(&b)]), name(&[&[b], &[a]]));
    }

    #[test]
    fn within_means_whole_rdns() {
        let (a, b) = (attribute(0x0c, b"a"), attribute(0x0c, b"ab"));
        let long = name(&[from_ref(&a), from_ref(&b)]);
        assert!(long.is_within(&name(&[from_ref(&a)])));
        assert!(long.is_within(&name(&[])));
        assert!(!long.is_within(&name(&[&[b]])));
        assert!(!name(&[&[a]]).is_within(&long));
    }
}
