//! Upstream connections that clients share (`proxy.upstream.pooling`): one serves an operation at a time, then it waits for the next.
//!
//! Each thread has a pool for each front, because a socket belongs to its thread's runtime; so no lock stands in an operation's way.
//! What may be shared at all is said in docs/decisions/0016.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use super::workers;
use crate::config::settings::Upstream as Settings;
use crate::session::{Session, UpstreamPicture};
use crate::upstream::connection::Connection;
use crate::upstream::pool::{Introduction, Pool};

/// How often a thread looks for connections that are not needed.
const SWEEP: Duration = Duration::from_secs(1);
/// After how many such looks a connection that nobody used goes.
const LONGEST: u64 = 60;
/// The first servers that know no `getLastError`: before them a connection remembers what its last operation did.
const REMEMBERS_NOTHING: i32 = 14;

/// A client's connection to the upstream.
pub(super) struct Upstream {
    pub(super) connection: Connection,
    /// What it was opened by, when others may use it too who would have said the same. The pool has it while the connection waits.
    introduction: Option<Introduction>,
    epoch: u64,
    /// The number of the last message, when it is shared.
    number: i32,
}

impl Upstream {
    /// One client's for all its life.
    pub(super) const fn own(connection: Connection) -> Self {
        Self { connection, introduction: None, epoch: 0, number: 0 }
    }

    /// One that is given back. `epoch` is that of the moment before it was opened; `number` is drawn at random.
    pub(super) const fn shared(connection: Connection, introduction: Introduction, epoch: u64, number: i32) -> Self {
        Self { connection, introduction: Some(introduction), epoch, number }
    }

    /// What it was opened by, when it is shared.
    pub(super) const fn introduction(&self) -> Option<&Introduction> {
        self.introduction.as_ref()
    }

    /// The number of the next message, when it is shared.
    pub(super) fn next_number(&mut self) -> Option<i32> {
        self.introduction.as_ref()?;
        self.number = self.number.wrapping_add(1);
        Some(self.number)
    }

    /// Whether nothing was left unread.
    fn is_clean(&self) -> bool {
        let channel = &self.connection.channel;
        channel.incoming.is_empty() && !channel.stream.has_unread()
    }

    /// Whether it said nothing and is still open, as far as the runtime has heard: that costs no system call.
    fn is_quiet(&mut self) -> bool {
        let channel = &mut self.connection.channel;
        let spoke = pin!(tokio::task::unconstrained(channel.fill())).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        channel.incoming.rest();
        !spoke
    }
}

/// What the threads know in common of the pools of one front.
#[derive(Debug, Default)]
pub(super) struct Pooling {
    /// How many connections may wait in each thread for longer than a moment; 0 is no pooling.
    most: AtomicUsize,
    /// Grows when what was opened so far may not be used again.
    epoch: AtomicU64,
    flushed: Notify,
    /// How many wait in each thread, for the metrics.
    idle: Mutex<Vec<Arc<AtomicUsize>>>,
}

impl Pooling {
    /// As the settings say.
    pub(super) fn new(settings: &Settings) -> Self {
        let pooling = Self::default();
        pooling.configure(settings);
        pooling
    }

    /// Takes over what a reload brought; whatever it was, connections may be made otherwise now.
    pub(super) fn configure(&self, settings: &Settings) {
        let most = settings.pooling.map_or(0, |most| usize::try_from(most.get()).unwrap_or(usize::MAX));
        self.most.store(most.div_ceil(workers::count()), Ordering::Relaxed);
        self.flush();
    }

    /// Lets no connection that was opened so far be used again.
    pub(super) fn flush(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
        self.flushed.notify_waiters();
    }

    /// To be asked before it is looked up how a connection is opened.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether this client may share connections: a member has its own, and so has everybody at a server that remembers things of a
    /// connection.
    pub(super) fn is_for(&self, session: &Session, picture: &UpstreamPicture) -> bool {
        let is_on = self.most.load(Ordering::Relaxed) > 0;
        is_on && session.may_share_upstream() && picture.max_wire_version() >= REMEMBERS_NOTHING
    }

