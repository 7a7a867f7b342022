//! Every file in `config/` starts as it is, once the paths and ports in it are those of this machine.

use std::path::Path;

use bson::doc;

use super::support::connection::Connection;
use super::support::pki::pki;
use super::support::process::Process;
use super::support::servers::{key_file, shared_backend};
use super::support::{mongod, run, tls};

/// The example files.
fn examples() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let entries = std::fs::read_dir(folder).expect("config/");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect()
}

/// The example with this machine's paths: every absolute path is replaced by what its option needs, every address by ours.
fn localised(text: &str, port: u16) -> String {
    let pki = pki();
    let mut path: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let content = line.split(" #").next().unwrap_or_default().trim_end();
        let Some((name, value)) =
            content.trim_start().split_once(':').filter(|(name, _)| !name.starts_with('#') && !name.starts_with('-'))
        else {
            lines.push(line.to_owned());
            continue;
        };
        let depth = (content.len() - content.trim_start().len()) / 2;
        path.truncate(depth);
        path.push(name);
        let value = value.trim();
        let replacement = match name {
            _ if value.is_empty() => None,
            "CAFile" | "clusterCAFile" => Some(pki.ca_file()),
            "certificateKeyFile" | "clusterFile" if path.contains(&"upstream") => Some(pki.file("member")),
            "certificateKeyFile" | "clusterFile" => Some(pki.file("server")),
            "CRLFile" => Some(pki.empty_crl_file()),
            "keyFile" => Some(key_file()),
            "address" => Some(format!("\"127.0.0.1:{}\"", shared_backend().port)),
            "port" if path == ["net", "port"] => Some(port.to_string()),
            "port" => Some("0".to_owned()),
            "bindIp" => Some("127.0.0.1".to_owned()),
            "pathPrefix" | "path" | "pidFilePath" => Some(run::folder("example").join(name).display().to_string()),
            _ => None,
        };
        lines.push(replacement.map_or_else(|| line.to_owned(), |new| format!("{}{name}: {new}", "  ".repeat(depth))));
    }
    lines.join("\n")
}

#[test]
fn every_example_starts_and_answers() {
    let examples = examples();
    assert!(examples.len() >= 4, "sidecar, gateway, dev, transition: {examples:?}");
    for example in examples {
        let text = std::fs::read_to_string(&example).expect("a file");
        let port = run::free_port();
        let config = localised(&text, port);
        let file = run::private_file("example.conf", &config);
        let _ = std::fs::create_dir_all(file.with_extension("d"));
        let arguments = ["--config".to_owned(), file.display().to_string()];
        let process = Process::start(env!("CARGO_BIN_EXE_doorward"), &arguments);
        let logs_elsewhere = config.contains("destination: file");
        if !logs_elsewhere {
            let _running =
                mongod::started(process).unwrap_or_else(|refused| panic!("{}: {}\n{config}", example.display(), refused.printed));
            assert!(answers(port), "{} does not answer", example.display());
            continue;
        }
        let deadline = std::time::Instant::now() + super::support::PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(std::time::Instant::now() < deadline, "{}: {}\n{config}", example.display(), process.printed());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(answers(port), "{} does not answer", example.display());
    }
}

/// Whether the server answers hello, over TLS with a certificate or without TLS.
fn answers(port: u16) -> bool {
    let hello = doc! {"hello": 1, "$db": "admin"};
    let client = tls::Client::showing(pki().identity("alice"));
    Connection::plain(port).run(&hello).is_ok() || Connection::tls(port, &client).is_ok_and(|mut it| it.run(&hello).is_ok())
}
