//! Start, reload and end: what doorward does on signals, and its exit statuses.

use bson::doc;
use serde_json::Value;

use super::support::connection::{Connection, Received, code, is_ok};
use super::support::pki::pki;
use super::support::scram::{Login, Mechanism, must_log_in};
use super::support::servers::{
    Server, Target, config_file, doorward, doorward_from, flags, key_file, shared_backend, tls_flags, upstream,
};
use super::support::sidecars::wait_for;
use super::support::tls::Client;
use super::support::wire::{Message, Reply};
use super::support::{PATIENCE, run};

/// "Draining".
const DRAINING: i64 = 9_000_003;

fn start(flags: &[String]) -> Server {
    Server::start_as(Target::Doorward, flags).expect("doorward")
}

#[test]
fn signals_to_end_are_obeyed_with_status_zero() {
    for signal in ["TERM", "INT"] {
        let mut server = start(&flags("--auth"));
        let mut idle = server.connect();
        assert!(idle.answers());
        server.process.signal(signal);
        assert_eq!(server.process.wait(PATIENCE), Some(0), "{signal}:\n{}", server.process.printed());
        assert!(matches!(idle.receive(PATIENCE), Received::Closed));
    }
}

#[test]
fn the_signal_that_rotates_mongods_log_rotates_doorwards_and_ends_nothing() {
    let mut server = start(&flags("--auth"));
    let mut open = server.connect();
    assert!(open.answers());
    server.process.signal("USR1");
    server.process.wait_for_log(9_000_008).expect("a line that tells of it");
    assert!(open.answers());
    server.process.signal("TERM");
    assert_eq!(server.process.wait(PATIENCE), Some(0));
}

#[test]
fn a_file_that_can_not_be_written_is_named_with_its_option() {
    for (flag, option) in [("--logpath", "systemLog.path"), ("--pidfilepath", "processManagement.pidFilePath")] {
        let file = run::private_file("doorward", "a file, no folder").join("inside");
        let flags = ["--auth", flag, file.to_str().expect("UTF-8")].map(String::from);
        let refused = doorward(&upstream(1), &flags).err().expect("a refusal");
        assert_eq!(refused.status, Some(1), "{}", refused.printed);
        assert!(
            refused.printed.contains(option) && refused.printed.contains(file.to_str().expect("UTF-8")),
            "{}",
            refused.printed
        );
    }
}

/// A client whose operation runs until its collection has another document.
struct Busy {
    connection: Connection,
    backend: Connection,
    collection: &'static str,
}

impl Busy {
    /// Begins the operation and waits until the backend has it.
    fn at(server: &Server, collection: &'static str) -> Self {
        let mut backend = Connection::plain(shared_backend().port);
        backend.must(doc! {"create": collection, "capped": true, "size": 4096, "$db": "app"});
        backend.must(doc! {"insert": collection, "documents": [{"_id": 1}], "$db": "app"});
        let mut connection = server.connect();
        must_log_in(&mut connection, "alice", "admin", "wonderland");
        let found = connection.must(doc! {"find": collection, "tailable": true, "awaitData": true, "$db": "app"});
        let cursor = found.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).expect("a cursor");
        let waits = doc! {"getMore": cursor, "collection": collection, "maxTimeMS": 600_000, "comment": collection, "$db": "app"};
        connection.send(&Message::command(7, 0, &waits)).expect("an open connection");
        let running = doc! {"currentOp": 1, "command.comment": collection};
        wait_for("the operation", String::new, || {
            (!backend.must(running.clone()).get_array("inprog").expect("operations").is_empty()).then_some(())
        });
        Self { connection, backend, collection }
    }

    /// Ends the operation and returns its reply.
    fn finish(mut self) -> Reply {
        self.backend.must(doc! {"insert": self.collection, "documents": [{"_id": 2}], "$db": "app"});
        self.connection.reply().expect("the reply of the running operation")
    }
}

#[test]
fn a_running_operation_is_finished_before_the_end() {
    let mut server = start(&flags("--auth"));
    let busy = Busy::at(&server, "drained");
    server.process.signal("TERM");
    server.process.wait_for_log(DRAINING).expect("the drain");
    let reply = busy.finish();
    assert!(is_ok(&reply.document), "{reply:?}");
    assert_eq!(server.process.wait(PATIENCE), Some(0));
}

