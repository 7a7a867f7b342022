//! A reader of BER and DER elements that takes what OpenSSL takes: long-form lengths, indefinite lengths, constructed strings.
//!
//! It never reads past its input and never recurses deeper than OpenSSL's limit. What an element means is for the caller to judge.
//!
//! Source: X.690; fact sheet section 3.3, step 3 (the quirks were measured).

use std::borrow::Cow;

pub(super) const UNIVERSAL: u8 = 0;
pub(super) const CONTEXT: u8 = 2;

pub(super) const BOOLEAN: u32 = 1;
pub(super) const INTEGER: u32 = 2;
pub(super) const BIT_STRING: u32 = 3;
pub(super) const OCTET_STRING: u32 = 4;
pub(super) const OBJECT_IDENTIFIER: u32 = 6;
pub(super) const UTF8_STRING: u32 = 12;
pub(super) const SEQUENCE: u32 = 16;
pub(super) const SET: u32 = 17;
pub(super) const PRINTABLE_STRING: u32 = 19;
pub(super) const T61_STRING: u32 = 20;
pub(super) const IA5_STRING: u32 = 22;
pub(super) const UTC_TIME: u32 = 23;
pub(super) const GENERALIZED_TIME: u32 = 24;
pub(super) const UNIVERSAL_STRING: u32 = 28;
pub(super) const BMP_STRING: u32 = 30;

/// How deep constructed strings may nest, as in OpenSSL.
const STRING_NESTING: u8 = 5;

/// Why bytes are no BER element, or not the one that must stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The input ends inside an element, or an element is longer than what holds it.
    #[error("an element ends early")]
    Truncated,
    /// A length that can not be: too large, or indefinite on a primitive element.
    #[error("an element has an impossible length")]
    Length,
    /// Another type of element must stand here.
    #[error("an element of another type is expected")]
    UnexpectedTag,
    /// An end-of-contents mark where nothing of indefinite length is open, or none where it must be.
    #[error("a misplaced or missing end-of-contents mark")]
    EndOfContents,
    /// Bytes are left after the last element.
    #[error("bytes are left after the last element")]
    TrailingBytes,
    /// The content of an element breaks the rules of its type.
    #[error("the content of an element is malformed")]
    Content,
}

/// One element: what its header says, and its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    class: u8,
    constructed: bool,
    tag: u32,
    /// Whether an end-of-contents mark follows the content.
    marked: bool,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The number of a universal tag, `None` for the other classes.
    pub(super) fn universal_tag(&self) -> Option<u32> {
        (self.class == UNIVERSAL).then_some(self.tag)
    }

    pub(super) fn is(&self, class: u8, tag: u32) -> bool {
        self.class == class && self.tag == tag
    }

    pub(super) fn constructed(&self) -> bool {
        self.constructed
    }

    /// The content octets; without the end-of-contents mark if the length is indefinite.
    pub(super) fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Header, content and end-of-contents mark.
    pub(super) fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The elements inside.
    pub(super) fn children(&self) -> Reader<'a> {
        Reader { rest: self.content, marked: self.marked }
    }

    /// The content of a primitive element.
    pub(super) fn primitive(&self) -> Result<&'a [u8], DerError> {
        if self.constructed { Err(DerError::UnexpectedTag) } else { Ok(self.content) }
    }

    /// The octets of a string: the content, or, of a constructed string, those of its parts joined.
    pub(super) fn octets(&self) -> Result<Cow<'a, [u8]>, DerError> {
        if !self.constructed {
            return Ok(Cow::Borrowed(self.content));
        }
        let mut octets = Vec::new();
        join_parts(self.children(), STRING_NESTING, &mut octets)?;
        Ok(Cow::Owned(octets))
    }
}

