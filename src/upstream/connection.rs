//! One connection to the upstream, for doorward's own commands and, later in its life, for the relay.

use bson::raw::{RawDocument, RawDocumentBuf};

use super::{UpstreamError, is_ok};
use crate::error::{CommandError, ErrorCode};
use crate::net::channel::Channel;
use crate::net::stream::Stream;
use crate::wire::MAX_MESSAGE_SIZE;
use crate::wire::header::Header;
use crate::wire::message::{self, ReplyMessage};

/// Bit 1 of the flags: another reply follows without being asked for.
const MORE_TO_COME: u32 = 1 << 1;
/// Bit 16 of the flags: the reply may be a stream.
const EXHAUST_ALLOWED: u32 = 1 << 16;

/// A connection to the upstream and what was read from it.
#[derive(Debug)]
pub struct Connection {
    /// The stream and what was read from it.
    pub channel: Channel,
    last_request_id: i32,
}

impl Connection {
    /// A fresh connection; nothing was said on it yet.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self { channel: Channel::new(stream), last_request_id: 0 }
    }

    /// Asks one thing and waits for the answer, whatever it says. Not cancel safe: a cancelled connection must not be used again.
    ///
    /// # Errors
    /// The connection broke, or the answer is none.
    pub async fn ask(&mut self, body: &RawDocument) -> Result<RawDocumentBuf, UpstreamError> {
        self.send(body, 0).await?;
        Ok(self.receive().await?.0)
    }

    /// Asks one thing and takes only `ok: 1` for an answer. Not cancel safe.
    ///
    /// # Errors
    /// As [`Self::ask`], and [`UpstreamError::Refused`].
    pub async fn command(&mut self, name: &'static str, body: &RawDocument) -> Result<RawDocumentBuf, UpstreamError> {
        accepted(name, self.ask(body).await?)
    }

    /// Asks for a stream of replies; they are taken with [`Self::next_streamed`].
    ///
    /// # Errors
    /// The connection broke.
    pub async fn start_stream(&mut self, body: &RawDocument) -> Result<(), UpstreamError> {
        self.send(body, EXHAUST_ALLOWED).await
    }

    /// The next reply of a stream, and whether another follows by itself.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn next_streamed(&mut self, name: &'static str) -> Result<(RawDocumentBuf, bool), UpstreamError> {
        let (reply, flags) = self.receive().await?;
        Ok((accepted(name, reply)?, flags & MORE_TO_COME != 0))
    }

    async fn send(&mut self, body: &RawDocument, flags: u32) -> Result<(), UpstreamError> {
        self.last_request_id = self.last_request_id.wrapping_add(1);
        self.channel.write(&message::op_msg(self.last_request_id, flags, body)).await?;
        Ok(())
    }

    async fn receive(&mut self) -> Result<(RawDocumentBuf, u32), UpstreamError> {
        loop {
            let available = self.channel.incoming.available();
            let header =
                Header::peek(available, MAX_MESSAGE_SIZE).map_err(|reason| UpstreamError::Protocol(reason.to_string()))?;
            let length = header.and_then(|header| usize::try_from(header.message_length).ok());
            if let Some(bytes) = length.and_then(|length| available.get(..length)) {
                let ReplyMessage { flags, body, .. } =
                    message::parse_reply(bytes).map_err(|reason| UpstreamError::Protocol(reason.to_string()))?;
                let answer = (body.to_owned(), flags);
                self.channel.incoming.consume(length.unwrap_or_default());
                self.channel.incoming.rest();
                return Ok(answer);
            }
            if self.channel.fill().await? == 0 {
                return Err(UpstreamError::Closed);
            }
        }
    }
}

fn accepted(command: &'static str, reply: RawDocumentBuf) -> Result<RawDocumentBuf, UpstreamError> {
    if is_ok(&reply) {
        return Ok(reply);
    }
    let code = match reply.get("code") {
        Ok(Some(bson::RawBsonRef::Int32(code))) => code,
        _ => 0,
    };
    let text = reply.get_str("errmsg").unwrap_or("no text").to_owned();
    Err(UpstreamError::Refused { command, error: CommandError::new(ErrorCode::Location(code), text) })
}
