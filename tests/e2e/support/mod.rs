//! What the suites share: servers, certificates, a client that speaks the bare wire protocol.

pub(crate) mod balancer;
pub(crate) mod clients;
pub(crate) mod connection;
pub(crate) mod gate;
pub(crate) mod json;
pub(crate) mod load;
pub(crate) mod mongod;
pub(crate) mod pki;
pub(crate) mod pooled;
pub(crate) mod process;
pub(crate) mod replica_set;
pub(crate) mod run;
pub(crate) mod scram;
pub(crate) mod servers;
pub(crate) mod sidecars;
pub(crate) mod tls;
pub(crate) mod users;
pub(crate) mod ways_out;
pub(crate) mod wire;

use std::time::Duration;

/// Longer than anything takes that works: only a failing test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough to see that a server on this machine has nothing to say.
pub(crate) const SILENCE: Duration = Duration::from_millis(200);

/// Fails with every failure at once, so that one run shows all gaps of a table.
pub(crate) fn assert_no_failures(suite: &str, cases: usize, failures: &[String]) {
    assert!(cases > 0, "{suite}: no case was run");
    assert!(failures.is_empty(), "{suite}: {} of {cases} cases failed:\n{}", failures.len(), failures.join("\n"));
}

/// Runs `check` on every case with a few threads and returns what failed, in the order of the cases.
pub(crate) fn check_all<T: Sync>(cases: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut failures: Vec<(usize, String)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(|| work(cases, &next, &check))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker panicked")).collect()
    });
    failures.sort();
    failures.into_iter().map(|(_, text)| text).collect()
}

fn work<T>(
    cases: &[T],
    next: &std::sync::atomic::AtomicUsize,
    check: &impl Fn(&T) -> Result<(), String>,
) -> Vec<(usize, String)> {
    let mut failures = Vec::new();
    loop {
        let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let Some(case) = cases.get(index) else { return failures };
        if let Err(text) = check(case) {
            failures.push((index, text));
        }
    }
}
