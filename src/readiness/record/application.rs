//! What the record keeps of one application, and what has no place.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::presence::Counts;
use super::super::report::{ApplicationReport, FailedLogin, Line, LineReport, Overflow, Place, Why};
use super::{Counter, Places, bounded};
use crate::authz::needs::Need;
use crate::authz::principal::Principal;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) counter: Arc<Counter>,
    pub(super) namespace: String,
}

#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) failed: Counter,
    pub(super) succeeded_ms: Option<i64>,
}

/// Counts of what had no place.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) allowed: Arc<Counter>,
    pub(super) denied: Arc<Counter>,
    pub(super) failed_logins: Arc<Counter>,
    pub(super) needs: u64,
    pub(super) connections: u64,
}

impl Rest {
    pub(super) fn new(now_ms: i64) -> Self {
        let counter = || Arc::new(Counter::new(now_ms));
        Self { allowed: counter(), denied: counter(), failed_logins: counter(), needs: 0, connections: 0 }
    }

    pub(super) fn operation(&self, is_allowed: bool) -> Arc<Counter> {
        Arc::clone(if is_allowed { &self.allowed } else { &self.denied })
    }

    pub(super) fn overflow(&self) -> Overflow {
        Overflow {
            allowed: self.allowed.tally().count,
            denied: self.denied.tally().count,
            failed_logins: self.failed_logins.tally().count,
            needs: self.needs,
            connections: self.connections,
        }
    }
}

#[derive(Debug)]
pub(super) struct Application {
    pub(super) entries: HashMap<Line, Entry>,
    pub(super) logins: HashMap<FailedLogin, Attempts>,
    pub(super) places: HashMap<Place, Arc<Counts>>,
    /// Whether it was ever lacking.
    pub(super) needs: BTreeMap<Need, bool>,
    pub(super) rest: Rest,
}

impl Application {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            entries: HashMap::new(),
            logins: HashMap::new(),
            places: HashMap::new(),
            needs: BTreeMap::new(),
            rest: Rest::new(now_ms),
        }
    }

    /// How many lines of the report it has.
    pub(super) fn len(&self) -> usize {
        self.entries.len().saturating_add(self.logins.len()).saturating_add(self.places.len())
    }

    pub(super) fn note_need(&mut self, need: &Need, is_lacking: bool, places: &mut Places<'_>) {
        let here = self.needs.len();
        if let Some(lacking) = self.needs.get_mut(need) {
            *lacking |= is_lacking;
            return;
        }
        let need = bounded(need);
        if let Some(lacking) = self.needs.get_mut(&need) {
            *lacking |= is_lacking;
        } else if (Places { all: places.all, ..*places }).take(here) {
            self.needs.insert(need, is_lacking);
        } else {
            self.rest.needs = self.rest.needs.saturating_add(1);
        }
    }

    pub(super) fn report(&self, name: &str, most_missing: usize) -> ApplicationReport {
        let mut lines: Vec<LineReport> = self
            .entries
            .iter()
            .map(|(line, entry)| {
                let tally = entry.counter.tally();
                let is_resolved = self.is_resolved(line, tally.last_ms, most_missing);
                LineReport { line: line.clone(), tally, namespace: entry.namespace.clone(), is_resolved }
            })
            .collect();
        lines.sort_unstable_by(|one, other| {
            let rank = |report: &LineReport| (report.line.why.is_none(), report.is_resolved);
            (rank(one), other.tally.count, &one.line).cmp(&(rank(other), one.tally.count, &other.line))
        });
        let mut failed_logins: Vec<_> = self
            .logins
            .iter()
            .map(|(login, attempts)| {
                let tally = attempts.failed.tally();
                let later = attempts.succeeded_ms.is_some_and(|succeeded| succeeded >= tally.last_ms);
                (login.clone(), tally, later)
            })
            .collect();
        failed_logins.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let mut connections: Vec<_> = self.places.iter().map(|(place, counts)| counts.report(place)).collect();
        connections.sort_unstable_by(|one, other| one.place.cmp(&other.place));
        ApplicationReport {
            name: name.to_owned(),
            lines,
            connections,
            failed_logins,
            needs: self.needs.iter().map(|(need, lacking)| (need.clone(), *lacking)).collect(),
            overflow: self.rest.overflow(),
        }
    }

    /// Whether a line that would have been refused would be allowed by now: the same driver at the same address works as a user that
    /// holds all that was lacking, since then, and no longer without one. What can not be known is not so.
    fn is_resolved(&self, line: &Line, last_ms: i64, most_missing: usize) -> bool {
        let Some(why) = &line.why else { return false };
        if self.rest.needs > 0 || self.rest.connections > 0 {
            return false;
        }
        let all = || self.needs.iter().filter(|(_, lacking)| **lacking).map(|(need, _)| need).collect();
        let lacking: Vec<&Need> = match why {
            Why::Unauthenticated => all(),
            Why::MissingPrivilege(missing) if missing.is_empty() => return false,
            Why::MissingPrivilege(missing) if missing.len() < most_missing => missing.iter().collect(),
            Why::MissingPrivilege(_) => all(),
        };
        let is_here =
            |place: &Place| (&place.driver, &place.address, &place.deployment) == (&line.driver, &line.address, &line.deployment);
        let here = || self.places.iter().filter(|(place, _)| is_here(place));
        if line.user.is_none() && here().any(|(place, counts)| place.user.is_none() && counts.open() > 0) {
            return false;
        }
        let is_theirs = |place: &Place| line.user.is_none() || place.user == line.user;
        let later = here().filter(|(place, counts)| is_theirs(place) && counts.last_ms() >= last_ms);
        let users: Vec<Arc<Principal>> = later.filter_map(|(_, counts)| counts.principal()).collect();
        let is_held = |need: &Need| users.iter().any(|user| user.privileges().holds(need.resource.as_resource(), need.action));
        !users.is_empty() && lacking.into_iter().all(is_held)
    }
}
