//! The keyfile: one or two keys, each the password of `__system`.
//!
//! A file is YAML: one scalar, or a sequence of scalars. What counts as a key, and each complaint, is mongod's. The keys are never
//! printed; reading the file and drawing random numbers is left to the caller.
//!
//! Source: fact sheet section 1, `tests/data/keyfile-corpus.jsonl`, and further files tried on mongod 6.0.5 in
//! `tests/data/keyfile-yaml-cases.jsonl`.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::ErrorCode;
use crate::scram::{Credential, Mechanism};
use crate::secret::Secret;

mod yaml;

/// Characters in a key, blanks not counted: at least.
pub const SHORTEST_KEY: usize = 6;
/// Characters in a key, blanks not counted: at most.
pub const LONGEST_KEY: usize = 1024;
/// Keys in a file: at most.
const MOST_KEYS: usize = 2;
/// Random bytes that make a new key.
pub const NEW_KEY_BYTES: usize = 756;
/// Characters in a line of a new key.
const LINE_LENGTH: usize = 64;

/// The keys of a keyfile: one or two. The first is used to log in, every one is accepted.
pub struct KeyFile {
    keys: Vec<Secret>,
}

impl KeyFile {
    /// Reads the keys from the contents of a file. `path` is for messages only.
    ///
    /// # Errors
    /// [`KeyFileError`] with mongod's text: not YAML, neither a string nor a sequence of strings, a character that is not base64,
    /// no key, more than two, or a key that is not 6 to 1024 characters long.
    pub fn parse(contents: &[u8], path: &str) -> Result<Self, KeyFileError> {
        let mut keys = Vec::new();
        for scalar in yaml::scalars(contents, path)? {
            let scalar = scalar.ok_or(KeyFileError::UnsupportedYaml)?;
            keys.push(stripped(&scalar).ok_or_else(|| KeyFileError::InvalidCharacter {
                path: path.to_owned(),
                scalar: RefusedScalar(Secret::new(scalar.into_bytes())),
            })?);
        }
        if keys.is_empty() {
            return Err(KeyFileError::NoKeys { path: path.to_owned() });
        }
        if keys.len() > MOST_KEYS {
            return Err(KeyFileError::TooManyKeys { count: keys.len(), path: path.to_owned() });
        }
        let sizes = keys.iter().map(|key| key.expose().len());
        match sizes.into_iter().find(|size| !(SHORTEST_KEY..=LONGEST_KEY).contains(size)) {
            Some(size) => Err(KeyFileError::KeySize { size, path: path.to_owned() }),
            None => Ok(Self { keys }),
        }
    }

    /// Checks that nobody but its owner may touch the file. `mode` is `st_mode`; only its lowest six bits count.
    ///
    /// # Errors
    /// [`KeyFileError::PermissionsTooOpen`] if the group or others have any permission.
    pub fn check_permissions(mode: u32, path: &str) -> Result<(), KeyFileError> {
        if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::PermissionsTooOpen { path: path.to_owned() }) }
    }

    /// The keys in the order of the file, blanks removed. Each is a prepared password for SCRAM-SHA-256 as it is.
    pub fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.keys.iter()
    }

    /// The SCRAM-SHA-256 credentials of `__system`, one for each key and in their order. All share salt and iteration count, as
    /// mongod's do; the salt is drawn once in a process. Costs a derivation for each key.
    #[must_use]
    pub fn credentials(&self, salt: [u8; 28], iteration_count: u32) -> Vec<Arc<Credential>> {
        let derive = |key: &Secret| Credential::derive(Mechanism::ScramSha256, key.expose(), salt.to_vec(), iteration_count);
        self.keys().map(derive).map(Arc::new).collect()
    }
}

/// The text of a new keyfile: base64 in lines of 64 characters. Give it 756 random bytes ([`NEW_KEY_BYTES`]); more than 768 make
/// a key that is too long.
#[must_use]
pub fn generate(random: &[u8]) -> String {
    let mut text = String::new();
    for (index, character) in STANDARD.encode(random).chars().enumerate() {
        if index > 0 && index.is_multiple_of(LINE_LENGTH) {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    text
}

/// A scalar that is not a key. mongod prints it whole in its message, and so does `Display`; `Debug` does not, since it may be a
/// key with one wrong character.
#[derive(Debug)]
pub struct RefusedScalar(Secret);

impl fmt::Display for RefusedScalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(self.0.expose()))
    }
}

