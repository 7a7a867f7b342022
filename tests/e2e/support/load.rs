//! Clients that work without a pause while something happens to the servers.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bson::{Document, doc};
use serde_json::Value;

use super::PATIENCE;
use super::connection::Connection;

/// A client that writes and reads until told to stop: a program of `tests/drivers`.
pub(crate) struct Load {
    child: Child,
    done: Arc<(Mutex<Done>, Condvar)>,
}

#[derive(Default)]
struct Done {
    outcomes: Vec<Value>,
    ended: bool,
}

impl Load {
    pub(crate) fn start(mut command: Command, uri: &str, collection: &str) -> Self {
        command.env("URI", uri).env("COLLECTION", collection);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a client");
        let done = Arc::new((Mutex::default(), Condvar::new()));
        let (stdout, shared) = (child.stdout.take().expect("piped"), Arc::clone(&done));
        std::thread::spawn(move || read_outcomes(stdout, &shared));
        Self { child, done }
    }

    /// How many operations are done so far, and how many of them failed.
    pub(crate) fn count(&self) -> (usize, usize) {
        let done = self.done.0.lock().expect("the reader does not panic");
        (done.outcomes.len(), done.outcomes.iter().filter(|outcome| outcome["error"].is_string()).count())
    }

    /// Waits until so many more operations are done, from now on.
    pub(crate) fn wait_for(&self, operations: usize) {
        let wanted = self.count().0 + operations;
        self.wait_until(|done| done.outcomes.len() >= wanted);
    }

    /// Tells the client to stop and returns every outcome.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        self.wait_until(|done| done.ended);
        assert!(self.child.wait().expect("an end").success());
        let mut done = self.done.0.lock().expect("the reader does not panic");
        std::mem::take(&mut done.outcomes)
    }

    /// A driver waits for a server for half a minute before it gives up, and may try twice.
    fn wait_until(&self, wanted: impl Fn(&Done) -> bool) {
        let deadline = Instant::now() + 4 * PATIENCE;
        let (lock, changed) = &*self.done;
        let mut done = lock.lock().expect("the reader does not panic");
        while !wanted(&done) {
            assert!(!done.ended, "the client ended; its last outcome: {:?}", done.outcomes.last());
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "the client stands still; its last outcome: {:?}", done.outcomes.last());
            done = changed.wait_timeout(done, left).expect("the reader does not panic").0;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_outcomes(stdout: ChildStdout, done: &(Mutex<Done>, Condvar)) {
    for line in BufReader::new(stdout).lines() {
        let Some(outcome) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { break };
        done.0.lock().expect("nobody panics here").outcomes.push(outcome);
        done.1.notify_all();
    }
    done.0.lock().expect("nobody panics here").ended = true;
    done.1.notify_all();
}

/// The numbers of the documents whose writes were acknowledged.
pub(crate) fn acknowledged(outcomes: &[Value]) -> BTreeSet<i64> {
    outcomes.iter().filter(|outcome| outcome["error"].is_null()).filter_map(|outcome| outcome["number"].as_i64()).collect()
}

/// The numbers of all documents that are there. What the `count` command says without a query is wrong after a kill.
pub(crate) fn found_in(reader: &mut Connection, collection: &str) -> BTreeSet<i64> {
    let distinct = doc! {"distinct": collection, "key": "_id", "readConcern": {"level": "majority"}, "$db": "app"};
    let found: Document = reader.must(distinct);
    let number = |value: &bson::Bson| value.as_i64().or_else(|| value.as_i32().map(i64::from));
    found.get_array("values").expect("values").iter().filter_map(number).collect()
}
