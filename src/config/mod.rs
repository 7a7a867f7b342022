//! The configuration: mongod's options and doorward's own, as text, then validated once into [`settings::Settings`].
//!
//! Flow: bytes and words -> [`raw::RawOptions`] (text, and where it was written) -> [`validate::validate`] -> [`Loaded`]. Nothing here
//! reads a file, a clock or the environment: [`load`] is given a reader. The rules are mongod's: architecture section 7 and a
//! measured mongod 6.0.5; `proxy.*` is the contract's. Refusing is the default: what is unknown or can not be honoured is an error.

pub mod argv;
pub mod cidr;
pub mod command;
pub mod error;
pub mod help;
mod number;
pub mod options;
pub mod raw;
pub mod reference;
pub mod settings;
pub mod show;
pub mod validate;
pub mod yaml;

use std::io;
use std::path::{Path, PathBuf};

use error::{ConfigError, ConfigErrors, ErrorKind, Origin, Warning};
use settings::Settings;

/// A configuration that is accepted.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What to log about them.
    pub warnings: Vec<Warning>,
    /// Where they came from, for a reload.
    pub source: Source,
}

/// Where settings came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The words after the program's name and command. Give them to [`load`] again to reload.
    pub argv: Vec<String>,
    /// The configuration file, when one was named.
    pub config_file: Option<PathBuf>,
}

/// Reads and validates the configuration that `argv` (the words after the program's name and command) asks for. `read_file` is
/// called at most once, for the configuration file; files that options name are not read.
///
/// # Errors
/// All mistakes, the one that mongod would name first.
pub fn load(argv: &[String], read_file: impl Fn(&Path) -> io::Result<Vec<u8>>) -> Result<Loaded, ConfigErrors> {
    let flags = argv::parse(argv)?;
    let config_file = flags.text("config").map(PathBuf::from);
    let options = match &config_file {
        None => flags,
        Some(path) => {
            let contents = read_file(path).map_err(|error| unreadable(path, &error))?;
            flags.over(yaml::parse(&contents, path)?)
        }
    };
    let (settings, warnings) = validate::validate(&options)?;
    Ok(Loaded { settings, warnings, source: Source { argv: argv.to_vec(), config_file } })
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    // The standard library appends the number of the error, mongod does not.
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    let text = format!("Error opening config file '{}': {reason}", path.display());
    ConfigError::new(ErrorKind::Unreadable, "--config", text).at(Some(&Origin::Flag("config".to_owned())))
}
