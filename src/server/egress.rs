//! `proxy.egress`: the ways out of a member that runs without access control and so sends its peers no credentials.
//!
//! The member connects here without TLS; doorward connects to the peer's doorward as a mongod would, logs in as a member, and from
//! then on carries bytes both ways as they come. They last as long as the fronts have work: a member that stops must still
//! hear from its peers, or what its clients wait for would never be acknowledged.
//!
//! A reload ends what it made wrong: connections on which nobody is logged in although somebody could be by now, or to a peer that is
//! elsewhere now, or of somebody who may not use the way any more. The member connects again at once. Others go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::registry::Place;
use super::snapshot::Snapshot;
use super::workers::Workers;
use super::{Server, next_client};
use crate::admin::events::network;
use crate::admin::log::Severity;
use crate::admin::metrics::Counter;
use crate::config::cidr::Cidr;
use crate::config::settings::{self, Listen, Settings};
use crate::net::listener::{self, BindError, Listener};
use crate::net::stream::{Stream, Transport};
use crate::session::ClientAddress;
use crate::upstream::UpstreamError;
use crate::upstream::connector::Connector;
use crate::upstream::login::Standing;

/// How much is read at once, in bytes.
const ROOM: usize = 32 * 1024;

/// One way out.
pub(crate) struct Egress {
    way: watch::Sender<Arc<Way>>,
    /// How many connections are carried on which nobody is logged in.
    not_logged_in: AtomicUsize,
}

/// What a reload changes of it.
struct Way {
    from: Vec<Cidr>,
    connector: Connector,
    /// Whether the log says already that the peer can not be reached.
    is_failing: AtomicBool,
    /// Whether the log says already that the peer does not accept the login.
    is_tolerated: AtomicBool,
}

/// Why a reload ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Outdated {
    #[error("the configuration was reloaded, and nobody is logged in on this connection")]
    NotLoggedIn,
    #[error("the configuration names another peer now (proxy.egress)")]
    OtherPeer,
    #[error("the configuration does not let this client use the way out any more (proxy.egress)")]
    NotForIt,
}

impl Outdated {
    /// The metric's label.
    const fn label(self) -> &'static str {
        match self {
            Self::NotLoggedIn => "not_logged_in",
            Self::OtherPeer => "other_peer",
            Self::NotForIt => "refused",
        }
    }
}

impl Way {
    fn new(settings: &settings::Egress, snapshot: &Snapshot) -> Self {
        Self::with(settings.from.clone(), snapshot.member_connector(&settings.to))
    }

    const fn with(from: Vec<Cidr>, connector: Connector) -> Self {
        Self { from, connector, is_failing: AtomicBool::new(false), is_tolerated: AtomicBool::new(false) }
    }

    fn leads_where(&self, other: &Self) -> bool {
        self.connector.leads_to(other.connector.upstream())
    }

    /// Why a connection of `client` that was made on this way does not go on when the way is `now`.
    fn outdated(&self, now: &Self, client: ClientAddress, is_logged_in: bool) -> Option<Outdated> {
        if !now.is_for(client) {
            Some(Outdated::NotForIt)
        } else if !self.leads_where(now) {
            Some(Outdated::OtherPeer)
        } else if !is_logged_in && now.connector.logs_in() {
            Some(Outdated::NotLoggedIn)
        } else {
            None
        }
    }

    /// Whether somebody there may use it; without ranges whoever is on this host.
    fn is_for(&self, client: ClientAddress) -> bool {
        if self.from.is_empty() {
            return client.is_loopback();
        }
        client.ip().is_some_and(|address| self.from.iter().any(|range| range.contains(address)))
    }
}

impl Egress {
    /// All of them, in the order of the settings.
    pub(super) fn all(snapshot: &Snapshot) -> Vec<Arc<Self>> {
        let egress = |settings| Self {
            way: watch::Sender::new(Arc::new(Way::new(settings, snapshot))),
            not_logged_in: AtomicUsize::new(0),
        };
        snapshot.settings.proxy.egress.iter().map(egress).map(Arc::new).collect()
    }

    /// Takes over what a reload brought. How many connections it ends because nobody is logged in on them.
    pub(super) fn reload(&self, settings: &settings::Egress, snapshot: &Snapshot) -> usize {
        let (before, now) = (self.way(), Arc::new(Way::new(settings, snapshot)));
        let is_failing = before.leads_where(&now) && before.is_failing.load(Ordering::Relaxed);
        now.is_failing.store(is_failing, Ordering::Relaxed);
        // Before they hear of it, and are gone.
        let ended = if now.connector.logs_in() { self.not_logged_in.load(Ordering::Relaxed) } else { 0 };
        self.way.send_replace(now);
        ended
    }

    fn way(&self) -> Arc<Way> {
        Arc::clone(&self.way.borrow())
    }

    /// The way as it is, and where to hear of whatever a reload makes of it from here on.
    fn follow(&self) -> (Arc<Way>, watch::Receiver<Arc<Way>>) {
        let mut ways = self.way.subscribe();
        let way = Arc::clone(&ways.borrow_and_update());
        (way, ways)
    }
}

