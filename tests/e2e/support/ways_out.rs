//! A doorward with ways out (`proxy.egress`) for members that send their peers no credentials.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use super::connection::Connection;
use super::pki::pki;
use super::process::Process;
use super::run;
use super::servers::{config_file, doorward_from, flags, upstream};

/// The `security` settings of a cluster with this keyfile.
pub(crate) fn with_key_file(path: &str, transition: bool) -> String {
    format!("security:\n  keyFile: {path}\n  transitionToAuth: {transition}\n")
}

/// The `security` settings of a cluster with certificates.
pub(crate) const WITH_CERTIFICATES: &str = "security:\n  clusterAuthMode: x509\n";

/// Flags for TLS with this certificate, where clients need none.
pub(crate) fn tls_as(certificate: &str) -> Vec<String> {
    let (ca, own) = (pki().ca_file(), pki().file(certificate));
    let tls = format!("--tlsMode requireTLS --tlsCAFile {ca} --tlsCertificateKeyFile {own}");
    flags(&format!("{tls} --tlsAllowConnectionsWithoutCertificates --nounixsocket"))
}

/// The doorward; nobody uses its front.
pub(crate) struct WaysOut {
    pub(crate) process: Process,
    config: PathBuf,
    behind: u16,
    admin: u16,
    /// Where the ways begin.
    pub(crate) ports: Vec<u16>,
}

impl WaysOut {
    /// Opens a way to each of these ports, for whom this certificate and these settings say.
    pub(crate) fn start(behind: u16, peers: &[u16], certificate: &str, security: &str) -> Self {
        let (admin, ports) = (run::free_port(), peers.iter().map(|_| run::free_port()).collect::<Vec<_>>());
        let config = config_file(&config(behind, admin, &ports, peers, security));
        let (process, _) = doorward_from(&config, &tls_as(certificate)).expect("doorward");
        Self { process, config, behind, admin, ports }
    }

    /// Puts other peers and settings in force.
    pub(crate) fn reload(&self, peers: &[u16], security: &str) {
        run::write_private(&self.config, config(self.behind, self.admin, &self.ports, peers, security));
        self.process.reload();
    }

    /// A connection of the member behind.
    pub(crate) fn connect(&self, number: usize) -> Connection {
        Connection::plain(self.ports[number])
    }

    /// A number on the admin port; 0 for one that is not there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).expect("the admin port");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
        let mut metrics = String::new();
        stream.read_to_string(&mut metrics).expect("an answer");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |line| line.parse().expect("a number"))
    }
}

fn config(behind: u16, admin: u16, ports: &[u16], peers: &[u16], security: &str) -> String {
    let entry = |(port, peer)| format!("    - {{listen: \"127.0.0.1:{port}\", to: \"localhost:{peer}\"}}\n");
    let entries: String = ports.iter().zip(peers).map(entry).collect();
    format!("{}  admin:\n    port: {admin}\n  egress:\n{entries}{security}", upstream(behind))
}
