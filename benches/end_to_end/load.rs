//! The load generator: blocking clients on threads of their own, each in a closed loop over one prepared message.

use std::io::{Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bson::raw::RawDocumentBuf;
use bson::rawdoc;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::processes::cpu_seconds;

/// The database of all commands; the user may read and write it.
pub(crate) const DATABASE: &str = "test";
/// What a client reads at once, twice.
const BUFFER: usize = 256 * 1024;
/// No answer takes this long; a server that gives none must not stop the bench.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is measured: the sink itself, or a proxy before it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// `None` speaks plain to the sink.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// The processes whose CPU time and memory count, with their children.
    pub(crate) processes: Vec<u32>,
    /// Whether somebody behind the address knows the client's certificate as a user.
    pub(crate) logs_in: bool,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection.
pub(crate) struct Client {
    transport: Transport,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects; toward a proxy with a whole TLS handshake and X.509 authentication inside hello.
    pub(crate) fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&target.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let transport = match &target.tls {
            None => Transport::Plain(stream),
            Some(config) => {
                let connection = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
                Transport::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        let mut client = Self { transport, buffer: vec![0; BUFFER] };
        let length = client.ask(&hello()).context("hello")?;
        let reply = client.buffer.get(..length).unwrap_or_default();
        let logged_in = !target.logs_in || contains(reply, b"speculativeAuthenticate");
        ensure!(logged_in, "the client's certificate was not accepted as a user");
        Ok(client)
    }

    /// Sends one message and reads one reply, of which the first bytes stay in the buffer. Returns the reply's length.
    pub(crate) fn ask(&mut self, message: &[u8]) -> Result<usize> {
        match &mut self.transport {
            Transport::Plain(stream) => ask(stream, &mut self.buffer, message),
            Transport::Tls(stream) => ask(stream.as_mut(), &mut self.buffer, message),
        }
    }

    /// As [`Self::ask`], and the reply must say `ok: 1`.
    pub(crate) fn ask_successfully(&mut self, message: &[u8]) -> Result<usize> {
        let length = self.ask(message)?;
        let reply = self.buffer.get(..length.min(self.buffer.len())).unwrap_or_default();
        // A long reply's end is not in the buffer: an error is never long.
        ensure!(length > reply.len() || contains(reply, b"\x01ok\0\0\0\0\0\0\0\xf0\x3f"), "the operation failed");
        Ok(length)
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn ask(stream: &mut (impl Read + Write), buffer: &mut [u8], message: &[u8]) -> Result<usize> {
    stream.write_all(message)?;
    stream.flush()?;
    let mut filled = 0;
    let mut length = None;
    loop {
        let free = buffer.get_mut(filled.min(128 * 1024)..).unwrap_or_default();
        let count = stream.read(free)?;
        if count == 0 {
            bail!("the connection was closed");
        }
        filled += count;
        if let (None, Some(first)) = (length, buffer.first_chunk::<4>().filter(|_| filled >= 4)) {
            length = Some(usize::try_from(i32::from_le_bytes(*first))?);
        }
        if length.is_some_and(|length| filled >= length) {
            return Ok(filled);
        }
    }
}

/// What one run of a closed loop showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) operations: f64,
    pub(crate) seconds: f64,
    /// CPU seconds of the measured processes.
    pub(crate) cpu: f64,
    /// Bytes of requests and replies.
    pub(crate) bytes: f64,
    /// Of each operation, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Sample {
    /// CPU microseconds of an operation.
    pub(crate) fn cost(&self) -> f64 {
        self.cpu / self.operations * 1e6
    }

    pub(crate) fn rate(&self) -> f64 {
        self.operations / self.seconds
    }

    /// The latency that this part of the operations did not exceed, in microseconds.
    pub(crate) fn latency(&self, part: f64) -> f64 {
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies.get(index.min(self.latencies.len().saturating_sub(1))).map_or(f64::NAN, |l| l.as_secs_f64() * 1e6)
    }
}

/// `connections` clients send `message` again and again for `duration`.
pub(crate) fn closed_loop(target: &Target, message: &[u8], connections: usize, duration: Duration) -> Result<Sample> {
    measure(target, connections, duration, |stop, ready| {
        let client = Client::connect(target).and_then(|mut client| Ok((client.ask_successfully(message)?, client)));
        ready.wait();
        let (expected, mut client) = client?;
        let mut sample = Sample::default();
        while !stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            let length = client.ask(message)?;
            sample.latencies.push(start.elapsed());
            ensure!(length == expected, "a reply of {length} bytes instead of {expected}");
            sample.bytes += (length + message.len()) as f64;
        }
        Ok(sample)
    })
}

/// `clients` threads connect, authenticate and hang up, again and again for `duration`; to one of `targets`, which are one server with
/// different users, after the other.
pub(crate) fn connection_loop(targets: &[Target], clients: usize, duration: Duration) -> Result<Sample> {
    let mut next = AtomicUsize::new(0);
    let first = targets.get(*next.get_mut()).context("no target")?;
    measure(first, clients, duration, |stop, ready| {
        ready.wait();
        let mut sample = Sample::default();
        while !stop.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed) % targets.len();
            let target = targets.get(place).unwrap_or(first);
            let start = Instant::now();
            drop(Client::connect(target)?);
            sample.latencies.push(start.elapsed());
        }
        Ok(sample)
    })
}

