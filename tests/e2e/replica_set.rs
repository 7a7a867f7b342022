//! Drivers in front of a replica set: they are given doorward's addresses alone, find every member there, and follow the primary.
//!
//! doorward's side needs TLS and the mongods have none, so a driver that goes around doorward can not work.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bson::{Document, Timestamp, doc};
use serde_json::json;

use super::support::clients::{self, Client};
use super::support::connection::Connection;
use super::support::load::{Load, acknowledged, found_in};
use super::support::pki::pki;
use super::support::replica_set::{Gateway, ReplicaSet, host};
use super::support::scram::must_log_in;
use super::support::servers::{flags, tls_flags};
use super::support::sidecars::wait_for;
use super::support::tls;

/// For tests that leave its members as they are.
static SET: LazyLock<ReplicaSet> = LazyLock::new(ReplicaSet::start);

fn gateway_flags() -> Vec<String> {
    [tls_flags("requireTLS"), flags("--auth --tlsAllowConnectionsWithoutCertificates")].concat()
}

fn gateway(set: &ReplicaSet) -> Gateway {
    Gateway::start(&set.members.iter().collect::<Vec<_>>(), &gateway_flags())
}

fn connect(port: u16) -> Connection {
    Connection::tls(port, &tls::Client::showing(pki().identity("alice"))).expect("a handshake")
}

#[test]
fn every_driver_works_through_doorward_alone() {
    let gateway = gateway(&SET);
    let options = ["", "&readPreference=secondaryPreferred&readConcernLevel=majority&w=3", "&compressors=zlib"];
    for client in [Client::Python, Client::Node, Client::Rust, Client::Mongosh] {
        let case = |option: &&str| {
            let uri = format!("mongodb://alice:wonderland@{}{option}", gateway.seeds());
            json!({"name": option, "uri": uri, "collection": format!("set_{client:?}")})
        };
        for outcome in client.run(&options.iter().map(case).collect::<Vec<_>>()) {
            assert_eq!(outcome["user"], "alice@admin", "{client:?}: {outcome}");
        }
    }
}

#[test]
fn hello_names_the_advertised_addresses_and_no_others() {
    let gateway = gateway(&SET);
    let advertised: Vec<String> = gateway.ports.iter().map(|port| format!("localhost:{port}")).collect();
    for (member, port) in gateway.ports.iter().enumerate() {
        for command in ["hello", "isMaster", "ismaster"] {
            let told = connect(*port).must(doc! {command: 1});
            let hosts: Vec<&str> = told.get_array("hosts").expect("hosts").iter().filter_map(|host| host.as_str()).collect();
            assert_eq!(hosts, advertised);
            assert_eq!(told.get_str("me").ok(), Some(advertised[member].as_str()));
            assert_eq!(told.get_str("primary").ok(), Some(advertised[SET.primary()].as_str()));
        }
    }
}

/// When what a hello says was last written.
fn last_write(hello: &Document) -> Option<Timestamp> {
    hello.get_document("lastWrite").and_then(|last| last.get_document("opTime")).and_then(|time| time.get_timestamp("ts")).ok()
}

