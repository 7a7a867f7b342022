//! The open connections: how many there are, and how to wake each of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Why a waiting connection is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The upstream is lost: close at once.
    UpstreamLost,
    /// doorward stops: finish what runs, then close.
    Draining,
    /// A reload: who is no member yet has to come back. It is said once.
    Reloaded,
}

/// What `Control::wake` holds.
const UPSTREAM_LOST: u8 = 1;
const DRAINING: u8 = 2;
const RELOADED: u8 = 3;

/// What the server says to one connection. An idle connection waits for all of it, a busy one only for the loss of
/// the upstream: one that hangs gives no other sign.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// The front that the connection belongs to, once that is known; it never changes then.
    front: OnceLock<usize>,
    notify: Notify,
    wake: AtomicU8,
    busy: AtomicBool,
    /// Whether it ever had an upstream connection: a driver's monitoring connection never has.
    forwards: AtomicBool,
    /// Whether it says that it is a member, and has not proved it.
    unproven_member: AtomicBool,
}

impl Control {
    /// Waits for the server's word.
    pub(super) async fn woken(&self) -> Wake {
        loop {
            match self.wake.load(Ordering::Acquire) {
                UPSTREAM_LOST => return Wake::UpstreamLost,
                DRAINING => return Wake::Draining,
                RELOADED => {
                    if self.wake.compare_exchange(RELOADED, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                        return Wake::Reloaded;
                    }
                }
                _ => self.notify.notified().await,
            }
        }
    }

    /// Waits until the upstream is lost; for a connection that is busy, which a drain does not disturb.
    pub(super) async fn upstream_lost(&self) {
        while self.wake.load(Ordering::Acquire) != UPSTREAM_LOST {
            self.notify.notified().await;
        }
    }

    /// Whether doorward stops.
    pub(super) fn is_draining(&self) -> bool {
        self.wake.load(Ordering::Acquire) == DRAINING
    }

    /// From now on the loss of this front's upstream is this connection's too.
    pub(super) fn belongs_to(&self, front: usize) {
        self.front.get_or_init(|| front);
    }

    /// Tells whether an operation runs.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Release);
    }

    /// Notes that it has an upstream connection.
    pub(super) fn set_forwards(&self) {
        self.forwards.store(true, Ordering::Relaxed);
    }

    /// Notes whether it says that it is a member, and has not proved it.
    pub(super) fn set_unproven_member(&self, is_unproven: bool) {
        self.unproven_member.store(is_unproven, Ordering::Relaxed);
    }

    fn wake(&self, wake: Wake) {
        match wake {
            Wake::UpstreamLost => self.wake.store(UPSTREAM_LOST, Ordering::Release),
            Wake::Draining => self.wake.store(DRAINING, Ordering::Release),
            // Whatever else was said ends the connection as well.
            Wake::Reloaded => {
                let _ = self.wake.compare_exchange(0, RELOADED, Ordering::AcqRel, Ordering::Acquire);
            }
        }
        self.notify.notify_one();
    }
}

/// How much earlier than the others a connection that runs operations is closed when the upstream is lost. A driver that hears of
/// it by its monitoring connection first takes an operation's error for an old one, and the Node driver does not retry it then.
const HEAD_START: Duration = Duration::from_millis(100);

/// The open connections of one server.
#[derive(Debug, Default)]
pub(super) struct Registry {
    open: Mutex<HashMap<i32, Arc<Control>>>,
    last_id: AtomicI32,
    emptied: Notify,
}

/// A place among the open connections, given back when it goes.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    /// The connection's number, as `hello` and the log show it.
    pub(super) id: i32,
    /// What the server says to the connection.
    pub(super) control: Arc<Control>,
}

impl Registry {
    /// Takes a place for a client, whose front is not known yet; `None` when `most` are taken.
    #[must_use]
    pub(super) fn enter(self: &Arc<Self>, most: usize) -> Option<Place> {
        let mut open = self.lock();
        if open.len() >= most {
            return None;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let control = Arc::<Control>::default();
        open.insert(id, Arc::clone(&control));
        Some(Place { registry: Arc::clone(self), id, control })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Arc<Control>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is open.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wakes every connection.
    pub(super) fn wake_all(&self, wake: Wake) {
        for control in self.lock().values() {
            control.wake(wake);
        }
    }

    /// Wakes every connection that says that it is a member and has not proved it; how many they are.
    pub(super) fn wake_unproven_members(&self) -> usize {
        let open = self.lock();
        let unproven = open.values().filter(|control| control.unproven_member.load(Ordering::Relaxed));
        unproven.map(|control| control.wake(Wake::Reloaded)).count()
    }

    /// Tells every connection of a front that its upstream is lost: those that run operations first, the others a little later.
    pub(super) async fn upstream_lost(&self, front: usize) {
        let of_front = |control: &&Arc<Control>| control.front.get() == Some(&front);
        let open: Vec<_> = self.lock().values().filter(of_front).cloned().collect();
        let forwarding: Vec<_> = open.iter().filter(|control| control.forwards.load(Ordering::Relaxed)).collect();
        forwarding.iter().for_each(|control| control.wake(Wake::UpstreamLost));
        if !forwarding.is_empty() {
            tokio::time::sleep(HEAD_START).await;
        }
        open.iter().for_each(|control| control.wake(Wake::UpstreamLost));
    }

    /// How many run an operation now.
    #[must_use]
    pub(super) fn busy(&self) -> usize {
        let open = self.lock();
        open.values().filter(|control| control.busy.load(Ordering::Acquire)).count()
    }

    /// Waits until none is open.
    pub(super) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.registry.lock();
        open.remove(&self.id);
        if open.is_empty() {
            self.registry.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let registry = Arc::new(Registry::default());
        let first = registry.enter(1).unwrap();
        assert!(registry.enter(1).is_none());
        drop(first);
        assert_eq!(registry.enter(1).unwrap().id, 2);
    }

    #[tokio::test]
    async fn the_loss_of_an_upstream_is_for_the_clients_of_its_front_alone() {
        let registry = Arc::new(Registry::default());
        let [nowhere, here, there] = [(); 3].map(|()| registry.enter(9).unwrap());
        here.control.belongs_to(0);
        there.control.belongs_to(1);
        there.control.belongs_to(0); // Too late: it is the other's.
        registry.upstream_lost(0).await;
        let woken = [&nowhere, &here, &there].map(|place| place.control.wake.load(Ordering::Acquire));
        assert_eq!(woken, [0, 1, 0]);
    }

    #[tokio::test]
    async fn a_reload_wakes_who_says_that_it_is_a_member_and_has_not_proved_it() {
        let registry = Arc::new(Registry::default());
        let [client, stranger, member, leaving] = [(); 4].map(|()| registry.enter(9).unwrap());
        for place in [&stranger, &member, &leaving] {
            place.control.set_unproven_member(true);
        }
        member.control.set_unproven_member(false);
        leaving.control.wake(Wake::Draining);
        assert_eq!(registry.wake_unproven_members(), 2);
        assert_eq!(stranger.control.woken().await, Wake::Reloaded);
        assert_eq!(leaving.control.woken().await, Wake::Draining);
        // What was heard is not said again.
        let woken = [&client, &stranger, &member].map(|place| place.control.wake.load(Ordering::Acquire));
        assert_eq!(woken, [0; 3]);
    }

    #[tokio::test]
    async fn a_word_that_comes_before_the_wait_is_heard() {
        let registry = Arc::new(Registry::default());
        let place = registry.enter(1).unwrap();
        registry.wake_all(Wake::Draining);
        assert_eq!(place.control.woken().await, Wake::Draining);
    }
}
