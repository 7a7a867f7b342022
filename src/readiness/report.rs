//! What the record tells: plain values, as they are at one moment.

use crate::authz::needs::Need;
use crate::names::UserName;

/// Why a command would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Nobody is authenticated on the connection.
    Unauthenticated,
    /// The user lacks these privileges; the list is empty when none would do (another user's cursor).
    MissingPrivilege(Vec<Need>),
}

/// A line of the report, without its count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// Who was authenticated.
    pub user: Option<UserName>,
    /// The driver; empty for what is allowed, where it does not matter.
    pub driver: String,
    /// The IP address; empty for what is allowed.
    pub address: String,
    /// The deployment, where there are several; empty for what is allowed.
    pub deployment: String,
    /// The command.
    pub command: String,
    /// Why it would be refused; `None` when it would be allowed.
    pub why: Option<Why>,
    /// Whether it was refused in earnest, by `proxy.enforcement`.
    pub is_enforced: bool,
}

/// Where connections come from and who is authenticated on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The driver.
    pub driver: String,
    /// The IP address.
    pub address: String,
    /// The deployment, where there are several.
    pub deployment: String,
    /// Who is authenticated; `None` for connections that work without.
    pub user: Option<UserName>,
}

/// The connections of a place; those that only say hello are not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Which.
    pub place: Place,
    /// How many are open.
    pub open: u64,
    /// How many there were in all.
    pub total: u64,
    /// When one of them last did something that was judged, in milliseconds since 1970.
    pub last_ms: i64,
}

/// A failed login, without its count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FailedLogin {
    /// As whom.
    pub user: Option<UserName>,
    /// The mechanism.
    pub mechanism: String,
    /// The driver.
    pub driver: String,
    /// The IP address.
    pub address: String,
    /// The deployment, where there are several.
    pub deployment: String,
}

/// A count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// When first, in milliseconds since 1970.
    pub first_ms: i64,
    /// When last.
    pub last_ms: i64,
}

/// What was counted and found no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Commands that would be allowed.
    pub allowed: u64,
    /// Commands that would be refused.
    pub denied: u64,
    /// Failed logins.
    pub failed_logins: u64,
    /// Needs; one that comes again counts again.
    pub needs: u64,
    /// Connections.
    pub connections: u64,
}

/// Everything, as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Since when, in milliseconds since 1970; `None` when there was no transition yet.
    pub since_ms: Option<i64>,
    /// When the last transition began.
    pub begun_ms: Option<i64>,
    /// When the transition ended; `None` while it lasts.
    pub ended_ms: Option<i64>,
    /// Those that would break first, each group by name.
    pub applications: Vec<ApplicationReport>,
    /// What belongs to no application that is listed.
    pub overflow: Overflow,
}

impl Report {
    /// Lets what was not seen since that moment, in milliseconds since 1970, stand in nobody's way. What was done without a login stays
    /// there while a connection is open that did: it need not come back to break.
    pub fn forget_before(&mut self, from_ms: i64) {
        for application in &mut self.applications {
            let ApplicationReport { lines, connections, .. } = application;
            let is_there = |line: &Line| {
                let is_like = |place: &Place| {
                    (&place.driver, &place.address, &place.deployment) == (&line.driver, &line.address, &line.deployment)
                };
                let without = |one: &Connections| one.open > 0 && one.place.user.is_none() && is_like(&one.place);
                line.user.is_none() && connections.iter().any(without)
            };
            for line in lines {
                line.is_resolved |= line.tally.last_ms < from_ms && !is_there(&line.line);
            }
            for (_, tally, later) in &mut application.failed_logins {
                *later |= tally.last_ms < from_ms;
            }
        }
    }
}

/// A line with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineReport {
    /// The line.
    pub line: Line,
    /// Its count.
    pub tally: Tally,
    /// What the first of these commands was about.
    pub namespace: String,
    /// Whether what would be refused then would be allowed by now: see [`super::record`].
    pub is_resolved: bool,
}

impl LineReport {
    /// Whether it would be refused, and still would.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        self.line.why.is_some() && !self.is_resolved
    }
}

/// What one application did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationReport {
    /// Its name; empty for clients that say none.
    pub name: String,
    /// The lines: what would be refused first, then by count.
    pub lines: Vec<LineReport>,
    /// Its connections that work.
    pub connections: Vec<Connections>,
    /// Failed logins, each with whether the same user logged in from the same address later.
    pub failed_logins: Vec<(FailedLogin, Tally, bool)>,
    /// What it needs, each with whether it was ever lacking.
    pub needs: Vec<(Need, bool)>,
    /// What found no place.
    pub overflow: Overflow,
}

impl ApplicationReport {
    /// How many commands would be allowed, refused for want of a login, and refused for want of a privilege; without the overflow.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let mut counts = (0_u64, 0_u64, 0_u64);
        for LineReport { line, tally, .. } in &self.lines {
            let count = match &line.why {
                None => &mut counts.0,
                Some(Why::Unauthenticated) => &mut counts.1,
                Some(Why::MissingPrivilege(_)) => &mut counts.2,
            };
            *count = count.saturating_add(tally.count);
        }
        counts
    }

    /// Whether everything that it did would be allowed, by now at least, and every login that failed succeeded later.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let denied = self.lines.iter().any(LineReport::is_denied) || self.overflow.denied > 0;
        let locked_out = self.failed_logins.iter().any(|(_, _, later)| !later) || self.overflow.failed_logins > 0;
        !denied && !locked_out
    }

    /// Whether it worked, or has a connection that did, since that moment.
    #[must_use]
    pub fn has_worked_since(&self, from_ms: i64) -> bool {
        let is_there = |one: &Connections| one.open > 0 || one.last_ms >= from_ms;
        self.connections.iter().any(is_there) || self.lines.iter().any(|one| one.tally.last_ms >= from_ms)
    }
}
