//! The counts of all connections: what each application did, and what of it enforcement would refuse.
//!
//! Memory is bounded by [`Limits`], whatever clients call themselves: what does not fit is still counted, in [`Overflow`], and the
//! report shows that. Counters are shared: a connection that does the same again adds to one without taking the lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::report::{ApplicationReport, FailedLogin, Line, Overflow, Report, Tally, Why};
use super::{Client, MOST_NAMESPACE_BYTES, MOST_USER_BYTES, MOST_WORD_BYTES, cut};
use crate::authz::needs::{Need, OwnedResource};
use crate::names::UserName;

/// How much is kept. The whole is a few megabytes at most as long as names are of ordinary length, some tens when all are as long as
/// can be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Different application names.
    pub applications: usize,
    /// Lines of the report, failed logins included, for one application and for all.
    pub entries_an_application: usize,
    /// See `entries_an_application`.
    pub entries: usize,
    /// Different needs of one application and of all.
    pub needs_an_application: usize,
    /// See `needs_an_application`.
    pub needs: usize,
    /// Missing privileges that one line names.
    pub missing: usize,
}

impl Limits {
    /// Those of a running doorward.
    pub const DEFAULT: Self = Self {
        applications: 256,
        entries_an_application: 512,
        entries: 4096,
        needs_an_application: 1024,
        needs: 16_384,
        missing: 8,
    };
}

/// One count with its first and last moment, in milliseconds since 1970.
#[derive(Debug)]
pub struct Counter {
    count: AtomicU64,
    first_ms: i64,
    last_ms: AtomicI64,
}

impl Counter {
    fn new(now_ms: i64) -> Self {
        Self { count: AtomicU64::new(0), first_ms: now_ms, last_ms: AtomicI64::new(now_ms) }
    }

    /// Counts one more.
    pub fn add(&self, now_ms: i64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.last_ms.store(now_ms, Ordering::Relaxed);
    }

    fn tally(&self) -> Tally {
        Tally {
            count: self.count.load(Ordering::Relaxed),
            first_ms: self.first_ms,
            last_ms: self.last_ms.load(Ordering::Relaxed),
        }
    }
}

/// A command that was judged.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Who sent it.
    pub client: &'a Client,
    /// Who is authenticated.
    pub user: Option<&'a UserName>,
    /// The command's canonical name.
    pub command: &'a str,
    /// What it is about.
    pub namespace: &'a str,
    /// Why it would be refused; `None` when it would be allowed.
    pub why: Option<&'a Why>,
    /// Everything that it needs.
    pub needs: &'a [Need],
}

/// An attempt to log in.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// Who tried.
    pub client: &'a Client,
    /// As whom, as far as that is known.
    pub user: Option<&'a UserName>,
    /// The mechanism, as the client named it.
    pub mechanism: &'a str,
}

#[derive(Debug)]
struct Entry {
    counter: Arc<Counter>,
    namespace: String,
}

#[derive(Debug)]
struct Attempts {
    failed: Counter,
    succeeded_ms: Option<i64>,
}

/// Counts of what had no place.
#[derive(Debug)]
struct Rest {
    allowed: Arc<Counter>,
    denied: Arc<Counter>,
    failed_logins: Arc<Counter>,
    needs: u64,
}

impl Rest {
    fn new(now_ms: i64) -> Self {
        let counter = || Arc::new(Counter::new(now_ms));
        Self { allowed: counter(), denied: counter(), failed_logins: counter(), needs: 0 }
    }

    fn operation(&self, is_allowed: bool) -> Arc<Counter> {
        Arc::clone(if is_allowed { &self.allowed } else { &self.denied })
    }

    fn overflow(&self) -> Overflow {
        Overflow {
            allowed: self.allowed.tally().count,
            denied: self.denied.tally().count,
            failed_logins: self.failed_logins.tally().count,
            needs: self.needs,
        }
    }
}

#[derive(Debug)]
struct Application {
    entries: HashMap<Line, Entry>,
    logins: HashMap<FailedLogin, Attempts>,
    /// Whether it was ever lacking.
    needs: BTreeMap<Need, bool>,
    rest: Rest,
}