/// OpenSSL looks at the nesting of the parts, not at their tags.
fn join_parts(mut parts: Reader<'_>, depth: u8, octets: &mut Vec<u8>) -> Result<(), DerError> {
    while let Some(part) = parts.next()? {
        if part.constructed {
            join_parts(part.children(), depth.checked_sub(1).ok_or(DerError::Length)?, octets)?;
        } else {
            octets.extend_from_slice(part.content);
        }
    }
    Ok(())
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Whether an end-of-contents mark follows the input.
    marked: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, marked: false }
    }

    /// The next element, `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>, DerError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.rest.starts_with(&[0, 0]) {
            return Err(DerError::EndOfContents);
        }
        let start = self.rest;
        let (header, after_header) = Header::read(start, self.marked)?;
        let (content, after) = match header.length {
            Some(length) => after_header.split_at_checked(length).ok_or(DerError::Truncated)?,
            None => split_at_end_of_contents(after_header)?,
        };
        self.rest = after;
        let whole = before(start, after);
        let Header { class, constructed, tag, length } = header;
        Ok(Some(Element { class, constructed, tag, marked: length.is_none(), content, whole }))
    }

    /// The next element, which must be there and be of this class and tag.
    pub(super) fn expect(&mut self, class: u8, tag: u32) -> Result<Element<'a>, DerError> {
        let element = self.next()?.ok_or(DerError::Truncated)?;
        if element.is(class, tag) { Ok(element) } else { Err(DerError::UnexpectedTag) }
    }

    /// The next SEQUENCE; a primitive one is refused.
    pub(super) fn sequence(&mut self) -> Result<Element<'a>, DerError> {
        let element = self.expect(UNIVERSAL, SEQUENCE)?;
        if element.constructed { Ok(element) } else { Err(DerError::UnexpectedTag) }
    }

    /// The next element if it is of this class and tag; else it stays.
    pub(super) fn optional(&mut self, class: u8, tag: u32) -> Result<Option<Element<'a>>, DerError> {
        let mut ahead = *self;
        let element = ahead.next()?.filter(|element| element.is(class, tag));
        if element.is_some() {
            *self = ahead;
        }
        Ok(element)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::TrailingBytes) }
    }
}

struct Header {
    class: u8,
    constructed: bool,
    tag: u32,
    /// `None`: indefinite.
    length: Option<usize>,
}

impl Header {
    fn read(input: &[u8], marked: bool) -> Result<(Self, &[u8]), DerError> {
        let (&first, rest) = input.split_first().ok_or(DerError::Truncated)?;
        let constructed = first & 0x20 != 0;
        let (tag, rest) = match first & 0x1f {
            0x1f => long_tag(rest)?,
            short => (u32::from(short), rest),
        };
        let (length, rest) = length(rest, marked)?;
        if length.is_none() && !constructed {
            return Err(DerError::Length);
        }
        Ok((Self { class: first >> 6, constructed, tag, length }, rest))
    }
}

fn long_tag(mut input: &[u8]) -> Result<(u32, &[u8]), DerError> {
    let mut tag: u32 = 0;
    loop {
        let (&byte, rest) = input.split_first().ok_or(DerError::Truncated)?;
        tag = tag.checked_mul(128).ok_or(DerError::Length)? | u32::from(byte & 0x7f);
        input = rest;
        if byte & 0x80 == 0 {
            return Ok((tag, input));
        }
    }
}

