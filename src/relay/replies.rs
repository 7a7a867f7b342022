//! The upstream's replies on their way to the client.

use std::io;

use super::aside;
use super::copy::{Broken, Seen, copy};
use super::head::{self, HEAD_LEN};
use super::{RelayError, ReplyForm};
use crate::net::channel::Channel;
use crate::wire::MAX_MESSAGE_SIZE;
use crate::wire::checksum::Checksum;
use crate::wire::compressed;
use crate::wire::header::{HEADER_LEN, Header, opcode};
use crate::wire::message::ReplyHead;

/// Who looks at replies on their way.
pub trait Observer: Send {
    /// A reply has arrived; the client has nothing of it yet.
    fn arrived(&mut self);

    /// Whether [`Self::passes`] wants to be called.
    fn watches(&self) -> bool;

    /// The next bytes of the reply, from its header on, before the client gets them.
    fn passes(&mut self, bytes: &[u8]);
}

/// A reply that was passed on.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// How many bytes it had.
    pub moved: u64,
    /// Whether another follows without being asked for.
    pub more: bool,
}

/// The request that a reply has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its number toward the upstream.
    pub upstream: i32,
    /// Its number toward the client.
    pub client: i32,
}

/// Passes a reply on. `observer` sees it. `to` is the request that it has to answer; `None` for one that follows another reply.
///
/// While a reply is due the client is watched: when it goes, the upstream connection is to be closed at once, so that mongod
/// interrupts the operation.
///
/// # Errors
/// Either side ends, or the upstream sends no reply.
pub async fn reply(
    client: &mut Channel,
    upstream: &mut Channel,
    to: Option<Asked>,
    form: ReplyForm,
    observer: &mut impl Observer,
) -> Result<Arrived, RelayError> {
    let (mut header, more) = await_head(client, upstream).await?;
    if let Some(asked) = to {
        if asked.upstream != header.response_to {
            return Err(RelayError::Protocol(format!("a reply to request {}, which was not asked", header.response_to)));
        }
        if asked.client != asked.upstream {
            header.redirect(upstream.incoming.available_mut(), asked.client);
        }
    }
    observer.arrived();
    let length = usize::try_from(header.message_length).map_err(|error| RelayError::Protocol(error.to_string()))?;
    if form.compressor.is_some() {
        Box::pin(whole(client, upstream, form, header, observer)).await?;
    } else if form.checksum && header.opcode == opcode::MSG {
        Box::pin(with_checksum(client, upstream, header, observer)).await?;
    } else {
        let watches = observer.watches();
        let mut seen = |bytes: &[u8]| observer.passes(bytes);
        let seen: Option<Seen<'_>> = if watches { Some(&mut seen) } else { None };
        copy(upstream, client, length, seen).await.map_err(Broken::on_the_way_back)?;
    }
    Ok(Arrived { moved: u64::from(header.message_length), more })
}

/// Waits until header and flags of a reply are there; tells whether another reply follows it.
async fn await_head(client: &mut Channel, upstream: &mut Channel) -> Result<(Header, bool), RelayError> {
    loop {
        let available = upstream.incoming.available();
        let head = ReplyHead::peek(available, MAX_MESSAGE_SIZE).map_err(|reason| RelayError::Protocol(reason.to_string()))?;
        match head {
            Some(head) if matches!(head.header.opcode, opcode::MSG | opcode::REPLY) => {
                return Ok((head.header, head.more_to_come()));
            }
            Some(head) => return Err(RelayError::Protocol(format!("opcode {}", head.header.opcode))),
            None => {}
        }
        tokio::select! {
            biased;
            read = upstream.fill() => {
                if read.map_err(RelayError::Upstream)? == 0 {
                    return Err(RelayError::Upstream(io::ErrorKind::UnexpectedEof.into()));
                }
            }
            read = client.fill(), if client.incoming.has_room() => {
                if read.map_err(RelayError::Client)? == 0 {
                    return Err(RelayError::Client(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    }
}

impl Broken {
    fn on_the_way_back(self) -> RelayError {
        match self {
            Self::Reading(error) => RelayError::Upstream(error),
            Self::Writing(error) => RelayError::Client(error),
        }
    }
}

/// Streams a reply and puts a checksum behind it.
async fn with_checksum(
    client: &mut Channel,
    upstream: &mut Channel,
    header: Header,
    observer: &mut impl Observer,
) -> Result<(), RelayError> {
    let length = usize::try_from(header.message_length).map_err(|error| RelayError::Protocol(error.to_string()))?;
    upstream.fill_to(HEAD_LEN).await.map_err(RelayError::Upstream)?;
    observer.passes(upstream.incoming.available().get(..HEAD_LEN).unwrap_or_default());
    let rewritten = head::with_checksum(header, upstream.incoming.available().get(HEADER_LEN..HEAD_LEN).unwrap_or_default());
    upstream.incoming.consume(HEAD_LEN);
    let mut checksum = Checksum::new();
    checksum.update(&rewritten);
    client.write(&rewritten).await.map_err(RelayError::Client)?;
    let mut seen = |bytes: &[u8]| {
        checksum.update(bytes);
        observer.passes(bytes);
    };
    copy(upstream, client, length.saturating_sub(HEAD_LEN), Some(&mut seen)).await.map_err(Broken::on_the_way_back)?;
    client.write(&checksum.finish().to_le_bytes()).await.map_err(RelayError::Client)
}

/// Takes a reply whole and sends it compressed.
async fn whole(
    client: &mut Channel,
    upstream: &mut Channel,
    form: ReplyForm,
    header: Header,
    observer: &mut impl Observer,
) -> Result<(), RelayError> {
    let length = usize::try_from(header.message_length).map_err(|error| RelayError::Protocol(error.to_string()))?;
    upstream.fill_to(length).await.map_err(RelayError::Upstream)?;
    let message = upstream.incoming.available().get(..length).unwrap_or_default();
    observer.passes(message);
    let message = if form.checksum && header.opcode == opcode::MSG {
        let mut longer = head::with_checksum(header, message.get(HEADER_LEN..HEAD_LEN).unwrap_or_default());
        longer.extend_from_slice(message.get(HEAD_LEN..).unwrap_or_default());
        let mut checksum = Checksum::new();
        checksum.update(&longer);
        longer.extend_from_slice(&checksum.finish().to_le_bytes());
        longer
    } else {
        message.to_vec()
    };
    upstream.incoming.consume(length);
    let bytes = match form.compressor {
        Some(compressor) => {
            let compressed =
                aside(length, move || compressed::compress(compressor, &message)).await.map_err(RelayError::Client)?;
            compressed.map_err(|error| RelayError::Protocol(error.to_string()))?
        }
        None => message,
    };
    client.write(&bytes).await.map_err(RelayError::Client)
}