/// Why a keyfile can not be used. `Display` is mongod's text; see [`log_id`](Self::log_id) for where mongod puts it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file can not be read. For the caller, who reads it.
    #[error("Error reading file {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The operating system's words.
        reason: String,
    },
    /// The group or others may touch the file.
    #[error("permissions on {path} are too open")]
    PermissionsTooOpen {
        /// The file.
        path: String,
    },
    /// The file is not YAML. mongod's own place and problem may differ in detail: its parser is another one.
    #[error("error reading file: {path}: yaml-cpp: error at line {line}, column {column}: {problem}")]
    Syntax {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A mapping, a null, or nothing at all.
    #[error("Only strings and sequences are supported for YAML key files")]
    UnsupportedYaml,
    /// A key has a character that is not base64.
    #[error("invalid char in key file {path}: {scalar}")]
    InvalidCharacter {
        /// The file.
        path: String,
        /// The whole key.
        scalar: RefusedScalar,
    },
    /// An empty sequence.
    #[error("Security key file {path} does not contain any valid keys")]
    NoKeys {
        /// The file.
        path: String,
    },
    /// More than two keys.
    #[error("Only two keys are supported in the security key file")]
    TooManyKeys {
        /// How many, mongod's attribute `numKeys`.
        count: usize,
        /// The file, mongod's attribute `filename`.
        path: String,
    },
    /// A key that is not 6 to 1024 characters long, blanks not counted.
    #[error("Security key size is out range")]
    KeySize {
        /// How long, mongod's attribute `size`; `minimumLength` and `maximumLength` are [`SHORTEST_KEY`] and [`LONGEST_KEY`].
        size: usize,
        /// The file, mongod's attribute `filename`.
        path: String,
    },
}

impl KeyFileError {
    /// mongod's text without the key that mongod prints in one of them.
    #[must_use]
    pub fn text_without_key(&self) -> String {
        match self {
            Self::InvalidCharacter { path, .. } => format!("invalid char in key file {path}"),
            other => other.to_string(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that is there and that doorward's user may read",
            Self::PermissionsTooOpen { .. } => "take them from the group and from others: chmod 400 FILE",
            Self::Syntax { .. } | Self::UnsupportedYaml => {
                "write one key, or a YAML list of two (a line '- KEY' for each); doorward keyfile generate makes a key"
            }
            Self::InvalidCharacter { .. } => {
                "a key is letters, digits, +, / and = alone, without quotes and comments; doorward keyfile generate makes one"
            }
            Self::NoKeys { .. } => "write a key into it; doorward keyfile generate makes one",
            Self::TooManyKeys { .. } => "keep the new key, first, and the old one",
            Self::KeySize { .. } => "a key has 6 to 1024 characters, blanks not counted; doorward keyfile generate makes one",
        }
    }

    /// The id of mongod's log line.
    #[must_use]
    pub const fn log_id(&self) -> i32 {
        match self {
            Self::TooManyKeys { .. } => 20258,
            Self::KeySize { .. } => 20255,
            _ => 20254,
        }
    }

    /// The text of mongod's log line.
    #[must_use]
    pub const fn log_message(&self) -> &'static str {
        match self {
            Self::TooManyKeys { .. } => "Only two keys are supported in the security key file",
            Self::KeySize { .. } => "Security key size is out range",
            _ => "Read security file failed",
        }
    }

    /// The code in the attribute `error` of log line 20254, whose text is `Display`; the other two lines have attributes of their
    /// own instead.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Unreadable { .. } | Self::PermissionsTooOpen { .. } => Some(ErrorCode::InvalidPath),
            Self::Syntax { .. } | Self::UnsupportedYaml | Self::InvalidCharacter { .. } => Some(ErrorCode::UnsupportedFormat),
            Self::NoKeys { .. } => Some(ErrorCode::Location(50981)),
            Self::TooManyKeys { .. } | Self::KeySize { .. } => None,
        }
    }
}

/// The key in a scalar: without blanks (0x09 to 0x0D and 0x20), and nothing but base64 characters. It is never decoded.
fn stripped(scalar: &str) -> Option<Secret> {
    let is_blank = |byte: &u8| matches!(byte, 0x09..=0x0d | b' ');
    let is_legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let key: Vec<u8> = scalar.bytes().filter(|byte| !is_blank(byte)).collect();
    let key = Secret::new(key);
    key.expose().iter().all(is_legal).then_some(key)
}

#[cfg(test)]
mod tests;
