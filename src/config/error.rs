//! Why a configuration is refused, in mongod's words where mongod has words for it, and what to note about one that is accepted.
//!
//! A refusal names the option, where it was written and a remedy. It must never show the value of a secret option.

use std::fmt;
use std::path::PathBuf;

/// Where an option was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line, as this flag, without its dashes.
    Flag(String),
    /// In a file; lines count from 1.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "--{name}"),
            Self::File { path, line } => write!(formatter, "{} line {line}", path.display()),
        }
    }
}

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line can not be taken apart.
    CommandLine,
    /// The file can not be read.
    Unreadable,
    /// The file can not be taken apart.
    Syntax,
    /// There is no such option.
    Unknown,
    /// It is given twice.
    Duplicate,
    /// The text is not of the option's type.
    WrongType,
    /// The value is not one that the option can have.
    BadValue,
    /// It does not go with another option.
    Conflict,
    /// Another option is needed.
    Missing,
    /// mongod would take it, doorward can not honour it.
    Unsupported,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ErrorKind,
    option: String,
    origin: Option<Origin>,
    text: String,
    remedy: Option<String>,
}

impl ConfigError {
    /// A mistake about `option` (a dotted name, or a flag with its dashes), in the words of `text`.
    pub fn new(kind: ErrorKind, option: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, option: option.into(), origin: None, text: text.into(), remedy: None }
    }

    /// The same, with where it was written.
    #[must_use]
    pub fn at(mut self, origin: Option<&Origin>) -> Self {
        self.origin = origin.cloned();
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// What kind of mistake it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The option's dotted name; for a mistake of the command line the word as written; empty for one of a whole file.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }

    /// Where it was written, when it was.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// mongod's text, or doorward's own where mongod has none.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        match (&self.origin, self.option.as_str()) {
            (Some(origin), "") => writeln!(formatter, "  in {origin}")?,
            (Some(Origin::Flag(_)), option) if option.starts_with('-') => {}
            (Some(origin), option) => writeln!(formatter, "  {option}, given by {origin}")?,
            (None, "") => {}
            (None, option) if self.text.contains(option) || option.starts_with('-') => {}
            (None, option) => writeln!(formatter, "  option {option}")?,
        }
        self.remedy.iter().try_for_each(|remedy| writeln!(formatter, "  {remedy}"))
    }
}

impl std::error::Error for ConfigError {}

/// All mistakes of a configuration, the one that mongod would name first. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The mistakes, when there are any.
    pub(crate) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The mistakes.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// As mongod prints a refusal: the text, then where help is.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|error| write!(formatter, "{error}"))?;
        write!(formatter, "try 'doorward --help' for more information")
    }
}

impl std::error::Error for ConfigErrors {}

/// Something to log about a configuration that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// mongod's log id, where mongod has this warning.
    pub id: Option<u32>,
    /// mongod's log component: `CONTROL`, `NETWORK` or `ACCESS`.
    pub component: &'static str,
    /// The message; mongod's, where it has one.
    pub message: String,
    /// The attributes of the log line.
    pub attributes: Vec<(&'static str, String)>,
}

impl Warning {
    pub(crate) fn new(id: impl Into<Option<u32>>, component: &'static str, message: impl Into<String>) -> Self {
        Self { id: id.into(), component, message: message.into(), attributes: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.message)?;
        self.attributes.iter().try_for_each(|(name, value)| write!(formatter, " {name}: {value}"))
    }
}