    /// How many connections wait.
    pub(super) fn idle(&self) -> usize {
        let threads = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().map(|idle| idle.load(Ordering::Relaxed)).sum()
    }
}

thread_local! {
    /// This thread's pools, by the numbers of the fronts.
    static POOLS: RefCell<Vec<Option<LocalPool>>> = const { RefCell::new(Vec::new()) };
}

/// One thread's pool for one front.
struct LocalPool {
    pooling: Arc<Pooling>,
    pool: Pool<Introduction, Box<Upstream>>,
    /// The epoch of all that is in the pool.
    epoch: u64,
    is_swept: bool,
    idle: Arc<AtomicUsize>,
}

impl LocalPool {
    fn new(pooling: &Arc<Pooling>) -> Self {
        let idle = Arc::<AtomicUsize>::default();
        pooling.idle.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&idle));
        Self { pooling: Arc::clone(pooling), pool: Pool::default(), epoch: 0, is_swept: false, idle }
    }

    /// Does this with a thread's pool, and brings up to date what is known of it.
    fn with<T>(front: usize, pooling: &Arc<Pooling>, does: impl FnOnce(&mut Self) -> T) -> T {
        POOLS.with_borrow_mut(|pools| {
            if pools.len() <= front {
                pools.resize_with(front.saturating_add(1), || None);
            }
            let mut none = None;
            let local = pools.get_mut(front).unwrap_or(&mut none).get_or_insert_with(|| Self::new(pooling));
            let epoch = local.pooling.epoch();
            if local.epoch != epoch {
                local.pool.clear();
                local.epoch = epoch;
            }
            let done = does(local);
            local.idle.store(local.pool.len(), Ordering::Relaxed);
            done
        })
    }

    fn take(&mut self, introduction: &Introduction) -> Option<Box<Upstream>> {
        let (introduction, mut upstream) = self.pool.take(introduction, |upstream| upstream.is_quiet())?;
        upstream.introduction = Some(introduction);
        Some(upstream)
    }

    fn give_back(&mut self, mut upstream: Box<Upstream>) {
        let Some(introduction) = upstream.introduction.take() else { return };
        if upstream.epoch == self.epoch && upstream.is_clean() {
            upstream.connection.channel.incoming.rest();
            self.pool.give_back(introduction, upstream);
        }
    }

    /// Lets go what is not needed; tells whether anything is left.
    fn sweep(&mut self) -> bool {
        self.pool.sweep(self.pooling.most.load(Ordering::Relaxed), LONGEST, |upstream| upstream.is_quiet());
        self.is_swept = !self.pool.is_empty();
        self.is_swept
    }
}

/// A connection that was opened as this client's would be, if one waits in this thread.
pub(super) fn take(front: usize, pooling: &Arc<Pooling>, introduction: &Introduction) -> Option<Box<Upstream>> {
    LocalPool::with(front, pooling, |local| local.take(introduction))
}

/// Keeps a connection on which nothing is due for whoever comes next. It must have been opened on this thread.
pub(super) fn give_back(front: usize, pooling: &Arc<Pooling>, upstream: Box<Upstream>) {
    let begins = LocalPool::with(front, pooling, |local| {
        local.give_back(upstream);
        let begins = !local.is_swept && !local.pool.is_empty();
        local.is_swept |= begins;
        begins
    });
    if begins {
        tokio::spawn(sweep(front, Arc::clone(pooling)));
    }
}

/// Sweeps this thread's pool as long as there is anything in it.
async fn sweep(front: usize, pooling: Arc<Pooling>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = pooling.flushed.notified() => {}
        }
        // Whatever is of an older epoch goes too.
        if !LocalPool::with(front, &pooling, LocalPool::sweep) {
            return;
        }
    }
}
