//! One turn: a message is read as far as it must be, judged, and answered here or forwarded.

use bson::raw::{RawDocument, RawDocumentBuf};

use super::connection::{ClientConnection, End};
use super::forward::Forwarding;
use super::unix_now_ms;
use crate::authz::facts::{self, Known};
use crate::authz::request::Sequences;
use crate::authz::{self, Permit, Refused, Rewrite, Subject};
use crate::error::{CommandError, ErrorCode};
use crate::relay;
use crate::session::{Effect, check_user_name};
use crate::wire::checksum::CHECKSUM_LEN;
use crate::wire::command::{Command, Protocol};
use crate::wire::compressed::{self, Unwrapped};
use crate::wire::head::{self, HeadState};
use crate::wire::header::{HEADER_LEN, Header, opcode};
use crate::wire::request::{self, Envelope, Refusal};
use crate::wire::{MAX_MESSAGE_SIZE, SECTIONS};

/// What a message turned out to be.
enum Judged {
    /// Answered by doorward itself.
    Local(Envelope, Effect),
    /// To be refused with this.
    Refused(Envelope, Refusal),
    /// To be forwarded.
    Forward(Forwarding),
}

impl ClientConnection<'_> {
    /// Waits until the first message is there as far as it must be read; it stays where it is.
    pub(super) async fn first_message(&mut self) -> Result<(), End> {
        let header = self.header().await?;
        self.check_size(header)?;
        let length = usize::try_from(header.message_length).unwrap_or(usize::MAX);
        // Where nothing is enforced the first message may be a large one: its beginning shows that the client is alive.
        let wanted = if self.may_forward() { length.min(4096) } else { length };
        while self.channel.incoming.len() < wanted {
            self.wait_for_bytes().await?;
        }
        Ok(())
    }

    /// Waits for the client's next message and does what it asks.
    pub(super) async fn turn(&mut self) -> Result<(), End> {
        let header = self.header().await?;
        self.place.control.set_busy(true);
        self.refresh().await?;
        self.check_size(header)?;
        if header.opcode == opcode::COMPRESSED {
            return Box::pin(self.compressed_turn(header)).await;
        }
        // Only such a message can be judged by its head; mongod judges any other when it is there as a whole.
        let by_head = header.opcode == opcode::MSG && header.response_to == 0;
        let judged = if by_head { self.judge_head(header).await? } else { None };
        if let Some(forwarding) = judged {
            return self.forward(header, forwarding, None).await;
        }
        // What is rare is boxed, so that a connection that waits does not hold the room for it.
        Box::pin(self.whole_turn(header)).await
    }

    async fn whole_turn(&mut self, header: Header) -> Result<(), End> {
        let length = self.whole(header).await?;
        let mut message = self.take(length);
        let judged = self.judge_whole(&message).await?;
        self.execute(header, judged, &mut message).await
    }

    /// Brings rules and user up to date. To be asked before every judgement, and again after every wait for a part of a message:
    /// who begins a message and finishes it much later is judged by what is true then.
    pub(super) async fn refresh(&mut self) -> Result<(), End> {
        self.refresh_snapshot()?;
        self.refresh_user().await
    }

    fn may_forward(&self) -> bool {
        self.session.state().is_authenticated() || !self.session.enforces(&self.surroundings.snapshot.policy)
    }

    /// Refuses what is too large for a client that is not authenticated.
    fn check_size(&mut self, header: Header) -> Result<(), End> {
        let most = self.surroundings.snapshot.settings.parameters.pre_auth_maximum_message_size_bytes;
        if self.may_forward() || header.message_length <= most {
            return Ok(());
        }
        self.note_too_large();
        Err(End::TooLargeBeforeAuthentication(header.message_length))
    }

    /// Reads until a header is there.
    async fn header(&mut self) -> Result<Header, End> {
        loop {
            if let Some(header) = Header::peek(self.channel.incoming.available(), MAX_MESSAGE_SIZE)? {
                return Ok(header);
            }
            self.wait_for_bytes().await?;
        }
    }

    /// Reads until the whole message is there and returns its length.
    async fn whole(&mut self, header: Header) -> Result<usize, End> {
        let length = usize::try_from(header.message_length).unwrap_or(usize::MAX);
        while self.channel.incoming.len() < length {
            self.wait_for_bytes().await?;
        }
        Ok(length)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let message = self.channel.incoming.available().get(..length).unwrap_or_default().to_vec();
        self.channel.incoming.consume(length);
        message
    }

    /// Judges a message by its head, without reading more than that: `None` when doorward has to answer itself.
    async fn judge_head(&mut self, header: Header) -> Result<Option<Forwarding>, End> {
        while self.may_forward() {
            let wanted = match head::peek(&header, self.channel.incoming.available())? {
                HeadState::NeedMore { total } => total,
                HeadState::Ready { request, consumed } => {
                    let Ok(command) = request.command else { return Ok(None) };
                    let Some(permit) = self.session.permit(command.name, &self.surroundings.snapshot.policy) else {
                        return Ok(None);
                    };
                    let sequences = if is_body_alone(header, request.envelope, command.body, consumed) {
                        Sequences::None
                    } else {
                        Sequences::Unread
                    };
                    let Ok(forwarding) = self.authorize(permit, &command, request.envelope, sequences) else {
                        return Ok(None);
                    };
                    let sequences = match (sequences, whole_message(self.channel.incoming.available(), header)) {
                        (Sequences::Unread, Some(message)) => self::sequences(&command, request.envelope, message),
                        (sequences, _) => sequences,
                    };
                    // What can only be judged as a whole is read as a whole, as if it were enforced.
                    let observed = self.readiness.observe(self.server, &self.session, &self.surroundings, &command, sequences);
                    if observed.is_err() {
                        return Ok(None);
                    }
                    let changed = !matches!(forwarding.allowed.rewrite(), Rewrite::None);
                    let size = usize::try_from(header.message_length).unwrap_or(usize::MAX);
                    if changed && (request.envelope.checksum || !forwarding.allowed.fits(command.body, size)) {
                        return Ok(None);
                    }
                    let access_control = self.surroundings.snapshot.policy.access_control;
                    self.origin.prepare(access_control, &forwarding.allowed, &command);
                    return Ok(Some(forwarding));
                }
            };
            while self.channel.incoming.len() < wanted {
                self.wait_for_bytes().await?;
            }
            self.refresh().await?;
            self.check_size(header)?;
        }
        Ok(None)
    }

    async fn compressed_turn(&mut self, header: Header) -> Result<(), End> {
        if self.surroundings.snapshot.policy.compressors.is_empty() {
            return Err(crate::wire::CloseReason::CompressionDisabled.into());
        }
        let length = self.whole(header).await?;
        let message = self.take(length);
        self.refresh().await?;
        let parameters = &self.surroundings.snapshot.settings.parameters;
        let most = if self.may_forward() { MAX_MESSAGE_SIZE } else { parameters.pre_auth_maximum_message_size_bytes };
        let unwrapped =
            relay::aside(declared_size(&message), move || compressed::unwrap(&message, most)).await.map_err(End::Client)??;
        let Unwrapped::Message { compressor, mut message } = unwrapped else { return Ok(()) };
        let with = |envelope: Envelope| Envelope { compressor: Some(compressor), ..envelope };
        let judged = match self.judge_whole(&message).await? {
            Judged::Local(envelope, effect) => Judged::Local(with(envelope), effect),
            Judged::Refused(envelope, refusal) => Judged::Refused(with(envelope), refusal),
            Judged::Forward(forwarding) => Judged::Forward(Forwarding { envelope: with(forwarding.envelope), ..forwarding }),
        };
        self.execute(header, judged, &mut message).await
    }

    /// Judges a message that is there as a whole.
    async fn judge_whole(&mut self, message: &[u8]) -> Result<Judged, End> {
        let request = request::parse(message)?;
        let command = match request.command {
            Ok(command) => command,
            Err(refusal) => return Ok(Judged::Refused(request.envelope, refusal)),
        };
        self.refresh().await?;
        self.refresh_picture()?;
        let effect = self.step(&command).await?;
        let judged = match effect {
            Effect::Forward(permit) => {
                let sequences = sequences(&command, request.envelope, message);
                let again = permit.clone();
                let mut judged_as = None;
                let judged = match self.authorize(permit, &command, request.envelope, sequences) {
                    Err(Refused::NotAuthorized) => {
                        let known = Box::pin(self.authorize_knowing(again, &command, request.envelope)).await;
                        known.map(|(forwarding, body)| {
                            judged_as = body;
                            forwarding
                        })
                    }
                    judged => judged,
                };
                match judged {
                    Ok(forwarding) => {
                        let _ = self.readiness.observe(self.server, &self.session, &self.surroundings, &command, sequences);
                        let judged_as = Command { body: judged_as.as_deref().unwrap_or(command.body), ..command };
                        self.fitted(forwarding, &command, &judged_as, message.len())
                    }
                    Err(refused) => Judged::Local(request.envelope, self.refusal(&command, sequences, refused).await?),
                }
            }
            other => Judged::Local(request.envelope, other),
        };
        if let Judged::Local(_, effect) = &judged {
            self.note_enforced(&command, sequences(&command, request.envelope, message), effect);
        }
        Ok(judged)
    }

    /// A message of `size` bytes that is there as a whole and may be forwarded, if that is possible with what is changed of it.
    fn fitted(&mut self, forwarding: Forwarding, command: &Command<'_>, judged_as: &Command<'_>, size: usize) -> Judged {
        let envelope = forwarding.envelope;
        match forwarding.allowed.fitted(command.body, size) {
            Some(allowed) => {
                let access_control = self.surroundings.snapshot.policy.access_control;
                self.origin.prepare(access_control, &allowed, judged_as);
                Judged::Forward(Forwarding { allowed, ..forwarding })
            }
            None => {
                let text = "the message has no room for the digest of its user";
                Judged::Refused(envelope, Refusal::Command(CommandError::new(ErrorCode::BSONObjectTooLarge, text)))
            }
        }
    }

    /// The answer to a command that was refused.
    async fn refusal(&self, command: &Command<'_>, sequences: Sequences<'_>, refused: Refused) -> Result<Effect, End> {
        let canonical_name = authz::table::canonical_name(command.name);
        let complaint = || authz::complaint(&authz::request::Request { command: *command, canonical_name, sequences });
        let refused = match refused {
            Refused::NotAuthorized | Refused::WholeMessage => match complaint() {
                Some(error) => Refused::Error(error),
                None => Refused::Error(not_authorized(command).await.map_err(End::Client)?),
            },
            other => other,
        };
        let context = self.surroundings.context(&|| [0; 24], &[]);
        let body = self.session.refusal(command, refused, &context);
        self.note_refused(command, sequences, &body);
        Ok(Effect::Reply { body, events: Vec::new() })
    }

    /// Judges a command that was refused once more, if the upstream knows something that may change that; with what it was judged as
    /// if that is not what was sent.
    async fn authorize_knowing(
        &self,
        permit: Permit,
        command: &Command<'_>,
        envelope: Envelope,
    ) -> Result<(Forwarding, Option<RawDocumentBuf>), Refused> {
        let canonical_name = authz::table::canonical_name(command.name);
        let request = authz::request::Request { command: *command, canonical_name, sequences: Sequences::None };
        let question = facts::question(&permit, &request).ok_or(Refused::NotAuthorized)?;
        let reply = self.ask_upstream(&question).await.ok_or(Refused::NotAuthorized)?;
        let Known { allowed, judged_as } =
            facts::authorize(permit, &request, &self.surroundings.front.cursors, &reply, unix_now_ms())?;
        Ok((Forwarding { envelope, allowed, changes_users: false, by_nobody: None }, judged_as))
    }

    /// Judges a command that the session would forward.
    fn authorize(
        &self,
        permit: Permit,
        command: &Command<'_>,
        envelope: Envelope,
        sequences: Sequences<'_>,
    ) -> Result<Forwarding, Refused> {
        let nobody = matches!(permit.subject(), Subject::Unrestricted(None));
        let canonical_name = authz::table::canonical_name(command.name);
        let request = authz::request::Request { command: *command, canonical_name, sequences };
        let allowed = authz::authorize(permit, &request, &self.surroundings.front.cursors, unix_now_ms())?;
        let changes_users = authz::changes_users(&request);
        if changes_users {
            check_user_name(command, &self.surroundings.snapshot.policy)?;
        }
        Ok(Forwarding { envelope, allowed, changes_users, by_nobody: nobody.then(|| command.name.to_owned()) })
    }

    async fn execute(&mut self, header: Header, judged: Judged, message: &mut [u8]) -> Result<(), End> {
        match judged {
            Judged::Local(envelope, effect) => self.answer(envelope, effect).await,
            Judged::Refused(envelope, refusal) => self.refuse(envelope, &refusal).await,
            Judged::Forward(forwarding) => self.forward(header, forwarding, Some(message)).await,
        }
    }
}

