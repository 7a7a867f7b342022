//! Who is authenticated on a connection. Only evidence makes a user or a member.
//!
//! Source: fact sheet "Authentication and authorization semantics", section 2.7; `architecture`, section 4.

use std::net::IpAddr;
use std::sync::Arc;

use super::event::Event;
use super::users::{UserLookup, UserRecord};
use super::{Context, Session, UserRequest, x509};
use crate::authz::principal::Principal;
use crate::error::{CommandError, ErrorCode};
use crate::names::UserName;
use crate::scram::Proof;
use crate::x509::peer::PeerIdentity;

/// Why somebody is believed: a right proof, or the identity of a verified certificate.
pub(super) enum Evidence<'a> {
    Scram(Proof),
    Certificate(&'a PeerIdentity),
}

/// The client's address and the one that it connected to; `None` is a unix socket.
pub type Addresses = (Option<IpAddr>, Option<IpAddr>);

/// Who is authenticated.
#[derive(Debug, Default)]
pub enum State {
    /// Nobody.
    #[default]
    Unauthenticated,
    /// A user.
    User(AuthenticatedUser),
    /// A cluster member, as `__system`@`local`.
    Member(AuthenticatedMember),
}

/// A user that proved who it is.
#[derive(Debug)]
pub struct AuthenticatedUser {
    record: Arc<UserRecord>,
    /// How the user store is asked for it again.
    request: UserRequest,
}

/// A cluster member that proved to be one.
#[derive(Debug)]
pub struct AuthenticatedMember {
    principal: Arc<Principal>,
}

impl AuthenticatedUser {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &UserName {
        &self.record.name
    }

    /// What the user store last said of it.
    #[must_use]
    pub const fn record(&self) -> &Arc<UserRecord> {
        &self.record
    }
}

impl State {
    /// The authenticated user, `__system`@`local` for a member.
    #[must_use]
    pub fn user(&self) -> Option<&UserName> {
        self.principal().map(|principal| principal.name())
    }

    /// The same, with everything that it may do.
    #[must_use]
    pub fn principal(&self) -> Option<&Arc<Principal>> {
        match self {
            Self::Unauthenticated => None,
            Self::User(user) => Some(&user.record.principal),
            Self::Member(member) => Some(&member.principal),
        }
    }

    /// Whether anybody is authenticated.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        !matches!(self, Self::Unauthenticated)
    }

    /// How the user store is asked for the authenticated user; it does not know members.
    #[must_use]
    pub const fn stored_user(&self) -> Option<&UserRequest> {
        match self {
            Self::User(user) => Some(&user.request),
            _ => None,
        }
    }

    /// The digest by which logical sessions belong to the user.
    pub(super) fn digest(&self) -> Option<Vec<u8>> {
        self.principal().map(|principal| principal.digest().to_vec())
    }

    pub(super) fn refresh(&mut self, lookup: &UserLookup, (client, server): Addresses) -> Option<Event> {
        let Self::User(user) = self else { return None };
        let name = user.name().clone();
        let event = match lookup {
            UserLookup::Found(record) if user.record.is_same_user(record) => {
                if record.may_connect(client, server) {
                    user.record = Arc::clone(record);
                    return None;
                }
                Event::UserRestricted { user: name }
            }
            _ => Event::UserDropped { user: name },
        };
        *self = Self::Unauthenticated;
        Some(event)
    }
}

type Refusal = (CommandError, String);

fn refuse(code: ErrorCode, text: String) -> Result<bool, Refusal> {
    let error = CommandError::new(code, text);
    let reason = error.to_string();
    Err((error, reason))
}

impl Session {
    /// Lets a user in. `is_strict` is the command's `apiStrict`.
    #[expect(clippy::needless_pass_by_value, reason = "evidence is used up")]
    pub(super) fn admit_user(
        &mut self,
        evidence: Evidence<'_>,
        record: &Arc<UserRecord>,
        is_strict: bool,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let is_theirs = match &evidence {
            Evidence::Scram(proof) => proof.user() == record.name.name.as_bytes(),
            Evidence::Certificate(peer) => peer.subject.as_str() == record.name.name,
        };
        if !is_theirs || record.name.is_system() {
            return Err((CommandError::authentication_failed(), "the evidence is not that of this user".to_owned()));
        }
        if self.is_second(&record.name, is_strict, events)? {
            return Ok(());
        }
        if !record.may_connect(context.client_address.ip(), context.server_address) {
            let reason = "the user's authentication restrictions are not met".to_owned();
            return Err((CommandError::authentication_failed(), reason));
        }
        let request = match evidence {
            Evidence::Scram(_) => record.name.clone().into(),
            Evidence::Certificate(peer) => x509::user_request(peer, context),
        };
        self.state = State::User(AuthenticatedUser { record: Arc::clone(record), request });
        Ok(())
    }

    /// Lets a cluster member in.
    #[expect(clippy::needless_pass_by_value, reason = "evidence is used up")]
    pub(super) fn admit_member(
        &mut self,
        evidence: Evidence<'_>,
        is_strict: bool,
        context: &Context<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let system = UserName::system();
        let is_a_member = match &evidence {
            Evidence::Scram(proof) => proof.user() == system.name.as_bytes() && context.policy.accepts_keyfile_members(),
            Evidence::Certificate(_) => context.policy.accepts_x509_members(),
        };
        if !is_a_member {
            return Err((CommandError::authentication_failed(), "the evidence is not that of a cluster member".to_owned()));
        }
        if self.is_second(&system, is_strict, events)? {
            return Ok(());
        }
        // Members with a certificate are not subject to the allowlist.
        if let (Evidence::Scram(_), Some(allowlist)) = (&evidence, &context.policy.cluster_ip_source_allowlist) {
            let is_listed = |ip| allowlist.iter().any(|range| range.contains(ip));
            if !context.client_address.ip().is_some_and(is_listed) {
                let reason = "the address is not in security.clusterIpSourceAllowlist".to_owned();
                return Err((CommandError::authentication_failed(), reason));
            }
        }
        self.state = State::Member(AuthenticatedMember { principal: Arc::new(Principal::member()) });
        Ok(())
    }

    /// Whether `user` is authenticated here already.
    fn is_second(&self, user: &UserName, is_strict: bool, events: &mut Vec<Event>) -> Result<bool, Refusal> {
        let Some(first) = self.state.user() else { return Ok(false) };
        if first == user {
            if is_strict {
                let text = "Each client connection may only be authenticated once".to_owned();
                return refuse(ErrorCode::Location(5_626_703), text);
            }
            events.push(Event::SecondAuthentication { user: user.clone() });
            return Ok(true);
        }
        if first.database == user.database {
            // The words are mongod's, though the database is the same one.
            let text = format!("Client has attempted to authenticate on multiple databases.Already authenticated as: {first}");
            return refuse(ErrorCode::Location(5_626_702), text);
        }
        let text = format!("Each client connection may only be authenticated once. Previously authenticated as: {first}");
        refuse(ErrorCode::Location(5_626_701), text)
    }
}
