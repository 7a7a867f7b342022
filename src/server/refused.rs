//! The log line and the count of a command that was refused for want of a privilege: mongod's own line, with what was missing beside it.

use bson::raw::{RawBsonRef, RawDocument};
use serde_json::{Value, json};

use super::connection::ClientConnection;
use crate::admin::log::Severity;
use crate::admin::readiness;
use crate::authz::request::{Request, Sequences};
use crate::authz::{self, needs};
use crate::error::ErrorCode;
use crate::wire::command::Command;

/// What is missing is looked for in messages up to this size, in bytes: the rule has to run again for it.
const MOST_SEARCHED: usize = 64 * 1024;
/// The most of a refusal's text that is logged, in bytes, as mongod's `maxLogSizeKB` has it.
const MOST_TEXT: usize = 10 * 1024;

impl ClientConnection<'_> {
    /// Logs and counts a refusal (LOG 20436), if the answer is that the client is not authorized.
    pub(super) fn note_refused(&self, command: &Command<'_>, sequences: Sequences<'_>, answer: &RawDocument) {
        let code = ErrorCode::Unauthorized;
        if !matches!(answer.get("code"), Ok(Some(RawBsonRef::Int32(found))) if found == code.code()) {
            return;
        }
        self.server.metrics.operations_unauthorized.increment(1);
        let text = answer.get_str("errmsg").unwrap_or_default();
        let text = text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default();
        let mut own = serde_json::Map::new();
        if let Some(principal) = self.session.state().principal() {
            own.insert("user".into(), principal.name().to_string().into());
        }
        own.insert("remote".into(), self.log.remote().into());
        if let Some(missing) = self.missing(command, sequences) {
            own.insert("missing".into(), missing);
        }
        let error = json!({ "code": code.code(), "codeName": code.name(), "errmsg": text });
        let attributes = json!({ "error": error, "doorward": own });
        self.log.access(Severity::Info, 20436, "Checking authorization failed", attributes);
    }

    /// The privileges that the user lacks for a command; `None` when no privilege would help, or when that was not looked for.
    fn missing(&self, command: &Command<'_>, sequences: Sequences<'_>) -> Option<Value> {
        let principal = self.session.state().principal()?;
        let more = if let Sequences::Read(bytes) = sequences { bytes.len() } else { 0 };
        if command.body.as_bytes().len().saturating_add(more) > MOST_SEARCHED {
            return None;
        }
        let request = Request { command: *command, canonical_name: authz::table::canonical_name(command.name), sequences };
        let found = needs::search(authz::rehearse, &request, Some(principal), &self.server.cursors)?;
        let missing: Vec<Value> = found.lacking.iter().map(|need| readiness::need(need).into()).collect();
        (!missing.is_empty()).then(|| missing.into())
    }
}
