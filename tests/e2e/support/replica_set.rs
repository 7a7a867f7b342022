//! A replica set of real mongods without access control, and a doorward in front of all of them.

use bson::{Document, doc};

use super::PATIENCE;
use super::connection::Connection;
use super::mongod::{Mongod, NotStarted, on_free_ports, started};
use super::pki::pki;
use super::process::Process;
use super::run;
use super::servers::{config_file, flags};
use super::sidecars::wait_for;

/// Its members; the first has the users of `users` and begins as primary.
pub(crate) struct ReplicaSet {
    pub(crate) members: Vec<Mongod>,
}

impl ReplicaSet {
    /// Starts one of three members and waits until it is whole.
    pub(crate) fn start() -> Self {
        Self::of(3)
    }

    /// Starts one of so many members and waits until it is whole.
    pub(crate) fn of(count: usize) -> Self {
        let flags = flags("--noauth --replSet rs");
        let first = Mongod::start(&flags).expect("a member");
        let empty = |_| Mongod::start_in(&run::folder("member"), &flags).expect("a member");
        let set = Self { members: std::iter::once(first).chain((1..count).map(empty)).collect() };
        let member = |(id, member): (i32, &Mongod)| doc! {"_id": id, "host": host(member.port)};
        let members: Vec<Document> = (0..).zip(&set.members).map(member).collect();
        // A quick election: how long one takes is no matter of doorward's.
        let settings = doc! {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500};
        let config = doc! {"_id": "rs", "members": members, "settings": settings};
        set.connect(0).must(doc! {"replSetInitiate": config});
        set.wait_until_whole();
        set
    }

    /// A connection to a member itself.
    pub(crate) fn connect(&self, member: usize) -> Connection {
        Connection::plain(self.members[member].port)
    }

    /// The number of the primary, once there is one.
    pub(crate) fn primary(&self) -> usize {
        self.wait_for("a primary", || self.states().iter().position(|state| *state == Some(State::Primary)))
    }

    /// Waits for a primary and secondaries beside it.
    pub(crate) fn wait_until_whole(&self) {
        self.wait_for("a primary and secondaries beside it", || {
            let states = self.states();
            let count = |wanted| states.iter().filter(|state| **state == Some(wanted)).count();
            (count(State::Primary) == 1 && count(State::Secondary) == self.members.len() - 1).then_some(())
        });
    }

    /// Ends a member at once.
    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].process.signal("KILL");
        self.members[member].process.wait(PATIENCE).expect("an end");
    }

    /// Starts a member again on its data and port.
    pub(crate) fn restart(&mut self, member: usize) {
        let Mongod { port, folder, .. } = &self.members[member];
        self.members[member] = Mongod::start_on(*port, folder, &flags("--noauth --replSet rs")).expect("a restart");
    }

    fn states(&self) -> Vec<Option<State>> {
        self.members.iter().map(|member| state(member.port)).collect()
    }

    fn wait_for<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        wait_for(what, || self.states(), found)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Primary,
    Secondary,
}

/// What a member says that it is; `None` when it is neither or does not answer.
pub(crate) fn state(port: u16) -> Option<State> {
    state_in(&Connection::reach(port).ok()?.run(&doc! {"hello": 1, "$db": "admin"}).ok()?)
}

/// What a hello says that its member is.
pub(crate) fn state_in(hello: &Document) -> Option<State> {
    let is = |name: &str| hello.get_bool(name).unwrap_or_default();
    if is("isWritablePrimary") { Some(State::Primary) } else { is("secondary").then_some(State::Secondary) }
}

/// The name of a member in the configuration of its set.
pub(crate) fn host(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// A doorward in front of these members of a set, with a port for each.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) ports: Vec<u16>,
}

impl Gateway {
    pub(crate) fn start(members: &[&Mongod], flags: &[String]) -> Self {
        let start = || {
            let ports: Vec<u16> = members.iter().map(|_| run::free_port()).collect();
            Self::start_on(&ports, members, flags).map(|process| Self { process, ports })
        };
        on_free_ports(start).expect("doorward")
    }

    fn start_on(ports: &[u16], members: &[&Mongod], flags: &[String]) -> Result<Process, NotStarted> {
        let entry = |(member, port): (&&Mongod, &u16)| {
            format!("    - {{host: \"{}\", listen: \"127.0.0.1:{port}\", advertise: \"localhost:{port}\"}}\n", host(member.port))
        };
        let entries: String = members.iter().zip(ports).map(entry).collect();
        let file = config_file(&format!("proxy:\n  members:\n{entries}"));
        let mut arguments = vec!["--config".to_owned(), file.to_str().expect("UTF-8").to_owned()];
        arguments.extend(flags.iter().cloned());
        started(Process::start(env!("CARGO_BIN_EXE_doorward"), &arguments))
    }

    /// The part of a connection string behind `mongodb://user:password@`, for TLS with the CA of these tests.
    pub(crate) fn seeds(&self) -> String {
        let seeds: Vec<String> = self.ports.iter().map(|port| format!("localhost:{port}")).collect();
        format!("{}/?replicaSet=rs&authSource=admin&tls=true&tlsCAFile={}", seeds.join(","), pki().ca_file())
    }
}
