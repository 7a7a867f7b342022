//! The live picture of the upstream: one monitoring connection, streaming where the upstream can.
//!
//! Drivers' monitoring connections never authenticate and never reach the upstream; what they see is made from this picture, so it
//! has to be true: when the monitor loses the upstream, the picture is gone at once and every connection that was opened under it is
//! told (wire sheet section 7: an outage must be visible on hello first, then no driver shows an error). Nothing is ever answered
//! from a picture whose upstream is lost; whoever has reason to believe that it is can have that checked ([`Suspicions`]).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bson::raw::{RawDocument, RawDocumentBuf};
use tokio::sync::{Notify, watch};

use super::connection::Connection;
use super::connector::Connector;
use super::suspicion::{self, Suspicions};
use super::{UpstreamError, is_ok, own_metadata};
use crate::session::{AdvertisedNames, UpstreamPicture};

/// How long the upstream may hold a streaming hello back when nothing changes, in milliseconds.
const MAX_AWAIT_MS: i64 = 10_000;
/// The same for a member of a replica set, of which not all that a hello tells changes its topology version: a secondary learns who is
/// the primary without, and drivers choose secondaries by a `lastWrite` that is never the same.
const MAX_AWAIT_OF_MEMBER_MS: i64 = 1000;
/// How much longer than that doorward waits before it holds the upstream for lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between attempts to reach a lost upstream: it starts here and doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is known of the upstream: the picture while it is reachable, nothing while it is not.
pub type Picture = Option<Arc<UpstreamPicture>>;

/// Where pictures go, and what clients are told instead of the members' names.
pub struct Publisher {
    /// The newest picture.
    pub pictures: watch::Sender<Picture>,
    /// The names for clients.
    pub names: AdvertisedNames,
}

/// What the monitor tells of its work, for log and metrics.
pub enum MonitorEvent<'a> {
    /// The upstream answers.
    Reached,
    /// It said hello.
    Hello(&'a RawDocument),
    /// It answered and is lost now.
    Lost(&'a UpstreamError),
    /// It could not be reached; told once for a row of failures.
    Unreachable(&'a UpstreamError),
}

/// Watches the upstream for ever. `connector` is asked for at each attempt; `reloaded` is notified when it may be another one: an
/// upstream that the configuration does not name any more is lost.
pub async fn run(
    connector: impl Fn() -> Arc<Connector>,
    publisher: Publisher,
    suspicions: &Suspicions,
    reloaded: &Notify,
    mut tell: impl FnMut(MonitorEvent<'_>),
) {
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        let mut reached = false;
        let way = connector();
        let error = match reach(&way, &publisher).await {
            Ok((connection, hello)) => {
                reached = true;
                tell(MonitorEvent::Reached);
                tell(MonitorEvent::Hello(&hello));
                tokio::select! {
                    Err(error) = follow(connection, hello, &publisher, &mut tell) => error,
                    error = suspicion::check_when_raised(&connector, suspicions) => error,
                    error = replaced(&connector, &way, reloaded) => error,
                }
            }
            Err(error) => error,
        };
        publisher.pictures.send_replace(None);
        if reached {
            tell(MonitorEvent::Lost(&error));
            (pause, told) = (FIRST_PAUSE, false);
        } else if !told {
            tell(MonitorEvent::Unreachable(&error));
            told = true;
        }
        suspicions.settle_all();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until the configuration names another upstream.
async fn replaced(connector: impl Fn() -> Arc<Connector>, way: &Connector, reloaded: &Notify) -> UpstreamError {
    while connector().leads_to(way.upstream()) {
        reloaded.notified().await;
    }
    UpstreamError::Replaced
}

/// Connects, learns what pictures are made of, and publishes the first.
async fn reach(connector: &Connector, publisher: &Publisher) -> Result<(Connection, RawDocumentBuf), UpstreamError> {
    let mut connection = connector.connect(Some(&own_metadata("doorward monitor"))).await?;
    let hello = connection.command("hello", &bson::rawdoc! { "hello": 1, "$db": "admin" }).await?;
    let first = learn(&mut connection, publisher.names.translate(hello.clone())).await?;
    publisher.pictures.send_replace(Some(Arc::new(first)));
    Ok((connection, hello))
}

/// Publishes a picture at every change until the connection breaks.
async fn follow(
    mut connection: Connection,
    mut hello: RawDocumentBuf,
    publisher: &Publisher,
    tell: &mut impl FnMut(MonitorEvent<'_>),
) -> Result<Infallible, UpstreamError> {
    loop {
        let Some(request) = streaming_hello(&hello) else {
            // A server that knows no topologyVersion is asked again and again.
            tokio::time::sleep(Duration::from_millis(500)).await;
            hello = patiently(connection.command("hello", &bson::rawdoc! { "hello": 1, "$db": "admin" })).await?;
            publisher.publish(&hello)?;
            tell(MonitorEvent::Hello(&hello));
            continue;
        };
        patiently(connection.start_stream(&request)).await?;
        loop {
            let (reply, more) = patiently(connection.next_streamed("hello")).await?;
            hello = reply;
            publisher.publish(&hello)?;
            tell(MonitorEvent::Hello(&hello));
            if !more {
                break;
            }
        }
    }
}

impl Publisher {
    fn publish(&self, hello: &RawDocumentBuf) -> Result<(), UpstreamError> {
        let Some(current) = self.pictures.borrow().clone() else { return Ok(()) };
        let told = self.names.translate(hello.clone());
        let newer = current.with_hello(told).map_err(|error| UpstreamError::Protocol(error.to_string()))?;
        // Hellos that wait are woken by a change of the topology alone, and tell the newest picture when their time is up.
        let changed = newer.topology_version().is_none() || newer.topology_version() != current.topology_version();
        self.pictures.send_if_modified(|picture| {
            *picture = Some(Arc::new(newer));
            changed
        });
        Ok(())
    }
}

async fn patiently<T>(work: impl Future<Output = Result<T, UpstreamError>>) -> Result<T, UpstreamError> {
    let limit = Duration::from_millis(MAX_AWAIT_MS.unsigned_abs()) + PATIENCE;
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_elapsed) => Err(UpstreamError::silent(limit)),
    }
}

async fn learn(connection: &mut Connection, hello: RawDocumentBuf) -> Result<UpstreamPicture, UpstreamError> {
    let build_info = connection.command("buildInfo", &bson::rawdoc! { "buildInfo": 1, "$db": "admin" }).await?;
    let list_commands = connection.command("listCommands", &bson::rawdoc! { "listCommands": 1, "$db": "admin" }).await?;
    let self_id = connection.ask(&bson::rawdoc! { "_isSelf": 1, "$db": "admin" }).await?;
    let self_id = Some(self_id).filter(|reply| is_ok(reply));
    UpstreamPicture::new(hello, build_info, list_commands, self_id).map_err(|error| UpstreamError::Protocol(error.to_string()))
}

fn streaming_hello(last: &RawDocument) -> Option<RawDocumentBuf> {
    let version = last.get_document("topologyVersion").ok()?.to_owned();
    let max_await = if matches!(last.get("lastWrite"), Ok(Some(_))) { MAX_AWAIT_OF_MEMBER_MS } else { MAX_AWAIT_MS };
    Some(bson::rawdoc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": max_await, "$db": "admin" })
}