#[test]
fn a_drain_is_told_to_streaming_clients_as_mongod_tells_it() {
    let mut server = start(&flags("--auth"));
    let busy = Busy::at(&server, "quiesce");
    let mut monitor = server.connect();
    let hello = monitor.must(doc! {"hello": 1});
    let mut version = hello.get_document("topologyVersion").expect("a topologyVersion").clone();
    // Of another process, so that the first answer comes at once: after it the stream is known to be waiting.
    version.insert("processId", bson::oid::ObjectId::new());
    let await_change = doc! {"hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 20_000, "$db": "admin"};
    monitor.send(&Message::command(50, 1 << 16, &await_change)).expect("an open connection");
    assert_eq!(monitor.reply().expect("a first hello").flags, 2);
    server.process.signal("TERM");
    let reply = monitor.reply().expect("a last hello");
    assert_eq!(reply.flags, 0);
    assert_eq!(reply.document.get_i32("code").ok(), Some(91), "{reply:?}");
    assert_eq!(reply.document.get_str("codeName").ok(), Some("ShutdownInProgress"));
    assert!(
        reply.document.contains_key("topologyVersion") && reply.document.contains_key("remainingQuiesceTimeMillis"),
        "{reply:?}"
    );
    assert!(is_ok(&busy.finish().document));
    assert_eq!(server.process.wait(PATIENCE), Some(0));
}

/// Doorward with files that the test may change: the server's certificate, a revocation list, a keyfile.
struct Changeable {
    server: Server,
    certificate: std::path::PathBuf,
    revocations: std::path::PathBuf,
    key: std::path::PathBuf,
}

fn changeable() -> Changeable {
    let folder = run::folder("changeable");
    let copy = |name: &str, from: &str| {
        let path = folder.join(name);
        run::write_private(&path, std::fs::read(from).expect("a file"));
        path
    };
    let certificate = copy("server.pem", &pki().file("server"));
    let revocations = copy("crl.pem", &pki().empty_crl_file());
    let key = folder.join("keyfile");
    run::write_private(&key, "theFirstKeyOfThisTest");
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let mut flags = flags("--tlsMode preferTLS --tlsAllowConnectionsWithoutCertificates --tlsCAFile");
    flags.extend([pki().ca_file(), "--tlsCertificateKeyFile".to_owned(), text(&certificate)]);
    flags.extend(["--tlsCRLFile".to_owned(), text(&revocations), "--keyFile".to_owned(), text(&key)]);
    Changeable { server: start(&flags), certificate, revocations, key }
}

impl Changeable {
    /// Tells doorward to reload and waits until its log says what came of it.
    fn reload(&self) -> Value {
        let told = self.server.process.log().len();
        self.server.process.signal("HUP");
        self.server.process.wait_for_new_log(told, |line| {
            let text = line["msg"].as_str().unwrap_or_default().to_lowercase();
            text.contains("reload") || text.contains("rotat")
        })
    }

    fn certificate_is(&self, name: &str) -> bool {
        let connection = Connection::tls(self.server.port, &Client::anonymous()).expect("a handshake");
        connection.server_certificate() == Some(pki().identity(name).chain().remove(0))
    }

    fn key_opens(&self, password: &str) -> bool {
        let mechanism = Mechanism::Sha256;
        let login =
            Login { mechanism, user: "__system", database: "local", password, skip_empty_exchange: true, speculative: false };
        login.run(&mut self.server.connect()).expect("replies").last().is_some_and(is_ok)
    }

    fn takes(&self, certificate: &str) -> bool {
        Connection::tls(self.server.port, &Client::showing(pki().identity(certificate)))
            .is_ok_and(|mut connection| connection.answers())
    }
}

#[test]
fn a_reload_brings_new_files_into_force_and_drops_no_connection() {
    let it = changeable();
    let (mut old_plain, mut old_tls) = (it.server.connect(), it.server.connect_as("revoked"));
    must_log_in(&mut old_plain, "alice", "admin", "wonderland");
    old_tls.must(doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"});
    assert!(it.certificate_is("server") && it.takes("revoked") && it.key_opens("theFirstKeyOfThisTest"));

    run::write_private(&it.certificate, std::fs::read(pki().file("next server")).expect("a file"));
    run::write_private(&it.revocations, std::fs::read(pki().crl_file()).expect("a file"));
    run::write_private(&it.key, "theSecondKeyOfThisTest");
    it.reload();

    assert!(it.certificate_is("next server"), "{}", it.server.process.printed());
    assert!(!it.takes("revoked") && it.takes("alice"));
    assert!(it.key_opens("theSecondKeyOfThisTest") && !it.key_opens("theFirstKeyOfThisTest"));
    for old in [&mut old_plain, &mut old_tls] {
        old.must(doc! {"find": "seed", "$db": "app"});
    }
}

#[test]
fn a_resumed_session_logs_in_by_its_certificate_until_a_reload_revokes_it() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let it = changeable();
        let come = |client: &Client| {
            let mut connection = Connection::tls(it.server.port, client).ok()?;
            let login = doc! {"authenticate": 1, "mechanism": "MONGODB-X509", "$db": "$external"};
            let reply = connection.run(&login).ok()?;
            Some((connection.is_resumed(), reply.get_str("user").unwrap_or_default().to_owned()))
        };
        let [revoked, alice] = ["revoked", "alice"].map(|name| Client::with(Some(pki().identity(name)), &[version]));
        for client in [&revoked, &alice] {
            let (first, second) = (come(client).expect("a login"), come(client).expect("a login"));
            assert_eq!((first.0, second.0), (false, true), "{version:?}");
            assert!(first.1.contains("CN="), "{first:?}");
            assert_eq!(first.1, second.1);
        }

        run::write_private(&it.revocations, std::fs::read(pki().crl_file()).expect("a file"));
        it.reload();
        for _ in 0..2 {
            assert_eq!(come(&revoked), None, "{version:?}");
        }
        assert_eq!([come(&alice), come(&alice)].map(|came| came.map(|(is_resumed, _)| is_resumed)), [Some(false), Some(true)]);
    }
}

