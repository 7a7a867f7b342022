//! A replica set whose members know each other only by the doorwards in front of them: each real mongod has one of its own, and the
//! configuration of the set names the doorwards' addresses.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bson::{Bson, DateTime, Document, doc};

use super::connection::Connection;
use super::mongod::{Mongod, NotStarted, started};
use super::process::Process;
use super::replica_set::{State, host, state_in};
use super::scram::must_log_in;
use super::servers::{config_file, doorward_from, flags};
use super::tls::Client;
use super::{PATIENCE, run};

/// A mongod and the doorward in front of it.
pub(crate) struct Sidecar {
    pub(crate) mongod: Mongod,
    mongod_flags: Vec<String>,
    pub(crate) doorward: Process,
    doorward_flags: Vec<String>,
    config: PathBuf,
    /// doorward's port.
    pub(crate) port: u16,
}

impl Sidecar {
    /// Starts both; the mongod has no data. `config` is made from its port.
    pub(crate) fn start(mongod_flags: Vec<String>, doorward_flags: Vec<String>, config: impl Fn(u16) -> String) -> Self {
        let mongod = Mongod::start_in(&run::folder("member"), &mongod_flags).expect("a member");
        let config = config_file(&config(mongod.port));
        let (doorward, port) = doorward_from(&config, &doorward_flags).expect("doorward");
        Self { mongod, mongod_flags, doorward, doorward_flags, config, port }
    }

    /// The member's name in the configuration of its set, where that is its front.
    pub(crate) fn host(&self) -> String {
        host(self.port)
    }

    /// A connection through doorward.
    pub(crate) fn connect(&self) -> Connection {
        Connection::tls(self.port, &Client::anonymous()).expect("a handshake")
    }

    /// A connection through doorward that is logged in as the administrator that [`Sidecars::start`] made.
    pub(crate) fn administrator(&self) -> Connection {
        let mut connection = self.connect();
        must_log_in(&mut connection, "root", "admin", "secret");
        connection
    }

    /// Has the member follow another one, whatever the member thinks of it itself.
    pub(crate) fn follow(&self, host: &str) {
        let mut connection = self.administrator();
        let seen = || format!("{} and {host}", self.host());
        wait_for("the wanted source of the oplog", seen, || {
            // A member may go back to another source, and says no to one that it does not know enough of yet.
            let _ = connection.run(&doc! {"replSetSyncFrom": host, "$db": "admin"});
            let status = connection.must(doc! {"replSetGetStatus": 1});
            (status.get_str("syncSourceHost").ok() == Some(host)).then_some(())
        });
    }

    /// What the member is, as clients see it.
    pub(crate) fn state(&self) -> Option<State> {
        state_in(&Connection::reach_over_tls(self.port, &Client::anonymous()).ok()?.run(&doc! {"hello": 1, "$db": "admin"}).ok()?)
    }

    /// Ends the mongod at once.
    pub(crate) fn kill_mongod(&mut self) {
        self.mongod.process.signal("KILL");
        self.mongod.process.wait(PATIENCE).expect("an end");
    }

    /// Starts the mongod again on its data and port.
    pub(crate) fn restart_mongod(&mut self) {
        let Mongod { port, folder, .. } = &self.mongod;
        self.mongod = Mongod::start_on(*port, folder, &self.mongod_flags).expect("a restart");
    }

    /// Puts another configuration in force.
    pub(crate) fn reload_doorward(&self, config: impl Fn(u16) -> String) {
        run::write_private(&self.config, config(self.mongod.port));
        self.doorward.reload();
    }

    /// Tells doorward to stop; how long that took.
    pub(crate) fn stop_doorward(&mut self) -> Duration {
        let told = Instant::now();
        self.doorward.signal("TERM");
        assert_eq!(self.doorward.wait(PATIENCE), Some(0), "{}", self.doorward.printed());
        told.elapsed()
    }

