//! Members of a replica set that reach each other through the doorwards in front of them alone: TLS and the authentication of
//! members are required there, and everything that a set lives by goes through: its making, initial sync, heartbeats, elections,
//! the oplog.

use std::time::Duration;

use bson::{Bson, Document, doc};

use super::support::clients;
use super::support::connection::{Connection, code};
use super::support::load::{Load, acknowledged, found_in};
use super::support::pki::pki;
use super::support::replica_set::State;
use super::support::run;
use super::support::servers::{flags, key_file, tls_flags, upstream};
use super::support::sidecars::{Sidecar, Sidecars};

/// "Locally stored replica set configuration is invalid": what a member says that does not find itself at start.
const NOT_FOUND_IN_CONFIG: i64 = 21405;

/// How members prove themselves to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    KeyFile,
    X509,
}

impl Mode {
    /// A mongod that proves itself by the cluster's key or certificate, or by another's, and the doorward in front of it.
    fn sidecar(self, stranger: bool) -> Sidecar {
        let certificate = if stranger { "other member" } else { "server" };
        let tls =
            |mode: &str| tls_flags(mode).into_iter().map(|flag| flag.replace(&pki().file("server"), &pki().file(certificate)));
        let security = match self {
            Self::KeyFile if stranger => {
                flags(&format!("--keyFile {}", run::private_file("keyfile", "theKeyOfAnotherCluster").display()))
            }
            Self::KeyFile => flags(&format!("--keyFile {}", key_file())),
            Self::X509 => flags("--clusterAuthMode x509"),
        };
        let mongod = [tls("preferTLS").collect(), security.clone(), flags("--replSet rs")].concat();
        let doorward =
            [tls("requireTLS").collect(), security, flags("--tlsAllowConnectionsWithoutCertificates --nounixsocket")].concat();
        let authentication = match self {
            Self::KeyFile => "authentication: keyFile".to_owned(),
            Self::X509 => {
                let (ca, member) = (pki().ca_file(), pki().file(certificate));
                format!("authentication: x509\n    tls: {{mode: requireTLS, CAFile: {ca}, certificateKeyFile: {member}}}")
            }
        };
        Sidecar::start(mongod, doorward, |port| upstream(port).replace("authentication: none", &authentication))
    }

    fn set(self) -> Sidecars {
        let members: Vec<Sidecar> = (0..3).map(|_| self.sidecar(false)).collect();
        let hosts: Vec<String> = members.iter().map(Sidecar::host).collect();
        Sidecars::start(members, &hosts)
    }
}

/// The member of this name in a reply of replSetGetStatus.
fn member(status: &Document, host: &str) -> Document {
    let members = status.get_array("members").expect("members");
    let found = members.iter().filter_map(Bson::as_document).find(|member| member.get_str("name").ok() == Some(host));
    found.unwrap_or_else(|| panic!("no {host} in {status}")).clone()
}

/// Everything that a member sent to others so far, in bytes before it was compressed.
fn compressed_bytes(connection: &mut Connection) -> i64 {
    let status = connection.must(doc! {"serverStatus": 1});
    let compressor = status.get_document("network").and_then(|network| network.get_document("compression"));
    let snappy = compressor.and_then(|all| all.get_document("snappy")).and_then(|snappy| snappy.get_document("compressor"));
    snappy.and_then(|compressor| compressor.get_i64("bytesIn")).expect("a counter")
}

