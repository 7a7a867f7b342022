//! The processes under measurement: the sink, doorward, HAProxy. Each ends when its value goes.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use doorward::certs::{Authority, Purpose, Request};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::load::{Client, DATABASE, Target};

/// A server must answer within this.
const START: Duration = Duration::from_secs(10);
/// The subject of the client's certificate.
const USER: &str = "CN=bench,OU=clients,O=doorward";

/// Under `security`: whether doorward authorizes commands.
#[derive(Clone, Copy)]
pub(crate) enum Security {
    /// As it is by default.
    Enabled,
    Disabled,
    /// Nothing is enforced; what would be refused is recorded.
    Transition,
}

/// A process that is killed when the value goes.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("{}", command.get_program().display()))?))
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { bail!("{status}") }
    }

    /// Interrupts it, as a terminal does, and waits until it ends.
    pub(crate) fn interrupt(&mut self) -> Result<()> {
        Command::new("kill").arg("-INT").arg(self.0.id().to_string()).status()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder of one run with everything that the servers read.
pub(crate) struct Workshop {
    folder: tempfile::TempDir,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Workshop {
    /// Makes the PKI. The client pins version, group and cipher, so that every proxy does the same work.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let request = |subject: &str, names: &[&str]| Request {
            subject: subject.into(),
            names: names.iter().map(ToString::to_string).collect(),
            days: 30,
        };
        let (authority, ca) = Authority::create(&request("CN=bench CA", &[]))?;
        let server = authority.sign(&request("CN=localhost", &["localhost", "127.0.0.1"]), Purpose::Server)?;
        let client = authority.sign(&request(USER, &[]), Purpose::Client)?;
        fs::write(folder.path().join("ca.pem"), &ca.certificate)?;
        fs::write(folder.path().join("server.pem"), server.joined())?;
        fs::write(folder.path().join("keyfile"), "benchbench")?;
        fs::set_permissions(folder.path().join("keyfile"), fs::Permissions::from_mode(0o600))?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.certificate.as_bytes())?)?;
        let mut provider: CryptoProvider = aws_lc_rs::default_provider();
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let mut tls = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(client.certificate.as_bytes())?],
                PrivateKeyDer::from_pem_slice(client.key.as_bytes())?,
            )?;
        tls.resumption = Resumption::disabled();
        Ok(Self { folder, tls: Arc::new(tls) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `doorward sink`, whose user may read and write one database, as an ordinary application may.
    pub(crate) fn sink(&self, batch: usize) -> Result<(Process, Target)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["sink", "--x509-user", USER, "--read-write", DATABASE, "--batch-bytes", &batch.to_string()]);
        command.stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.split_whitespace().last().context("the sink did not start")?.parse()?;
        Ok((process, Target { address, tls: None, process: None }))
    }

    /// Starts `program`, a doorward, before `sink`.
    pub(crate) fn doorward(&self, name: &str, program: &Path, sink: SocketAddr, security: Security) -> Result<(Process, Target)> {
        let (mut command, address) = self.command(name, program, sink, security)?;
        let (errors, log) = (self.path(&format!("{name}.err")), self.path(&format!("{name}.log")));
        self.started(&mut command, address, &errors).with_context(|| format!("{name} did not start {}", last_lines(&log)))
    }

    /// How `program`, a doorward, is started before `sink`, and where it listens then.
    pub(crate) fn command(
        &self,
        name: &str,
        program: &Path,
        sink: SocketAddr,
        security: Security,
    ) -> Result<(Command, SocketAddr)> {
        let path = |end: &str| self.path(&format!("{name}.{end}"));
        let (address, file, log) = (free_address()?, path("conf"), path("log"));
        let security = match security {
            Security::Enabled => "authorization: enabled".to_owned(),
            Security::Disabled => "authorization: disabled".to_owned(),
            Security::Transition => format!("transitionToAuth: true, keyFile: {}", self.path("keyfile").display()),
        };
        let text = format!(
            "net:\n  port: {port}\n  bindIp: 127.0.0.1\n  unixDomainSocket: {{enabled: false}}\n  tls:\n    mode: requireTLS\n    \
             certificateKeyFile: {server}\n    CAFile: {ca}\nsecurity: {{{security}}}\nsystemLog:\n  \
             destination: file\n  path: {log}\n  quiet: true\nproxy:\n  upstream: {{address: \"{sink}\"}}\n",
            port = address.port(),
            server = self.path("server.pem").display(),
            ca = self.path("ca.pem").display(),
            log = log.display(),
        );
        fs::write(&file, text)?;
        let mut command = Command::new(program);
        command.arg("--config").arg(&file).stdout(Stdio::null());
        Ok((command, address))
    }

    /// Starts HAProxy before `sink`: TCP mode, the same certificates, as many threads as doorward has; `None` when not installed.
    pub(crate) fn haproxy(&self, sink: SocketAddr) -> Result<Option<(Process, Target)>> {
        let Some(program) = find("haproxy") else { return Ok(None) };
        let (address, file) = (free_address()?, self.path("haproxy.cfg"));
        let text = format!(
            "global\n  nbthread {threads}\n  maxconn 4000\n  ssl-server-verify none\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
             timeout client 1h\n  timeout server 1h\nfrontend clients\n  bind {address} ssl crt {server} ca-file {ca} \
             verify required ssl-min-ver TLSv1.3 curves X25519 no-tls-tickets\n  default_backend sink\nbackend sink\n  \
             server sink {sink}\n",
            threads = thread::available_parallelism()?,
            server = self.path("server.pem").display(),
            ca = self.path("ca.pem").display(),
        );
        fs::write(&file, text)?;
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&file).stdout(Stdio::null());
        self.started(&mut command, address, &self.path("haproxy.log")).context("HAProxy did not start").map(Some)
    }

    /// Starts `command` and waits until it serves a client. Its standard error goes into `log`.
    fn started(&self, command: &mut Command, address: SocketAddr, log: &Path) -> Result<(Process, Target)> {
        let errors = OpenOptions::new().create(true).append(true).open(log)?;
        let mut process = Process::start(command.stderr(errors))?;
        let target = Target { address, tls: Some(Arc::clone(&self.tls)), process: Some(process.0.id()) };
        let start = Instant::now();
        loop {
            let Err(refusal) = Client::connect(&target) else { return Ok((process, target)) };
            if let Some(status) = process.0.try_wait()? {
                bail!("it ended with {status}: {}", last_lines(log));
            }
            if start.elapsed() > START {
                return Err(refusal.context(last_lines(log)));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
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

/// The time that a process had a processor so far, in seconds. Its threads are counted one by one because the kernel tells theirs in
/// nanoseconds and the process's in hundredths of a second.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // One that ended meanwhile takes its time with it: it was none of those that serve.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split_whitespace().next().context("schedstat")?.parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// Resident memory of a process in KiB.
pub(crate) fn resident_memory(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