    /// Starts doorward again on its port.
    pub(crate) fn restart_doorward(&mut self) {
        let mut arguments = flags(&format!("--config {} --bind_ip 127.0.0.1 --port {}", self.config.display(), self.port));
        arguments.extend(self.doorward_flags.iter().cloned());
        let again: Result<Process, NotStarted> = started(Process::start(env!("CARGO_BIN_EXE_doorward"), &arguments));
        self.doorward = again.expect("a restart");
    }
}

/// Three of them.
pub(crate) struct Sidecars(pub(crate) Vec<Sidecar>);

impl Sidecars {
    /// Makes one set of them under these names and an administrator, all through the doorwards, and waits until it is whole.
    pub(crate) fn start(members: Vec<Sidecar>, hosts: &[String]) -> Self {
        let set = Self(members);
        let members: Vec<Document> = (0..).zip(hosts).map(|(id, host): (i32, &String)| doc! {"_id": id, "host": host}).collect();
        // A quick election: how long one takes is no matter of doorward's.
        let settings = doc! {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500};
        // Nobody has a password yet: this is what the localhost exception is for.
        set.0[0].connect().must(doc! {"replSetInitiate": {"_id": "rs", "members": members, "settings": settings}});
        let primary = set.primary();
        set.0[primary].connect().must(doc! {"createUser": "root", "pwd": "secret", "roles": ["root"]});
        set.wait_until_whole();
        set
    }

    fn states(&self) -> Vec<Option<State>> {
        self.0.iter().map(Sidecar::state).collect()
    }

    /// The number of the primary, once there is one.
    pub(crate) fn primary(&self) -> usize {
        self.wait_for("a primary", || self.states().iter().position(|state| *state == Some(State::Primary)))
    }

    /// A connection to the primary through its doorward, as administrator.
    pub(crate) fn at_primary(&self) -> Connection {
        self.0[self.primary()].administrator()
    }

    /// Writes a document and waits until all three have it.
    pub(crate) fn write_everywhere(&self, number: i32) {
        self.write_to(3, number);
    }

    /// Writes a document and waits until so many members have it.
    pub(crate) fn write_to(&self, members: i32, number: i32) {
        let concern = doc! {"w": members, "wtimeout": 30_000};
        let insert = doc! {"insert": "all", "documents": [{"_id": number}], "writeConcern": concern, "$db": "app"};
        let written = self.at_primary().must(insert);
        assert!(written.get_document("writeConcernError").is_err(), "{written}");
    }

    /// Waits until every member has heard from every other since now.
    pub(crate) fn wait_until_all_hear_of_each_other(&self) {
        let now = DateTime::now();
        let hears = |member: &Document| {
            let is_itself = member.get_bool("self").unwrap_or(false);
            is_itself
                || member.get_datetime("lastHeartbeat").is_ok_and(|heard| *heard > now)
                    && member.get_f64("health").ok() == Some(1.0)
        };
        for member in &self.0 {
            // Past the doorwards: what it knows of its peers came through them.
            let mut connection = Connection::plain(member.mongod.port);
            self.wait_for("an answer of every peer", || {
                let status = connection.must(doc! {"replSetGetStatus": 1});
                let members = status.get_array("members").expect("members");
                (members.len() == 3 && members.iter().filter_map(Bson::as_document).all(hears)).then_some(())
            });
        }
    }

    /// Waits for a primary and two secondaries.
    pub(crate) fn wait_until_whole(&self) {
        self.wait_for("a primary and two secondaries", || {
            let states = self.states();
            let count = |wanted| states.iter().filter(|state| **state == Some(wanted)).count();
            (count(State::Primary) == 1 && count(State::Secondary) == 2).then_some(())
        });
    }

    /// Asks again and again until something is there.
    pub(crate) fn wait_for<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        wait_for(what, || self.states(), found)
    }
}

/// Asks again and again until something is there; `seen` is for whoever waits in vain.
pub(crate) fn wait_for<T, S: Debug>(what: &str, seen: impl Fn() -> S, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come: {:?}", seen());
        std::thread::sleep(Duration::from_millis(50));
    }
}
