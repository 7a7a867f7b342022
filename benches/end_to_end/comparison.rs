//! The first table: doorward, T and the peers, before one stub backend.

use anyhow::{Context, Result};

use crate::rounds::{self, Contest};
use crate::rows::{LARGE, ROWS, Source};
use crate::servers::Workshop;
use crate::subjects::Subject;
use crate::{Plan, footprint};

/// Measures and prints; `false` when a doorward is missing because it failed.
pub(crate) fn run(plan: &Plan, workshop: &Workshop) -> Result<bool> {
    let rows: Vec<_> = ROWS.iter().filter(|row| plan.wants(row)).collect();
    if rows.is_empty() {
        return Ok(true);
    }
    let (_sink, direct) = workshop.sink(LARGE).context("sink")?;
    let subjects = Subject::all(plan.against.as_deref());
    let mut contest = Contest::default();
    for subject in &subjects {
        contest.enter(subject.name, || subject.start(workshop, direct.address));
    }
    let (loads, others): (Vec<_>, Vec<_>) = rows.iter().copied().partition(|row| matches!(row.source, Source::Load(..)));
    // Before the loads, while nobody has anything to do but wait.
    footprint::run(plan, workshop, &others, &subjects, &mut contest.contestants)?;
    rounds::run(plan, &loads, &mut contest.contestants, &direct);
    contest.print(&rows);
    Ok(!contest.failed)
}