#[test]
fn a_broken_new_file_leaves_the_old_ones_in_force_and_says_so() {
    let it = changeable();
    for broken in [&it.certificate, &it.revocations, &it.key] {
        let good = std::fs::read(broken).expect("a file");
        run::write_private(broken, "this is ! not what it should be");
        let line = it.reload();
        let severity = line["s"].as_str().unwrap_or_default();
        assert!(["W", "E"].contains(&severity), "{line}");
        let name = broken.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(line.to_string().contains(name), "{name} is not named in {line}");
        assert!(it.certificate_is("server") && it.takes("revoked") && it.key_opens("theFirstKeyOfThisTest"));
        run::write_private(broken, good);
    }
}

#[test]
fn the_end_of_a_transition_counts_for_open_connections_too() {
    let config = |transition: bool| {
        let security = format!("security:\n  keyFile: {}\n  transitionToAuth: {transition}\n", key_file());
        upstream(shared_backend().port) + &security
    };
    let file = config_file(&config(true));
    let (process, port) = doorward_from(&file, &flags("--nounixsocket")).expect("doorward");
    let mut nobody = Connection::plain(port);
    let mut alice = Connection::plain(port);
    must_log_in(&mut alice, "alice", "admin", "wonderland");
    let find = doc! {"find": "seed", "$db": "app"};
    let mut codes = || [&mut nobody, &mut alice].map(|client| code(&client.run(&find).expect("a reply")));
    for (transition, expected) in [(true, [0, 0]), (false, [13, 0]), (true, [0, 0])] {
        run::write_private(&file, config(transition));
        process.signal("HUP");
        let generation = |line: &Value| line["id"] == 4_913_400 && line["attr"]["changed"].is_array();
        process.wait_for_new_log(0, generation);
        let deadline = std::time::Instant::now() + PATIENCE;
        while codes() != expected {
            assert!(std::time::Instant::now() < deadline, "transition {transition}: {}", process.printed());
        }
    }
}

#[test]
fn what_a_message_may_is_judged_when_it_is_there_and_not_when_it_begins() {
    let config = |transition: bool| {
        let security = format!("security:\n  keyFile: {}\n  transitionToAuth: {transition}\n", key_file());
        upstream(shared_backend().port) + &security
    };
    let file = config_file(&config(true));
    let (process, port) = doorward_from(&file, &flags("--nounixsocket")).expect("doorward");
    let mut admin = Connection::plain(port);
    must_log_in(&mut admin, "root", "admin", "secret");
    admin.must(doc! {"createUser": "halfway", "pwd": "halfway", "roles": [], "$db": "admin"});
    let mut dropped = Connection::plain(port);
    must_log_in(&mut dropped, "halfway", "admin", "halfway");
    let mut nobody = Connection::plain(port);
    assert!(nobody.answers() && dropped.answers());

    let whole = Message::command(9, 0, &doc! {"find": "seed", "$db": "app"}).bytes();
    let (begin, rest) = whole.split_at(30);
    for client in [&mut nobody, &mut dropped] {
        client.send_bytes(begin).expect("an open connection");
    }
    run::write_private(&file, config(false));
    process.signal("HUP");
    process.wait_for_log(4_913_400).expect("a reload");
    admin.must(doc! {"dropUser": "halfway", "$db": "admin"});
    for client in [&mut nobody, &mut dropped] {
        client.send_bytes(rest).expect("an open connection");
        assert_eq!(code(&client.reply().expect("a reply").document), 13);
    }
}

