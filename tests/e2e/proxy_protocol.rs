//! The PROXY protocol: a balancer tells whose connection it passes on, and that is the client in log, restrictions and exceptions;
//! nobody else can tell. And doorward tells a server behind that wants to know.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;

use bson::doc;

use super::support::balancer::Balancer;
use super::support::clients::Client;
use super::support::connection::{Connection, code};
use super::support::mongod::Mongod;
use super::support::pki::pki;
use super::support::process::Process;
use super::support::scram::{Login, Mechanism, must_log_in};
use super::support::servers::{KEY, config_file, doorward, doorward_from, flags, key_file, shared_backend, tls_flags, upstream};
use super::support::wire::Message;
use super::support::{PATIENCE, gate, run, tls};

/// "Connection accepted" and "Error receiving request from client. Ending connection from remote".
const CONNECTION_ACCEPTED: i64 = 22943;
const BROKEN_OFF: i64 = 22988;

/// Takes headers from the tests' own address, or from an address that they do not have.
const FROM_HERE: &str = "--proxyProxyProtocolFrom 127.0.0.1/32";
const FROM_ELSEWHERE: &str = "--proxyProxyProtocolFrom 127.0.0.2/32";

fn start(backend: u16, more: &str) -> (Process, u16) {
    doorward(&upstream(backend), &flags(more)).expect("doorward")
}

/// A header of version 2 as a balancer sends it.
fn version_2(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let octets = |address: SocketAddr| match address {
        SocketAddr::V4(address) => address.ip().octets(),
        SocketAddr::V6(_) => panic!("tests balance IPv4"),
    };
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x12".to_vec();
    header.extend([octets(source), octets(destination)].concat());
    header.extend([source.port().to_be_bytes(), destination.port().to_be_bytes()].concat());
    header.extend(b"\x04\x00\x03abc"); // An extension.
    header
}

/// A connection that began with these bytes.
fn beginning_with(port: u16, header: &[u8]) -> Connection {
    let mut connection = Connection::plain(port);
    connection.send_bytes(header).expect("an open connection");
    connection
}

fn is_told(connection: &mut Connection, address: &str) {
    assert_eq!(connection.must(doc! {"whatsmyuri": 1}).get_str("you").ok(), Some(address));
}

