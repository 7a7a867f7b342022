//! What doorward answers itself: a command's step through the session, the reply, what is logged and counted of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::connection::{ClientConnection, End};
use super::pooling::Upstream;
use crate::admin::events::Login;
use crate::admin::log::Severity;
use crate::session::{Context, Effect, Event, UserLookup, UserRequest};
use crate::upstream::UpstreamError;
use crate::wire::command::Command;
use crate::wire::proxy_header::Spoken;
use crate::wire::request::{Envelope, Refusal};

/// Under `proxy.hideUnknownUsers` every answer that a user was looked up for takes this long or a multiple of it, found or unknown:
/// what the upstream needs to answer would tell them apart.
const LOOK_UP_TIME: Duration = Duration::from_millis(20);

/// `elapsed`, rounded up.
fn whole_look_up_times(elapsed: Duration) -> Duration {
    let count = elapsed.as_micros().div_ceil(LOOK_UP_TIME.as_micros()).max(1);
    LOOK_UP_TIME.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// One counter for all replies of the process, as in mongod.
static LAST_REPLY_ID: AtomicI32 = AtomicI32::new(0);

/// The next reply's requestID.
pub(super) fn next_reply_id() -> i32 {
    LAST_REPLY_ID.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

impl ClientConnection<'_> {
    /// Looks up whom the command is about, then lets the session judge it.
    pub(super) async fn step(&mut self, command: &Command<'_>) -> Result<Effect, End> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|error| End::Client(std::io::Error::other(error)))?;
        let draw = || nonce;
        let asked = Instant::now();
        let wanted = self.session.users_wanted(command, &self.surroundings.context(&draw, &[]));
        let is_even = self.surroundings.snapshot.policy.decoy_secret.is_some() && !wanted.is_empty();
        let mut users = Vec::with_capacity(wanted.len());
        for user in wanted {
            let found = if is_even { self.look_up_evenly(&user).await? } else { self.look_up(&user).await? };
            users.push((user, found));
        }
        let asks_for_any_user = self.session.asks_for_any_user(command, &self.surroundings.context(&draw, &[]));
        let no_users = asks_for_any_user && Box::pin(self.has_nobody()).await?;
        let effect = self.session.step(command, &Context { no_users, ..self.surroundings.context(&draw, &users) });
        if is_even {
            tokio::time::sleep_until(asked + whole_look_up_times(asked.elapsed())).await;
        }
        Ok(effect)
    }

    /// Takes over what a reload brought: who must authenticate, and how, counts for open connections too. TLS stays as it is. A member
    /// that has not logged in so far would not try again on this connection, whatever has changed: it has to come back.
    pub(super) fn refresh_snapshot(&mut self) -> Result<(), End> {
        let current = self.server.snapshot.load();
        if current.generation != self.surroundings.snapshot.generation {
            self.surroundings.snapshot = Arc::clone(&current);
            self.ask_rules();
            if current.policy.access_control && self.session.is_unproven_member() {
                return Err(End::UnprovenMember);
            }
        }
        Ok(())
    }

    fn ask_rules(&mut self) {
        self.session.ask_rules(&self.surroundings.snapshot.policy, self.surroundings.client_address());
    }

    /// Looks the session's user up again when something about users has changed: a dropped user stops at once.
    pub(super) async fn refresh_user(&mut self) -> Result<(), End> {
        let generation = self.surroundings.front.users.generation();
        if generation == self.users_generation {
            return Ok(());
        }
        if let Some(user) = self.session.state().stored_user().cloned() {
            let found = Box::pin(self.look_up(&user)).await?;
            if let Some(event) = self.session.refresh_user(&found, self.surroundings.addresses()) {
                self.record(&event);
                self.show_state();
                self.ask_rules();
            }
        }
        self.users_generation = generation;
        Ok(())
    }

    /// Whether the localhost exception is in force; said once in a process, as mongod does.
    async fn has_nobody(&self) -> Result<bool, End> {
        let nobody = self.surroundings.front.users.has_nobody(&self.surroundings.front.connector()).await?;
        if nobody && !self.surroundings.front.localhost_exception_noted.swap(true, Ordering::Relaxed) {
            let text = "note: no users configured in admin.system.users, allowing localhost access";
            self.log.access(Severity::Info, 20248, text, json!({}));
        }
        Ok(nobody)
    }

    async fn look_up_evenly(&self, user: &UserRequest) -> Result<UserLookup, End> {
        Ok(self.surroundings.front.users.look_up_evenly(&self.surroundings.front.connector(), user).await?)
    }

    async fn look_up(&self, user: &UserRequest) -> Result<UserLookup, End> {
        Ok(self.surroundings.front.users.look_up(&self.surroundings.front.connector(), user).await?)
    }

    /// Carries out what the session decided.
    pub(super) async fn answer(&mut self, envelope: Envelope, effect: Effect) -> Result<(), End> {
        // The client may have said something of itself.
        self.introduction = None;
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
            Effect::AwaitTopology(wait) => {
                self.show_state();
                self.await_topology(envelope, wait).await
            }
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
        self.refresh_picture()?;
        let plaintext = !self.channel.stream.is_tls();
        let bytes = match refusal {
            Refusal::Command(error) => {
                envelope.reply(next_reply_id(), &self.surroundings.picture.complete(error.to_reply()), plaintext)
            }
            Refusal::LegacyOpcode { .. } => envelope.refuse(next_reply_id(), refusal, plaintext),
        };
        self.channel.write(&bytes).await.map_err(End::Client)
    }

    /// Opens a connection to the upstream in the client's name: this client's own, or one that is shared by clients of that name.
    pub(super) async fn connect_upstream(&self) -> Result<Box<Upstream>, UpstreamError> {
        let front = self.surroundings.front;
        let epoch = front.pooling.epoch();
        let connector = front.connector();
        let shared = self.introduction.clone().filter(|_| front.pooling.is_for(&self.session, &self.surroundings.picture));
        let introduction = match &shared {
            Some(introduction) => introduction.hello().cloned(),
            None => self.session.introduction(&self.surroundings.snapshot.policy),
        };
        let client = Spoken::Client(self.surroundings.ends());
        let connected = connector.connect_for(client, introduction).await;
        self.server.metrics.upstream_connect(if connected.is_ok() { "connected" } else { "failed" });
        let connection = connected?;
        Ok(Box::new(match shared {
            Some(introduction) => {
                let mut number = [0; 4];
                getrandom::fill(&mut number).map_err(|error| UpstreamError::Io(std::io::Error::other(error)))?;
                Upstream::shared(connection, introduction, epoch, i32::from_le_bytes(number))
            }
            None => Upstream::own(connection),
        }))
    }

    /// Logs and counts what happened in the session.
    pub(super) fn record(&mut self, event: &Event) {
        self.note_login(event);
        let metrics = &self.server.metrics;
        match event {
            Event::ClientMetadata { document } => self.log.client_metadata(document),
            Event::AuthenticationSucceeded { mechanism, user, subject, speculative, cluster } => {
                metrics.authentication(mechanism, "succeeded", "");
                let name = subject.as_deref().unwrap_or(&user.name);
                let login = Login { mechanism, user: name, database: &user.database, speculative: *speculative };
                self.log.authenticated(&login, *cluster);
            }
            Event::AuthenticationFailed { mechanism, user, error, reason, speculative, .. } => {
                metrics.authentication(mechanism, "failed", &error.code().name());
                let (name, database) = user.as_ref().map_or(("", ""), |user| (user.name.as_str(), user.database.as_str()));
                self.log.not_authenticated(&Login { mechanism, user: name, database, speculative: *speculative }, error, reason);
            }
            Event::MemberCertificateFromClient { subject } => {
                let text = "Client isn't a mongod or mongos, but is connecting with a certificate with cluster membership";
                self.log.access(Severity::Warning, 20430, text, json!({ "subject": subject }));
            }
            Event::LoggedOut { user } => {
                self.log.access(Severity::Info, 9_000_011, "Logged out", json!({ "user": user.to_string() }));
            }
            Event::UserDropped { user } => {
                let text = "The user was dropped; the connection is no longer authenticated";
                self.log.access(Severity::Info, 9_000_012, text, json!({ "user": user.to_string() }));
            }
            Event::UserRestricted { user } => {
                let text =
                    "The user may not connect from this client's address any more; the connection is no longer authenticated";
                self.log.access(Severity::Info, 9_000_014, text, json!({ "user": user.to_string() }));
            }
            Event::OtherUserThanAsked { asked, user } => {
                let text = "Different user name was supplied to saslSupportedMechs";
                self.log.access(Severity::Info, 5_286_202, text, json!({ "asked": asked.to_string(), "user": user.to_string() }));
            }
            Event::MechanismsOfUnknownUser { user } => {
                self.log.access(
                    Severity::Info,
                    20251,
                    "Supported SASL mechanisms requested for unknown user",
                    json!({ "user": user.to_string() }),
                );
            }
            Event::SecondAuthentication { user } => {
                let text = "Client has attempted to reauthenticate as a single user";
                self.log.access(Severity::Warning, 5_626_700, text, json!({ "user": user.to_string() }));
            }
        }
    }
}
