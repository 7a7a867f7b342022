//! What doorward learns from the replies that pass: users may have changed, a cursor was opened, used up or killed.

use std::sync::Arc;

use bson::raw::RawDocument;

use super::Server;
use crate::authz::cursors::{Cursors, Opened};
use crate::authz::principal::Principal;
use crate::authz::rules::cursors as rules;
use crate::authz::{Allowed, Subject, table};
use crate::error::ErrorCode;
use crate::relay::Observer;
use crate::wire::command::Command;
use crate::wire::reply_cursor::ReplyCursor;

/// What the reply to a command tells of cursors. The command itself is beside it, in [`Origin`].
#[derive(Debug, Default)]
enum CursorWatch {
    /// Nothing.
    #[default]
    Nothing,
    /// It may hold a new cursor.
    Opens {
        /// Whose it will be.
        owner: Option<Arc<Principal>>,
        /// Whether its session is given its user.
        names_user: bool,
    },
    /// This cursor goes on, or ends.
    Continues(i64),
    /// These cursors are gone.
    Kills(Vec<i64>),
}

/// The command that waits for its reply, where the reply is watched: one room a connection, used again and again.
#[derive(Debug, Default)]
pub(super) struct Origin {
    watch: CursorWatch,
    reply: ReplyCursor,
    command: String,
    database: String,
    body: Vec<u8>,
}

/// The most room that is kept between two commands, in bytes.
const KEPT: usize = 1024;

impl Origin {
    fn keep(&mut self, command: &Command<'_>) {
        self.command.clear();
        self.command.push_str(command.name);
        self.database.clear();
        self.database.push_str(command.database);
        self.body.clear();
        self.body.extend_from_slice(command.body.as_bytes());
    }

    fn command(&self) -> Option<Command<'_>> {
        let body = RawDocument::from_bytes(&self.body).ok()?;
        Some(Command::new(&self.command, &self.database, body))
    }

    /// Gives back what was needed for one command.
    pub(super) fn rest(&mut self) {
        self.watch = CursorWatch::Nothing;
        if self.body.capacity() > KEPT {
            self.body = Vec::new();
        }
    }

    /// Finds out what is to be watched for after a command that may be forwarded; keeps the command if it is needed then. With
    /// access control off every cursor is everybody's, and nothing is watched.
    pub(super) fn prepare(&mut self, access_control: bool, allowed: &Allowed, command: &Command<'_>) {
        let canonical_name = table::canonical_name(command.name);
        let body = command.body.as_bytes();
        self.watch = match canonical_name {
            _ if !access_control => CursorWatch::Nothing,
            "getMore" => rules::id(body).map_or(CursorWatch::Nothing, CursorWatch::Continues),
            "killCursors" => CursorWatch::Kills(rules::ids(body).unwrap_or_default()),
            _ if !table::opens_cursor(canonical_name) => CursorWatch::Nothing,
            _ => {
                self.keep(command);
                let owner = match allowed.subject() {
                    Subject::Unrestricted(principal) => principal.clone(),
                    Subject::Authenticated(principal) => Some(Arc::clone(principal)),
                    Subject::LocalhostException => None,
                };
                CursorWatch::Opens { owner, names_user: allowed.names_user() }
            }
        };
    }
}

/// Looks at the replies to one command.
pub(super) struct AfterCommand<'a> {
    pub(super) server: &'a Server,
    pub(super) changes_users: bool,
    pub(super) cursors: &'a Cursors,
    pub(super) origin: &'a mut Origin,
}

impl Observer for AfterCommand<'_> {
    fn arrived(&mut self) {
        if self.changes_users {
            self.server.each_front(|front| front.users.forget());
        }
        self.origin.reply = ReplyCursor::new();
        if let CursorWatch::Kills(ids) = &self.origin.watch {
            ids.iter().for_each(|id| self.cursors.forget(*id));
        }
    }

    fn watches(&self) -> bool {
        matches!(self.origin.watch, CursorWatch::Opens { .. } | CursorWatch::Continues(_))
    }

    fn passes(&mut self, bytes: &[u8]) {
        if !self.watches() {
            return;
        }
        let known = (self.origin.reply.id(), self.origin.reply.code());
        self.origin.reply.feed(bytes);
        let (id, code) = (self.origin.reply.id(), self.origin.reply.code());
        if (id, code) == known {
            return;
        }
        match &self.origin.watch {
            CursorWatch::Opens { owner, names_user } => {
                if let (Some(id), Some(command)) = (id.filter(|id| *id != 0), self.origin.command()) {
                    self.cursors.remember(id, Opened::new(owner.clone(), *names_user, &command));
                }
            }
            CursorWatch::Continues(cursor) => {
                if code == Some(ErrorCode::CursorNotFound.code()) || id == Some(0) {
                    self.cursors.forget(*cursor);
                }
            }
            CursorWatch::Nothing | CursorWatch::Kills(_) => {}
        }
    }
}
