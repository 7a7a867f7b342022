//! One step after the other of rustls' unbuffered interface: records in, plaintext and records out. Knows no sockets.

use std::io;

use rustls::Error;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic};

use crate::net::incoming::Incoming;

/// Room for a `close_notify` in any version, in bytes.
const CLOSING: usize = 128;

/// A connection of either side.
pub(super) trait Records {
    /// What rustls keeps for this side.
    type Data;

    /// Whether it has something to say.
    fn wants_write(&self) -> bool;

    /// The next state that `received` brings the connection to.
    fn next<'c, 'i>(&'c mut self, received: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn wants_write(&self) -> bool {
        (**self).wants_write()
    }

    fn next<'c, 'i>(&'c mut self, received: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(received)
    }
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn wants_write(&self) -> bool {
        (**self).wants_write()
    }

    fn next<'c, 'i>(&'c mut self, received: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(received)
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More has to come.
    Open,
    /// The peer says nothing more.
    Ended,
}

/// What [`process`] did.
pub(super) struct Done {
    /// How many of the received bytes are not needed any more.
    pub(super) used: usize,
    pub(super) progress: io::Result<Progress>,
}

/// Puts into `outgoing` what the connection has to say after an error, an alert above all. It must not be shown anything more.
fn say_why<R: Records>(connection: &mut R, plaintext: &mut Incoming, outgoing: &mut Vec<u8>) {
    while connection.wants_write() {
        let Ok(state) = connection.next(&mut []).state else { return };
        let Ok(Step::Again) = step(state, &mut 0, plaintext, outgoing) else { return };
    }
}

/// What to do after one state.
enum Step<'c, Data> {
    Again,
    PeerClosed,
    /// Nothing, until more has come.
    Wait,
    /// The connection can encrypt.
    Write(WriteTraffic<'c, Data>),
    /// Both sides have said that they say nothing more.
    Closed,
}

/// Goes on as far as `received` leads. What the peer says goes into `plaintext`, what it is to be told into `outgoing`, also after an
/// error.
pub(super) fn process<R: Records>(
    connection: &mut R,
    received: &mut [u8],
    plaintext: &mut Incoming,
    outgoing: &mut Vec<u8>,
) -> Done {
    let (mut used, mut progress) = (0_usize, Ok(Progress::Open));
    loop {
        let UnbufferedStatus { mut discard, state } = connection.next(received.get_mut(used..).unwrap_or_default());
        let step = state.and_then(|state| step(state, &mut discard, plaintext, outgoing));
        used = used.saturating_add(discard);
        match step {
            Ok(Step::Again) => {}
            Ok(Step::PeerClosed) => progress = progress.map(|_| Progress::Ended),
            Ok(Step::Wait | Step::Write(_)) => break,
            Ok(Step::Closed) => {
                progress = progress.map(|_| Progress::Ended);
                break;
            }
            Err(error) => {
                progress = Err(invalid(error));
                say_why(connection, plaintext, outgoing);
                break;
            }
        }
    }
    Done { used, progress }
}

fn step<'c, Data>(
    state: ConnectionState<'c, '_, Data>,
    discard: &mut usize,
    plaintext: &mut Incoming,
    outgoing: &mut Vec<u8>,
) -> Result<Step<'c, Data>, Error> {
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                *discard = discard.saturating_add(record.discard);
                plaintext.append(record.payload);
            }
        }
        ConnectionState::EncodeTlsData(mut data) => encode(&mut data, outgoing)?,
        // It leaves with what is sent next, in any case before something is waited for.
        ConnectionState::TransmitTlsData(data) => data.done(),
        ConnectionState::PeerClosed => return Ok(Step::PeerClosed),
        ConnectionState::Closed => return Ok(Step::Closed),
        ConnectionState::BlockedHandshake => return Ok(Step::Wait),
        ConnectionState::WriteTraffic(traffic) => return Ok(Step::Write(traffic)),
        // Never offered, so never accepted.
        ConnectionState::ReadEarlyData(_) => return Err(Error::General("early data".to_owned())),
        _ => return Err(Error::General("a state of the TLS library that is not known here".to_owned())),
    }
    Ok(Step::Again)
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, outgoing: &mut Vec<u8>) -> Result<(), Error> {
    let begin = outgoing.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        outgoing.resize(begin.saturating_add(size.required_size), 0);
        data.encode(outgoing.get_mut(begin..).unwrap_or_default()).map_err(|error| Error::General(error.to_string()))?;
    }
    Ok(())
}

/// Encrypts `piece` into `buffer`, which grows if it must, and returns how many bytes that are. What else there is to say comes
/// before it, into `outgoing`.
pub(super) fn encrypt<R: Records>(
    connection: &mut R,
    received: &mut Vec<u8>,
    plaintext: &mut Incoming,
    outgoing: &mut Vec<u8>,
    piece: &[u8],
    buffer: &mut Vec<u8>,
) -> io::Result<usize> {
    when_it_can(connection, received, plaintext, outgoing, |mut traffic, _| {
        let encrypted = match traffic.encrypt(piece, buffer) {
            Err(EncryptError::InsufficientSize(size)) => {
                buffer.resize(size.required_size, 0);
                traffic.encrypt(piece, buffer)
            }
            encrypted => encrypted,
        };
        encrypted.map_err(io::Error::other)
    })
}

/// Puts into `outgoing` that nothing more comes, if the connection got as far as that.
pub(super) fn close<R: Records>(connection: &mut R, received: &mut Vec<u8>, plaintext: &mut Incoming, outgoing: &mut Vec<u8>) {
    let closed = when_it_can(connection, received, plaintext, outgoing, |mut traffic, outgoing| {
        let begin = outgoing.len();
        outgoing.resize(begin.saturating_add(CLOSING), 0);
        let written = traffic.queue_close_notify(outgoing.get_mut(begin..).unwrap_or_default());
        outgoing.truncate(begin.saturating_add(*written.as_ref().unwrap_or(&0)));
        written.map_err(io::Error::other)
    });
    // Whoever is gone, or never shook hands, misses nothing.
    drop(closed);
}

/// Does what a connection can do that has nothing else to say.
fn when_it_can<R: Records, T>(
    connection: &mut R,
    received: &mut Vec<u8>,
    plaintext: &mut Incoming,
    outgoing: &mut Vec<u8>,
    act: impl FnOnce(WriteTraffic<'_, R::Data>, &mut Vec<u8>) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        let UnbufferedStatus { mut discard, state } = connection.next(received);
        let step = state.and_then(|state| step(state, &mut discard, plaintext, outgoing)).map_err(invalid)?;
        received.drain(..discard.min(received.len()));
        match step {
            Step::Write(traffic) => return act(traffic, outgoing),
            Step::Again | Step::PeerClosed => {}
            Step::Wait | Step::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// An error of TLS as one of the stream.
pub(super) fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
