//! The end-to-end benchmark: doorward beside T, nginx, HAProxy and Envoy, as far as they are there, all before one stub backend.
//!
//! `cargo bench --bench end_to_end` prints three tables: the comparison, the same with a real mongod, and what authorization costs.
//! After `--`: `--quick` takes two or three minutes and shows little more than that everything works; `--only NAME,NAME` measures these
//! rows alone (their names are in `rows.rs`; `loads`, `footprint`, `mongod` and `authorization` are many at once; `growth` is measured only when
//! it is named); `--against FILE` adds
//! a column for another build of doorward.
//!
//! Everything runs on the loopback interface and shares this machine's processors, so rates say little by themselves. Everybody takes
//! turns; what is shown is the median and half of the width of the middle half, ratios are those of one round, and everybody is there
//! twice: how far a subject is from its own twin is what the table can not resolve.

mod authorization;
mod comparison;
mod copy_loop;
mod ending;
mod footprint;
mod growth;
mod load;
mod mongods;
mod pki;
mod processes;
mod rounds;
mod rows;
mod servers;
mod subjects;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use rows::{MONGOD_ROWS, ROWS, Row};
use servers::Workshop;

/// Clients of the operations.
const CLIENTS: usize = 16;

/// How long, how often, how many.
struct Plan {
    rounds: usize,
    unit: Duration,
    /// Connections that are idle, and closed then.
    connections: usize,
    /// The most users.
    users: usize,
    starts: usize,
    /// Another doorward to compare with.
    against: Option<PathBuf>,
    /// What is measured; empty for all.
    only: Vec<String>,
}

impl Plan {
    fn from_words(words: &[String]) -> Result<Self> {
        let value = |name: &str| words.iter().skip_while(|&word| word != name).nth(1);
        let against = value("--against").map(PathBuf::from);
        let only: Vec<_> = value("--only").map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default();
        for name in &only {
            let known = ROWS.iter().chain(MONGOD_ROWS).any(|row| [row.name, row.group].contains(&name.as_str()));
            ensure!(known || [authorization::NAME, growth::NAME].contains(&name.as_str()), "there is no row {name:?}");
        }
        Ok(if words.iter().any(|word| word == "--quick") {
            Self { rounds: 3, unit: Duration::from_millis(200), connections: 1000, users: 1000, starts: 3, against, only }
        } else {
            Self { rounds: 15, unit: Duration::from_millis(500), connections: 9000, users: 10_000, starts: 15, against, only }
        })
    }

    fn wants(&self, row: &Row) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == row.name || name == row.group)
    }
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((first, rest)) if first == copy_loop::WORD => copy_loop::main(rest).map(|()| true),
        _ => Plan::from_words(&words).and_then(|plan| run(&plan)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("the benchmark failed: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; `false` when a column is missing because doorward failed.
fn run(plan: &Plan) -> Result<bool> {
    rlimit::increase_nofile_limit(1 << 16)?;
    ending::watch()?;
    let workshop = Workshop::new()?;
    let complete = comparison::run(plan, &workshop)? & mongods::run(plan, &workshop)?;
    let names = |table: &str| plan.only.iter().any(|name| name == table);
    if plan.only.is_empty() || names(authorization::NAME) {
        authorization::run(plan, &workshop)?;
    }
    if names(growth::NAME) {
        growth::run(plan, &workshop)?;
    }
    Ok(complete)
}
