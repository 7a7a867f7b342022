//! The threads that serve connections: one a processor, each with a runtime of its own, and a connection stays where it began.
//!
//! One shared runtime waits for all sockets in one place and wakes its threads for each other; threads of their own never do.
//! Measured on two processors: more operations a second and a lower median latency for the same CPU time. In return nobody takes
//! work over from a thread that is busy, or that a crowded machine does not let run, which shows in the slowest percent. So a
//! connection must not compute for long on it: what takes more than a few milliseconds (compressing megabytes) goes to
//! [`tokio::task::spawn_blocking`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How many threads serve connections.
pub(super) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The running threads; they end, and whatever they still serve with them, when this goes.
pub(super) struct Workers {
    workers: Vec<Worker>,
}

struct Worker {
    handle: Handle,
    /// How many connections it serves.
    load: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Workers {
    /// Starts as many threads as there are processors.
    ///
    /// # Errors
    /// The operating system gives no thread or no way to wait for sockets.
    pub(super) fn start() -> io::Result<Self> {
        let workers = (0..count()).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { workers })
    }

    /// Serves a connection on the thread that serves the fewest.
    pub(super) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else { return };
        let share = Share::of(&worker.load);
        // A future that awaits another has room for it twice, before and after it began: by its address it is small.
        let connection = Box::pin(connection);
        worker.handle.spawn(async move {
            let _share = share;
            connection.await;
        });
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("connections{number}")).spawn(move || {
            // The end comes by a message or because whoever would send it is gone.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, load: Arc::default(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.stop.take();
        }
        for worker in &mut self.workers {
            let _ = worker.thread.take().map(thread::JoinHandle::join);
        }
    }
}

/// One connection's share of a thread's load, given back when it goes.
struct Share(Arc<AtomicUsize>);

impl Share {
    fn of(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn connections_are_spread_over_all_threads() {
        let workers = Workers::start().unwrap();
        let (report, reports) = mpsc::channel();
        for _ in 0..workers.workers.len() * 2 {
            let report = report.clone();
            workers.spawn(async move {
                report.send(thread::current().id()).unwrap();
                std::future::pending().await
            });
        }
        let mut seen: Vec<_> = (0..workers.workers.len() * 2).map(|_| reports.recv_timeout(PATIENCE).unwrap()).collect();
        seen.sort_by_key(|id| format!("{id:?}"));
        seen.dedup();
        assert_eq!(seen.len(), workers.workers.len());
    }

    #[test]
    fn what_still_runs_ends_with_the_threads() {
        struct Sends(mpsc::Sender<()>);
        impl Drop for Sends {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let workers = Workers::start().unwrap();
        let (dropped, drops) = mpsc::channel();
        let guard = Sends(dropped);
        workers.spawn(async move {
            let _guard = guard;
            std::future::pending().await
        });
        drop(workers);
        drops.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn a_connection_that_ended_is_no_load() {
        let workers = Workers::start().unwrap();
        let (report, reports) = mpsc::channel();
        workers.spawn(async move { report.send(()).unwrap() });
        reports.recv_timeout(PATIENCE).unwrap();
        // The share is given back right after; the channel's other end goes with it.
        assert!(reports.recv_timeout(PATIENCE).is_err());
        while workers.workers.iter().any(|worker| worker.load.load(Ordering::Relaxed) > 0) {
            thread::yield_now();
        }
    }
}
