//! A child process that never outlives this one, even when this one is killed.
//!
//! A small shell waits for the end of a pipe that only this process holds open, then sends the child SIGTERM. Both stand in
//! process groups of their own, so that Ctrl-C in a terminal reaches doorward alone, which then ends them in order.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

/// After SIGTERM a child has this long before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The child and its watcher.
pub(super) struct Ward {
    child: Child,
    watcher: Child,
}

impl Ward {
    /// Starts `command` with its watcher.
    ///
    /// # Errors
    /// One of both could not be started.
    pub(super) fn start(command: &mut std::process::Command) -> io::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut command = Command::from(std::mem::replace(command, std::process::Command::new("")));
        let mut child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|cause| io::Error::new(cause.kind(), format!("{program}: {cause}")))?;
        let process = child.id().map(|id| id.to_string()).unwrap_or_default();
        let mut watcher = Command::new("sh");
        watcher.args(["-c", "cat >/dev/null; kill -TERM \"$1\" 2>/dev/null", "sh", &process]);
        match watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn() {
            Ok(watcher) => Ok(Self { child, watcher }),
            Err(cause) => {
                child.start_kill()?;
                Err(cause)
            }
        }
    }

    /// Whether it has ended, and how.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end. Cancel safe.
    pub(super) async fn ended(&mut self) -> String {
        self.child.wait().await.map_or_else(|cause| cause.to_string(), |status| status.to_string())
    }

    /// Sends SIGTERM and waits for the end; kills what does not end.
    pub(super) async fn stop(mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            // Its process id may be another's by now: the watcher must not use it.
            let _ = self.watcher.kill().await;
            return;
        }
        // The end of the pipe is what the watcher waits for.
        drop(self.watcher.stdin.take());
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let _ = self.watcher.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_is_stopped_by_sigterm() {
        let mut script = std::process::Command::new("sleep");
        let mut ward = Ward::start(script.arg("60")).unwrap();
        assert!(ward.status().unwrap().is_none());
        let process = ward.child.id().unwrap();
        tokio::time::timeout(Duration::from_secs(10), ward.stop()).await.unwrap();
        assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let refusal = Ward::start(&mut std::process::Command::new("/nowhere/mongod")).err().unwrap();
        assert!(refusal.to_string().contains("/nowhere/mongod"));
    }
}
