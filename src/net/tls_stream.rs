//! TLS on a transport, with rustls' unbuffered interface: a connection has memory for bytes only while they are under way. Records
//! are received, decrypted and encrypted in two buffers that all connections of a thread share.
//!
//! Must never: decide whom to believe (`tls`), or hold plaintext that somebody asked for and did not get.
//!
//! rustls remembers where in the received bytes a handshake message began. So what it was shown and did not tell to discard is shown
//! to it again, first and unchanged; after an error it is shown nothing any more.

mod records;
mod shared_buffer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ProtocolVersion, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use self::records::{Done, Progress};
use self::shared_buffer::{RECEIVING, SENDING, with};
use super::incoming::Incoming;
use super::stream::Transport;

/// How much is received at once at most, in bytes.
const RECEIVED_AT_ONCE: usize = 64 * 1024;
/// The most that may wait for its rest, in bytes: a handshake message of 64 kB in records, and the record after it.
const MOST_WAITING: usize = 96 * 1024;
/// How much plaintext is encrypted and sent at once at most, in bytes: whole records.
const SENT_AT_ONCE: usize = 64 * 1024;
/// Up to how much that did not leave yet something new is put behind it instead of waiting, in bytes.
const SENT_TOGETHER: usize = 4 * 1024;
/// More than as much becomes when it is encrypted, in bytes.
const ENCRYPTED_AT_ONCE: usize = SENT_AT_ONCE + 4 * 1024;

/// A TLS connection whose handshake is done.
pub struct TlsStream {
    side: Side,
    transport: Transport,
    /// What came and could not be decrypted yet: a part of a record.
    received: Vec<u8>,
    /// What was decrypted before somebody asked for it.
    early: Incoming,
    /// What is encrypted and did not leave yet.
    outgoing: Vec<u8>,
    /// Whether the peer has said that it says nothing more.
    ended: bool,
    /// Whether the peer was told that nothing more comes.
    said_goodbye: bool,
    /// Whether something was wrong: what the library remembers of received bytes is then of bytes that nobody has any more.
    failed: bool,
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// Calls the same on whichever side `$side` is.
macro_rules! on_either {
    ($side:expr, $connection:ident => $call:expr) => {
        match $side {
            Side::Server($connection) => $call,
            Side::Client($connection) => $call,
        }
    };
}

impl TlsStream {
    /// Does the handshake of a server. `first` was received already.
    ///
    /// # Errors
    /// The handshake fails or the connection breaks. The peer was told, if it listens.
    pub async fn accept(config: Arc<ServerConfig>, transport: Transport, first: Vec<u8>) -> io::Result<Self> {
        let connection = UnbufferedServerConnection::new(config).map_err(records::invalid)?;
        Self::shake_hands(Side::Server(connection), transport, first).await
    }

    /// Does the handshake of a client with the server of that name.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn connect(config: Arc<ClientConfig>, name: ServerName<'static>, transport: Transport) -> io::Result<Self> {
        let connection = UnbufferedClientConnection::new(config, name).map_err(records::invalid)?;
        Self::shake_hands(Side::Client(connection), transport, Vec::new()).await
    }

    async fn shake_hands(side: Side, transport: Transport, first: Vec<u8>) -> io::Result<Self> {
        let (early, outgoing) = (Incoming::default(), Vec::new());
        let received = Vec::new();
        let mut stream = Self { side, transport, received, early, outgoing, ended: false, said_goodbye: false, failed: false };
        let (mut first, mut early) = (first, Incoming::default());
        if let Err(error) = stream.decrypt(&mut first, &mut early) {
            // The reason that the peer is told; nobody waits for it.
            std::future::poll_fn(|context| {
                let _ = stream.poll_outgoing(context);
                Poll::Ready(())
            })
            .await;
            return Err(error);
        }
        while on_either!(&stream.side, connection => connection.is_handshaking()) {
            std::future::poll_fn(|context| stream.poll_receive(context, &mut early)).await?;
        }
        stream.early = early;
        // All that a server of TLS 1.3 has to say yet is tickets: they leave with its first reply, or before it waits.
        if !matches!((&stream.side, stream.protocol_version()), (Side::Server(_), Some(ProtocolVersion::TLSv1_3))) {
            stream.flush().await?;
        }
        Ok(stream)
    }

