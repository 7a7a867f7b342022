//! The tests. They fetch mongod and pymongo with the scripts of `tests/support`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a string must be good for: it writes, reads, and says who it is.
const PYTHON: &str = "
import sys, pymongo
with pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=20000) as client:
    [user] = client.admin.command('connectionStatus')['authInfo']['authenticatedUsers']
    client.test.notes.insert_one({'by': user['user']})
    assert client.test.notes.count_documents({'by': user['user']}) > 0
    print(user['user'] + '@' + user['db'])
";

/// A running `doorward dev`. What is left of it is stopped when the value goes: its children end with it.
struct Dev {
    process: Child,
    output: String,
}

impl Dev {
    /// Starts it and reads what it prints up to the last line.
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("dev").arg("--dir").arg(folder).arg("--port").arg(port.to_string()).env("MONGOD", tool("get-mongod", &[]));
        let process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut dev = Self { process, output: String::new() };
        let mut lines = BufReader::new(dev.process.stdout.take().unwrap());
        while !dev.output.contains("Ctrl-C") {
            assert!(lines.read_line(&mut dev.output).unwrap() > 0, "it ended: {}", dev.output);
        }
        dev
    }

    /// What stands between the brackets of `pymongo.MongoClient("…")`.
    fn strings(&self) -> Vec<String> {
        let lines = self.output.lines().filter_map(|line| line.trim().strip_prefix("pymongo.MongoClient(\""));
        lines.map(|line| line.trim_end_matches("\")").to_owned()).collect()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        within(Duration::from_secs(60), || self.process.try_wait().unwrap())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Looks again and again, because an end that is not our child's can not be waited for.
fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "nothing after {limit:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The output of a script of `tests/support`.
fn tool(name: &str, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(name);
    let output = Command::new(script).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{name}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The processes with the folder on their command line: mongod and the proxy.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    // A process may end while this looks at it.
    let lines = entries.filter_map(|file| std::fs::read(file).ok()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    lines.filter(|line| line.contains(folder)).collect()
}

fn python(string: &str) -> String {
    let output =
        Command::new("python3").args(["-c", PYTHON, string]).env("PYTHONPATH", tool("get-client", &["python"])).output().unwrap();
    assert!(output.status.success(), "{string}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn every_printed_string_works_and_ctrl_c_stops_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path());
    let users: Vec<_> = dev.strings().iter().map(|string| python(string)).collect();
    assert_eq!(users, ["admin@admin", "app@admin", "CN=app,OU=clients,O=doorward dev@$external"]);
    dev.signal("-INT");
    assert_eq!(dev.wait().code(), Some(0));
    assert_eq!(processes(folder.path()), [""; 0]);

    // Another start: the same passwords, the same data. SIGTERM does what Ctrl-C does.
    let mut again = Dev::start(folder.path());
    let passwords =
        |dev: &Dev| -> Vec<_> { dev.strings().iter().map(|s| s.split('@').next().unwrap().to_owned()).take(2).collect() };
    assert_eq!(passwords(&again), passwords(&dev));
    assert_eq!(python(&again.strings()[1]), "app@admin");
    again.signal("-TERM");
    assert_eq!(again.wait().code(), Some(0));
}

#[test]
fn mongod_does_not_outlive_a_killed_doorward() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path());
    assert!(processes(folder.path()).iter().any(|line| line.contains("--dbpath")));
    dev.signal("-KILL");
    assert_eq!(dev.wait().code(), None);
    within(Duration::from_secs(60), || processes(folder.path()).is_empty().then_some(()));
}

#[test]
fn a_folder_in_use_and_a_taken_port_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path());
    let second = |port: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["dev", "--port", port, "--dir"]).arg(folder.path()).env("MONGOD", tool("get-mongod", &[]));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let string = dev.strings().remove(0);
    let port = string.split("localhost:").nth(1).unwrap().split('/').next().unwrap();
    assert_eq!(second(port).0, Some(48));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (status, message) = second(&free.to_string());
    assert_eq!(status, Some(1));
    assert!(message.contains("is in use by another doorward dev"), "{message}");
    dev.signal("-INT");
    assert_eq!(dev.wait().code(), Some(0));
}
