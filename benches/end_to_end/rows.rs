//! The rows of the table, as data: what each is called, where its figure comes from, and what doorward is to reach.

use anyhow::{Context, Result};

use crate::load::{Sample, Target, closed_loop, connection_loop, find_many, find_one, insert_many};
use crate::subjects::{HAPROXY, T};
use crate::{CLIENTS, Plan};

/// Clients of a rate of connections; of a stream of large messages.
const CONNECTING: usize = 8;
const STREAMING: usize = 4;
/// The bytes of a large reply, and of a large request.
pub(crate) const LARGE: usize = 4_000_000;

/// The column of mongod's own TLS.
pub(crate) const MONGOD: &str = "mongod TLS";
/// What all rows that do not depend on the machine's mood are called with `--only`.
const FOOTPRINT: &str = "footprint";

/// One row.
pub(crate) struct Row {
    /// What `--only` calls it, and what it calls it together with others.
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) title: &'static str,
    pub(crate) source: Source,
    pub(crate) ratios: &'static [Ratio],
}

/// Where a row's figure comes from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// A load that all take turns with, round after round: the figure of its sample, beside that of the backend without a proxy.
    Load(Load, fn(&Sample, &Sample) -> f64),
    /// System calls of a find, with so many connections.
    Calls(usize),
    /// What is resident in a process that serves, has served and rests: the place in [`crate::footprint::memory`]'s answer.
    Memory(usize),
    /// Milliseconds from exec to the first TLS reply.
    Start,
    /// Megabytes of the program without symbols.
    Size,
}

/// What the clients do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Finds,
    OneFind,
    Logins,
    Reads,
    Writes,
}

impl Load {
    pub(crate) const ALL: [Self; 5] = [Self::Finds, Self::OneFind, Self::Logins, Self::Reads, Self::Writes];

    pub(crate) fn run(self, target: &Target, plan: &Plan) -> Result<Sample> {
        match self {
            Self::Finds => closed_loop(target, &find_one(), CLIENTS, plan.unit).context("finds"),
            Self::OneFind => closed_loop(target, &find_one(), 1, plan.unit).context("finds of one client"),
            Self::Logins => connection_loop(std::slice::from_ref(target), CONNECTING, plan.unit).context("logins"),
            Self::Reads => closed_loop(target, &find_many(), STREAMING, plan.unit).context("large replies"),
            Self::Writes => closed_loop(target, &insert_many(LARGE), STREAMING, plan.unit).context("large requests"),
        }
    }
}

/// What a figure is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// Nothing: the goal is for the figure itself.
    Itself,
    /// The figure of a column, in the same round.
    Column(&'static str),
    /// The least figure of the peers, in the same round.
    BestPeer,
}

/// One comparison, and the most that it may be for doorward.
pub(crate) struct Ratio(pub(crate) Base, pub(crate) Option<f64>);

const fn over(column: &'static str, at_most: f64) -> Ratio {
    Ratio(Base::Column(column), Some(at_most))
}

const fn itself(at_most: f64) -> Ratio {
    Ratio(Base::Itself, Some(at_most))
}

/// Where no goal was set.
const SHOWN: &[Ratio] = &[Ratio(Base::Column(T), None), Ratio(Base::Column(HAPROXY), None)];

const fn row(name: &'static str, title: &'static str, source: Source, ratios: &'static [Ratio]) -> Row {
    let group = if matches!(source, Source::Load(..)) { "loads" } else { FOOTPRINT };
    Row { name, group, title, source, ratios }
}

/// The table of all that stand before one stub backend.
pub(crate) const ROWS: &[Row] = &[
    row("calls", "system calls a find, 1 connection", Source::Calls(1), &[itself(6.1)]),
    row("calls-16", "system calls a find, 16 connections", Source::Calls(CLIENTS), &[itself(4.6)]),
    row(
        "find",
        "CPU us a find, 16 connections",
        Source::Load(Load::Finds, |sample, _| sample.cost()),
        &[over(T, 1.10), over(HAPROXY, 0.80)],
    ),
    row("rate", "finds/s, 16 connections", Source::Load(Load::Finds, |sample, _| sample.rate()), SHOWN),
    row(
        "latency",
        "added latency p50 us, 1 connection",
        Source::Load(Load::OneFind, |sample, direct| sample.latency(0.5) - direct.latency(0.5)),
        &[over(T, 1.10), Ratio(Base::Column(HAPROXY), None), Ratio(Base::BestPeer, Some(1.00))],
    ),
    row(
        "latency-p99",
        "added latency p99 us, 1 connection",
        Source::Load(Load::OneFind, |sample, direct| sample.latency(0.99) - direct.latency(0.99)),
        SHOWN,
    ),
    row(
        "login",
        "CPU us a TLS handshake + X.509 login",
        Source::Load(Load::Logins, |sample, _| sample.cost()),
        &[over(T, 1.00), over(HAPROXY, 0.27)],
    ),
    row("logins", "logins/s, 8 at a time", Source::Load(Load::Logins, |sample, _| sample.rate()), SHOWN),
    row(
        "bulk",
        "CPU ms a GB of replies, 4 connections",
        Source::Load(Load::Reads, |sample, _| sample.cpu / sample.bytes * 1e12),
        &[over(T, 0.85), over(HAPROXY, 0.55)],
    ),
    row(
        "bulk-writes",
        "CPU ms a GB of requests, 4 connections",
        Source::Load(Load::Writes, |sample, _| sample.cpu / sample.bytes * 1e12),
        &[over(T, 0.85), over(HAPROXY, 0.55)],
    ),
    row("idle", "kB resident a connection, idle", Source::Memory(1), &[itself(12.0)]),
    row("rest", "MB resident at rest", Source::Memory(0), &[]),
    row("closed", "MB resident after all are closed", Source::Memory(2), &[]),
    row("given-back", "  over 2 x at rest + 5 MB", Source::Memory(3), &[itself(1.00)]),
    row("start", "ms from exec to the first TLS reply", Source::Start, &[itself(20.0)]),
    row("size", "MB of the stripped program", Source::Size, &[itself(8.0)]),
];

/// The table of those that stand before a real mongod, beside the mongod that does all itself.
pub(crate) const MONGOD_ROWS: &[Row] = &[
    Row {
        name: "mongod-login",
        group: "mongod",
        title: "CPU us a login, mongod's included",
        source: Source::Load(Load::Logins, |sample, _| sample.cost()),
        ratios: &[over(MONGOD, 0.36)],
    },
    Row {
        name: "mongod-find",
        group: "mongod",
        title: "CPU us a find, mongod's included",
        source: Source::Load(Load::Finds, |sample, _| sample.cost()),
        ratios: &[over(MONGOD, 1.05)],
    },
];
