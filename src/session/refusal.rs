//! The reply to a command that [`crate::authz`] refused: mongod's answer, in mongod's order of checks.
//!
//! mongod takes the arguments of most commands apart before it asks for privileges; doorward takes apart only what privileges depend
//! on, so that a command with bad arguments by somebody who may not run it is answered by the privileges. Source: fact sheet
//! "Authentication and authorization semantics", sections 8.1 and 8.2; a mongod 6.0.5.

use bson::raw::RawDocumentBuf;

use super::picture::CommandDescription;
use super::{Context, Session, commands, generic};
use crate::authz::{Refused, text};
use crate::error::{CommandError, ErrorCode};
use crate::wire::command::Command;

/// The checks that come before everything that depends on who asks.
///
/// # Errors
/// 73, 59, those of the API parameters, or 13 for an admin command on another database.
pub(super) fn check_command<'a>(command: &Command<'_>, context: &Context<'a>) -> Result<&'a CommandDescription, CommandError> {
    commands::check_dots(command.database)?;
    let known = commands::find(context.picture, command.name)?;
    commands::check_api_parameters(command.body, known)?;
    if known.admin_only && command.database != "admin" {
        let text = format!("{} may only be run against the admin database.", known.name);
        return Err(CommandError::new(ErrorCode::Unauthorized, text));
    }
    Ok(known)
}

impl Session {
    /// The whole reply to a command that was refused.
    #[must_use]
    pub fn refusal(&self, command: &Command<'_>, refused: Refused, context: &Context<'_>) -> RawDocumentBuf {
        let reply = self.answer_refused(command, refused, context).unwrap_or_else(|error| error.to_reply());
        context.picture.complete(reply)
    }

    fn answer_refused(
        &self,
        command: &Command<'_>,
        refused: Refused,
        context: &Context<'_>,
    ) -> Result<RawDocumentBuf, CommandError> {
        check_command(command, context)?;
        // What is wrong with the arguments comes before what is generic, a missing privilege behind it.
        if let Refused::Error(error) = &refused
            && error.code() != ErrorCode::Unauthorized
            && !judges_while_reading(command)
        {
            return Err(error.clone());
        }
        let situation = self.situation(context);
        generic::check_request(command.body, situation)?;
        generic::check_session(command.body, situation, self.state.digest().as_deref())?;
        commands::check_database_name(command.database)?;
        match refused {
            Refused::Answered(body) => Ok(body),
            Refused::Error(error) => Err(error),
            Refused::NotAuthorized | Refused::WholeMessage => Err(text::not_authorized(command)),
        }
    }
}

/// Whether mongod reads the arguments of a command only when it judges it.
fn judges_while_reading(command: &Command<'_>) -> bool {
    command.name == "applyOps"
}
