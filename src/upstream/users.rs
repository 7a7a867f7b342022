//! The users as the upstream stores them, asked for when needed and kept for a bounded time.
//!
//! A user that is not there is never remembered: the user may be created the next moment. What changes through doorward is
//! forgotten at once ([`UserStore::forget`]); what changes elsewhere is seen by new logins after `proxy.userCacheSeconds` at the
//! latest, and by connections that are in use after twice that time: each looks its user up again once in a period.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::rawdoc;

use super::connection::Connection;
use super::connector::Connector;
use super::{UpstreamError, of_any_member, own_metadata};
use crate::config::settings::UpstreamAddress;
use crate::session::{UserLookup, UserRecord, UserRequest};

/// How many users are kept at most; beyond that all are forgotten, which only costs a question each.
const MOST_USERS: usize = 10_000;

/// How long somebody waits at most before what may have changed unseen is forgotten.
const SOON: Duration = Duration::from_secs(2);

/// How often users were forgotten, and the number of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64, u64);

/// Asks the upstream for users.
pub struct UserStore {
    /// In seconds; a reload may change it.
    greatest_age: AtomicU64,
    cache: Mutex<HashMap<UserRequest, (Instant, Arc<UserRecord>)>>,
    /// Grows at each [`UserStore::forget`]: an answer that was on its way then is not kept.
    forgotten: AtomicU64,
    /// Whether the upstream was ever seen to have a user or a role.
    has_somebody: AtomicBool,
    /// When users are forgotten again, in milliseconds; 0 is never.
    again: AtomicU64,
    /// Where periods and moments are counted from.
    since: Instant,
    /// The store's own connection. Questions stand in a row, which also bounds what a flood of unknown names costs the upstream.
    connection: tokio::sync::Mutex<Slot>,
}

/// Room for a connection, with the address that it leads to: after a reload that may not be where users are asked for any more.
#[derive(Default)]
struct Slot(Option<(Connection, UpstreamAddress)>);

impl Slot {
    fn take(&mut self, connector: &Connector) -> Option<Connection> {
        self.0.take().filter(|(_, address)| connector.leads_to(address)).map(|(connection, _)| connection)
    }

    fn put(&mut self, connection: Connection, connector: &Connector) {
        self.0 = Some((connection, connector.upstream().clone()));
    }
}

impl UserStore {
    /// An empty store.
    #[must_use]
    pub fn new(greatest_age_seconds: u32) -> Self {
        Self {
            greatest_age: AtomicU64::new(greatest_age_seconds.into()),
            cache: Mutex::default(),
            forgotten: AtomicU64::new(0),
            has_somebody: AtomicBool::new(false),
            again: AtomicU64::new(0),
            since: Instant::now(),
            connection: tokio::sync::Mutex::default(),
        }
    }

    /// What the upstream knows of `user`, or knew within the greatest age.
    ///
    /// # Errors
    /// The upstream can not be asked, or does not answer in time; the caller closes the client's connection, which makes drivers try
    /// again.
    pub async fn look_up(&self, connector: &Connector, user: &UserRequest) -> Result<UserLookup, UpstreamError> {
        match self.remembered(user) {
            Some(record) => Ok(UserLookup::Found(record)),
            None => self.ask(connector, user, false).await,
        }
    }

    /// As [`Self::look_up`], but every user is asked for and waits for its turn: how long that takes does not tell who is remembered,
    /// and so who exists.
    ///
    /// # Errors
    /// As of [`Self::look_up`].
    pub async fn look_up_evenly(&self, connector: &Connector, user: &UserRequest) -> Result<UserLookup, UpstreamError> {
        self.ask(connector, user, true).await
    }

    async fn ask(&self, connector: &Connector, user: &UserRequest, evenly: bool) -> Result<UserLookup, UpstreamError> {
        let limit = connector.time_limit();
        // Before the wait for a turn: what a reload makes another upstream must not be answered for by the old one.
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let asked = tokio::time::timeout(limit, self.ask_in_turn(connector, user, evenly, forgotten)).await;
        asked.map_err(|_elapsed| UpstreamError::silent(limit))?
    }

    /// `forgotten` is how often users were forgotten when the question came up.
    async fn ask_in_turn(
        &self,
        connector: &Connector,
        user: &UserRequest,
        evenly: bool,
        forgotten: u64,
    ) -> Result<UserLookup, UpstreamError> {
        let mut connection = self.connection.lock().await;
        // Whoever waited for the same user finds the answer here.
        if let Some(record) = self.remembered(user).filter(|_| !evenly) {
            return Ok(UserLookup::Found(record));
        }
        let reply = ask(&mut connection, connector, user).await?;
        let answer = user.read(&reply).map_err(|error| UpstreamError::Protocol(error.to_string()))?;
        let UserLookup::Found(record) = answer else { return Ok(UserLookup::NotFound) };
        let mut cache = self.lock();
        if self.forgotten.load(Ordering::Acquire) == forgotten {
            if cache.len() >= MOST_USERS {
                cache.clear();
            }
            cache.insert(user.clone(), (Instant::now(), Arc::clone(&record)));
        }
        Ok(UserLookup::Found(record))
    }

    /// Whether the upstream has neither a user nor a role, so that the localhost exception is in force. Once one was seen nobody asks
    /// again, as on mongod: the exception does not come back when the last user is dropped.
    ///
    /// # Errors
    /// As of [`Self::look_up`].
    pub async fn has_nobody(&self, connector: &Connector) -> Result<bool, UpstreamError> {
        if self.has_somebody.load(Ordering::Acquire) {
            return Ok(false);
        }
        let limit = connector.time_limit();
        let asked = tokio::time::timeout(limit, self.ask_for_anybody(connector)).await;
        let anybody = asked.map_err(|_elapsed| UpstreamError::silent(limit))??;
        self.has_somebody.fetch_or(anybody == Some(true), Ordering::AcqRel);
        Ok(anybody == Some(false))
    }

