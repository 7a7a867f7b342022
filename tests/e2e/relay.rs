//! Forwarding: large messages, streams of replies, requests without a reply, and clients that go or do not read. Memory stays small.

use bson::{Document, doc};

use super::support::PATIENCE;
use super::support::connection::{Connection, Received, is_ok};
use super::support::scram::must_log_in;
use super::support::servers::{Server, Target, flags, target};
use super::support::wire::{EXHAUST_ALLOWED, MORE_TO_COME, Message};

const MEGABYTE: usize = 1 << 20;

/// What doorward may grow by while large messages pass: buffers, never a message.
const ALLOWED_GROWTH: u64 = 24 << 20;

fn server() -> Server {
    Server::start_alone(target(), &flags("--auth")).expect("a server")
}

fn client(server: &Server) -> Connection {
    let mut connection = server.connect();
    must_log_in(&mut connection, "alice", "admin", "wonderland");
    connection
}

fn large_documents(count: i32, megabytes: usize) -> Vec<Document> {
    (0..count).map(|id| doc! {"_id": id, "text": "x".repeat(megabytes * MEGABYTE)}).collect()
}

/// Inserts the documents as a document sequence.
fn insert(connection: &mut Connection, collection: &str, documents: &[Document]) -> Document {
    let id = connection.request_id();
    let message = Message::command(id, 0, &doc! {"insert": collection, "$db": "relay"}).with_sequence("documents", documents);
    connection.exchange(&message).expect("a reply").document
}

fn memory_stays_small(server: &Server, before: u64) {
    if target() == Target::Doorward {
        let growth = server.process.peak_resident_bytes().saturating_sub(before);
        assert!(growth < ALLOWED_GROWTH, "doorward grew by {} MiB", growth >> 20);
    }
}

#[test]
fn large_batches_pass_in_both_directions_without_being_held() {
    let server = server();
    let mut connection = client(&server);
    let before = server.process.resident_bytes();
    let documents = large_documents(3, 15);
    for round in 0..4 {
        let reply = insert(&mut connection, &format!("large{round}"), &documents);
        assert_eq!(reply.get_i32("n").ok(), Some(3), "{reply}");
        let reply = connection.must(doc! {"find": format!("large{round}"), "batchSize": 1, "$db": "relay"});
        let cursor = reply.get_document("cursor").expect("a cursor");
        let batch = cursor.get_array("firstBatch").expect("a batch");
        let text = batch[0].as_document().and_then(|document| document.get_str("text").ok()).expect("a text");
        assert_eq!(text.len(), 15 * MEGABYTE);
        connection.must(
            doc! {"killCursors": format!("large{round}"), "cursors": [cursor.get_i64("id").expect("an id")], "$db": "relay"},
        );
    }
    memory_stays_small(&server, before);
}

#[test]
fn a_batch_of_a_hundred_thousand_passes() {
    let server = server();
    let mut connection = client(&server);
    let documents: Vec<Document> = (0..100_000).map(|id| doc! {"_id": id}).collect();
    assert_eq!(insert(&mut connection, "many", &documents).get_i32("n").ok(), Some(100_000));
    let reply = connection.must(doc! {"find": "many", "batchSize": 100_000, "singleBatch": true, "$db": "relay"});
    let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("a batch").len();
    assert_eq!(batch, 100_000);
}

#[test]
fn a_message_over_the_limit_ends_the_connection() {
    let server = server();
    let mut connection = client(&server);
    let mut header = Message::command(1, 0, &doc! {"ping": 1}).bytes();
    header[..4].copy_from_slice(&48_000_001_i32.to_le_bytes());
    let _ = connection.send_bytes(&header);
    assert!(matches!(connection.receive(PATIENCE), Received::Closed));
}

#[test]
fn an_exhaust_cursor_streams_until_its_end() {
    let server = server();
    let mut connection = client(&server);
    let documents: Vec<Document> = (0..50).map(|id| doc! {"_id": id}).collect();
    insert(&mut connection, "stream", &documents);
    let reply = connection.must(doc! {"find": "stream", "batchSize": 10, "$db": "relay"});
    let cursor = reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("a cursor");
    let request = connection.request_id();
    let get_more = doc! {"getMore": cursor, "collection": "stream", "batchSize": 10, "$db": "relay"};
    connection.send(&Message::command(request, EXHAUST_ALLOWED, &get_more)).expect("an open connection");
    let (mut expected, mut found) = (request, 10);
    loop {
        let Received::Message(message) = connection.receive(PATIENCE) else { panic!("the stream ended early") };
        let reply = message.reply();
        assert_eq!(reply.response_to, expected, "each reply answers the one before");
        expected = message.request_id;
        let cursor = reply.document.get_document("cursor").expect("a cursor");
        found += cursor.get_array("nextBatch").expect("a batch").len();
        if reply.flags & MORE_TO_COME == 0 {
            assert_eq!(cursor.get_i64("id").ok(), Some(0));
            break;
        }
    }
    assert_eq!(found, 50);
    assert!(connection.answers());
}

