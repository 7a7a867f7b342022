//! What a command is judged by, beside the session itself.

use std::net::IpAddr;

use super::{Addresses, ClientAddress, Policy, UpstreamPicture, UserLookup, UserRequest};
use crate::x509::peer::PeerIdentity;

/// What a command is judged by, beside the session itself.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The upstream as it was last seen.
    pub picture: &'a UpstreamPicture,
    /// Who the client's certificate says it is; only from a verified certificate.
    pub peer: Option<&'a PeerIdentity>,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Where the client is.
    pub client_address: ClientAddress,
    /// The address that the client connected to; `None` for a unix socket.
    pub server_address: Option<IpAddr>,
    /// The number of the client's connection.
    pub connection_id: i32,
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Draws 24 random bytes.
    pub nonce: &'a dyn Fn() -> [u8; 24],
    /// The users that [`Session::users_wanted`](super::Session::users_wanted) asked for.
    pub users: &'a [(UserRequest, UserLookup)],
    /// Whether the upstream has neither a user nor a role, as [`Session::asks_for_any_user`](super::Session::asks_for_any_user) wanted to know; false when not known.
    pub no_users: bool,
}

impl Context<'_> {
    /// A user that was looked up; one that was not is unknown.
    pub(super) fn user(&self, request: &UserRequest) -> UserLookup {
        let found = self.users.iter().find(|(user, _)| user == request);
        found.map_or(UserLookup::NotFound, |(_, lookup)| lookup.clone())
    }

    /// Where the client is and what it connected to.
    pub(super) fn addresses(&self) -> Addresses {
        (self.client_address.ip(), self.server_address)
    }
}