/// The connections that are there ask one after the other, as many at once as there are `hands`.
pub(crate) fn rotating_loop(
    target: &Target,
    message: &[u8],
    clients: &mut [Client],
    hands: usize,
    duration: Duration,
) -> Result<Sample> {
    let size = clients.len().div_ceil(hands).max(1);
    let parts = Mutex::new(clients.chunks_mut(size).collect::<Vec<_>>());
    let hands = parts.lock().map_or(0, |parts| parts.len());
    measure(target, hands, duration, |stop, ready| {
        let part = parts.lock().ok().and_then(|mut parts| parts.pop());
        ready.wait();
        let (part, mut sample) = (part.context("no connection")?, Sample::default());
        let mut buffer = vec![0; BUFFER];
        'all: loop {
            for client in part.iter_mut() {
                if stop.load(Ordering::Relaxed) {
                    break 'all;
                }
                mem::swap(&mut client.buffer, &mut buffer);
                let start = Instant::now();
                client.ask(message)?;
                sample.latencies.push(start.elapsed());
                mem::swap(&mut client.buffer, &mut buffer);
            }
        }
        Ok(sample)
    })
}

/// Runs `work` on `threads` threads, from the moment that all are ready until `duration` is over, and adds up.
fn measure(
    target: &Target,
    threads: usize,
    duration: Duration,
    work: impl Fn(&AtomicBool, &Barrier) -> Result<Sample> + Sync,
) -> Result<Sample> {
    let (stop, ready) = (AtomicBool::new(false), Barrier::new(threads + 1));
    let cpu = || target.processes.iter().copied().map(cpu_seconds).sum::<Result<f64>>();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&stop, &ready))).collect();
        ready.wait();
        let (start, cpu_before) = (Instant::now(), cpu());
        thread::sleep(duration);
        // Before the clients go, which costs the process something too.
        let cpu_after = cpu();
        stop.store(true, Ordering::Relaxed);
        let mut total = Sample::default();
        for worker in workers {
            let sample = worker.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
            total.bytes += sample.bytes;
            total.latencies.extend(sample.latencies);
        }
        total.seconds = start.elapsed().as_secs_f64();
        total.cpu = cpu_after? - cpu_before?;
        total.operations = total.latencies.len() as f64;
        total.latencies.sort_unstable();
        Ok(total)
    })
}

