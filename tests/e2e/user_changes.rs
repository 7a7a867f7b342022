//! What becomes of a user counts at once on its open connections, whatever these are in the middle of.

use std::time::Instant;

use bson::doc;

use super::support::PATIENCE;
use super::support::connection::{Connection, code, is_ok};
use super::support::scram::must_log_in;
use super::support::servers::{Server, flags};
use super::support::wire::{EXHAUST_ALLOWED, MORE_TO_COME, Message};

/// A server, its administrator, and a user of that name that is logged in.
fn with_user(name: &str) -> (Server, Connection, Connection) {
    let server = Server::start(&flags("--auth")).expect("a server");
    let mut root = server.connect();
    must_log_in(&mut root, "root", "admin", "secret");
    root.must(doc! {"createUser": name, "pwd": name, "roles": ["readWriteAnyDatabase"]});
    let mut user = server.connect();
    must_log_in(&mut user, name, "admin", name);
    user.must(doc! {"find": "seed", "$db": "app"});
    (server, root, user)
}

fn is_refused(user: &mut Connection) -> bool {
    code(&user.run(&doc! {"find": "seed", "$db": "app"}).expect("a reply")) == 13
}

#[test]
fn a_message_that_takes_its_time_is_not_run_for_a_user_that_was_dropped_meanwhile() {
    for checksum in [false, true] {
        let (_server, mut root, mut user) = with_user("slow");
        let documents = [doc! {"text": "x".repeat(300_000)}];
        let insert = Message::command(9, 0, &doc! {"insert": "slow", "$db": "app"}).with_sequence("documents", &documents);
        let bytes = if checksum { insert.with_checksum() } else { insert }.bytes();
        let (begin, rest) = bytes.split_at(200_000);
        user.send_bytes(begin).expect("an open connection");
        root.must(doc! {"dropUser": "slow"});
        // Whoever closes the connection may do so before it has read everything.
        let _ = user.send_bytes(rest);
        if let Ok(reply) = user.reply() {
            assert_eq!(code(&reply.document), 13, "{reply:?}");
        }
        assert_eq!(root.must(doc! {"count": "slow", "$db": "app"}).get_i32("n").expect("a count"), 0);
    }
}

#[test]
fn a_message_that_takes_its_time_is_run_when_only_others_have_changed() {
    let (_server, mut root, mut user) = with_user("steady");
    let documents = [doc! {"text": "x".repeat(300_000)}];
    let insert = Message::command(9, 0, &doc! {"insert": "steady", "$db": "app"}).with_sequence("documents", &documents).bytes();
    let (begin, rest) = insert.split_at(200_000);
    user.send_bytes(begin).expect("an open connection");
    root.must(doc! {"createUser": "another", "pwd": "another", "roles": []});
    user.send_bytes(rest).expect("an open connection");
    let reply = user.reply().expect("a reply").document;
    assert!(is_ok(&reply), "{reply}");
    root.must(doc! {"dropUser": "another"});
    root.must(doc! {"dropUser": "steady"});
    root.must(doc! {"drop": "steady", "$db": "app"});
}

#[test]
fn a_stream_of_replies_ends_when_its_user_is_dropped_or_may_not_read_any_more() {
    for (name, change) in
        [("streamed", doc! {"dropUser": "streamed"}), ("stripped", doc! {"updateUser": "stripped", "roles": []})]
    {
        let (_server, mut root, mut user) = with_user(name);
        user.must(doc! {"create": name, "capped": true, "size": 4096, "$db": "app"});
        user.must(doc! {"insert": name, "documents": [{"_id": 1}], "$db": "app"});
        let found = user.must(doc! {"find": name, "tailable": true, "awaitData": true, "$db": "app"});
        let id = found.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("an id");
        let get_more = doc! {"getMore": id, "collection": name, "maxTimeMS": 50, "$db": "app"};
        user.send(&Message::command(9, EXHAUST_ALLOWED, &get_more)).expect("an open connection");
        let first = user.reply().expect("a reply");
        assert_eq!((is_ok(&first.document), first.flags & MORE_TO_COME), (true, MORE_TO_COME), "{first:?}");
        root.must(change);
        let deadline = Instant::now() + PATIENCE;
        while let Ok(reply) = user.reply() {
            if reply.flags & MORE_TO_COME == 0 {
                assert_eq!(code(&reply.document), 13, "{reply:?}");
                break;
            }
            assert!(Instant::now() < deadline, "the stream goes on");
        }
        root.run(&doc! {"dropUser": name, "$db": "admin"}).expect("a reply");
        root.must(doc! {"drop": name, "$db": "app"});
    }
}

#[test]
fn a_user_that_is_removed_from_its_collection_is_gone_at_once() {
    let (_server, mut root, mut user) = with_user("removed");
    root.must(doc! {"delete": "system.users", "deletes": [{"q": {"user": "removed"}, "limit": 1}]});
    assert!(is_refused(&mut user));
}

#[test]
fn what_a_command_without_a_reply_changes_counts_too() {
    let (_server, mut root, mut user) = with_user("unheard");
    let drop = doc! {"dropUser": "unheard", "$db": "admin"};
    root.send(&Message::command(9, MORE_TO_COME, &drop)).expect("an open connection");
    root.must(doc! {"ping": 1});
    assert!(is_refused(&mut user));
}
