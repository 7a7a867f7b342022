//! The arguments that any command may have, judged for the commands that doorward answers itself.
//!
//! Order and texts are those of a mongod 6.0.5: first what describes the request, then the logical session, then the database
//! name, help, the time limit, read concern and write concern.

use bson::raw::{RawBsonRef, RawDocument};

use super::arguments::{Field, Kind, check_document};
use super::client_metadata;
use super::values::{document, element, elements, integer, is_true, malformed, number, type_name, value};
use crate::error::{CommandError, ErrorCode};

/// What the checks depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) replica_set_member: bool,
    /// Whether logical sessions are judged: for an authenticated client, or when nobody has to authenticate.
    pub(super) judges_sessions: bool,
    /// Whether `$audit` and a foreign `lsid.uid` are taken: from who holds `impersonate`, or when nobody has to authenticate.
    pub(super) may_impersonate: bool,
    /// Whether what servers tell each other is taken: from who holds `internal`, or when nobody has to authenticate.
    pub(super) is_internal: bool,
}

const LSID: &[Field] = &[
    Field::required("id", Kind::Uuid),
    Field::optional("uid", Kind::Binary),
    Field::optional("txnNumber", Kind::Long),
    Field::optional("txnUUID", Kind::Uuid),
];
const SESSION: &[Field] = &[
    Field::document("lsid", LSID),
    Field::optional("txnNumber", Kind::Long),
    Field::optional("autocommit", Kind::Bool),
    Field::optional("startTransaction", Kind::Bool),
];
const MODES: &[&str] = &["primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"];

fn bad_value(text: impl Into<std::borrow::Cow<'static, str>>) -> CommandError {
    CommandError::new(ErrorCode::BadValue, text)
}

fn wrong_type(text: String) -> CommandError {
    CommandError::new(ErrorCode::TypeMismatch, text)
}

/// The part before the database name is looked at.
pub(super) fn check_request(body: &RawDocument, situation: Situation) -> Result<(), CommandError> {
    if element(body, "mayBypassWriteBlocking").is_some() && !situation.is_internal {
        let text = "Client is not properly authorized to propagate mayBypassWriteBlocking";
        return Err(CommandError::new(ErrorCode::Location(6_317_500), text));
    }
    check_read_preference(body)?;
    if let Some(client) = element(body, "$client") {
        client_metadata::check(&client)?;
    }
    if let Some(audit) = document(body, "$audit") {
        check_impersonation(audit, situation)?;
    }
    if situation.replica_set_member {
        check_cluster_time(body)?;
    }
    Ok(())
}

/// The logical session. `uid` is the digest of the authenticated user, which only that user may name.
pub(super) fn check_session(body: &RawDocument, situation: Situation, uid: Option<&[u8]>) -> Result<(), CommandError> {
    for element in elements(body).skip(1) {
        let element = element?;
        if let Some(field) = SESSION.iter().find(|field| field.name == element.key().as_str()) {
            let mut alone = bson::raw::RawDocumentBuf::new();
            alone.append(element.key(), bson::raw::RawBson::from(element.value().map_err(|_| malformed())?));
            check_document("OperationSessionInfo", &alone, std::slice::from_ref(field))?;
        }
    }
    let is_inner = |lsid: &RawDocument| value(lsid, "txnNumber").is_some() || value(lsid, "txnUUID").is_some();
    if situation.judges_sessions && !situation.is_internal && document(body, "lsid").is_some_and(is_inner) {
        let text = "Internal sessions are only allowed for internal clients";
        return Err(CommandError::new(ErrorCode::InvalidOptions, text));
    }
    if let Some(RawBsonRef::Binary(claimed)) = document(body, "lsid").and_then(|lsid| value(lsid, "uid")) {
        if claimed.bytes.len() != 32 {
            let text = format!("Unsupported SHA256Block hash length: {}", claimed.bytes.len());
            return Err(CommandError::new(ErrorCode::UnsupportedFormat, text));
        }
        if situation.judges_sessions && !situation.may_impersonate && uid != Some(claimed.bytes) {
            let text = "Unauthorized to set user digest in LogicalSessionId";
            return Err(CommandError::new(ErrorCode::Unauthorized, text));
        }
    }
    let has = |name| value(body, name).is_some();
    if situation.judges_sessions && has("startTransaction") && !has("autocommit") {
        let text = "'startTransaction' field requires 'autocommit' field to also be specified";
        return Err(CommandError::new(ErrorCode::InvalidOptions, text));
    }
    Ok(())
}

/// No command that doorward answers itself takes part in a transaction.
pub(super) fn check_transaction(body: &RawDocument) -> Result<(), CommandError> {
    let has = |name| value(body, name).is_some();
    if has("autocommit") {
        let text = "This command is not supported in transactions";
        return Err(CommandError::new(ErrorCode::OperationNotSupportedInTransaction, text));
    }
    if has("txnNumber") {
        let text = "It is illegal to provide a txnNumber for this command";
        return Err(CommandError::new(ErrorCode::Location(50889), text));
    }
    Ok(())
}

