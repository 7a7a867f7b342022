//! Which commands exist, under which names, and the checks that come before authentication.
//!
//! Source: fact sheets "Authentication and authorization semantics", section 8.1, and "wire protocol", section 1.4 (order of
//! checks); a mongod 6.0.5.

use std::collections::HashSet;

use bson::raw::RawDocument;
use bson::spec::ElementType;

pub(super) use crate::authz::table::canonical_name;

use super::arguments::wrong_type;
use super::picture::{CommandDescription, UpstreamPicture};
use super::values::{elements, text, value};
use crate::error::{CommandError, ErrorCode};

/// The commands that doorward answers itself however a client is authenticated: they are about this connection, not about data. By all
/// their names: every message comes by here.
#[rustfmt::skip]
const ALWAYS_LOCAL: &[&str] = &[
    "hello", "isMaster", "ismaster", "saslStart", "saslContinue", "authenticate", "logout", "connectionStatus", "whatsmyuri", "getnonce",
];

/// Whether a command is answered here even for those who may forward.
pub(super) fn is_always_local(name: &str) -> bool {
    ALWAYS_LOCAL.contains(&name)
}

/// Looks a command up by the name that the client typed.
///
/// # Errors
/// `CommandNotFound` with the typed name.
pub(super) fn find<'a>(picture: &'a UpstreamPicture, name: &str) -> Result<&'a CommandDescription, CommandError> {
    picture
        .command(canonical_name(name))
        .ok_or_else(|| CommandError::new(ErrorCode::CommandNotFound, format!("no such command: '{name}'")))
}

/// Refuses a second top-level field of one name, and API parameters that do not fit.
///
/// # Errors
/// 40413, 14, 322, 323 or 4886600.
pub(super) fn check_api_parameters(body: &RawDocument, command: &CommandDescription) -> Result<(), CommandError> {
    let mut seen = HashSet::new();
    for element in elements(body) {
        let element = element?;
        let name = element.key().as_str();
        if !seen.insert(name) {
            let text = format!("BSON field 'APIParametersFromClient.{name}' is a duplicate field");
            return Err(CommandError::new(ErrorCode::Location(40413), text));
        }
        let expected = match name {
            "apiVersion" => ElementType::String,
            "apiStrict" | "apiDeprecationErrors" => ElementType::Boolean,
            _ => continue,
        };
        let found = element.element_type();
        if found != expected && found != ElementType::Null && found != ElementType::Undefined {
            return Err(wrong_type(&format!("APIParametersFromClient.{name}"), found, &[expected]));
        }
    }
    match text(body, "apiVersion") {
        Some("1") if is_strict(body) && !command.in_api_version_1 => Err(CommandError::new(
            ErrorCode::APIStrictError,
            format!(
                "Provided apiStrict:true, but the command {} is not in API Version 1. Information on supported commands and \
                 migrations in API Version 1 can be found at https://dochub.mongodb.org/core/manual-versioned-api",
                command.name
            ),
        )),
        Some("1") => Ok(()),
        Some("") => Err(CommandError::new(ErrorCode::APIVersionError, "API version must be \"1\"")),
        Some(other) => Err(CommandError::new(ErrorCode::APIVersionError, format!("Cannot accept API version {other}"))),
        None if seen.contains("apiStrict") || seen.contains("apiDeprecationErrors") => Err(CommandError::new(
            ErrorCode::Location(4_886_600),
            "Provided apiStrict and/or apiDeprecationErrors without passing apiVersion",
        )),
        None => Ok(()),
    }
}

/// Whether the client asks for `apiStrict`.
pub(super) fn is_strict(body: &RawDocument) -> bool {
    value(body, "apiStrict").and_then(|value| value.as_bool()) == Some(true)
}

/// Refuses a database name with a dot; mongod does so before it looks at the command.
///
/// # Errors
/// `InvalidNamespace`.
pub(super) fn check_dots(database: &str) -> Result<(), CommandError> {
    if database.contains('\0') {
        return Err(CommandError::new(ErrorCode::InvalidNamespace, "namespaces cannot have embedded null characters"));
    }
    if !database.contains('.') {
        return Ok(());
    }
    let text = format!("'.' is an invalid character in the database name: {database}");
    Err(CommandError::new(ErrorCode::InvalidNamespace, text))
}

/// Refuses every other database name that is none.
///
/// # Errors
/// `InvalidNamespace`.
pub(super) fn check_database_name(database: &str) -> Result<(), CommandError> {
    let is_valid = (1..64).contains(&database.len()) && !database.contains(['/', '\\', ' ', '"']);
    if is_valid {
        return Ok(());
    }
    Err(CommandError::new(ErrorCode::InvalidNamespace, format!("Invalid database name: '{database}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_local_under_its_alias_too_but_not_in_another_case() {
        assert!(is_always_local("ismaster"));
        assert!(is_always_local("isMaster"));
        assert!(!is_always_local("IsMaster"));
        assert!(!is_always_local("ping"));
    }

    #[test]
    fn database_names_are_judged_as_mongod_judges_them() {
        for name in ["admin", "$external", "a-b", &"x".repeat(63)] {
            assert_eq!(check_database_name(name), Ok(()));
        }
        for name in ["", "a b", "a/b", "a\\b", "a\"b", &"x".repeat(64)] {
            assert_eq!(check_database_name(name).unwrap_err().errmsg(), format!("Invalid database name: '{name}'"));
        }
    }
}
