//! The connections of an application that work: where they come from, and who is authenticated on them.
//!
//! A connection is counted from its first command that needs a privilege, or from its login on. One that only says hello can not be
//! told from a driver's monitor, and is not counted.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::report::{Connections, Place};
use crate::authz::principal::Principal;
use crate::names::UserName;

/// The connections of one place and user.
#[derive(Debug, Default)]
pub(super) struct Counts {
    open: AtomicU64,
    total: AtomicU64,
    last_ms: AtomicI64,
    /// What the user could do when it was last seen.
    principal: Mutex<Option<Arc<Principal>>>,
}

impl Counts {
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn last_ms(&self) -> i64 {
        self.last_ms.load(Ordering::Relaxed)
    }

    pub(super) fn principal(&self) -> Option<Arc<Principal>> {
        self.principal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn report(&self, place: &Place) -> Connections {
        Connections {
            place: place.clone(),
            open: self.open(),
            total: self.total.load(Ordering::Relaxed),
            last_ms: self.last_ms(),
        }
    }
}

/// One connection among those of its place, until it is dropped.
#[derive(Debug)]
pub struct Presence {
    user: Option<UserName>,
    counts: Arc<Counts>,
}

impl Presence {
    pub(super) fn new(counts: Arc<Counts>, principal: Option<&Arc<Principal>>, now_ms: i64) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        counts.total.fetch_add(1, Ordering::Relaxed);
        let presence = Self { user: principal.map(|principal| principal.name().clone()), counts };
        presence.refresh(principal, now_ms);
        presence
    }

    /// Whether it is this user's.
    #[must_use]
    pub fn is_of(&self, principal: Option<&Arc<Principal>>) -> bool {
        self.user.as_ref() == principal.map(|principal| principal.name())
    }

    /// Takes note of what the same user may do now.
    pub fn refresh(&self, principal: Option<&Arc<Principal>>, now_ms: i64) {
        self.touch(now_ms);
        *self.counts.principal.lock().unwrap_or_else(PoisonError::into_inner) = principal.cloned();
    }

    /// The connection did something.
    pub fn touch(&self, now_ms: i64) {
        self.counts.last_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}
