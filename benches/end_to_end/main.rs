//! The end-to-end benchmark: doorward beside an HAProxy that terminates the same TLS, both before `doorward sink`.
//!
//! `cargo bench --bench end_to_end` prints one table; `-- --quick` does it in less than a minute, and `-- --against FILE` adds a
//! column for another build of doorward, so that a change is measured beside what was before; `--only operations` (or `single`,
//! `connections`, `reads`, `writes`) leaves the other loads out, `--only authorization` all but the second table: what it costs that
//! commands are authorized, or judged for the would-deny record, against a doorward that does neither; `--only footprint` all but the
//! third: system calls, memory, start and size, beside what is to be reached. Everything runs on the loopback
//! interface and shares this machine's processors, so rates say little by themselves: compare the columns. The rounds are
//! interleaved and the table shows medians; HAProxy neither parses a message nor knows a user, so it is the floor.

mod authorization;
mod footprint;
mod load;
mod servers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use load::{Sample, Target, closed_loop, connection_loop, find_many, find_one, idle_connections, insert_many};
use servers::{Process, Security, Workshop, resident_memory};

const BATCH: usize = 16_000_000;
const INSERT: usize = 40_000_000;
/// Clients of the operations' rate; of a rate of connections; of a stream of large messages.
const CLIENTS: usize = 16;
const CONNECTING: usize = 8;
const STREAMING: usize = 2;

/// How long, how often, how many.
struct Plan {
    rounds: usize,
    unit: Duration,
    idle: usize,
    /// Connections that are opened and closed, and starts that are timed.
    closed: usize,
    starts: usize,
    /// Another doorward to compare with.
    against: Option<PathBuf>,
    /// The only load; empty for all.
    only: String,
}

impl Plan {
    fn wants(&self, load: &str) -> bool {
        self.only.is_empty() || self.only == load
    }
}

/// One column: its name, its server, what was measured.
struct Column {
    name: &'static str,
    target: Target,
    _process: Process,
    rounds: Vec<Round>,
    idle_kib: f64,
    failure: Option<String>,
}

