//! Options as text, with where they were written: what YAML, the old `key=value` files and the command line have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::error::{ConfigError, ErrorKind, Origin, Warning};
use super::number;
use super::options::{self, Kind, OptionSpec};

/// The prefix of parameters among the dotted names.
pub(crate) const PARAMETER: &str = "setParameter.";

/// The text of an option.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// A scalar.
    Text(String),
    /// The items of a list.
    List(Vec<String>),
    /// The entries of a list of mappings.
    Entries(Vec<Entry>),
}

/// The fields of a mapping with their texts, in the order given.
pub type Entry = Vec<(String, String)>;

/// An option as it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct RawValue {
    /// Its text.
    pub content: Content,
    /// Where it was written.
    pub origin: Origin,
}

/// Printed without the text, which may be secret.
impl fmt::Debug for RawValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<given by {}>", self.origin)
    }
}

/// Options by their dotted name; deprecated names are already replaced. Parameters are `setParameter.<name>`, known or not.
#[derive(Clone, Debug, Default)]
pub struct RawOptions {
    values: BTreeMap<String, RawValue>,
    flags: BTreeSet<&'static str>,
    warnings: Vec<Warning>,
}

impl RawOptions {
    /// Sets an option, whether or not it was set before.
    pub(crate) fn set(&mut self, name: &str, content: Content, origin: Origin) {
        self.values.insert(name.to_owned(), RawValue { content, origin });
    }

    /// Adds an item to a list.
    pub(crate) fn push(&mut self, name: &str, item: String, origin: &Origin) {
        match self.values.get_mut(name).map(|value| &mut value.content) {
            Some(Content::List(items)) => items.push(item),
            _ => self.set(name, Content::List(vec![item]), origin.clone()),
        }
    }

    /// Adds an entry to a list of mappings.
    pub(crate) fn push_entry(&mut self, name: &str, entry: Entry, origin: &Origin) {
        match self.values.get_mut(name).map(|value| &mut value.content) {
            Some(Content::Entries(entries)) => entries.push(entry),
            _ => self.set(name, Content::Entries(vec![entry]), origin.clone()),
        }
    }

    /// Notes that a flag was used.
    pub(crate) fn saw_flag(&mut self, name: &'static str) {
        self.flags.insert(name);
    }

    /// Whether a flag was used (also as a key of an old `key=value` file).
    #[must_use]
    pub fn has_flag(&self, name: &str) -> bool {
        self.flags.contains(name)
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// What to log about how options were written.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// An option, when it was given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.values.get(name)
    }

    /// The text of a scalar option, when it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name).map(|value| &value.content) {
            Some(Content::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All options, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// These options over those of `file`: a flag beats the file, parameters one by one.
    #[must_use]
    pub fn over(mut self, file: Self) -> Self {
        for (name, value) in file.values {
            self.values.entry(name).or_insert(value);
        }
        self.flags.extend(file.flags);
        self.warnings.extend(file.warnings);
        self
    }
}

/// Whether the text is one that the option's type can have; the words are mongod's.
pub(crate) fn check_type(option: &OptionSpec, value: &RawValue) -> Option<ConfigError> {
    let text = match &value.content {
        Content::Text(text) => text,
        Content::List(_) => return None,
        Content::Entries(entries) => return entries.iter().find_map(|entry| check_fields(option, value, entry)),
    };
    let parameter = option.name.strip_prefix(PARAMETER);
    let message = match (option.kind, parameter) {
        (Kind::Boolean, Some(name)) => match text.as_str() {
            "true" | "false" | "1" | "0" => return None,
            _ => format!("BadValue: Bad value for parameter \"{name}\": Value is not a valid boolean"),
        },
        (Kind::Integer(least, _), Some(name)) => {
            format!("BadValue: Bad value for parameter \"{name}\": {}", check_parameter(name, option.kind, text, least)?)
        }
        (Kind::Switch, None) if !is_boolean(text) => {
            format!("Expected boolean switch but found string: {text} for option: {}", option.name)
        }
        (Kind::Boolean, None) if !is_boolean(text) => {
            format!("Expected boolean but found string: {text} for option: {}", option.name)
        }
        (Kind::Integer(least, greatest), None) => match number::integer(text) {
            Err(error) => format!("Error parsing option \"{}\" as int: {}", written(option, value), error.text()),
            Ok(number) if number < least || number > greatest => {
                return Some(bad_range(option, value, number, least, greatest));
            }
            Ok(_) => return None,
        },
        (Kind::Double, None) => {
            let error = number::double(text).err()?;
            format!("Error parsing option \"{}\" as double in: {}", written(option, value), error.text())
        }
        _ => return None,
    };
    Some(ConfigError::new(ErrorKind::WrongType, option.name, message).at(Some(&value.origin)))
}

/// Whether a mapping in a list has each of its fields once, and no other.
fn check_fields(option: &OptionSpec, value: &RawValue, entry: &Entry) -> Option<ConfigError> {
    let Kind::Entries(fields) = option.kind else { return None };
    let error = |kind, text: String| ConfigError::new(kind, option.name, text).at(Some(&value.origin));
    for (index, (name, _)) in entry.iter().enumerate() {
        if !fields.contains(&name.as_str()) {
            let error = error(ErrorKind::Unknown, format!("{} has no field '{name}'", option.name));
            return Some(match options::nearest(name, fields.iter().copied()) {
                Some(near) => error.remedy(format!("did you mean {near}?")),
                None => error.remedy(format!("its fields are {}", fields.join(", "))),
            });
        }
        if entry.iter().take(index).any(|(other, _)| other == name) {
            return Some(error(ErrorKind::Duplicate, format!("an entry of {} has the field '{name}' twice", option.name)));
        }
    }
    None
}

fn is_boolean(text: &str) -> bool {
    text == "true" || text == "false"
}

/// What is wrong with the text of an integer parameter.
fn check_parameter(name: &str, kind: Kind, text: &str, least: i64) -> Option<String> {
    let Kind::Integer(_, greatest) = kind else { return None };
    match number::integer(text) {
        Err(error) => Some(error.text().to_owned()),
        Ok(value) if value < least => {
            Some(format!("Invalid value for parameter {name}: {value} is not greater than or equal to {least}"))
        }
        Ok(value) if value > greatest => {
            Some(format!("Invalid value for parameter {name}: {value} is not less than or equal to {greatest}"))
        }
        Ok(_) => None,
    }
}

fn bad_range(option: &OptionSpec, value: &RawValue, number: i64, least: i64, greatest: i64) -> ConfigError {
    let text = format!("BadValue: {} must be from {least} to {greatest}; found {number}", option.name);
    ConfigError::new(ErrorKind::BadValue, option.name, text).at(Some(&value.origin))
}

/// The name as it was written: mongod's texts show the flag on the command line and the dotted name in a file.
fn written<'a>(option: &'a OptionSpec, value: &'a RawValue) -> &'a str {
    match &value.origin {
        Origin::Flag(flag) => flag,
        Origin::File { .. } => option.name,
    }
}

/// The row of a dotted name that a file may use.
pub(crate) fn in_file(name: &str) -> Option<&'static OptionSpec> {
    options::by_name(name).filter(|option| option.in_file)
}
