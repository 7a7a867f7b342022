//! The rehearsal of turning authentication on: three applications with real drivers run against a doorward in transition, which serves
//! them all and names exactly the two that would break; with the roles that it recommends nobody breaks when the transition ends.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

use bson::{Document, doc};
use serde_json::{Value, json};

use super::support::clients::Client;
use super::support::connection::{Connection, code};
use super::support::json::document;
use super::support::mongod::Mongod;
use super::support::process::Process;
use super::support::scram::{Login, Mechanism, must_log_in};
use super::support::servers::{config_file, doorward_from, flags, key_file, upstream};
use super::support::{PATIENCE, run};

/// Doorward in front of a mongod of its own, with an admin port and a configuration that changes.
struct Rehearsal {
    backend: Mongod,
    process: Process,
    file: PathBuf,
    port: u16,
    admin: u16,
}

fn config(backend: u16, admin: u16, transition: bool) -> String {
    let admin = format!("  admin:\n    bindIp: 127.0.0.1\n    port: {admin}\n");
    upstream(backend) + &admin + &format!("security:\n  keyFile: {}\n  transitionToAuth: {transition}\n", key_file())
}

impl Rehearsal {
    fn start() -> Self {
        let backend = Mongod::backend();
        let admin = run::free_port();
        let file = config_file(&config(backend.port, admin, true));
        let (process, port) = doorward_from(&file, &flags("--nounixsocket")).expect("doorward");
        Self { backend, process, file, port, admin }
    }

    /// Ends the transition and waits until that counts.
    fn enforce(&self) {
        run::write_private(&self.file, config(self.backend.port, self.admin, false));
        self.process.signal("HUP");
        let deadline = Instant::now() + PATIENCE;
        while code(&Connection::plain(self.port).run(&doc! {"find": "seed", "$db": "app"}).expect("a reply")) != 13 {
            assert!(Instant::now() < deadline, "the transition does not end: {}", self.process.printed());
        }
    }

    /// `doorward readiness` with these words.
    fn readiness(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.arg("readiness").arg("--config").arg(&self.file).args(words).output().expect("doorward readiness")
    }

    /// What it prints, with this exit status.
    fn text(&self, words: &[&str], status: i32) -> String {
        let output = self.readiness(words);
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{text}{errors}");
        text.into_owned()
    }

    /// Waits until it says that nothing stands in the way, as a script would.
    fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.readiness(&[]).status.code() != Some(0) {
            assert!(Instant::now() < deadline, "{}", self.text(&[], 1));
        }
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[words, &["--json"]].concat(), 0)).expect("JSON")
    }

    /// What the applications do, each as its outcome says: who it is, or an error code.
    fn run(&self, applications: &[Application]) -> Vec<Value> {
        applications.iter().map(|application| application.run(self.port)).collect()
    }

    fn administer(&self, command: Document) {
        Connection::plain(self.backend.port).must(command);
    }
}

struct Application {
    name: &'static str,
    client: Client,
    credentials: &'static str,
}

/// One that is ready, one without credentials, one whose user may only read.
const APPLICATIONS: [Application; 3] = [
    Application { name: "shop", client: Client::Python, credentials: "alice:wonderland@" },
    Application { name: "billing", client: Client::Node, credentials: "" },
    Application { name: "reports", client: Client::Python, credentials: "reporter:r@" },
];

impl Application {
    /// Inserts a document and finds it.
    fn run(&self, port: u16) -> Value {
        let Self { name, client, credentials } = self;
        let uri = format!("mongodb://{credentials}localhost:{port}/?directConnection=true&authSource=admin&appName={name}");
        self.client.run(&[json!({"name": name, "uri": uri, "collection": format!("from_{client:?}")})]).remove(0)
    }
}

fn names(report: &Value, list: &str) -> Vec<String> {
    report[list].as_array().expect("a list").iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

fn application<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["applications"].as_array().expect("a list").iter().find(|one| one["application"] == name).expect("the application")
}

