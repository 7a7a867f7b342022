//! Walking the top level of a BSON document without looking into its values.
//!
//! Made for the hot path: nothing is allocated and only lengths are read. It does not validate (see [`super::validate`]), but it never
//! leaves the document's bytes. Source: the BSON specification (bsonspec.org, version 1.1).

use super::bytes::{i32_at, length, take, take_byte, take_cstring};

/// The type bytes that are told apart here.
pub(crate) mod kind {
    pub(crate) const END: u8 = 0;
    pub(crate) const DOUBLE: u8 = 1;
    pub(crate) const STRING: u8 = 2;
    pub(crate) const OBJECT: u8 = 3;
    pub(crate) const ARRAY: u8 = 4;
    pub(crate) const BINARY: u8 = 5;
    pub(crate) const UNDEFINED: u8 = 6;
    pub(crate) const OBJECT_ID: u8 = 7;
    pub(crate) const BOOL: u8 = 8;
    pub(crate) const DATE: u8 = 9;
    pub(crate) const NULL: u8 = 10;
    pub(crate) const REGEX: u8 = 11;
    pub(crate) const DB_POINTER: u8 = 12;
    pub(crate) const JAVASCRIPT: u8 = 13;
    pub(crate) const SYMBOL: u8 = 14;
    pub(crate) const JAVASCRIPT_WITH_SCOPE: u8 = 15;
    pub(crate) const INT: u8 = 16;
    pub(crate) const TIMESTAMP: u8 = 17;
    pub(crate) const LONG: u8 = 18;
    pub(crate) const DECIMAL: u8 = 19;
    pub(crate) const MAX_KEY: u8 = 127;
    pub(crate) const MIN_KEY: u8 = 255;

    /// mongod's name of a type.
    pub(crate) const fn name(kind: u8) -> &'static str {
        match kind {
            DOUBLE => "double",
            STRING => "string",
            OBJECT => "object",
            ARRAY => "array",
            BINARY => "binData",
            UNDEFINED => "undefined",
            OBJECT_ID => "objectId",
            BOOL => "bool",
            DATE => "date",
            NULL => "null",
            REGEX => "regex",
            DB_POINTER => "dbPointer",
            JAVASCRIPT => "javascript",
            SYMBOL => "symbol",
            JAVASCRIPT_WITH_SCOPE => "javascriptWithScope",
            INT => "int",
            TIMESTAMP => "timestamp",
            LONG => "long",
            DECIMAL => "decimal",
            MAX_KEY => "maxKey",
            MIN_KEY => "minKey",
            _ => "missing",
        }
    }
}

/// One element of a document, undecoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) kind: u8,
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> Element<'a> {
    /// The characters of a string, without its length and its NUL; `None` for another type.
    pub(crate) fn string(&self) -> Option<&'a [u8]> {
        if self.kind != kind::STRING {
            return None;
        }
        text(self.value)
    }

    /// The elements of a document or an array; `None` for another type.
    pub(crate) fn children(&self) -> Option<Elements<'a>> {
        matches!(self.kind, kind::OBJECT | kind::ARRAY).then(|| Elements::of(self.value))
    }
}

/// The characters of a string value, without its length and its NUL.
pub(crate) fn text(value: &[u8]) -> Option<&[u8]> {
    value.get(4..)?.split_last().filter(|(last, _)| **last == 0).map(|(_, text)| text)
}

/// The elements at the top level of a document, first to last. Ends at the end of the document or where it is malformed.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The elements of `document`, whose length is not looked at: its bytes are all there are.
    pub(crate) fn of(document: &'a [u8]) -> Self {
        Self { rest: document.get(4..).unwrap_or_default() }
    }

    /// The elements from the one that starts at `offset` of `document`.
    pub(crate) fn starting_at(document: &'a [u8], offset: usize) -> Self {
        Self { rest: document.get(offset..).unwrap_or_default() }
    }

    /// How many bytes are not walked over yet.
    pub(crate) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether a walk that has ended came to the end of the document, and did not stop at something malformed.
    pub(crate) const fn is_at_end(&self) -> bool {
        matches!(self.rest, [kind::END])
    }

    /// The element of this name, the first if there are more.
    pub(crate) fn named(mut self, name: &[u8]) -> Option<Element<'a>> {
        self.find(|element| element.name == name)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        let mut rest = self.rest;
        let kind = take_byte(&mut rest)?;
        if kind == kind::END {
            return None;
        }
        let name = take_cstring(&mut rest)?;
        let value = {
            let length = value_length(kind, rest)?;
            take(&mut rest, length)?
        };
        self.rest = rest;
        Some(Element { kind, name, value })
    }
}

/// How many bytes of `rest` the value takes; `None` when that cannot be told.
#[inline]
fn value_length(kind: u8, rest: &[u8]) -> Option<usize> {
    let counted = |extra: usize| length(i32_at(rest, 0)?)?.checked_add(extra);
    match kind {
        kind::UNDEFINED | kind::NULL | kind::MIN_KEY | kind::MAX_KEY => Some(0),
        kind::BOOL => Some(1),
        kind::INT => Some(4),
        kind::DOUBLE | kind::DATE | kind::TIMESTAMP | kind::LONG => Some(8),
        kind::OBJECT_ID => Some(12),
        kind::DECIMAL => Some(16),
        kind::STRING | kind::JAVASCRIPT | kind::SYMBOL => counted(4),
        kind::BINARY => counted(5),
        kind::DB_POINTER => counted(16),
        kind::OBJECT | kind::ARRAY | kind::JAVASCRIPT_WITH_SCOPE => counted(0).filter(|&length| length >= 5),
        kind::REGEX => {
            let mut after = rest;
            take_cstring(&mut after)?;
            take_cstring(&mut after)?;
            rest.len().checked_sub(after.len())
        }
        _ => None,
    }
}
