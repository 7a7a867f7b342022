//! Replica sets of mongods without any security, whose doorwards log in for them (`proxy.egress`). They stay whole whatever is
//! reloaded at the doorwards: no mongod is ever told, and none is restarted for it.

use bson::doc;

use super::support::connection::{Connection, code};
use super::support::replica_set::host;
use super::support::run;
use super::support::servers::{KEY, SECOND_KEY, flags, upstream};
use super::support::sidecars::{Sidecar, Sidecars};
use super::support::ways_out::{WITH_CERTIFICATES, WaysOut, tls_as, with_key_file};

/// Such a set, each member behind a front; one doorward more has the ways out. On one host all members have the same names for each
/// other, so that they share it; elsewhere each has its own beside it.
struct Set {
    members: Sidecars,
    ways: WaysOut,
    peers: Vec<u16>,
}

impl Set {
    fn start(at_fronts: &str, at_ways_out: &str) -> Self {
        let member = || Sidecar::start(flags("--noauth --replSet rs"), tls_as("server"), |port| upstream(port) + at_fronts);
        let members: Vec<Sidecar> = (0..3).map(|_| member()).collect();
        let peers: Vec<u16> = members.iter().map(|member| member.port).collect();
        let ways = WaysOut::start(members[0].mongod.port, &peers, "server", at_ways_out);
        let hosts: Vec<String> = ways.ports.iter().copied().map(host).collect();
        Self { members: Sidecars::start(members, &hosts), ways, peers }
    }

    fn reload_front(&self, number: usize, security: &str) {
        self.members.0[number].reload_doorward(|port| upstream(port) + security);
    }

    fn reload_ways_out(&self, security: &str) {
        self.ways.reload(&self.peers, security);
    }

    /// Has every member connect to its peers anew.
    fn drop_connections(&self) {
        let peers: Vec<String> = self.ways.ports.iter().copied().map(host).collect();
        for member in &self.members.0 {
            Connection::plain(member.mongod.port).must(doc! {"dropConnections": 1, "hostAndPort": &peers});
        }
    }

    /// Nobody reaches a member through the doorwards without credentials, not even with what a member would ask.
    fn assert_closed_to_strangers(&self) {
        let heartbeat = doc! {"replSetHeartbeat": "rs", "configVersion": 1, "from": "", "fromId": 0, "term": 1, "$db": "admin"};
        for member in &self.members.0 {
            let refused = member.connect().run(&heartbeat).expect("a reply");
            assert_eq!(code(&refused), 13, "{refused}");
        }
    }
}

#[test]
fn a_set_whose_members_could_not_log_in_goes_over_to_enforcement_and_rotates_its_keys_by_reloads_alone() {
    let key_file = |key: &str| run::private_file("keyfile", key).to_str().expect("UTF-8").to_owned();
    let (at_fronts, at_ways_out) = (key_file(KEY), key_file(SECOND_KEY));
    // In transition the fronts refuse the key of the ways out, and the set is made all the same.
    let mut set = Set::start(&with_key_file(&at_fronts, true), &with_key_file(&at_ways_out, true));
    set.members.write_everywhere(0);
    set.ways.process.wait_for_log(20108).expect("a login that is refused and tolerated");
    assert!(set.ways.metric(r#"doorward_egress_connects_total{outcome="not_logged_in"}"#) > 0.0);
    assert!(set.ways.metric(r#"doorward_egress_connects_total{outcome="done"}"#) < 1.0);

    // The fronts take the other key and enforce, one after the other. Nobody tells the ways out or the members.
    run::write_private(at_fronts.as_ref(), SECOND_KEY);
    for number in 0..3 {
        set.reload_front(number, &with_key_file(&at_fronts, false));
        set.members.wait_until_all_hear_of_each_other();
    }
    set.assert_closed_to_strangers();
    set.members.wait_until_whole();
    set.members.write_everywhere(1);
    set.reload_ways_out(&with_key_file(&at_ways_out, false));

    // Both keys at a while, and at each step some doorwards have been told and others not: then members connect anew as well.
    for keys in [format!("- {SECOND_KEY}\n- {KEY}\n"), KEY.to_owned()] {
        run::write_private(at_fronts.as_ref(), &keys);
        run::write_private(at_ways_out.as_ref(), &keys);
        set.reload_front(0, &with_key_file(&at_fronts, false));
        set.drop_connections();
        set.members.wait_until_all_hear_of_each_other();
        set.reload_ways_out(&with_key_file(&at_ways_out, false));
        set.drop_connections();
        set.members.wait_until_all_hear_of_each_other();
        set.reload_front(1, &with_key_file(&at_fronts, false));
        set.reload_front(2, &with_key_file(&at_fronts, false));
    }
    set.drop_connections();
    set.members.wait_until_all_hear_of_each_other();
    set.members.wait_until_whole();
    set.members.write_everywhere(2);

    // It lives on as any other set does.
    let before = set.members.primary();
    set.members.0[before].kill_mongod();
    let after = set.members.wait_for("another primary", || Some(set.members.primary()).filter(|primary| *primary != before));
    let concern = doc! {"w": "majority", "wtimeout": 30_000};
    let insert = doc! {"insert": "all", "documents": [{"_id": 3}], "writeConcern": concern, "$db": "app"};
    set.members.0[after].administrator().must(insert);
    set.members.0[before].restart_mongod();
    set.members.wait_until_whole();
    set.members.write_everywhere(4);
}

#[test]
fn a_set_is_made_through_ways_out_with_certificates_and_a_foreign_one_gets_nowhere() {
    let set = Set::start(WITH_CERTIFICATES, WITH_CERTIFICATES);
    set.members.write_everywhere(0);
    set.assert_closed_to_strangers();
    // A secondary follows the other one, too.
    let primary = set.members.primary();
    set.members.0[(primary + 1) % 3].follow(&host(set.ways.ports[(primary + 2) % 3]));
    set.members.write_everywhere(2);
    assert!(set.ways.metric("doorward_egress_connections") > 0.0);
    assert!(set.ways.metric(r#"doorward_egress_connects_total{outcome="done"}"#) > 0.0);

    let foreign = WaysOut::start(set.members.0[0].mongod.port, &set.peers[..1], "other member", WITH_CERTIFICATES);
    assert!(foreign.connect(0).run(&doc! {"hello": 1, "$db": "admin"}).is_err());
    let told = foreign.process.wait_for_log(9_000_042).expect("a peer that refuses");
    assert!(told["attr"]["error"].as_str().expect("a text").contains("the upstream refused authenticate"), "{told}");
    set.members.0[0].doorward.wait_for_log(20428).expect("a certificate of nobody");
    assert!(foreign.metric("doorward_egress_bytes_total{direction=\"to_peer\"}") < 1.0);

    // They come back by their certificates as well.
    set.drop_connections();
    set.members.wait_until_all_hear_of_each_other();
    set.members.write_everywhere(1);
}