#[test]
fn the_record_names_exactly_who_would_break_and_the_recommended_roles_are_enough() {
    let it = Rehearsal::start();
    it.administer(doc! {"createUser": "reporter", "pwd": "r", "roles": [{"role": "read", "db": "app"}], "$db": "admin"});
    let served = it.run(&APPLICATIONS);
    assert!(served.iter().all(|outcome| outcome["ok"] == true), "nothing is enforced in transition: {served:?}");

    let report = it.json(&[]);
    assert_eq!(
        (names(&report, "wouldBreak"), names(&report, "ready")),
        (vec!["billing".into(), "reports".into()], vec!["shop".into()])
    );
    let billing = application(&report, "billing");
    let denied: Vec<_> =
        billing["denied"].as_array().expect("a list").iter().map(|line| (&line["command"], &line["why"])).collect();
    assert!(denied.len() >= 2 && denied.iter().all(|(_, why)| **why == "unauthenticated"), "{denied:?}");
    assert_eq!(billing["denied"][0]["address"], "127.0.0.1");
    assert!(billing["denied"][0]["driver"].as_str().is_some_and(|driver| driver.starts_with("nodejs")), "{billing}");
    let denied = &application(&report, "reports")["denied"];
    assert_eq!(denied.as_array().map(Vec::len), Some(1), "{denied}");
    assert_eq!(
        (&denied[0]["command"], &denied[0]["why"], &denied[0]["user"]),
        (&json!("insert"), &json!("missing privilege"), &json!("reporter@admin"))
    );
    let missing = json!([{"resource": {"db": "app", "collection": "from_Python"}, "action": "insert"}]);
    assert_eq!(denied[0]["missing"], missing);
    assert_eq!(application(&report, "shop")["denied"], json!([]));
    let text = it.text(&[], 1);
    let verdict = "Verdict: not ready to enforce:";
    for expected in ["2 of 3 applications would break", "lacks insert on app.from_Python", "without credentials", verdict] {
        assert!(text.contains(expected), "{text}");
    }

    let roles = it.json(&["--roles", "reports"]);
    assert_eq!((&roles["roles"], &roles["complete"]), (&json!([{"role": "readWrite", "db": "app"}]), &json!(true)));
    // Through doorward, where it counts at once.
    let mut root = Connection::plain(it.port);
    must_log_in(&mut root, "root", "admin", "secret");
    root.must(doc! {"grantRolesToUser": "reporter", "roles": [{"role": "readWrite", "db": "app"}], "$db": "admin"});
    assert_eq!(APPLICATIONS[2].run(it.port)["ok"], true);
    assert_eq!(names(&it.json(&[]), "wouldBreak"), ["billing"]);
    it.enforce();
    let [shop, billing, reports] = it.run(&APPLICATIONS).try_into().expect("three");
    assert_eq!((&shop["ok"], &reports["ok"]), (&json!(true), &json!(true)), "{shop} {reports}");
    assert_eq!((&billing["ok"], &billing["code"]), (&json!(false), &json!(13)), "{billing}");
    let report = it.json(&[]);
    assert!(report["transition"] == false && report["until"].is_string(), "{report}");
}

