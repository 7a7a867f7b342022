//! Whatever the bench started ends with it: when it is done, when it fails, and when it is interrupted.
//!
//! Each process leads a group of its own, so that its children end with it and a terminal's interrupt reaches the bench alone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

/// What is there now.
struct Present {
    groups: BTreeSet<u32>,
    folders: Vec<PathBuf>,
}

static PRESENT: Mutex<Present> = Mutex::new(Present { groups: BTreeSet::new(), folders: Vec::new() });

fn present() -> MutexGuard<'static, Present> {
    PRESENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that ends, with its children, when the value goes.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        // While the lock is held nobody is ended, so that none is forgotten.
        let mut present = present();
        let child = command.process_group(0).spawn().with_context(|| format!("{}", command.get_program().display()))?;
        present.groups.insert(child.id());
        Ok(Self(child))
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { bail!("{status}") }
    }

    /// Interrupts it, as a terminal does, and waits until it ends.
    pub(crate) fn interrupt(&mut self) -> Result<()> {
        kill_process(pid(self.0.id()).context("no process")?, Signal::INT)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end_group(self.0.id());
        present().groups.remove(&self.0.id());
        let _ = self.0.wait();
    }
}

fn pid(process: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process).ok()?)
}

fn end_group(leader: u32) {
    let _ = pid(leader).map(|leader| kill_process_group(leader, Signal::KILL));
}

/// A folder that is removed when the bench is interrupted; otherwise its owner removes it.
pub(crate) fn remove_with_the_bench(folder: &Path) {
    present().folders.push(folder.to_owned());
}

/// From now on an interrupt ends everything before it ends the bench.
pub(crate) fn watch() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let [mut interrupt, mut terminate, mut hang_up] = {
        let _inside = runtime.enter();
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => (), _ = hang_up.recv() => () }
        });
        // Kept until the end: nobody starts another one meanwhile.
        let present = present();
        present.groups.iter().copied().for_each(end_group);
        for folder in &present.folders {
            // Who was told to end may write for a moment yet.
            while folder.exists() && fs::remove_dir_all(folder).is_err() {
                thread::sleep(Duration::from_millis(10));
            }
        }
        eprintln!("interrupted");
        std::process::exit(130)
    });
    Ok(())
}