#[test]
fn hello_tells_the_last_write_of_its_member_while_it_is_news() {
    let gateway = gateway(&SET);
    let mut primary = SET.connect(SET.primary());
    for port in &gateway.ports {
        let mut connection = connect(*port);
        // Twice: the first time may have been when the monitor heard of the member anyway.
        for _ in 0..2 {
            let insert = doc! {"insert": "news", "documents": [{}], "writeConcern": {"w": 3}, "$db": "app"};
            let written = primary.must(insert).get_timestamp("operationTime").expect("a member's reply");
            let deadline = Instant::now() + Duration::from_secs(5);
            while last_write(&connection.must(doc! {"hello": 1})) < Some(written) {
                assert!(Instant::now() < deadline, "the last write is an old one");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Drivers' monitors wait for hellos, one after the other; these come without a change of the topology.
#[test]
fn a_hello_that_waited_in_vain_tells_the_last_write_too() {
    let gateway = gateway(&SET);
    let mut connection = connect(gateway.ports[0]);
    let version = connection.must(doc! {"hello": 1}).get_document("topologyVersion").expect("a version").clone();
    let insert = doc! {"insert": "news", "documents": [{}], "writeConcern": {"w": 3}, "$db": "app"};
    let written = SET.connect(SET.primary()).must(insert).get_timestamp("operationTime").expect("a member's reply");
    let waited = connection.must(doc! {"hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 3000});
    assert!(last_write(&waited) >= Some(written), "{waited}");
}

#[test]
fn a_member_without_an_entry_is_hidden_and_what_tells_about_the_set_stays_true() {
    let primary = SET.primary();
    let gateway = Gateway::start(&[&SET.members[primary]], &gateway_flags());
    let mut connection = connect(gateway.ports[0]);
    let told = connection.must(doc! {"hello": 1});
    assert_eq!(told.get_array("hosts").map_or(0, Vec::len), 1, "{told}");
    must_log_in(&mut connection, "root", "admin", "secret");
    let status = connection.must(doc! {"replSetGetStatus": 1});
    let names: Vec<&str> = status.get_array("members").expect("members").iter().filter_map(name).collect();
    assert_eq!(names, SET.members.iter().map(|member| host(member.port)).collect::<Vec<_>>());
}

fn name(member: &bson::Bson) -> Option<&str> {
    member.as_document()?.get_str("name").ok()
}

#[test]
fn users_log_in_and_are_authorized_at_a_secondary_too() {
    let gateway = gateway(&SET);
    let secondary = (SET.primary() + 1) % 3;
    let mut connection = connect(gateway.ports[secondary]);
    must_log_in(&mut connection, "zz", "admin", "zz");
    let nearest = doc! {"mode": "nearest"};
    connection.must(doc! {"find": "seed", "$readPreference": nearest.clone(), "$db": "admin"});
    let refused = connection.run(&doc! {"find": "seed", "$readPreference": nearest, "$db": "app"}).expect("a reply");
    assert_eq!(refused.get_i32("code").ok(), Some(13), "{refused}");
    let refused = connect(gateway.ports[secondary]).run(&doc! {"find": "seed", "$db": "app"}).expect("a reply");
    assert_eq!(refused.get_i32("code").ok(), Some(13), "{refused}");
}

type Program = fn() -> Command;

const LOADS: [(&str, Program); 3] =
    [("pymongo", || clients::python("python/load.py")), ("node", || clients::node("node/load.js")), ("rust", clients::rust)];

/// The loads of all drivers on this seed list, each with a collection of its own.
fn loads(purpose: &str, seeds: &str) -> Vec<(String, Load)> {
    let uri = format!("mongodb://{seeds}&w=majority");
    let start = |(name, command): (&str, Program)| {
        let collection = format!("{purpose}_{name}");
        let load = Load::start(command(), &uri, &collection);
        (collection, load)
    };
    LOADS.into_iter().map(start).collect()
}

/// The Node driver does not try an operation again whose error it hears of after its monitoring connection broke; whether that
/// happens is chance, with a mongod alone as well. There are two outages.
fn allowed_to_fail(collection: &str) -> usize {
    if collection.ends_with("node") { 2 } else { 0 }
}

/// A member that learns who is the primary, as it does anew after a reconfiguration, has no other topology version for it; clients of
/// doorward hear of it all the same.
fn assert_primary_is_told(set: &ReplicaSet, gateway: &Gateway) {
    let primary = set.primary();
    let mut config =
        set.connect(primary).must(doc! {"replSetGetConfig": 1}).get_document("config").expect("a configuration").clone();
    let version = config.get_i32("version").expect("a version") + 1;
    config.insert("version", version);
    set.connect(primary).must(doc! {"replSetReconfig": config});
    let told = |connection: &mut Connection, host: &str| {
        let hello = connection.must(doc! {"hello": 1});
        let seen = (hello.get_i32("setVersion").ok(), hello.get_str("primary").ok());
        (seen == (Some(version), Some(host))).then_some(())
    };
    for (member, port) in set.members.iter().zip(&gateway.ports) {
        let (mut behind, mut front) = (Connection::plain(member.port), connect(*port));
        wait_for("a member that knows the primary", String::new, || told(&mut behind, &host(set.members[primary].port)));
        let known = Instant::now();
        let advertised = format!("localhost:{}", gateway.ports[primary]);
        wait_for("the primary through doorward", String::new, || told(&mut front, &advertised));
        assert!(known.elapsed() < Duration::from_secs(5), "{:?}", known.elapsed());
    }
}

#[test]
fn drivers_follow_the_primary_when_it_is_killed_and_lose_nothing() {
    let mut set = ReplicaSet::start();
    let gateway = gateway(&set);
    let direct: Vec<String> = set.members.iter().map(|member| host(member.port)).collect();
    // The same loads without doorward, at the same time: what they live through is what drivers live through.
    let mut loads = loads("through_doorward", &format!("alice:wonderland@{}", gateway.seeds()));
    loads.extend(self::loads("directly", &format!("{}/?replicaSet=rs", direct.join(","))));
    let all_do = |operations| loads.iter().for_each(|(_, load)| load.wait_for(operations));
    all_do(10);
    let killed = set.primary();
    set.kill(killed);
    all_do(10);
    set.restart(killed);
    set.wait_until_whole();
    all_do(10);
    // An orderly change of the primary, too.
    let primary = set.primary();
    let _ = set.connect(primary).run(&doc! {"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10, "$db": "admin"});
    all_do(10);
    assert_primary_is_told(&set, &gateway);
    let mut reader = set.connect(set.primary());
    let mut longest = BTreeMap::new();
    for (collection, load) in loads {
        let outcomes = load.stop();
        let failed = outcomes.iter().filter(|outcome| outcome["error"].is_string()).count();
        assert!(failed <= allowed_to_fail(&collection), "{collection}: {outcomes:?}\n{}", gateway.process.printed());
        let (acknowledged, found) = (acknowledged(&outcomes), found_in(&mut reader, &collection));
        assert!(acknowledged.is_subset(&found), "{collection}: lost {:?}", acknowledged.difference(&found));
        let took = outcomes.iter().filter_map(|outcome| outcome["milliseconds"].as_i64()).max().expect("an operation");
        println!("{collection}: {} operations, the longest took {took} ms", outcomes.len());
        longest.insert(collection, took);
    }
    for (driver, _) in LOADS {
        let [through, directly] = ["through_doorward", "directly"].map(|way| longest[&format!("{way}_{driver}")]);
        // A driver may have to wait for its next look at a server, which it takes every ten seconds.
        assert!(through <= directly + 10_000, "{driver}: {through} ms through doorward, {directly} ms without");
    }
}
