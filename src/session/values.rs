//! Small readings of BSON values that several commands share: mongod's names of types, its idea of true, its numbers.
//!
//! Source: a mongod 6.0.5.

use bson::raw::{RawBsonRef, RawDocument, RawElement};
use bson::spec::ElementType;

use crate::error::{CommandError, ErrorCode};

/// mongod's name of a BSON type, as its error texts use it.
pub(super) const fn type_name(element_type: ElementType) -> &'static str {
    match element_type {
        ElementType::Double => "double",
        ElementType::String => "string",
        ElementType::EmbeddedDocument => "object",
        ElementType::Array => "array",
        ElementType::Binary => "binData",
        ElementType::Undefined => "undefined",
        ElementType::ObjectId => "objectId",
        ElementType::Boolean => "bool",
        ElementType::DateTime => "date",
        ElementType::Null => "null",
        ElementType::RegularExpression => "regex",
        ElementType::DbPointer => "dbPointer",
        ElementType::JavaScriptCode => "javascript",
        ElementType::Symbol => "symbol",
        ElementType::JavaScriptCodeWithScope => "javascriptWithScope",
        ElementType::Int32 => "int",
        ElementType::Timestamp => "timestamp",
        ElementType::Int64 => "long",
        ElementType::Decimal128 => "decimal",
        ElementType::MinKey => "minKey",
        ElementType::MaxKey => "maxKey",
    }
}

/// A value that can not be read, although the message was checked when it was taken apart.
pub(super) fn malformed() -> CommandError {
    CommandError::new(ErrorCode::InvalidBSON, "Invalid BSON in the command")
}

/// The elements of a document, keys with their types; values are decoded only when asked for.
pub(super) fn elements(document: &RawDocument) -> impl Iterator<Item = Result<RawElement<'_>, CommandError>> {
    document.iter_elements().map(|element| element.map_err(|_| malformed()))
}

/// The element `name`, if the document has it. What can not be read counts as absent.
pub(super) fn element<'a>(document: &'a RawDocument, name: &str) -> Option<RawElement<'a>> {
    document.iter_elements().filter_map(Result::ok).find(|element| element.key().as_str() == name)
}

/// The value of `name`; `None` also for null, as mongod's argument parser sees it.
pub(super) fn value<'a>(document: &'a RawDocument, name: &str) -> Option<RawBsonRef<'a>> {
    element(document, name)?.value().ok().filter(|value| !matches!(value, RawBsonRef::Null | RawBsonRef::Undefined))
}

/// The string at `name`.
pub(super) fn text<'a>(document: &'a RawDocument, name: &str) -> Option<&'a str> {
    value(document, name)?.as_str()
}

/// The document at `name`.
pub(super) fn document<'a>(document: &'a RawDocument, name: &str) -> Option<&'a RawDocument> {
    value(document, name)?.as_document()
}

/// What mongod takes for true: everything but false, null and the number zero.
pub(super) fn is_true(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Null | RawBsonRef::Undefined => false,
        RawBsonRef::Boolean(value) => value,
        other => number(other) != Some(0.0),
    }
}

/// A number of any type as a double; `None` for what is no number.
pub(super) fn number(value: RawBsonRef<'_>) -> Option<f64> {
    match value {
        RawBsonRef::Int32(value) => Some(f64::from(value)),
        #[expect(clippy::as_conversions, reason = "the nearest double is what is asked for")]
        RawBsonRef::Int64(value) => Some(value as f64),
        RawBsonRef::Double(value) => Some(value),
        RawBsonRef::Decimal128(value) => value.to_string().parse().ok(),
        _ => None,
    }
}

/// A number of any type as an integer, its fraction cut off and its range kept to that of a long.
pub(super) fn integer(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(value) => Some(i64::from(value)),
        RawBsonRef::Int64(value) => Some(value),
        #[expect(clippy::as_conversions, reason = "`as` saturates, which is what mongod does")]
        other => number(other).map(|value| value as i64),
    }
}
