//! The server under test: a real mongod, or doorward in front of a mongod without access control, with the same flags.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::connection::Connection;
use super::mongod::{Mongod, NotStarted, on_free_ports, started};
use super::pki::pki;
use super::process::Process;
use super::{run, tls};

/// Which server a suite runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Mongod,
    Doorward,
}

/// Doorward, unless `DOORWARD_E2E_TARGET` is `mongod`.
pub(crate) fn target() -> Target {
    match std::env::var("DOORWARD_E2E_TARGET").as_deref() {
        Ok("mongod") => Target::Mongod,
        Ok("doorward") | Err(_) => Target::Doorward,
        Ok(other) => panic!("DOORWARD_E2E_TARGET is {other}: mongod or doorward"),
    }
}

/// A running server under test.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// The mongod behind doorward.
    pub(crate) backend: Option<Arc<Mongod>>,
}

impl Server {
    /// Starts the server of this run with these flags; users are those of `users`. Doorward shares one backend with other tests.
    pub(crate) fn start(flags: &[String]) -> Result<Self, NotStarted> {
        Self::start_as(target(), flags)
    }

    /// Starts either server with these flags.
    pub(crate) fn start_as(target: Target, flags: &[String]) -> Result<Self, NotStarted> {
        match target {
            Target::Doorward => Self::doorward(&shared_backend(), flags),
            Target::Mongod => {
                let Mongod { process, port, .. } = Mongod::start(flags)?;
                Ok(Self { process, port, backend: None })
            }
        }
    }

    /// Starts either server; doorward gets a backend of its own.
    pub(crate) fn start_alone(target: Target, flags: &[String]) -> Result<Self, NotStarted> {
        match target {
            Target::Doorward => Self::doorward(&Arc::new(Mongod::backend()), flags),
            Target::Mongod => Self::start_as(target, flags),
        }
    }

    /// Starts doorward in front of this backend.
    pub(crate) fn doorward(backend: &Arc<Mongod>, flags: &[String]) -> Result<Self, NotStarted> {
        // mongod 6.0.5 has no limit of its own before authentication, and the expected answers are its.
        let limit = ["--setParameter", "preAuthMaximumMessageSizeBytes=48000000"].map(String::from);
        let flags: Vec<String> = flags.iter().cloned().chain(limit).collect();
        let (process, port) = doorward(&upstream(backend.port), &flags)?;
        Ok(Self { process, port, backend: Some(Arc::clone(backend)) })
    }

    /// A new connection without TLS.
    pub(crate) fn connect(&self) -> Connection {
        Connection::plain(self.port)
    }

    /// A new TLS connection that shows the certificate of this name.
    pub(crate) fn connect_as(&self, certificate: &str) -> Connection {
        let client = tls::Client::showing(pki().identity(certificate));
        Connection::tls(self.port, &client).expect("a handshake")
    }
}

/// The smallest configuration file.
pub(crate) fn upstream(port: u16) -> String {
    format!("proxy:\n  upstream:\n    address: \"127.0.0.1:{port}\"\n    authentication: none\n")
}

/// Starts doorward with this configuration file and these flags on a free port, without a unix socket.
pub(crate) fn doorward(config: &str, flags: &[String]) -> Result<(Process, u16), NotStarted> {
    doorward_with(config, &[flags, &["--nounixsocket".to_owned()]].concat())
}

/// Starts doorward with this configuration file and these flags on a free port.
pub(crate) fn doorward_with(config: &str, flags: &[String]) -> Result<(Process, u16), NotStarted> {
    doorward_from(&config_file(config), flags)
}

/// Starts doorward with the configuration file at this path, which the test may change later, and these flags on a free port.
pub(crate) fn doorward_from(file: &Path, flags: &[String]) -> Result<(Process, u16), NotStarted> {
    on_free_ports(|| {
        let port = run::free_port();
        doorward_on(port, file, flags).map(|process| (process, port))
    })
}

/// Starts doorward with the configuration file at this path and these flags on this port.
pub(crate) fn doorward_on(port: u16, file: &Path, flags: &[String]) -> Result<Process, NotStarted> {
    let mut arguments = vec!["--config".to_owned(), file.to_str().expect("UTF-8").to_owned()];
    arguments.extend(["--bind_ip", "127.0.0.1", "--port"].map(String::from));
    arguments.push(port.to_string());
    arguments.extend(flags.iter().cloned());
    started(Process::start(env!("CARGO_BIN_EXE_doorward"), &arguments))
}

/// Writes a configuration file.
pub(crate) fn config_file(content: &str) -> PathBuf {
    run::private_file("doorward.conf", content)
}

/// A backend for tests that do not disturb each other: they use names of their own and leave the users as they are.
pub(crate) fn shared_backend() -> Arc<Mongod> {
    static BACKEND: LazyLock<Arc<Mongod>> = LazyLock::new(|| Arc::new(Mongod::backend()));
    Arc::clone(&BACKEND)
}

/// Flags from a text with spaces between them.
pub(crate) fn flags(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Flags that switch TLS on with the server's certificate and the CA of these tests.
pub(crate) fn tls_flags(mode: &str) -> Vec<String> {
    let pki = pki();
    flags(&format!("--tlsMode {mode} --tlsCertificateKeyFile {} --tlsCAFile {}", pki.file("server"), pki.ca_file()))
}

/// The key of the cluster of these tests.
pub(crate) const KEY: &str = "doorwardTestClusterKey0";

/// A second key, accepted beside the first.
pub(crate) const SECOND_KEY: &str = "doorwardTestClusterKey1";

/// A file with both keys.
pub(crate) fn key_file() -> String {
    let path = run::private_file("keyfile", format!("- {KEY}\n- {SECOND_KEY}\n"));
    path.to_str().expect("UTF-8").to_owned()
}
