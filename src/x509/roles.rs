//! The roles that a certificate carries: extension 1.3.6.1.4.1.34601.2.1.1, `SET OF SEQUENCE { role, db }`.
//!
//! mongod reads this extension with a small reader of its own, not with OpenSSL: definite lengths only, three tags, bytes after the
//! SET and elements after the second are ignored. So do we, error texts included.
//!
//! Source: fact sheet section 3.4.

use crate::error::ErrorCode;
use crate::names::RoleName;

/// The content octets of the extension's OID.
pub const ROLES_EXTENSION: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x8e\x29\x02\x01\x01";

const UTF8_STRING: u8 = 12;
const SEQUENCE: u8 = 16;
const SET: u8 = 17;

/// Why the extension is refused: the connection is closed. The text is mongod's, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolesError {
    /// Something must come and nothing does.
    #[error("buffer size too small to read (1) bytes out of buffer[0] at offset: 0")]
    Missing,
    /// A length of more octets than there are.
    #[error("Invalid advance ({octets}) past end of buffer[{left}] at offset: 2")]
    LengthOctets {
        /// How many octets the length should have.
        octets: usize,
        /// How many octets there are.
        left: usize,
    },
    /// A length that is impossible, or a last element without content.
    #[error("Invalid DER length")]
    Length,
    /// A tag of another class than universal.
    #[error("Unsupported tag class")]
    TagClass,
    /// A tag that has no place in the extension, or the wrong one of primitive and constructed.
    #[error("Unknown DER tag")]
    UnknownTag,
    /// One of the three tags in the place of another; mongod prints the tag as a character.
    #[error("Unexpected DER Tag, Got {}, Expected {expected}", char::from(*got))]
    UnexpectedTag {
        /// The number of the tag.
        got: u8,
        /// The name of the tag that must be there.
        expected: &'static str,
    },
    /// A name that is no UTF-8. mongod takes such a name and can never find a role for it; we close the connection.
    #[error("a role or database name is not UTF-8")]
    NotUtf8,
}

impl RolesError {
    /// mongod's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Missing | Self::LengthOctets { .. } => ErrorCode::Overflow,
            _ => ErrorCode::InvalidSSLConfiguration,
        }
    }
}

/// The roles in the value of the extension, in their order, each once. An empty SET is refused, but for one written with
/// an indefinite length, which has no roles.
///
/// # Errors
/// [`RolesError`], exactly where mongod closes the connection (but for [`RolesError::NotUtf8`]).
pub fn roles(extension_value: &[u8]) -> Result<Vec<RoleName>, RolesError> {
    let mut input = extension_value;
    let mut set = read(&mut input, SET, "SET")?;
    let mut roles = Vec::new();
    while !set.is_empty() {
        let mut sequence = read(&mut set, SEQUENCE, "SEQUENCE")?;
        let role = RoleName { role: read_name(&mut sequence)?, database: read_name(&mut sequence)? };
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}

fn read_name(input: &mut &[u8]) -> Result<String, RolesError> {
    let bytes = read(input, UTF8_STRING, "UTF8String")?;
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| RolesError::NotUtf8)
}

/// The content of the next element, which must have this tag; `input` moves past it.
fn read<'a>(input: &mut &'a [u8], tag: u8, name: &'static str) -> Result<&'a [u8], RolesError> {
    let (&first, rest) = input.split_first().ok_or(RolesError::Missing)?;
    if first & 0xc0 != 0 {
        return Err(RolesError::TagClass);
    }
    let constructed = first & 0x20 != 0;
    let got = first & 0x1f;
    if !matches!((got, constructed), (UTF8_STRING, false) | (SEQUENCE | SET, true)) {
        return Err(RolesError::UnknownTag);
    }
    // mongod asks for one byte more than a length needs, so nothing empty can stand at an end.
    if rest.len() < 2 {
        return Err(RolesError::Length);
    }
    let (length, rest) = length(rest)?;
    let (content, rest) = rest.split_at_checked(length).ok_or(RolesError::Length)?;
    *input = rest;
    if got == tag { Ok(content) } else { Err(RolesError::UnexpectedTag { got, expected: name }) }
}

