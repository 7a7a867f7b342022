//! What does not depend on who else uses the machine, or hardly: system calls, memory, the start, the program's size.
//!
//! System calls are counted by `strace`; without it their rows are empty. Memory is what is resident in the process and its children.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::Plan;
use crate::ending::Process;
use crate::load::{Client, Target, find_one, idle_connections};
use crate::processes::{family, resident_memory};
use crate::rounds::Contestant;
use crate::rows::{Row, Source};
use crate::servers::{Workshop, find};
use crate::subjects::{Subject, T};

/// Finds of which the system calls are counted, of one client and of each of many.
const FINDS: usize = 3000;
/// How long memory may take to settle: at rest, with all connections open, and when freed memory is given back.
const QUIET: Duration = Duration::from_millis(500);
const SETTLED: Duration = Duration::from_secs(15);

/// Measures what `rows` want, of each contestant that is still there, and of its twin.
pub(crate) fn run(
    plan: &Plan,
    workshop: &Workshop,
    rows: &[&Row],
    subjects: &[Subject],
    contestants: &mut [Contestant],
) -> Result<()> {
    let subject_of = |contestant: &Contestant| subjects.iter().find(|subject| subject.name == contestant.column.name);
    let mut contestants: Vec<_> =
        contestants.iter_mut().filter_map(|contestant| Some((subject_of(contestant)?, contestant))).collect();
    let (_sink, direct) = workshop.sink(0).context("sink")?;
    for (subject, contestant) in &mut contestants {
        eprintln!("system calls of {}", subject.name);
        let done = single_figures(workshop, rows, subject, contestant);
        contestant.fails_with(done);
    }
    if rows.iter().any(|row| matches!(row.source, Source::Memory(_))) {
        memory(plan, workshop, rows, &mut contestants, &direct);
    }
    starts(plan, workshop, rows, &mut contestants, &direct);
    Ok(())
}

/// Each has its clients for itself; they give memory back at the same time.
fn memory(plan: &Plan, workshop: &Workshop, rows: &[&Row], contestants: &mut [(&Subject, &mut Contestant)], sink: &Target) {
    let mut served = Vec::new();
    for (place, (subject, contestant)) in contestants.iter_mut().enumerate() {
        for twin in 0..2 {
            eprintln!("memory of {}", subject.name);
            let done = Served::new(plan, workshop, subject, sink).map(|one| served.push((place, twin, one)));
            contestant.fails_with(done);
        }
    }
    thread::sleep(SETTLED);
    for (place, twin, served) in served {
        let Some((_, contestant)) = contestants.get_mut(place) else { continue };
        let column = &mut contestant.column;
        let done = served.figures().map(|figures| {
            for row in rows {
                let Source::Memory(place) = row.source else { continue };
                figures.get(place).into_iter().for_each(|figure| column.add(row.name, twin, *figure));
            }
        });
        contestant.fails_with(done);
    }
}

/// Those that need no other subject beside them.
fn single_figures(workshop: &Workshop, rows: &[&Row], subject: &Subject, contestant: &mut Contestant) -> Result<()> {
    for row in rows {
        match row.source {
            Source::Calls(clients) => {
                for (twin, target) in contestant.twins.iter().enumerate() {
                    contestant.column.add(row.name, twin, system_calls(workshop, target, clients)?);
                }
            }
            // T is a part of this program.
            Source::Size if subject.name != T => contestant.column.add(row.name, 0, stripped_size(workshop, subject)?),
            _ => (),
        }
    }
    Ok(())
}

/// Everybody is started in turns.
fn starts(plan: &Plan, workshop: &Workshop, rows: &[&Row], contestants: &mut [(&Subject, &mut Contestant)], sink: &Target) {
    for row in rows.iter().filter(|row| matches!(row.source, Source::Start)) {
        for start in 0..2 * plan.starts {
            for (subject, contestant) in contestants.iter_mut().filter(|(_, contestant)| contestant.failure.is_none()) {
                let done = first_reply(workshop, subject, sink);
                let done = done.map(|milliseconds| contestant.column.add(row.name, start % 2, milliseconds));
                contestant.fails_with(done);
            }
        }
    }
}

