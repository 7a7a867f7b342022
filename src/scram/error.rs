//! Why a SCRAM exchange failed: mongod's private reason for the log, and what the client may hear of it.
//!
//! The texts are those that mongod 6.0.5 logs (LOG 20249, `error`), code name first. They hold nothing secret, but they quote what
//! the client sent; quotes are cut, since nobody has logged in yet.
//! Source: fact sheet sections 2.3 and 2.4, `tests/data/scram-cases.jsonl`.

use std::fmt;

use super::mechanism::Mechanism;
use crate::error::{CommandError, ErrorCode};

/// Bytes of a client's text that a reason quotes at most.
const QUOTE_LENGTH: usize = 1024;

/// A client's text in a reason: cut after 1024 bytes, bytes that are not UTF-8 replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct Quote(Vec<u8>);

impl Quote {
    pub(super) fn new(text: &[u8]) -> Self {
        Self(text.iter().take(QUOTE_LENGTH).copied().collect())
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Quote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// Why an exchange failed. `Display` is mongod's private reason, [`to_command_error`](Self::to_command_error) the public answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The first message has too few parts; how many, counted as mongod counts.
    #[error("BadValue: Incorrect number of arguments for first SCRAM client message, got {0} expected at least 3")]
    FirstMessageParts(usize),
    /// `p=…`: the client wants channel binding.
    #[error("BadValue: Server does not support channel binding")]
    ChannelBinding,
    /// The first part is neither `n` nor `y`.
    #[error("BadValue: Incorrect SCRAM client message prefix: {0}")]
    Prefix(Quote),
    /// The authorization identity does not start with `a=`.
    #[error("BadValue: Incorrect SCRAM authzid: {0}")]
    AuthorizationIdentity(Quote),
    /// The authorization identity is another user.
    #[error("BadValue: SCRAM user name {user} does not match authzid {identity}")]
    OtherAuthorizationIdentity {
        /// The user who logs in.
        user: Quote,
        /// The user who he wants to be.
        identity: Quote,
    },
    /// `m=…`: the client insists on an extension.
    #[error("BadValue: SCRAM mandatory extensions are not supported")]
    MandatoryExtension,
    /// No `n=` where the user name belongs, or an empty name.
    #[error("BadValue: Invalid SCRAM user name: {0}")]
    User(Quote),
    /// No `r=` where the client nonce belongs, or less than 4 bytes.
    #[error("BadValue: Invalid SCRAM client nonce: {0}")]
    ClientNonce(Quote),

    /// There is no such user. For callers that look up users; nothing in this module does.
    #[error("UserNotFound: Could not find user \"{user}\" for db \"{database}\"")]
    UserNotFound {
        /// The name that the client sent.
        user: Quote,
        /// The database that the user was looked for in.
        database: String,
    },
    /// The user has no credential for this mechanism. For callers that look up users.
    #[error(
        "MechanismUnavailable: Unable to use {name} based authentication for user without any {name} credentials registered",
        name = .0.name()
    )]
    NoCredential(Mechanism),
    /// `__system` by SCRAM-SHA-1, which no server takes.
    #[error(
        "AuthenticationFailed: It is not possible to authenticate as the __system user on servers started without a --keyFile \
         parameter"
    )]
    NoSystemCredential,
    /// `__system` by SCRAM-SHA-256 on a server that takes no keyfile.
    #[error("BadValue: SCRAM-SHA-256 is disallowed for cluster authentication")]
    DisallowedForCluster,

    /// A user's login by a mechanism that only members may use, because `authenticationMechanisms` does not list it.
    #[error("BadValue: {} authentication is disabled", .0.name())]
    MechanismDisabled(Mechanism),

    /// The second message has too few parts; how many, counted as mongod counts.
    #[error("BadValue: Incorrect number of arguments for second SCRAM client message, got {0} expected at least 3")]
    SecondMessageParts(usize),
    /// The last part does not start with `p=`, or is empty.
    #[error("BadValue: Incorrect SCRAM ClientProof: {0}")]
    ClientProof(Quote),
    /// The first part does not start with `c=`, or is empty.
    #[error("BadValue: Incorrect SCRAM channel binding: {0}")]
    ChannelBindingData(Quote),
    /// The second part does not start with `r=`, or has less than 4 bytes.
    #[error("BadValue: Incorrect SCRAM client|server nonce: {0}")]
    Nonce(Quote),
    /// The nonce is not the one that the server sent.
    #[error("BadValue: Unmatched SCRAM nonce received from client in second step, expected {expected} but received {received}")]
    UnmatchedNonce {
        /// What the server sent.
        expected: Quote,
        /// What came back.
        received: Quote,
    },
    /// The proof has a character that is not base64.
    #[error("Location40537: Invalid base64 character")]
    ProofCharacter,
    /// The length of the proof's text is not a multiple of four.
    #[error("Location10270: invalid base64")]
    ProofTextLength,
    /// The proof has the wrong number of bytes.
    #[error("InvalidLength: Unsupported {} hash length: {length}", .mechanism.block_name())]
    ProofLength {
        /// The mechanism of the exchange.
        mechanism: Mechanism,
        /// The bytes of the proof.
        length: usize,
    },
    /// The proof is wrong: the password is.
    #[error("AuthenticationFailed: SCRAM authentication failed, storedKey mismatch")]
    StoredKeyMismatch,
}

impl ScramError {
    /// [`UserNotFound`](Self::UserNotFound) for the name as the client sent it.
    #[must_use]
    pub fn user_not_found(user: &[u8], database: impl Into<String>) -> Self {
        Self::UserNotFound { user: Quote::new(user), database: database.into() }
    }

    /// What the client is told: nearly always 18 `AuthenticationFailed` with one text; mongod makes an exception for proofs
    /// that can not be decoded.
    #[must_use]
    pub fn to_command_error(&self) -> CommandError {
        match self {
            Self::ProofCharacter => CommandError::new(ErrorCode::Location(40537), "Invalid base64 character"),
            Self::ProofTextLength => CommandError::new(ErrorCode::Location(10270), "invalid base64"),
            Self::ProofLength { mechanism, length } => CommandError::new(
                ErrorCode::InvalidLength,
                format!("Unsupported {} hash length: {length}", mechanism.block_name()),
            ),
            _ => CommandError::authentication_failed(),
        }
    }
}