#[test]
fn the_address_in_the_header_is_the_clients() {
    let (process, port) = start(shared_backend().port, &format!("--auth {FROM_HERE}"));
    is_told(&mut beginning_with(port, b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 27017\r\n"), "192.0.2.7:4711");
    is_told(&mut beginning_with(port, b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 27017\r\n"), "[2001:db8::7]:4711");
    let header = version_2("192.0.2.8:4712".parse().expect("an address"), "192.0.2.1:27017".parse().expect("an address"));
    is_told(&mut beginning_with(port, &header), "192.0.2.8:4712");
    process.wait_for_log_where(CONNECTION_ACCEPTED, |line| line["attr"]["remote"] == "192.0.2.8:4712").expect("a log line");
    // A balancer that does not say, or speaks for itself, is who is there.
    for silent in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"] {
        let mut connection = beginning_with(port, silent);
        let own = connection.local_address();
        is_told(&mut connection, &own);
    }
}

#[test]
fn a_header_may_come_in_pieces_and_together_with_what_follows() {
    let (_process, port) = start(shared_backend().port, &format!("--auth {FROM_HERE}"));
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 27017\r\n";
    let mut connection = Connection::plain(port);
    for byte in header {
        connection.send_bytes(&[*byte]).expect("an open connection");
    }
    is_told(&mut connection, "192.0.2.7:4711");
    let mut together = header.to_vec();
    together.extend(Message::command(7, 0, &doc! {"ping": 1, "$db": "admin"}).bytes());
    let mut connection = beginning_with(port, &together);
    assert_eq!(connection.reply().expect("a reply").response_to, 7);
    is_told(&mut connection, "192.0.2.7:4711");
}

#[test]
fn a_header_comes_before_tls() {
    let more = [tls_flags("requireTLS"), flags(&format!("--auth {FROM_HERE}"))].concat();
    let (_process, port) = doorward(&upstream(shared_backend().port), &more).expect("doorward");
    let client = tls::Client::showing(pki().identity("alice"));
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 27017\r\n";
    is_told(&mut Connection::tls_to("localhost", port, &client, header).expect("a handshake"), "192.0.2.7:4711");
    assert!(Connection::tls(port, &client).is_err(), "a balancer that sends no header is not served");
}

#[test]
fn who_has_to_send_a_header_and_does_not_is_closed_and_the_log_says_why() {
    let (process, port) = start(shared_backend().port, &format!("--auth {FROM_HERE}"));
    let message = Message::command(7, 0, &doc! {"ping": 1, "$db": "admin"}).bytes();
    for bytes in [&message[..], b"PROXY TCP4 localhost localhost 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c"] {
        assert_eq!(beginning_with(port, bytes).read_to_close(PATIENCE).as_deref(), Some(&b""[..]), "{bytes:?}");
    }
    let says = |text: &'static str| {
        let line = process.wait_for_log_where(BROKEN_OFF, |line| line.to_string().contains(text));
        line.unwrap_or_else(|printed| panic!("{text}: {printed}"));
    };
    says("does not begin with a PROXY header (proxy.proxyProtocol.from)");
    says("the PROXY header of version 1 can not be read");
    says("unknown version or command: 0x31");
}

#[test]
fn a_header_that_never_ends_is_cut_off_after_the_time_for_a_handshake() {
    let (process, port) = start(shared_backend().port, &format!("--auth {FROM_HERE} --proxyHandshakeTimeoutSeconds 1"));
    assert!(beginning_with(port, b"PROXY TCP4 192.0.2.7 ").read_to_close(PATIENCE).is_some());
    process.wait_for_log_where(BROKEN_OFF, |line| line.to_string().contains("proxy.handshakeTimeoutSeconds")).expect("a line");
}

#[test]
fn from_elsewhere_a_header_is_garbage_and_none_is_wanted() {
    let (_process, port) = start(shared_backend().port, &format!("--auth {FROM_ELSEWHERE}"));
    let mut connection = Connection::plain(port);
    let own = connection.local_address();
    is_told(&mut connection, &own);
    let mut connection = beginning_with(port, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n");
    assert_eq!(connection.read_to_close(PATIENCE).as_deref(), Some(&b""[..]));
}

#[test]
fn the_sources_of_headers_can_be_changed_by_a_reload() {
    let config = |from: &str| format!("{}  proxyProtocol: {{from: [{from}]}}\n", upstream(shared_backend().port));
    let file = config_file(&config("127.0.0.2/32"));
    let (process, port) = doorward_from(&file, &flags("--auth --nounixsocket")).expect("doorward");
    assert!(Connection::plain(port).answers());
    run::write_private(&file, config("127.0.0.1/32"));
    process.signal("HUP");
    process.wait_for_log(4_913_400).expect("a reload");
    assert!(!Connection::plain(port).answers());
    is_told(&mut beginning_with(port, b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"), "192.0.2.7:1");
}

#[test]
fn restrictions_of_a_user_are_about_the_address_in_the_header() {
    let backend = Mongod::backend();
    let restrictions = [doc! {"clientSource": ["192.0.2.0/24"], "serverAddress": ["198.51.100.1"]}];
    let user = doc! {"createUser": "near", "pwd": "near", "roles": [], "authenticationRestrictions": restrictions};
    Connection::plain(backend.port).must(user);
    let (_process, port) = start(backend.port, &format!("--auth {FROM_HERE}"));
    for (header, expected) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n", 0),
        ("PROXY TCP4 203.0.113.7 198.51.100.1 1 2\r\n", 18),
        ("PROXY TCP4 192.0.2.7 198.51.100.2 1 2\r\n", 18),
        ("PROXY UNKNOWN\r\n", 18),
    ] {
        assert_eq!(log_in(&mut beginning_with(port, header.as_bytes()), "near", "admin", "near"), expected, "{header}");
    }
}

/// The code of a login by SCRAM-SHA-256.
fn log_in(connection: &mut Connection, user: &str, database: &str, password: &str) -> i32 {
    let mechanism = Mechanism::Sha256;
    let login = Login { mechanism, user, database, password, skip_empty_exchange: true, speculative: false };
    code(login.run(connection).expect("replies").last().expect("a reply"))
}

#[test]
fn members_by_keyfile_are_known_by_the_address_in_the_header() {
    let more = format!("--keyFile {} --clusterIpSourceAllowlist 192.0.2.0/24 {FROM_HERE}", key_file());
    let (_process, port) = start(shared_backend().port, &more);
    for (header, expected) in [
        ("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n", 0),
        ("PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n", 18),
        ("PROXY UNKNOWN\r\n", 18),
    ] {
        assert_eq!(log_in(&mut beginning_with(port, header.as_bytes()), "__system", "local", KEY), expected, "{header}");
    }
}

#[test]
fn the_localhost_exception_is_not_for_who_comes_through_a_local_balancer() {
    let backend = Mongod::start_in(&run::folder("empty"), &flags("--noauth")).expect("a mongod without users");
    let (_process, port) = start(backend.port, &format!("--auth {FROM_HERE}"));
    let first_user = doc! {"createUser": "first", "pwd": "first", "roles": ["root"], "$db": "admin"};
    for header in ["PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "PROXY UNKNOWN\r\n"] {
        let reply = beginning_with(port, header.as_bytes()).run(&first_user).expect("a reply");
        assert_eq!(code(&reply), 13, "{header}");
    }
    beginning_with(port, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n").must(first_user);
}

#[test]
fn drivers_work_behind_a_balancer_that_sends_headers() {
    let more = [tls_flags("requireTLS"), flags(&format!("--auth {FROM_HERE}"))].concat();
    let (process, port) = doorward(&upstream(shared_backend().port), &more).expect("doorward");
    let balancer =
        Balancer::before(&[port], |_, balancer| version_2(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 9), 99)), balancer));
    for client in [Client::Python, Client::Node, Client::Rust] {
        works(client, balancer.port, "a balancer");
    }
    process.wait_for_log_where(51800, |line| line["attr"]["remote"] == "192.0.2.9:99").expect("a client behind the balancer");
}

/// Whether a driver logs in, writes and reads.
fn works(client: Client, port: u16, way: &str) {
    let pki = pki();
    let uri = format!(
        "mongodb://localhost:{port}/app?directConnection=true&authMechanism=MONGODB-X509&authSource=$external&tls=true&tlsCAFile={}&tlsCertificateKeyFile={}",
        pki.ca_file(),
        pki.file("alice")
    );
    let outcome = client.run(&[serde_json::json!({"name": way, "uri": uri, "collection": "behind_a_balancer"})]);
    assert_eq!(outcome[0]["user"], "CN=alice,OU=clients,O=doorward@$external", "{client:?}: {outcome:?}");
}

/// A server that wants a header on each connection, tells it, and passes the rest on.
fn expecting_headers(backend: u16) -> (u16, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (send, headers) = mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let Ok(header) = read_header(&mut client) else { continue };
            let Ok(server) = TcpStream::connect(("127.0.0.1", backend)) else { continue };
            if send.send(header).is_err() || gate::pass(client, server).is_err() {
                return;
            }
        }
    });
    (port, headers)
}