fn lives_through_its_doorwards(mode: Mode) {
    let mut set = mode.set();
    set.write_everywhere(0);
    // They compress what they say to each other as soon as that is agreed on, their logins too.
    for sidecar in &set.0 {
        assert!(compressed_bytes(&mut sidecar.administrator()) > 0);
    }
    a_stranger_gets_nowhere(mode, &set);
    a_newcomer_copies_everything_and_follows_a_secondary(mode, &set);

    let uri = |set: &Sidecars| {
        let seeds: Vec<String> = set.0.iter().map(Sidecar::host).collect();
        let tls = format!("tls=true&tlsCAFile={}", pki().ca_file());
        format!("mongodb://root:secret@{}/?replicaSet=rs&authSource=admin&w=majority&{tls}", seeds.join(","))
    };
    let load = Load::start(clients::python("python/load.py"), &uri(&set), "load");
    load.wait_for(10);

    let before = set.primary();
    let _ = set.at_primary().run(&doc! {"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10, "$db": "admin"});
    let after = set.wait_for("another primary", || Some(set.primary()).filter(|primary| *primary != before));
    load.wait_for(10);

    // The primary dies and comes back behind its doorward, which is there all the time.
    set.0[after].kill_mongod();
    load.wait_for(10);
    set.0[after].restart_mongod();
    set.wait_until_whole();
    set.write_everywhere(1);

    // A doorward is replaced. Another member may follow the one behind, which goes on for ever and does not hold it up.
    let secondary = (set.primary() + 1) % 3;
    let took = set.0[secondary].stop_doorward();
    assert!(took < Duration::from_secs(10), "{took:?}");
    set.0[secondary].kill_mongod();
    // A member that starts before its own front does not find itself, until another member finds it again.
    set.0[secondary].restart_mongod();
    set.0[secondary].mongod.process.wait_for_log(NOT_FOUND_IN_CONFIG).expect("a member that does not find itself");
    set.0[secondary].restart_doorward();
    set.wait_until_whole();
    set.write_everywhere(2);

    load.wait_for(10);
    let outcomes = load.stop();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome["error"].is_string()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(found_in(&mut set.at_primary(), "load"), acknowledged(&outcomes));
}

/// A mongod with another key or certificate can neither make a set with the members nor be made one of theirs.
fn a_stranger_gets_nowhere(mode: Mode, set: &Sidecars) {
    let stranger = mode.sidecar(true);
    let both = [stranger.host(), set.0[0].host()];
    let members: Vec<Document> = (0..).zip(&both).map(|(id, host): (i32, &String)| doc! {"_id": id, "host": host}).collect();
    let initiate = doc! {"replSetInitiate": {"_id": "rs", "members": members}, "$db": "admin"};
    let refused = stranger.connect().run(&initiate).expect("a reply");
    assert_eq!(code(&refused), 74, "{refused}");

    let mut primary = set.at_primary();
    add(&mut primary, &stranger);
    let login_refused = if mode == Mode::KeyFile { 20249 } else { 20428 };
    stranger.doorward.wait_for_log(login_refused).expect("a login that is refused");
    set.wait_for("a heartbeat that failed", || {
        let seen = member(&primary.must(doc! {"replSetGetStatus": 1}), &stranger.host());
        (seen.get_f64("health").ok() == Some(0.0) && seen.get_str("stateStr").ok() == Some("(not reachable/healthy)"))
            .then_some(())
    });
    take_out_the_fourth(&mut primary);
}

/// A member that comes when the set has data already has nothing but the doorwards to get it through, and its source need not be the
/// primary.
fn a_newcomer_copies_everything_and_follows_a_secondary(mode: Mode, set: &Sidecars) {
    let newcomer = mode.sidecar(false);
    let mut primary = set.at_primary();
    add(&mut primary, &newcomer);
    set.wait_for("a fourth member", || (newcomer.state() == Some(State::Secondary)).then_some(()));
    newcomer.follow(&set.0[(set.primary() + 1) % 3].host());
    set.write_to(4, 100);
    let nearest = doc! {"mode": "nearest"};
    for number in [0, 100] {
        let count = doc! {"count": "all", "query": {"_id": number}, "$readPreference": nearest.clone(), "$db": "app"};
        assert_eq!(newcomer.administrator().must(count).get_i32("n").ok(), Some(1), "{number}");
    }
    take_out_the_fourth(&mut primary);
}

/// Puts another configuration of the set in force.
fn reconfigure(primary: &mut Connection, change: impl FnOnce(&mut Vec<Bson>)) {
    let mut config = primary.must(doc! {"replSetGetConfig": 1}).get_document("config").expect("a configuration").clone();
    let version = config.get_i32("version").expect("a version");
    config.insert("version", version + 1);
    change(config.get_array_mut("members").expect("members"));
    primary.must(doc! {"replSetReconfig": config});
}

fn add(primary: &mut Connection, fourth: &Sidecar) {
    let member = doc! {"_id": 3, "host": fourth.host(), "votes": 0, "priority": 0};
    reconfigure(primary, |members| members.push(member.into()));
}

fn take_out_the_fourth(primary: &mut Connection) {
    reconfigure(primary, |members| members.truncate(3));
}

#[test]
fn members_with_a_keyfile_are_a_replica_set_through_their_doorwards() {
    lives_through_its_doorwards(Mode::KeyFile);
}

#[test]
fn members_with_certificates_are_a_replica_set_through_their_doorwards() {
    lives_through_its_doorwards(Mode::X509);
}
