//! The second table, where there is a real mongod: proxies before one that serves in the clear, beside one that does TLS and X.509
//! itself. CPU time is that of the proxy and the mongod together. T and HAProxy log nobody in: mongod would have to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use bson::raw::RawDocumentBuf;
use bson::rawdoc;

use crate::Plan;
use crate::ending::Process;
use crate::load::{Client, DATABASE, Target, insert_one, message};
use crate::rounds::{self, Contest};
use crate::rows::{MONGOD, MONGOD_ROWS};
use crate::servers::{Launch, USER, Workshop, find, free_address};
use crate::subjects::{DOORWARD, HAPROXY, Security, Subject, T};

/// Measures and prints; `false` when doorward failed.
pub(crate) fn run(plan: &Plan, workshop: &Workshop) -> Result<bool> {
    let rows: Vec<_> = MONGOD_ROWS.iter().filter(|row| plan.wants(row)).collect();
    if rows.is_empty() {
        return Ok(true);
    }
    let Some(program) = mongod() else {
        println!("\nthere is no mongod ($MONGOD, PATH): its rows are left out");
        return Ok(true);
    };
    let folder = workshop.own_folder()?;
    let (process, plain) = in_the_clear(workshop, &program, &folder)?;
    let backend = process.0.id();
    let mut contest = Contest::default();
    contest.enter(MONGOD, || with_tls(workshop, &program));
    let built = Path::new(env!("CARGO_BIN_EXE_doorward"));
    let doorward = Subject::doorward(DOORWARD, built, Security::Enabled);
    for subject in Subject::peer(T).into_iter().chain([doorward]).chain(Subject::peer(HAPROXY)) {
        let before_mongod = || {
            let tls = Some(Arc::clone(&workshop.tls));
            let processes = |proxy| vec![proxy, backend];
            let logs_in = subject.name == DOORWARD;
            let launch = subject.launch(workshop, plain.address)?;
            workshop.start_as(launch, |address, proxy| Target { address, tls, processes: processes(proxy), logs_in })
        };
        contest.enter(subject.name, before_mongod);
    }
    rounds::run(plan, &rows, &mut contest.contestants, &plain);
    println!("\nbefore a mongod in the clear, beside a mongod with TLS of its own:");
    contest.print(&rows);
    Ok(!contest.failed)
}

/// `$MONGOD`, one on the PATH, or one that the tests fetched.
fn mongod() -> Option<PathBuf> {
    let named = std::env::var_os("MONGOD").filter(|value| !value.is_empty()).map(PathBuf::from);
    let fetched = || {
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from).or_else(home)?;
        let folders = std::fs::read_dir(cache.join("doorward")).ok()?;
        folders.filter_map(|folder| Some(folder.ok()?.path().join("mongod"))).find(|file| file.is_file())
    };
    named.or_else(|| find("mongod")).or_else(fetched)
}

fn launch(program: &Path, folder: &Path, options: &[&str]) -> Result<Launch> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command
        .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false", "--port", &address.port().to_string()])
        .args(options)
        .arg("--dbpath")
        .arg(folder)
        .stdout(Stdio::null());
    Ok(Launch { command, address, log: folder.join("errors") })
}

/// A mongod without access control, with the document that is looked for and the user who looks.
fn in_the_clear(workshop: &Workshop, program: &Path, folder: &Path) -> Result<(Process, Target)> {
    let target = |address, process| Target { address, tls: None, processes: vec![process], logs_in: false };
    let (process, target) = workshop.start_as(launch(program, folder, &[])?, target).context("mongod")?;
    let mut client = Client::connect(&target)?;
    client.ask_successfully(&insert_one())?;
    client.ask_successfully(&message(&create_user(), &[])).context("createUser")?;
    Ok((process, target))
}

fn create_user() -> RawDocumentBuf {
    let role = rawdoc! { "role": "readWrite", "db": DATABASE };
    rawdoc! { "createUser": USER, "roles": [role], "$db": "$external" }
}

/// A mongod that does everything itself.
fn with_tls(workshop: &Workshop, program: &Path) -> Result<(Process, Target)> {
    let folder = workshop.own_folder()?;
    in_the_clear(workshop, program, &folder)?.0.interrupt()?;
    let (server, ca) = (workshop.path("server.pem"), workshop.path("ca.pem"));
    let (server, ca) = (server.to_str().context("folder")?, ca.to_str().context("folder")?);
    let options = ["--auth", "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", server, "--tlsCAFile", ca];
    workshop.start(launch(program, &folder, &options)?).context("mongod with TLS")
}