/// System calls of the processes for each find of so many clients.
fn system_calls(workshop: &Workshop, target: &Target, clients: usize) -> Result<f64> {
    let Some(strace) = find("strace") else { return Ok(f64::NAN) };
    let message = find_one();
    let mut open = (0..clients).map(|_| Client::connect(target)).collect::<Result<Vec<_>>>()?;
    for client in &mut open {
        client.ask_successfully(&message)?;
    }
    let counts = workshop.own_folder()?.join("calls");
    let mut command = Command::new(strace);
    command.args(["-f", "-c", "-o"]).arg(&counts).stderr(Stdio::null());
    let processes: Vec<u32> = target.processes.iter().flat_map(|root| family(*root).unwrap_or_default()).collect();
    for process in &processes {
        command.arg("-p").arg(process.to_string());
    }
    let mut strace = Process::start(&mut command)?;
    processes.iter().try_for_each(|process| await_tracer(*process))?;
    let each = FINDS.div_ceil(clients);
    let failures: Vec<_> = thread::scope(|scope| {
        let ask = |client: &'_ mut Client| (0..each).try_for_each(|_| client.ask(&find_one()).map(|_| ()));
        let workers: Vec<_> = open.iter_mut().map(|client| scope.spawn(move || ask(client))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()?.err()).collect()
    });
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    strace.interrupt()?;
    let text = fs::read_to_string(counts)?;
    let total = text.lines().rev().find(|line| line.trim_end().ends_with("total")).context("strace counted nothing")?;
    let calls: f64 = total.split_whitespace().nth(3).context("strace's total")?.parse()?;
    Ok(calls / (each * clients) as f64)
}

/// Waits until every thread of a process is traced.
fn await_tracer(process: u32) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        let mut traced = true;
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            traced &= status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"));
        }
        if traced {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("strace does not trace; is it allowed to?")
}

/// A process all of whose clients have left.
struct Served {
    process: Process,
    /// kB at rest, and of each idle connection while they were there.
    at_rest: f64,
    each: f64,
}

impl Served {
    fn new(plan: &Plan, workshop: &Workshop, subject: &Subject, sink: &Target) -> Result<Self> {
        let (process, target) = subject.start(workshop, sink.address)?;
        // What every process does once is no connection's memory.
        drop(idle_connections(&target, 20)?);
        thread::sleep(QUIET);
        let at_rest = resident_memory(process.0.id())?;
        let clients = idle_connections(&target, plan.connections)?;
        thread::sleep(QUIET);
        let each = (resident_memory(process.0.id())? - at_rest) / clients.len() as f64;
        Ok(Self { process, at_rest, each })
    }

    /// What [`Source::Memory`] chooses from: MB at rest, kB a connection, MB now, and that over what is still fine.
    fn figures(&self) -> Result<[f64; 4]> {
        let now = resident_memory(self.process.0.id())?;
        Ok([self.at_rest / 1e3, self.each, now / 1e3, now / (2.0 * self.at_rest + 5e3)])
    }
}

/// Milliseconds from the start of the process to the first byte that answers a client hello.
fn first_reply(workshop: &Workshop, subject: &Subject, sink: &Target) -> Result<f64> {
    let mut launch = subject.launch(workshop, sink.address)?;
    let mut hello = Vec::new();
    let mut connection = ClientConnection::new(ClientConfig::clone(&workshop.tls).into(), ServerName::try_from("localhost")?)?;
    connection.write_tls(&mut hello)?;
    let start = Instant::now();
    let _process = Process::start(launch.command.stderr(Stdio::null()))?;
    while start.elapsed() < Duration::from_secs(10) {
        if let Ok(mut stream) = TcpStream::connect(launch.address) {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(&hello)?;
            if stream.read(&mut [0; 1]).is_ok_and(|count| count == 1) {
                return Ok(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        thread::sleep(Duration::from_micros(200));
    }
    bail!("{} did not answer", subject.name)
}

/// Megabytes of a program without its symbols.
fn stripped_size(workshop: &Workshop, subject: &Subject) -> Result<f64> {
    let Some(strip) = find("strip") else { return Ok(f64::NAN) };
    let stripped = workshop.own_folder()?.join("stripped");
    Process::start(Command::new(strip).arg("-o").arg(&stripped).arg(&subject.program))?.wait()?;
    let size = fs::metadata(&stripped)?.len();
    fs::remove_file(stripped)?;
    Ok(size as f64 / 1e6)
}