#[derive(Debug)]
struct State {
    since_ms: Option<i64>,
    ended_ms: Option<i64>,
    applications: HashMap<String, Application>,
    entries: usize,
    needs: usize,
    rest: Rest,
}

/// The record.
#[derive(Debug)]
pub struct Record {
    limits: Limits,
    state: Mutex<State>,
}

impl Default for Record {
    fn default() -> Self {
        Self::new(Limits::DEFAULT)
    }
}

impl Record {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state =
            State { since_ms: None, ended_ms: None, applications: HashMap::new(), entries: 0, needs: 0, rest: Rest::new(0) };
        Self { limits, state: Mutex::new(state) }
    }

    /// Takes note of whether there is a transition, from now on. What was counted stays.
    pub fn set_transition(&self, is_on: bool, now_ms: i64) {
        let mut state = self.lock();
        if is_on {
            state.since_ms.get_or_insert(now_ms);
            state.ended_ms = None;
        } else if state.since_ms.is_some() {
            state.ended_ms.get_or_insert(now_ms);
        }
    }

    /// Counts an operation, and gives the counter for the next one that is alike.
    pub fn operation(&self, operation: &Operation<'_>, now_ms: i64) -> Arc<Counter> {
        let counter = self.lock().counter(operation, now_ms, &self.limits);
        counter.add(now_ms);
        counter
    }

    /// Counts a failed login.
    pub fn login_failed(&self, login: &Login<'_>, now_ms: i64) {
        let mut state = self.lock();
        let State { applications, entries, rest, .. } = &mut *state;
        let Some(application) = application(applications, &login.client.application, now_ms, &self.limits) else {
            return rest.failed_logins.add(now_ms);
        };
        let key = failed_login(login);
        let places = Places { all: entries, most: self.limits.entries, most_here: self.limits.entries_an_application };
        let here = application.entries.len().saturating_add(application.logins.len());
        if !application.logins.contains_key(&key) && !places.take(here) {
            return application.rest.failed_logins.add(now_ms);
        }
        let attempts =
            application.logins.entry(key).or_insert_with(|| Attempts { failed: Counter::new(now_ms), succeeded_ms: None });
        attempts.failed.add(now_ms);
    }

    /// Takes note of a login that succeeded: the failures of the same user from the same address are over.
    pub fn login_succeeded(&self, login: &Login<'_>, now_ms: i64) {
        let mut state = self.lock();
        let Some(application) = state.applications.get_mut(&login.client.application) else { return };
        let FailedLogin { user, address, .. } = failed_login(login);
        for (failed, attempts) in &mut application.logins {
            if failed.user == user && failed.address == address {
                attempts.succeeded_ms = Some(now_ms);
            }
        }
    }

    /// Everything that was counted.
    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.lock();
        let mut applications: Vec<_> = state.applications.iter().map(|(name, application)| application.report(name)).collect();
        applications.sort_by(|one, other| (one.is_ready(), &one.name).cmp(&(other.is_ready(), &other.name)));
        Report { since_ms: state.since_ms, ended_ms: state.ended_ms, applications, overflow: state.rest.overflow() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn counter(&mut self, operation: &Operation<'_>, now_ms: i64, limits: &Limits) -> Arc<Counter> {
        let Self { applications, entries, needs, rest, .. } = self;
        let Some(application) = application(applications, &operation.client.application, now_ms, limits) else {
            rest.needs = rest.needs.saturating_add(u64::try_from(operation.needs.len()).unwrap_or(u64::MAX));
            return rest.operation(operation.why.is_none());
        };
        let lacking: &[Need] = match operation.why {
            None => &[],
            Some(Why::Unauthenticated) => operation.needs,
            Some(Why::MissingPrivilege(missing)) => missing,
        };
        for need in operation.needs {
            let mut places = Places { all: needs, most: limits.needs, most_here: limits.needs_an_application };
            application.note_need(need, lacking.contains(need), &mut places);
        }
        let line = line(operation, limits.missing);
        if let Some(entry) = application.entries.get(&line) {
            return Arc::clone(&entry.counter);
        }
        let places = Places { all: entries, most: limits.entries, most_here: limits.entries_an_application };
        let here = application.entries.len().saturating_add(application.logins.len());
        if !places.take(here) {
            return application.rest.operation(operation.why.is_none());
        }
        let counter = Arc::new(Counter::new(now_ms));
        let namespace = cut(operation.namespace, MOST_NAMESPACE_BYTES);
        application.entries.insert(line, Entry { counter: Arc::clone(&counter), namespace });
        counter
    }
}

