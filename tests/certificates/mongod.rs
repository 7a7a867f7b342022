//! A real mongod with a certificate corpus' authorities, and a client that shows it certificates.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, Stream};

use super::client::{Always, Anyone};
use super::corpus::{Case, Server};
use super::pki::{Authority, Key, Kind, Template, pem};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The mongod that all tests compare with; fetched when there is none.
pub(crate) fn program() -> OsString {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/get-mongod");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "no mongod could be had");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// A running mongod, ended when it goes.
pub(crate) struct Mongod {
    process: Child,
    port: u16,
    log: Receiver<serde_json::Value>,
    _folder: tempfile::TempDir,
}

impl Drop for Mongod {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mongod {
    pub(crate) fn start(program: &OsString, server: &Server, now: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let key = Key::new(Kind::P256);
        let own = Authority::root(&Template::new("localhost", now), key.clone());
        let certificate = write("own.pem", pem("CERTIFICATE", &own.der) + &key.pem());
        let authorities = write("ca.pem", server.authorities.iter().map(|der| pem("CERTIFICATE", der)).collect());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["--bind_ip", "127.0.0.1", "--tlsMode", "requireTLS", "--port", &port.to_string(), "--dbpath"]);
        command.arg(folder.path()).arg("--tlsCertificateKeyFile").arg(certificate).arg("--tlsCAFile").arg(authorities);
        if let Some(lists) = &server.lists {
            command.arg("--tlsCRLFile").arg(write("crl.pem", lists.iter().map(|der| pem("X509 CRL", der)).collect()));
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (lines, log) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line) {
                    let _ = lines.send(line);
                }
            }
        });
        let mongod = Self { process, port, log, _folder: folder };
        // "Waiting for connections".
        mongod.wait_for(23016);
        mongod
    }

    fn wait_for(&self, id: u64) -> serde_json::Value {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line["id"] == id => return line,
                Ok(line) => seen.push(line.to_string()),
                Err(error) => panic!("no log line {id}: {error}\n{}", seen.join("\n")),
            }
        }
    }

    /// Connects with the certificate; `None` when mongod answers a command, else its reason.
    pub(crate) fn offer(&mut self, case: &Case) -> Option<String> {
        let provider = doorward::tls::provider();
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let chain = case.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let key = Arc::new(CertifiedKey::new(chain, Arc::clone(&case.key.signer)));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(schemes)))
            .with_client_cert_resolver(Arc::new(Always(key)));
        let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = Stream::new(&mut connection, &mut socket);
        let mut header = [0; 16];
        if stream.write_all(&hello()).and_then(|()| stream.read_exact(&mut header)).is_ok() {
            return None;
        }
        let line = self.wait_for(22988);
        let text =
            line["attr"]["error"]["errmsg"].as_str().or_else(|| line["attr"]["error"].as_str()).unwrap_or_default().to_owned();
        Some(text.strip_prefix("SSL peer certificate validation failed: ").unwrap_or(&text).to_owned())
    }
}

/// `{hello: 1, $db: "admin"}` as OP_MSG.
fn hello() -> Vec<u8> {
    let body = b"\x1e\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
    let mut message = Vec::new();
    for field in [16 + 4 + 1 + 31, 1, 0, 2013, 0] {
        message.extend_from_slice(&i32::to_le_bytes(field));
    }
    message.push(0);
    message.extend_from_slice(body);
    let length = u32::try_from(message.len()).unwrap();
    message[..4].copy_from_slice(&length.to_le_bytes());
    let body_length = u32::try_from(body.len()).unwrap();
    message[21..25].copy_from_slice(&body_length.to_le_bytes());
    message
}
