//! Configuration files of the time before YAML: lines `flag = value`, `#` begins a comment. Source: mongod 6.0.5, measured.

use std::path::Path;

use crate::config::argv::{self, Occurrences};
use crate::config::error::{ConfigError, ConfigErrors, ErrorKind, Origin};
use crate::config::options::{self, Takes};
use crate::config::raw::RawOptions;

pub(super) fn parse(text: &str, lossy: bool, path: &Path) -> Result<RawOptions, ConfigErrors> {
    let mut options = RawOptions::default();
    let mut occurrences = Occurrences::default();
    for (index, line) in text.lines().enumerate() {
        let origin = Origin::File { path: path.to_owned(), line: index + 1 };
        let line = line.split('#').next().unwrap_or_default().trim();
        if lossy && line.contains('\u{fffd}') {
            let text = "Error parsing INI config file: the line is not UTF-8 text";
            return Err(ConfigError::new(ErrorKind::Syntax, "", text).at(Some(&origin)).into());
        }
        if !line.is_empty() {
            enter(&mut options, &mut occurrences, line, &origin)?;
        }
    }
    argv::implied(&mut options);
    Ok(options)
}

fn enter(options: &mut RawOptions, occurrences: &mut Occurrences, line: &str, origin: &Origin) -> Result<(), ConfigError> {
    let error = |option: &str, text: String| {
        ConfigError::new(ErrorKind::Syntax, option, format!("Error parsing INI config file: {text}")).at(Some(origin))
    };
    let Some((name, value)) = line.split_once('=') else {
        return Err(error("", format!("the options configuration file contains an invalid line '{line}'")));
    };
    let (name, value) = (name.trim(), value.trim());
    if name == "setParameter" {
        return argv::set_parameter(options, value, origin);
    }
    let verbosity =
        if !name.is_empty() && name.len() > 1 && name.bytes().all(|letter| letter == b'v') { "verbose" } else { name };
    let Some((option, flag)) = options::by_flag(verbosity) else {
        return Err(error(name, format!("unrecognised option '{name}'")));
    };
    if option.name == "config" || option.name == "help" || option.name == "version" {
        return Ok(());
    }
    let on = matches!(value, "" | "true" | "yes" | "on" | "1");
    let text = match flag.takes {
        Takes::Value => value.to_owned(),
        Takes::Nothing(text) if on => text.to_owned(),
        Takes::Nothing(text) => match opposite(text) {
            Some(text) => text.to_owned(),
            None => return Ok(()),
        },
        Takes::OptionalBoolean => on.to_string(),
        Takes::Letters if verbosity != name => if on { name.len() } else { 0 }.to_string(),
        Takes::Letters if on => "1".to_owned(),
        Takes::Letters => value.bytes().filter(|letter| *letter == b'v').count().to_string(),
    };
    argv::apply(options, occurrences, (option, flag), text, origin)
}

/// What `flag = false` sets.
fn opposite(text: &str) -> Option<&'static str> {
    match text {
        "true" => Some("false"),
        "false" => Some("true"),
        "enabled" => Some("disabled"),
        "disabled" => Some("enabled"),
        _ => None,
    }
}
