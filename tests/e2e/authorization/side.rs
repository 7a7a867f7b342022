//! One of the two servers, with a connection for each user.

use std::sync::Arc;

use bson::{Document, doc};

use super::data::{self, Case, Step, User, Who};
use super::encode::{Values, message};
use super::outcome::Outcome;
use crate::support::connection::Connection;
use crate::support::mongod::Mongod;
use crate::support::process::Process;
use crate::support::run;
use crate::support::scram::must_log_in;
use crate::support::servers::{KEY, Server, Target, flags, key_file};

/// "Transition to primary complete; database writes are now permitted".
const PRIMARY: i64 = 21331;

/// The password of all users.
const PASSWORD: &str = "p";

/// A cursor that nobody has.
const NO_CURSOR: i64 = 1_234_567;

/// A server with access control.
pub(crate) struct Side {
    port: u16,
    users: Vec<User>,
    connections: Vec<Connection>,
    _processes: (Arc<Mongod>, Option<Process>),
}

impl Side {
    /// Starts a single-node replica set with access control, or doorward in front of one without.
    pub(crate) fn start(target: Target) -> Self {
        let access_control = flags(&format!("--auth --keyFile {}", key_file()));
        let mongod_flags = if target == Target::Mongod { access_control.clone() } else { flags("--noauth") };
        let mongod = Arc::new(replica_set(&mongod_flags));
        let (port, doorward) = match target {
            Target::Mongod => (mongod.port, None),
            Target::Doorward => {
                let server = Server::doorward(&mongod, &access_control).expect("doorward");
                (server.port, Some(server.process))
            }
        };
        let users = data::users();
        let connections = users.iter().map(|user| connect(port, user)).collect();
        Self { port, users, connections, _processes: (mongod, doorward) }
    }

    /// The outcome of each case for each user.
    pub(crate) fn run(&mut self, cases: &[Case]) -> Vec<Vec<Outcome>> {
        cases.iter().map(|case| (0..self.users.len()).map(|user| self.outcome(case, user)).collect()).collect()
    }

    /// The names of all commands.
    pub(crate) fn commands(&mut self) -> Vec<String> {
        let reply = self.connections[0].must(doc! {"listCommands": 1});
        reply.get_document("commands").expect("commands").keys().cloned().collect()
    }

    fn outcome(&mut self, case: &Case, user: usize) -> Outcome {
        let mut cursor = NO_CURSOR;
        for step in &case.before {
            let reply = self.step(step, user);
            let opened = reply.as_ref().and_then(|reply| reply.get_document("cursor").ok()?.get_i64("id").ok());
            cursor = opened.filter(|id| *id != 0).unwrap_or(NO_CURSOR);
        }
        let values = Values { user: &self.users[user], cursor };
        let connection = &mut self.connections[user];
        let request = message(connection.request_id(), &case.database, &case.command, case.sequence.as_ref(), &values);
        let reply = connection.exchange(&request);
        if reply.is_err() || case.reconnect {
            self.connections[user] = connect(self.port, &self.users[user]);
        }
        let Ok(reply) = reply else { return Outcome::closed() };
        let outcome = Outcome::of(&reply.document, case.output.as_deref());
        if outcome.code == 0 {
            case.reset.iter().for_each(|step| drop(self.step(step, user)));
        }
        outcome
    }

    fn step(&mut self, step: &Step, user: usize) -> Option<Document> {
        let who = match &step.who {
            Who::Same => user,
            Who::User(name) => self.users.iter().position(|user| user.name == *name).expect("a user"),
        };
        let values = Values { user: &self.users[who], cursor: NO_CURSOR };
        let connection = &mut self.connections[who];
        let request = message(connection.request_id(), &step.database, &step.command, None, &values);
        connection.exchange(&request).ok().map(|reply| reply.document)
    }
}

fn connect(port: u16, user: &User) -> Connection {
    let mut connection = Connection::plain(port);
    let password = if user.is_member() { KEY } else { PASSWORD };
    must_log_in(&mut connection, &user.name, &user.database, password);
    connection
}

/// A primary with all users, roles and data.
fn replica_set(more: &[String]) -> Mongod {
    let few = "--replSet rs --setParameter scramSHA256IterationCount=5000 --setParameter scramIterationCount=5000";
    let mongod = Mongod::start_in(&run::folder("authorization"), &[flags(few), more.to_vec()].concat()).expect("a mongod");
    let mut connection = Connection::plain(mongod.port);
    if more.iter().any(|flag| flag == "--auth") {
        must_log_in(&mut connection, "__system", "local", KEY);
    }
    let member = doc! {"_id": 0, "host": format!("127.0.0.1:{}", mongod.port)};
    connection.must(doc! {"replSetInitiate": {"_id": "rs", "members": [member]}});
    mongod.process.wait_for_log(PRIMARY).expect("a primary");
    for step in data::setup() {
        let mut command = step.command;
        command.insert("$db", step.database);
        connection.must(command);
    }
    for role in data::roles() {
        connection.must(doc! {"createRole": role.name, "privileges": role.privileges, "roles": role.roles, "$db": role.database});
    }
    for user in data::users().into_iter().filter(|user| !user.is_member()) {
        connection.must(doc! {"createUser": user.name, "pwd": PASSWORD, "roles": user.roles, "$db": user.database});
    }
    mongod
}
