//! Doorward with `proxy.upstream.pooling` before a backend that logs every operation: with the connection that it came on, and the
//! application that the connection says it is.

use std::cell::Cell;

use bson::{Document, doc};

use super::PATIENCE;
use super::connection::{Connection, is_ok};
use super::mongod::Mongod;
use super::pki::pki;
use super::process::Process;
use super::scram::must_log_in;
use super::servers::{config_file, doorward_from, flags, upstream};
use super::wire::{MORE_TO_COME, Message};

/// "Slow query".
pub(crate) const OPERATION: i64 = 51803;

/// How many connections may wait in doorward as a whole, at most: in each of its threads a part, rounded up.
pub(crate) fn most_idle(wanted: usize) -> usize {
    let threads = std::thread::available_parallelism().expect("a number").get();
    wanted.div_ceil(threads) * threads
}

pub(crate) fn config(port: u16, most: usize) -> String {
    upstream(port) + &format!("    pooling: {{maxIdleConnections: {most}}}\n")
}

/// Doorward with pooling before a backend that logs every operation.
pub(crate) struct Pooled<'b> {
    pub(crate) backend: &'b Mongod,
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) marks: Cell<usize>,
}

impl<'b> Pooled<'b> {
    pub(crate) fn before(backend: &'b Mongod) -> Self {
        Self::at(backend, backend.port, "--auth")
    }

    /// With TLS and a login as `__system` toward the backend.
    pub(crate) fn over_tls(backend: &'b Mongod, key: &str) -> Self {
        let upstream = format!(
            "proxy:\n  upstream:\n    address: \"localhost:{}\"\n    authentication: keyFile\n    tls: {{mode: requireTLS, CAFile: {}}}\n    \
             pooling: {{maxIdleConnections: 8}}\n",
            backend.port,
            pki().ca_file(),
        );
        let (process, port) =
            doorward_from(&config_file(&upstream), &flags(&format!("--nounixsocket --keyFile {key}"))).expect("doorward");
        Self { backend, process, port, marks: Cell::new(0) }
    }

    /// At this port of the backend, or of a gate before it.
    pub(crate) fn at(backend: &'b Mongod, port: u16, more: &str) -> Self {
        Connection::plain(backend.port).must(doc! {"profile": 0, "slowms": -1, "$db": "app"});
        let (process, port) =
            doorward_from(&config_file(&config(port, 8)), &flags(&format!("--nounixsocket {more}"))).expect("doorward");
        Self { backend, process, port, marks: Cell::new(0) }
    }

    /// A client of this application that has logged in.
    pub(crate) fn client(&self, application: &str) -> Connection {
        self.client_as(application, "alice", "wonderland")
    }

    pub(crate) fn client_as(&self, application: &str, user: &str, password: &str) -> Connection {
        let mut connection = self.stranger(application, &Document::new());
        must_log_in(&mut connection, user, "admin", password);
        connection
    }

    /// A client of this application that says `more` in its hello and does not log in.
    pub(crate) fn stranger(&self, application: &str, more: &Document) -> Connection {
        let mut connection = Connection::plain(self.port);
        let client =
            doc! {"application": {"name": application}, "driver": {"name": "d", "version": "1"}, "os": {"type": "Linux"}};
        let mut hello = doc! {"hello": 1, "client": client};
        hello.extend(more.clone());
        connection.must(hello);
        connection
    }

    /// A text that no other operation has.
    pub(crate) fn mark(&self) -> String {
        self.marks.set(self.marks.get() + 1);
        format!("mark-{}.", self.marks.get())
    }

    /// Runs a command on `app`, and tells on which connection it ran and of which application that was.
    pub(crate) fn run(&self, client: &mut Connection, mut command: Document) -> (Document, Ran) {
        let mark = self.mark();
        command.extend(doc! {"comment": &mark, "$db": "app"});
        let reply = client.run(&command).unwrap_or_else(|_| panic!("closed instead of answering {command}"));
        (reply, self.ran(&mark))
    }

    pub(crate) fn ran(&self, mark: &str) -> Ran {
        let line = self.backend.process.wait_for_log_where(OPERATION, |line| line["attr"]["command"]["comment"] == mark);
        let line = line.unwrap_or_else(|text| panic!("{mark}: {text}"));
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ran { connection: text(&line["ctx"]), application: text(&line["attr"]["appName"]) }
    }

    pub(crate) fn find(&self, client: &mut Connection) -> Ran {
        let (reply, ran) = self.run(client, doc! {"find": "seed"});
        assert!(is_ok(&reply), "{reply}");
        ran
    }

    /// Writes without wanting an answer, after which a connection is the client's alone.
    pub(crate) fn write_quietly(&self, client: &mut Connection) -> Ran {
        let (mark, id) = (self.mark(), client.request_id());
        let write = doc! {"insert": "quiet", "documents": [{}], "writeConcern": {"w": 0}, "comment": &mark, "$db": "app"};
        client.send(&Message::command(id, MORE_TO_COME, &write)).expect("an open connection");
        self.ran(&mark)
    }

    /// Clients of an application that keep this connection to themselves.
    pub(crate) fn occupy(&self, application: &str, connection: &str) -> Vec<Connection> {
        let mut clients = Vec::new();
        loop {
            let mut client = self.client(application);
            let ran = self.write_quietly(&mut client);
            clients.push(client);
            if ran.connection == connection {
                return clients;
            }
            assert!(clients.len() < 1000, "nobody is given {connection}");
        }
    }

    /// How many connections the backend has.
    pub(crate) fn connections(&self) -> usize {
        let status = Connection::plain(self.backend.port).must(doc! {"serverStatus": 1});
        let current =
            status.get_document("connections").and_then(|connections| connections.get_i32("current")).expect("a number");
        usize::try_from(current).expect("a number")
    }

    /// Whether an operation with this comment runs.
    pub(crate) fn runs(&self, comment: &str) -> bool {
        let reply = Connection::plain(self.backend.port).must(doc! {"currentOp": 1, "command.comment": comment});
        !reply.get_array("inprog").expect("operations").is_empty()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) connection: String,
    pub(crate) application: String,
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
