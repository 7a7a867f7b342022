//! Checks of command arguments, with mongod's texts: a field's type, a missing field, an unknown field.
//!
//! mongod walks the fields in the order in which they were sent and stops at the first error; required fields are looked for
//! afterwards, in the order of their declaration. Null stands for an absent field. Source: a mongod 6.0.5, and the corpus of
//! handshake cases.

use bson::raw::{RawBsonRef, RawDocument, RawElement};
use bson::spec::{BinarySubtype, ElementType};

use super::values::{elements, malformed, type_name};
use crate::error::{CommandError, ErrorCode};
use crate::wire::command::is_generic_argument;

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    /// true or false only.
    Bool,
    /// A boolean or any number.
    BoolOrNumber,
    /// A 32-bit integer only.
    Int,
    /// A 64-bit integer only.
    Long,
    Number,
    Object,
    ObjectId,
    /// UUID: binary subtype 4.
    Uuid,
    /// Binary of any subtype.
    Binary,
    /// A SASL payload: binary subtype 0, or base64 text.
    Payload,
    /// A string or a document, and null is neither.
    StringOrObject,
    /// An array of strings; null is refused in a way of its own.
    Strings,
    /// A number of milliseconds that is not negative.
    Milliseconds,
}

/// A field that a command, or a document inside it, knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// For a document: the fields inside, nothing else being allowed there.
    pub(super) inside: &'static [Self],
}

impl Field {
    pub(super) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false, inside: &[] }
    }

    pub(super) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: true, inside: &[] }
    }

    /// A document with exactly these fields inside.
    pub(super) const fn document(name: &'static str, inside: &'static [Self]) -> Self {
        Self { name, kind: Kind::Object, required: false, inside }
    }
}

/// What becomes of a field that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    Refused,
    Ignored,
}

/// Checks the arguments of a command; its first element is the command itself and is not looked at. `path` is how mongod's
/// texts call the command.
pub(super) fn check_command(path: &str, body: &RawDocument, fields: &[Field], unknown: Unknown) -> Result<(), CommandError> {
    for element in elements(body).skip(1) {
        let element = element?;
        let name = element.key().as_str();
        match fields.iter().find(|field| field.name == name) {
            Some(field) => check_field(path, &element, field)?,
            None if unknown == Unknown::Ignored || is_generic_argument(name.as_bytes()) => {}
            None => return Err(unknown_field(path, name)),
        }
    }
    require(path, body, fields)
}

/// Checks a document that has these fields and no others.
pub(super) fn check_document(path: &str, document: &RawDocument, fields: &[Field]) -> Result<(), CommandError> {
    for element in elements(document) {
        let element = element?;
        let name = element.key().as_str();
        let field = fields.iter().find(|field| field.name == name).ok_or_else(|| unknown_field(path, name))?;
        check_field(path, &element, field)?;
    }
    require(path, document, fields)
}

