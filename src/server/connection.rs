//! The life of one connection, top to bottom: it opens, its commands are judged one after the other, those that may are forwarded,
//! and it ends with one log line.

use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::time::timeout;

use super::arrival::{Arrival, Endpoints, Entered, HandshakeTime};
use super::entrance::{Client, Entrance};
use super::front::Front;
use super::observe::Origin;
use super::pooling::Upstream;
use super::readiness::Readiness;
use super::registry::{Place, Wake};
use super::snapshot::Snapshot;
use super::{Server, unix_now_ms};
use crate::admin::events::ConnectionLog;
use crate::admin::log::Severity;
use crate::error::ErrorCode;
use crate::net::channel::Channel;
use crate::relay::{Moved, RelayError};
use crate::session::{Addresses, ClientAddress, Context, Session, State, UpstreamPicture, UserLookup, UserRequest};
use crate::upstream::pool::Introduction;
use crate::upstream::users::Generation;
use crate::upstream::{UpstreamError, suspicion};
use crate::wire::CloseReason;
use crate::wire::proxy_header::Ends;
use crate::x509::peer::PeerIdentity;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client left between two messages.
    #[error("the client left")]
    ClientLeft,
    /// The client's connection broke.
    #[error("the client's connection ended: {0}")]
    Client(io::Error),
    /// The client sent something that ends a connection.
    #[error("{0}")]
    Message(#[from] CloseReason),
    /// The client did not finish its handshake in time.
    #[error("no complete command within {0} s (proxy.handshakeTimeoutSeconds)")]
    HandshakeTimeout(u32),
    /// The client's first messages are larger than an unauthenticated client's may be.
    #[error("recv(): message msgLen {0} is larger than an unauthenticated client may send (preAuthMaximumMessageSizeBytes)")]
    TooLargeBeforeAuthentication(u32),
    /// The upstream is lost or can not be used.
    #[error("the upstream is not reachable: {0}")]
    Upstream(#[from] UpstreamError),
    /// The monitor lost the upstream.
    #[error("the upstream is not reachable")]
    UpstreamLost,
    /// A forward failed.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The user was dropped or changed, or a reload changed the rules, in the middle of a message or between two replies.
    #[error("what was allowed when it began is not any more: the user or the configuration has changed")]
    NoLongerAllowed,
    /// A reload came, and the client is a member that has not proved it: coming back it may.
    #[error("the configuration was reloaded, and whoever says that it is a member and has not logged in has to come back for it")]
    UnprovenMember,
    /// doorward stops.
    #[error("doorward is shutting down")]
    Draining,
}

impl End {
    /// The metric's label; `None` for the ordinary end.
    const fn label(&self) -> Option<&'static str> {
        match self {
            Self::ClientLeft | Self::Client(_) | Self::Relay(RelayError::Client(_)) => None,
            Self::Message(_) | Self::TooLargeBeforeAuthentication(_) | Self::Relay(RelayError::Checksum) => Some("message"),
            Self::HandshakeTimeout(_) => Some("handshake_timeout"),
            Self::NoLongerAllowed => Some("no_longer_allowed"),
            Self::UnprovenMember => Some("unproven_member"),
            Self::Upstream(_) | Self::UpstreamLost | Self::Relay(_) => Some("upstream"),
            Self::Draining => Some("draining"),
        }
    }

    /// Whether the upstream may be lost and the monitor may not know it.
    const fn is_doubt(&self) -> bool {
        matches!(self, Self::Upstream(_) | Self::Relay(RelayError::Upstream(_) | RelayError::Protocol(_)))
    }

    /// mongod's code for the log line.
    pub(super) const fn code(&self) -> ErrorCode {
        match self {
            Self::Message(_) | Self::TooLargeBeforeAuthentication(_) | Self::Relay(RelayError::Checksum) => {
                ErrorCode::ProtocolError
            }
            Self::HandshakeTimeout(_) => ErrorCode::NetworkInterfaceExceededTimeLimit,
            Self::Upstream(_) | Self::UpstreamLost | Self::Relay(_) => ErrorCode::HostUnreachable,
            Self::NoLongerAllowed | Self::UnprovenMember => ErrorCode::Unauthorized,
            Self::Draining => ErrorCode::ShutdownInProgress,
            Self::ClientLeft | Self::Client(_) => ErrorCode::SocketException,
        }
    }
}

