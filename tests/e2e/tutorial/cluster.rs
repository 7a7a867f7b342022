//! Three real mongods in one replica set, each behind a doorward of its own, whose configuration is written anew and reloaded at each
//! step of the way.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bson::{Document, doc};
use serde_json::{Value, json};

use crate::support::connection::{Connection, code, is_ok};
use crate::support::mongod::{Mongod, started};
use crate::support::pki::pki;
use crate::support::process::Process;
use crate::support::replica_set::{State, host, state};
use crate::support::run;
use crate::support::scram::{Login, Mechanism, must_log_in};
use crate::support::servers::{flags, tls_flags};
use crate::support::sidecars::wait_for;
use crate::support::tls::Client;

/// "Successfully reloaded configuration and certificates".
const RELOADED: i64 = 4_913_400;

/// Who of a replica set proves itself to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// doorward alone: the mongods have no security at all, and reach each other by ways out.
    Doorwards,
    /// The mongods too: they have the keyfile, and need a restart for what a doorward reloads.
    Mongods,
}

/// The security of one member at a step of the way.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// What the keyfile holds; none is no keyfile.
    pub(super) keys: Vec<&'static str>,
    pub(super) cluster_auth_mode: &'static str,
    /// Whether access control is on at all.
    pub(super) authorization: bool,
    pub(super) transition_to_auth: bool,
    /// The name of the certificate of doorward.
    pub(super) certificate: &'static str,
    pub(super) dn_override: Option<&'static str>,
}

impl Stage {
    /// Where everybody begins.
    pub(super) const fn without_security() -> Self {
        Self {
            keys: Vec::new(),
            cluster_auth_mode: "keyFile",
            authorization: false,
            transition_to_auth: false,
            certificate: "server",
            dn_override: None,
        }
    }
}

/// One mongod and its doorward.
pub(super) struct Member {
    mongod: Mongod,
    pub(super) doorward: Process,
    /// Where clients come in.
    pub(super) front: u16,
    config: PathBuf,
    keyfile: PathBuf,
}

pub(super) struct Cluster {
    shape: Shape,
    pub(super) members: Vec<Member>,
    /// The names of the members in the configuration of their set.
    hosts: Vec<String>,
    /// The ports of the ways out, in the order of the members that they lead to.
    ways: Vec<u16>,
    admin: Vec<u16>,
}

impl Cluster {
    /// Starts everything, and makes a set without a user.
    pub(super) fn start(shape: Shape) -> Self {
        let ports = || -> Vec<u16> { (0..3).map(|_| run::free_port()).collect() };
        let (fronts, ways, admin) = (ports(), ports(), ports());
        let mongods = (0..3).map(|_| Mongod::start_in(&run::folder("member"), &mongod_flags(shape, None)).expect("a member"));
        let mongods: Vec<Mongod> = mongods.collect();
        let hosts = match shape {
            Shape::Doorwards => ways.iter().copied().map(host).collect(),
            Shape::Mongods => fronts.iter().map(|port| format!("localhost:{port}")).collect(),
        };
        let mut cluster = Self { shape, members: Vec::new(), hosts, ways, admin };
        for (number, mongod) in mongods.into_iter().enumerate() {
            let folder = run::folder("doorward");
            let (config, keyfile) = (folder.join("doorward.conf"), folder.join("keyfile"));
            run::write_private(&config, cluster.config(number, &Stage::without_security(), &fronts, mongod.port, &keyfile));
            let arguments = flags(&format!("--config {} --nounixsocket", config.display()));
            let doorward = started(Process::start(env!("CARGO_BIN_EXE_doorward"), &arguments)).expect("doorward");
            cluster.members.push(Member { mongod, doorward, front: fronts[number], config, keyfile });
        }
        cluster.initiate();
        cluster
    }

    fn initiate(&self) {
        let member = |(id, host): (i32, &String)| doc! {"_id": id, "host": host};
        let members: Vec<Document> = (0..).zip(&self.hosts).map(member).collect();
        // A quick election: how long one takes is no matter of doorward's.
        let settings = doc! {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500};
        let config = doc! {"_id": "rs", "members": members, "settings": settings};
        Connection::plain(self.members[0].front).must(doc! {"replSetInitiate": config});
        self.wait_until_whole();
    }

