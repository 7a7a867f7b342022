//! Doubt about the upstream: who lost a connection to it tells the monitor, and waits for the monitor's answer before its client
//! learns of the loss.
//!
//! The sockets of an upstream that ends close one after the other, and the monitor's need not be the first. A client that is closed
//! earlier comes back at once, and must not be answered from the picture of an upstream that is no more (wire sheet section 7: an
//! outage must be visible on hello first). So the monitor makes sure with a fresh connection, as the client's next one will be.
//!
//! A check must never hold for lost what merely takes no more connections: then one client could have all others cut off. And it
//! must cost little: one check answers everybody who asked before it began.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::connector::Connector;
use super::{UpstreamError, own_metadata};
use crate::error::ErrorCode;

/// How long a check tries, and how long somebody waits for one: about as long as a mongod takes to end when nothing holds it up.
pub const LIMIT: Duration = Duration::from_secs(2);
/// The pause between two attempts of a check.
const PAUSE: Duration = Duration::from_millis(20);

/// The doubts that were raised and those that are settled; they are numbered from 1 on.
#[derive(Debug, Default)]
pub struct Suspicions {
    raised: watch::Sender<u64>,
    settled: watch::Sender<u64>,
}

impl Suspicions {
    /// Raises a doubt and waits until a check that began later is over, or the upstream was found to be lost.
    pub async fn raise(&self) {
        let mut settled = self.settled.subscribe();
        let mut number = 0;
        self.raised.send_modify(|raised| {
            *raised = raised.saturating_add(1);
            number = *raised;
        });
        // The sender is `self`, which outlives the wait.
        let _ = settled.wait_for(|settled| *settled >= number).await;
    }

    /// Waits until there is a doubt, and returns the number of the youngest.
    async fn any(&self) -> u64 {
        let settled = *self.settled.borrow();
        let mut raised = self.raised.subscribe();
        let youngest = raised.wait_for(|raised| *raised > settled).await;
        youngest.map_or(settled, |youngest| *youngest)
    }

    /// Settles every doubt: the loss of the upstream is known.
    pub(super) fn settle_all(&self) {
        let youngest = *self.raised.borrow();
        self.settle(youngest);
    }

    fn settle(&self, number: u64) {
        self.settled.send_replace(number);
    }
}

/// Checks the upstream whenever somebody doubts it, and returns when it is lost.
pub(super) async fn check_when_raised(connector: impl Fn() -> Arc<Connector>, suspicions: &Suspicions) -> UpstreamError {
    loop {
        let number = suspicions.any().await;
        // What stays unclear is left to the monitor's own connection.
        if let Ok(Some(lost)) = timeout(LIMIT, check(&connector)).await {
            return lost;
        }
        suspicions.settle(number);
    }
}

/// Tries until it is clear whether the upstream is there: `None` when it is.
async fn check(connector: &impl Fn() -> Arc<Connector>) -> Option<UpstreamError> {
    loop {
        match attempt(&connector()).await {
            Ok(()) => return None,
            Err(error) => match judge(&error) {
                Verdict::Lost => return Some(error),
                Verdict::There => return None,
                Verdict::Unclear => tokio::time::sleep(PAUSE).await,
            },
        }
    }
}

/// A hello tells little of a server that ends; a `ping` is interrupted then.
async fn attempt(connector: &Connector) -> Result<(), UpstreamError> {
    let mut connection = connector.connect(Some(&own_metadata("doorward check"))).await?;
    connection.command("ping", &bson::rawdoc! { "ping": 1, "$db": "admin" }).await.map(drop)
}

/// What a failed attempt says of the upstream.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody listens, or a server that shuts down.
    Lost,
    /// It answers.
    There,
    /// It may be lost, or full, or slow; or it is doorward that can not open a socket.
    Unclear,
}

fn judge(error: &UpstreamError) -> Verdict {
    match error {
        UpstreamError::Io(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Verdict::Lost,
        UpstreamError::Refused { error, .. } => {
            let code = error.code().code();
            let ends = [ErrorCode::ShutdownInProgress, ErrorCode::InterruptedAtShutdown].iter().any(|end| end.code() == code);
            if ends { Verdict::Lost } else { Verdict::There }
        }
        _ => Verdict::Unclear,
    }
}

#[cfg(test)]
mod tests;
