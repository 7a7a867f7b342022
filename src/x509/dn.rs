//! Distinguished names: from DER to the text that is the user name, and to the attributes that decide membership.
//!
//! The text is never parsed again to compare names: membership compares attributes. What OpenSSL does not decode and what mongod
//! can not prepare is an error, and then there is no connection.
//!
//! Source: fact sheet section 3.3, and `dn-corpus.jsonl` (641 certificates judged by a mongod 6.0.5).

use std::borrow::Cow;

use super::attribute_type;
use super::der::{
    self, BIT_STRING, BMP_STRING, DerError, Element, IA5_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, Reader, SEQUENCE, SET,
    T61_STRING, UNIVERSAL, UNIVERSAL_STRING, UTF8_STRING,
};
use super::preparation::{self, PreparationError};
use crate::error::ErrorCode;

/// Why a Name has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnError {
    /// OpenSSL does not decode it; mongod closes the connection without a word in its log.
    #[error("the name can not be decoded: {0}")]
    Undecodable(#[from] DerError),
    /// A value that string preparation refuses.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
}

impl DnError {
    /// mongod's code for it; `None` where mongod logs nothing.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Undecodable(_) => None,
            Self::Preparation(error) => Some(error.code()),
        }
    }
}

/// What kind of string a value is, as far as it matters for comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StringType {
    /// Prepared text: among these the string type of the certificate does not matter.
    Normalised,
    /// The raw octets of another type, with its universal tag. Never equal to a normalised value.
    Raw(u32),
}

/// One type and value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attribute {
    oid: Cow<'static, [u8]>,
    string_type: StringType,
    value: Vec<u8>,
}

impl Attribute {
    pub(super) fn new(oid: Cow<'static, [u8]>, string_type: StringType, value: Vec<u8>) -> Self {
        Self { oid, string_type, value }
    }

    /// The content octets of the type's OID; empty for the few names of a DN text that have none.
    #[must_use]
    pub fn oid(&self) -> &[u8] {
        &self.oid
    }

    /// What kind of string the value is.
    #[must_use]
    pub fn string_type(&self) -> StringType {
        self.string_type
    }

    /// The value: prepared text, or raw octets.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// A name: its text and its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName {
    text: String,
    rdns: Vec<Vec<Attribute>>,
}

impl DistinguishedName {
    /// Decodes a Name element.
    ///
    /// # Errors
    /// [`DnError`], exactly where mongod closes the connection.
    pub fn from_der(name_der: &[u8]) -> Result<Self, DnError> {
        let mut outer = Reader::new(name_der);
        let name = outer.expect(UNIVERSAL, SEQUENCE)?;
        outer.end()?;
        let mut rdns = Vec::new();
        let mut sets = name.children();
        while let Some(set) = sets.next()? {
            let attributes = decode_rdn(&set)?;
            if !attributes.is_empty() {
                rdns.push(attributes);
            }
        }
        // OpenSSL decodes the whole name before mongod prepares the first value, and mongod starts at the end.
        rdns.reverse();
        let rdns = rdns.into_iter().map(|rdn| rdn.into_iter().rev().map(prepare).collect()).collect::<Result<_, _>>()?;
        Ok(Self::from_rdns(rdns))
    }

    /// `rdns` in the order of the text; none of them may be empty.
    pub(super) fn from_rdns(mut rdns: Vec<Vec<Attribute>>) -> Self {
        // Each connection keeps its client's.
        rdns.iter_mut().for_each(Vec::shrink_to_fit);
        rdns.shrink_to_fit();
        Self { text: print(&rdns), rdns }
    }

    /// The text that is the user name. It is always ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is no attribute at all: such a client has no name and can not log in by certificate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The relative names, in the order of the text.
    pub fn rdns(&self) -> impl Iterator<Item = &[Attribute]> {
        self.rdns.iter().map(Vec::as_slice)
    }

    /// All attributes, in the order of the text.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.rdns.iter().flatten()
    }
}

impl std::fmt::Display for DistinguishedName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// An attribute as decoded: not yet prepared.
struct Decoded<'a> {
    oid: &'a [u8],
    tag: u32,
    value: Cow<'a, [u8]>,
}

fn decode_rdn<'a>(set: &Element<'a>) -> Result<Vec<Decoded<'a>>, DerError> {
    if !set.is(UNIVERSAL, SET) {
        return Err(DerError::UnexpectedTag);
    }
    let mut attributes = Vec::new();
    let mut pairs = set.children();
    while let Some(pair) = pairs.next()? {
        if !pair.is(UNIVERSAL, SEQUENCE) || !pair.constructed() {
            return Err(DerError::UnexpectedTag);
        }
        let mut fields = pair.children();
        let oid = fields.expect(UNIVERSAL, OBJECT_IDENTIFIER)?.primitive()?;
        if !attribute_type::is_valid(oid) {
            return Err(DerError::Content);
        }
        let value = fields.next()?.ok_or(DerError::Truncated)?;
        fields.end()?;
        let tag = value.universal_tag().ok_or(DerError::UnexpectedTag)?;
        attributes.push(Decoded { oid, tag, value: decode_value(tag, &value)? });
    }
    Ok(attributes)
}

