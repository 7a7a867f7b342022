//! `doorward dev`: a local gateway without configuration. It makes certificates, a keyfile and users, starts a real mongod behind
//! itself and prints connection strings.
//!
//! mongod runs without access control, so it listens on a unix socket in a folder that is its owner's alone, and never outlives
//! this process. Source: contract, "Commands".

mod folder;
mod mongod;
mod strings;
mod users;
mod ward;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Arg, Command, value_parser};
use folder::Folder;
use tokio::signal::unix::{SignalKind, signal};
use ward::Ward;

use crate::arguments;

/// mongod opens its files, and doorward finds it: within this.
const START: Duration = Duration::from_secs(60);
/// Between two looks at a process that starts.
const INTERVAL: Duration = Duration::from_millis(50);

/// What `doorward dev` was told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that everything is kept in.
    pub folder: PathBuf,
    /// The port for clients, on the loopback address.
    pub port: u16,
    /// The mongod program; `None` looks for one, and downloads one when there is none.
    pub mongod: Option<PathBuf>,
}

/// `doorward dev WORDS`: runs until SIGINT or SIGTERM.
#[must_use]
pub fn main(words: &[String]) -> ExitCode {
    let matches = match arguments::read(command(), words) {
        Ok(matches) => matches,
        Err(status) => return status,
    };
    let options = Options {
        folder: matches.get_one::<PathBuf>("dir").cloned().unwrap_or_default(),
        port: matches.get_one("port").copied().unwrap_or_default(),
        mongod: matches.get_one::<PathBuf>("mongod").cloned(),
    };
    if let Err(refusal) = TcpListener::bind(("127.0.0.1", options.port)) {
        eprintln!("doorward dev: cannot listen on 127.0.0.1:{}: {refusal}; --port takes another one", options.port);
        return ExitCode::from(48);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("doorward dev: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    Command::new("doorward dev")
        .no_binary_name(true)
        .about("A local gateway with its own certificates, keyfile and users, and a real mongod behind it.")
        .arg(
            Arg::new("dir")
                .long("dir")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .default_value(".doorward-dev")
                .help("where everything is kept; removing it is starting anew"),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .value_parser(value_parser!(u16).range(1..))
                .default_value("27017")
                .help("port for clients, on the loopback address"),
        )
        .arg(
            Arg::new("mongod")
                .long("mongod")
                .value_name("PROGRAM")
                .value_parser(value_parser!(PathBuf))
                .help("the mongod to start; else $MONGOD, one on the PATH, or MongoDB 6.0.5 from PyPI"),
        )
}

/// The whole life: folder, mongod, users, proxy, until a signal comes or one of them ends.
async fn run(options: &Options) -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let program = mongod::find(options.mongod.as_deref())?;
    let folder = Folder::open(&options.folder)?;
    if folder.in_use() {
        bail!("{} is in use by another doorward dev; --dir takes another folder", folder.path("").display());
    }
    folder.fill(options.port)?;
    let mut database = mongod::start(&program, &folder)?;
    let mut proxy = None;
    let result = tokio::select! {
        failure = serve(&mut database, &mut proxy, &folder, options.port) => failure,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    // The proxy first: it drains while mongod still answers.
    if let Some(proxy) = proxy {
        proxy.stop().await;
    }
    database.stop().await;
    result
}

/// Makes the users, starts the proxy, prints the connection strings, and returns when mongod or the proxy has ended.
async fn serve(database: &mut Ward, proxy: &mut Option<Ward>, folder: &Folder, port: u16) -> Result<()> {
    let mut connection = mongod::connect(database, folder).await?;
    users::create(&mut connection, &folder.users()?).context("the users could not be created")?;
    drop(connection);
    let proxy = proxy.insert(start_proxy(folder)?);
    await_proxy(proxy, folder, port).await?;
    println!("{}", strings::welcome(folder, port)?);
    tokio::select! {
        status = proxy.ended() => bail!("the proxy ended ({status}); see {}", folder.path("doorward.log").display()),
        status = database.ended() => bail!("mongod ended ({status}); see {}", folder.path("mongod.log").display()),
    }
}

/// Starts the proxy on the folder's doorward.conf.
fn start_proxy(folder: &Folder) -> Result<Ward> {
    let program = std::env::current_exe().context("doorward's own program")?;
    Ok(Ward::start(std::process::Command::new(program).arg("--config").arg(folder.path("doorward.conf")))?)
}

/// Waits until the proxy listens.
async fn await_proxy(proxy: &mut Ward, folder: &Folder, port: u16) -> Result<()> {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if let Some(status) = proxy.status()? {
            bail!("the proxy did not start ({status}); see {}", folder.path("doorward.log").display());
        }
        if start.elapsed() > START {
            bail!("the proxy does not listen");
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Ok(())
}

/// The end of a log, for a message.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let start = text.lines().count().saturating_sub(3);
    text.lines().skip(start).collect::<Vec<_>>().join("\n")
}
