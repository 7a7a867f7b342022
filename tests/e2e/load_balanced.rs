//! Clients with `loadBalanced=true`: a TCP balancer spreads their connections over doorwards that stand in front of one mongod, and
//! cursors, transactions and retryable writes work.

use bson::doc;
use serde_json::json;

use super::restart::ReplicaSet;
use super::support::balancer::Balancer;
use super::support::clients::Client;
use super::support::connection::Connection;
use super::support::process::Process;
use super::support::servers::{doorward, flags, upstream};

const CLIENT_METADATA: i64 = 51800;

fn start(backend: u16, more: &str) -> (Process, u16) {
    doorward(&upstream(backend), &flags(&format!("--auth {more}"))).expect("doorward")
}

fn uri(port: u16) -> String {
    format!("mongodb://alice:wonderland@localhost:{port}/app?authSource=admin&loadBalanced=true")
}

#[test]
fn every_doorward_before_a_mongod_tells_its_balanced_clients_the_same_service_and_only_them() {
    let set = ReplicaSet::start("");
    let doorwards = [(); 2].map(|()| start(set.mongod.port, "--proxyLoadBalanced"));
    let told = doorwards.each_ref().map(|(_, port)| {
        let mut connection = Connection::plain(*port);
        assert_eq!(connection.must(doc! {"hello": 1}).get("serviceId"), None);
        let reply = connection.must(doc! {"hello": 1, "loadBalanced": true});
        reply.get_object_id("serviceId").expect("a service")
    });
    assert_eq!(told[0], told[1]);
    let (_without, port) = start(set.mongod.port, "");
    assert_eq!(Connection::plain(port).must(doc! {"hello": 1, "loadBalanced": true}).get("serviceId"), None);
}

#[test]
fn drivers_work_at_length_through_a_balancer_before_two_doorwards() {
    let set = ReplicaSet::start("");
    let doorwards = [(); 2].map(|()| start(set.mongod.port, "--proxyLoadBalanced"));
    let balancer = Balancer::before(&doorwards.each_ref().map(|(_, port)| *port), |_, _| Vec::new());
    for client in [Client::Python, Client::Node, Client::Rust] {
        let collection = format!("balanced_{client:?}");
        let case = json!({"name": "balanced", "uri": uri(balancer.port), "collection": collection, "atLength": true});
        let outcomes = client.run(&[case]);
        assert_eq!(outcomes[0]["user"], "alice@admin", "{client:?}: {outcomes:?}");
        let count = Connection::plain(set.mongod.port).must(doc! {"count": &collection, "$db": "app"});
        assert_eq!(count.get_i32("n").ok(), Some(302), "{client:?}");
    }
    for (process, _) in &doorwards {
        process.wait_for_log(CLIENT_METADATA).expect("each doorward had clients");
    }
}

#[test]
fn where_it_is_off_drivers_say_that_the_server_does_not_support_it() {
    let set = ReplicaSet::start("");
    let (_process, port) = start(set.mongod.port, "");
    for client in [Client::Python, Client::Node, Client::Rust] {
        let outcomes = client.run(&[json!({"name": "off", "uri": uri(port), "collection": "off"})]);
        let message = outcomes[0]["message"].as_str().unwrap_or_default().to_lowercase();
        assert!(message.contains("load balanc"), "{client:?}: {outcomes:?}");
    }
}
