//! No user may have a cluster member's name: whoever holds the member's certificate would be that user.
//!
//! Source: fact sheet "Authentication and authorization semantics", sections 3.2 and 4.4; a mongod 6.0.5.

use super::Policy;
use super::values::text;
use crate::authz::Refused;
use crate::error::{CommandError, ErrorCode};
use crate::names::EXTERNAL;
use crate::wire::command::Command;

/// Checks the name of a user that is to be made. To be asked when the command is otherwise allowed.
///
/// # Errors
/// mongod's, when the name is reserved.
pub fn check_user_name(command: &Command<'_>, policy: &Policy) -> Result<(), Refused> {
    if command.name != "createUser" || command.database != EXTERNAL {
        return Ok(());
    }
    if !text(command.body, "createUser").is_some_and(|name| policy.reserves(name)) {
        return Ok(());
    }
    let text = if text(command.body, "pwd").is_some() {
        "Cannot set the password for users defined on the '$external' database"
    } else {
        "Cannot create an x.509 user with a subjectname that would be recognized as an internal cluster member"
    };
    Err(Refused::Error(CommandError::new(ErrorCode::BadValue, text)))
}
