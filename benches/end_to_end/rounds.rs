//! The loads: everybody and everybody's twin take turns, in many short rounds, so that whatever else the machine does meets all.

use anyhow::Result;

use crate::Plan;
use crate::ending::Process;
use crate::load::{Sample, Target};
use crate::rows::{Load, Row, Source};
use crate::subjects::{BEFORE, DOORWARD};
use crate::table::{self, Column};

/// One subject that serves, with its twin.
pub(crate) struct Contestant {
    pub(crate) column: Column,
    pub(crate) twins: [Target; 2],
    pub(crate) failure: Option<String>,
    _processes: [Process; 2],
}

impl Contestant {
    fn new(name: &'static str, start: impl Fn() -> Result<(Process, Target)>) -> Result<Self> {
        let ((one, first), (other, second)) = (start()?, start()?);
        Ok(Self { column: Column::new(name), twins: [first, second], failure: None, _processes: [one, other] })
    }

    /// Keeps the first failure.
    pub(crate) fn fails_with(&mut self, done: Result<()>) {
        self.failure = self.failure.take().or_else(|| done.err().map(|failure| format!("{failure:#}")));
    }
}

/// All who take turns. Who fails is left out with a line that says why.
#[derive(Default)]
pub(crate) struct Contest {
    pub(crate) contestants: Vec<Contestant>,
    /// One of those who failed is a doorward.
    pub(crate) failed: bool,
}

impl Contest {
    /// Starts a subject and its twin.
    pub(crate) fn enter(&mut self, name: &'static str, start: impl Fn() -> Result<(Process, Target)>) {
        match Contestant::new(name, start) {
            Ok(contestant) => self.contestants.push(contestant),
            Err(failure) => self.leave_out(name, &format!("{failure:#}")),
        }
    }

    fn leave_out(&mut self, name: &str, why: &str) {
        println!("{name} is left out: {why}");
        self.failed |= [DOORWARD, BEFORE].contains(&name);
    }

    /// Ends the processes, and prints what was measured.
    pub(crate) fn print(&mut self, rows: &[&Row]) {
        let mut columns = Vec::new();
        for contestant in std::mem::take(&mut self.contestants) {
            match contestant.failure {
                Some(failure) => self.leave_out(contestant.column.name, &failure),
                None => columns.push(contestant.column),
            }
        }
        table::print(rows, &columns);
    }
}

/// Measures what `rows` want. `direct` is the backend without a proxy.
pub(crate) fn run(plan: &Plan, rows: &[&Row], contestants: &mut [Contestant], direct: &Target) {
    let loads: Vec<_> = Load::ALL.into_iter().filter(|load| rows.iter().any(|row| is_of(row, *load))).collect();
    for round in 0..if loads.is_empty() { 0 } else { plan.rounds } {
        eprintln!("round {} of {}, {} in it", round + 1, plan.rounds, contestants.len());
        for &load in &loads {
            // The rows that are about a single client compare it with one that has no proxy to pass.
            let bare = if load == Load::OneFind { load.run(direct, plan).unwrap_or_default() } else { Sample::default() };
            // All twins come after all subjects, and whoever comes first does not always come first.
            for place in 0..2 * contestants.len() {
                let place = (place + round) % (2 * contestants.len());
                let (twin, place) = (place / contestants.len(), place % contestants.len());
                let Some(contestant) = contestants.get_mut(place).filter(|contestant| contestant.failure.is_none()) else {
                    continue;
                };
                let Some(target) = contestant.twins.get(twin) else { continue };
                let done = load.run(target, plan);
                let done = done.map(|sample| note(rows, load, &mut contestant.column, twin, &sample, &bare));
                contestant.fails_with(done);
            }
        }
    }
}

fn is_of(row: &Row, load: Load) -> bool {
    matches!(row.source, Source::Load(wanted, _) if wanted == load)
}

/// Notes the figures of all rows that come from one sample.
fn note(rows: &[&Row], load: Load, column: &mut Column, twin: usize, sample: &Sample, direct: &Sample) {
    for row in rows {
        if let Source::Load(wanted, figure) = row.source
            && wanted == load
        {
            column.add(row.name, twin, figure(sample, direct));
        }
    }
}
