//! What a reload does to connections of members: who has logged in goes on, who has not comes back and may.

use std::time::{Duration, Instant};

use bson::{Document, doc};

use super::support::PATIENCE;
use super::support::connection::{Connection, Received};
use super::support::process::Process;
use super::support::run;
use super::support::scram::must_log_in;
use super::support::servers::{KEY, SECOND_KEY, doorward, doorward_with, flags, shared_backend, upstream};
use super::support::sidecars::Sidecar;
use super::support::ways_out::{WaysOut, tls_as, with_key_file};
use super::support::wire::Message;

const EXHAUST_ALLOWED: u32 = 1 << 16;

fn key_file(key: &str) -> String {
    run::private_file("keyfile", key).to_str().expect("UTF-8").to_owned()
}

/// The users that are logged in.
fn users(connection: &mut Connection) -> Vec<String> {
    let status = connection.must(doc! {"connectionStatus": 1});
    let users = status.get_document("authInfo").and_then(|info| info.get_array("authenticatedUsers")).expect("users");
    users.iter().map(|user| user.as_document().expect("a user").get_str("user").expect("a name").to_owned()).collect()
}

fn is_closed(connection: &mut Connection) -> bool {
    matches!(connection.receive(PATIENCE), Received::Closed)
}

/// What a mongod says first.
fn hello_of_a_member() -> Document {
    let versions = doc! {"minWireVersion": 17, "maxWireVersion": 17};
    doc! {"hello": 1, "internalClient": versions, "hangUpOnStepDown": false, "$db": "admin"}
}

/// A connection of somebody who says that it is a member, and has sent something through.
fn says_member(port: u16) -> Connection {
    let mut connection = Connection::plain(port);
    connection.must(hello_of_a_member());
    connection.must(doc! {"ping": 1});
    connection
}

/// How many members without a login the last reload closed at fronts; `None` when it does not say.
fn closed_at_fronts(process: &Process) -> Option<i64> {
    process.log().iter().rfind(|line| line["id"] == 9_000_045)?["attr"]["atFronts"].as_i64()
}

#[test]
fn a_front_closes_members_that_have_not_logged_in_and_nobody_else() {
    let options = format!("--keyFile {} --transitionToAuth", key_file(KEY));
    let (process, port) = doorward(&upstream(shared_backend().port), &flags(&options)).expect("doorward");
    let mut ordinary = Connection::plain(port);
    ordinary.must(doc! {"hello": 1});
    ordinary.must(doc! {"ping": 1});
    let mut idle = says_member(port);
    let mut watching = says_member(port);
    let seen = watching.must(doc! {"hello": 1}).get_document("topologyVersion").expect("a version").clone();
    let id = watching.request_id();
    let stream = doc! {"hello": 1, "topologyVersion": seen, "maxAwaitTimeMS": 60_000, "$db": "admin"};
    watching.send(&Message::command(id, EXHAUST_ALLOWED, &stream)).expect("an open connection");
    let mut user = says_member(port);
    must_log_in(&mut user, "zz", "admin", "zz");
    let mut member = says_member(port);
    must_log_in(&mut member, "__system", "local", KEY);

    process.reload();
    assert!(is_closed(&mut idle));
    assert!(is_closed(&mut watching));
    for connection in [&mut ordinary, &mut user, &mut member] {
        assert!(connection.answers());
    }
    process.wait_for_log(9_000_045).expect("a line about them");
    assert_eq!(closed_at_fronts(&process), Some(2));
}

#[test]
fn a_front_without_access_control_closes_nobody() {
    let (process, port) = doorward(&upstream(shared_backend().port), &flags("--noauth")).expect("doorward");
    let mut member = says_member(port);
    process.reload();
    assert!(member.answers());
    process.reload();
    assert_eq!(closed_at_fronts(&process), None);
}

