//! The command line, with mongod's habits: names are exact, most flags may be given once, a value may begin with dashes and is
//! taken from the next word or after `=`, one dash does for a long name. Source: mongod 6.0.5, measured.
//!
//! No general argument parser has these habits, so this one is our own; it reads the table and knows no option by name except the
//! few whose flag sets two options.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::error::{ConfigError, ErrorKind, Origin, Warning};
use super::options::{self, Flag, Kind, OptionSpec, Takes};
use super::raw::{Content, Entry, PARAMETER, RawOptions};

type Found = (&'static OptionSpec, &'static Flag);

/// Reads the words after the program's name and command.
///
/// # Errors
/// The first mistake, in mongod's words.
pub fn parse(words: &[String]) -> Result<RawOptions, ConfigError> {
    let mut occurrences = Occurrences::default();
    let mut options = RawOptions::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.as_str(), None),
        };
        let long = name.strip_prefix("--").or_else(|| name.strip_prefix('-')).filter(|name| !name.is_empty());
        if let Some(found) = long.and_then(options::by_flag) {
            let text = long_value(found, attached, &mut rest)?;
            apply(&mut options, &mut occurrences, found, text, &Origin::Flag(found.1.name.to_owned()))?;
        } else if long.is_some_and(|name| name == "setParameter") {
            let text = argument("setParameter", attached, &mut rest)?;
            set_parameter(&mut options, text, &Origin::Flag("setParameter".to_owned()))?;
        } else if word.starts_with("--") && word != "--" && long.is_some() {
            return Err(unrecognised(word, long.unwrap_or_default()));
        } else if word.starts_with('-') && word != "-" && word != "--" {
            short(&mut options, &mut occurrences, word, &mut rest)?;
        } else {
            let positional = if word == "--" { rest.next().unwrap_or(word) } else { word };
            return Err(ConfigError::new(ErrorKind::CommandLine, positional, format!("Invalid command: {positional}"))
                .remedy("a command comes first: doorward serve --config FILE"));
        }
    }
    implied(&mut options);
    Ok(options)
}

/// `-f FILE`, `-fFILE`, `-h`, `-vvv`.
fn short<'a>(
    options: &mut RawOptions,
    occurrences: &mut Occurrences,
    word: &'a str,
    rest: &mut std::slice::Iter<'a, String>,
) -> Result<(), ConfigError> {
    let mut letters = word.trim_start_matches('-').chars();
    let letter = letters.next().unwrap_or_default();
    let attached = letters.as_str();
    let Some(found) = options::by_short(letter) else {
        return Err(unrecognised(&format!("-{letter}"), attached));
    };
    let name = found.1.name;
    let text = match found.1.takes {
        Takes::Letters => {
            let next = if attached.is_empty() { optional(rest) } else { None };
            let attached = attached.strip_prefix('=').unwrap_or(attached);
            letters_v(&format!("v{}", next.unwrap_or(attached)))?
        }
        Takes::Nothing(text) if attached.is_empty() => text.to_owned(),
        Takes::Nothing(_) => return Err(takes_nothing(name)),
        Takes::Value | Takes::OptionalBoolean => argument(name, Some(attached).filter(|text| !text.is_empty()), rest)?.to_owned(),
    };
    apply(options, occurrences, found, text, &Origin::Flag(name.to_owned()))
}

fn long_value<'a>(
    (_, flag): Found,
    attached: Option<&'a str>,
    rest: &mut std::slice::Iter<'a, String>,
) -> Result<String, ConfigError> {
    match (flag.takes, attached) {
        (_, Some("")) => Err(command_line(
            flag.name,
            &format!("the argument for option '--{}' should follow immediately after the equal sign", flag.name),
        )),
        (Takes::Nothing(_), Some(_)) => Err(takes_nothing(flag.name)),
        (Takes::Nothing(text), None) => Ok(text.to_owned()),
        (Takes::Letters, attached) => letters_v(attached.or_else(|| optional(rest)).unwrap_or("v")),
        (Takes::OptionalBoolean, attached) => boolean_argument(flag.name, attached.or_else(|| optional(rest)).unwrap_or("true")),
        (Takes::Value, attached) => argument(flag.name, attached, rest).map(str::to_owned),
    }
}

/// The next word, whatever it begins with.
fn argument<'a>(name: &str, attached: Option<&'a str>, rest: &mut std::slice::Iter<'a, String>) -> Result<&'a str, ConfigError> {
    attached
        .or_else(|| rest.next().map(String::as_str))
        .ok_or_else(|| command_line(name, &format!("the required argument for option '--{name}' is missing")))
}

/// The next word unless it is a flag.
fn optional<'a>(rest: &mut std::slice::Iter<'a, String>) -> Option<&'a str> {
    let next = rest.clone().next().filter(|word| !word.starts_with('-'))?;
    rest.next();
    Some(next)
}

/// The verbosity that a row of `v` stands for.
fn letters_v(letters: &str) -> Result<String, ConfigError> {
    if letters.chars().all(|letter| letter == 'v') {
        return Ok(letters.len().to_string());
    }
    let text = "The \"verbose\" option string cannot contain any characters other than \"v\"";
    Err(ConfigError::new(ErrorKind::BadValue, "--verbose", text).at(Some(&Origin::Flag("verbose".to_owned()))))
}

