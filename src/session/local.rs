//! The commands without a file of their own that doorward answers itself: `connectionStatus`, `logout`, `whatsmyuri`, `getnonce`
//! for everybody, and for a client that is not authenticated `ping`, `buildInfo`, `listCommands`, `_isSelf`, `getLastError` and
//! `waitForFailPoint`.
//!
//! Source: fact sheet "Authentication and authorization semantics", sections 2.7 and 8.1; a mongod 6.0.5.

use bson::raw::{RawArrayBuf, RawDocument, RawDocumentBuf};
use bson::rawdoc;

use super::arguments::{Field, Kind, Unknown, check_command};
use super::event::Event;
use super::picture::UpstreamPicture;
use super::values::{element, is_true, text, value};
use super::{Context, Session, State};
use crate::error::{CommandError, ErrorCode};

const CONNECTION_STATUS: &[Field] = &[Field::optional("showPrivileges", Kind::BoolOrNumber)];
const WAIT_FOR_FAIL_POINT: &[Field] =
    &[Field::required("timesEntered", Kind::Number), Field::required("maxTimeMS", Kind::Number)];

/// Checks the arguments of commands that mongod checks before everything else.
pub(super) fn check_arguments(command: &str, body: &RawDocument) -> Result<(), CommandError> {
    match command {
        "ping" | "logout" => check_command(command, body, &[], Unknown::Refused),
        "connectionStatus" => check_command(command, body, CONNECTION_STATUS, Unknown::Refused),
        _ => Ok(()),
    }
}

/// Whether mongod answers `help` on this command with its help text; those with checked arguments refuse the field.
pub(super) fn has_help(command: &str) -> bool {
    !matches!(command, "ping" | "logout" | "connectionStatus" | "saslStart" | "saslContinue" | "authenticate")
}

/// The replies that need nothing of the session. `None`: not one of these.
pub(super) fn answer(command: &str, body: &RawDocument, context: &Context<'_>) -> Option<Result<RawDocumentBuf, CommandError>> {
    let picture = context.picture;
    Some(match command {
        "ping" => Ok(rawdoc! { "ok": 1.0 }),
        "buildInfo" => Ok(UpstreamPicture::repeat(picture.build_info())),
        "listCommands" => Ok(UpstreamPicture::repeat(picture.list_commands())),
        "_isSelf" => picture.self_id().map_or_else(
            || Err(CommandError::new(ErrorCode::HostUnreachable, "the upstream's identity is not known yet")),
            |reply| Ok(UpstreamPicture::repeat(reply)),
        ),
        "getLastError" => Err(CommandError::new(ErrorCode::Location(5_739_000), "getLastError command is not supported")),
        "waitForFailPoint" => Err(wait_for_fail_point(body)),
        "whatsmyuri" => Ok(rawdoc! { "you": context.client_address.to_string(), "ok": 1.0 }),
        "getnonce" => Ok(rawdoc! { "nonce": nonce(context), "ok": 1.0 }),
        _ => return None,
    })
}

/// 64 random bits in hexadecimal, without leading zeros. A relic: nothing takes such a nonce any more.
fn nonce(context: &Context<'_>) -> String {
    let random = (context.nonce)();
    let nonce = random.iter().take(8).fold(0_u64, |nonce, byte| nonce.wrapping_shl(8) | u64::from(*byte));
    format!("{nonce:x}")
}

/// Fail points are for tests of mongod itself: there are none here.
fn wait_for_fail_point(body: &RawDocument) -> CommandError {
    if let Err(error) = check_command("waitForFailPoint", body, WAIT_FOR_FAIL_POINT, Unknown::Ignored) {
        return error;
    }
    if let Some(name) = text(body, "waitForFailPoint") {
        return CommandError::new(ErrorCode::FailPointSetFailed, format!("{name} not found"));
    }
    let name = Field::required("waitForFailPoint", Kind::String);
    let mut alone = RawDocumentBuf::new();
    if let Some(Ok(value)) = element(body, name.name).map(|element| element.value()) {
        alone.append(bson::raw::cstr!("waitForFailPoint"), bson::raw::RawBson::from(value));
    }
    match super::arguments::check_document("waitForFailPoint", &alone, &[name]) {
        Err(error) => error,
        Ok(()) => super::values::malformed(),
    }
}

impl Session {
    /// Who is authenticated, with all roles and, if asked for, all privileges.
    pub(super) fn connection_status(&self, body: &RawDocument) -> RawDocumentBuf {
        let mut users = RawArrayBuf::new();
        let mut roles = RawArrayBuf::new();
        let mut privileges = RawArrayBuf::new();
        match &self.state {
            State::Unauthenticated => {}
            State::Member(_) => {
                privileges.push(rawdoc! { "resource": { "anyResource": true }, "actions": ["anyAction"] });
            }
            State::User(user) => {
                for role in &user.record().roles {
                    roles.push(rawdoc! { "role": role.role.as_str(), "db": role.database.as_str() });
                }
                if let Some(inherited) = user.record().privileges() {
                    privileges = inherited.to_owned();
                }
            }
        }
        if let Some(user) = self.state.user() {
            users.push(rawdoc! { "user": user.name.as_str(), "db": user.database.as_str() });
        }
        let mut info = rawdoc! { "authenticatedUsers": users, "authenticatedUserRoles": roles };
        if value(body, "showPrivileges").is_some_and(is_true) {
            info.append(bson::raw::cstr!("authenticatedUserPrivileges"), privileges);
        }
        rawdoc! { "authInfo": info, "ok": 1.0 }
    }

    /// Forgets the user, if it is one of this database.
    pub(super) fn logout(&mut self, database: &str, events: &mut Vec<Event>) -> RawDocumentBuf {
        if let Some(user) = self.state.user().filter(|user| user.database == database) {
            events.push(Event::LoggedOut { user: user.clone() });
            self.state = State::Unauthenticated;
        }
        rawdoc! { "ok": 1.0 }
    }
}