/// The octets that OpenSSL stores for a value, or its refusal.
fn decode_value<'a>(tag: u32, element: &Element<'a>) -> Result<Cow<'a, [u8]>, DerError> {
    const NUMERIC_STRING: u32 = 18;
    match tag {
        SEQUENCE if element.constructed() => Ok(Cow::Borrowed(element.whole())),
        UTF8_STRING => checked(element.octets()?, |octets| str::from_utf8(octets).is_ok()),
        BMP_STRING => checked(element.octets()?, is_bmp_string),
        UNIVERSAL_STRING => checked(element.octets()?, is_universal_string),
        BIT_STRING => bit_string(&element.octets()?).map(Cow::Owned),
        NUMERIC_STRING | PRINTABLE_STRING | T61_STRING | IA5_STRING => element.octets(),
        // Object descriptor, EXTERNAL, REAL and numbers without a type: "unknown" to OpenSSL, and taken.
        7 | 8 | 9 | 11 | 13 | 14 | 15 | 29 => element.octets(),
        _ => Err(DerError::UnexpectedTag),
    }
}

fn checked<'a>(octets: Cow<'a, [u8]>, is_right: impl Fn(&[u8]) -> bool) -> Result<Cow<'a, [u8]>, DerError> {
    if is_right(&octets) { Ok(octets) } else { Err(DerError::Content) }
}

/// Two bytes each, and no surrogates, not even in pairs.
fn is_bmp_string(octets: &[u8]) -> bool {
    let (units, rest) = octets.as_chunks::<2>();
    rest.is_empty() && units.iter().all(|unit| char::from_u32(u32::from(u16::from_be_bytes(*unit))).is_some())
}

fn is_universal_string(octets: &[u8]) -> bool {
    let (units, rest) = octets.as_chunks::<4>();
    rest.is_empty() && units.iter().all(|unit| char::from_u32(u32::from_be_bytes(*unit)).is_some())
}

/// The content after the octet that counts the unused bits, and those bits cleared.
fn bit_string(octets: &[u8]) -> Result<Vec<u8>, DerError> {
    let (&unused, bits) = octets.split_first().ok_or(DerError::Content)?;
    if unused > 7 {
        return Err(DerError::Content);
    }
    let mut bits = bits.to_vec();
    if let Some(last) = bits.last_mut() {
        *last &= 0xff_u8.wrapping_shl(u32::from(unused));
    }
    Ok(bits)
}

fn prepare(decoded: Decoded<'_>) -> Result<Attribute, PreparationError> {
    let oid = Cow::Owned(decoded.oid.to_vec());
    match decoded.tag {
        UTF8_STRING | PRINTABLE_STRING | T61_STRING | IA5_STRING | UNIVERSAL_STRING | BMP_STRING | der::OCTET_STRING => {
            normalised(oid, &decoded.value)
        }
        tag => Ok(Attribute::new(oid, StringType::Raw(tag), decoded.value.into_owned())),
    }
}

/// An attribute with prepared text; an empty value is left alone.
pub(super) fn normalised(oid: Cow<'static, [u8]>, value: &[u8]) -> Result<Attribute, PreparationError> {
    let value = if value.is_empty() { Vec::new() } else { preparation::prepare(value)?.into_bytes() };
    Ok(Attribute::new(oid, StringType::Normalised, value))
}

fn print(rdns: &[Vec<Attribute>]) -> String {
    let mut text = String::new();
    for (index, rdn) in rdns.iter().enumerate() {
        for (position, attribute) in rdn.iter().enumerate() {
            match (index, position) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                (..) => text.push('+'),
            }
            text.push_str(&attribute_type::print(&attribute.oid));
            text.push('=');
            print_value(&attribute.value, &mut text);
        }
    }
    text
}

fn print_value(value: &[u8], text: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let hex = |digit: u8| HEX.get(usize::from(digit & 0x0f)).copied().unwrap_or('0');
    let start = text.len();
    for (index, &byte) in value.iter().enumerate() {
        match byte {
            b' ' | b'#' if index == 0 => text.extend(['\\', char::from(byte)]),
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => text.extend(['\\', char::from(byte)]),
            0x80.. => text.extend(['\\', hex(byte >> 4), hex(byte)]),
            _ => text.push(char::from(byte)),
        }
    }
    // mongod looks at the last space only in what is longer than two bytes: "a " stays as it is.
    if text.len().saturating_sub(start) > 2 && text.ends_with(' ') {
        text.pop();
        text.push_str("\\ ");
    }
}

#[cfg(test)]
mod tests;
