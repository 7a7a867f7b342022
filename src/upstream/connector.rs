//! How the upstream is reached: address, TLS, the first hello with the client's own metadata, and doorward's own login.
//!
//! Every client connection gets its own upstream connection from here, so that what mongod ties to a connection (metadata,
//! interruption at disconnect, exhaust cursors) stays true.

use std::time::Duration;

use bson::raw::{RawDocument, RawDocumentBuf};
use tokio::net::{TcpStream, UnixStream};

use super::UpstreamError;
use super::connection::Connection;
use super::login::Login;
use crate::config::settings::{Upstream, UpstreamAddress};
use crate::net::stream::{Prefixed, Stream, Transport};
use crate::tls::client::ClientTls;

/// Reaches the upstream. Immutable; a reload makes a new one.
pub struct Connector {
    address: UpstreamAddress,
    tls: Option<ClientTls>,
    timeout_ms: u32,
    login: Login,
}

impl Connector {
    /// From validated settings and what their files held.
    #[must_use]
    pub fn new(settings: &Upstream, tls: Option<ClientTls>, login: Login) -> Self {
        Self { address: settings.address.clone(), tls, timeout_ms: settings.connect_timeout_ms, login }
    }

    /// TLS toward the upstream; `None` when it is disabled.
    #[must_use]
    pub fn tls(&self) -> Option<&ClientTls> {
        self.tls.as_ref()
    }

    /// Opens a connection that is ready for commands. `metadata` is the client's `client` document.
    ///
    /// # Errors
    /// The upstream can not be reached in time, its certificate is refused, or it refuses doorward.
    pub async fn connect(&self, metadata: Option<&RawDocument>) -> Result<Connection, UpstreamError> {
        let limit = Duration::from_millis(u64::from(self.timeout_ms));
        let attempt = async {
            let mut connection = Connection::new(self.open().await?);
            if let Some(metadata) = metadata {
                connection.command("hello", &hello(metadata)).await?;
            }
            self.login.perform(&mut connection).await?;
            Ok(connection)
        };
        tokio::time::timeout(limit, attempt).await.map_err(|_elapsed| UpstreamError::Timeout(self.timeout_ms))?
    }

    async fn open(&self) -> Result<Stream, UpstreamError> {
        let transport = match &self.address {
            UpstreamAddress::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Transport::Tcp(stream)
            }
            UpstreamAddress::Unix(path) => Transport::Unix(UnixStream::connect(path).await?),
        };
        match &self.tls {
            None => Ok(Stream::Plain(transport)),
            Some(tls) => {
                let stream = tls.connect(self.host(), Prefixed::new(Vec::new(), transport)).await;
                Ok(Stream::Tls(Box::new(stream.map_err(|error| UpstreamError::Tls(error.to_string()))?.into())))
            }
        }
    }

    fn host(&self) -> &str {
        match &self.address {
            UpstreamAddress::Tcp { host, .. } => host,
            UpstreamAddress::Unix(_) => "localhost",
        }
    }

    /// The address as log lines show it.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.address {
            UpstreamAddress::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            UpstreamAddress::Tcp { host, port } => format!("{host}:{port}"),
            UpstreamAddress::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

fn hello(metadata: &RawDocument) -> RawDocumentBuf {
    bson::rawdoc! { "hello": 1, "client": metadata.to_owned(), "$db": "admin" }
}