/// A connection whose handshake is done, with everything its commands need.
pub(super) struct ClientConnection<'a> {
    pub(super) server: &'a Server,
    pub(super) log: ConnectionLog,
    pub(super) place: Place,
    pub(super) channel: Channel,
    pub(super) surroundings: Surroundings<'a>,
    pub(super) session: Session,
    /// What the user store's generation was when the session's user was last looked at.
    pub(super) users_generation: Generation,
    /// The command whose reply is watched.
    pub(super) origin: Box<Origin>,
    /// Opened at the first forward; one that is shared is here only while it is used.
    pub(super) upstream: Option<Box<Upstream>>,
    /// What a shared one is introduced by, until the client says more of itself.
    pub(super) introduction: Option<Introduction>,
    pub(super) moved: Moved,
    pub(super) counts: Counts,
    /// What it did in transition.
    pub(super) readiness: Readiness,
    /// The state that the gauge of connection states holds for this connection.
    pub(super) shown_state: &'static str,
}

/// Everything beside the session itself that a command is judged by.
pub(super) struct Surroundings<'a> {
    /// Where the client came in.
    pub(super) front: &'a Front,
    pub(super) snapshot: Arc<Snapshot>,
    /// The picture of the upstream as this connection last looked at it.
    pub(super) picture: Arc<UpstreamPicture>,
    peer: Option<Arc<PeerIdentity>>,
    tls: bool,
    endpoints: Endpoints,
    connection_id: i32,
}

impl Surroundings<'_> {
    /// Where the client is.
    pub(super) const fn client_address(&self) -> ClientAddress {
        self.endpoints.client
    }

    /// The client's connection as its addresses say it; `None` where there are none.
    pub(super) fn ends(&self) -> Option<Ends> {
        Some(Ends { source: self.endpoints.client.socket()?, destination: self.endpoints.server? })
    }

    /// As the session takes it.
    pub(super) fn context<'c>(&'c self, nonce: &'c dyn Fn() -> [u8; 24], users: &'c [(UserRequest, UserLookup)]) -> Context<'c> {
        Context {
            policy: &self.snapshot.policy,
            picture: &self.picture,
            peer: self.peer.as_deref(),
            tls: self.tls,
            client_address: self.endpoints.client,
            server_address: self.endpoints.server_ip(),
            connection_id: self.connection_id,
            now_ms: unix_now_ms(),
            nonce,
            users,
            no_users: false,
        }
    }

    /// Where the client is and what it connected to.
    pub(super) fn addresses(&self) -> Addresses {
        (self.endpoints.client.ip(), self.endpoints.server_ip())
    }
}

/// What a connection did.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) forwarded: u64,
    pub(super) answered: u64,
    pub(super) transitional: u64,
}

/// Serves one client from its socket to its end.
pub(super) fn serve<'a>(server: &'a Server, entrance: &'a Entrance, arrival: Arrival) -> impl Future<Output = ()> {
    // What a connection needs to begin is not kept for all its life.
    let begun = Box::pin(begin(server, entrance, arrival));
    async move {
        let Some((mut connection, time)) = begun.await else { return };
        let end = connection.run(&time).await;
        Box::pin(connection.finish(&end)).await;
    }
}

/// Opens a connection; `None` when it came to nothing.
async fn begin<'a>(
    server: &'a Server,
    entrance: &'a Entrance,
    arrival: Arrival,
) -> Option<(ClientConnection<'a>, HandshakeTime)> {
    let snapshot = server.snapshot.load_full();
    let time = HandshakeTime::starting_now(snapshot.settings.proxy.handshake_timeout_seconds);
    let Entered { endpoints, place, log, opened } = arrival.enter(server, &snapshot, entrance, &time).await?;
    let Client { front, picture } = opened.client;
    let mut connection = ClientConnection {
        server,
        session: Session::new(),
        surroundings: Surroundings {
            front,
            snapshot,
            picture,
            peer: opened.peer,
            tls: opened.channel.stream.is_tls(),
            endpoints,
            connection_id: place.id,
        },
        channel: opened.channel,
        log,
        place,
        users_generation: front.users.generation(),
        origin: Box::default(),
        upstream: None,
        introduction: None,
        moved: Moved::default(),
        counts: Counts::default(),
        readiness: Readiness::default(),
        shown_state: "unauthenticated",
    };
    connection.session.ask_rules(&connection.surroundings.snapshot.policy, endpoints.client);
    server.metrics.connection_state(connection.shown_state, 1.0);
    Some((connection, time))
}

