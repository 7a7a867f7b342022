//! The first field of a command, where it names a collection.
//!
//! mongod's commands read it in several ways, each with its own error. What names no collection is refused here with that error, so
//! that nothing is judged by a name that the mongod behind would read otherwise. Source: measured on a mongod 6.0.5.

use std::str;

use super::Refused;
use super::refused::error;
use super::request::Request;
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// What the first field of a command names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A collection of the command's database.
    Collection(&'a str),
    /// A collection by its UUID.
    Uuid,
}

/// The first field.
pub(crate) fn first<'a>(request: &Request<'a>) -> Option<Element<'a>> {
    Elements::of(request.body().as_bytes()).next()
}

/// The collection that most commands name: a string and nothing else.
///
/// # Errors
/// mongod's own.
pub(crate) fn collection<'a>(request: &Request<'a>) -> Result<&'a str, Refused> {
    let element = first(request).ok_or(Refused::NotAuthorized)?;
    if element.kind != kind::STRING {
        return Err(error(ErrorCode::BadValue, not_a_name(&element)));
    }
    checked(request.database(), string(&element)?)
}

/// A collection that may be given as a UUID, as `listIndexes` takes it.
///
/// # Errors
/// mongod's own.
pub(crate) fn collection_or_uuid<'a>(request: &Request<'a>) -> Result<Target<'a>, Refused> {
    match first(request) {
        Some(element) if is_uuid(&element) => Ok(Target::Uuid),
        _ => collection(request).map(Target::Collection),
    }
}

/// The collection of the older commands, which look at privileges before they look at the type: `None` for what is no string, and
/// the whole database is what they then ask for. The mongod behind refuses it (73 "collection name has invalid type int").
///
/// # Errors
/// mongod's own.
pub(crate) fn collection_or_database<'a>(request: &Request<'a>) -> Result<Option<&'a str>, Refused> {
    match first(request) {
        Some(element) if element.kind == kind::STRING => checked(request.database(), string(&element)?).map(Some),
        Some(_) => Ok(None),
        None => Err(Refused::NotAuthorized),
    }
}

/// The database and the collection of a whole namespace.
///
/// # Errors
/// mongod's own.
pub(crate) fn namespace<'a>(request: &Request<'a>) -> Result<(&'a str, &'a str), Refused> {
    let element = first(request).ok_or(Refused::NotAuthorized)?;
    if element.kind != kind::STRING {
        return Err(error(ErrorCode::BadValue, format!("collection name has invalid type {}", kind::name(element.kind))));
    }
    split(string(&element)?)
}

/// Splits `db.collection`.
///
/// # Errors
/// mongod's own.
pub(crate) fn split(namespace: &str) -> Result<(&str, &str), Refused> {
    let invalid = || invalid_namespace(format!("Invalid namespace specified '{namespace}'"));
    let (database, collection) = namespace.split_once('.').ok_or_else(invalid)?;
    if database.is_empty() || collection.is_empty() {
        return Err(invalid());
    }
    Ok((database, checked(database, collection)?))
}

/// Refuses a name that no collection has.
///
/// # Errors
/// mongod's own.
pub(crate) fn checked<'a>(database: &str, collection: &'a str) -> Result<&'a str, Refused> {
    if collection.contains('\0') {
        Err(invalid_namespace("namespaces cannot have embedded null characters".to_owned()))
    } else if collection.is_empty() {
        Err(invalid_namespace(format!("Invalid namespace specified '{database}.'")))
    } else if collection.starts_with('.') {
        Err(invalid_namespace(format!("Collection names cannot start with '.': {collection}")))
    } else {
        Ok(collection)
    }
}

/// Whether this is a UUID: a binary value of subtype 4, whatever its length.
pub(crate) fn is_uuid(element: &Element<'_>) -> bool {
    element.kind == kind::BINARY && element.value.get(4) == Some(&4)
}

/// The text of a string element. What is no UTF-8 names no collection that a privilege could name.
///
/// # Errors
/// `NotAuthorized`.
pub(crate) fn string<'a>(element: &Element<'a>) -> Result<&'a str, Refused> {
    element.string().and_then(|bytes| str::from_utf8(bytes).ok()).ok_or(Refused::NotAuthorized)
}

fn not_a_name(element: &Element<'_>) -> String {
    if is_uuid(element) {
        "Collection name must be provided. UUID is not valid in this context".to_owned()
    } else {
        format!("collection name has invalid type {}", kind::name(element.kind))
    }
}

fn invalid_namespace(text: String) -> Refused {
    error(ErrorCode::InvalidNamespace, text)
}
