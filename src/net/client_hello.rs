//! What a TLS client says about itself before anything is decided: the name of the server that it wants.

use std::io::{self, Read};

use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stream::Transport;

/// The server name in the ClientHello, whose beginning is in `first`. All that is read is appended there: the handshake begins with it.
///
/// # Errors
/// It is no ClientHello, and the client was told so; or the connection ends.
pub async fn server_name(transport: &mut Transport, first: &mut Vec<u8>) -> io::Result<Option<String>> {
    let (mut acceptor, mut seen) = (Acceptor::default(), 0);
    loop {
        let mut new = first.get(seen..).unwrap_or_default();
        while !new.is_empty() {
            acceptor.read_tls(&mut new.by_ref())?;
        }
        seen = first.len();
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted.client_hello().server_name().map(str::to_owned)),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut text = Vec::new();
                alert.write_all(&mut text)?;
                let _ = transport.write_all(&text).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        if transport.read_buf(first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
