//! Server processes: they end when their value is dropped, and also when the test process is killed.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::PATIENCE;

/// Starts the server and ends it when standard input closes, which happens however the test process ends.
const GUARD: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- 2>&1 &
server=$!
printf '\npid %s\n' $server
( cat <&3 >/dev/null; kill -KILL $server ) 2>/dev/null &
watcher=$!
exec 3<&-
wait $server
status=$?
kill $watcher 2>/dev/null
exit $status
"#;

/// What a process has printed so far.
#[derive(Default)]
struct Output {
    lines: Vec<String>,
    ended: bool,
}

/// A running server.
pub(crate) struct Process {
    guard: Child,
    pid: String,
    output: Arc<(Mutex<Output>, Condvar)>,
}

impl Process {
    /// Starts `program` with `arguments`.
    pub(crate) fn start(program: &str, arguments: &[String]) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A stopped server in an orphaned process group makes the kernel hang up the whole group: it has one of its own.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let output = Arc::new((Mutex::new(Output::default()), Condvar::new()));
        let stdout = guard.stdout.take().expect("piped");
        let shared = Arc::clone(&output);
        std::thread::spawn(move || read_output(stdout, &shared));
        let mut process = Self { guard, pid: String::new(), output };
        let line = process.wait_for("its process id", |line| line.starts_with("pid ")).expect("a process id");
        process.pid = line.trim_start_matches("pid ").to_owned();
        process
    }

    /// Waits until the log has a line of this id; the error is everything printed.
    pub(crate) fn wait_for_log(&self, id: i64) -> Result<Value, String> {
        self.wait_for_log_where(id, |_| true)
    }

    /// Waits until the log has a line of this id that `matches`; the error is everything printed.
    pub(crate) fn wait_for_log_where(&self, id: i64, matches: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let wanted = |line: &str| log_line(line).filter(|value| value["id"] == id && matches(value)).is_some();
        let line = self.wait_for(&format!("log {id}"), wanted)?;
        log_line(&line).ok_or_else(|| "not a log line".to_owned())
    }

    /// Waits for a log line after the first `known` ones that `matches`.
    pub(crate) fn wait_for_new_log(&self, known: usize, matches: impl Fn(&Value) -> bool) -> Value {
        let count = std::cell::Cell::new(0);
        let wanted = |line: &str| {
            log_line(line).is_some_and(|value| {
                count.set(count.get() + 1);
                count.get() > known && matches(&value)
            })
        };
        let line = self.wait_for("a log line", wanted).unwrap_or_else(|text| panic!("{text}"));
        log_line(&line).expect("a log line")
    }

    /// Waits until a printed line is `wanted`, which is asked once for each line, in order.
    fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        let (lock, changed) = &*self.output;
        let mut output = lock.lock().expect("the reader does not panic");
        let mut seen = 0;
        loop {
            if let Some(line) = output.lines.iter().skip(seen).find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            seen = output.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if output.ended || left.is_zero() {
                let last = output.lines.len().saturating_sub(20);
                return Err(format!(
                    "{what} did not come (ended: {}); the last lines:\n{}",
                    output.ended,
                    output.lines[last..].join("\n")
                ));
            }
            output = changed.wait_timeout(output, left).expect("the reader does not panic").0;
        }
    }

    /// The log lines so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.output.0.lock().expect("the reader does not panic").lines.iter().filter_map(|line| log_line(line)).collect()
    }

    /// Everything printed so far.
    pub(crate) fn printed(&self) -> String {
        self.output.0.lock().expect("the reader does not panic").lines.join("\n")
    }

    /// Sends a signal by its name, such as `TERM` or `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid]).status().expect("kill");
        assert!(sent.success(), "the process {} is gone", self.pid);
    }

    /// Stops the process and waits until each of its threads stands still: on a busy machine they go on for a while.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        let deadline = Instant::now() + PATIENCE;
        while !self.threads().iter().all(|stat| stat.contains(") T ")) {
            assert!(Instant::now() < deadline, "the process {} goes on", self.pid);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What the kernel says of each thread.
    fn threads(&self) -> Vec<String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).expect("threads");
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()).collect()
    }

    /// Tells doorward to reload, and waits until it has done so.
    pub(crate) fn reload(&self) {
        let known = self.log().len();
        self.signal("HUP");
        self.wait_for_new_log(known, |line| line["id"] == 4_913_400);
    }

    /// Waits for the end and returns the exit status; `None` when it does not come in time.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<i32> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.guard.try_wait().expect("a child") {
                return status.code();
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory that the process ever had, in bytes.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("a running process");
        let line = status.lines().find(|line| line.starts_with(name)).expect(name);
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

fn log_line(line: &str) -> Option<Value> {
    line.starts_with('{').then(|| serde_json::from_str(line).ok()).flatten()
}

fn read_output(stdout: impl std::io::Read, output: &(Mutex<Output>, Condvar)) {
    for line in BufReader::new(stdout).split(b'\n') {
        let Ok(line) = line else { break };
        output.0.lock().expect("no one panics here").lines.push(String::from_utf8_lossy(&line).into_owned());
        output.1.notify_all();
    }
    output.0.lock().expect("no one panics here").ended = true;
    output.1.notify_all();
}
