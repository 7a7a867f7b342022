//! What a client may be told: MongoDB's error codes, and the one error type that is ever written to a client.
//!
//! The private reason of a refusal is not here: it belongs in the log. Source of codes and names: fact sheet
//! "Authentication and authorization semantics", section 10, and a real mongod 6.0.5.

use std::borrow::Cow;

use bson::raw::RawDocumentBuf;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        /// A MongoDB error code with the name that mongod gives it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* #[allow(missing_docs, reason = "the names are MongoDB's own")] $name,)+
            /// A code without a name of its own; mongod prints `Location<code>`.
            Location(i32),
        }

        impl ErrorCode {
            /// The number, as in the reply's `code`.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self {
                    $(Self::$name => $code,)+
                    Self::Location(code) => code,
                }
            }

            /// The text, as in the reply's `codeName`.
            #[must_use]
            pub fn name(self) -> Cow<'static, str> {
                match self {
                    $(Self::$name => Cow::Borrowed(stringify!($name)),)+
                    Self::Location(code) => Cow::Owned(format!("Location{code}")),
                }
            }
        }
    };
}

error_codes! {
    InternalError = 1,
    BadValue = 2,
    NoSuchKey = 4,
    HostUnreachable = 6,
    FailedToParse = 9,
    UserNotFound = 11,
    UnsupportedFormat = 12,
    Unauthorized = 13,
    TypeMismatch = 14,
    Overflow = 15,
    InvalidLength = 16,
    ProtocolError = 17,
    AuthenticationFailed = 18,
    IllegalOperation = 20,
    InvalidBSON = 22,
    NamespaceNotFound = 26,
    InvalidPath = 30,
    CursorNotFound = 43,
    CommandNotFound = 59,
    InvalidOptions = 72,
    InvalidNamespace = 73,
    NodeNotFound = 74,
    ShutdownInProgress = 91,
    InvalidSSLConfiguration = 140,
    SSLHandshakeFailed = 141,
    ClientMetadataAppNameTooLarge = 184,
    ClientMetadataDocumentTooLarge = 185,
    ClientMetadataCannotBeMutated = 186,
    ClientMetadataMissingField = 183,
    InvalidUUID = 207,
    NetworkInterfaceExceededTimeLimit = 202,
    KeyNotFound = 211,
    QueryFeatureNotAllowed = 224,
    OperationNotSupportedInTransaction = 263,
    FailPointSetFailed = 266,
    APIVersionError = 322,
    APIStrictError = 323,
    MechanismUnavailable = 334,
    UnsupportedOpQueryCommand = 352,
    SocketException = 9001,
    BSONObjectTooLarge = 10334,
    InterruptedAtShutdown = 11600,
}

/// An `{ok: 0}` reply: the only error that is ever written to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {errmsg}", code.name())]
pub struct CommandError {
    code: ErrorCode,
    errmsg: Cow<'static, str>,
}

impl CommandError {
    /// An error with mongod's code and mongod's words.
    pub fn new(code: ErrorCode, errmsg: impl Into<Cow<'static, str>>) -> Self {
        Self { code, errmsg: errmsg.into() }
    }

    /// One text for every cause, so that the client learns nothing; the cause is logged.
    #[must_use]
    pub const fn authentication_failed() -> Self {
        Self { code: ErrorCode::AuthenticationFailed, errmsg: Cow::Borrowed("Authentication failed.") }
    }

    /// The code, as in the reply.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The text, as in the reply.
    #[must_use]
    pub fn errmsg(&self) -> &str {
        &self.errmsg
    }

    /// The reply document, its fields in mongod's order.
    #[must_use]
    pub fn to_reply(&self) -> RawDocumentBuf {
        bson::rawdoc! { "ok": 0.0, "errmsg": self.errmsg.as_ref(), "code": self.code.code(), "codeName": self.code.name().as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_name_is_a_location() {
        assert_eq!(ErrorCode::Location(40571).name(), "Location40571");
        assert_eq!(ErrorCode::Unauthorized.name(), "Unauthorized");
    }

    #[test]
    fn the_fields_of_an_error_reply_stand_in_mongods_order() {
        let reply = CommandError::authentication_failed().to_reply();
        let keys: Vec<_> = reply.iter().map(|element| element.unwrap().0.to_string()).collect();
        assert_eq!(keys, ["ok", "errmsg", "code", "codeName"]);
    }
}
