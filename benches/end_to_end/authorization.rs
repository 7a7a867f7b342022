//! The third table: what authorization costs, in CPU time of the proxy, which does not depend on who else uses the machine.
//!
//! Four proxies before one sink take turns, in many short rounds: HAProxy, doorward without access control, doorward as it is by
//! default, and doorward in transition, which judges everything for the would-deny record. A ratio is that of two neighbours in one
//! round; the table shows the median, and between which ratios the middle half of the rounds lies.

use std::path::Path;

use anyhow::{Context, Result};

use crate::ending::Process;
use crate::load::{Target, aggregate, closed_loop, find_one, find_without_session, insert_one};
use crate::servers::Workshop;
use crate::subjects::{BEFORE, HAPROXY, Security, Subject};
use crate::table::{number, part};
use crate::{CLIENTS, Plan};

/// What `--only` calls this table.
pub(crate) const NAME: &str = "authorization";

/// One proxy, with the CPU microseconds of an operation: a list a load, one number a round.
struct Proxy {
    name: &'static str,
    target: Target,
    _process: Process,
    costs: Vec<Vec<f64>>,
}

/// Measures and prints.
pub(crate) fn run(plan: &Plan, workshop: &Workshop) -> Result<()> {
    let loads = [
        ("find with lsid", find_one()),
        ("find without lsid", find_without_session()),
        ("insert with lsid, a sequence", insert_one()),
        ("aggregate of 10 stages", aggregate()),
    ];
    let (_sink, direct) = workshop.sink(0).context("sink")?;
    let proxy = |name, (process, target)| Proxy { name, target, _process: process, costs: vec![Vec::new(); loads.len()] };
    let mut proxies = Vec::new();
    let built = Path::new(env!("CARGO_BIN_EXE_doorward"));
    let modes = [("off", Security::Disabled), ("on", Security::Enabled), ("transition", Security::Transition)];
    let before = plan.against.as_deref().map(|program| Subject::doorward(BEFORE, program, Security::Enabled));
    let modes = modes.map(|(name, security)| Subject::doorward(name, built, security));
    for subject in Subject::peer(HAPROXY).into_iter().chain(before).chain(modes) {
        proxies.push(proxy(subject.name, subject.start(workshop, direct.address)?));
    }
    for round in 0..2 * plan.rounds {
        for (load, (_, message)) in loads.iter().enumerate() {
            for place in 0..proxies.len() {
                // Whoever comes first does not always come first.
                let place = (place + round) % proxies.len();
                let Some(proxy) = proxies.get_mut(place) else { continue };
                let sample = closed_loop(&proxy.target, message, CLIENTS, plan.unit / 2).context(proxy.name)?;
                proxy.costs.get_mut(load).into_iter().for_each(|costs| costs.push(sample.cost()));
            }
        }
    }
    print(&loads.map(|(name, _)| name), &proxies);
    Ok(())
}

fn print(loads: &[&str], proxies: &[Proxy]) {
    let pairs = [("off", "on"), ("off", "transition"), ("before", "on"), ("HAProxy", "on")];
    let find = |name: &str| proxies.iter().find(|proxy| proxy.name == name);
    let pairs: Vec<_> = pairs.into_iter().filter_map(|(one, other)| find(one).zip(find(other))).collect();
    print!("\n{:34}", "CPU µs of the proxy an operation");
    proxies.iter().for_each(|proxy| print!("{:>12}", proxy.name));
    pairs.iter().for_each(|(one, other)| print!("{:>24}", format!("{}/{}", other.name, one.name)));
    println!();
    for (load, name) in loads.iter().enumerate() {
        print!("{name:34}");
        let costs = |proxy: &Proxy| proxy.costs.get(load).cloned().unwrap_or_default();
        proxies.iter().for_each(|proxy| print!("{:>12}", number(part(costs(proxy), 0.5))));
        for (one, other) in &pairs {
            let ratios: Vec<_> = costs(other).iter().zip(costs(one)).map(|(other, one)| other / one).collect();
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|wanted| part(ratios.clone(), wanted));
            print!("{:>24}", format!("{middle:.3} ({low:.3}-{high:.3})"));
        }
        println!();
    }
}
