//! Every file in `config/` starts as it is, once the paths and ports in it are those of this machine.

use std::path::Path;
use std::sync::Arc;

use bson::doc;

use super::support::connection::Connection;
use super::support::mongod::Mongod;
use super::support::pki::pki;
use super::support::servers::{doorward_with, flags, key_file, shared_backend, tls_flags};
use super::support::{run, tls};

/// The example files.
fn examples() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let entries = std::fs::read_dir(folder).expect("config/");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect()
}

/// A backend as the example wants it.
fn backend_for(text: &str) -> Arc<Mongod> {
    let with = |flags: Vec<String>| Arc::new(Mongod::start(&flags).expect("a backend"));
    if text.contains("\n    authentication: x509") {
        with([tls_flags("requireTLS"), flags("--clusterAuthMode x509")].concat())
    } else if text.contains("\n    authentication: keyFile") {
        with(flags(&format!("--keyFile {}", key_file())))
    } else {
        shared_backend()
    }
}

/// The example with this machine's paths: what names a file gets one of these tests, the upstream is our backend.
fn localised(text: &str, backend: u16) -> String {
    let mut sections: Vec<String> = Vec::new();
    let lines = text.lines().map(|line| {
        let content = line.split(" #").next().unwrap_or_default();
        let indent = content.len() - content.trim_start().len();
        let Some((name, value)) = content.trim().split_once(':').filter(|(name, _)| !name.starts_with(['#', '-'])) else {
            return line.to_owned();
        };
        sections.truncate(indent / 2);
        sections.push(name.to_owned());
        let option = sections.join(".");
        let replacement = replacement(&option, backend).filter(|_| !value.trim().is_empty());
        replacement.map_or_else(|| line.to_owned(), |new| format!("{}{name}: {new}", &content[..indent]))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What an option must say on this machine.
fn replacement(option: &str, backend: u16) -> Option<String> {
    let pki = pki();
    let of_upstream = option.starts_with("proxy.upstream.");
    Some(match option.rsplit('.').next()? {
        "CAFile" | "clusterCAFile" => pki.ca_file(),
        "certificateKeyFile" | "clusterFile" => pki.file(if of_upstream { "member" } else { "server" }),
        "CRLFile" => pki.empty_crl_file(),
        "keyFile" if option == "proxy.tls.keyFile" => pki.file("server"),
        "keyFile" => key_file(),
        "address" => format!("localhost:{backend}"),
        "port" if option.starts_with("proxy.admin") => "0".to_owned(),
        "path" | "pidFilePath" => run::folder("example").join("file").display().to_string(),
        _ => return None,
    })
}

/// The example with members of this machine, and the port of the first; `None` if it has none.
fn with_members(text: &str, backend: u16) -> (String, Option<u16>) {
    let names = [("db1.internal.example", "localhost"), ("db2.internal.example", "127.0.0.1"), ("db3.internal.example", "[::1]")];
    let mut text = text.to_owned();
    for (name, local) in names {
        text = text.replace(&format!("{name}:27017"), &format!("{local}:{backend}"));
    }
    let mut first = None;
    for port in [27017, 27018, 27019] {
        let listen = format!("listen: \"0.0.0.0:{port}\"");
        if text.contains(&listen) {
            let free = run::free_port();
            first = first.or(Some(free));
            text = text.replace(&listen, &format!("listen: \"127.0.0.1:{free}\""));
        }
    }
    (text, first)
}

#[test]
fn every_example_starts_and_answers() {
    let examples = examples();
    assert!(examples.len() >= 5, "sidecar, gateway, replica set, dev, transition: {examples:?}");
    for example in examples {
        let text = std::fs::read_to_string(&example).expect("a file");
        let backend = backend_for(&text);
        let (config, first_member) = with_members(&localised(&text, backend.port), backend.port);
        // Logged to standard output, where the start is seen.
        let config = config.replace("destination: file", "quiet: false").replace("logAppend: true", "verbosity: 0");
        let config: Vec<&str> = config.lines().filter(|line| !line.trim_start().starts_with("path:")).collect();
        let sockets = run::folder("sockets");
        let started = doorward_with(&config.join("\n"), &["--unixSocketPrefix".to_owned(), sockets.display().to_string()]);
        let (_process, port) = started.unwrap_or_else(|refused| panic!("{}: {}", example.display(), refused.printed));
        assert!(answers(first_member.unwrap_or(port)), "{} does not answer", example.display());
    }
}

/// Whether the server answers hello, over TLS with a certificate or without TLS.
fn answers(port: u16) -> bool {
    let hello = doc! {"hello": 1, "$db": "admin"};
    let client = tls::Client::showing(pki().identity("alice"));
    Connection::plain(port).run(&hello).is_ok() || Connection::tls(port, &client).is_ok_and(|mut it| it.run(&hello).is_ok())
}