    /// The file that an operator would write for this member.
    fn config(&self, number: usize, stage: &Stage, fronts: &[u16], mongod: u16, keyfile: &Path) -> String {
        let tls = json!({
            "mode": if stage.authorization && !stage.transition_to_auth { "requireTLS" } else { "preferTLS" },
            "certificateKeyFile": pki().file(stage.certificate), "CAFile": pki().ca_file(),
            "allowConnectionsWithoutCertificates": true,
        });
        let mut security = json!({ "authorization": if stage.authorization { "enabled" } else { "disabled" } });
        if stage.authorization {
            security["clusterAuthMode"] = stage.cluster_auth_mode.into();
            security["transitionToAuth"] = stage.transition_to_auth.into();
        }
        if !stage.keys.is_empty() {
            security["keyFile"] = keyfile.to_str().into();
        }
        let mut proxy = json!({
            "upstream": { "address": host(mongod) },
            "admin": { "bindIp": "127.0.0.1", "port": self.admin[number] },
        });
        match self.shape {
            Shape::Mongods if stage.authorization => proxy["upstream"]["authentication"] = "keyFile".into(),
            Shape::Mongods => {}
            Shape::Doorwards => {
                let entry = |(member, front): (usize, &u16)| {
                    let mut entry = json!({ "host": self.hosts[member], "advertise": format!("localhost:{front}") });
                    if member == number {
                        entry["listen"] = host(*front).into();
                    }
                    entry
                };
                proxy["members"] = fronts.iter().enumerate().map(entry).collect();
                // On one host the members have the same names for each other, so that a way out serves all of them: each
                // doorward has the one to its neighbour. On hosts of their own each doorward has all.
                let neighbour = (number + 1) % 3;
                let (listen, to) = (host(self.ways[neighbour]), format!("localhost:{}", fronts[neighbour]));
                proxy["egress"] = json!([{ "listen": listen, "to": to }]);
            }
        }
        let parameters = json!({ "tlsX509ClusterAuthDNOverride": stage.dn_override.unwrap_or_default() });
        let net = json!({ "port": fronts[number], "bindIp": "127.0.0.1", "tls": tls });
        // JSON is YAML.
        json!({ "net": net, "security": security, "setParameter": parameters, "proxy": proxy }).to_string()
    }

    /// Brings a member to this stage: its files are written, and its doorward reloads them. A mongod with security is restarted.
    pub(super) fn bring(&mut self, number: usize, stage: &Stage) {
        let fronts: Vec<u16> = self.members.iter().map(|member| member.front).collect();
        let member = &self.members[number];
        let config = self.config(number, stage, &fronts, member.mongod.port, &member.keyfile);
        let keys: String = stage.keys.iter().map(|key| format!("- {key}\n")).collect();
        run::write_private(&member.keyfile, keys);
        run::write_private(&member.config, config);
        let known = member.doorward.log().len();
        member.doorward.signal("HUP");
        let reloaded = member.doorward.wait_for_new_log(known, |line| line["id"] == RELOADED || line["id"] == 9_000_005);
        assert_eq!(reloaded["id"], RELOADED, "{reloaded}");
        assert_eq!(reloaded["attr"]["changedButNeedARestart"], json!([]), "{reloaded}");
        if self.shape == Shape::Mongods {
            let flags = mongod_flags(self.shape, Some((stage, &member.keyfile)));
            let member = &mut self.members[number];
            member.mongod.stop();
            member.mongod = Mongod::start_on(member.mongod.port, &member.mongod.folder, &flags).expect("a restart");
        }
        self.wait_until_whole();
    }

    fn states(&self) -> Vec<Option<State>> {
        self.members.iter().map(|member| state(member.mongod.port)).collect()
    }

    /// The number of the primary, once there is one.
    pub(super) fn primary(&self) -> usize {
        let primary = || self.states().iter().position(|state| *state == Some(State::Primary));
        wait_for("a primary", || self.states(), primary)
    }

    /// The secondaries, then the primary.
    pub(super) fn primary_last(&self) -> [usize; 3] {
        let primary = self.primary();
        [(primary + 1) % 3, (primary + 2) % 3, primary]
    }

    /// Waits for a primary and two secondaries.
    pub(super) fn wait_until_whole(&self) {
        wait_for(
            "a primary and two secondaries",
            || self.states(),
            || {
                let states = self.states();
                let count = |wanted| states.iter().filter(|state| **state == Some(wanted)).count();
                (count(State::Primary) == 1 && count(State::Secondary) == 2).then_some(())
            },
        );
    }

