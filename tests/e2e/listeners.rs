//! Where a server listens: several addresses, IPv6, unix sockets, and no more connections than allowed.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bson::doc;

use super::support::connection::{Connection, Received};
use super::support::mongod::{on_free_ports, started};
use super::support::process::Process;
use super::support::servers::{Server, config_file, flags, shared_backend, upstream};
use super::support::{PATIENCE, run};

/// Starts doorward with nothing but these flags and the upstream.
fn doorward(more: &str) -> (Process, u16) {
    let config = config_file(&upstream(shared_backend().port));
    let start = || {
        let port = run::free_port();
        let flags = flags(&format!("--config {} --port {port} {more}", config.display()));
        started(Process::start(env!("CARGO_BIN_EXE_doorward"), &flags)).map(|process| (process, port))
    };
    on_free_ports(start).expect("doorward")
}

#[test]
fn every_address_given_is_listened_on_and_no_other() {
    let (_process, port) = doorward("--bind_ip 127.0.0.1,127.0.0.2 --nounixsocket");
    assert!(Connection::plain(port).answers());
    assert!(TcpStream::connect(("127.0.0.2", port)).is_ok());
    assert!(TcpStream::connect(("127.0.0.3", port)).is_err());
}

#[test]
fn ipv6_is_listened_on_when_asked_for() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // This machine has no IPv6.
    }
    let (_process, port) = doorward("--ipv6 --bind_ip 127.0.0.1,::1 --nounixsocket");
    assert!(TcpStream::connect(("::1", port)).is_ok());
}

#[test]
fn the_unix_socket_has_mongods_name_and_permissions_and_goes_at_the_end() {
    let folder = run::folder("sockets");
    let (mut process, port) = doorward(&format!("--bind_ip 127.0.0.1 --unixSocketPrefix {}", folder.display()));
    let path: PathBuf = folder.join(format!("mongodb-{port}.sock"));
    assert_eq!(std::fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o700);
    let mut connection = Connection::unix(&path);
    connection.must(doc! {"hello": 1});
    assert_eq!(super::support::connection::code(&connection.run(&doc! {"find": "x", "$db": "app"}).expect("a reply")), 13);
    process.signal("TERM");
    assert_eq!(process.wait(PATIENCE), Some(0));
    assert!(!path.exists());
}

#[test]
fn connections_over_the_limit_are_closed_without_a_byte() {
    let server = Server::start(&flags("--auth --maxConns 5")).expect("a server");
    let mut kept: Vec<Connection> = (0..5).map(|_| server.connect()).collect();
    assert!(kept.iter_mut().all(Connection::answers));
    kept.push(server.connect()); // mongod takes one more than it says.
    assert!(matches!(server.connect().receive(PATIENCE), Received::Closed));
    drop(kept);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !server.connect().answers() {
        assert!(std::time::Instant::now() < deadline, "a free place is not given away");
    }
}

#[test]
fn a_client_is_told_its_own_address() {
    let server = Server::start(&flags("--noauth")).expect("a server");
    let mut connection = server.connect();
    let reply = connection.must(doc! {"whatsmyuri": 1});
    assert_eq!(reply.get_str("you").ok(), Some(connection.local_address().as_str()), "{reply}");
}