fn length(input: &[u8]) -> Result<(usize, &[u8]), RolesError> {
    let (&first, rest) = input.split_first().ok_or(RolesError::Length)?;
    if first & 0x80 == 0 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count > 8 {
        return Err(RolesError::Length);
    }
    let (bytes, rest) = rest.split_at_checked(count).ok_or(RolesError::LengthOctets { octets: count, left: rest.len() })?;
    let length = bytes.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
    Ok((usize::try_from(length).map_err(|_| RolesError::Length)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn role(role: &[u8], database: &[u8]) -> Vec<u8> {
        tlv(0x30, &[tlv(0x0c, role), tlv(0x0c, database)].concat())
    }

    fn name(role: &str, database: &str) -> RoleName {
        RoleName { role: role.into(), database: database.into() }
    }

    #[test]
    fn roles_are_read_in_any_order_and_each_once() {
        let value = tlv(0x31, &[role(b"readWrite", b"b"), role(b"read", b"a"), role(b"readWrite", b"b")].concat());
        assert_eq!(roles(&value).unwrap(), [name("readWrite", "b"), name("read", "a")]);
    }

    #[test]
    fn what_follows_the_set_and_the_second_name_is_ignored() {
        let sequence = tlv(0x30, &[tlv(0x0c, b"r"), tlv(0x0c, b"d"), b"\x02\x01\x05".to_vec()].concat());
        let value = [tlv(0x31, &sequence), b"more".to_vec()].concat();
        assert_eq!(roles(&value).unwrap(), [name("r", "d")]);
    }

    #[test]
    fn lengths_may_be_long() {
        assert_eq!(roles(b"\x31\x81\x09\x30\x07\x0c\x01r\x0c\x82\x00\x01d").unwrap_err(), RolesError::Length);
        assert_eq!(roles(b"\x31\x81\x0a\x30\x08\x0c\x01r\x0c\x82\x00\x01d").unwrap(), [name("r", "d")]);
    }

    #[test]
    fn a_name_may_be_empty_where_something_follows_it() {
        assert_eq!(roles(&tlv(0x31, &role(b"", b"admin"))).unwrap(), [name("", "admin")]);
    }

    #[test]
    fn an_indefinite_length_counts_as_none() {
        assert_eq!(roles(&[&b"\x31\x80"[..], &role(b"root", b"admin"), b"\0\0"].concat()).unwrap(), []);
    }

    #[test]
    fn the_errors_are_mongods() {
        let cases: [(Vec<u8>, &str); 14] = [
            (b"\x31\x84\x00".to_vec(), "15 Invalid advance (4) past end of buffer[1] at offset: 2"),
            (vec![], "15 buffer size too small to read (1) bytes out of buffer[0] at offset: 0"),
            (tlv(0x31, b""), "140 Invalid DER length"),
            (tlv(0x31, &role(b"", b"")), "140 Invalid DER length"),
            (tlv(0x31, &role(b"r", b"")), "140 Invalid DER length"),
            (tlv(0x30, &role(b"r", b"d")), "140 Unexpected DER Tag, Got \u{10}, Expected SET"),
            (tlv(0x31, &tlv(0x31, b"abc")), "140 Unexpected DER Tag, Got \u{11}, Expected SEQUENCE"),
            (tlv(0x31, &tlv(0x30, &tlv(0x30, b"abc"))), "140 Unexpected DER Tag, Got \u{10}, Expected UTF8String"),
            (tlv(0x31, &tlv(0x30, &[tlv(0x13, b"r"), tlv(0x13, b"d")].concat())), "140 Unknown DER tag"),
            (tlv(0x11, &role(b"r", b"d")), "140 Unknown DER tag"),
            (tlv(0x31, &tlv(0x30, &tlv(0x0c, b"r"))), "15 buffer size too small to read (1) bytes out of buffer[0] at offset: 0"),
            (tlv(0xb1, &role(b"r", b"d")), "140 Unsupported tag class"),
            (b"\x31\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01".to_vec(), "140 Invalid DER length"),
            (b"\x31\x88\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), "140 Invalid DER length"),
        ];
        for (value, expected) in cases {
            let error = roles(&value).unwrap_err();
            assert_eq!(format!("{} {error}", error.code().code()), expected, "{value:02x?}");
        }
    }

    #[test]
    fn names_are_bytes_but_must_be_utf_8() {
        assert_eq!(roles(&tlv(0x31, &role(b"a\0b", b"d"))).unwrap(), [name("a\0b", "d")]);
        assert_eq!(roles(&tlv(0x31, &role(b"\xff", b"d"))).unwrap_err(), RolesError::NotUtf8);
    }
}
