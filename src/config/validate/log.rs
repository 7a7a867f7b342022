//! `systemLog.*` and `processManagement.*`.

use super::Reader;
use crate::config::error::ErrorKind;
use crate::config::settings::SystemLog;

pub(super) fn system_log(reader: &mut Reader<'_>) -> SystemLog {
    let path = reader.path("systemLog.path");
    check_destination(reader, path.is_some());
    check_ignored_words(reader);
    let verbosity = reader.integer("systemLog.verbosity");
    if verbosity < 0 {
        reader.bad("systemLog.verbosity", "BadValue: systemLog.verbosity YAML Config cannot be negative");
    }
    SystemLog {
        path,
        append: reader.switch("systemLog.logAppend"),
        verbosity: u8::try_from(verbosity.clamp(0, 5)).unwrap_or_default(),
        quiet: reader.switch("systemLog.quiet"),
    }
}

fn check_destination(reader: &mut Reader<'_>, path: bool) {
    if reader.options.has_flag("syslog") && reader.options.has_flag("logpath") {
        return reader.error(ErrorKind::Conflict, "systemLog.destination", "syslog is not allowed when logpath is specified", "");
    }
    match reader.given("systemLog.destination") {
        None if path => {
            reader.bad("systemLog.path", "BadValue: Can only use systemLog.path if systemLog.destination is to a file")
        }
        Some("file") if !path => {
            reader.bad("systemLog.destination", "BadValue: systemLog.path is required if systemLog.destination is to a file");
        }
        Some("syslog") => reader.error(
            ErrorKind::Unsupported,
            "systemLog.destination",
            "Unsupported option: systemLog.destination syslog",
            "log to standard output (the service manager keeps it) or to a file",
        ),
        None | Some("file") => {}
        Some(_) => reader.bad("systemLog.destination", "systemLog.destination expects one of 'syslog' or 'file'"),
    }
    if reader.switch("processManagement.fork") && !path && reader.given("systemLog.destination").is_none() {
        reader.bad("processManagement.fork", "BadValue: --fork has to be used with --logpath or --syslog");
    }
}

/// Ignored, but mongod would still refuse a wrong word.
fn check_ignored_words(reader: &mut Reader<'_>) {
    if let Some(text) = reader.given("systemLog.logRotate").filter(|text| !matches!(*text, "rename" | "reopen")) {
        reader.bad("systemLog.logRotate", format!("BadValue: unsupported value for logRotate {text}"));
    }
    if let Some(text) = reader.given("systemLog.timeStampFormat").filter(|text| !matches!(*text, "iso8601-utc" | "iso8601-local"))
    {
        let text = format!("BadValue: Value of logTimestampFormat must be one of iso8601-utc or iso8601-local; not \"{text}\".");
        reader.bad("systemLog.timeStampFormat", text);
    }
}