    async fn ask_for_anybody(&self, connector: &Connector) -> Result<Option<bool>, UpstreamError> {
        let mut slot = self.connection.lock().await;
        // As in `ask`: taken out while it is used, and opened anew, once, when it was closed meanwhile.
        if let Some(mut connection) = slot.take(connector)
            && let Ok(anybody) = has_anybody(&mut connection).await
        {
            slot.put(connection, connector);
            return Ok(anybody);
        }
        let mut connection = connector.connect(Some(&own_metadata("doorward users"))).await?;
        let anybody = has_anybody(&mut connection).await?;
        slot.put(connection, connector);
        Ok(anybody)
    }

    /// Forgets every user: something about users or roles has changed.
    pub fn forget(&self) {
        let mut cache = self.lock();
        cache.clear();
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// Forgets every user now and once more in a moment: something may change yet, and nobody will hear of it.
    pub fn forget_again_soon(&self) {
        self.forget();
        let due = self.since.elapsed().saturating_add(SOON).as_millis();
        self.again.store(u64::try_from(due).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Changes whenever something about users may have changed: at each [`UserStore::forget`], and once in a period, for users may
    /// change elsewhere.
    #[must_use]
    pub fn generation(&self) -> Generation {
        let elapsed = self.since.elapsed();
        let due = self.again.load(Ordering::Acquire);
        let is_due = due != 0 && elapsed.as_millis() >= u128::from(due);
        if is_due && self.again.compare_exchange(due, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.forget();
        }
        Generation(self.forgotten.load(Ordering::Acquire), elapsed.as_secs() / self.greatest_age().as_secs().max(1))
    }

    /// Changes the greatest age, in seconds.
    pub fn set_greatest_age(&self, seconds: u32) {
        self.greatest_age.store(seconds.into(), Ordering::Relaxed);
    }

    fn greatest_age(&self) -> Duration {
        Duration::from_secs(self.greatest_age.load(Ordering::Relaxed))
    }

    fn remembered(&self, user: &UserRequest) -> Option<Arc<UserRecord>> {
        let cache = self.lock();
        let (since, record) = cache.get(user)?;
        (since.elapsed() < self.greatest_age()).then(|| Arc::clone(record))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UserRequest, (Instant, Arc<UserRecord>)>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is a user or a role; `None` when the upstream can not tell now.
async fn has_anybody(connection: &mut Connection) -> Result<Option<bool>, UpstreamError> {
    for collection in ["system.users", "system.roles"] {
        match any_in(&connection.ask(&anybody_command(collection)).await?) {
            Some(false) => {}
            Some(true) => return Ok(Some(true)),
            // A member of a replica set that is not initiated answers no question, and nobody can make a user there.
            None => {
                let hello = connection.command("hello", &rawdoc! { "hello": 1, "$db": "admin" }).await?;
                return Ok(is_uninitiated(&hello).then_some(false));
            }
        }
    }
    Ok(Some(false))
}

fn anybody_command(collection: &str) -> RawDocumentBuf {
    let find = rawdoc! { "find": collection, "projection": { "_id": 1 }, "limit": 1, "singleBatch": true, "$db": "admin" };
    of_any_member(find)
}

/// Whether a `find` found anything; `None` when it was not answered.
fn any_in(reply: &RawDocument) -> Option<bool> {
    let found = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).ok()?;
    Some(found.into_iter().next().is_some())
}

/// Whether a hello is that of a member that has no replica set configuration yet.
fn is_uninitiated(hello: &RawDocument) -> bool {
    hello.get_bool("isreplicaset").unwrap_or_default() && matches!(hello.get("setName"), Ok(None))
}

/// Asks on the store's connection; one that was closed meanwhile is opened anew, once.
async fn ask(slot: &mut Slot, connector: &Connector, user: &UserRequest) -> Result<RawDocumentBuf, UpstreamError> {
    let (name, request) = (user.command_name(), of_any_member(user.command()));
    // The connection is taken out while it is used: a question that is given up half-way must not leave its answer to the next.
    if let Some(mut connection) = slot.take(connector)
        && let Ok(reply) = connection.command(name, &request).await
    {
        slot.put(connection, connector);
        return Ok(reply);
    }
    let mut connection = connector.connect(Some(&own_metadata("doorward users"))).await?;
    let reply = connection.command(name, &request).await?;
    slot.put(connection, connector);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answered_question_finds_nobody() {
        assert_eq!(any_in(&rawdoc! { "cursor": { "firstBatch": [] }, "ok": 1.0 }), Some(false));
        assert_eq!(any_in(&rawdoc! { "cursor": { "firstBatch": [{ "_id": "admin.x" }] }, "ok": 1.0 }), Some(true));
        assert_eq!(any_in(&rawdoc! { "ok": 0.0, "code": 13436 }), None);
    }

    #[test]
    fn a_member_is_uninitiated_only_while_it_has_no_set() {
        assert!(is_uninitiated(&rawdoc! { "isreplicaset": true }));
        assert!(!is_uninitiated(&rawdoc! { "isreplicaset": true, "setName": "rs" }));
        assert!(!is_uninitiated(&rawdoc! { "setName": "rs" }));
        assert!(!is_uninitiated(&rawdoc! { "isWritablePrimary": true }));
    }
}
