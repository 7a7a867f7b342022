//! The applications that work all the while: four kinds of load, each with a user of its own that it does not log in as at first.

use std::process::Command;

use crate::support::clients;
use crate::support::connection::Connection;
use crate::support::load::{Load, acknowledged, found_in};
use crate::support::pki::pki;

/// What each has to do before a step counts as survived.
const OPERATIONS: usize = 5;

type Program = fn() -> Command;

/// The names of the applications, which are those of their users too, and how each is started.
const PROGRAMS: [(&str, Program); 4] = [
    ("pymongo", || clients::python("python/load.py")),
    ("node", || clients::node("node/load.js")),
    ("rust", clients::rust),
    ("transactions", || clients::python("python/transactions.py")),
];

pub(super) const NAMES: [&str; 4] = [PROGRAMS[0].0, PROGRAMS[1].0, PROGRAMS[2].0, PROGRAMS[3].0];

/// The password of every application.
pub(super) const PASSWORD: &str = "an application's password";

/// One process of an application, and the collection that it alone writes to.
struct Running {
    collection: String,
    load: Load,
}

struct Application {
    name: &'static str,
    program: Program,
    /// A new version runs before the old one ends, as applications are moved.
    running: Running,
    /// What ended processes did.
    ended: Vec<(String, Vec<serde_json::Value>)>,
}

pub(super) struct Applications {
    seeds: String,
    all: Vec<Application>,
}

impl Applications {
    /// Starts all of them without credentials and without TLS.
    pub(super) fn start(fronts: &[u16]) -> Self {
        let seeds: Vec<String> = fronts.iter().map(|port| format!("localhost:{port}")).collect();
        let seeds = format!("{}/?replicaSet=rs&w=majority&retryWrites=true", seeds.join(","));
        let start = |(name, program): (&'static str, Program)| {
            let uri = format!("mongodb://{seeds}&appName={name}");
            Application { name, program, running: Running::start(program, &uri, format!("{name}_as_nobody")), ended: Vec::new() }
        };
        let it = Self { seeds: seeds.clone(), all: PROGRAMS.into_iter().map(start).collect() };
        it.go_on();
        it
    }

    /// Waits until every application has done some more.
    pub(super) fn go_on(&self) {
        self.all.iter().for_each(|application| application.running.load.wait_for(OPERATIONS));
    }

    /// Replaces an application by one that logs in, over TLS.
    pub(super) fn move_to_credentials(&mut self, name: &str) {
        let password = PASSWORD.replace(' ', "%20").replace('\'', "%27");
        let tls = format!("authSource=admin&tls=true&tlsCAFile={}", pki().ca_file());
        let uri = format!("mongodb://{name}:{password}@{}&{tls}&appName={name}", self.seeds);
        let application = self.all.iter_mut().find(|application| application.name == name).expect("an application");
        let new = Running::start(application.program, &uri, format!("{name}_as_itself"));
        new.load.wait_for(OPERATIONS);
        let old = std::mem::replace(&mut application.running, new);
        application.ended.push((old.collection, old.load.stop()));
    }

    /// How many operations each has done, and whether any failed.
    pub(super) fn counters(&self) -> String {
        let counter = |application: &Application| {
            let ended: usize = application.ended.iter().map(|(_, outcomes)| outcomes.len()).sum();
            let (done, failed) = application.running.load.count();
            let failed = if failed == 0 { String::new() } else { format!(" ({failed} FAILED)") };
            format!("{} {:>5}{failed}", application.name, ended + done)
        };
        self.all.iter().map(counter).collect::<Vec<_>>().join("  ")
    }

    /// Ends them all. Nobody saw an error, and all that was acknowledged is there.
    pub(super) fn stop_and_count(self, reader: &mut Connection, logs: impl Fn() -> String) {
        for Application { name, running, mut ended, .. } in self.all {
            ended.push((running.collection, running.load.stop()));
            for (collection, outcomes) in ended {
                let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome["error"].is_string()).collect();
                assert!(failed.is_empty(), "{name}: {failed:?}\n{}", logs());
                assert_eq!(found_in(reader, &collection), acknowledged(&outcomes), "{collection}");
                let longest = outcomes.iter().filter_map(|outcome| outcome["milliseconds"].as_i64()).max().unwrap_or_default();
                println!(
                    "    {collection}: {} operations, none failed, none lost; the longest took {longest} ms",
                    outcomes.len()
                );
            }
        }
    }
}

impl Running {
    fn start(program: Program, uri: &str, collection: String) -> Self {
        let load = Load::start(program(), uri, &collection);
        Self { collection, load }
    }
}
