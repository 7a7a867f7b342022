//! A front: a place where clients come in, the mongod that they reach there, and what doorward knows of it.
//!
//! Each member of a replica set is watched for itself: when one is lost, its clients alone are closed, as they would be without
//! doorward. Users and cursors are a member's own too; a change of users through any front is seen at all of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::Server;
use super::pooling::Pooling;
use super::snapshot::Snapshot;
use crate::admin::events::network;
use crate::admin::log::Severity;
use crate::authz::cursors::Cursors;
use crate::config::settings;
use crate::session::AdvertisedNames;
use crate::upstream::connector::Connector;
use crate::upstream::monitor::{self, MonitorEvent, Picture, Publisher};
use crate::upstream::suspicion::Suspicions;
use crate::upstream::users::UserStore;

/// How long a start waits for an upstream that can not be reached.
const MOMENT: Duration = Duration::from_millis(500);
/// How long it waits for one that is slow to answer.
const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// One front.
pub(crate) struct Front {
    /// Its place among all.
    pub(super) number: usize,
    /// The server name of its deployment; empty where all fronts lead to one.
    pub(super) deployment: String,
    connector: ArcSwap<Connector>,
    /// Tells the monitor of a reload.
    reloaded: Notify,
    pub(super) pictures: watch::Receiver<Picture>,
    pub(super) suspicions: Suspicions,
    pub(super) users: UserStore,
    pub(super) cursors: Cursors,
    pub(super) pooling: Arc<Pooling>,
    /// Whether the log says already that the localhost exception was used.
    pub(super) localhost_exception_noted: AtomicBool,
}

impl Front {
    /// The front `number` of the settings in force, and where the pictures of its upstream go.
    pub(super) fn new(number: usize, front: &settings::Front, snapshot: &Snapshot) -> (Self, watch::Sender<Picture>) {
        let (send_pictures, pictures) = watch::channel(None);
        let front = Self {
            number,
            deployment: front.server_name.clone().filter(|_| !snapshot.settings.proxy.deployments.is_empty()).unwrap_or_default(),
            connector: ArcSwap::from_pointee(snapshot.connector(&front.upstream)),
            reloaded: Notify::new(),
            pictures,
            suspicions: Suspicions::default(),
            users: UserStore::new(snapshot.settings.proxy.user_cache_seconds),
            cursors: Cursors::default(),
            pooling: Arc::new(Pooling::new(&snapshot.settings.proxy.upstream)),
            localhost_exception_noted: AtomicBool::new(false),
        };
        (front, send_pictures)
    }

    /// The way to its upstream.
    pub(super) fn connector(&self) -> Arc<Connector> {
        self.connector.load_full()
    }

    /// Takes over what a reload brought. Another upstream is the loss of the one before: its clients are closed, its users and
    /// cursors are nobody's.
    pub(super) fn reload(&self, front: &settings::Front, snapshot: &Snapshot) {
        self.connector.store(Arc::new(snapshot.connector(&front.upstream)));
        // In this order: what is opened in the new epoch is opened in the new way.
        self.pooling.configure(&snapshot.settings.proxy.upstream);
        self.users.set_greatest_age(snapshot.settings.proxy.user_cache_seconds);
        self.users.forget();
        self.reloaded.notify_one();
    }

    /// Whether its upstream is reachable.
    pub(super) fn is_up(&self) -> bool {
        self.pictures.borrow().is_some()
    }
}

/// Waits until every upstream was reached once; one that can not be reached may come within a moment.
pub(super) async fn first_look(fronts: &[Arc<Front>]) {
    let moment = Instant::now() + MOMENT;
    let look = async {
        for front in fronts {
            let (mut reached, mut failed) = (front.pictures.clone(), front.pictures.clone());
            let gives_up = async {
                let _ = failed.changed().await;
                sleep_until(moment).await;
            };
            tokio::select! {
                _ = reached.wait_for(Option::is_some) => {}
                () = gives_up => {}
            }
        }
    };
    let _ = timeout(LONGEST_LOOK, look).await;
}

/// Watches a front's upstream for ever.
pub(super) async fn watch(server: Arc<Server>, front: Arc<Front>, pictures: watch::Sender<Picture>) {
    let connector = || front.connector();
    let names = {
        let snapshot = server.snapshot.load();
        AdvertisedNames::new(snapshot.settings.proxy.members.iter().map(|member| (&member.host, &member.advertise)))
    };
    let publisher = Publisher { pictures, names: names.clone() };
    let mut unknown = None;
    let mut reached = None;
    let tell = |event: MonitorEvent<'_>| {
        let address = match &event {
            MonitorEvent::Lost(_) => reached.take(),
            _ => None,
        };
        let address = address.unwrap_or_else(|| front.connector().address());
        if matches!(event, MonitorEvent::Reached) {
            reached = Some(address.clone());
        }
        let (up, severity, id, text, reason) = match event {
            MonitorEvent::Hello(hello) => {
                let found = names.unknown_member(hello).map(str::to_owned);
                if let Some(name) = found.as_deref().filter(|_| found != unknown) {
                    warn_of_unknown_member(&server, &address, name);
                }
                unknown = found;
                return;
            }
            MonitorEvent::Reached => (1.0, Severity::Info, 9_000_020, "Upstream is reachable", None),
            MonitorEvent::Lost(error) => (0.0, Severity::Error, 9_000_021, "Upstream is lost", Some(error.to_string())),
            MonitorEvent::Unreachable(error) => {
                (0.0, Severity::Error, 9_000_022, "Upstream is not reachable (proxy.upstream.address)", Some(error.to_string()))
            }
        };
        server.metrics.upstream_up(&address, up);
        network(&server.log, "monitor", severity, id, text, json!({ "address": address, "error": reason }));
        if up < 1.0 {
            front.users.forget();
            front.cursors.forget_all();
            front.pooling.flush();
            let (server, number) = (Arc::clone(&server), front.number);
            tokio::spawn(async move { server.registry.upstream_lost(number).await });
        }
    };
    monitor::run(connector, publisher, &front.suspicions, &front.reloaded, tell).await;
}

fn warn_of_unknown_member(server: &Server, address: &str, name: &str) {
    let text = "The member behind is not in proxy.members: it is hidden from clients that look for its replica set";
    let remedy = "let the host of its entry be this name, which is the one in the configuration of the replica set";
    network(
        &server.log,
        "monitor",
        Severity::Warning,
        9_000_023,
        text,
        json!({ "address": address, "me": name, "remedy": remedy }),
    );
}
