//! Clients that share upstream connections (`proxy.upstream.pooling`): few connections serve many, and nobody sees another's.

use std::cell::Cell;

use bson::{Document, doc};

use super::observability::Observed;
use super::restart::ReplicaSet;
use super::support::connection::{Connection, Received, code, is_ok};
use super::support::gate::Gate;
use super::support::mongod::Mongod;
use super::support::pooled::{Pooled, config, most_idle, wait_until};
use super::support::scram::must_log_in;
use super::support::servers::{config_file, doorward_from, flags, key_file, tls_flags, upstream};
use super::support::wire::{EXHAUST_ALLOWED, MORE_TO_COME, Message};
use super::support::{PATIENCE, SILENCE, run};

#[test]
fn two_hundred_clients_are_served_over_few_connections() {
    let backend = Mongod::backend();
    let pooled = Pooled::at(&backend, backend.port, "--noauth");
    let before = pooled.connections();
    let mut clients: Vec<Connection> = (0..200).map(|_| pooled.stranger("many", &Document::new())).collect();
    for client in &mut clients {
        client.must(doc! {"find": "seed", "$db": "app"});
    }
    let one_a_thread = most_idle(1);
    let found = pooled.connections();
    assert!(found <= before + one_a_thread, "{found} connections, {before} before");
    // All at once: whatever that opens, no more than may wait stay.
    for _ in 0..3 {
        for client in &mut clients {
            let id = client.request_id();
            client.send(&Message::command(id, 0, &doc! {"find": "seed", "$db": "app"})).expect("an open connection");
        }
        for client in &mut clients {
            assert!(is_ok(&client.reply().expect("a reply").document));
        }
    }
    wait_until("only so many wait", || pooled.connections() <= before + most_idle(8));
}

#[test]
fn a_cursor_is_read_on_over_another_connection_and_by_its_own_user_alone() {
    let backend = Mongod::backend();
    let pooled = Pooled::before(&backend);
    let mut alice = pooled.client("cursors");
    alice.must(doc! {"insert": "many", "documents": (0..10).map(|id| doc! {"_id": id}).collect::<Vec<_>>(), "$db": "app"});
    let (reply, opened) = pooled.run(&mut alice, doc! {"find": "many", "batchSize": 2});
    let cursor = reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("a cursor");
    let _others = pooled.occupy("cursors", &opened.connection);
    let mut stranger = pooled.client_as("cursors", "both", "pwboth");
    let get_more = doc! {"getMore": cursor, "collection": "many", "$db": "app"};
    assert_eq!(code(&stranger.run(&get_more).expect("a reply")), 13);
    let (reply, read) = pooled.run(&mut alice, get_more);
    let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("nextBatch")).expect("a batch");
    assert_eq!(batch.len(), 8);
    assert_ne!(read.connection, opened.connection);
}

#[test]
fn each_application_is_seen_under_its_own_name() {
    let backend = Mongod::backend();
    let pooled = Pooled::before(&backend);
    let names = ["shop", "billing"];
    let mut clients = names.map(|name| (name, [pooled.client(name), pooled.client(name), pooled.client(name)]));
    let mut used: [Vec<String>; 2] = Default::default();
    for _ in 0..5 {
        for (number, (name, clients)) in clients.iter_mut().enumerate() {
            for client in clients {
                let ran = pooled.find(client);
                assert_eq!(ran.application, *name);
                used[number].push(ran.connection);
            }
        }
    }
    used.iter_mut().for_each(|used| {
        used.sort();
        used.dedup();
        assert!(used.len() <= most_idle(1), "{used:?}");
    });
    assert!(used[0].iter().all(|connection| !used[1].contains(connection)), "{used:?}");
}