#[test]
fn a_drain_waits_for_no_stream_to_a_member_that_has_not_logged_in() {
    let backend = shared_backend();
    let (mut process, port) = doorward(&upstream(backend.port), &flags("--noauth")).expect("doorward");
    let mut behind = Connection::plain(backend.port);
    behind.must(doc! {"create": "followed", "capped": true, "size": 4096, "$db": "app"});
    behind.must(doc! {"insert": "followed", "documents": [{"_id": 1}], "$db": "app"});
    let mut member = says_member(port);
    let follow = doc! {"find": "followed", "tailable": true, "awaitData": true, "readConcern": {}, "$db": "app"};
    let found = member.must(follow);
    let cursor = found.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("a cursor");
    let stream = doc! {"getMore": cursor, "collection": "followed", "maxTimeMS": 100, "$db": "app"};
    member.send(&Message::command(7, EXHAUST_ALLOWED, &stream)).expect("an open connection");
    member.reply().expect("the first of many");
    process.signal("TERM");
    let told = Instant::now();
    assert_eq!(process.wait(PATIENCE), Some(0), "{}", process.printed());
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
}

#[test]
fn a_way_out_ends_connections_without_a_login_at_a_reload_and_keeps_the_others() {
    let backend = shared_backend();
    let front = |key: &str| {
        let options = [tls_as("server"), flags(&format!("--keyFile {} --transitionToAuth", key_file(key)))].concat();
        doorward_with(&upstream(backend.port), &options).expect("doorward")
    };
    let (_front, peer) = front(KEY);
    let key = key_file(SECOND_KEY);
    let ways = WaysOut::start(backend.port, &[peer], "server", &with_key_file(&key, true));
    let mut stranger = ways.connect(0);
    assert_eq!(users(&mut stranger), [""; 0]);
    ways.process.wait_for_log(20108).expect("a login that is refused and tolerated");

    run::write_private(key.as_ref(), KEY);
    ways.reload(&[peer], &with_key_file(&key, true));
    assert!(is_closed(&mut stranger));
    let mut member = ways.connect(0);
    assert_eq!(users(&mut member), ["__system"]);
    assert!(ways.metric(r#"doorward_egress_closed_total{reason="not_logged_in"}"#) > 0.0);
    let told = ways.process.wait_for_log(9_000_045).expect("a line about it");
    assert_eq!(told["attr"]["onWaysOut"], 1, "{told}");

    // What is logged in stays, whatever the key is now.
    run::write_private(key.as_ref(), SECOND_KEY);
    ways.reload(&[peer], &with_key_file(&key, false));
    assert_eq!(users(&mut member), ["__system"]);
}

#[test]
fn a_way_out_is_pointed_elsewhere_and_tells_once_that_the_peer_there_is_down() {
    let security = with_key_file(&key_file(KEY), false);
    let behind = |port| upstream(port) + &security;
    let first = Sidecar::start(flags("--noauth"), tls_as("server"), behind);
    let mut second = Sidecar::start(flags("--noauth"), tls_as("server"), behind);
    second.stop_doorward();
    let ways = WaysOut::start(first.mongod.port, &[first.port], "server", &security);
    let mut before = ways.connect(0);
    before.must(doc! {"insert": "here", "documents": [{"_id": 1}], "$db": "app"});

    ways.reload(&[second.port], &security);
    assert!(is_closed(&mut before));
    for _ in 0..3 {
        assert!(is_closed(&mut ways.connect(0)));
    }
    second.restart_doorward();
    // It listens before it has found its mongod.
    second.doorward.wait_for_log(9_000_020).expect("a mongod behind");
    let there = ways.connect(0).must(doc! {"count": "here", "$db": "app"});
    assert_eq!(there.get_i32("n").ok(), Some(0));
    ways.process.wait_for_log(9_000_043).expect("a peer that is back");
    let about = |id: i64| ways.process.log().iter().filter(|line| line["id"] == id).count();
    assert_eq!((about(9_000_042), about(9_000_043)), (1, 1), "{}", ways.process.printed());
}
