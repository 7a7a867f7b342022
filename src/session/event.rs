//! What happened in a session: the server logs and counts it. The reason of a failure is for the log alone.

use bson::raw::RawDocumentBuf;

use crate::error::CommandError;
use crate::names::UserName;

/// Something to log and to count.
#[derive(Clone, Debug)]
pub enum Event {
    /// The first hello was taken, with this `client` document (mongod's LOG 51800).
    ClientMetadata {
        /// As sent.
        document: RawDocumentBuf,
    },
    /// Somebody proved who they are (LOG 20250 for SCRAM, 20429 for X.509).
    AuthenticationSucceeded {
        /// The mechanism's name.
        mechanism: &'static str,
        /// Who; `__system`@`local` for a member.
        user: UserName,
        /// For X.509 the certificate's subject, a member's too.
        subject: Option<String>,
        /// Whether it began with `speculativeAuthenticate`.
        speculative: bool,
        /// Whether it is a cluster member.
        cluster: bool,
    },
    /// An attempt failed (LOG 20249 for SCRAM, 20428 for X.509).
    AuthenticationFailed {
        /// The mechanism as the client named it.
        mechanism: String,
        /// Who it was to be, as far as that was known.
        user: Option<UserName>,
        /// What the client got, or would have got had it not been speculative.
        error: CommandError,
        /// Why. Never for the client.
        reason: String,
        /// Whether it began with `speculativeAuthenticate`.
        speculative: bool,
        /// Whether the client gets the error. Within a hello it gets none, and begins again.
        told: bool,
    },
    /// A member's certificate came from something that did not say it is a mongod (LOG 20430).
    MemberCertificateFromClient {
        /// The certificate's subject.
        subject: String,
    },
    /// A client authenticated again as who it is already (LOG 5626700).
    SecondAuthentication {
        /// Who.
        user: UserName,
    },
    /// A hello asked for the mechanisms of another user than the one who then authenticates (LOG 5286202).
    OtherUserThanAsked {
        /// For whom the hello asked.
        asked: UserName,
        /// Who authenticates.
        user: UserName,
    },
    /// A hello asked for the mechanisms of a user that does not exist (LOG 20251).
    MechanismsOfUnknownUser {
        /// For whom.
        user: UserName,
    },
    /// The client logged out.
    LoggedOut {
        /// Who.
        user: UserName,
    },
    /// The user's authentication restrictions, or those of a role, do not let this client in any more.
    UserRestricted {
        /// Who.
        user: UserName,
    },
    /// The user was dropped or made anew, so that the session is no longer authenticated.
    UserDropped {
        /// Who.
        user: UserName,
    },
}
