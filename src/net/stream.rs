//! The kinds of byte stream that a client or the upstream may have, as one type: a branch instead of a dynamic call.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub enum Transport {
    /// IPv4 or IPv6.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// A transport that bytes are read from ahead of their use, so that a TLS library that asks for little at a time does not cost a
/// system call each time. At first it may hold bytes that were read before TLS was known to be spoken.
///
/// Reading ahead begins when a read fills all that was asked for, and its memory goes when a read finds less: an idle connection
/// and one of small messages have none.
#[derive(Debug)]
pub struct Prefixed {
    ahead: Vec<u8>,
    /// How many of `ahead` are used already.
    used: usize,
    /// Whether the last read found more than was asked for.
    streams: bool,
    transport: Transport,
}

/// How much is read ahead at most, in bytes: a few TLS records.
const AHEAD: usize = 64 * 1024;

impl Prefixed {
    /// `prefix` is read before anything of `transport`.
    #[must_use]
    pub const fn new(prefix: Vec<u8>, transport: Transport) -> Self {
        Self { ahead: prefix, used: 0, streams: false, transport }
    }

    /// How many bytes can be read without asking the operating system.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.ahead.len().saturating_sub(self.used)
    }

    /// Reads ahead what is there.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ahead.resize(AHEAD, 0);
        let mut buffer = ReadBuf::new(&mut self.ahead);
        let polled = Pin::new(&mut self.transport).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        self.used = 0;
        self.ahead.truncate(count);
        self.streams = count > AHEAD / 8;
        if count == 0 {
            self.ahead = Vec::new();
        }
        polled
    }

    /// Hands out what was read ahead.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let left = self.ahead.get(self.used..).unwrap_or_default();
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..count).unwrap_or_default());
        self.used = self.used.saturating_add(count);
        if self.buffered() == 0 && !self.streams {
            self.ahead = Vec::new();
            self.used = 0;
        }
    }
}

/// A stream that messages travel on.
#[derive(Debug)]
pub enum Stream {
    /// Without TLS.
    Plain(Transport),
    /// With TLS, as server or as client.
    Tls(Box<TlsStream<Prefixed>>),
}

impl Transport {
    /// The address that the client connected to; `None` for a unix socket.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl Stream {
    /// Whether TLS protects it.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Waits until there is something to read, without room to read it into: an idle connection needs none. May be ready in vain.
    ///
    /// # Errors
    /// Those of a read.
    pub fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(Transport::Tcp(stream)) => stream.poll_read_ready(context),
            Self::Plain(Transport::Unix(stream)) => stream.poll_read_ready(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_fill_buf(context).map_ok(|_| ()),
        }
    }

    /// Whether a read would find something (or the end) that the operating system gave already.
    #[must_use]
    pub fn has_more(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => {
                let (transport, session) = stream.get_ref();
                transport.buffered() > 0 || !session.wants_read()
            }
        }
    }
}

/// Calls the same method on whichever variant `$self` is.
macro_rules! delegate {
    ($self:ident, $kind:ident { $($variant:ident),+ }, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            $($kind::$variant(stream) => {
                let $inner = Pin::new(stream);
                $call
            })+
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_read(context, buffer))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_write(context, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_shutdown(context))
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.buffered() == 0 {
            if !this.streams || buffer.remaining() >= AHEAD {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut this.transport).poll_read(context, buffer))?;
                this.streams = buffer.remaining() == 0 && buffer.filled().len() > before;
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_ahead(context))?;
        }
        this.give(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(context, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_write(context, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_prefix_is_read_first_and_then_the_socket() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"world").await.unwrap();
        drop(theirs);
        let mut stream = Prefixed::new(b"hello ".to_vec(), Transport::Unix(ours));
        let mut first = [0; 3];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"hel");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "lo world");
    }

    #[tokio::test]
    async fn what_a_reader_asks_for_in_small_pieces_is_read_ahead_and_comes_in_order() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let sent: Vec<u8> = (0..500_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move { theirs.write_all(&sent).await.unwrap() });
        let mut stream = Prefixed::new(Vec::new(), Transport::Unix(ours));
        let (mut seen, mut piece, mut most) = (Vec::new(), [0; 1000], 0);
        loop {
            let count = stream.read(&mut piece).await.unwrap();
            if count == 0 {
                break;
            }
            seen.extend_from_slice(&piece[..count]);
            most = most.max(stream.buffered());
        }
        writer.await.unwrap();
        assert!(seen == expected);
        assert!(most > piece.len() && most <= AHEAD, "{most}");
        assert_eq!(stream.ahead.capacity(), 0, "the end needs no memory");
    }

    #[tokio::test]
    async fn small_messages_are_not_read_ahead() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut stream = Prefixed::new(Vec::new(), Transport::Unix(ours));
        for _ in 0..3 {
            theirs.write_all(&[7; 300]).await.unwrap();
            assert_eq!(stream.read(&mut [0; 4096]).await.unwrap(), 300);
            assert_eq!(stream.ahead.capacity(), 0);
        }
    }
}