    /// The certificates that the peer sent, its own first.
    #[must_use]
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        on_either!(&self.side, connection => connection.peer_certificates())
    }

    /// The version that both agreed on.
    #[must_use]
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        on_either!(&self.side, connection => connection.protocol_version())
    }

    /// Whether something was received that nobody has taken yet, be it a part of a record, or the end.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        self.ended || !self.received.is_empty() || !self.early.is_empty()
    }

    /// Appends what the peer says to `into` and tells how many bytes that are; 0 is the end.
    ///
    /// # Errors
    /// Those of the transport and of TLS; `UnexpectedEof` when the transport ends and the peer had not said so.
    pub fn poll_fill(&mut self, context: &mut Context<'_>, into: &mut Incoming) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            into.append(early.available());
            return Poll::Ready(Ok(early.len()));
        }
        let before = into.len();
        loop {
            let count = into.len().saturating_sub(before);
            if count > 0 || self.ended {
                return Poll::Ready(Ok(count));
            }
            ready!(self.poll_receive(context, into))?;
        }
    }

    /// Receives once and decrypts what is there as whole records.
    fn poll_receive(&mut self, context: &mut Context<'_>, into: &mut Incoming) -> Poll<io::Result<()>> {
        if self.failed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        with(&RECEIVING, MOST_WAITING.saturating_add(RECEIVED_AT_ONCE), |buffer| {
            let waiting = self.received.len();
            let Some((before, room)) = buffer.split_at_mut_checked(waiting) else { return Poll::Ready(Err(too_much())) };
            before.copy_from_slice(&self.received);
            let mut room = ReadBuf::new(room.get_mut(..RECEIVED_AT_ONCE).unwrap_or_default());
            if Pin::new(&mut self.transport).poll_read(context, &mut room)?.is_pending() {
                // The peer may be waiting for what was not sent yet.
                let _ = self.poll_outgoing(context)?;
                return Poll::Pending;
            }
            let count = room.filled().len();
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let there = buffer.get_mut(..waiting.saturating_add(count)).unwrap_or_default();
            let done = self.decrypt(there, into);
            if done.is_err() {
                // The reason that the peer is told; nobody waits for it.
                let _ = self.poll_outgoing(context);
            }
            Poll::Ready(done)
        })
    }

    /// Decrypts what is there as whole records and keeps the rest.
    fn decrypt(&mut self, there: &mut [u8], into: &mut Incoming) -> io::Result<()> {
        let outgoing = &mut self.outgoing;
        let Done { used, progress } = on_either!(&mut self.side, connection => {
            records::process(connection, there, into, outgoing)
        });
        let rest = there.get(used..).unwrap_or_default();
        let progress = progress.and_then(|progress| if rest.len() > MOST_WAITING { Err(too_much()) } else { Ok(progress) });
        self.failed = progress.is_err();
        self.ended |= matches!(progress?, Progress::Ended);
        if rest.is_empty() {
            self.received = Vec::new();
        } else {
            self.received.clear();
            self.received.extend_from_slice(rest);
        }
        Ok(())
    }

    fn encrypt(&mut self, piece: &[u8], buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let Self { side, received, early, outgoing, .. } = self;
        let encrypted = on_either!(side, connection => records::encrypt(connection, received, early, outgoing, piece, buffer));
        self.failed = encrypted.is_err();
        encrypted
    }

    /// How many of `bytes` leave at once.
    fn send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut self.transport).poll_write(context, bytes) {
            Poll::Pending => Ok(0),
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(sent) => sent,
        }
    }

    /// Sends what is encrypted and did not leave yet.
    fn poll_outgoing(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let outgoing = std::mem::take(&mut self.outgoing);
            let sent = self.send(context, &outgoing)?;
            self.outgoing = outgoing;
            if sent == 0 {
                return Poll::Pending;
            }
            self.outgoing.drain(..sent);
        }
        // An idle connection needs no room.
        self.outgoing = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut plaintext = std::mem::take(&mut this.early);
        if plaintext.is_empty() {
            ready!(this.poll_fill(context, &mut plaintext))?;
        }
        let count = plaintext.len().min(buffer.remaining());
        buffer.put_slice(plaintext.available().get(..count).unwrap_or_default());
        plaintext.consume(count);
        if plaintext.is_empty() {
            plaintext.rest();
        }
        this.early = plaintext;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outgoing.len() > SENT_TOGETHER {
            ready!(this.poll_outgoing(context))?;
        }
        let piece = bytes.get(..SENT_AT_ONCE).unwrap_or(bytes);
        with(&SENDING, ENCRYPTED_AT_ONCE, |buffer| {
            let count = this.encrypt(piece, buffer)?;
            let encrypted = buffer.get(..count).unwrap_or_default();
            let sent = if this.outgoing.is_empty() { this.send(context, encrypted)? } else { 0 };
            this.outgoing.extend_from_slice(encrypted.get(sent..).unwrap_or_default());
            Poll::Ready(Ok(piece.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_outgoing(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.said_goodbye, true) && !this.failed {
            let Self { side, received, early, outgoing, .. } = this;
            on_either!(side, connection => records::close(connection, received, early, outgoing));
        }
        ready!(this.poll_outgoing(context))?;
        Pin::new(&mut this.transport).poll_shutdown(context)
    }
}

fn too_much() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a TLS message that is too long")
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TlsStream").field("transport", &self.transport).finish_non_exhaustive()
    }
}
