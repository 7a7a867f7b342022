//! What an operation costs when there are more connections, longer messages, more users: lines for `benches/plot-growth`.
//!
//! Each line has what grows, how large it is, who was measured, and the CPU microseconds of an operation: the median of the rounds, and
//! the ends of the middle half. T shows what the machine itself makes of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::ending::Process;
use crate::load::{Sample, Target, closed_loop, connection_loop, find_one, idle_connections, insert_text, rotating_loop};
use crate::servers::{USER, Workshop};
use crate::subjects::{DOORWARD, Security, Subject, T};
use crate::table::part;
use crate::{CLIENTS, Plan};

/// What `--only` calls it; without that it is not measured.
pub(crate) const NAME: &str = "growth";
/// Clients of large messages; of logins.
const STREAMING: usize = 2;
const CONNECTING: usize = 8;

/// How often all take turns.
const TURNS: usize = 3;

type Measure<'a> = dyn Fn(&Target) -> Result<Vec<Sample>> + 'a;

/// Measures and prints.
pub(crate) fn run(plan: &Plan, workshop: &Workshop) -> Result<()> {
    for connections in [1, 10, 100, 1000, plan.connections].into_iter().collect::<BTreeSet<_>>() {
        let (_sink, direct) = workshop.sink(0).context("sink")?;
        point(workshop, &direct, ("connections", connections), &|target| {
            // So many are not opened for every figure.
            let mut clients = idle_connections(target, connections)?;
            (0..2).map(|_| rotating_loop(target, &find_one(), &mut clients, CLIENTS, plan.unit)).collect()
        })?;
    }
    for bytes in [64, 1 << 10, 1 << 14, 1 << 18, 1 << 21, 16_000_000] {
        let (_sink, direct) = workshop.sink(0).context("sink")?;
        let message = insert_text(bytes);
        point(workshop, &direct, ("bytes", bytes), &|target| Ok(vec![closed_loop(target, &message, STREAMING, plan.unit)?]))?;
    }
    for users in [1, 10, 100, 1000, plan.users].into_iter().collect::<BTreeSet<_>>() {
        let names: Vec<_> = (0..users).map(|user| format!("CN=user-{user},OU=clients,O=doorward")).collect();
        let clients = names.iter().map(|name| workshop.pki.client(name)).collect::<Result<Vec<_>>>()?;
        let (_sink, direct) = workshop.sink_of(names.iter().map(String::as_str).chain([USER]), 0).context("sink")?;
        point(workshop, &direct, ("users", users), &|target| {
            let user = |tls: &Arc<_>| Target { tls: Some(Arc::clone(tls)), ..target.clone() };
            let targets: Vec<_> = clients.iter().map(user).collect();
            // Long enough that everybody comes.
            let least = Duration::from_micros(500) * u32::try_from(users)?;
            Ok(vec![connection_loop(&targets, CONNECTING, plan.unit.max(least))?])
        })?;
    }
    Ok(())
}

/// One size: doorward and T take turns.
fn point(workshop: &Workshop, sink: &Target, (what, size): (&str, usize), measure: &Measure<'_>) -> Result<()> {
    let doorward = Subject::doorward(DOORWARD, Path::new(env!("CARGO_BIN_EXE_doorward")), Security::Enabled);
    let subjects: Vec<_> = Subject::peer(T).into_iter().chain([doorward]).collect();
    let started = |subject: &Subject| subject.start(workshop, sink.address);
    let servers: Vec<(Process, Target)> = subjects.iter().map(started).collect::<Result<_>>()?;
    let mut costs = vec![Vec::new(); subjects.len()];
    for _ in 0..TURNS {
        for ((_, target), costs) in servers.iter().zip(&mut costs) {
            let samples = measure(target).with_context(|| format!("{size} {what}"))?;
            costs.extend(samples.iter().map(Sample::cost));
        }
    }
    for (subject, costs) in subjects.iter().zip(costs) {
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|wanted| part(costs.clone(), wanted));
        println!("{what}\t{size}\t{}\t{middle:.2}\t{low:.2}\t{high:.2}", subject.name);
    }
    Ok(())
}
