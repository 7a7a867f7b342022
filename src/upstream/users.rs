//! The users as the upstream stores them, asked for when needed and kept for a bounded time.
//!
//! A user that is not there is never remembered: the user may be created the next moment. What changes through doorward is
//! forgotten at once ([`UserStore::forget`]); what changes elsewhere is seen after `proxy.userCacheSeconds` at the latest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bson::raw::RawDocumentBuf;
use bson::rawdoc;

use super::UpstreamError;
use super::connection::Connection;
use super::connector::Connector;
use crate::names::UserName;
use crate::session::users::{UserLookup, UserRecord};

/// How many users are kept at most; beyond that all are forgotten, which only costs a question each.
const MOST_USERS: usize = 10_000;

/// Asks the upstream for users.
pub struct UserStore {
    greatest_age: Duration,
    cache: Mutex<Cache>,
    /// The store's own connection. Questions stand in a row, which also bounds what a flood of unknown names costs the upstream.
    connection: tokio::sync::Mutex<Option<Connection>>,
}

#[derive(Default)]
struct Cache {
    users: HashMap<UserName, (Instant, Arc<UserRecord>)>,
    /// Grows at each [`UserStore::forget`], so that an answer that was on its way then is not kept.
    generation: u64,
}

impl UserStore {
    /// An empty store.
    #[must_use]
    pub fn new(greatest_age: Duration) -> Self {
        Self { greatest_age, cache: Mutex::default(), connection: tokio::sync::Mutex::new(None) }
    }

    /// What the upstream knows of `user`, or knew within the greatest age.
    ///
    /// # Errors
    /// The upstream can not be asked; the caller closes the client's connection, which makes drivers try again.
    pub async fn look_up(&self, connector: &Connector, user: &UserName) -> Result<UserLookup, UpstreamError> {
        if let Some(record) = self.remembered(user) {
            return Ok(UserLookup::Found(record));
        }
        let mut connection = self.connection.lock().await;
        // Whoever waited for the same user finds the answer here.
        if let Some(record) = self.remembered(user) {
            return Ok(UserLookup::Found(record));
        }
        let generation = self.lock().generation;
        let reply = ask(&mut connection, connector, user).await?;
        let Some(record) = read(&reply)? else { return Ok(UserLookup::NotFound) };
        let record = Arc::new(record);
        let mut cache = self.lock();
        if cache.generation == generation {
            if cache.users.len() >= MOST_USERS {
                cache.users.clear();
            }
            cache.users.insert(user.clone(), (Instant::now(), Arc::clone(&record)));
        }
        Ok(UserLookup::Found(record))
    }

    /// Forgets every user: something about users or roles has changed.
    pub fn forget(&self) {
        let mut cache = self.lock();
        cache.users.clear();
        cache.generation = cache.generation.wrapping_add(1);
    }

    fn remembered(&self, user: &UserName) -> Option<Arc<UserRecord>> {
        let cache = self.lock();
        let (since, record) = cache.users.get(user)?;
        (since.elapsed() <= self.greatest_age).then(|| Arc::clone(record))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks on the store's connection; one that was closed meanwhile is opened anew, once.
async fn ask(slot: &mut Option<Connection>, connector: &Connector, user: &UserName) -> Result<RawDocumentBuf, UpstreamError> {
    let request = rawdoc! {
        "usersInfo": { "user": user.name.as_str(), "db": user.database.as_str() },
        "showCredentials": true, "showPrivileges": true, "$db": "admin",
    };
    // The connection is taken out while it is used: a question that is given up half-way must not leave its answer to the next.
    if let Some(mut connection) = slot.take()
        && let Ok(reply) = connection.command("usersInfo", &request).await
    {
        *slot = Some(connection);
        return Ok(reply);
    }
    let mut connection = connector.connect(Some(&metadata())).await?;
    let reply = connection.command("usersInfo", &request).await?;
    *slot = Some(connection);
    Ok(reply)
}

fn read(reply: &RawDocumentBuf) -> Result<Option<UserRecord>, UpstreamError> {
    let malformed = |text: String| UpstreamError::Protocol(text);
    let users = reply.get_array("users").map_err(|error| malformed(error.to_string()))?;
    let Some(first) = users.into_iter().next() else { return Ok(None) };
    let document = first.ok().and_then(|value| value.as_document()).ok_or_else(|| malformed("usersInfo without a document".into()))?;
    UserRecord::from_users_info(document).map(Some).map_err(|error| malformed(error.to_string()))
}

fn metadata() -> RawDocumentBuf {
    rawdoc! {
        "application": { "name": "doorward users" },
        "driver": { "name": "doorward", "version": env!("CARGO_PKG_VERSION") },
        "os": { "type": std::env::consts::OS },
    }
}
