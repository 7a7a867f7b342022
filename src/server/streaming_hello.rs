//! Hellos that wait for the upstream to change: drivers' monitoring connections spend their lives here.
//!
//! They cost the upstream nothing; a change of its picture reaches all of them at once, and so do its loss (the connection is
//! closed) and doorward's own stop (mongod's answer of a server in quiesce mode, under a process id of our own, so that no client
//! takes it for newer than what the upstream says later; wire sheet section 2.7).

use std::time::Duration;

use bson::oid::ObjectId;
use bson::raw::RawDocumentBuf;
use tokio::time::Instant;

use super::answers::next_reply_id;
use super::connection::{ClientConnection, End};
use super::registry::Wake;
use crate::session::AwaitTopology;
use crate::wire::request::Envelope;

/// Why a wait is over.
enum Over {
    /// The picture changed, or the time is up.
    Answer,
    /// doorward stops.
    Draining,
}

impl ClientConnection<'_> {
    /// Waits and answers: once, or for ever when the client allowed a stream.
    pub(super) async fn await_topology(&mut self, envelope: Envelope, mut wait: AwaitTopology) -> Result<(), End> {
        for event in std::mem::take(&mut wait.events) {
            self.record(&event);
        }
        let mut response_to = envelope.request_id;
        let plaintext = !self.channel.stream.is_tls();
        loop {
            let over = self.topology_changes(&wait).await?;
            let reply_id = next_reply_id();
            if matches!(over, Over::Draining) {
                let bytes = envelope.exhaust_reply(reply_id, response_to, &quiesce(self.server), false, plaintext);
                self.channel.write(&bytes).await.map_err(End::Client)?;
                return Err(End::Draining);
            }
            // A hello that waits authenticates nobody: it needs neither users nor a nonce.
            let (body, events) = self.session.hello_again(&mut wait, &self.surroundings.context(&|| [0; 24], &[]));
            for event in &events {
                self.record(event);
            }
            self.counts.answered = self.counts.answered.saturating_add(1);
            self.server.metrics.operations_answered.increment(1);
            let bytes = envelope.exhaust_reply(reply_id, response_to, &body, wait.exhaust, plaintext);
            self.channel.write(&bytes).await.map_err(End::Client)?;
            if !wait.exhaust {
                return Ok(());
            }
            response_to = reply_id;
        }
    }

    /// Waits until the picture differs from what the client last saw, at most as long as it asked for.
    async fn topology_changes(&mut self, wait: &AwaitTopology) -> Result<Over, End> {
        let mut pictures = self.surroundings.front.pictures.clone();
        let deadline = Instant::now() + Duration::from_millis(wait.max_await_ms);
        self.place.control.set_busy(false);
        self.channel.incoming.rest();
        loop {
            if let Some(picture) = pictures.borrow_and_update().clone() {
                self.surroundings.picture = picture;
            } else {
                // Its turn comes a moment after the connections that run operations: see the registry.
                self.place.control.woken().await;
                return Err(End::UpstreamLost);
            }
            if self.surroundings.picture.topology_version() != Some(wait.topology_version) {
                return Ok(Over::Answer);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {
                    // Nobody was woken for what is newer under the same topology version.
                    if let Some(picture) = pictures.borrow_and_update().clone() {
                        self.surroundings.picture = picture;
                        return Ok(Over::Answer);
                    }
                }
                changed = pictures.changed() => changed.map_err(|_closed| End::UpstreamLost)?,
                read = self.channel.fill(), if self.channel.incoming.has_room() => {
                    if read.map_err(End::Client)? == 0 {
                        return Err(End::ClientLeft);
                    }
                }
                wake = self.place.control.woken() => match wake {
                    Wake::Draining => return Ok(Over::Draining),
                    wake => self.heed(wake)?,
                },
            }
        }
    }
}

/// mongod's answer of a server that shuts down. Source: wire sheet section 7.3.
fn quiesce(server: &super::Server) -> RawDocumentBuf {
    let remaining = i64::from(server.snapshot.load().settings.proxy.drain_seconds) * 1000;
    bson::rawdoc! {
        "topologyVersion": { "processId": ObjectId::new(), "counter": 0_i64 },
        "ok": 0.0,
        "errmsg": "The server is in quiesce mode and will shut down",
        "code": 91,
        "codeName": "ShutdownInProgress",
        "remainingQuiesceTimeMillis": remaining,
    }
}