/// Whether the command's help is asked for.
pub(super) fn asks_for_help(body: &RawDocument) -> bool {
    value(body, "help").is_some_and(is_true)
}

/// The part after the database name; `command` is the canonical name.
pub(super) fn check_execution(body: &RawDocument, command: &str) -> Result<(), CommandError> {
    check_max_time(body)?;
    if element(body, "maxTimeMSOpOnly").is_some() {
        let text = "Can not specify maxTimeMSOpOnly for non internal clients";
        return Err(CommandError::new(ErrorCode::InvalidOptions, text));
    }
    check_read_concern(body, command)?;
    if element(body, "writeConcern").is_some() {
        return Err(CommandError::new(ErrorCode::InvalidOptions, "Command does not support writeConcern"));
    }
    Ok(())
}

fn check_read_preference(body: &RawDocument) -> Result<(), CommandError> {
    let Some(preference) = element(body, "$readPreference") else { return Ok(()) };
    let RawBsonRef::Document(preference) = preference.value().map_err(|_| malformed())? else {
        let found = type_name(preference.element_type());
        return Err(wrong_type(format!("$readPreference has incorrect type: expected object but got {found}")));
    };
    let mode =
        element(preference, "mode").ok_or_else(|| CommandError::new(ErrorCode::NoSuchKey, "Missing expected field \"mode\""))?;
    let RawBsonRef::String(mode) = mode.value().map_err(|_| malformed())? else {
        let found = type_name(mode.element_type());
        return Err(wrong_type(format!("\"mode\" had the wrong type. Expected string, found {found}")));
    };
    if MODES.contains(&mode) {
        return Ok(());
    }
    Err(bad_value(format!(
        "Could not parse $readPreference mode '{mode}'. Only the modes 'primary', 'primaryPreferred', 'secondary', \
         'secondaryPreferred', and 'nearest' are supported. :: caused by :: Enumeration value '{mode}' for field 'mode' is not a \
         valid value."
    )))
}

fn check_impersonation(audit: &RawDocument, situation: Situation) -> Result<(), CommandError> {
    let mut named = 0;
    for name in ["$impersonatedUsers", "$impersonatedRoles"] {
        let list = value(audit, name).ok_or_else(|| super::arguments::missing_field("$audit", name))?;
        named += list.as_array().map_or(1, |list| list.into_iter().count());
    }
    if named == 0 || situation.may_impersonate {
        return Ok(());
    }
    Err(CommandError::new(ErrorCode::Unauthorized, "Unauthorized use of impersonation metadata."))
}

fn check_cluster_time(body: &RawDocument) -> Result<(), CommandError> {
    let Some(time) = element(body, "$clusterTime") else { return Ok(()) };
    let RawBsonRef::Document(time) = time.value().map_err(|_| malformed())? else {
        let text = "invalid parameter: expected an object ($clusterTime)";
        return Err(CommandError::new(ErrorCode::Location(10065), text));
    };
    for name in ["clusterTime", "signature"] {
        if element(time, name).is_none() {
            return Err(CommandError::new(ErrorCode::NoSuchKey, format!("Missing expected field \"{name}\"")));
        }
    }
    Ok(())
}

fn check_max_time(body: &RawDocument) -> Result<(), CommandError> {
    let Some(element) = element(body, "maxTimeMS") else { return Ok(()) };
    let value = element.value().map_err(|_| malformed())?;
    let (Some(exact), Some(limit)) = (number(value), integer(value)) else {
        return Err(bad_value("maxTimeMS must be a number"));
    };
    if !(0..=i64::from(i32::MAX)).contains(&limit) {
        return Err(bad_value(format!("{limit} value for maxTimeMS is out of range")));
    }
    if exact.fract() != 0.0 {
        return Err(bad_value("maxTimeMS has non-integral value"));
    }
    Ok(())
}

fn check_read_concern(body: &RawDocument, command: &str) -> Result<(), CommandError> {
    let failed = |text| Err(CommandError::new(ErrorCode::FailedToParse, text));
    let Some(concern) = element(body, "readConcern") else { return Ok(()) };
    let RawBsonRef::Document(concern) = concern.value().map_err(|_| malformed())? else {
        return failed("readConcern field should be an object");
    };
    let Some(level) = element(concern, "level") else { return Ok(()) };
    let RawBsonRef::String(level) = level.value().map_err(|_| malformed())? else {
        let found = type_name(level.element_type());
        return Err(wrong_type(format!("\"level\" had the wrong type. Expected string, found {found}")));
    };
    match level {
        "local" => Ok(()),
        "majority" | "linearizable" | "available" | "snapshot" => Err(CommandError::new(
            ErrorCode::InvalidOptions,
            format!(
                "Command {command} does not support {{ readConcern: {{ level: \"{level}\", provenance: \"clientSupplied\" }} }} :: \
                 caused by :: read concern not supported"
            ),
        )),
        _ => failed("readConcern.level must be either 'local', 'majority', 'linearizable', 'available', or 'snapshot'"),
    }
}