#[test]
fn a_write_without_an_answer_comes_before_what_its_client_asks_next() {
    let backend = Mongod::backend();
    let pooled = Pooled::before(&backend);
    let mut clients = [pooled.client("quiet"), pooled.client("quiet"), pooled.client("quiet")];
    for round in 0..50 {
        for (number, client) in clients.iter_mut().enumerate() {
            let id = client.request_id();
            let text = "x".repeat(20_000);
            let write = doc! {
                "insert": format!("quiet{number}"), "writeConcern": {"w": 0}, "$db": "app",
                "documents": (0..20).map(|_| doc! {"text": &text}).collect::<Vec<_>>(),
            };
            client.send(&Message::command(id, MORE_TO_COME, &write)).expect("an open connection");
            let count = client.must(doc! {"count": format!("quiet{number}"), "$db": "app"});
            assert_eq!(count.get_i32("n").ok(), Some((round + 1) * 20));
        }
    }
    // It was the client's alone until the answer, and is anybody's again.
    let [client, ..] = &mut clients;
    let written = pooled.write_quietly(client);
    assert_eq!(pooled.find(client).connection, written.connection);
    drop(pooled.occupy("quiet", &written.connection));
}

#[test]
fn a_transaction_goes_on_over_another_connection() {
    let set = ReplicaSet::start("");
    let pooled = Pooled::before(&set.mongod);
    let mut alice = pooled.client("bank");
    alice.must(doc! {"insert": "accounts", "documents": [{"_id": 0}], "$db": "app"});
    let lsid = doc! {"id": bson::Uuid::new()};
    let in_transaction = |mut command: Document, more: Document| {
        command.extend(doc! {"lsid": &lsid, "txnNumber": 1_i64, "autocommit": false});
        command.extend(more);
        command
    };
    let write = |id: i32| doc! {"insert": "accounts", "documents": [{"_id": id}]};
    let (reply, first) = pooled.run(&mut alice, in_transaction(write(1), doc! {"startTransaction": true}));
    assert!(is_ok(&reply), "{reply}");
    let _others = pooled.occupy("bank", &first.connection);
    let (reply, second) = pooled.run(&mut alice, in_transaction(write(2), doc! {}));
    assert!(is_ok(&reply), "{reply}");
    assert_ne!(first.connection, second.connection);
    let mut other = pooled.client_as("bank", "both", "pwboth");
    let commit = in_transaction(doc! {"commitTransaction": 1}, doc! {"$db": "admin"});
    assert_eq!(code(&other.run(&commit).expect("a reply")), 251, "another user's session of the same id is another session");
    let count = |client: &mut Connection| {
        let reply = client.must(doc! {"find": "accounts", "$db": "app"});
        reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("a batch").len()
    };
    assert_eq!(count(&mut other), 1);
    alice.must(commit);
    assert_eq!(count(&mut other), 3);
}

#[test]
fn whatever_form_a_message_has_its_answer_is_the_one_to_it() {
    let backend = Mongod::backend();
    let pooled = Pooled::at(&backend, backend.port, "--noauth");
    let compression = doc! {"compression": ["snappy", "zlib", "zstd"]};
    let mut clients = [pooled.stranger("forms", &compression), pooled.stranger("forms", &compression)];
    for round in 0..3 {
        for client in &mut clients {
            let command = || Message::command(77, 0, &doc! {"find": "seed", "$db": "app"});
            let long = doc! {"insert": "long", "ordered": false, "$db": "app"};
            let sequence = || Message::command(77, 0, &long).with_sequence("documents", &[doc! {"text": "x".repeat(300_000)}]);
            let forms = [command(), sequence()].into_iter().flat_map(|plain| {
                let signed = plain.clone().with_checksum();
                [plain.clone(), signed.clone(), plain.compressed(1), signed.compressed(2)]
            });
            for form in forms {
                let reply = client.exchange(&form).unwrap_or_else(|_| panic!("closed in round {round}"));
                assert!(is_ok(&reply.document), "{reply:?}");
            }
        }
    }
}

