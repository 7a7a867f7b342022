//! The second half of a turn that is forwarded: the message goes to the upstream, its replies come back.
//!
//! What takes its time, a message that arrives slowly or a stream of replies, is confirmed on the way: whoever is not who was judged
//! any more is closed, for the upstream then stands in the middle of a message.

use std::pin::{Pin, pin};

use super::connection::{ClientConnection, End};
use super::observe::AfterCommand;
use super::pooling::{self, Upstream};
use super::registry::Control;
use crate::authz::{self, Subject};
use crate::relay::{self, Arrived, Asked, RelayError, ReplyForm};
use crate::session::State;
use crate::upstream::pool::Introduction;
use crate::wire::MAX_MESSAGE_SIZE;
use crate::wire::header::Header;
use crate::wire::request::Envelope;

/// A message on its way to the upstream.
pub(super) struct Forwarding {
    pub(super) envelope: Envelope,
    pub(super) allowed: authz::Allowed,
    pub(super) changes_users: bool,
    /// The command, when nobody is authenticated.
    pub(super) by_nobody: Option<String>,
}

/// What the upstream may still do when a turn is over.
enum Due {
    /// Nothing: all was answered.
    Nothing,
    /// What it was told to do without an answer. What the client asks next has to come after it, on the same connection.
    SomethingUnseen,
}