/// Places of which some are left, here and in all.
struct Places<'a> {
    all: &'a mut usize,
    most: usize,
    most_here: usize,
}

impl Places<'_> {
    /// Takes one, if there is one.
    fn take(self, here: usize) -> bool {
        let is_free = *self.all < self.most && here < self.most_here;
        if is_free {
            *self.all = self.all.saturating_add(1);
        }
        is_free
    }
}

/// The application of this name, a new one if there is a place.
fn application<'a>(
    applications: &'a mut HashMap<String, Application>,
    name: &str,
    now_ms: i64,
    limits: &Limits,
) -> Option<&'a mut Application> {
    if !applications.contains_key(name) {
        if applications.len() >= limits.applications {
            return None;
        }
        applications.insert(name.to_owned(), Application::new(now_ms));
    }
    applications.get_mut(name)
}

fn user(user: &UserName) -> UserName {
    UserName::new(cut(&user.name, MOST_USER_BYTES), cut(&user.database, MOST_WORD_BYTES))
}

fn line(operation: &Operation<'_>, most_missing: usize) -> Line {
    let Client { driver, address, .. } = operation.client;
    // Where nothing would break it does not matter from where: lines are spared.
    let claimed = |text: &str| if operation.why.is_some() { text.to_owned() } else { String::new() };
    let why = operation.why.map(|why| match why {
        Why::Unauthenticated => Why::Unauthenticated,
        Why::MissingPrivilege(missing) => Why::MissingPrivilege(missing.iter().take(most_missing).map(bounded).collect()),
    });
    Line {
        user: operation.user.map(user),
        driver: claimed(driver),
        address: claimed(address),
        command: cut(operation.command, MOST_WORD_BYTES),
        why,
    }
}

fn failed_login(login: &Login<'_>) -> FailedLogin {
    FailedLogin {
        user: login.user.map(user),
        mechanism: cut(login.mechanism, MOST_WORD_BYTES),
        driver: login.client.driver.clone(),
        address: login.client.address.clone(),
    }
}

/// A need with names of bounded length. A name that is cut is longer than mongod allows.
fn bounded(need: &Need) -> Need {
    let name = |text: &str| cut(text, MOST_NAMESPACE_BYTES);
    let resource = match &need.resource {
        OwnedResource::Collection { database, collection } => {
            OwnedResource::Collection { database: name(database), collection: name(collection) }
        }
        OwnedResource::Database(database) => OwnedResource::Database(name(database)),
        other => other.clone(),
    };
    Need { resource, action: need.action }
}

impl Application {
    fn new(now_ms: i64) -> Self {
        Self { entries: HashMap::new(), logins: HashMap::new(), needs: BTreeMap::new(), rest: Rest::new(now_ms) }
    }

    fn note_need(&mut self, need: &Need, is_lacking: bool, places: &mut Places<'_>) {
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

    fn report(&self, name: &str) -> ApplicationReport {
        let tallied = |(line, entry): (&Line, &Entry)| (line.clone(), entry.counter.tally(), entry.namespace.clone());
        let mut lines: Vec<_> = self.entries.iter().map(tallied).collect();
        lines.sort_by(|(one, more, _), (other, less, _)| {
            (one.why.is_none(), less.count, one).cmp(&(other.why.is_none(), more.count, other))
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
        failed_logins.sort_by(|one, other| one.0.cmp(&other.0));
        ApplicationReport {
            name: name.to_owned(),
            lines,
            failed_logins,
            needs: self.needs.iter().map(|(need, lacking)| (need.clone(), *lacking)).collect(),
            overflow: self.rest.overflow(),
        }
    }
}

#[cfg(test)]
mod tests;
