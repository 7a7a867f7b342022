//! Reading the arguments of user administration: roles, users, privileges and the fields that hold them.
//!
//! mongod reads all of them before it looks at privileges, and takes the first field of a name in some documents and the last in
//! others; here a document that holds one of these names twice is refused. Source: measured on a mongod 6.0.5.

use super::fields::{error, missing, of_body, wrong_type};
use crate::authz::Refused;
use crate::authz::namespace::string;
use crate::authz::request::Request;
use crate::error::ErrorCode;
use crate::wire::element::{Element, Elements, kind};

/// A field of the command by its name.
///
/// # Errors
/// mongod's own, if the body holds it twice.
pub(super) fn field<'a>(request: &Request<'a>, name: &str) -> Result<Option<Element<'a>>, Refused> {
    let [found] = of_body(request, [name.as_bytes()])?;
    Ok(found)
}

/// A field of the command that holds a list; `None` if it is not there.
///
/// # Errors
/// mongod's own for another type.
pub(super) fn list<'a>(request: &Request<'a>, name: &str) -> Result<Option<Elements<'a>>, Refused> {
    let Some(element) = field(request, name)? else { return Ok(None) };
    match element.kind {
        kind::ARRAY => Ok(element.children()),
        kind::NULL | kind::UNDEFINED => {
            Err(error(ErrorCode::Location(10065), format!("invalid parameter: expected an object ({name})")))
        }
        _ => Err(wrong_type(request.canonical_name, name, &element, "type 'array'")),
    }
}

/// As [`list`], of a field that has to be there.
///
/// # Errors
/// mongod's own.
pub(super) fn required_list<'a>(request: &Request<'a>, name: &str) -> Result<Elements<'a>, Refused> {
    list(request, name)?.ok_or_else(|| missing(request.canonical_name, name))
}

/// As [`required_list`], of one that must not be empty.
///
/// # Errors
/// mongod's own.
pub(super) fn filled_list<'a>(request: &Request<'a>, name: &str) -> Result<Elements<'a>, Refused> {
    let list = required_list(request, name)?;
    if list.clone().next().is_some() {
        return Ok(list);
    }
    Err(error(ErrorCode::BadValue, format!("{} command requires a non-empty \"{name}\" array", request.canonical_name)))
}

/// What a name in a document is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// `{role, db}`; other fields are passed over.
    Role,
    /// `{user, db}` and nothing else.
    User,
}

impl Named {
    const fn field(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Role => "RoleName",
            Self::User => "UserName",
        }
    }
}

/// A role's name and database: a string is of the command's database, a document names both.
///
/// # Errors
/// mongod's own.
pub(super) fn role<'a>(request: &Request<'a>, element: &Element<'a>) -> Result<(&'a str, &'a str), Refused> {
    match element.kind {
        kind::STRING | kind::OBJECT => name(request, element, Named::Role),
        _ => Err(error(ErrorCode::BadValue, "Role name must be either a document or string")),
    }
}

/// The name and the database of a role or a user.
///
/// # Errors
/// mongod's own.
pub(super) fn name<'a>(request: &Request<'a>, element: &Element<'a>, of: Named) -> Result<(&'a str, &'a str), Refused> {
    match element.kind {
        kind::STRING => Ok((string(element)?, request.database())),
        kind::OBJECT => document_name(element, of),
        _ => Err(error(ErrorCode::BadValue, format!("{} must be either a string or an object", of.title()))),
    }
}

fn document_name<'a>(element: &Element<'a>, of: Named) -> Result<(&'a str, &'a str), Refused> {
    let (mut first, mut database) = (None, None);
    for field in element.children().into_iter().flatten() {
        let slot = match field.name {
            b"db" => &mut database,
            name if name == of.field().as_bytes() => &mut first,
            _ if of == Named::Role => continue,
            name => {
                let text = format!("UserName contains an unknown field named: '{}", String::from_utf8_lossy(name));
                return Err(error(ErrorCode::BadValue, text));
            }
        };
        if slot.replace(field).is_some() {
            return Err(Refused::NotAuthorized);
        }
    }
    Ok((name_field(first, of, of.field())?, name_field(database, of, "db")?))
}

fn name_field<'a>(found: Option<Element<'a>>, of: Named, name: &str) -> Result<&'a str, Refused> {
    let title = of.title();
    match found {
        Some(field) if field.kind == kind::STRING => string(&field),
        Some(field) => {
            let found = kind::name(field.kind);
            let text = format!("{title} must contain a string field named: {name}. But, has type {found}");
            Err(error(ErrorCode::BadValue, text))
        }
        None => Err(error(ErrorCode::BadValue, format!("{title} must contain a field named: {name}"))),
    }
}

/// The database on which one has to hold `grantRole` or `revokeRole` for a privilege: that of its resource, and `admin` for what is
/// of no one database.
///
/// # Errors
/// mongod's own.
pub(super) fn privilege_database<'a>(request: &Request<'_>, list: &str, element: &Element<'a>) -> Result<&'a str, Refused> {
    let Some(fields) = element.children().filter(|_| element.kind == kind::OBJECT) else {
        let name = format!("{list}.{}", String::from_utf8_lossy(element.name));
        return Err(wrong_type(request.canonical_name, &name, element, "type 'object'"));
    };
    let (mut resource, mut actions) = (None, None);
    for field in fields {
        let slot = match field.name {
            b"resource" => &mut resource,
            b"actions" => &mut actions,
            _ => continue,
        };
        if slot.replace(field).is_some() {
            return Err(Refused::NotAuthorized);
        }
    }
    let Some(resource) = resource else { return Err(unparsed("missing resource field")) };
    if actions.and_then(|actions| actions.children()).and_then(|mut actions| actions.next()).is_none() {
        return Err(unparsed("missing actions field"));
    }
    resource_database(&resource)
}

fn resource_database<'a>(resource: &Element<'a>) -> Result<&'a str, Refused> {
    const FORM: &str = "resource must have exactly db and collection set, or have only cluster set  or have only anyResource set";
    let (mut database, mut collection, mut whole) = (None, None, None);
    for field in resource.children().filter(|_| resource.kind == kind::OBJECT).ok_or_else(|| unparsed(FORM))? {
        let (slot, wanted) = match field.name {
            b"db" => (&mut database, kind::STRING),
            b"collection" => (&mut collection, kind::STRING),
            b"cluster" | b"anyResource" => (&mut whole, kind::BOOL),
            // The buckets of time series are granted on `admin`, whatever their database. A mongod 6.0.5 aborts on a name that
            // begins with what it puts before it, and must not see one.
            b"system_buckets" if !field.string().is_none_or(|name| name.starts_with(b"system.buckets.")) => {
                (&mut whole, kind::STRING)
            }
            b"system_buckets" => return Err(Refused::NotAuthorized),
            _ => continue,
        };
        if field.kind != wanted || slot.replace(field).is_some() {
            return Err(unparsed(FORM));
        }
    }
    match (database, collection, whole) {
        (Some(database), Some(_), None) => Ok(Some(string(&database)?).filter(|name| !name.is_empty()).unwrap_or("admin")),
        (None, None, Some(whole)) if whole.value != [0] => Ok("admin"),
        (Some(_), None, Some(whole)) if whole.kind == kind::STRING => Ok("admin"),
        _ => Err(unparsed(FORM)),
    }
}

fn unparsed(text: &'static str) -> Refused {
    error(ErrorCode::FailedToParse, text)
}
