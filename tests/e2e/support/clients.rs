//! Real clients: pymongo, the Node driver, mongosh and the Rust driver, each a program of `tests/drivers`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use super::mongod::tool;
use super::run;

/// A client program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Python,
    Node,
    Mongosh,
    Rust,
}

static PYTHON: LazyLock<String> = LazyLock::new(|| tool("get-client", &["python"]));
static NODE: LazyLock<String> = LazyLock::new(|| tool("get-client", &["node"]));
static RUST: LazyLock<String> = LazyLock::new(|| tool("get-client", &["rust"]));

/// A file of `tests/drivers`.
fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers").join(name).to_str().expect("UTF-8").to_owned()
}

/// A command that runs a script with pymongo at hand.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(file(script)).env("PYTHONPATH", &*PYTHON).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A command that runs a script with the Node driver at hand.
pub(crate) fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(file(script)).env("NODE_PATH", format!("{}/node_modules", *NODE));
    command
}

/// A command that runs the program built on the Rust driver.
pub(crate) fn rust() -> Command {
    Command::new(&*RUST)
}

fn mongosh(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(format!("{}/node_modules/mongosh/bin/mongosh.js", *NODE));
    command.args(["--nodb", "--quiet", "--norc", &file(script)]).env("HOME", run::folder("home"));
    command
}

impl Client {
    /// Runs the cases, one JSON object each, and returns their outcomes in the same order.
    pub(crate) fn run(self, cases: &[Value]) -> Vec<Value> {
        let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
        let mut command = match self {
            Self::Python => python("python/driver.py"),
            Self::Node => node("node/driver.js"),
            Self::Rust => rust(),
            Self::Mongosh => mongosh("node/mongosh.js"),
        };
        command.env("CASES", run::private_file("cases.jsonl", &lines));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a client");
        child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("a client that reads");
        let output = child.wait_with_output().expect("an end");
        let printed = String::from_utf8_lossy(&output.stdout);
        let outcomes: Vec<Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(outcomes.len(), cases.len(), "{self:?} ended early:\n{printed}\n{errors}");
        outcomes
    }
}