fn read_header(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut header = vec![0; 14];
    stream.read_exact(&mut header)?;
    if header.starts_with(b"PROXY ") {
        while !header.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            header.extend(byte);
        }
    } else {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut rest = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut rest)?;
        header.extend(length.into_iter().chain(rest));
    }
    Ok(header)
}

#[test]
fn a_server_behind_that_wants_headers_is_told_each_clients_address() {
    let own_v2 = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    for (version, own) in [("v1", &b"PROXY UNKNOWN\r\n"[..]), ("v2", own_v2)] {
        let (behind, headers) = expecting_headers(shared_backend().port);
        let more = format!("--auth --proxyUpstreamProxyProtocol {version} {FROM_HERE}");
        let (_process, port) = start(behind, &more);
        let mut connection = beginning_with(port, b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 27017\r\n");
        must_log_in(&mut connection, "alice", "admin", "wonderland");
        connection.must(doc! {"find": "seed", "$db": "app"});
        let expected = match version {
            "v1" => b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 27017\r\n".to_vec(),
            _ => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x67\x69\x89".to_vec(),
        };
        // doorward's own connections come first.
        assert_eq!(headers.recv_timeout(PATIENCE).as_deref(), Ok(own));
        while headers.recv_timeout(PATIENCE).expect("the client's header") != expected {}
    }
}

#[test]
fn haproxy_is_understood_and_understands() {
    if Command::new("haproxy").arg("-v").output().is_err() {
        return; // This machine has no HAProxy.
    }
    let [front_1, front_2, behind] = [(); 3].map(|()| run::free_port());
    let more = [tls_flags("requireTLS"), flags(&format!("--auth --proxyUpstreamProxyProtocol v2 {FROM_HERE}"))].concat();
    let (process, port) = doorward(&upstream(behind), &more).expect("doorward");
    let backend = shared_backend().port;
    let config = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
         listen front1\n bind 127.0.0.1:{front_1}\n server d 127.0.0.1:{port} send-proxy\n\
         listen front2\n bind 127.0.0.1:{front_2}\n server d 127.0.0.1:{port} send-proxy-v2\n\
         listen behind\n bind 127.0.0.1:{behind} accept-proxy\n server m 127.0.0.1:{backend}\n"
    );
    let file = run::private_file("haproxy.cfg", config);
    let _haproxy = Process::start("haproxy", &["-db", "-f", file.to_str().expect("UTF-8")].map(str::to_owned));
    for front in [front_1, front_2] {
        let client = tls::Client::showing(pki().identity("alice"));
        let deadline = std::time::Instant::now() + PATIENCE;
        while !Connection::reach_over_tls(front, &client).is_ok_and(|mut connection| connection.answers()) {
            assert!(std::time::Instant::now() < deadline, "nobody answers behind HAProxy: {}", process.printed());
        }
        works(Client::Python, front, "HAProxy");
    }
}