/// Binds where they begin.
pub(super) fn bind(settings: &Settings) -> Result<Vec<Vec<Listener>>, BindError> {
    let addresses = settings.proxy.egress.iter().map(|egress| Listen::Address(egress.listen.clone()));
    addresses.map(|listen| listener::bind(&settings.net, &listen)).collect()
}

/// Opens them; they are closed when what is returned goes.
pub(super) fn start(server: &Arc<Server>, workers: &Arc<Workers>, listeners: Vec<Vec<Listener>>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for (egress, listeners) in server.egress.iter().zip(listeners) {
        for listener in listeners {
            let attributes = json!({ "address": listener.address(), "to": egress.way().connector.address() });
            network(&server.log, "egress", Severity::Info, 9_000_040, "A way out for the member behind", attributes);
            tasks.spawn(accept(Arc::clone(server), Arc::clone(egress), Arc::clone(workers), listener));
        }
    }
    tasks
}

async fn accept(server: Arc<Server>, egress: Arc<Egress>, workers: Arc<Workers>, listener: Listener) {
    loop {
        let (accepted, address) = next_client(&server, &listener).await;
        let most = server.snapshot.load().settings.net.max_incoming_connections;
        let (way, ways) = egress.follow();
        let place = if way.is_for(address) { server.egress_registry.enter(most) } else { None };
        let Some(place) = place else {
            server.metrics.egress_connect("refused");
            let attributes = json!({ "address": listener.address(), "remote": address.to_string() });
            let text = "Refused a way out to somebody that is not in its from (proxy.egress), or there are too many";
            network(&server.log, "egress", Severity::Warning, 9_000_041, text, attributes);
            continue;
        };
        let (server, egress) = (Arc::clone(&server), Arc::clone(&egress));
        workers.spawn(async move {
            if let Ok(transport) = accepted.into_transport() {
                serve(&server, &egress, (way, ways), transport, &address, &place).await;
            }
        });
    }
}

/// Serves one connection of the member behind, which was let in on this way: a reload that came since then, or comes while the peer
/// is reached, counts as well.
async fn serve(
    server: &Server,
    egress: &Egress,
    (way, mut ways): (Arc<Way>, watch::Receiver<Arc<Way>>),
    member: Transport,
    address: &ClientAddress,
    place: &Place,
) {
    let to = way.connector.address();
    match reach(&way.connector).await {
        Ok((peer, standing)) => {
            note_reached(server, &way, &standing);
            let is_logged_in = standing.is_authenticated();
            server.metrics.egress_connections.increment(1.0);
            egress.not_logged_in.fetch_add(usize::from(!is_logged_in), Ordering::Relaxed);
            let outdated = outdated(&mut ways, &way, *address, is_logged_in);
            let Carried { to_peer, from_peer, reason } = carry(server, member, peer, outdated).await;
            egress.not_logged_in.fetch_sub(usize::from(!is_logged_in), Ordering::Relaxed);
            server.metrics.egress_connections.decrement(1.0);
            if !server.log.is_quiet() {
                let attributes = json!({
                    "connectionId": place.id, "remote": address.to_string(), "to": to, "reason": reason,
                    "bytesToPeer": to_peer, "bytesFromPeer": from_peer,
                });
                network(&server.log, "egress", Severity::Info, 9_000_044, "Egress connection ended", attributes);
            }
        }
        Err(error) => {
            server.metrics.egress_connect("failed");
            // Members try again all the time: a row of failures is told once.
            if !way.is_failing.swap(true, Ordering::Relaxed) {
                let text = "The peer can not be reached for the member behind (proxy.egress)";
                let attributes = json!({ "to": to, "error": error.to_string() });
                network(&server.log, "egress", Severity::Warning, 9_000_042, text, attributes);
            }
        }
    }
}

/// Counts and tells that the peer was reached, and as whom.
fn note_reached(server: &Server, way: &Way, standing: &Standing) {
    let to = way.connector.address();
    if way.is_failing.swap(false, Ordering::Relaxed) {
        let text = "The peer is reachable again (proxy.egress)";
        network(&server.log, "egress", Severity::Info, 9_000_043, text, json!({ "to": to }));
    }
    let Standing::Tolerated(error) = standing else {
        server.metrics.egress_connect("done");
        way.is_tolerated.store(false, Ordering::Relaxed);
        return;
    };
    server.metrics.egress_connect("not_logged_in");
    if !way.is_tolerated.swap(true, Ordering::Relaxed) {
        let text = "Failed to authenticate in transitionToAuth, falling back to no authentication";
        network(&server.log, "egress", Severity::Info, 20108, text, json!({ "to": to, "error": error.to_string() }));
    }
}

