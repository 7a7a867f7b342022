//! The kinds of byte stream that a client or the upstream may have, as one type: a branch instead of a dynamic call.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls_stream::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub enum Transport {
    /// IPv4 or IPv6.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// A stream that messages travel on.
#[derive(Debug)]
pub enum Stream {
    /// Without TLS.
    Plain(Transport),
    /// With TLS, as server or as client.
    Tls(Box<TlsStream>),
}

impl Transport {
    /// Waits until there is something to read, without room to read it into: an idle connection needs none. May be ready in vain.
    ///
    /// # Errors
    /// Those of a read.
    pub fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Unix(stream) => stream.poll_read_ready(context),
        }
    }

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

    /// Whether something was received that nobody has taken yet, or the end.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.has_unread(),
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

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Transport { Tcp, Unix }, inner => inner.poll_shutdown(context))
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

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, Stream { Plain, Tls }, inner => inner.poll_shutdown(context))
    }
}