fn boolean_argument(name: &str, text: &str) -> Result<String, ConfigError> {
    match text {
        "on" | "yes" | "1" | "true" => Ok("true".to_owned()),
        "off" | "no" | "0" | "false" => Ok("false".to_owned()),
        _ => Err(command_line(
            name,
            &format!(
                "the argument ('{text}') for option '--{name}' is invalid. Valid choices are 'on|off', 'yes|no', '1|0' and 'true|false'"
            ),
        )),
    }
}

/// Which flags were used, and by which name.
#[derive(Default)]
pub(super) struct Occurrences(BTreeMap<&'static str, &'static str>);

impl Occurrences {
    /// The name to complain about when a flag that may be used once is used again.
    fn again(&mut self, flag: &'static Flag) -> Option<String> {
        let before = self.0.insert(flag.primary(), flag.name)?;
        Some(match (before == flag.name, flag.legacy_of) {
            (true, _) => format!("--{}", flag.name),
            (false, Some(_)) => flag.name.to_owned(),
            (false, None) => before.to_owned(),
        })
    }
}

/// Enters a flag, also one that is a key of an old `key=value` file.
pub(super) fn apply(
    options: &mut RawOptions,
    occurrences: &mut Occurrences,
    (option, flag): Found,
    text: String,
    origin: &Origin,
) -> Result<(), ConfigError> {
    let repeatable = option.kind.is_list() || flag.takes == Takes::Letters;
    if let Some(name) = occurrences.again(flag).filter(|_| !repeatable) {
        let (source, name) = match origin {
            Origin::Flag(_) => ("command line", name),
            Origin::File { .. } => ("INI config file", name.trim_start_matches('-').to_owned()),
        };
        let text = format!("Error parsing {source}:  Multiple occurrences of option \"{name}\"");
        return Err(ConfigError::new(ErrorKind::Duplicate, format!("--{}", flag.name), text).at(Some(origin)));
    }
    if flag.name == "sslMode" {
        options.warn(Warning::new(23322, "CONTROL", "Option: sslMode is deprecated. Please use tlsMode instead."));
    } else if let Some(newer) = flag.legacy_of {
        options.warn(
            Warning::new(23321, "CONTROL", "Option: This name is deprecated. Please use the preferred name instead.")
                .with("deprecatedName", flag.name)
                .with("preferredName", newer),
        );
    }
    options.saw_flag(flag.primary());
    match option.kind {
        Kind::List => options.push(option.name, text, origin),
        Kind::Entries(_) => options.push_entry(option.name, entry(flag, &text, origin)?, origin),
        _ => options.set(option.name, Content::Text(text), origin.clone()),
    }
    Ok(())
}

/// `field=text,field=text`.
fn entry(flag: &Flag, text: &str, origin: &Origin) -> Result<Entry, ConfigError> {
    let field = |part: &str| part.split_once('=').map(|(name, text)| (name.trim().to_owned(), text.trim().to_owned()));
    text.split(',').map(field).collect::<Option<_>>().ok_or_else(|| {
        let message = format!("--{}: '{text}' is not written as field=text,field=text", flag.name);
        ConfigError::new(ErrorKind::CommandLine, format!("--{}", flag.name), message).at(Some(origin))
    })
}

/// Enters `--setParameter name=value`.
pub(super) fn set_parameter(options: &mut RawOptions, text: &str, origin: &Origin) -> Result<(), ConfigError> {
    let Some((name, value)) = text.split_once('=') else {
        let message = format!("Illegal option assignment: \"{text}\"");
        return Err(ConfigError::new(ErrorKind::CommandLine, "--setParameter", message).at(Some(origin)));
    };
    let written = format!("{PARAMETER}{name}");
    let canonical = options::by_name(&written).map_or(written.as_str(), |option| option.name);
    if options.get(canonical).is_some() {
        let message = format!("Key Value Option: setParameter has a duplicate key from the same source: {name}");
        return Err(ConfigError::new(ErrorKind::Duplicate, canonical, message).at(Some(origin)));
    }
    options.set(canonical, Content::Text(value.to_owned()), origin.clone());
    Ok(())
}

/// Flags that set two options: `--logpath` also sets the destination, and `--bind_ip_all` beats `--bind_ip`.
pub(super) fn implied(options: &mut RawOptions) {
    let to_file = options.has_flag("logpath") && !options.has_flag("syslog");
    if let Some(path) = options.get("systemLog.path").filter(|_| to_file) {
        let origin = path.origin.clone();
        options.set("systemLog.destination", Content::Text("file".to_owned()), origin);
    }
    if let Some(bind) = options.get("net.bindIp").filter(|_| options.has_flag("bind_ip_all")) {
        let origin = bind.origin.clone();
        options.set("net.bindIp", Content::Text("*".to_owned()), origin);
    }
}

fn unrecognised(word: &str, name: &str) -> ConfigError {
    // Not what stands behind an equal sign, as mongod does: it may be a password.
    let shown = word.split('=').next().unwrap_or_default();
    let error = command_line(shown.trim_start_matches('-'), &format!("unrecognised option '{shown}'"));
    match options::nearest_flag(name) {
        Some(flag) => error.remedy(format!("did you mean --{flag}?")),
        None => error,
    }
}

fn takes_nothing(name: &str) -> ConfigError {
    command_line(name, &format!("option '--{name}' does not take any arguments"))
}

fn command_line(name: &str, text: &str) -> ConfigError {
    ConfigError::new(ErrorKind::CommandLine, format!("--{name}"), format!("Error parsing command line: {text}"))
}
