//! What a client is told that may not run a command.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 8.2.

use crate::error::{CommandError, ErrorCode};
use crate::wire::command::Command;

/// `not authorized on <database> to execute command <document>`.
#[must_use]
pub fn not_authorized(command: &Command<'_>) -> CommandError {
    let text = format!("not authorized on {} to execute command {{ {}: ... }}", command.database, command.name);
    CommandError::new(ErrorCode::Unauthorized, text)
}