#[test]
fn what_can_not_be_honoured_is_refused_with_status_two_and_one_message_that_names_it() {
    let open_key = run::private_file("open-keyfile", "someKeyThatIsLongEnough");
    std::fs::set_permissions(&open_key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("permissions");
    let open_key = open_key.to_str().expect("UTF-8").to_owned();
    let cases = [
        ("--nosuchoption".to_owned(), "nosuchoption"),
        ("--tlsMode sometimes".to_owned(), "tlsMode"),
        ("--tlsMode requireTLS".to_owned(), "tlsCertificateKeyFile"),
        ("--tlsMode requireTLS --tlsCertificateKeyFile /nonexistent.pem".to_owned(), "/nonexistent.pem"),
        (format!("--keyFile {open_key}"), "permissions on"),
        ("--keyFile /nonexistent".to_owned(), "/nonexistent"),
        ("--auth --noauth".to_owned(), "noauth"),
        ("--clusterAuthMode x509".to_owned(), "TLS"),
        ("--transitionToAuth".to_owned(), "transitionToAuth"),
    ];
    for (wrong, named) in cases {
        let refused = doorward(&upstream(1), &flags(&wrong)).map(drop).expect_err("must not start");
        assert_eq!(refused.status, Some(2), "{wrong}: {}", refused.printed);
        assert!(refused.printed.contains(named), "{wrong}: {named} is not named in {}", refused.printed);
    }
}

#[test]
fn files_that_are_no_configuration_are_refused_with_status_two() {
    for (config, named) in [
        ("net: [", "yaml"),
        ("nosuch: 1\n", "nosuch"),
        ("net:\n  prot: 1\n", "net.prot"),
        ("proxy: {}\n", "proxy.upstream.address"),
    ] {
        let refused = doorward(config, &[]).map(drop).expect_err("must not start");
        assert_eq!(refused.status, Some(2), "{config}: {}", refused.printed);
        assert!(refused.printed.to_lowercase().contains(named), "{config}: {}", refused.printed);
    }
}

#[test]
fn an_address_in_use_is_status_48() {
    let taken = start(&flags("--auth"));
    let port = taken.port.to_string();
    let config = config_file(&upstream(1));
    let arguments = ["--config", config.to_str().expect("UTF-8"), "--port", &port, "--nounixsocket"].map(str::to_owned);
    let mut second = super::support::process::Process::start(env!("CARGO_BIN_EXE_doorward"), &arguments);
    assert_eq!(second.wait(PATIENCE), Some(48), "{}", second.printed());
    let admin = upstream(1) + &format!("  admin:\n    bindIp: 127.0.0.1\n    port: {port}\n");
    let refused = doorward(&admin, &[]).map(drop).expect_err("must not start");
    assert_eq!(refused.status, Some(48), "{}", refused.printed);
}

#[test]
fn a_handshake_that_is_never_finished_is_cut_off_and_an_idle_client_is_not() {
    let config = upstream(shared_backend().port) + "  handshakeTimeoutSeconds: 1\n";
    let more = [tls_flags("preferTLS"), flags("--auth --tlsAllowConnectionsWithoutCertificates")].concat();
    let (_process, port) = doorward(&config, &more).expect("doorward");
    let mut idle = Connection::plain(port);
    assert!(idle.answers());
    let whole = Message::command(1, 0, &doc! {"ping": 1, "$db": "admin"}).bytes();
    let long = Message::command(1, 0, &doc! {"ping": 1, "comment": "x".repeat(10_000), "$db": "admin"}).bytes();
    for part in [&b""[..], &whole[..7], &whole[..20], &[0x16, 3, 1, 2, 0], &long[..9_000]] {
        let mut connection = Connection::plain(port);
        let _ = connection.send_bytes(part);
        assert!(matches!(connection.receive(PATIENCE), Received::Closed), "{} bytes", part.len());
    }
    assert!(idle.answers(), "a client that has sent a command may be idle");
}