/// A connection to the peer on which doorward is a member, or nobody as far as that is tolerated.
async fn reach(connector: &Connector) -> Result<(Stream, Standing), UpstreamError> {
    // No hello of doorward's own: the member's says who it is.
    let (connection, standing) = connector.connect_as_member().await?;
    let channel = connection.channel;
    if channel.incoming.is_empty() {
        Ok((channel.stream, standing))
    } else {
        Err(UpstreamError::Protocol("a message that nobody asked for".to_owned()))
    }
}

/// Waits for a reload that ends a connection.
async fn outdated(ways: &mut watch::Receiver<Arc<Way>>, way: &Way, client: ClientAddress, is_logged_in: bool) -> Outdated {
    loop {
        if ways.changed().await.is_err() {
            return std::future::pending().await;
        }
        let now = Arc::clone(&ways.borrow_and_update());
        if let Some(outdated) = way.outdated(&now, client, is_logged_in) {
            return outdated;
        }
    }
}

/// What went through a connection, and why it ended.
struct Carried {
    to_peer: u64,
    from_peer: u64,
    reason: String,
}

/// Carries bytes both ways until one side ends, or a reload ends both; a member that is gone waits for nothing any more.
async fn carry(server: &Server, member: Transport, peer: Stream, outdated: impl Future<Output = Outdated>) -> Carried {
    let ((mut from_member, mut to_member), (mut from_peer, mut to_peer)) = (split(member), split(peer));
    let (mut sent, mut received) = (0, 0);
    let ended = |side: &str, end: io::Result<()>| {
        end.map_or_else(|error| format!("from the {side}: {error}"), |()| format!("the {side} left"))
    };
    let reason = tokio::select! {
        // Nothing is carried where a reload has come already.
        biased;
        outdated = outdated => {
            server.metrics.egress_closed(outdated.label());
            outdated.to_string()
        }
        end = pour(&mut from_member, &mut to_peer, &server.metrics.egress_bytes_to_peer, &mut sent) => ended("member", end),
        end = pour(&mut from_peer, &mut to_member, &server.metrics.egress_bytes_from_peer, &mut received) => ended("peer", end),
    };
    let _ = timeout(Duration::from_secs(1), async {
        let _ = to_peer.shutdown().await;
        let _ = to_member.shutdown().await;
    })
    .await;
    Carried { to_peer: sent, from_peer: received, reason }
}

/// Copies until the end; what is there goes on at once.
async fn pour(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    counter: &Counter,
    moved: &mut u64,
) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    loop {
        let count = from.read(&mut room).await?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(room.get(..count).unwrap_or_default()).await?;
        to.flush().await?;
        let count = u64::try_from(count).unwrap_or_default();
        counter.increment(count);
        *moved = moved.saturating_add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::UpstreamAddress;
    use crate::names::HostAndPort;
    use crate::upstream::login::Login;

    fn connector(host: &str, login: Login) -> Connector {
        let to = UpstreamAddress::Tcp(HostAndPort { host: host.into(), port: 1 });
        Connector::new(to, 1, None, Arc::new(login))
    }

    #[test]
    fn a_way_out_is_for_this_host_or_for_whom_it_names() {
        let way =
            |from: &[&str]| Way::with(from.iter().map(|range| range.parse().unwrap()).collect(), connector("peer", Login::None));
        let may = |from: &[&str], client: &str| way(from).is_for(ClientAddress::Tcp(client.parse().unwrap()));
        assert!(may(&[], "127.0.0.1:5"));
        assert!(!may(&[], "10.0.0.1:5"));
        assert!(may(&["10.0.0.0/30", "::1"], "10.0.0.1:5"));
        assert!(!may(&["10.0.0.0/30"], "10.0.0.4:5"));
        assert!(!may(&["10.0.0.0/30"], "127.0.0.1:5"));
    }

    #[test]
    fn a_reload_ends_what_it_made_wrong_and_nothing_else() {
        let here = || vec!["127.0.0.0/8".parse().unwrap()];
        let elsewhere = || vec!["10.0.0.0/8".parse().unwrap()];
        let (nothing, sends) = (|| Login::None, || Login::X509 { tolerant: true });
        let before = [Way::with(here(), connector("peer", nothing())), Way::with(here(), connector("peer", sends()))];
        let client = ClientAddress::Tcp("127.0.0.1:5".parse().unwrap());
        for (now, logged_in, not_logged_in) in [
            (Way::with(here(), connector("peer", nothing())), None, None),
            (Way::with(here(), connector("peer", sends())), None, Some(Outdated::NotLoggedIn)),
            (Way::with(Vec::new(), connector("peer", nothing())), None, None),
            (Way::with(here(), connector("other", nothing())), Some(Outdated::OtherPeer), Some(Outdated::OtherPeer)),
            (Way::with(elsewhere(), connector("peer", sends())), Some(Outdated::NotForIt), Some(Outdated::NotForIt)),
        ] {
            for before in &before {
                assert_eq!(before.outdated(&now, client, true), logged_in);
                assert_eq!(before.outdated(&now, client, false), not_logged_in);
            }
        }
    }
}