    /// Has another member become primary.
    pub(super) fn step_down(&self, administrator: (&str, &str)) {
        let before = self.primary();
        let mut connection = self.connect(before, Some(administrator));
        let _ = connection.run(&doc! {"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10, "$db": "admin"});
        let other = || Some(self.primary()).filter(|primary| *primary != before);
        wait_for("another primary", || self.states(), other);
        self.wait_until_whole();
    }

    /// A connection through a member's doorward, logged in as this user of admin.
    pub(super) fn connect(&self, number: usize, user: Option<(&str, &str)>) -> Connection {
        let mut connection = Connection::tls(self.members[number].front, &Client::anonymous()).expect("a handshake");
        if let Some((user, password)) = user {
            must_log_in(&mut connection, user, "admin", password);
        }
        connection
    }

    /// Lets every member make its connections to the others anew, and waits until what is written then is everywhere.
    pub(super) fn reconnect(&self, administrator: (&str, &str)) {
        for number in 0..3 {
            self.connect(number, Some(administrator)).must(doc! {"dropConnections": 1, "hostAndPort": &self.hosts});
        }
        let concern = doc! {"w": 3, "wtimeout": 60_000};
        let insert = doc! {"insert": "everywhere", "documents": [{}], "writeConcern": concern, "$db": "app"};
        let written = self.connect(self.primary(), Some(administrator)).must(insert);
        assert!(written.get_document("writeConcernError").is_err(), "{written}");
        self.wait_until_whole();
    }

    /// Whether each doorward takes a member with this key.
    pub(super) fn takes_key(&self, password: &str) -> [bool; 3] {
        let mechanism = Mechanism::Sha256;
        let login =
            Login { mechanism, user: "__system", database: "local", password, skip_empty_exchange: true, speculative: false };
        [0, 1, 2].map(|number| {
            let replies = login.run(&mut self.connect(number, None)).expect("an open connection");
            replies.last().is_some_and(is_ok)
        })
    }

    /// Whether each doorward takes a member with this certificate.
    pub(super) fn takes_certificate(&self, name: &str) -> [bool; 3] {
        [0, 1, 2].map(|number| {
            let client = Client::showing(pki().identity(name));
            let mut connection = Connection::tls(self.members[number].front, &client).expect("a handshake");
            let login = doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"};
            let reply = connection.run(&login).expect("a reply");
            let who = connection.must(doc! {"connectionStatus": 1}).to_string();
            is_ok(&reply) && who.contains("__system")
        })
    }

    /// What each doorward says to somebody without credentials: an error code, 0 for none.
    pub(super) fn says_to_strangers(&self) -> [i32; 3] {
        [0, 1, 2].map(|number| {
            let find = doc! {"find": "pymongo", "$readPreference": {"mode": "nearest"}, "$db": "app"};
            let reply = self.connect(number, None).run(&find).expect("a reply");
            if is_ok(&reply) { 0 } else { code(&reply) }
        })
    }

    /// `doorward readiness` of a member, with these words.
    pub(super) fn readiness(&self, number: usize, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("readiness").arg("--config").arg(&self.members[number].config).args(words).output().expect("a report")
    }

    /// What all doorwards say of the applications.
    pub(super) fn reports(&self) -> String {
        (0..3).map(|number| String::from_utf8_lossy(&self.readiness(number, &[]).stdout).into_owned() + "\n").collect()
    }

    /// The applications that would break, as any doorward says; none when all say that they are ready.
    pub(super) fn who_would_break(&self) -> Vec<String> {
        let mut names: Vec<String> = (0..3).flat_map(|number| self.obstacles(number)).collect();
        names.sort();
        names.dedup();
        names
    }

    fn obstacles(&self, number: usize) -> Vec<String> {
        let report: Value = serde_json::from_slice(&self.readiness(number, &["--json"]).stdout).expect("JSON");
        let obstacles = report["obstacles"].as_array().expect("a list");
        let name = |obstacle: &Value| obstacle["application"].as_str().unwrap_or("?").to_owned();
        assert_eq!(self.readiness(number, &[]).status.code(), Some(i32::from(!obstacles.is_empty())), "{report}");
        obstacles.iter().map(name).collect()
    }

    /// Everything that a doorward says after its start stands in its log.
    pub(super) fn logs(&self) -> String {
        self.members.iter().map(|member| member.doorward.printed() + "\n\n").collect()
    }
}

/// How the mongod of a member is started.
fn mongod_flags(shape: Shape, stage: Option<(&Stage, &PathBuf)>) -> Vec<String> {
    // A primary that stops lets its clients finish for as long; there is nothing that would need it.
    let mut all = flags("--replSet rs --setParameter shutdownTimeoutMillisForSignaledShutdown=100");
    if shape == Shape::Mongods {
        all.extend(tls_flags("preferTLS"));
        all.push("--tlsAllowConnectionsWithoutCertificates".to_owned());
    }
    match stage.filter(|(stage, _)| shape == Shape::Mongods && stage.authorization) {
        None => all.push("--noauth".to_owned()),
        Some((stage, keyfile)) => {
            all.extend(flags(&format!("--keyFile {}", keyfile.display())));
            if stage.transition_to_auth {
                all.push("--transitionToAuth".to_owned());
            }
        }
    }
    all
}