#[test]
fn the_exit_status_waits_until_everybody_has_moved_to_credentials() {
    let it = Rehearsal::start();
    let [shop, billing, reports] = &APPLICATIONS;
    assert!(it.text(&[], 1).contains("nobody did anything that needs a privilege yet"));
    assert_eq!(shop.run(it.port)["ok"], true);
    it.wait_until_ready();
    assert!(it.text(&[], 0).ends_with("Verdict: ready to enforce.\n"));

    it.administer(doc! {"createUser": "reporter", "pwd": "r", "roles": [{"role": "read", "db": "app"}], "$db": "admin"});
    assert_eq!((&billing.run(it.port)["ok"], &reports.run(it.port)["ok"]), (&json!(true), &json!(true)));
    assert!(it.text(&[], 1).contains("billing would break: "));
    let report = it.json(&[]);
    let obstacles: Vec<_> = report["obstacles"].as_array().expect("a list").iter().map(|one| &one["application"]).collect();
    assert_eq!((&report["verdict"], obstacles), (&json!("not ready to enforce"), vec![&json!("billing"), &json!("reports")]));
    let connections = &application(&report, "billing")["connections"];
    assert_eq!(
        (&connections[0]["authenticated"], &connections[0]["address"]),
        (&json!(false), &json!("127.0.0.1")),
        "{connections}"
    );

    // What stood in the way is gone once each of them works with what it needs, from where it worked before.
    assert_eq!(Application { credentials: "alice:wonderland@", ..*billing }.run(it.port)["ok"], true);
    it.administer(doc! {"grantRolesToUser": "reporter", "roles": [{"role": "readWrite", "db": "app"}], "$db": "admin"});
    assert!(it.text(&["--application", "reports"], 1).contains("reports would break"), "nobody has seen it with its new role");
    let deadline = Instant::now() + PATIENCE;
    while it.readiness(&[]).status.code() != Some(0) {
        assert!(Instant::now() < deadline, "{}", it.text(&[], 1));
        assert_eq!(reports.run(it.port)["ok"], true);
    }
    let report = it.json(&[]);
    assert_eq!((&report["verdict"], &report["obstacles"]), (&json!("ready to enforce"), &json!([])));
    assert_eq!(application(&report, "billing")["denied"][0]["resolved"], true);
    let users: Vec<_> = application(&report, "billing")["connections"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["user"].clone())
        .collect();
    assert_eq!(users, [json!(null), json!("alice@admin")]);

    assert!(it.text(&["--last", "1d"], 1).contains("86400 s were asked for"));
    it.enforce();
    assert!(it.text(&[], 1).contains("the transition has ended"));
}

#[test]
fn the_created_role_allows_what_the_application_did_and_no_more() {
    let it = Rehearsal::start();
    let billing = &APPLICATIONS[1];
    assert_eq!(billing.run(it.port)["ok"], true);
    let roles = it.json(&["--roles", "billing"]);
    let command = document(&roles["createRole"]);
    let name = command.get_str("createRole").expect("a name").to_owned();
    let mut connection = Connection::plain(it.backend.port);
    connection.must(command);
    connection.must(doc! {"createUser": "billing", "pwd": "b", "roles": [{"role": name, "db": "admin"}], "$db": "admin"});
    it.enforce();
    assert_eq!(Application { credentials: "billing:b@", ..*billing }.run(it.port)["ok"], true);
    let mut connection = Connection::plain(it.port);
    must_log_in(&mut connection, "billing", "admin", "b");
    for denied in
        [doc! {"find": "seed", "$db": "app"}, doc! {"delete": "from_Node", "deletes": [{"q": {}, "limit": 0}], "$db": "app"}]
    {
        assert_eq!(code(&connection.run(&denied).expect("a reply")), 13, "{denied}");
    }
}

#[test]
fn who_only_watches_is_not_named_and_who_fails_to_log_in_is() {
    let it = Rehearsal::start();
    let hello = |name: &str| doc! {"hello": 1, "client": {"application": {"name": name}, "driver": {"name": "d", "version": "1"}, "os": {"type": "Linux"}}};
    let mut monitor = Connection::plain(it.port);
    monitor.must(hello("monitor"));
    for command in ["hello", "ping", "buildInfo"] {
        monitor.must(doc! {command: 1});
    }
    let mechanism = Mechanism::Sha256;
    // Drivers begin inside the hello, and learn that the password is wrong when they go on.
    for (name, speculative) in [("wrong", false), ("driver", true)] {
        let mut wrong = Connection::plain(it.port);
        wrong.must(hello(name));
        let login = Login { mechanism, user: "alice", database: "admin", password: "no", skip_empty_exchange: true, speculative };
        login.run(&mut wrong).expect("replies");
        let report = it.json(&[]);
        assert!(names(&report, "wouldBreak").contains(&name.to_owned()), "{report}");
        let failed = &application(&report, name)["failedLogins"][0];
        assert_eq!(
            (&failed["user"], &failed["mechanism"], &failed["count"]),
            (&json!("alice@admin"), &json!("SCRAM-SHA-256"), &json!(1))
        );
        must_log_in(&mut wrong, "alice", "admin", "wonderland");
        assert!(names(&it.json(&[]), "ready").contains(&name.to_owned()));
    }
    assert_eq!(it.readiness(&["--roles", "monitor"]).status.code(), Some(1));
}
