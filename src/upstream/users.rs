//! The users as the upstream stores them, asked for when needed and kept for a bounded time.
//!
//! A user that is not there is never remembered: the user may be created the next moment. What changes through doorward is
//! forgotten at once ([`UserStore::forget`]); what changes elsewhere is seen by new logins after `proxy.userCacheSeconds` at the
//! latest, and by connections that are in use after twice that time: each looks its user up again once in a period.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bson::raw::RawDocumentBuf;

use super::connection::Connection;
use super::connector::Connector;
use super::{UpstreamError, own_metadata};
use crate::names::UserName;
use crate::session::{UserLookup, UserRecord};

/// How many users are kept at most; beyond that all are forgotten, which only costs a question each.
const MOST_USERS: usize = 10_000;

/// Asks the upstream for users.
pub struct UserStore {
    /// In seconds; a reload may change it.
    greatest_age: AtomicU64,
    cache: Mutex<HashMap<UserName, (Instant, Arc<UserRecord>)>>,
    /// Grows at each [`UserStore::forget`]: an answer that was on its way then is not kept.
    forgotten: AtomicU64,
    /// Where the periods are counted from.
    since: Instant,
    /// The store's own connection. Questions stand in a row, which also bounds what a flood of unknown names costs the upstream.
    connection: tokio::sync::Mutex<Option<Connection>>,
}

impl UserStore {
    /// An empty store.
    #[must_use]
    pub fn new(greatest_age_seconds: u32) -> Self {
        Self {
            greatest_age: AtomicU64::new(greatest_age_seconds.into()),
            cache: Mutex::default(),
            forgotten: AtomicU64::new(0),
            since: Instant::now(),
            connection: tokio::sync::Mutex::new(None),
        }
    }

    /// What the upstream knows of `user`, or knew within the greatest age.
    ///
    /// # Errors
    /// The upstream can not be asked, or does not answer in time; the caller closes the client's connection, which makes drivers try
    /// again.
    pub async fn look_up(&self, connector: &Connector, user: &UserName) -> Result<UserLookup, UpstreamError> {
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
    pub async fn look_up_evenly(&self, connector: &Connector, user: &UserName) -> Result<UserLookup, UpstreamError> {
        self.ask(connector, user, true).await
    }

    async fn ask(&self, connector: &Connector, user: &UserName, evenly: bool) -> Result<UserLookup, UpstreamError> {
        let limit = connector.time_limit();
        let asked = tokio::time::timeout(limit, self.ask_in_turn(connector, user, evenly)).await;
        asked.map_err(|_elapsed| UpstreamError::Silent(u32::try_from(limit.as_millis()).unwrap_or(u32::MAX)))?
    }

    async fn ask_in_turn(&self, connector: &Connector, user: &UserName, evenly: bool) -> Result<UserLookup, UpstreamError> {
        let mut connection = self.connection.lock().await;
        // Whoever waited for the same user finds the answer here.
        if let Some(record) = self.remembered(user).filter(|_| !evenly) {
            return Ok(UserLookup::Found(record));
        }
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let reply = ask(&mut connection, connector, user).await?;
        let answer = UserLookup::from_reply(&reply).map_err(|error| UpstreamError::Protocol(error.to_string()))?;
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

    /// Forgets every user: something about users or roles has changed.
    pub fn forget(&self) {
        let mut cache = self.lock();
        cache.clear();
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever something about users may have changed: at each [`UserStore::forget`], and once in a period, for users may
    /// change elsewhere.
    #[must_use]
    pub fn generation(&self) -> u64 {
        let periods = self.since.elapsed().as_secs() / self.greatest_age().as_secs().max(1);
        self.forgotten.load(Ordering::Acquire).wrapping_add(periods)
    }

    /// Changes the greatest age, in seconds.
    pub fn set_greatest_age(&self, seconds: u32) {
        self.greatest_age.store(seconds.into(), Ordering::Relaxed);
    }

    fn greatest_age(&self) -> Duration {
        Duration::from_secs(self.greatest_age.load(Ordering::Relaxed))
    }

    fn remembered(&self, user: &UserName) -> Option<Arc<UserRecord>> {
        let cache = self.lock();
        let (since, record) = cache.get(user)?;
        (since.elapsed() <= self.greatest_age()).then(|| Arc::clone(record))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UserName, (Instant, Arc<UserRecord>)>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks on the store's connection; one that was closed meanwhile is opened anew, once.
async fn ask(slot: &mut Option<Connection>, connector: &Connector, user: &UserName) -> Result<RawDocumentBuf, UpstreamError> {
    let request = UserRecord::users_info_command(user);
    // The connection is taken out while it is used: a question that is given up half-way must not leave its answer to the next.
    if let Some(mut connection) = slot.take()
        && let Ok(reply) = connection.command("usersInfo", &request).await
    {
        *slot = Some(connection);
        return Ok(reply);
    }
    let mut connection = connector.connect(Some(&own_metadata("doorward users"))).await?;
    let reply = connection.command("usersInfo", &request).await?;
    *slot = Some(connection);
    Ok(reply)
}
