//! A client connection that does exactly what it is told.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bson::{Document, doc};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, HandshakeKind, StreamOwned};

use super::PATIENCE;
use super::tls::Client;
use super::wire::{Message, Reply};

/// What came from the server.
#[derive(Debug)]
pub(crate) enum Received {
    Message(Message),
    /// The server closed the connection.
    Closed,
    /// Nothing within the time given; the connection is open.
    Nothing,
}

enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection.
pub(crate) struct Connection {
    transport: Transport,
    arrived: Vec<u8>,
    next_request_id: i32,
}

impl Connection {
    /// Connects over TCP without TLS.
    pub(crate) fn plain(port: u16) -> Self {
        Self::new(Transport::Tcp(tcp(port)))
    }

    /// Connects without TLS to a server that may not be there.
    pub(crate) fn reach(port: u16) -> io::Result<Self> {
        Ok(Self::new(Transport::Tcp(try_tcp(port)?)))
    }

    /// Connects over a unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        Self::new(Transport::Unix(UnixStream::connect(path).expect("a connection")))
    }

    /// Connects over TLS and completes the handshake.
    pub(crate) fn tls(port: u16, client: &Client) -> io::Result<Self> {
        Self::tls_to("localhost", port, client, b"")
    }

    /// Connects over TLS to the server of this name, and sends some bytes before.
    pub(crate) fn tls_to(name: &'static str, port: u16, client: &Client, before: &[u8]) -> io::Result<Self> {
        Self::over_tls(tcp(port), name, client, before)
    }

    /// Connects over TLS to a server that may not be there.
    pub(crate) fn reach_over_tls(port: u16, client: &Client) -> io::Result<Self> {
        Self::over_tls(try_tcp(port)?, "localhost", client, b"")
    }

    fn over_tls(stream: TcpStream, name: &'static str, client: &Client, before: &[u8]) -> io::Result<Self> {
        let mut stream = StreamOwned::new(client.connection(name), stream);
        stream.sock.write_all(before)?;
        stream.sock.set_read_timeout(Some(PATIENCE))?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::new(Transport::Tls(Box::new(stream))))
    }

    fn new(transport: Transport) -> Self {
        Self { transport, arrived: Vec::new(), next_request_id: 1 }
    }

    /// The certificate that the server showed.
    pub(crate) fn server_certificate(&self) -> Option<CertificateDer<'static>> {
        match &self.transport {
            Transport::Tls(stream) => Some(stream.conn.peer_certificates()?.first()?.clone().into_owned()),
            _ => None,
        }
    }

    /// Whether the server resumed a session of the same client's.
    pub(crate) fn is_resumed(&self) -> bool {
        matches!(&self.transport, Transport::Tls(stream) if stream.conn.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// This side's address of a connection without TLS.
    pub(crate) fn local_address(&self) -> String {
        match &self.transport {
            Transport::Tcp(stream) => stream.local_addr().expect("an address").to_string(),
            _ => panic!("not a plain TCP connection"),
        }
    }

    /// The next request id of this connection.
    pub(crate) fn request_id(&mut self) -> i32 {
        self.next_request_id += 1;
        self.next_request_id
    }

    /// Runs a command and returns its reply document; the error says that the connection was closed.
    pub(crate) fn run(&mut self, command: &Document) -> Result<Document, Closed> {
        let id = self.request_id();
        self.exchange(&Message::command(id, 0, command)).map(|reply| reply.document)
    }

    /// Runs a command on `admin` that must succeed.
    pub(crate) fn must(&mut self, command: Document) -> Document {
        let mut command = command;
        if !command.contains_key("$db") {
            command.insert("$db", "admin");
        }
        let reply = self.run(&command).unwrap_or_else(|_| panic!("closed instead of answering {command}"));
        assert!(is_ok(&reply), "{command} was answered {reply}");
        reply
    }

    /// Whether the connection still answers a `ping`.
    pub(crate) fn answers(&mut self) -> bool {
        self.run(&doc! {"ping": 1, "$db": "admin"}).is_ok_and(|reply| is_ok(&reply))
    }

    /// Sends a message and unpacks the reply to it.
    pub(crate) fn exchange(&mut self, message: &Message) -> Result<Reply, Closed> {
        self.send(message)?;
        let reply = self.reply()?;
        assert_eq!(reply.response_to, message.request_id, "responseTo of {reply:?}");
        Ok(reply)
    }

    /// Waits for the next message and unpacks it.
    pub(crate) fn reply(&mut self) -> Result<Reply, Closed> {
        match self.receive(PATIENCE) {
            Received::Message(message) => Ok(message.reply()),
            Received::Closed => Err(Closed),
            Received::Nothing => panic!("no reply"),
        }
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), Closed> {
        self.send_bytes(&message.bytes())
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        self.transport.write_all(bytes).and_then(|()| self.transport.flush()).map_err(|_| Closed)
    }

    /// Waits for a message.
    pub(crate) fn receive(&mut self, patience: Duration) -> Received {
        self.transport.set_read_timeout(patience);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some(message) = Message::take(&mut self.arrived) {
                return Received::Message(message);
            }
            match self.transport.read(&mut buffer) {
                Ok(0) => return Received::Closed,
                Ok(count) => self.arrived.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Received::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Received::Closed,
            }
        }
    }

    /// Everything that the server sends until it closes, as plain bytes; `None` when it does not close.
    pub(crate) fn read_to_close(&mut self, patience: Duration) -> Option<Vec<u8>> {
        match self.receive_bytes(patience) {
            Received::Closed => Some(std::mem::take(&mut self.arrived)),
            _ => None,
        }
    }

    fn receive_bytes(&mut self, patience: Duration) -> Received {
        self.transport.set_read_timeout(patience);
        let mut buffer = [0; 4096];
        loop {
            match self.transport.read(&mut buffer) {
                Ok(0) => return Received::Closed,
                Ok(count) => self.arrived.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Received::Nothing,
                Err(_) => return Received::Closed,
            }
        }
    }
}

/// The server closed the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Whether a reply has `ok: 1`.
pub(crate) fn is_ok(reply: &Document) -> bool {
    reply.get_f64("ok").is_ok_and(|ok| ok == 1.0)
}

/// The code of an error reply, 0 for success.
pub(crate) fn code(reply: &Document) -> i32 {
    reply.get_i32("code").unwrap_or(0)
}

fn tcp(port: u16) -> TcpStream {
    try_tcp(port).expect("a connection")
}

fn try_tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Transport {
    fn set_read_timeout(&self, patience: Duration) {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(patience)),
            Self::Unix(stream) => stream.set_read_timeout(Some(patience)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(patience)),
        }
        .expect("a timeout");
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
