//! The first table: doorward, T and the peers, before one stub backend.

use anyhow::{Context, Result};

use crate::rounds::{self, Contestant};
use crate::rows::{LARGE, ROWS, Row, Source};
use crate::servers::Workshop;
use crate::subjects::Subject;
use crate::table::{self, Column};
use crate::{Plan, footprint};

/// Measures and prints; `false` when a doorward is missing because it failed.
pub(crate) fn run(plan: &Plan, workshop: &Workshop) -> Result<bool> {
    let rows: Vec<_> = ROWS.iter().filter(|row| plan.wants(row)).collect();
    if rows.is_empty() {
        return Ok(true);
    }
    let (_sink, direct) = workshop.sink(LARGE).context("sink")?;
    let subjects = Subject::all(plan.against.as_deref());
    let mut contestants = Vec::new();
    let mut complete = true;
    let mut left_out = |name: &str, why: &str| {
        println!("{name} is left out: {why}");
        complete &= !table::ours(name);
    };
    for subject in &subjects {
        match Contestant::new(subject.name, || subject.start(workshop, direct.address)) {
            Ok(contestant) => contestants.push(contestant),
            Err(failure) => left_out(subject.name, &format!("{failure:#}")),
        }
    }
    let is_load = |row: &&Row| matches!(row.source, Source::Load(..));
    let (loads, others): (Vec<_>, Vec<_>) = rows.iter().copied().partition(is_load);
    // Before the loads, while nobody has anything to do but wait.
    let serving = |name: &str| subjects.iter().find(|subject| subject.name == name);
    let mut footprints: Vec<_> =
        contestants.iter_mut().filter_map(|contestant| Some((serving(contestant.column.name)?, contestant))).collect();
    footprint::run(plan, workshop, &others, &mut footprints)?;
    rounds::run(plan, &loads, &mut contestants, &direct);
    let mut columns: Vec<Column> = Vec::new();
    for contestant in contestants {
        match contestant.failure {
            Some(failure) => left_out(contestant.column.name, &failure),
            None => columns.push(contestant.column),
        }
    }
    table::print(&rows, &columns);
    Ok(complete)
}
