//! A real mongod on a port and in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use bson::doc;

use super::connection::Connection;
use super::process::Process;
use super::{run, users};

/// "Waiting for connections".
pub(crate) const WAITING_FOR_CONNECTIONS: i64 = 23016;

/// A running mongod.
pub(crate) struct Mongod {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
}

/// A server that did not start: its exit status and what it printed.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) status: Option<i32>,
    pub(crate) printed: String,
}

impl Mongod {
    /// Starts one with the users of `users`.
    pub(crate) fn start(flags: &[String]) -> Result<Self, NotStarted> {
        let folder = run::folder("mongod");
        run::copy_folder(&SEED, &folder);
        Self::start_in(&folder, flags)
    }

    /// Starts one without access control and with the users of `users`, as doorward's backend.
    pub(crate) fn backend() -> Self {
        Self::start(&["--noauth".to_owned()]).expect("a backend")
    }

    /// Starts one on the data that is in `folder`, on a free port.
    pub(crate) fn start_in(folder: &Path, flags: &[String]) -> Result<Self, NotStarted> {
        on_free_ports(|| Self::start_on(run::free_port(), folder, flags))
    }

    /// Starts one on the data that is in `folder` and on this port.
    pub(crate) fn start_on(port: u16, folder: &Path, flags: &[String]) -> Result<Self, NotStarted> {
        let given = |name: &str| flags.iter().any(|flag| flag == name);
        let mut arguments = vec!["--wiredTigerCacheSizeGB".to_owned(), "0.25".to_owned()];
        if !given("--bind_ip_all") {
            arguments.extend(["--bind_ip", "127.0.0.1"].map(String::from));
        }
        if !given("--unixSocketPrefix") {
            arguments.push("--nounixsocket".to_owned());
        }
        if !given("--replSet") {
            arguments.push("--nojournal".to_owned());
        }
        arguments.extend(["--setParameter", "diagnosticDataCollectionEnabled=false", "--dbpath"].map(String::from));
        arguments.extend([folder.to_str().expect("UTF-8").to_owned(), "--port".to_owned(), port.to_string()]);
        arguments.extend(flags.iter().cloned());
        let process = started(Process::start(&PROGRAM, &arguments))?;
        Ok(Self { process, port, folder: folder.to_owned() })
    }

    /// Ends it cleanly.
    pub(crate) fn stop(&mut self) {
        self.process.signal("TERM");
        self.process.wait(super::PATIENCE).expect("an end");
    }
}

/// Waits until a server listens.
pub(crate) fn started(mut process: Process) -> Result<Process, NotStarted> {
    match process.wait_for_log(WAITING_FOR_CONNECTIONS) {
        Ok(_) => Ok(process),
        Err(printed) => Err(NotStarted { status: process.wait(Duration::from_secs(5)), printed }),
    }
}

/// Starts a server on ports that `start` asks for each time; again, but not for ever, when somebody else was faster to take one.
pub(crate) fn on_free_ports<T>(start: impl Fn() -> Result<T, NotStarted>) -> Result<T, NotStarted> {
    let is_taken = |result: &Result<T, NotStarted>| matches!(result, Err(NotStarted { status: Some(48), .. }));
    (0..3).map(|_| start()).find(|result| !is_taken(result)).unwrap_or_else(&start)
}

/// The program, fetched when this machine has none.
static PROGRAM: LazyLock<String> = LazyLock::new(|| tool("get-mongod", &[]));

/// Runs a script of `tests/support` and returns what it prints.
pub(crate) fn tool(script: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(script);
    let output = Command::new(path).args(arguments).output().expect("a script");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Data files with all users, made once and copied for every server.
static SEED: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = run::folder("seed");
    let mut mongod = Mongod::start_in(&folder, &[]).expect("a mongod");
    let mut connection = Connection::plain(mongod.port);
    for command in users::creation() {
        connection.must(command);
    }
    connection.must(doc! {"insert": "seed", "documents": [{"_id": 1, "text": "seed"}], "$db": "app"});
    mongod.stop();
    folder
});
