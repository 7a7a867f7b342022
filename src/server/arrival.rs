//! A client's arrival: whose connection it is, by a PROXY header where one is due, and its opening, all within one time limit.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::Server;
use super::connection::End;
use super::entrance::Entrance;
use super::open::{Opened, Opening, Refused};
use super::registry::Place;
use super::snapshot::Snapshot;
use crate::admin::events::ConnectionLog;
use crate::config::cidr::Cidr;
use crate::net::stream::Transport;
use crate::session::ClientAddress;
use crate::wire::proxy_header;

/// A client that was accepted.
pub(super) struct Arrival {
    pub(super) transport: Transport,
    /// The other end of the socket.
    pub(super) address: ClientAddress,
    pub(super) place: Place,
}

/// A client whose connection is open for its first message.
pub(super) struct Entered<'a> {
    pub(super) endpoints: Endpoints,
    pub(super) place: Place,
    pub(super) log: ConnectionLog,
    pub(super) opened: Opened<'a>,
}

/// Where a client is and what it connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) client: ClientAddress,
    /// `None` for a unix socket.
    pub(super) server: Option<SocketAddr>,
}

impl Endpoints {
    /// The address that the client connected to.
    pub(super) fn server_ip(&self) -> Option<IpAddr> {
        self.server.map(|address| address.ip().to_canonical())
    }
}

/// The time within which a connection must have sent its first whole command.
pub(super) struct HandshakeTime {
    deadline: Instant,
    seconds: u32,
}

impl HandshakeTime {
    pub(super) fn starting_now(seconds: u32) -> Self {
        Self { deadline: Instant::now() + Duration::from_secs(u64::from(seconds)), seconds }
    }

    /// Work that has to be done by then.
    pub(super) async fn limit<T>(&self, work: impl Future<Output = T>) -> Result<T, End> {
        tokio::time::timeout_at(self.deadline, work).await.map_err(|_elapsed| End::HandshakeTimeout(self.seconds))
    }
}

impl Arrival {
    /// Opens the connection; `None` when it came to nothing, which is logged then.
    pub(super) async fn enter<'a>(
        self,
        server: &Server,
        snapshot: &Snapshot,
        entrance: &'a Entrance,
        time: &HandshakeTime,
    ) -> Option<Entered<'a>> {
        let Self { mut transport, address, place } = self;
        let own = Endpoints { client: address, server: transport.local_address() };
        let mut first = Vec::with_capacity(4096);
        let from = &snapshot.settings.proxy.proxy_protocol_from;
        let told = in_time(time, &place, who_comes(from, own, &mut transport, &mut first)).await;
        let endpoints = told.as_ref().ok().copied().flatten().unwrap_or(own);
        let log = ConnectionLog::new(server.log.clone(), place.id, endpoints.client.to_string());
        log.accepted(server.registry.len());
        let opened = match told {
            Ok(Some(_)) => {
                let opening = Opening { server, snapshot, entrance, place: &place, log: &log };
                in_time(time, &place, opening.open(first, transport)).await
            }
            Ok(None) => Ok(None),
            Err(refused) => Err(refused),
        };
        let opened = opened.unwrap_or_else(|refused| {
            server.metrics.connection_refused(refused.label);
            log.broken_off(refused.code, &refused.reason);
            None
        });
        let Some(opened) = opened else {
            log.ended(server.registry.len().saturating_sub(1), &json!({}));
            return None;
        };
        Some(Entered { endpoints, place, log, opened })
    }
}

/// Work of an arrival; `Ok(None)` also when the server does not want the connection any more.
async fn in_time<T>(
    time: &HandshakeTime,
    place: &Place,
    work: impl Future<Output = Result<Option<T>, Refused>>,
) -> Result<Option<T>, Refused> {
    tokio::select! {
        done = time.limit(work) => done.unwrap_or_else(|end| Err(Refused::timeout(&end))),
        _ = place.control.woken() => Ok(None),
    }
}

/// Whose connection this is. From one of `from` a PROXY header tells it, and has to; nobody else is asked. What was read beyond the
/// header is left in `first`. `Ok(None)`: the other side left.
async fn who_comes(
    from: &[Cidr],
    own: Endpoints,
    transport: &mut Transport,
    first: &mut Vec<u8>,
) -> Result<Option<Endpoints>, Refused> {
    let balancer = match own.client {
        ClientAddress::Tcp(address) if from.iter().any(|range| range.contains(address.ip())) => address,
        _ => return Ok(Some(own)),
    };
    loop {
        match transport.read_buf(first).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
        let Some(header) = proxy_header::parse(first).map_err(|error| Refused::proxy_header(&error))? else { continue };
        first.drain(..header.length);
        let server = header.ends.map_or(own.server, |ends| Some(ends.destination));
        return Ok(Some(Endpoints { client: ClientAddress::proxied(balancer, header.ends.map(|ends| ends.source)), server }));
    }
}
