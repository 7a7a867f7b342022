//! From options as text to [`Settings`]: all mistakes at once, the one that mongod would name first at the front.
//!
//! mongod ends with status 1 for some of these and 2 for others; doorward with 2 for all, and with mongod's text. Source: fact sheet
//! "Authentication and authorization semantics" section 5.1, and a measured mongod 6.0.5.

mod deployments;
mod egress;
mod enforcement;
mod log;
mod members;
mod net;
mod parameters;
mod proxy;
mod security;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;

use super::error::{ConfigError, ConfigErrors, ErrorKind, Origin, Warning};
use super::number;
use super::options::{self, Kind, OptionSpec, Support, parameters as known};
use super::raw::{self, Content, Entry, PARAMETER, RawOptions, RawValue};
use super::settings::{Password, ProcessManagement, Settings};
use crate::secret::Secret;

impl Settings {
    /// Validates options; the warnings are dropped, [`validate`] gives them too.
    ///
    /// # Errors
    /// All mistakes.
    pub fn validate(options: &RawOptions) -> Result<Self, ConfigErrors> {
        validate(options).map(|(settings, _)| settings)
    }
}

/// Validates options. No file is read: whether a path names something usable is found out by who reads it.
///
/// # Errors
/// All mistakes, the one that mongod would name first at the front.
pub fn validate(options: &RawOptions) -> Result<(Settings, Vec<Warning>), ConfigErrors> {
    let mut reader = Reader { options, errors: Vec::new(), warnings: options.warnings().to_vec() };
    let ignored = reader.check_each();
    let (security, tls) = security::security_and_tls(&mut reader);
    let net = net::net(&mut reader);
    let settings = Settings {
        parameters: parameters::parameters(&mut reader),
        log: log::system_log(&mut reader),
        process: ProcessManagement { pid_file_path: reader.path("processManagement.pidFilePath") },
        proxy: match proxy::proxy(&mut reader, &net, &tls, &security) {
            Some(proxy) => proxy,
            None => return Err(reader.refused()),
        },
        net,
        tls,
        security,
        ignored,
    };
    ConfigErrors::check(reader.errors)?;
    Ok((settings, reader.warnings))
}

/// Typed access to options; mistakes are collected on the way.
struct Reader<'a> {
    options: &'a RawOptions,
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    /// Checks each option for itself: known, of its type, supported. Returns the names of the ignored ones.
    fn check_each(&mut self) -> Vec<String> {
        let mut ignored = Vec::new();
        for (name, value) in self.options.iter() {
            let Some(option) = options::by_name(name) else {
                if name.strip_prefix(PARAMETER).is_some_and(known::is_database_only) {
                    ignored.push(name.to_owned());
                } else {
                    self.errors.push(unknown_parameter(name, value));
                }
                continue;
            };
            self.errors.extend(raw::check_type(option, value));
            match option.support {
                Support::Honoured => {}
                Support::Refused(reason) => self.errors.extend(refuse(option, value, reason)),
                Support::Ignored => ignored.push(name.to_owned()),
            }
        }
        if let Some(text) = self.given("configExpand").filter(|text| *text != "none") {
            let error = format!("configExpand {text} is not supported");
            self.error(
                ErrorKind::Unsupported,
                "configExpand",
                error,
                "doorward runs no commands and makes no requests named in a file",
            );
        }
        ignored
    }

    /// What to answer when settings can not even be put together.
    fn refused(self) -> ConfigErrors {
        let nothing = || ConfigErrors::from(ConfigError::new(ErrorKind::Missing, "", "the configuration is not complete"));
        ConfigErrors::check(self.errors).err().unwrap_or_else(nothing)
    }

    /// The text of an option, when it was given.
    fn given(&self, name: &str) -> Option<&'a str> {
        self.options.text(name)
    }

    /// The text of an option, or its default.
    fn text(&self, name: &str) -> &'a str {
        self.given(name).or_else(|| options::by_name(name).and_then(|option| option.default)).unwrap_or_default()
    }

    /// A switch, boolean or boolean parameter, or its default.
    fn switch(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1")
    }

    /// An integer or its default. A wrong text is already noted.
    fn integer(&self, name: &str) -> i64 {
        number::integer(self.text(name)).unwrap_or_default()
    }

    /// An integer that its row keeps within the range of `u32`.
    fn unsigned(&self, name: &str) -> u32 {
        u32::try_from(self.integer(name)).unwrap_or_default()
    }

    /// A path, when it was given and is not empty.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.non_empty(name).map(PathBuf::from)
    }

    fn non_empty(&self, name: &str) -> Option<&'a str> {
        self.given(name).filter(|text| !text.is_empty())
    }

    fn password(&self, name: &str) -> Option<Password> {
        self.non_empty(name).map(|text| Password(Arc::new(Secret::new(text.as_bytes().to_vec()))))
    }

    fn list(&self, name: &str) -> Option<&'a [String]> {
        match &self.options.get(name)?.content {
            Content::List(items) => Some(items),
            Content::Text(_) | Content::Entries(_) => None,
        }
    }

    /// The entries of a list of mappings; their fields are already checked.
    fn entries(&self, name: &str) -> &'a [Entry] {
        match self.options.get(name).map(|value| &value.content) {
            Some(Content::Entries(entries)) => entries,
            _ => &[],
        }
    }

    fn origin(&self, name: &str) -> Option<&'a Origin> {
        self.options.get(name).map(|value| &value.origin)
    }

    /// Notes a mistake with a remedy; an empty remedy is none.
    fn error(&mut self, kind: ErrorKind, option: &str, text: impl Into<String>, remedy: &str) {
        let error = ConfigError::new(kind, option, text).at(self.origin(option));
        self.errors.push(if remedy.is_empty() { error } else { error.remedy(remedy) });
    }

    /// Notes a value that the option can not have, in mongod's words.
    fn bad(&mut self, option: &str, text: impl Into<String>) {
        self.error(ErrorKind::BadValue, option, text, "");
    }

    /// The word of an option if it is one of its row's words.
    fn word(&mut self, name: &str) -> Option<&'a str> {
        let text = self.text(name);
        let Some(Kind::Word(words)) = options::by_name(name).map(|option| option.kind) else { return None };
        if words.contains(&text) {
            return Some(text);
        }
        self.bad(name, format!("BadValue: {name} expects one of {}; found '{text}'", words.join(", ")));
        None
    }
}

/// A refused option; `false` is what happens anyway.
fn refuse(option: &OptionSpec, value: &RawValue, reason: &str) -> Option<ConfigError> {
    let off = matches!(option.kind, Kind::Switch | Kind::Boolean)
        && matches!(&value.content, Content::Text(text) if text == "false" || text == "0");
    let text = format!("Unsupported option: {}", option.name);
    (!off).then(|| ConfigError::new(ErrorKind::Unsupported, option.name, text).at(Some(&value.origin)).remedy(reason))
}

fn unknown_parameter(name: &str, value: &RawValue) -> ConfigError {
    let parameter = name.strip_prefix(PARAMETER).unwrap_or(name);
    if known::is_run_time_only(parameter) {
        let text = format!("BadValue: Cannot use --setParameter to set \"{parameter}\" at startup");
        return ConfigError::new(ErrorKind::BadValue, name, text).at(Some(&value.origin));
    }
    let error =
        ConfigError::new(ErrorKind::Unknown, name, format!("Unknown --setParameter '{parameter}'")).at(Some(&value.origin));
    match known::nearest(parameter) {
        Some(near) => error.remedy(format!("did you mean {near}?")),
        None => error,
    }
}
