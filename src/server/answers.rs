//! What doorward answers itself: a command's step through the session, the reply, what is logged and counted of it.

use std::sync::atomic::{AtomicI32, Ordering};

use serde_json::json;

use super::connection::{ClientConnection, End};
use super::unix_now_ms;
use crate::admin::log::Severity;
use crate::names::UserName;
use crate::session::users::UserLookup;
use crate::session::{Context, Effect, Event};
use crate::upstream::UpstreamError;
use crate::upstream::connection::Connection;
use crate::wire::command::Command;
use crate::wire::request::{Envelope, Refusal};

/// One counter for all replies of the process, as in mongod.
static LAST_REPLY_ID: AtomicI32 = AtomicI32::new(0);

/// The next reply's requestID.
pub(super) fn next_reply_id() -> i32 {
    LAST_REPLY_ID.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

impl ClientConnection<'_> {
    /// Looks up whom the command is about, then lets the session judge it.
    pub(super) async fn step(&mut self, command: &Command<'_>) -> Result<Effect, End> {
        let wanted = self.session.users_wanted(command, &self.snapshot.policy, self.peer.as_ref());
        let mut users = Vec::with_capacity(wanted.len());
        for user in wanted {
            let found = self.look_up(&user).await?;
            users.push((user, found));
        }
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|error| End::Client(std::io::Error::other(error)))?;
        let context = Context {
            policy: &self.snapshot.policy,
            picture: &self.picture,
            peer: self.peer.as_ref(),
            tls: self.channel.stream.is_tls(),
            client_address: &self.address,
            connection_id: self.place.id,
            now_ms: unix_now_ms(),
            nonce: &|| nonce,
            users: &users,
        };
        Ok(self.session.step(command, &context))
    }

    async fn look_up(&self, user: &UserName) -> Result<UserLookup, End> {
        Ok(self.server.users.look_up(&self.snapshot.connector, user).await?)
    }

    /// Carries out what the session decided.
    pub(super) async fn answer(&mut self, envelope: Envelope, effect: Effect) -> Result<(), End> {
        match effect {
            Effect::Reply { body, events } => {
                self.counts.answered = self.counts.answered.saturating_add(1);
                self.server.metrics.operations_answered.increment(1);
                for event in events {
                    self.record(&event);
                }
                self.show_state();
                if envelope.more_to_come {
                    return Ok(());
                }
                let plaintext = !self.channel.stream.is_tls();
                self.channel.write(&envelope.reply(next_reply_id(), &body, plaintext)).await.map_err(End::Client)
            }
            Effect::AwaitTopology(wait) => self.await_topology(envelope, wait).await,
            // The caller forwards; a permit that comes here is a mistake of ours, and nothing is sent for it.
            Effect::Forward(_) => Err(End::UpstreamLost),
        }
    }

    /// Sends a refusal, unless the client does not want a reply.
    pub(super) async fn refuse(&mut self, envelope: Envelope, refusal: &Refusal) -> Result<(), End> {
        self.counts.answered = self.counts.answered.saturating_add(1);
        self.server.metrics.operations_answered.increment(1);
        if envelope.more_to_come {
            return Ok(());
        }
        let plaintext = !self.channel.stream.is_tls();
        self.channel.write(&envelope.refuse(next_reply_id(), refusal, plaintext)).await.map_err(End::Client)
    }

    /// Opens this client's own connection to the upstream, in the client's name.
    pub(super) async fn connect_upstream(&self) -> Result<Connection, UpstreamError> {
        let connected = self.snapshot.connector.connect(self.session.client_metadata()).await;
        self.server.metrics.upstream_connect(if connected.is_ok() { "connected" } else { "failed" });
        connected
    }

    fn record(&self, event: &Event) {
        let metrics = &self.server.metrics;
        match event {
            Event::ClientMetadata { document } => self.log.client_metadata(document),
            Event::AuthenticationSucceeded { mechanism, user, speculative, cluster } => {
                metrics.authentication(mechanism.clone(), "succeeded", String::new());
                self.log.authenticated(mechanism, &user.name, &user.database, *speculative, *cluster);
            }
            Event::AuthenticationFailed { mechanism, user, error, reason, speculative } => {
                metrics.authentication(mechanism.clone(), "failed", error.code().name().into_owned());
                let (name, database) = user.as_ref().map_or(("", ""), |user| (user.name.as_str(), user.database.as_str()));
                self.log.not_authenticated(mechanism, name, database, *speculative, error, reason);
            }
            Event::MemberCertificateFromClient { user } => {
                let text = "Client isn't a mongod or mongos, but is connecting with a certificate with cluster membership";
                self.log.access(Severity::Warning, 20430, text, json!({ "principalName": user.name }));
            }
            Event::LoggedOut { user } => {
                self.log.access(Severity::Info, 9_000_011, "Logged out", json!({ "user": user.to_string() }));
            }
            Event::SecondAuthentication { user } => {
                let text = "Client has attempted to reauthenticate as a single user";
                self.log.access(Severity::Warning, 5_626_700, text, json!({ "user": user.to_string() }));
            }
        }
    }
}
