//! The running doorward: it binds, accepts, watches the upstream, reloads and drains.

mod answers;
mod arrival;
mod connection;
mod egress;
mod entrance;
mod facts;
mod forward;
mod front;
mod observe;
mod open;
mod pooling;
mod readiness;
mod refused;
mod registry;
mod reload;
pub mod snapshot;
mod streaming_hello;
mod turn;
mod workers;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::arrival::Arrival;
use self::egress::Egress;
use self::entrance::Entrance;
use self::front::Front;
use self::registry::{Registry, Wake};
use self::snapshot::{Randomness, Snapshot, SnapshotError};
use self::workers::Workers;
use crate::admin::events::{configuration_warning, control, network};
use crate::admin::http;
use crate::admin::log::{Log, Severity};
use crate::admin::metrics::Metrics;
use crate::admin::readiness::RolesError;
use crate::config::error::Warning;
use crate::config::settings::Settings;
use crate::net::listener::{self, Accepted, BindError, Listener};
use crate::session::ClientAddress;

/// Reads the configuration again, for a reload.
pub type ReadSettings = Box<dyn Fn() -> Result<Settings, String> + Send + Sync>;

/// Why doorward could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file that the configuration names is refused: exit status 2.
    #[error(transparent)]
    Refused(#[from] SnapshotError),
    /// An address can not be bound: exit status 48.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The admin port can not be bound: exit status 48.
    #[error("can not listen on proxy.admin {address}: {source}")]
    AdminBind {
        /// Which address.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that doorward writes can not be opened.
    #[error("{option}: {path}: the file can not be written: {source}")]
    File {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Something else.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The operating system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl ServeError {
    fn file(option: &'static str, path: Option<&std::path::PathBuf>, source: std::io::Error) -> Self {
        Self::File { option, path: path.map(|path| path.display().to_string()).unwrap_or_default(), source }
    }
}

/// Everything that connections share.
pub(crate) struct Server {
    log: Log,
    metrics: Metrics,
    snapshot: ArcSwap<Snapshot>,
    fronts: Vec<Arc<Front>>,
    egress: Vec<Arc<Egress>>,
    readiness: crate::readiness::record::Record,
    registry: Arc<Registry>,
    /// The connections of members behind on their ways out, which no drain waits for.
    egress_registry: Arc<Registry>,
    randomness: Randomness,
    read_settings: ReadSettings,
}

impl Server {
    /// Does this at every front. Users that change through one are the same ones at all members of a replica set.
    fn each_front(&self, does: impl Fn(&Front)) {
        self.fronts.iter().for_each(|front| does(front));
    }

    /// Brings the number of shared upstream connections that wait up to date.
    #[expect(clippy::cast_precision_loss, reason = "nobody has that many connections")]
    fn show_pooling(&self) {
        let idle: usize = self.fronts.iter().map(|front| front.pooling.idle()).sum();
        self.metrics.upstream_idle.set(idle as f64);
    }
}

/// Runs doorward until it is told to stop, and drains it.
///
/// # Errors
/// It could not start. Nothing is served then.
pub fn run(settings: Settings, warnings: &[Warning], read_settings: ReadSettings) -> Result<(), ServeError> {
    // This thread accepts, watches and obeys; the connections have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(serve(settings, warnings, read_settings));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn serve(settings: Settings, warnings: &[Warning], read_settings: ReadSettings) -> Result<(), ServeError> {
    // First of all: a signal that comes while doorward starts must not end it without a word.
    let mut signals = Signals::new()?;
    raise_file_limit();
    let log =
        Log::open(&settings.log).map_err(|source| ServeError::file("systemLog.path", settings.log.path.as_ref(), source))?;
    start_lines(&log, &settings, warnings);
    let randomness = Randomness::new()?;
    let snapshot = Snapshot::load(settings, &randomness, 1, unix_now())?;
    let listeners = bind(&snapshot.settings)?;
    let ways_out = egress::bind(&snapshot.settings)?;
    let admin = bind_admin(&snapshot.settings).await?;
    let pid_file_path = snapshot.settings.process.pid_file_path.as_ref();
    let _pid_file = PidFile::write(pid_file_path)
        .map_err(|source| ServeError::file("processManagement.pidFilePath", pid_file_path, source))?;
    let settings = &snapshot.settings.proxy.fronts;
    let (fronts, pictures): (Vec<_>, Vec<_>) =
        settings.iter().enumerate().map(|(number, front)| Front::new(number, front, &snapshot)).unzip();
    let fronts: Vec<_> = fronts.into_iter().map(Arc::new).collect();
    let egress = Egress::all(&snapshot);
    let server = Arc::new(Server {
        metrics: Metrics::new(),
        snapshot: ArcSwap::from_pointee(snapshot),
        log,
        fronts,
        egress,
        readiness: crate::readiness::record::Record::default(),
        registry: Arc::default(),
        egress_registry: Arc::default(),
        randomness,
        read_settings,
    });
    reload::show(&server);
    server.note_transition();
    let workers = Arc::new(Workers::start()?);
    // Before anything else works: a member looks for itself and its peers as soon as it starts.
    let ways_out = egress::start(&server, &workers, ways_out);
    for (front, pictures) in server.fronts.iter().zip(pictures) {
        tokio::spawn(front::watch(Arc::clone(&server), Arc::clone(front), pictures));
    }
    if let Some(listener) = admin {
        tokio::spawn(http::serve(listener, Arc::clone(&server)));
    }
    // The first pictures are waited for, so that a client that comes at once finds an upstream that is there.
    front::first_look(&server.fronts).await;
    let accepting = start_accepting(&server, &workers, listeners);
    wait_for_signals(&server, &mut signals).await;
    drop(accepting);
    drain(&server, &mut signals).await;
    drop(ways_out);
    control(&server.log, Severity::Info, 23138, "Shutting down", json!({ "exitCode": 0 }));
    Ok(())
}

/// Binds the addresses of each place to listen.
fn bind(settings: &Settings) -> Result<Vec<Vec<Listener>>, BindError> {
    entrance::places(&settings.proxy.fronts).into_iter().map(|place| listener::bind(&settings.net, place)).collect()
}

async fn bind_admin(settings: &Settings) -> Result<Option<tokio::net::TcpListener>, ServeError> {
    let Some(address) = settings.proxy.admin else { return Ok(None) };
    http::bind(address).await.map(Some).map_err(|source| ServeError::AdminBind { address, source })
}

/// The lines that mongod writes when it starts, as far as they are true of doorward, and what an operator should know.
fn start_lines(log: &Log, settings: &Settings, warnings: &[Warning]) {
    let attributes = json!({ "pid": std::process::id(), "port": settings.net.port, "version": env!("CARGO_PKG_VERSION") });
    control(log, Severity::Info, 4_615_611, "doorward starting", attributes);
    if !settings.ignored.is_empty() {
        let text = "Options that concern only a database are ignored";
        control(log, Severity::Info, 9_000_001, text, json!({ "options": settings.ignored }));
    }
    for warning in warnings {
        configuration_warning(log, warning);
    }
}

/// Takes clients from every listener; they are closed when what is returned goes.
fn start_accepting(server: &Arc<Server>, workers: &Arc<Workers>, listeners: Vec<Vec<Listener>>) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let snapshot = server.snapshot.load();
    for listener in listeners.iter().flatten() {
        network(&server.log, "listener", Severity::Info, 23015, "Listening on", json!({ "address": listener.address() }));
    }
    let tls = if snapshot.tls.is_some() { "on" } else { "off" };
    let attributes = json!({ "port": snapshot.settings.net.port, "ssl": tls });
    let entrances = Entrance::all(&snapshot.settings.proxy.fronts, &server.fronts);
    for (entrance, listeners) in entrances.into_iter().map(Arc::new).zip(listeners) {
        for listener in listeners {
            tasks.spawn(accept_loop(Arc::clone(server), Arc::clone(&entrance), Arc::clone(workers), listener));
        }
    }
    network(&server.log, "listener", Severity::Info, 23016, "Waiting for connections", attributes);
    tasks
}

async fn accept_loop(server: Arc<Server>, entrance: Arc<Entrance>, workers: Arc<Workers>, listener: Listener) {
    loop {
        let (accepted, address) = next_client(&server, &listener).await;
        server.metrics.connections_accepted.increment(1);
        let most = server.snapshot.load().settings.net.max_incoming_connections;
        let Some(place) = server.registry.enter(most) else {
            server.metrics.connection_refused("too_many_connections");
            let text = "Connection refused because there are too many open connections";
            network(&server.log, "listener", Severity::Info, 22942, text, json!({ "connectionCount": most }));
            continue;
        };
        // Never an answer from memory: without an upstream a client is closed, which is what makes drivers wait quietly.
        if !entrance.is_up() {
            server.metrics.connection_refused("upstream");
            continue;
        }
        let (server, entrance) = (Arc::clone(&server), Arc::clone(&entrance));
        workers.spawn(async move {
            // A socket belongs to the runtime that it is waited for on.
            let Ok(transport) = accepted.into_transport() else { return };
            server.metrics.connections_open.increment(1.0);
            connection::serve(&server, &entrance, Arrival { transport, address, place }).await;
            server.metrics.connections_open.decrement(1.0);
        });
    }
}

/// The next client of a listener.
async fn next_client(server: &Server, listener: &Listener) -> (Accepted, ClientAddress) {
    loop {
        match listener.accept().await {
            Ok(client) => return client,
            Err(error) => {
                let attributes = json!({ "error": error.to_string(), "address": listener.address() });
                network(&server.log, "listener", Severity::Warning, 22945, "Error accepting new connection", attributes);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits for SIGTERM or SIGINT; SIGHUP reloads meanwhile, and SIGUSR1 rotates the log.
async fn wait_for_signals(server: &Arc<Server>, signals: &mut Signals) {
    loop {
        tokio::select! {
            (number, name) = ending(&mut signals.terminate, &mut signals.interrupt) => {
                control(&server.log, Severity::Info, 23377, "Received signal", json!({ "signal": number, "error": name }));
                return;
            }
            _ = signals.hang_up.recv() => reload::reload(server),
            _ = signals.rotate.recv() => rotate(&server.log),
        }
    }
}

/// What `logrotate` and its like ask for.
fn rotate(log: &Log) {
    match log.rotate() {
        Ok(()) => control(log, Severity::Info, 9_000_008, "Log rotated", json!({})),
        Err(error) => {
            let attributes =
                json!({ "error": error.to_string(), "remedy": "let doorward write to the folder of systemLog.path" });
            control(log, Severity::Error, 9_000_009, "The log can not be rotated and goes on where it was", attributes);
        }
    }
}

/// The signals that doorward obeys, caught from its first moment on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    rotate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            rotate: signal(SignalKind::user_defined1())?,
        })
    }
}

/// Waits for SIGTERM or SIGINT.
async fn ending(terminate: &mut Signal, interrupt: &mut Signal) -> (i32, &'static str) {
    tokio::select! {
        _ = terminate.recv() => (15, "Terminated"),
        _ = interrupt.recv() => (2, "Interrupt"),
    }
}

/// Lets running operations finish, within `proxy.drainSeconds`; a second signal ends the patience.
async fn drain(server: &Arc<Server>, signals: &mut Signals) {
    let limit = Duration::from_secs(u64::from(server.snapshot.load().settings.proxy.drain_seconds));
    let open = server.registry.len();
    control(&server.log, Severity::Info, 9_000_003, "Draining", json!({ "connections": open, "busy": server.registry.busy() }));
    server.registry.wake_all(Wake::Draining);
    tokio::select! {
        () = server.registry.empty() => {}
        () = tokio::time::sleep(limit) => {
            let attributes = json!({ "connections": server.registry.len() });
            control(&server.log, Severity::Warning, 9_000_004, "Connections are cut off (proxy.drainSeconds)", attributes);
        }
        _ = ending(&mut signals.terminate, &mut signals.interrupt) => {}
    }
}

impl http::Subject for Server {
    fn metrics(&self) -> String {
        reload::show_certificates(self);
        self.show_readiness();
        self.show_pooling();
        self.metrics.render()
    }

    fn readiness(&self, last_seconds: Option<u32>) -> String {
        let last_ms = last_seconds.map(|seconds| i64::from(seconds).saturating_mul(1000));
        format!("{}\n", crate::admin::readiness::report(self.readiness.report(), unix_now_ms(), last_ms))
    }

    async fn roles(&self, application: &str) -> Result<String, RolesError> {
        Ok(format!("{}\n", self.recommended_roles(application).await?))
    }

    fn ready(&self) -> Result<(), String> {
        if self.fronts.iter().any(|front| front.is_up()) {
            return Ok(());
        }
        let addresses: Vec<_> = self.fronts.iter().map(|front| front.connector().address()).collect();
        Err(format!("no upstream is reachable: {}", addresses.join(", ")))
    }
}

/// `processManagement.pidFilePath`, removed at the end.
struct PidFile(std::path::PathBuf);

impl PidFile {
    fn write(path: Option<&std::path::PathBuf>) -> std::io::Result<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        std::fs::write(path, format!("{}\n", std::process::id()))?;
        Ok(Some(Self(path.clone())))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Each client costs two file descriptors; the soft limit is often far below what is allowed.
fn raise_file_limit() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> i64 {
    unix_now_ms() / 1000
}

/// Milliseconds since 1970.
pub(crate) fn unix_now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
