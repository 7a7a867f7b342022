use std::future::poll_fn;
use std::io::Write;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use super::*;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A server that wants a certificate and a client that has one; both have the same.
struct Pair {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn pair(version: &'static SupportedProtocolVersion, fragment: Option<usize>) -> Pair {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let chain = || vec![certificate.der().clone()];
    let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let (roots, provider) = (Arc::new(roots), Arc::new(default_provider()));
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build().unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[version]).unwrap();
    let server = server.with_client_cert_verifier(clients).with_single_cert(chain(), key()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut client = client.with_root_certificates(roots).with_client_auth_cert(chain(), key()).unwrap();
    client.max_fragment_size = fragment;
    // Each handshake is a whole one.
    client.resumption = rustls::client::Resumption::disabled();
    Pair { server: Arc::new(server), client: Arc::new(client) }
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// A client of somebody else's making, connected to a stream of ours.
async fn connected(pair: &Pair) -> (tokio_rustls::client::TlsStream<UnixStream>, TlsStream) {
    let (theirs, ours) = UnixStream::pair().unwrap();
    let connector = TlsConnector::from(Arc::clone(&pair.client));
    let accepted = TlsStream::accept(Arc::clone(&pair.server), Transport::Unix(ours), Vec::new());
    let (client, server) = tokio::join!(connector.connect(localhost(), theirs), accepted);
    (client.unwrap(), server.unwrap())
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| (number % 251) as u8).collect()
}

async fn fill(stream: &mut TlsStream, into: &mut Incoming) -> io::Result<usize> {
    poll_fn(|context| stream.poll_fill(context, into)).await
}

#[tokio::test]
async fn bytes_go_both_ways_in_every_size_and_version() {
    for version in BOTH {
        let (mut client, mut server) = connected(&pair(version, None)).await;
        assert_eq!(server.protocol_version(), Some(version.version));
        assert_eq!(server.peer_certificates().unwrap().len(), 1);
        for count in [1, 300, 16_384, 16_385, 70_000, 1_000_000] {
            let sent = bytes(count);
            let echo = async {
                let mut incoming = Incoming::default();
                while incoming.len() < count {
                    assert!(fill(&mut server, &mut incoming).await.unwrap() > 0);
                }
                server.write_all(incoming.available()).await.unwrap();
                server.flush().await.unwrap();
            };
            let mut seen = vec![0; count];
            let (mut from, mut to) = tokio::io::split(&mut client);
            let ask = async {
                to.write_all(&sent).await.unwrap();
                to.flush().await.unwrap();
            };
            tokio::join!(echo, ask, async { from.read_exact(&mut seen).await.unwrap() });
            assert!(seen == sent, "{count}");
        }
    }
}

#[tokio::test]
async fn both_sides_of_our_own_making_understand_each_other() {
    for version in BOTH {
        let pair = pair(version, Some(100));
        let (one, other) = UnixStream::pair().unwrap();
        let client = TlsStream::connect(Arc::clone(&pair.client), localhost(), Transport::Unix(one));
        let server = TlsStream::accept(Arc::clone(&pair.server), Transport::Unix(other), Vec::new());
        let (client, server) = tokio::join!(client, server);
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        let sent = bytes(300_000);
        let mut seen = Vec::new();
        let send = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
        };
        tokio::join!(send, async { server.read_to_end(&mut seen).await.unwrap() });
        assert!(seen == sent);
    }
}

#[tokio::test]
async fn a_connection_that_waits_has_no_memory_for_bytes() {
    let (mut client, mut server) = connected(&pair(&TLS13, None)).await;
    let mut incoming = Incoming::default();
    client.write_all(&bytes(100_000)).await.unwrap();
    while incoming.len() < 100_000 {
        fill(&mut server, &mut incoming).await.unwrap();
    }
    server.write_all(incoming.available()).await.unwrap();
    server.flush().await.unwrap();
    assert_eq!((server.received.capacity(), server.outgoing.capacity()), (0, 0));
    assert!(server.early.is_at_rest());
}

