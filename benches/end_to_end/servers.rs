//! The folder of a run, what lies in it, and the servers that are started there.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::ClientConfig;

use crate::ending::{self, Process};
use crate::load::{Client, DATABASE, Target};
use crate::pki::Pki;

/// A server must answer within this.
const START: Duration = Duration::from_secs(10);
/// The subject of the client's certificate.
pub(crate) const USER: &str = "CN=bench,OU=clients,O=doorward";

/// How a server is started, and where it listens then.
pub(crate) struct Launch {
    pub(crate) command: Command,
    pub(crate) address: SocketAddr,
    /// Where it says why it does not start.
    pub(crate) log: PathBuf,
}

/// The folder of one run with everything that the servers read.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
    servers: AtomicUsize,
    pub(crate) pki: Pki,
    /// What the user does.
    pub(crate) tls: Arc<ClientConfig>,
}

impl Workshop {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        ending::remove_with_the_bench(folder.path());
        let pki = Pki::new(folder.path())?;
        let tls = pki.client(USER)?;
        fs::write(folder.path().join("keyfile"), "benchbench")?;
        fs::set_permissions(folder.path().join("keyfile"), fs::Permissions::from_mode(0o600))?;
        Ok(Self { folder, servers: AtomicUsize::new(0), pki, tls })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `doorward sink`, whose user may read and write one database, as an ordinary application may.
    pub(crate) fn sink(&self, batch: usize) -> Result<(Process, Target)> {
        self.sink_of([USER], batch)
    }

    /// A sink that has these users.
    pub(crate) fn sink_of<'a>(&self, users: impl IntoIterator<Item = &'a str>, batch: usize) -> Result<(Process, Target)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["sink", "--read-write", DATABASE, "--batch-bytes", &batch.to_string()]);
        for user in users {
            command.args(["--x509-user", user]);
        }
        command.stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.split_whitespace().last().context("the sink did not start")?.parse()?;
        Ok((process, Target { address, tls: None, processes: Vec::new(), logs_in: true }))
    }

    /// A folder for what one server reads and writes.
    pub(crate) fn own_folder(&self) -> Result<PathBuf> {
        let folder = self.path(&self.servers.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Starts a server with TLS and waits until it serves a client. Its standard error goes into its log.
    pub(crate) fn start(&self, launch: Launch) -> Result<(Process, Target)> {
        let tls = Some(Arc::clone(&self.tls));
        self.start_as(launch, |address, process| Target { address, tls, processes: vec![process], logs_in: true })
    }

    /// Starts a server and waits until it serves a client of `target`.
    pub(crate) fn start_as(
        &self,
        mut launch: Launch,
        target: impl FnOnce(SocketAddr, u32) -> Target,
    ) -> Result<(Process, Target)> {
        let errors = OpenOptions::new().create(true).append(true).open(&launch.log)?;
        let mut process = Process::start(launch.command.stderr(errors))?;
        let target = target(launch.address, process.0.id());
        let start = Instant::now();
        loop {
            let Err(refusal) = Client::connect(&target) else { return Ok((process, target)) };
            if let Some(status) = process.0.try_wait()? {
                bail!("it ended with {status}: {}", last_lines(&launch.log));
            }
            if start.elapsed() > START {
                return Err(refusal.context(last_lines(&launch.log)));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A program of this machine.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