/// One round's samples.
struct Round {
    operations: Sample,
    single: Sample,
    connections: Sample,
    reads: Sample,
    writes: Sample,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let value = |name: &str| arguments.iter().skip_while(|&argument| argument != name).nth(1);
    let (against, only) = (value("--against").map(PathBuf::from), value("--only").cloned().unwrap_or_default());
    let plan = if arguments.iter().any(|argument| argument == "--quick") {
        Plan { rounds: 2, unit: Duration::from_millis(600), idle: 400, closed: 2000, starts: 5, against, only }
    } else {
        Plan { rounds: 5, unit: Duration::from_millis(1500), idle: 2000, closed: 9000, starts: 41, against, only }
    };
    match run(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("the benchmark failed: {failure:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; `false` when a column is missing because its server failed.
fn run(plan: &Plan) -> Result<bool> {
    rlimit::increase_nofile_limit(1 << 16)?;
    let workshop = Workshop::new()?;
    let complete = [authorization::NAME, footprint::NAME].contains(&plan.only.as_str()) || forwarding(plan, &workshop)?;
    if plan.wants(authorization::NAME) {
        authorization::run(plan, &workshop)?;
    }
    if plan.wants(footprint::NAME) {
        footprint::run(plan, &workshop)?;
    }
    Ok(complete)
}

/// The first table: doorward as it is by default, beside HAProxy.
fn forwarding(plan: &Plan, workshop: &Workshop) -> Result<bool> {
    let (sink, direct) = workshop.sink(BATCH).context("sink")?;
    let address = direct.address;
    let mut columns = vec![column("direct", (sink, direct))];
    let mut complete = true;
    match workshop.haproxy(address) {
        Ok(Some(server)) => columns.push(column("HAProxy", server)),
        Ok(None) => println!("HAProxy is not installed: its column is missing"),
        Err(failure) => println!("{failure:#}"),
    }
    let other = plan.against.as_deref().map(|program| ("before", program));
    for (name, program) in other.into_iter().chain([("doorward", Path::new(env!("CARGO_BIN_EXE_doorward")))]) {
        match workshop.doorward(name, program, address, Security::Enabled) {
            Ok(server) => columns.push(column(name, server)),
            Err(failure) => {
                println!("{failure:#}");
                complete = false;
            }
        }
    }
    // First, while the processes are fresh: what the load frees need not go back to the system.
    for column in &mut columns {
        if let Err(failure) = column.measure_memory(plan) {
            column.failure = Some(format!("idle connections: {failure:#}"));
        }
    }
    for _ in 0..plan.rounds {
        for column in columns.iter_mut().filter(|column| column.failure.is_none()) {
            match round(&column.target, plan) {
                Ok(round) => column.rounds.push(round),
                Err(failure) => column.failure = Some(format!("{failure:#}")),
            }
        }
    }
    print_table(&columns);
    for (column, failure) in columns.iter().filter_map(|column| Some((column, column.failure.as_ref()?))) {
        println!("{} failed: {failure}", column.name);
        complete = false;
    }
    Ok(complete)
}

fn column(name: &'static str, (process, target): (Process, Target)) -> Column {
    Column { name, target, _process: process, rounds: Vec::new(), idle_kib: f64::NAN, failure: None }
}

impl Column {
    fn measure_memory(&mut self, plan: &Plan) -> Result<()> {
        let Some(process) = self.target.process else { return Ok(()) };
        // What every process does once is no connection's memory.
        drop(idle_connections(&self.target, 20)?);
        thread::sleep(Duration::from_millis(200));
        let before = resident_memory(process)?;
        let clients = idle_connections(&self.target, plan.idle)?;
        thread::sleep(Duration::from_millis(500));
        self.idle_kib = (resident_memory(process)? - before) / clients.len() as f64;
        Ok(())
    }

    /// The median over the rounds.
    fn median(&self, value: impl Fn(&Round) -> f64) -> f64 {
        part(self.rounds.iter().map(value).collect(), 0.5)
    }

    /// CPU seconds per operation, over all rounds.
    fn cpu(&self, sample: impl Fn(&Round) -> &Sample) -> f64 {
        let (cpu, count) = self.rounds.iter().map(sample).fold((0.0, 0.0), |(a, b), s| (a + s.cpu, b + s.operations));
        if self.target.process.is_some() { cpu / count } else { f64::NAN }
    }
}

fn round(target: &Target, plan: &Plan) -> Result<Round> {
    let operations = |name: &'static str, message: &dyn Fn() -> Vec<u8>, clients: usize| {
        if plan.wants(name) { closed_loop(target, &message(), clients, plan.unit).context(name) } else { Ok(Sample::default()) }
    };
    Ok(Round {
        operations: operations("operations", &find_one, CLIENTS)?,
        single: operations("single", &find_one, 1)?,
        connections: match plan.wants("connections") {
            true => connection_loop(target, CONNECTING, plan.unit).context("connections")?,
            false => Sample::default(),
        },
        reads: operations("reads", &find_many, STREAMING)?,
        writes: operations("writes", &|| insert_many(INSERT), STREAMING)?,
    })
}

/// The value that this part of the values does not exceed; between two values, so much of each.
fn part(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = part * values.len().saturating_sub(1) as f64;
    let at = |place: f64| values.get(place as usize).copied().unwrap_or(f64::NAN);
    at(place.floor()) + (at(place.ceil()) - at(place.floor())) * place.fract()
}

fn megabytes(sample: &Sample) -> f64 {
    sample.bytes / sample.seconds / 1e6
}

fn print_table(columns: &[Column]) {
    let direct = columns.first();
    let added = |column: &Column, part: f64| {
        let base = direct.map_or(f64::NAN, |direct| direct.median(|round| round.single.latency(part)));
        if column.target.process.is_some() { column.median(|round| round.single.latency(part)) - base } else { f64::NAN }
    };
    type Row<'a> = (String, Box<dyn Fn(&Column) -> f64 + 'a>);
    let rows: Vec<Row<'_>> = vec![
        (format!("operations/s, {CLIENTS} clients"), Box::new(|c| c.median(|r| r.operations.rate()))),
        (format!("p50 µs, {CLIENTS} clients"), Box::new(|c| c.median(|r| r.operations.latency(0.5)))),
        (format!("p99 µs, {CLIENTS} clients"), Box::new(|c| c.median(|r| r.operations.latency(0.99)))),
        ("added latency p50 µs, 1 client".into(), Box::new(|c| added(c, 0.5))),
        ("added latency p99 µs, 1 client".into(), Box::new(|c| added(c, 0.99))),
        ("CPU s per million operations".into(), Box::new(|c| c.cpu(|r| &r.operations) * 1e6)),
        (
            "connections/s (TLS + X.509)".into(),
            Box::new(|c| if c.target.process.is_some() { c.median(|r| r.connections.rate()) } else { f64::NAN }),
        ),
        ("CPU s per thousand connections".into(), Box::new(|c| c.cpu(|r| &r.connections) * 1e3)),
        ("KiB resident per idle connection".into(), Box::new(|c| c.idle_kib)),
        (format!("MB/s, find replies of {} MB", BATCH / 1_000_000), Box::new(|c| c.median(|r| megabytes(&r.reads)))),
        (format!("MB/s, inserts of {} MB", INSERT / 1_000_000), Box::new(|c| c.median(|r| megabytes(&r.writes)))),
        ("CPU s per GB, find replies".into(), Box::new(|c| c.cpu(|r| &r.reads) / BATCH as f64 * 1e9)),
        ("CPU s per GB, inserts".into(), Box::new(|c| c.cpu(|r| &r.writes) / INSERT as f64 * 1e9)),
    ];
    let find = |name: &str| columns.iter().find(|column| column.name == name);
    let pair = find("HAProxy").zip(find("doorward"));
    print!("{:34}", "");
    columns.iter().for_each(|column| print!("{:>12}", column.name));
    println!("{}", if pair.is_some() { "  doorward/HAProxy" } else { "" });
    for (name, value) in rows {
        print!("{name:34}");
        columns.iter().for_each(|column| print!("{:>12}", number(value(column))));
        println!("{}", pair.map_or_else(String::new, |(a, b)| format!("{:>18}", number(value(b) / value(a)))));
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