/// Whether the body is all that a message has.
fn is_body_alone(header: Header, envelope: Envelope, body: &RawDocument, consumed: usize) -> bool {
    let checksum = if envelope.checksum { CHECKSUM_LEN } else { 0 };
    let ends_there = consumed.checked_add(checksum) == usize::try_from(header.message_length).ok();
    let begins_there = consumed.checked_sub(body.as_bytes().len()) == SECTIONS.checked_add(1);
    ends_there && begins_there
}

/// The message, if it is there as a whole.
fn whole_message(available: &[u8], header: Header) -> Option<&[u8]> {
    available.get(..usize::try_from(header.message_length).ok()?)
}

/// The document sequences of a message that is there as a whole.
fn sequences<'m>(command: &Command<'_>, envelope: Envelope, message: &'m [u8]) -> Sequences<'m> {
    if envelope.protocol == Protocol::Query {
        return Sequences::None;
    }
    let checksum = if envelope.checksum { CHECKSUM_LEN } else { 0 };
    let sections = message.len().checked_sub(checksum).and_then(|end| message.get(SECTIONS..end)).unwrap_or_default();
    if command.body.as_bytes().len().checked_add(1) == Some(sections.len()) { Sequences::None } else { Sequences::Read(sections) }
}

/// The text for somebody without the privileges. It can be long: of a large command it is made on another thread.
async fn not_authorized(command: &Command<'_>) -> std::io::Result<CommandError> {
    let Command { protocol, exhaust_allowed, .. } = *command;
    let (name, database, body) = (command.name.to_owned(), command.database.to_owned(), command.body.to_owned());
    relay::aside(body.as_bytes().len(), move || {
        authz::text::not_authorized(&Command { name: &name, database: &database, body: &body, protocol, exhaust_allowed })
    })
    .await
}

/// How many bytes an `OP_COMPRESSED` says that it becomes.
fn declared_size(message: &[u8]) -> usize {
    let field = message.get(HEADER_LEN + 4..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |bytes| usize::try_from(i32::from_le_bytes(*bytes)).unwrap_or(0))
}
