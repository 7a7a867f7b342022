//! How the upstream is reached: address, TLS, the first hello with the client's own metadata, and doorward's own login.
//!
//! Every client connection gets its own upstream connection from here, or one that was opened by the very same hello and is its own
//! while it is used, so that what mongod ties to a connection (metadata, interruption at disconnect, exhaust cursors) stays true.

use std::sync::Arc;
use std::time::Duration;

use bson::raw::{RawDocument, RawDocumentBuf};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};

use super::UpstreamError;
use super::connection::Connection;
use super::login::{Login, Standing};
use crate::config::settings::{ProxyProtocol, UpstreamAddress};
use crate::names::HostAndPort;
use crate::net::stream::{Stream, Transport};
use crate::net::tls_stream::TlsStream;
use crate::tls::client::ClientTls;
use crate::wire::proxy_header::{self, Spoken};

/// After how much silence the upstream's machine is asked whether it is there, and how often then.
const IDLE: Duration = Duration::from_secs(60);
const PROBE: Duration = Duration::from_secs(5);

/// Reaches the upstream. Immutable; a reload makes a new one.
pub struct Connector {
    address: UpstreamAddress,
    tls: Option<Arc<ClientTls>>,
    timeout_ms: u32,
    login: Arc<Login>,
    proxy_protocol: Option<ProxyProtocol>,
}

impl Connector {
    /// From validated settings and what their files held.
    #[must_use]
    pub fn new(address: UpstreamAddress, timeout_ms: u32, tls: Option<Arc<ClientTls>>, login: Arc<Login>) -> Self {
        Self { address, tls, timeout_ms, login, proxy_protocol: None }
    }

    /// The same, with a PROXY header in front of each connection.
    #[must_use]
    pub const fn with_proxy_protocol(mut self, version: Option<ProxyProtocol>) -> Self {
        self.proxy_protocol = version;
        self
    }

    /// TLS toward the upstream; `None` when it is disabled.
    #[must_use]
    pub fn tls(&self) -> Option<&ClientTls> {
        self.tls.as_deref()
    }

    /// Opens a connection of doorward's own that is ready for commands. `metadata` says what it is for.
    ///
    /// # Errors
    /// The upstream can not be reached in time, its certificate is refused, or it refuses doorward.
    pub async fn connect(&self, metadata: Option<&RawDocument>) -> Result<Connection, UpstreamError> {
        self.connect_for(Spoken::Own, metadata.map(hello)).await
    }

    /// Opens a connection for a client, which `hello` introduces.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_for(&self, client: Spoken, hello: Option<RawDocumentBuf>) -> Result<Connection, UpstreamError> {
        // Nobody but clients of this hello speaks on it, and what each of them may is judged here.
        self.log_in(client, hello).await.map(|(connection, _)| connection)
    }

    /// Opens a connection that somebody else will introduce, and tells whether doorward is a member on it.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_as_member(&self) -> Result<(Connection, Standing), UpstreamError> {
        self.log_in(Spoken::Own, None).await
    }

    /// Whether it has something to log in with.
    #[must_use]
    pub fn logs_in(&self) -> bool {
        self.login.sends_something()
    }

    async fn log_in(&self, client: Spoken, hello: Option<RawDocumentBuf>) -> Result<(Connection, Standing), UpstreamError> {
        let limit = self.time_limit();
        let attempt = async {
            let mut connection = Connection::new(self.open(client).await?);
            if let Some(hello) = hello {
                connection.command("hello", &hello).await?;
            }
            let standing = self.login.perform(&mut connection).await?;
            Ok((connection, standing))
        };
        tokio::time::timeout(limit, attempt).await.map_err(|_elapsed| UpstreamError::Timeout(self.timeout_ms))?
    }

    async fn open(&self, client: Spoken) -> Result<Stream, UpstreamError> {
        let mut transport = match &self.address {
            UpstreamAddress::Tcp(HostAndPort { host, port }) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                // An upstream whose machine is gone says nothing; without this a connection that waits for it would wait for ever.
                SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(IDLE).with_interval(PROBE))?;
                Transport::Tcp(stream)
            }
            UpstreamAddress::Unix(path) => Transport::Unix(UnixStream::connect(path).await?),
        };
        match self.proxy_protocol {
            None => {}
            Some(ProxyProtocol::V1) => transport.write_all(&proxy_header::version_1_of(client)).await?,
            Some(ProxyProtocol::V2) => transport.write_all(&proxy_header::version_2_of(client)).await?,
        }
        match &self.tls {
            None => Ok(Stream::Plain(transport)),
            Some(tls) => {
                let name = ServerName::try_from(self.host().to_owned()).map_err(|error| UpstreamError::Tls(error.to_string()))?;
                let stream = TlsStream::connect(Arc::clone(tls.config()), name, transport).await;
                Ok(Stream::Tls(Box::new(stream.map_err(|error| UpstreamError::Tls(error.to_string()))?)))
            }
        }
    }

    fn host(&self) -> &str {
        match &self.address {
            UpstreamAddress::Tcp(address) => &address.host,
            UpstreamAddress::Unix(_) => "localhost",
        }
    }

    /// `proxy.upstream.connectTimeoutMS`: how long doorward waits for the upstream.
    #[must_use]
    pub const fn time_limit(&self) -> Duration {
        Duration::from_millis(self.timeout_ms as u64)
    }

    /// Where it leads.
    #[must_use]
    pub const fn upstream(&self) -> &UpstreamAddress {
        &self.address
    }

    /// Whether it leads there.
    #[must_use]
    pub fn leads_to(&self, address: &UpstreamAddress) -> bool {
        self.address == *address
    }

    /// The address as log lines show it.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

fn hello(metadata: &RawDocument) -> RawDocumentBuf {
    bson::rawdoc! { "hello": 1, "client": metadata.to_owned(), "$db": "admin" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machine_of_a_silent_upstream_is_asked_whether_it_is_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = UpstreamAddress::Tcp(HostAndPort { host: "127.0.0.1".into(), port });
        let connection = Connector::new(address, 10_000, None, Arc::new(Login::None)).connect(None).await.unwrap();
        let Stream::Plain(Transport::Tcp(stream)) = &connection.channel.stream else { panic!("a TCP stream") };
        assert!(SockRef::from(stream).keepalive().unwrap());
    }
}