fn check_field(path: &str, element: &RawElement<'_>, field: &Field) -> Result<(), CommandError> {
    let found = element.element_type();
    let null_is_absent = !matches!(field.kind, Kind::Payload | Kind::StringOrObject | Kind::Strings);
    if null_is_absent && matches!(found, ElementType::Null | ElementType::Undefined) {
        return Ok(());
    }
    match field.kind {
        Kind::Payload => return check_payload(element),
        Kind::Strings => return check_strings(path, element, field),
        _ => {}
    }
    let accepted = accepted_types(field.kind);
    if !accepted.contains(&found) {
        return Err(wrong_type(&format!("{path}.{}", field.name), found, accepted));
    }
    let value = element.value().map_err(|_| malformed())?;
    match (field.kind, value) {
        (Kind::Object, RawBsonRef::Document(inside)) if !field.inside.is_empty() => {
            check_document(&format!("{path}.{}", field.name), inside, field.inside)
        }
        (Kind::Uuid, RawBsonRef::Binary(binary)) => check_uuid(path, field.name, binary.subtype, binary.bytes.len()),
        (Kind::Milliseconds, value) => match super::values::integer(value) {
            Some(number) if number < 0 => Err(CommandError::new(
                ErrorCode::Location(51024),
                format!("BSON field '{}' value must be >= 0, actual value '{number}'", field.name),
            )),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

const fn accepted_types(kind: Kind) -> &'static [ElementType] {
    match kind {
        Kind::String => &[ElementType::String],
        Kind::Bool => &[ElementType::Boolean],
        Kind::BoolOrNumber => {
            &[ElementType::Boolean, ElementType::Int64, ElementType::Int32, ElementType::Decimal128, ElementType::Double]
        }
        Kind::Int => &[ElementType::Int32],
        Kind::Long => &[ElementType::Int64],
        Kind::Number | Kind::Milliseconds => {
            &[ElementType::Int64, ElementType::Int32, ElementType::Decimal128, ElementType::Double]
        }
        Kind::Object => &[ElementType::EmbeddedDocument],
        Kind::ObjectId => &[ElementType::ObjectId],
        Kind::Uuid | Kind::Binary => &[ElementType::Binary],
        Kind::StringOrObject => &[ElementType::String, ElementType::EmbeddedDocument],
        Kind::Payload | Kind::Strings => &[],
    }
}

fn check_payload(element: &RawElement<'_>) -> Result<(), CommandError> {
    let bad = |text: String| Err(CommandError::new(ErrorCode::BadValue, text));
    match element.value().map_err(|_| malformed())? {
        RawBsonRef::Binary(binary) if binary.subtype == BinarySubtype::Generic => Ok(()),
        RawBsonRef::Binary(binary) => {
            let subtype = subtype_name(binary.subtype);
            bad(format!("Invalid SASLPayload subtype. Expected BinDataGeneral, got: {subtype}"))
        }
        RawBsonRef::String(text) => super::sasl::decode_base64(text).map(|_| ()),
        other => bad(format!("Invalid SASLPayload type. Expected Base64 or BinData, got: {}", type_name(other.element_type()))),
    }
}

fn check_strings(path: &str, element: &RawElement<'_>, field: &Field) -> Result<(), CommandError> {
    let path = format!("{path}.{}", field.name);
    match element.value().map_err(|_| malformed())? {
        RawBsonRef::Array(array) => {
            for (index, item) in array.iter_elements().enumerate() {
                let found = item.map_err(|_| malformed())?.element_type();
                if found != ElementType::String {
                    return Err(wrong_type(&format!("{path}.{index}"), found, &[ElementType::String]));
                }
            }
            Ok(())
        }
        RawBsonRef::Null => {
            Err(CommandError::new(ErrorCode::Location(10065), format!("invalid parameter: expected an object ({})", field.name)))
        }
        other => Err(wrong_type(&path, other.element_type(), &[ElementType::Array])),
    }
}

fn check_uuid(path: &str, name: &str, subtype: BinarySubtype, length: usize) -> Result<(), CommandError> {
    if subtype != BinarySubtype::Uuid {
        let found = subtype_name(subtype);
        return Err(CommandError::new(
            ErrorCode::TypeMismatch,
            format!("BSON field '{path}.{name}' is the wrong binData type '{found}', expected type 'UUID'"),
        ));
    }
    if length == 16 {
        return Ok(());
    }
    Err(CommandError::new(ErrorCode::InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype"))
}

const fn subtype_name(subtype: BinarySubtype) -> &'static str {
    match subtype {
        BinarySubtype::Generic => "general",
        BinarySubtype::Function => "function",
        BinarySubtype::BinaryOld => "binary (old)",
        BinarySubtype::UuidOld => "UUID (old)",
        BinarySubtype::Uuid => "UUID",
        BinarySubtype::Md5 => "MD5",
        BinarySubtype::Encrypted => "encrypt",
        BinarySubtype::Column => "column",
        _ => "userDefined",
    }
}

fn require(path: &str, document: &RawDocument, fields: &[Field]) -> Result<(), CommandError> {
    let missing = fields.iter().filter(|field| field.required).find(|field| {
        let found = super::values::element(document, field.name).map(|element| element.element_type());
        !found.is_some_and(|found| found != ElementType::Null && found != ElementType::Undefined)
    });
    missing.map_or(Ok(()), |field| Err(missing_field(path, field.name)))
}

/// `40414`.
pub(super) fn missing_field(path: &str, name: &str) -> CommandError {
    CommandError::new(ErrorCode::Location(40414), format!("BSON field '{path}.{name}' is missing but a required field"))
}

fn unknown_field(path: &str, name: &str) -> CommandError {
    CommandError::new(ErrorCode::Location(40415), format!("BSON field '{path}.{name}' is an unknown field."))
}

/// `14`, for a field that may hold one of `accepted`. The bracket before the last quotation mark is mongod's.
pub(super) fn wrong_type(field: &str, found: ElementType, accepted: &[ElementType]) -> CommandError {
    let names: Vec<_> = accepted.iter().map(|accepted| type_name(*accepted)).collect();
    let expected = match names.as_slice() {
        [one] => format!("expected type '{one}'"),
        several => format!("expected types '[{}']", several.join(", ")),
    };
    CommandError::new(
        ErrorCode::TypeMismatch,
        format!("BSON field '{field}' is the wrong type '{}', {expected}", type_name(found)),
    )
}