#[tokio::test]
async fn what_a_server_has_to_say_leaves_with_its_first_reply_or_before_it_waits() {
    for replies in [true, false] {
        let (mut client, mut server) = connected(&pair(&TLS13, None)).await;
        assert!(!server.outgoing.is_empty(), "tickets");
        if replies {
            server.write_all(b"reply").await.unwrap();
            server.flush().await.unwrap();
            client.read_exact(&mut [0; 5]).await.unwrap();
        } else {
            let mut incoming = Incoming::default();
            tokio::select! {
                biased;
                _ = fill(&mut server, &mut incoming) => panic!("nothing was said"),
                () = std::future::ready(()) => {}
            }
        }
        assert!(server.outgoing.is_empty());
    }
}

#[tokio::test]
async fn a_goodbye_is_the_end_and_a_broken_connection_is_an_error() {
    let (mut client, mut server) = connected(&pair(&TLS13, None)).await;
    client.write_all(b"last").await.unwrap();
    client.shutdown().await.unwrap();
    let mut incoming = Incoming::default();
    while fill(&mut server, &mut incoming).await.unwrap() > 0 {}
    assert_eq!(incoming.available(), b"last");
    // Who says nothing more may still listen.
    server.write_all(b"heard").await.unwrap();
    server.shutdown().await.unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "heard");

    let (mut client, mut server) = connected(&pair(&TLS13, None)).await;
    client.get_mut().0.shutdown().await.unwrap();
    let error = fill(&mut server, &mut Incoming::default()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn new_keys_may_be_agreed_on_at_any_time() {
    let (mut client, mut server) = connected(&pair(&TLS13, None)).await;
    let mut incoming = Incoming::default();
    for round in 1..4 {
        client.get_mut().1.refresh_traffic_keys().unwrap();
        client.write_all(b"ping").await.unwrap();
        client.flush().await.unwrap();
        while incoming.len() < 4 * round {
            fill(&mut server, &mut incoming).await.unwrap();
        }
        server.write_all(b"pong").await.unwrap();
        server.flush().await.unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"pong");
    }
}

#[tokio::test]
async fn what_was_received_already_begins_the_handshake() {
    let pair = pair(&TLS13, None);
    for first in [1, 5, 16, 200] {
        let (theirs, mut ours) = UnixStream::pair().unwrap();
        let connector = TlsConnector::from(Arc::clone(&pair.client));
        let accepted = async {
            let mut sniffed = vec![0; first];
            ours.read_exact(&mut sniffed).await.unwrap();
            TlsStream::accept(Arc::clone(&pair.server), Transport::Unix(ours), sniffed).await
        };
        let (client, server) = tokio::join!(connector.connect(localhost(), theirs), accepted);
        client.unwrap();
        server.unwrap();
    }
}

#[tokio::test]
async fn a_peer_is_told_what_was_wrong() {
    // A ClientHello that is none.
    let pair = pair(&TLS13, None);
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    theirs.write_all(&[0x16, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9]).await.unwrap();
    let error = TlsStream::accept(Arc::clone(&pair.server), Transport::Unix(ours), Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let mut alert = Vec::new();
    theirs.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert.first(), Some(&0x15), "{alert:?}");

    // A record that nobody encrypted.
    let (mut client, mut server) = connected(&pair).await;
    client.get_mut().0.write_all(&[0x17, 3, 3, 0, 32].iter().copied().chain(bytes(32)).collect::<Vec<_>>()).await.unwrap();
    let error = fill(&mut server, &mut Incoming::default()).await.unwrap_err();
    assert!(error.to_string().contains("decrypt"), "{error}");
    let error = client.read_u8().await.unwrap_err();
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[tokio::test]
async fn a_peer_is_told_what_was_wrong_with_what_was_received_already() {
    let pair = pair(&TLS13, None);
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    let first = [0x16, 3, 1, 0, 8, 1, 0, 0, 4, 9, 9, 9, 9].to_vec();
    TlsStream::accept(Arc::clone(&pair.server), Transport::Unix(ours), first).await.unwrap_err();
    let mut alert = Vec::new();
    theirs.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert.first(), Some(&0x15), "{alert:?}");
}

