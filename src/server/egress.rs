//! `proxy.egress`: the ways out of a member that runs without access control and so sends its peers no credentials.
//!
//! The member connects here without TLS; doorward connects to the peer's doorward as a mongod would, logs in as a member, and from
//! then on carries bytes both ways as they come. They last as long as the fronts have work: a member that stops must still
//! hear from its peers, or what its clients wait for would never be acknowledged.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::Counter;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::registry::Place;
use super::snapshot::Snapshot;
use super::workers::Workers;
use super::{Server, next_client};
use crate::admin::events::network;
use crate::admin::log::Severity;
use crate::config::cidr::Cidr;
use crate::config::settings::{self, Listen, Settings};
use crate::net::listener::{self, BindError, Listener};
use crate::net::stream::{Stream, Transport};
use crate::session::ClientAddress;
use crate::upstream::UpstreamError;
use crate::upstream::connector::Connector;

/// How much is read at once, in bytes.
const ROOM: usize = 32 * 1024;

/// One way out.
pub(crate) struct Egress {
    way: ArcSwap<Way>,
    /// Whether the log says already that the peer can not be reached.
    is_failing: AtomicBool,
}

/// What a reload changes of it.
struct Way {
    from: Vec<Cidr>,
    connector: Connector,
}

impl Way {
    fn new(settings: &settings::Egress, snapshot: &Snapshot) -> Self {
        Self { from: settings.from.clone(), connector: snapshot.member_connector(&settings.to) }
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
        let egress =
            |settings| Self { way: ArcSwap::from_pointee(Way::new(settings, snapshot)), is_failing: AtomicBool::new(false) };
        snapshot.settings.proxy.egress.iter().map(egress).map(Arc::new).collect()
    }

    /// Takes over what a reload brought.
    pub(super) fn reload(&self, settings: &settings::Egress, snapshot: &Snapshot) {
        self.way.store(Arc::new(Way::new(settings, snapshot)));
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
            let attributes = json!({ "address": listener.address(), "to": egress.way.load().connector.address() });
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
        let place = if egress.way.load().is_for(address) { server.egress_registry.enter(most) } else { None };
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
                serve(&server, &egress, transport, &address, &place).await;
            }
        });
    }
}

/// Serves one connection of the member behind.
async fn serve(server: &Server, egress: &Egress, member: Transport, address: &ClientAddress, place: &Place) {
    let way = egress.way.load_full();
    let to = way.connector.address();
    match reach(&way.connector).await {
        Ok(peer) => {
            server.metrics.egress_connect("done");
            if egress.is_failing.swap(false, Ordering::Relaxed) {
                let text = "The peer is reachable again (proxy.egress)";
                network(&server.log, "egress", Severity::Info, 9_000_043, text, json!({ "to": to }));
            }
            server.metrics.egress_connections.increment(1.0);
            let Carried { to_peer, from_peer, reason } = carry(server, member, peer).await;
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
            if !egress.is_failing.swap(true, Ordering::Relaxed) {
                let text = "The peer can not be reached for the member behind (proxy.egress)";
                let attributes = json!({ "to": to, "error": error.to_string() });
                network(&server.log, "egress", Severity::Warning, 9_000_042, text, attributes);
            }
        }
    }
}

/// A connection to the peer on which doorward is a member.
async fn reach(connector: &Connector) -> Result<Stream, UpstreamError> {
    // No hello of doorward's own: the member's says who it is.
    let channel = connector.connect(None).await?.channel;
    if channel.incoming.is_empty() {
        Ok(channel.stream)
    } else {
        Err(UpstreamError::Protocol("a message that nobody asked for".to_owned()))
    }
}

/// What went through a connection, and why it ended.
struct Carried {
    to_peer: u64,
    from_peer: u64,
    reason: String,
}

/// Carries bytes both ways until one side ends; a member that is gone waits for nothing any more.
async fn carry(server: &Server, member: Transport, peer: Stream) -> Carried {
    let ((mut from_member, mut to_member), (mut from_peer, mut to_peer)) = (split(member), split(peer));
    let (mut sent, mut received) = (0, 0);
    let (side, end) = tokio::select! {
        end = pour(&mut from_member, &mut to_peer, &server.metrics.egress_bytes_to_peer, &mut sent) => ("member", end),
        end = pour(&mut from_peer, &mut to_member, &server.metrics.egress_bytes_from_peer, &mut received) => ("peer", end),
    };
    let _ = timeout(Duration::from_secs(1), async {
        let _ = to_peer.shutdown().await;
        let _ = to_member.shutdown().await;
    })
    .await;
    let reason = end.map_or_else(|error| format!("from the {side}: {error}"), |()| format!("the {side} left"));
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

    #[test]
    fn a_way_out_is_for_this_host_or_for_whom_it_names() {
        let to = UpstreamAddress::Tcp(HostAndPort { host: "peer".into(), port: 1 });
        let way = |from: &[&str]| Way {
            from: from.iter().map(|range| range.parse().unwrap()).collect(),
            connector: Connector::new(to.clone(), 1, None, Arc::new(Login::None)),
        };
        let may = |from: &[&str], client: &str| way(from).is_for(ClientAddress::Tcp(client.parse().unwrap()));
        assert!(may(&[], "127.0.0.1:5"));
        assert!(!may(&[], "10.0.0.1:5"));
        assert!(may(&["10.0.0.0/30", "::1"], "10.0.0.1:5"));
        assert!(!may(&["10.0.0.0/30"], "10.0.0.4:5"));
        assert!(!may(&["10.0.0.0/30"], "127.0.0.1:5"));
    }
}