#[test]
fn connections_with_tls_and_a_login_are_shared_too() {
    let key = key_file();
    let tls = [tls_flags("requireTLS"), flags(&format!("--tlsAllowConnectionsWithoutCertificates --keyFile {key}"))].concat();
    let backend = Mongod::start(&tls).expect("a backend");
    let pooled = Pooled::over_tls(&backend, &key);
    let mut root = pooled.client_as("tls", "root", "secret");
    root.must(doc! {"profile": 0, "slowms": -1, "$db": "app"});
    let mut clients = [pooled.client("tls"), pooled.client("tls"), pooled.client("tls"), pooled.client("tls")];
    let mut used = Vec::new();
    for _ in 0..5 {
        used.extend(clients.iter_mut().map(|client| pooled.find(client).connection));
    }
    root.must(doc! {"insert": "large", "documents": [{"text": "x".repeat(1 << 20)}], "$db": "app"});
    for client in &mut clients {
        client.must(doc! {"find": "large", "$db": "app"});
        used.push(pooled.find(client).connection);
    }
    used.sort();
    used.dedup();
    assert!(used.len() <= most_idle(1), "{used:?}");
}

#[test]
fn a_stream_of_replies_is_its_clients_alone_until_its_end() {
    let backend = Mongod::backend();
    let pooled = Pooled::before(&backend);
    let mut client = pooled.client("streams");
    client.must(doc! {"insert": "many", "documents": (0..50).map(|id| doc! {"_id": id}).collect::<Vec<_>>(), "$db": "app"});
    for _ in 0..3 {
        let (reply, _) = pooled.run(&mut client, doc! {"find": "many", "batchSize": 10});
        let cursor = reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("a cursor");
        let id = client.request_id();
        let get_more = doc! {"getMore": cursor, "collection": "many", "batchSize": 10, "$db": "app"};
        client.send(&Message::command(id, EXHAUST_ALLOWED, &get_more)).expect("an open connection");
        let mut found = 10;
        loop {
            let reply = client.reply().expect("a reply");
            found +=
                reply.document.get_document("cursor").and_then(|cursor| cursor.get_array("nextBatch")).expect("a batch").len();
            pooled.find(&mut pooled.client("streams"));
            if reply.flags & MORE_TO_COME == 0 {
                break;
            }
        }
        assert_eq!(found, 50);
        pooled.find(&mut client);
    }
}

#[test]
fn a_client_that_goes_takes_its_own_operation_with_it_and_no_other() {
    let backend = Mongod::backend();
    let pooled = Pooled::before(&backend);
    let start = |comment: &str| {
        let mut client = pooled.client("slow");
        pooled.find(&mut client);
        let slow = doc! {"find": "seed", "filter": {"$where": "sleep(60000) || true"}, "comment": comment, "$db": "app"};
        client.send(&Message::command(7, 0, &slow)).expect("an open connection");
        wait_until("the operation runs", || pooled.runs(comment));
        client
    };
    let (abandoned, kept) = (start("abandoned"), start("kept"));
    drop(abandoned);
    wait_until("the operation is gone", || !pooled.runs("abandoned"));
    for _ in 0..10 {
        pooled.find(&mut pooled.client("slow"));
    }
    assert!(pooled.runs("kept"));
    drop(kept);
    wait_until("the other is gone", || !pooled.runs("kept"));
}

#[test]
fn a_connection_that_the_backend_closed_meanwhile_is_no_error() {
    let backend = Mongod::backend();
    let gate = Gate::before(backend.port);
    let pooled = Pooled::at(&backend, gate.port, "--auth");
    let mut clients = [pooled.client("cut"), pooled.client("cut"), pooled.client("cut"), pooled.client("cut")];
    let known = gate.count();
    for _ in 0..8 {
        clients.iter_mut().for_each(|client| drop(pooled.find(client)));
        gate.cut_from(known);
        // Whoever comes first finds it closed, and so does the one after him.
        std::thread::sleep(SILENCE);
    }
    assert!(clients.iter_mut().all(Connection::answers));
}

