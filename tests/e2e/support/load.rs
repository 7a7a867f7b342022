//! Clients that work without a pause while something happens to the servers.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A client that writes and reads until told to stop: `load` of each driver in `tests/drivers`.
pub(crate) struct Load {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    outcomes: Vec<Value>,
}

impl Load {
    pub(crate) fn start(mut command: Command, uri: &str, collection: &str) -> Self {
        command.env("URI", uri).env("COLLECTION", collection);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a client");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines, outcomes: Vec::new() }
    }

    /// Waits until so many more operations are done.
    pub(crate) fn wait_for(&mut self, operations: usize) {
        for _ in 0..operations {
            let line = self.lines.next().expect("the client ended").expect("a line");
            self.outcomes.push(serde_json::from_str(&line).expect("JSON"));
        }
    }

    /// Tells the client to stop and returns every outcome.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        for line in self.lines.by_ref() {
            self.outcomes.push(serde_json::from_str(&line.expect("a line")).expect("JSON"));
        }
        assert!(self.child.wait().expect("an end").success());
        std::mem::take(&mut self.outcomes)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