/// Opens `count` connections, each with one operation done, and keeps them idle.
pub(crate) fn idle_connections(target: &Target, count: usize) -> Result<Vec<Client>> {
    let message = find_one();
    let threads = 4;
    thread::scope(|scope| {
        let open = |count: usize| -> Result<Vec<Client>> {
            let one = |_| {
                let mut client = Client::connect(target)?;
                client.ask_successfully(&message)?;
                client.buffer = Vec::new(); // it stays idle
                Ok(client)
            };
            (0..count).map(one).collect()
        };
        let workers: Vec<_> = (0..threads).map(|place| scope.spawn(move || open((count + place) / threads))).collect();
        let mut clients = Vec::new();
        for worker in workers {
            clients.extend(worker.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        Ok(clients)
    })
}

pub(crate) fn message(body: &RawDocumentBuf, documents: &[u8]) -> Vec<u8> {
    let sequence = if documents.is_empty() { 0 } else { 1 + 4 + 10 + documents.len() };
    let length = 21 + body.as_bytes().len() + sequence;
    let mut bytes = Vec::with_capacity(length);
    for field in [i32::try_from(length).unwrap_or(i32::MAX), 1, 0, 2013, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(body.as_bytes());
    if !documents.is_empty() {
        bytes.push(1);
        bytes.extend_from_slice(&i32::try_from(4 + 10 + documents.len()).unwrap_or(i32::MAX).to_le_bytes());
        bytes.extend_from_slice(b"documents\0");
        bytes.extend_from_slice(documents);
    }
    bytes
}

fn hello() -> Vec<u8> {
    let client = rawdoc! {
        "application": { "name": "bench" }, "driver": { "name": "bench", "version": "1" }, "os": { "type": "Linux" }
    };
    let speculative = rawdoc! { "authenticate": 1, "mechanism": "MONGODB-X509", "db": "$external" };
    let body = rawdoc! { "hello": 1, "helloOk": true, "client": client, "speculativeAuthenticate": speculative, "$db": "admin" };
    message(&body, &[])
}

fn logical_session() -> RawDocumentBuf {
    rawdoc! { "id": bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] } }
}

/// A point read with the fields that drivers send.
pub(crate) fn find_one() -> Vec<u8> {
    let body = rawdoc! {
        "find": "bench", "filter": { "_id": 42 }, "limit": 1, "singleBatch": true, "lsid": logical_session(), "$db": DATABASE
    };
    message(&body, &[])
}

/// The same without a logical session.
pub(crate) fn find_without_session() -> Vec<u8> {
    message(&rawdoc! { "find": "bench", "filter": { "_id": 42 }, "limit": 1, "singleBatch": true, "$db": DATABASE }, &[])
}

/// An insert of one small document in a section of its own, as drivers send it.
pub(crate) fn insert_one() -> Vec<u8> {
    let document = rawdoc! { "_id": 42, "name": "somebody", "state": "open", "total": 10.5, "tags": ["a", "b"] };
    message(&rawdoc! { "insert": "bench", "ordered": true, "lsid": logical_session(), "$db": DATABASE }, document.as_bytes())
}

/// Ten stages, two of which read other collections.
pub(crate) fn aggregate() -> Vec<u8> {
    let body = rawdoc! {
        "aggregate": "bench",
        "pipeline": [
            { "$match": { "state": "open" } },
            { "$lookup": { "from": "customers", "localField": "customer", "foreignField": "_id", "as": "customer" } },
            { "$unwind": "$customer" },
            { "$addFields": { "total": { "$multiply": ["$price", "$count"] } } },
            { "$lookup": { "from": "items", "pipeline": [{ "$match": { "sold": true } }], "as": "items" } },
            { "$group": { "_id": "$customer", "sum": { "$sum": "$total" } } },
            { "$sort": { "sum": -1 } },
            { "$skip": 10 },
            { "$limit": 10 },
            { "$project": { "_id": 1, "sum": 1 } },
        ],
        "cursor": {},
        "lsid": logical_session(),
        "$db": DATABASE,
    };
    message(&body, &[])
}

/// A read that is answered with the sink's whole batch.
pub(crate) fn find_many() -> Vec<u8> {
    message(&rawdoc! { "find": "bench", "filter": {}, "lsid": logical_session(), "$db": DATABASE }, &[])
}

/// An insert of a document with a text of so many bytes.
pub(crate) fn insert_text(bytes: usize) -> Vec<u8> {
    let document = rawdoc! { "_id": 1, "text": "x".repeat(bytes) };
    message(&rawdoc! { "insert": "bench", "ordered": true, "lsid": logical_session(), "$db": DATABASE }, document.as_bytes())
}

/// An insert of documents of 1 MB that makes a message of about `bytes` bytes.
pub(crate) fn insert_many(bytes: usize) -> Vec<u8> {
    let document = rawdoc! { "_id": 1, "text": "x".repeat(1_000_000) };
    let documents = document.as_bytes().repeat((bytes / document.as_bytes().len()).max(1));
    message(&rawdoc! { "insert": "bench", "ordered": true, "lsid": logical_session(), "$db": DATABASE }, &documents)
}
