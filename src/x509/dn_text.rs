//! Distinguished names written by a person: the parser of RFC 4514 text that mongod has, with its own leniencies.
//!
//! Used for options (`tlsX509ClusterAuthDNOverride`, `net.tls.clusterAuthX509.attributes`) and for names given to `createUser`,
//! never to compare the names of certificates.
//!
//! Source: fact sheet section 4.2; order of checks and all texts were tried on a mongod 6.0.5.

use super::attribute_type;
use super::dn::{self, Attribute, DistinguishedName};
use super::preparation::PreparationError;
use crate::error::ErrorCode;

/// Why a text is no DN, in mongod's words. A byte that is not ASCII is shown as U+FFFD, where mongod shows the bare byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnTextError {
    /// The text ends where something must come.
    #[error("Overflowed string while parsing DN string")]
    Overflow,
    /// An attribute type begins with neither a digit nor a letter.
    #[error("DN attribute names must begin with either a digit or an alpha not '{0}'")]
    NameStart(char),
    /// A character that can not be in an attribute type.
    #[error("DN attribute name contains an invalid character '{0}'")]
    NameCharacter(char),
    /// Neither a name that OpenSSL knows nor an OID.
    #[error("DN contained an unknown OID (None)")]
    UnknownType,
    /// A value in the `#hex` form.
    #[error("Raw DER sequences are not supported in DN strings")]
    RawDer,
    /// A character that must be escaped.
    #[error("Found unescaped character that should be escaped: '{0}'")]
    Unescaped(char),
    /// A backslash before something that needs none.
    #[error("Invalid escaped character '{0}'")]
    Escaped(char),
    /// One hexadecimal digit without the other.
    #[error("Escaped hex value contains invalid character '{0}'")]
    Hex(char),
    /// A value that string preparation refuses.
    #[error(transparent)]
    Preparation(#[from] PreparationError),
    /// Nothing in it can make a cluster member.
    #[error("Cluster member DN's must contain at least one O, OU, or DC component")]
    NoClusterAttribute,
    /// An empty text where it would make everyone a member; the words are ours.
    #[error("DN must contain at least one attribute")]
    Empty,
}

impl DnTextError {
    /// mongod's code for it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Overflow => ErrorCode::Location(51036),
            Self::Preparation(error) => error.code(),
            _ => ErrorCode::BadValue,
        }
    }
}

impl DistinguishedName {
    /// Parses a text as mongod does. An empty text is the empty name.
    ///
    /// # Errors
    /// [`DnTextError`], the first in the order in which mongod looks.
    pub fn from_text(text: &str) -> Result<Self, DnTextError> {
        let rdns = Parser { rest: text.as_bytes() }.parse()?;
        let prepare = |rdn: Vec<Pair>| rdn.into_iter().map(|(oid, value)| dn::normalised(oid, &value)).collect();
        let rdns = rdns.into_iter().map(prepare).collect::<Result<Vec<Vec<Attribute>>, PreparationError>>()?;
        Ok(Self::from_rdns(rdns))
    }
}

type Pair = (std::borrow::Cow<'static, [u8]>, Vec<u8>);

struct Parser<'a> {
    rest: &'a [u8],
}

enum Separator {
    Comma,
    Plus,
    End,
}

impl Parser<'_> {
    fn parse(mut self) -> Result<Vec<Vec<Pair>>, DnTextError> {
        let mut rdns = Vec::new();
        let mut rdn = Vec::new();
        // A separator at the very end is fine: nothing has to follow it.
        while !self.rest.is_empty() {
            self.skip_spaces();
            let name = self.attribute_name()?;
            let oid = attribute_type::parse(&name).ok_or(DnTextError::UnknownType)?;
            let (value, separator) = self.value()?;
            rdn.push((oid, value));
            if !matches!(separator, Separator::Plus) {
                rdns.push(std::mem::take(&mut rdn));
            }
        }
        if !rdn.is_empty() {
            rdns.push(rdn);
        }
        Ok(rdns)
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn skip_spaces(&mut self) {
        while let Some(rest) = self.rest.strip_prefix(b" ") {
            self.rest = rest;
        }
    }

    /// Up to `=` or to the end of the text; spaces inside are dropped.
    fn attribute_name(&mut self) -> Result<String, DnTextError> {
        let first = *self.rest.first().ok_or(DnTextError::Overflow)?;
        let is_allowed = match first {
            b'0'..=b'9' => |byte: u8| byte.is_ascii_digit() || byte == b'.',
            byte if byte.is_ascii_alphabetic() => |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-',
            byte => return Err(DnTextError::NameStart(shown(byte))),
        };
        let mut name = String::new();
        while let Some(byte) = self.next() {
            match byte {
                b'=' => break,
                b' ' => {}
                byte if is_allowed(byte) => name.push(char::from(byte)),
                byte => return Err(DnTextError::NameCharacter(shown(byte))),
            }
        }
        Ok(name)
    }

    /// Leading spaces are skipped, trailing ones kept.
    fn value(&mut self) -> Result<(Vec<u8>, Separator), DnTextError> {
        self.skip_spaces();
        match self.rest.first() {
            None => return Err(DnTextError::Overflow),
            Some(b'#') => return Err(DnTextError::RawDer),
            Some(_) => {}
        }
        let mut value = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b',' => return Ok((value, Separator::Comma)),
                b'+' => return Ok((value, Separator::Plus)),
                b'"' | b'<' | b'>' | b';' => return Err(DnTextError::Unescaped(shown(byte))),
                b'\\' => value.push(self.escaped()?),
                byte => value.push(byte),
            }
        }
        Ok((value, Separator::End))
    }

    /// What follows a backslash. mongod reads a NUL past the end, and says so.
    fn escaped(&mut self) -> Result<u8, DnTextError> {
        let first = self.next().unwrap_or(0);
        if matches!(first, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' | b'=' | b'#' | b' ') {
            return Ok(first);
        }
        let high = hex_digit(first).ok_or_else(|| DnTextError::Escaped(shown(first)))?;
        let second = self.next().unwrap_or(0);
        let low = hex_digit(second).ok_or_else(|| DnTextError::Hex(shown(second)))?;
        Ok(high << 4 | low)
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn shown(byte: u8) -> char {
    if byte.is_ascii() { char::from(byte) } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests;