#[tokio::test]
async fn whoever_uses_a_stream_after_an_error_gets_another_error() {
    let pair = pair(&TLS13, None);
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    // The beginning of a handshake message, of which the library remembers where it is, and then nonsense, at once.
    let sent = [&[0x16, 3, 1, 0, 8, 1, 0, 0x40, 0, 3, 3, 9, 9][..], &[0x99; 40]].concat();
    theirs.write_all(&sent).await.unwrap();
    let connection = UnbufferedServerConnection::new(Arc::clone(&pair.server)).unwrap();
    let mut stream = TlsStream {
        side: Side::Server(connection),
        transport: Transport::Unix(ours),
        received: Vec::new(),
        early: Incoming::default(),
        outgoing: Vec::new(),
        ended: false,
        said_goodbye: false,
        failed: false,
    };
    fill(&mut stream, &mut Incoming::default()).await.unwrap_err();
    stream.write_all(b"x").await.unwrap_err();
    theirs.write_all(b"more").await.unwrap();
    fill(&mut stream, &mut Incoming::default()).await.unwrap_err();
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn a_handshake_message_without_end_is_refused() {
    let pair = pair(&TLS13, None);
    let (mut theirs, ours) = UnixStream::pair().unwrap();
    // A ClientHello of almost 16 MB, in records of 16 kB.
    let sent = tokio::spawn(async move {
        let mut record = vec![0x16, 3, 1, 0x40, 0];
        record.extend_from_slice(&[1, 0xff, 0xff, 0xff]);
        record.resize(5 + 0x4000, 0);
        let mut count = 0;
        while theirs.write_all(&record).await.is_ok() {
            count += record.len();
            record.splice(5..9, [0; 4]);
        }
        count
    });
    let refused = TlsStream::accept(Arc::clone(&pair.server), Transport::Unix(ours), Vec::new()).await;
    refused.unwrap_err();
    assert!(sent.await.unwrap() < 2_000_000);
}

/// Lets both say what they have to say, until nobody has, and changes the byte at `place` of what the client says. What the server
/// understood, if it found nothing wrong, and how much was said.
fn with_one_byte_changed(pair: &Pair, place: usize) -> Option<(Vec<u8>, usize)> {
    let mut client = rustls::ClientConnection::new(Arc::clone(&pair.client), localhost()).unwrap();
    client.writer().write_all(&[7; 300]).unwrap();
    let mut server = UnbufferedServerConnection::new(Arc::clone(&pair.server)).unwrap();
    let (mut received, mut seen, mut changed, mut plaintext) = (Vec::new(), 0, false, Incoming::default());
    while client.wants_write() {
        while client.wants_write() {
            client.write_tls(&mut received).unwrap();
        }
        if let Some(byte) = place.checked_sub(seen).and_then(|place| received.get_mut(place)).filter(|_| !changed) {
            *byte ^= 0x11;
            changed = true;
        }
        let mut outgoing = Vec::new();
        let Done { used, progress } = records::process(&mut server, &mut received, &mut plaintext, &mut outgoing);
        progress.ok()?;
        seen += used;
        received.drain(..used);
        let mut outgoing = outgoing.as_slice();
        while !outgoing.is_empty() {
            client.read_tls(&mut outgoing).unwrap();
            client.process_new_packets().ok()?;
        }
    }
    Some((plaintext.available().to_vec(), seen))
}

#[test]
fn no_changed_byte_of_what_a_client_says_brings_anything_but_an_error() {
    for version in BOTH {
        let pair = pair(version, Some(200));
        let (understood, said) = with_one_byte_changed(&pair, usize::MAX).unwrap();
        assert_eq!(understood, [7; 300]);
        let same = |place: &usize| with_one_byte_changed(&pair, *place).is_some_and(|(seen, _)| seen == understood);
        // Bytes that mean nothing may be changed: the version in a record's header, for one.
        let harmless: Vec<_> = (0..said).filter(same).collect();
        assert!(harmless.len() * 20 < said, "{harmless:?} of {said}");
    }
}