#[test]
fn a_restart_of_the_backend_leaves_nothing_of_before() {
    let mut backend = Mongod::backend();
    let (port, folder) = (backend.port, backend.folder.clone());
    let pooled_at = config_file(&config(port, 8));
    let (process, front) = doorward_from(&pooled_at, &flags("--auth --nounixsocket")).expect("doorward");
    for round in 0..3 {
        let mut clients: Vec<Connection> = (0..6)
            .map(|_| {
                let mut client = Connection::plain(front);
                must_log_in(&mut client, "alice", "admin", "wonderland");
                client.must(doc! {"find": "seed", "$db": "app"});
                client
            })
            .collect();
        backend.process.signal("KILL");
        for client in &mut clients {
            assert!(matches!(client.receive(PATIENCE), Received::Closed), "round {round}");
        }
        backend = Mongod::start_on(port, &folder, &flags("--noauth")).expect("a restart");
        let is_there = || Connection::plain(front).run(&doc! {"hello": 1, "$db": "admin"}).is_ok_and(|reply| is_ok(&reply));
        wait_until("doorward sees it", is_there);
    }
    assert!(!process.printed().contains("panicked"), "{}", process.printed());
}

#[test]
fn who_says_that_it_is_a_member_has_a_connection_of_its_own() {
    let backend = Mongod::backend();
    let pooled = Pooled::at(&backend, backend.port, "--noauth");
    let mut member = pooled.stranger("peer", &doc! {"internalClient": {"minWireVersion": 17, "maxWireVersion": 17}});
    let own = pooled.find(&mut member).connection;
    let mut others = [(); 8].map(|()| pooled.stranger("peer", &Document::new()));
    for other in &mut others {
        assert_ne!(pooled.find(other).connection, own);
    }
    assert_eq!(pooled.find(&mut member).connection, own);
}

#[test]
fn a_reload_ends_what_was_opened_before_and_can_switch_pooling() {
    let backend = Mongod::backend();
    let pooled_at = config_file(&config(backend.port, 8));
    Connection::plain(backend.port).must(doc! {"profile": 0, "slowms": -1, "$db": "app"});
    let (process, port) = doorward_from(&pooled_at, &flags("--noauth --nounixsocket")).expect("doorward");
    let pooled = Pooled { backend: &backend, process, port, marks: Cell::new(0) };
    let mut client = pooled.stranger("reloads", &Document::new());
    let first = pooled.find(&mut client);
    assert_eq!(pooled.find(&mut client), first);
    pooled.process.reload();
    let second = pooled.find(&mut client);
    assert_ne!(second, first);
    run::write_private(&pooled_at, upstream(backend.port));
    pooled.process.reload();
    let own = pooled.find(&mut client);
    assert_ne!(own, second);
    let ended = |connection: &str| backend.process.wait_for_log_where(22944, |line| line["ctx"] == connection);
    assert!(ended(&second.connection).is_ok());
    drop(client);
    assert!(ended(&own.connection).is_ok(), "the client's own connection ends with it");
}

#[test]
fn pymongo_has_its_own_sessions_and_cursors_over_shared_connections() {
    let set = ReplicaSet::start("");
    let (_process, port) =
        doorward_from(&config_file(&config(set.mongod.port, 2)), &flags("--auth --nounixsocket")).expect("doorward");
    super::ownership::pymongo_on(port);
}

#[test]
fn the_metrics_tell_how_many_wait_and_how_often_one_was_used_again() {
    let backend = Mongod::backend();
    let it = Observed::with(&config(backend.port, 8), &flags("--noauth"));
    let mut client = Connection::plain(it.port);
    for _ in 0..5 {
        client.must(doc! {"find": "seed", "$db": "app"});
    }
    assert_eq!(it.metric("doorward_upstream_reuses_total", &[]), 4.0);
    wait_until("one waits", || it.metric("doorward_upstream_idle_connections", &[]) > 0.0);
    assert_eq!(it.metric("doorward_upstream_connects_total", &["connected"]), 1.0);
}
