//! The sink as a client on a socket sees it.

use std::io::Read;

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::rawdoc;

use super::*;

struct Client(TcpStream);

impl Client {
    fn new(options: &Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _ = serve(listener, options).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    fn send(&mut self, id: i32, flags: u32, body: &RawDocumentBuf) {
        let mut bytes = Vec::new();
        for field in [21 + i32::try_from(body.as_bytes().len()).unwrap(), id, 0, 2013] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.push(0);
        bytes.extend_from_slice(body.as_bytes());
        self.0.write_all(&bytes).unwrap();
    }

    /// Flags, the id of the reply, what it answers, and its document.
    fn receive(&mut self) -> (u32, i32, i32, RawDocumentBuf) {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut rest = vec![0; usize::try_from(i32::from_le_bytes(length)).unwrap() - 4];
        self.0.read_exact(&mut rest).unwrap();
        let field = |at: usize| i32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let document = RawDocument::from_bytes(&rest[17..]).unwrap().to_owned();
        (field(12).cast_unsigned(), field(0), field(4), document)
    }

    fn ask(&mut self, body: &RawDocumentBuf) -> RawDocumentBuf {
        self.send(7, 0, body);
        let (flags, _, answered, document) = self.receive();
        assert_eq!((flags, answered), (0, 7));
        document
    }
}

fn batch(reply: &RawDocumentBuf, field: &str) -> (i64, usize) {
    let cursor = reply.get_document("cursor").unwrap();
    (cursor.get_i64("id").unwrap(), cursor.get_array(field).unwrap().as_bytes().len())
}

#[test]
fn every_canned_command_is_acknowledged_and_others_are_not_found() {
    let mut client = Client::new(&Options::default());
    for name in [
        "ping",
        "aggregate",
        "insert",
        "update",
        "delete",
        "find",
        "getMore",
        "buildInfo",
        "listCommands",
        "_isSelf",
        "usersInfo",
        "hello",
        "isMaster",
    ] {
        let mut body = RawDocumentBuf::new();
        body.append(<&bson::raw::CStr>::try_from(name).unwrap(), 1);
        assert_eq!(client.ask(&body).get_f64("ok").ok(), Some(1.0), "{name}");
    }
    assert_eq!(client.ask(&rawdoc! { "dropDatabase": 1 }).get_i32("code").ok(), Some(59));
    assert_eq!(client.ask(&rawdoc! {}).get_i32("code").ok(), Some(59));
}

#[test]
fn a_cursor_has_the_batches_that_were_ordered() {
    let mut client = Client::new(&Options { batch_bytes: 100_000, batches: 3, ..Options::default() });
    let (id, size) = batch(&client.ask(&rawdoc! { "find": "c" }), "firstBatch");
    assert!(id != 0 && (100_000..102_000).contains(&size), "{id} {size}");
    assert!(batch(&client.ask(&rawdoc! { "getMore": id }), "nextBatch").0 != 0);
    assert_eq!(batch(&client.ask(&rawdoc! { "getMore": id }), "nextBatch").0, 0);
    assert!(batch(&client.ask(&rawdoc! { "find": "c", "limit": 1 }), "firstBatch").1 < 200);
}

#[test]
fn a_large_batch_has_the_size_that_was_ordered() {
    let mut client = Client::new(&Options { batch_bytes: 16_000_000, ..Options::default() });
    let (id, size) = batch(&client.ask(&rawdoc! { "find": "c" }), "firstBatch");
    assert_eq!(id, 0);
    assert!((16_000_000..16_100_000).contains(&size), "{size}");
}

#[test]
fn an_unacknowledged_write_is_not_answered() {
    let mut client = Client::new(&Options::default());
    client.send(1, 2, &rawdoc! { "insert": "c" });
    assert_eq!(client.ask(&rawdoc! { "ping": 1 }).get_f64("ok").ok(), Some(1.0));
}

#[test]
fn a_streaming_hello_goes_on_and_each_reply_answers_the_one_before() {
    let mut client = Client::new(&Options::default());
    let hello = client.ask(&rawdoc! { "hello": 1, "helloOk": true });
    assert!(hello.get_bool("isWritablePrimary").unwrap() && hello.get_bool("helloOk").unwrap());
    let version = hello.get_document("topologyVersion").unwrap().to_owned();
    client.send(50, 1 << 16, &rawdoc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 30_i64 });
    let mut expected = 50;
    for _ in 0..3 {
        let (flags, id, answered, reply) = client.receive();
        assert_eq!((flags, answered), (2, expected));
        assert!(reply.get_bool("isWritablePrimary").unwrap());
        expected = id;
    }
}

#[test]
fn an_awaited_hello_comes_when_its_time_is_over() {
    let mut client = Client::new(&Options::default());
    let version = client.ask(&rawdoc! { "hello": 1 }).get_document("topologyVersion").unwrap().to_owned();
    let start = Instant::now();
    client.ask(&rawdoc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 120_i64 });
    assert!(start.elapsed() >= Duration::from_millis(110), "{:?}", start.elapsed());
}
