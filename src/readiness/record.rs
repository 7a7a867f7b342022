//! The counts of all connections: what each application did, and what of it enforcement would refuse.
//!
//! Memory is bounded by [`Limits`], whatever clients call themselves: what does not fit is still counted, in [`Overflow`], and the
//! report shows that. Counters are shared: a connection that does the same again adds to one without taking the lock.
//!
//! A line that would have been refused is resolved when the same driver at the same address works as a user that holds all that was
//! lacking, since then, and no longer without one. Until then it stands in the way.

mod application;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::application::{Application, Attempts, Entry, Rest};
use super::presence::{Counts, Presence};
use super::report::{FailedLogin, Line, Place, Report, Tally, Why};
use super::{Client, MOST_NAMESPACE_BYTES, MOST_USER_BYTES, MOST_WORD_BYTES, cut};
use crate::authz::needs::Need;
use crate::authz::principal::Principal;
use crate::authz::resource::OwnedResource;
use crate::names::UserName;

/// How much is kept. The whole is a few megabytes at most as long as names are of ordinary length, some tens when all are as long as
/// can be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Different application names.
    pub applications: usize,
    /// Lines of the report, failed logins and connections included, for one application and for all.
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
    /// Whether it was refused in earnest, by `proxy.enforcement`.
    pub is_enforced: bool,
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
struct State {
    since_ms: Option<i64>,
    begun_ms: Option<i64>,
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
        let state = State {
            since_ms: None,
            begun_ms: None,
            ended_ms: None,
            applications: HashMap::new(),
            entries: 0,
            needs: 0,
            rest: Rest::new(0),
        };
        Self { limits, state: Mutex::new(state) }
    }

    /// Takes note of whether there is a transition, from now on. What was counted stays.
    pub fn set_transition(&self, is_on: bool, now_ms: i64) {
        let mut state = self.lock();
        if is_on {
            state.since_ms.get_or_insert(now_ms);
            if state.begun_ms.is_none() || state.ended_ms.take().is_some() {
                state.begun_ms = Some(now_ms);
            }
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

    /// Counts a connection that works, or has logged in, until the presence is dropped.
    #[must_use]
    pub fn arrive(&self, client: &Client, principal: Option<&Arc<Principal>>, now_ms: i64) -> Presence {
        let counts = self.lock().place(client, principal.map(|principal| principal.name()), now_ms, &self.limits);
        Presence::new(counts, principal, now_ms)
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
        let here = application.len();
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
        let FailedLogin { user, address, deployment, .. } = failed_login(login);
        for (failed, attempts) in &mut application.logins {
            if (&failed.user, &failed.address, &failed.deployment) == (&user, &address, &deployment) {
                attempts.succeeded_ms = Some(now_ms);
            }
        }
    }

    /// Everything that was counted.
    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.lock();
        let mut applications: Vec<_> =
            state.applications.iter().map(|(name, application)| application.report(name, self.limits.missing)).collect();
        applications.sort_unstable_by(|one, other| (one.is_ready(), &one.name).cmp(&(other.is_ready(), &other.name)));
        let State { since_ms, begun_ms, ended_ms, .. } = *state;
        Report { since_ms, begun_ms, ended_ms, applications, overflow: state.rest.overflow() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Where a connection is counted; what has no place is counted where nobody sees it.
    fn place(&mut self, client: &Client, name: Option<&UserName>, now_ms: i64, limits: &Limits) -> Arc<Counts> {
        let Self { applications, entries, rest, .. } = self;
        let Some(application) = application(applications, &client.application, now_ms, limits) else {
            rest.connections = rest.connections.saturating_add(1);
            return Arc::default();
        };
        let Client { driver, address, deployment, .. } = client.clone();
        let place = Place { driver, address, deployment, user: name.map(user) };
        if let Some(counts) = application.places.get(&place) {
            return Arc::clone(counts);
        }
        let places = Places { all: entries, most: limits.entries, most_here: limits.entries_an_application };
        if !places.take(application.len()) {
            application.rest.connections = application.rest.connections.saturating_add(1);
            return Arc::default();
        }
        Arc::clone(application.places.entry(place).or_default())
    }

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
        if !places.take(application.len()) {
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
    let Client { driver, address, deployment, .. } = operation.client;
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
        deployment: claimed(deployment),
        command: cut(operation.command, MOST_WORD_BYTES),
        why,
        is_enforced: operation.is_enforced,
    }
}

fn failed_login(login: &Login<'_>) -> FailedLogin {
    FailedLogin {
        user: login.user.map(user),
        mechanism: cut(login.mechanism, MOST_WORD_BYTES),
        driver: login.client.driver.clone(),
        address: login.client.address.clone(),
        deployment: login.client.deployment.clone(),
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

#[cfg(test)]
mod tests;
