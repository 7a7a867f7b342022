//! Members of a replica set that reach each other through the doorwards in front of them alone: TLS and the authentication of
//! members are required there, and everything that a set lives by goes through: its making, initial sync, heartbeats, elections,
//! the oplog.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bson::{Bson, Document, doc};

use super::support::clients;
use super::support::connection::{Connection, code};
use super::support::load::Load;
use super::support::pki::pki;
use super::support::process::Process;
use super::support::replica_set::host;
use super::support::run;
use super::support::servers::{doorward, flags, key_file, tls_flags, upstream};
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

/// Mongods without access control, which send their peers no credentials, each behind a doorward; one doorward more has the ways
/// out. On one host all members have the same names for each other, so that they share it; elsewhere each has its own beside it.
struct WaysOut {
    set: Sidecars,
    _process: Process,
    admin: u16,
}

impl WaysOut {
    fn start() -> Self {
        let key = format!("--keyFile {}", key_file());
        let fronts =
            [tls_flags("requireTLS"), flags(&format!("{key} --tlsAllowConnectionsWithoutCertificates --nounixsocket"))].concat();
        let member = || Sidecar::start(flags("--noauth --replSet rs"), fronts.clone(), upstream);
        let members: Vec<Sidecar> = (0..3).map(|_| member()).collect();
        let (admin, listen) = (run::free_port(), [(); 3].map(|()| run::free_port()));
        let entry = |(port, member): (&u16, &Sidecar)| {
            format!("    - {{listen: \"127.0.0.1:{port}\", to: \"localhost:{}\"}}\n", member.port)
        };
        let entries: String = listen.iter().zip(&members).map(entry).collect();
        let config = format!("{}  admin:\n    port: {admin}\n  egress:\n{entries}", upstream(members[0].mongod.port));
        let (process, _) = doorward(&config, &[tls_flags("requireTLS"), flags(&key)].concat()).expect("doorward");
        let set = Sidecars::start(members, &listen.map(host));
        Self { set, _process: process, admin }
    }

    fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).expect("the admin port");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
        let mut metrics = String::new();
        stream.read_to_string(&mut metrics).expect("an answer");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .unwrap_or_else(|| panic!("{name} in {metrics}"));
        line.parse().expect("a number")
    }
}

/// Writes a document and waits until every member has it.
fn write_everywhere(connection: &mut Connection, number: i32) {
    let concern = doc! {"w": 3, "wtimeout": 30_000};
    let written = connection.must(doc! {"insert": "all", "documents": [{"_id": number}], "writeConcern": concern, "$db": "app"});
    assert!(written.get_document("writeConcernError").is_err(), "{written}");
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
    write_everywhere(&mut set.at_primary(), 0);
    // They compress what they say to each other as soon as that is agreed on, their logins too.
    for sidecar in &set.0 {
        assert!(compressed_bytes(&mut sidecar.administrator()) > 0);
    }
    a_stranger_gets_nowhere(mode, &set);

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
    write_everywhere(&mut set.at_primary(), 1);

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
    write_everywhere(&mut set.at_primary(), 2);

    load.wait_for(10);
    let outcomes = load.stop();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome["error"].is_string()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let count = set.at_primary().must(doc! {"count": "load", "$db": "app"});
    assert_eq!(count.get_i32("n").ok().and_then(|found| usize::try_from(found).ok()), Some(outcomes.len()));
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
    let mut config = primary.must(doc! {"replSetGetConfig": 1}).get_document("config").expect("a configuration").clone();
    let version = config.get_i32("version").expect("a version");
    config.insert("version", version + 1);
    let members = config.get_array_mut("members").expect("members");
    members.push(doc! {"_id": 3, "host": stranger.host(), "votes": 0, "priority": 0}.into());
    primary.must(doc! {"replSetReconfig": config.clone()});
    let login_refused = if mode == Mode::KeyFile { 20249 } else { 20428 };
    stranger.doorward.wait_for_log(login_refused).expect("a login that is refused");
    set.wait_for("a heartbeat that failed", || {
        let seen = member(&primary.must(doc! {"replSetGetStatus": 1}), &stranger.host());
        (seen.get_f64("health").ok() == Some(0.0) && seen.get_str("stateStr").ok() == Some("(not reachable/healthy)"))
            .then_some(())
    });
    config.insert("version", version + 2);
    config.get_array_mut("members").expect("members").truncate(3);
    primary.must(doc! {"replSetReconfig": config});
}

#[test]
fn members_with_a_keyfile_are_a_replica_set_through_their_doorwards() {
    lives_through_its_doorwards(Mode::KeyFile);
}

#[test]
fn members_with_certificates_are_a_replica_set_through_their_doorwards() {
    lives_through_its_doorwards(Mode::X509);
}

#[test]
fn members_without_credentials_are_a_replica_set_through_ways_out() {
    let mut it = WaysOut::start();
    write_everywhere(&mut it.set.at_primary(), 0);
    // Nobody reaches a member through the doorwards without credentials, not even with what a member would ask.
    let heartbeat = doc! {"replSetHeartbeat": "rs", "configVersion": 1, "from": "", "fromId": 0, "term": 1, "$db": "admin"};
    let refused = it.set.0[0].connect().run(&heartbeat).expect("a reply");
    assert_eq!(code(&refused), 13, "{refused}");
    assert!(it.metric("doorward_egress_connections") > 0.0);
    assert!(it.metric(r#"doorward_egress_connects_total{outcome="done"}"#) > 0.0);

    let before = it.set.primary();
    it.set.0[before].kill_mongod();
    let after = it.set.wait_for("another primary", || Some(it.set.primary()).filter(|primary| *primary != before));
    let concern = doc! {"w": "majority", "wtimeout": 30_000};
    it.set.0[after]
        .administrator()
        .must(doc! {"insert": "all", "documents": [{"_id": 1}], "writeConcern": concern, "$db": "app"});
    it.set.0[before].restart_mongod();
    it.set.wait_until_whole();
    write_everywhere(&mut it.set.at_primary(), 2);
}