impl ClientConnection<'_> {
    /// Serves commands until the connection ends. The first has to be complete in time.
    async fn run(&mut self, time: &HandshakeTime) -> End {
        match time.limit(self.first_message()).await {
            Err(end) | Ok(Err(end)) => return end,
            Ok(Ok(())) => {}
        }
        loop {
            if let Err(end) = self.turn().await {
                return end;
            }
        }
    }

    /// Waits for bytes while nothing is due, and notices everything that ends an idle connection.
    pub(super) async fn wait_for_bytes(&mut self) -> Result<(), End> {
        self.channel.incoming.rest();
        if let Some(upstream) = &mut self.upstream {
            upstream.connection.channel.incoming.rest();
        }
        self.place.control.set_busy(false);
        let read = loop {
            tokio::select! {
                biased;
                read = self.channel.fill() => match read {
                    // Many drivers close the connection without a word of TLS.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break 0,
                    read => break read.map_err(End::Client)?,
                },
                end = upstream_speaks(&mut self.upstream) => return Err(end),
                wake = self.place.control.woken() => self.heed(wake)?,
            }
        };
        self.place.control.set_busy(true);
        if read == 0 { Err(End::ClientLeft) } else { Ok(()) }
    }

    /// What the server said while nothing was due; mostly it ends the connection.
    pub(super) fn heed(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::UpstreamLost => Err(End::UpstreamLost),
            Wake::Draining => Err(End::Draining),
            Wake::Reloaded => self.refresh_snapshot(),
        }
    }

    /// The newest picture of the upstream.
    pub(super) fn refresh_picture(&mut self) -> Result<(), End> {
        self.surroundings.picture = self.surroundings.front.pictures.borrow().clone().ok_or(End::UpstreamLost)?;
        Ok(())
    }

    /// Moves this connection to the state that its session is in now, in the gauge and for reloads.
    pub(super) fn show_state(&mut self) {
        self.place.control.set_unproven_member(self.session.is_unproven_member());
        let state = match self.session.state() {
            State::Unauthenticated => "unauthenticated",
            State::User(_) => "user",
            State::Member(_) => "member",
        };
        if state != self.shown_state {
            self.server.metrics.connection_state(self.shown_state, -1.0);
            self.server.metrics.connection_state(state, 1.0);
            self.shown_state = state;
        }
    }

    async fn finish(mut self, end: &End) {
        self.server.metrics.connection_state(self.shown_state, -1.0);
        if let Some(label) = end.label() {
            self.server.metrics.connection_refused(label);
            self.log.broken_off(end.code(), &end.to_string());
        }
        // The upstream goes first, so that mongod interrupts what still runs.
        drop(self.upstream.take());
        if end.is_doubt() {
            self.have_upstream_checked().await;
        }
        // As with a mongod there is no last word of TLS: the socket is closed when all this is dropped.
        let open = self.server.registry.len().saturating_sub(1);
        self.log.ended(open, &self.summary(end));
    }

    /// Waits until it is known whether the upstream is lost: a client that is closed comes back at once, and has to see an outage on
    /// its first hello.
    async fn have_upstream_checked(&self) {
        if self.surroundings.front.pictures.borrow().is_none() {
            return;
        }
        tokio::select! {
            _ = timeout(suspicion::LIMIT, self.surroundings.front.suspicions.raise()) => {}
            _ = self.place.control.woken() => {}
        }
    }

    /// What the connection was and did, for its last log line.
    fn summary(&self, end: &End) -> serde_json::Value {
        json!({
            "reason": end.to_string(), "state": self.shown_state, "user": self.session.state().user().map(ToString::to_string),
            "forwarded": self.counts.forwarded, "answered": self.counts.answered, "transitional": self.counts.transitional,
            "bytesToUpstream": self.moved.requests, "bytesToClient": self.moved.replies,
        })
    }

    pub(super) fn application_name(&self) -> Option<String> {
        self.session.client_metadata().and_then(|metadata| application_name(metadata))
    }

    /// Tells the operator, once a connection, that somebody came without credentials in transition.
    pub(super) fn count_transitional(&mut self, command: &str) {
        self.counts.transitional = self.counts.transitional.saturating_add(1);
        self.server.metrics.operations_transitional.increment(1);
        if self.counts.transitional == 1 {
            let attributes = json!({
                "remote": self.log.remote(), "applicationName": self.application_name(), "command": command,
                "remedy": "this client would be refused without security.transitionToAuth: give it credentials",
            });
            self.log.access(Severity::Warning, 9_000_010, "Unauthenticated operation allowed by transitionToAuth", attributes);
        }
    }
}

fn application_name(metadata: &bson::raw::RawDocument) -> Option<String> {
    metadata.get_document("application").ok()?.get_str("name").ok().map(str::to_owned)
}

/// An idle upstream connection has nothing to say: whatever it says ends the connection.
async fn upstream_speaks(upstream: &mut Option<Box<Upstream>>) -> End {
    match upstream {
        None => std::future::pending().await,
        Some(upstream) => match upstream.connection.channel.fill().await {
            Ok(0) => End::Upstream(UpstreamError::Closed),
            Ok(_) => End::Upstream(UpstreamError::Protocol("a message that nobody asked for".into())),
            Err(error) => End::Upstream(UpstreamError::Io(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what an async function of three arguments gives, in bytes.
    const fn size<A, B, C, F: Future>(_function: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_waiting_connection_is_small() {
        // Each open connection holds this for all its life: what is rare and large has to be boxed.
        let bytes = size(serve);
        assert!(bytes <= 2048, "{bytes} bytes");
    }
}