impl ClientConnection<'_> {
    /// Sends a message on and brings its replies back. `whole` holds it when it was read already.
    pub(super) async fn forward(&mut self, header: Header, forwarding: Forwarding, whole: Option<&mut [u8]>) -> Result<(), End> {
        let changes_users = forwarding.changes_users;
        let done = self.exchange(header, forwarding, whole).await;
        if changes_users && done.is_err() {
            // Nobody knows whether the upstream has done it, or will yet.
            self.server.each_front(|front| front.users.forget_again_soon());
        }
        self.origin.rest();
        if let Due::Nothing = done? {
            self.give_upstream_back();
        }
        Ok(())
    }

    async fn exchange(&mut self, mut header: Header, forwarding: Forwarding, whole: Option<&mut [u8]>) -> Result<Due, End> {
        let Forwarding { envelope, allowed, changes_users, by_nobody } = forwarding;
        if let Some(command) = by_nobody.filter(|_| self.surroundings.snapshot.policy.transition_to_auth) {
            self.count_transitional(&command);
        }
        if self.upstream.is_none() {
            self.upstream = match self.take_upstream() {
                None => Some(Box::pin(self.connect_upstream()).await?),
                idle => idle,
            };
            self.place.control.set_forwards();
        }
        let is_there = whole.is_some() || self.is_there(header);
        let subject = (envelope.exhaust_allowed || !is_there).then(|| allowed.subject().clone());
        let mut whole = whole;
        let asked = self.number(envelope, &mut header, whole.as_deref_mut());
        self.send(header, allowed, envelope, whole.as_deref(), subject.as_ref()).await?;
        if changes_users {
            self.server.each_front(|front| front.users.forget());
        }
        if envelope.more_to_come {
            if changes_users {
                // No reply will tell when it is done, but what is asked after it is answered after it.
                Box::pin(self.upstream_is_done()).await?;
                self.server.each_front(|front| front.users.forget());
                return Ok(Due::Nothing);
            }
            return Ok(Due::SomethingUnseen);
        }
        let mut to = Some(asked);
        while self.reply(envelope, to, changes_users).await? {
            let Some(subject) = &subject else { return Err(RelayError::Protocol("replies without end".to_owned()).into()) };
            Box::pin(self.confirm(subject)).await?;
            // A member follows the oplog for ever, and begins again elsewhere by itself.
            let is_member = matches!(self.session.state(), State::Member(_)) || self.session.is_unproven_member();
            if is_member && self.place.control.is_draining() {
                return Err(End::Draining);
            }
            to = None;
        }
        Ok(Due::Nothing)
    }

    /// A connection that others used before, if there is one and this client may use it.
    fn take_upstream(&mut self) -> Option<Box<Upstream>> {
        let front = self.surroundings.front;
        if !front.pooling.is_for(&self.session, &self.surroundings.picture) {
            return None;
        }
        let (session, policy) = (&self.session, &self.surroundings.snapshot.policy);
        let introduction = self.introduction.get_or_insert_with(|| Introduction::new(session.introduction(policy)));
        let upstream = pooling::take(front.number, &front.pooling, introduction)?;
        self.server.metrics.upstream_reuses.increment(1);
        upstream.introduction().inspect(|same| introduction.share(same));
        Some(upstream)
    }

    /// On a connection that others use too a message has a number that nobody can guess: whatever may go wrong, an answer to somebody
    /// else is never taken for this client's.
    fn number(&mut self, envelope: Envelope, header: &mut Header, whole: Option<&mut [u8]>) -> Asked {
        let client = envelope.request_id;
        let Some(upstream) = self.upstream.as_mut().and_then(|upstream| upstream.next_number()) else {
            return Asked { upstream: client, client };
        };
        match whole {
            // Its header is another one than that which it came with, if it came compressed.
            Some(message) => renumber(message, upstream),
            // Its checksum has yet to be compared with what the client sent; its header is written anew on the way.
            None if envelope.checksum => header.request_id = upstream,
            None => header.renumber(self.channel.incoming.available_mut(), upstream),
        }
        Asked { upstream, client }
    }

    /// Lets others use the upstream connection, if it is one that they may.
    fn give_upstream_back(&mut self) {
        let is_shared = |upstream: &mut Box<Upstream>| upstream.introduction().is_some() && self.session.may_share_upstream();
        if let Some(upstream) = self.upstream.take_if(is_shared) {
            pooling::give_back(self.surroundings.front.number, &self.surroundings.front.pooling, upstream);
        }
    }

    /// Waits until the upstream has done all that it was told.
    async fn upstream_is_done(&mut self) -> Result<(), End> {
        let Some(upstream) = self.upstream.as_mut() else { return Err(End::UpstreamLost) };
        let ping = bson::rawdoc! { "ping": 1, "$db": "admin" };
        let asked = upstream.connection.ask(&ping);
        tokio::select! {
            biased;
            answered = asked => { answered?; }
            () = self.place.control.upstream_lost() => return Err(End::UpstreamLost),
        }
        Ok(())
    }

    /// Sends a message to the upstream.
    async fn send(
        &mut self,
        header: Header,
        allowed: authz::Allowed,
        envelope: Envelope,
        whole: Option<&[u8]>,
        subject: Option<&Subject>,
    ) -> Result<(), End> {
        let Some(upstream) = self.upstream.as_mut() else { return Err(End::UpstreamLost) };
        let moved = if let Some(message) = whole {
            let mut sent = Box::pin(relay::forward_whole(allowed, &mut upstream.connection.channel, message, envelope.checksum));
            unless_lost(&self.place.control, sent.as_mut()).await?
        } else {
            let sent = relay::forward(allowed, &mut self.channel, &mut upstream.connection.channel, header, envelope.checksum);
            let rest = unless_lost(&self.place.control, pin!(sent)).await?;
            if let Some(subject) = subject.filter(|_| rest.was_late) {
                Box::pin(self.confirm(subject)).await?;
            }
            let Some(upstream) = self.upstream.as_mut() else { return Err(End::UpstreamLost) };
            let sent = relay::finish(rest, &mut self.channel, &mut upstream.connection.channel);
            unless_lost(&self.place.control, pin!(sent)).await?
        };
        self.counts.forwarded = self.counts.forwarded.saturating_add(1);
        self.server.metrics.operations_forwarded.increment(1);
        self.server.metrics.bytes_to_upstream.increment(moved);
        self.moved.requests = self.moved.requests.saturating_add(moved);
        Ok(())
    }

    /// Brings a reply back; tells whether another follows.
    async fn reply(&mut self, envelope: Envelope, to: Option<Asked>, changes_users: bool) -> Result<bool, End> {
        let Some(upstream) = self.upstream.as_mut() else { return Err(End::UpstreamLost) };
        let mut observer = AfterCommand {
            server: self.server,
            changes_users,
            cursors: &self.surroundings.front.cursors,
            origin: &mut self.origin,
        };
        let form = ReplyForm { compressor: envelope.compressor, checksum: envelope.checksum && !self.channel.stream.is_tls() };
        let arrived = relay::reply(&mut self.channel, &mut upstream.connection.channel, to, form, &mut observer);
        let Arrived { moved, more } = unless_lost(&self.place.control, pin!(arrived)).await?;
        self.server.metrics.bytes_to_clients.increment(moved);
        self.moved.replies = self.moved.replies.saturating_add(moved);
        Ok(more)
    }

    /// Makes sure that what was allowed to `subject` a while ago may go on: the end of a message that took its time, the next of
    /// many replies. Whoever is not the same any more is closed, and is told when it tries again.
    async fn confirm(&mut self, subject: &Subject) -> Result<(), End> {
        self.refresh().await?;
        let is_free = !self.session.enforces(&self.surroundings.snapshot.policy);
        let now = self.session.state().principal();
        let may = match subject {
            Subject::Unrestricted(_) => is_free,
            Subject::Authenticated(before) => is_free || now.is_some_and(|now| now.is_like(before)),
            Subject::LocalhostException => false,
        };
        if may { Ok(()) } else { Err(End::NoLongerAllowed) }
    }

    fn is_there(&self, header: Header) -> bool {
        usize::try_from(header.message_length).is_ok_and(|length| self.channel.incoming.len() >= length)
    }
}

fn renumber(message: &mut [u8], number: i32) {
    if let Ok(Some(mut header)) = Header::peek(message, MAX_MESSAGE_SIZE) {
        header.renumber(message, number);
    }
}

/// Does this much of a relay, unless the upstream is lost meanwhile. By its address, because each connection has room for it all its
/// life and would have it twice.
async fn unless_lost<T>(control: &Control, work: Pin<&mut impl Future<Output = Result<T, RelayError>>>) -> Result<T, End> {
    tokio::select! {
        biased;
        done = work => Ok(done?),
        () = control.upstream_lost() => Err(End::UpstreamLost),
    }
}
