//! Reading the fields that a rule judges, the way mongod's parsers read them.
//!
//! A name that stands twice is refused with mongod's error, so that one occurrence is never judged while another is run (and a
//! mongod 6.0.5 aborts on `$lookup` with `from` twice). A type that mongod's parser does not take gets mongod's error as well.
//! Source: measured on a mongod 6.0.5.

pub(super) use crate::authz::refused::{duplicate, error, missing, wrong_type};

use crate::authz::request::Request;
use crate::authz::{Refused, namespace};
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// The fields of these names in a command's body, behind the first one, which names the command.
///
/// # Errors
/// mongod's own when one of them, or the command's name, stands twice.
#[inline]
pub(super) fn of_body<'a, const N: usize>(request: &Request<'a>, names: [&[u8]; N]) -> Result<[Option<Element<'a>>; N], Refused> {
    let mut elements = Elements::of(request.body().as_bytes());
    let command = elements.next().map(|element| element.name).unwrap_or_default();
    collect(elements, names, command, "APIParametersFromClient")
}

/// The fields of these names in a document inside a command; `owner` is what mongod calls the document.
///
/// # Errors
/// mongod's own when one of them stands twice.
pub(super) fn of_document<'a, const N: usize>(
    elements: Elements<'a>,
    names: [&[u8]; N],
    owner: &str,
) -> Result<[Option<Element<'a>>; N], Refused> {
    collect(elements, names, b"", owner)
}

#[inline]
fn collect<'a, const N: usize>(
    elements: Elements<'a>,
    names: [&[u8]; N],
    taken: &[u8],
    owner: &str,
) -> Result<[Option<Element<'a>>; N], Refused> {
    let mut found = [None; N];
    for element in elements {
        if !taken.is_empty() && element.name == taken {
            return Err(duplicate(owner, element.name));
        }
        for (slot, name) in found.iter_mut().zip(names) {
            if element.name == name && slot.replace(element).is_some() {
                return Err(duplicate(owner, name));
            }
        }
    }
    Ok(found)
}

/// A flag that may be a bool, a number, or null.
///
/// # Errors
/// mongod's own for another type.
pub(super) fn lenient(command: &str, name: &str, element: Option<Element<'_>>) -> Result<bool, Refused> {
    let Some(element) = element else { return Ok(false) };
    if element.kind == kind::NULL {
        return Ok(false);
    }
    number_or_bool(&element).ok_or_else(|| wrong_type(command, name, &element, "types '[bool, long, int, decimal, double']"))
}

/// A flag that may be a bool or null.
///
/// # Errors
/// mongod's own for another type.
pub(super) fn strict(command: &str, name: &str, element: Option<Element<'_>>) -> Result<bool, Refused> {
    let Some(element) = element else { return Ok(false) };
    match element.kind {
        kind::NULL => Ok(false),
        kind::BOOL => Ok(element.value != [0]),
        _ => Err(wrong_type(command, name, &element, "type 'bool'")),
    }
}

/// Whether any value counts as true: everything but false, zero, null and what is missing.
pub(super) fn truthy(element: Option<Element<'_>>) -> bool {
    element
        .is_some_and(|element| !matches!(element.kind, kind::NULL | kind::UNDEFINED) && number_or_bool(&element).unwrap_or(true))
}

/// Whether a bool or a number is true; `None` for another type.
fn number_or_bool(element: &Element<'_>) -> Option<bool> {
    match element.kind {
        kind::BOOL | kind::INT | kind::LONG => Some(element.value.iter().any(|byte| *byte != 0)),
        kind::DOUBLE => Some(f64::from_le_bytes(element.value.try_into().ok()?) != 0.0),
        kind::DECIMAL => Some(is_nonzero(u128::from_le_bytes(element.value.try_into().ok()?))),
        _ => None,
    }
}

/// Whether a decimal is not zero. Which way a flag goes decides which action is asked for, so the forms that nobody writes and mongod
/// takes for zero are zero here: those with a coefficient of more than 34 digits.
const fn is_nonzero(decimal: u128) -> bool {
    const COEFFICIENT: u128 = (1 << 113) - 1;
    const MOST: u128 = 10_u128.pow(34) - 1;
    match decimal >> 122 & 0b1_1111 {
        0b1_1110 | 0b1_1111 => true,
        combination if combination >> 3 == 0b11 => false,
        _ => {
            let coefficient = decimal & COEFFICIENT;
            coefficient != 0 && coefficient <= MOST
        }
    }
}

/// The elements of an array or a document; what is no such thing is refused with mongod's error.
///
/// # Errors
/// mongod's own.
pub(super) fn array<'a>(owner: &str, name: &str, element: &Element<'a>) -> Result<Elements<'a>, Refused> {
    match element.kind {
        kind::ARRAY => Ok(Elements::of(element.value)),
        _ => Err(wrong_type(owner, name, element, "type 'array'")),
    }
}

/// A string, as mongod's older parsers read it: they have an error of their own.
///
/// # Errors
/// mongod's own.
pub(super) fn string_of<'a>(element: &Element<'a>, name: &str) -> Result<&'a str, Refused> {
    if element.kind == kind::STRING {
        return namespace::string(element);
    }
    let text = format!("wrong type for field ({name}) {} != string", kind::name(element.kind));
    Err(error(ErrorCode::Location(13111), text))
}