/// Leading zeros are fine; with the long form at least one byte must follow the length, a quirk of OpenSSL. The mark counts.
fn length(input: &[u8], marked: bool) -> Result<(Option<usize>, &[u8]), DerError> {
    let (&first, rest) = input.split_first().ok_or(DerError::Truncated)?;
    if first == 0x80 {
        return Ok((None, rest));
    }
    if first & 0x80 == 0 {
        return Ok((Some(usize::from(first)), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(DerError::Truncated)?;
    if rest.is_empty() && !marked {
        return Err(DerError::Truncated);
    }
    let mut length: usize = 0;
    for &byte in bytes {
        length = length.checked_mul(256).ok_or(DerError::Length)? | usize::from(byte);
    }
    Ok((Some(length), rest))
}

/// The content of an element of indefinite length, and what follows its mark. Without recursion, whatever is nested inside.
fn split_at_end_of_contents(input: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    let mut rest = input;
    let mut nested: usize = 0;
    loop {
        if let Some(after) = rest.strip_prefix(&[0, 0]) {
            let Some(outer) = nested.checked_sub(1) else {
                return Ok((before(input, rest), after));
            };
            nested = outer;
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return Err(DerError::EndOfContents);
        }
        let (header, after_header) = Header::read(rest, false)?;
        rest = match header.length {
            Some(length) => after_header.get(length..).ok_or(DerError::Truncated)?,
            None => {
                nested = nested.saturating_add(1);
                after_header
            }
        };
    }
}

/// What of `input` was read when `rest` is left of it.
fn before<'a>(input: &'a [u8], rest: &[u8]) -> &'a [u8] {
    input.get(..input.len().saturating_sub(rest.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(input: &[u8]) -> Result<Element<'_>, DerError> {
        Reader::new(input).next().map(|element| element.expect("an element"))
    }

    #[test]
    fn lengths_may_be_written_long_and_with_leading_zeros() {
        for input in [
            &b"\x0c\x01a"[..],
            b"\x0c\x81\x01a",
            b"\x0c\x84\x00\x00\x00\x01a",
            b"\x0c\x89\0\0\0\0\0\0\0\0\x01a",
            b"\x1f\x0c\x01a",
        ] {
            let element = one(input).unwrap();
            assert_eq!((element.universal_tag(), element.content(), element.whole()), (Some(UTF8_STRING), &b"a"[..], input));
        }
    }

    #[test]
    fn an_indefinite_length_ends_at_its_own_mark() {
        let input = b"\x30\x80\x30\x80\x0c\x02\0\0\0\0\x02\x01\x05\0\0rest";
        let element = one(input).unwrap();
        assert_eq!(element.content(), b"\x30\x80\x0c\x02\0\0\0\0\x02\x01\x05");
        assert_eq!(element.whole(), &input[..15]);
    }

    #[test]
    fn an_empty_long_length_needs_something_after_it_be_it_a_mark() {
        assert_eq!(one(b"\x30\x03\x31\x81\x00").unwrap().children().next().unwrap_err(), DerError::Truncated);
        assert!(one(b"\x30\x80\x31\x81\x00\0\0").unwrap().children().next().unwrap().is_some());
    }

    #[test]
    fn what_is_no_element_is_refused() {
        let cases: [(&[u8], DerError); 9] = [
            (b"\x0c", DerError::Truncated),
            (b"\x0c\x02a", DerError::Truncated),
            (b"\x0c\x82\x01", DerError::Truncated),
            (b"\x0c\x81\x00", DerError::Truncated),
            (b"\x0c\x89\x01\0\0\0\0\0\0\0\0a", DerError::Length),
            (b"\x0c\x80a\0\0", DerError::Length),
            (b"\x30\x80\x0c\x01a", DerError::EndOfContents),
            (b"\0\0", DerError::EndOfContents),
            (b"\x1f\xff\xff\xff\xff\xff\x01\0", DerError::Length),
        ];
        for (input, error) in cases {
            assert_eq!(one(input).unwrap_err(), error, "{input:02x?}");
        }
    }

    #[test]
    fn the_parts_of_a_constructed_string_are_joined_down_to_the_limit() {
        assert_eq!(one(b"\x2c\x08\x0c\x01a\x2c\x03\x0c\x01b").unwrap().octets().unwrap().as_ref(), b"ab");
        let nested =
            |depth: usize| (0..depth).fold(b"\x0c\x01a".to_vec(), |inner, _| [&[0x2c, inner.len() as u8], &inner[..]].concat());
        assert_eq!(one(&nested(6)).unwrap().octets().unwrap().as_ref(), b"a");
        assert_eq!(one(&nested(7)).unwrap().octets().unwrap_err(), DerError::Length);
    }

    #[test]
    fn an_optional_element_stays_when_it_is_another() {
        let mut reader = Reader::new(b"\x02\x01\x05");
        assert!(reader.optional(CONTEXT, 0).unwrap().is_none());
        assert_eq!(reader.end(), Err(DerError::TrailingBytes));
        assert_eq!(reader.expect(UNIVERSAL, INTEGER).unwrap().content(), b"\x05");
        assert_eq!(reader.end(), Ok(()));
    }
}