#[test]
fn requests_that_want_no_reply_get_none_and_take_effect() {
    let server = server();
    let mut connection = client(&server);
    for id in 0..5 {
        let request = connection.request_id();
        let insert = doc! {"insert": "quiet", "documents": [{"_id": id}], "writeConcern": {"w": 0}, "$db": "relay"};
        connection.send(&Message::command(request, MORE_TO_COME, &insert)).expect("an open connection");
    }
    let unknown = Message::command(99, MORE_TO_COME, &doc! {"nosuch": 1, "$db": "relay"});
    connection.send(&unknown).expect("an open connection");
    let count = connection.must(doc! {"count": "quiet", "$db": "relay"});
    assert_eq!(count.get_i32("n").ok(), Some(5), "{count}");
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order() {
    let server = server();
    let mut connection = client(&server);
    let requests: Vec<u8> =
        (1000..1200).flat_map(|id| Message::command(id, 0, &doc! {"ping": 1, "$db": "admin"}).bytes()).collect();
    connection.send_bytes(&requests).expect("an open connection");
    for id in 1000..1200 {
        assert_eq!(connection.reply().expect("a reply").response_to, id);
    }
}

#[test]
fn a_client_that_does_not_read_is_waited_for_without_piling_up_memory() {
    let server = server();
    let mut connection = client(&server);
    insert(&mut connection, "unread", &large_documents(1, 12));
    let before = server.process.resident_bytes();
    let find = doc! {"find": "unread", "$db": "relay"};
    let requests: Vec<u8> = (1000..1020).flat_map(|id| Message::command(id, 0, &find).bytes()).collect();
    connection.send_bytes(&requests).expect("an open connection");
    // Another client is served meanwhile.
    assert!((0..50).all(|_| client(&server).answers()));
    memory_stays_small(&server, before);
    for id in 1000..1020 {
        let reply = connection.reply().expect("a reply");
        assert!(reply.response_to == id && is_ok(&reply.document));
    }
}

#[test]
fn a_client_that_goes_takes_its_operation_with_it() {
    let server = server();
    let mut connection = client(&server);
    connection.must(doc! {"insert": "slow", "documents": [{"_id": 1}], "$db": "relay"});
    let slow = doc! {"find": "slow", "filter": {"$where": "sleep(60000) || true"}, "comment": "abandoned", "$db": "relay"};
    connection.send(&Message::command(7, 0, &slow)).expect("an open connection");
    let mut watcher = server.connect();
    must_log_in(&mut watcher, "root", "admin", "secret");
    let mut running = || {
        let reply = watcher.must(doc! {"currentOp": 1, "command.comment": "abandoned"});
        !reply.get_array("inprog").expect("operations").is_empty()
    };
    wait_until("the operation runs", &mut running);
    drop(connection);
    wait_until("the operation is gone", || !running());
}

/// Asks again until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
    }
}

#[test]
fn a_streaming_hello_tells_the_state_again_and_again() {
    let server = server();
    let mut connection = server.connect();
    let hello = connection.must(doc! {"hello": 1});
    let version = hello.get_document("topologyVersion").expect("a topologyVersion").clone();
    let await_change = doc! {"hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 200, "$db": "admin"};
    connection.send(&Message::command(50, EXHAUST_ALLOWED, &await_change)).expect("an open connection");
    let mut expected = 50;
    for _ in 0..3 {
        let Received::Message(message) = connection.receive(PATIENCE) else { panic!("no further hello") };
        let reply = message.reply();
        assert!(is_ok(&reply.document) && reply.flags & MORE_TO_COME != 0, "{reply:?}");
        assert_eq!(reply.response_to, expected);
        expected = message.request_id;
    }
}

#[test]
fn a_delayed_hello_waits_for_the_time_asked_for() {
    let server = server();
    let mut connection = server.connect();
    let hello = connection.must(doc! {"hello": 1});
    let version = hello.get_document("topologyVersion").expect("a topologyVersion").clone();
    let await_change = doc! {"hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 600, "$db": "admin"};
    let asked = std::time::Instant::now();
    connection.send(&Message::command(50, 0, &await_change)).expect("an open connection");
    let reply = connection.reply().expect("a reply");
    assert!(is_ok(&reply.document) && reply.flags == 0, "{reply:?}");
    assert!(asked.elapsed().as_millis() >= 600, "{:?}", asked.elapsed());
    assert!(connection.answers());
}
