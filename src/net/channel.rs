//! A stream with what was read from it: the unit that the relay joins two of.

use std::future::poll_fn;
use std::io;

use tokio::io::AsyncWriteExt;

use super::incoming::Incoming;
use super::stream::Stream;

/// A stream and the bytes that were read from it and not yet used.
#[derive(Debug)]
pub struct Channel {
    /// The stream.
    pub stream: Stream,
    /// What was read and not yet used.
    pub incoming: Incoming,
}

impl Channel {
    /// A channel on which nothing was read yet.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self { stream, incoming: Incoming::default() }
    }

    /// Reads once; 0 is the end of the stream. Cancel safe.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn fill(&mut self) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(transport) => {
                if self.incoming.is_at_rest() {
                    poll_fn(|context| transport.poll_readable(context)).await?;
                }
                self.incoming.fill(transport).await
            }
            Stream::Tls(stream) => poll_fn(|context| stream.poll_fill(context, &mut self.incoming)).await,
        }
    }

    /// Reads until `count` bytes are there.
    ///
    /// # Errors
    /// Those of the stream; `UnexpectedEof` when it ends before.
    pub async fn fill_to(&mut self, count: usize) -> io::Result<()> {
        while self.incoming.len() < count {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Writes all of `bytes` and sees to it that they leave.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Says goodbye: what was written is sent, TLS is closed properly. Whoever does not listen is not waited for by the caller.
    pub async fn close(&mut self) {
        let _ = self.stream.shutdown().await;
    }
}
